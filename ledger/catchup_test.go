package ledger

import (
	"errors"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
)

// An account whose dated event can't be decided gets what comes to it, and holds up
// nothing that comes to others of its partition; the event is recorded as soon
// as it can be.
func TestAnUndecidedEventHoldsNoTransferUp(t *testing.T) {
	clock := newHandClock()
	o := quiet(vfs.NewMem(), clock)
	o.Partitions, o.Shards = 2, 1
	l := open(t, o)
	of := func(partition int, after AccountID) AccountID {
		for after++; after.Partition(2) != partition; after++ {
		}
		return after
	}
	from, bad := of(0, 0), of(1, 0)
	good := of(1, bad)
	lot := LotPart{Active: 1, Points: 100}
	must(t, l, 0, func(tx *Tx) error {
		if _, err := tx.Append(&Operation{Kind: KindEnrol, Account: from}); err != nil {
			return err
		}
		op := &Operation{Kind: KindAdjust, Account: from, Lots: []LotPart{{Active: 1, Points: 1000}}}
		op.Legs[LegAdjusted] = -1000
		_, err := tx.Append(op)
		return err
	})
	must(t, l, 1, func(tx *Tx) error {
		if _, err := tx.Append(&Operation{Kind: KindEnrol, Account: good}); err != nil {
			return err
		}
		_, err := tx.Append(&Operation{Kind: KindEnrol, Account: bad, Wake: tx.Now() + int64(time.Hour)})
		return err
	})
	decidable := false
	l.OnWake(func(_ *Tx, _ *Account, op *Operation) error {
		if !decidable {
			return errors.New("no profile can be read")
		}
		op.Wake = WakeNever
		return nil
	})
	clock.move(2 * time.Hour)
	for _, to := range []AccountID{bad, good} {
		must(t, l, 0, func(tx *Tx) error {
			op := &Operation{Kind: KindPostOut, Account: from, At: tx.Now(), Lots: negative([]LotPart{lot}),
				Transfers: []Transfer{{To: to, Parts: []LotPart{lot}}}}
			op.Legs[LegTransit] = lot.Points
			_, err := tx.Append(op)
			return err
		})
	}
	for _, to := range []AccountID{bad, good} {
		require.Eventually(t, func() bool {
			a, err := l.Account(to)
			require.NoError(t, err)
			return a.Balance().Available == lot.Points
		}, 20*time.Second, time.Millisecond, "account %s", to)
	}
	a, err := l.Account(bad)
	require.NoError(t, err)
	require.NotZero(t, a.Wake, "the event is still to come")
	decidable = true
	must(t, l, 1, func(tx *Tx) error {
		a, err := tx.Account(bad)
		require.Zero(t, a.Wake)
		return err
	})
	requireSound(t, l)
}
