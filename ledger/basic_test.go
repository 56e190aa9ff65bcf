package ledger

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
)

// task is a Task made of a function.
type task struct {
	decide func(*Tx) error
	done   chan error
}

func (t *task) Decide(tx *Tx) error { return t.decide(tx) }
func (t *task) Done(err error)      { t.done <- err }

// do runs decide on a partition and waits until it is synced.
func do(t testing.TB, l *Ledger, partition int, decide func(*Tx) error) error {
	t.Helper()
	k := &task{decide, make(chan error, 1)}
	require.NoError(t, l.Submit(partition, k))
	return <-k.done
}

func must(t testing.TB, l *Ledger, partition int, decide func(*Tx) error) {
	t.Helper()
	require.NoError(t, do(t, l, partition, decide))
}

func TestFirstSteps(t *testing.T) {
	l, err := Open("data", Options{FS: vfs.NewMem(), Partitions: 4})
	require.NoError(t, err)
	id := AccountID(7)
	p := id.Partition(4)
	must(t, l, p, func(tx *Tx) error {
		if err := tx.Create(id, "shop"); err != nil {
			return err
		}
		if _, err := tx.Append(&Operation{Kind: KindEnrol, Account: id, Merchant: "shop", Registered: true}); err != nil {
			return err
		}
		op := &Operation{Kind: KindAccrue, Account: id, Merchant: "shop", Total: 1000, Payable: 1000, Earned: 100}
		op.EarnedLot = LotPart{Active: tx.Now(), Points: 100}
		op.Lots = []LotPart{op.EarnedLot}
		op.Legs[LegIssued] = -100
		_, err := tx.Append(op)
		return err
	})
	a, err := l.Account(id)
	require.NoError(t, err)
	require.Equal(t, int64(100), a.Balance().Available)
	require.NoError(t, l.Close())
}
