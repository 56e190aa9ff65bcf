package ledger

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
)

// What waits about a hold is found whether Pebble shows it yet or not, and nothing
// else is.
func TestWaiting(t *testing.T) {
	l := open(t, quiet(vfs.NewMem(), newHandClock()))
	id := AccountID(99)
	p := id.Partition(len(l.parts))
	var hold, other, none OpID
	park := func(tx *Tx, parent OpID) OpID {
		op := &Operation{Kind: KindPark, Account: id, Parent: parent, Status: "parked", At: tx.Now()}
		_, err := tx.Append(op)
		require.NoError(t, err)
		return op.ID
	}
	require.NoError(t, l.await(p, func(tx *Tx) error {
		for _, h := range []*OpID{&hold, &other, &none} {
			op := &Operation{Kind: KindEnrol, Account: id}
			if h != &hold {
				op = &Operation{Kind: KindProfile, Account: id}
			}
			if _, err := tx.Append(op); err != nil {
				return err
			}
			*h = op.ID
		}
		waits, err := tx.Waiting(hold)
		require.Empty(t, waits)
		return err
	}))
	require.NotNil(t, l.parts[p].waits)
	var first, second OpID
	must(t, l, p, func(tx *Tx) error {
		first = park(tx, hold)
		park(tx, other)
		waits, err := tx.Waiting(hold)
		require.Equal(t, []OpID{first}, waits, "of the same drain")
		return err
	})
	must(t, l, p, func(tx *Tx) error {
		second = park(tx, hold)
		waits, err := tx.Waiting(hold)
		require.Equal(t, []OpID{first, second}, waits)
		_, e := tx.Append(&Operation{Kind: KindResolve, Account: id, Target: first, Parent: hold, Status: "rejected"})
		require.NoError(t, e)
		waits, e = tx.Waiting(hold)
		require.Equal(t, []OpID{second}, waits, "what is decided waits no longer")
		require.NoError(t, e)
		waits, e = tx.Waiting(none)
		require.Empty(t, waits)
		return errors.Join(err, e)
	})
	task := func(parks int, fails error) {
		require.ErrorIs(t, l.await(p, func(tx *Tx) error {
			for range parks {
				park(tx, hold)
			}
			return fails
		}), fails)
	}
	fault := errors.New("the task fails")
	task(2, fault)
	task(1, nil)
	var third OpID
	must(t, l, p, func(tx *Tx) error {
		waits, err := tx.Waiting(hold)
		require.Len(t, waits, 2, "what was never recorded doesn't wait, and its number is another's")
		third = waits[1]
		return err
	})
	l.parts[p].waits = nil // as after a start; the event loop is idle
	must(t, l, p, func(tx *Tx) error {
		fourth := park(tx, hold)
		waits, err := tx.Waiting(hold)
		require.Equal(t, []OpID{second, third, fourth}, waits)
		return err
	})
}

// TestManyHoldsOfWhichSomethingWaits are read once, not again with each that comes.
func TestManyHoldsOfWhichSomethingWaits(t *testing.T) {
	l := open(t, quiet(vfs.NewMem(), newHandClock()))
	id := AccountID(99)
	p := id.Partition(len(l.parts))
	must(t, l, p, func(tx *Tx) error {
		_, err := tx.Append(&Operation{Kind: KindEnrol, Account: id})
		return err
	})
	park := func(tx *Tx, hold uint64) error {
		_, err := tx.Append(&Operation{Kind: KindPark, Account: id, Parent: NewOpID(p, 1<<30+hold), Status: "parked", At: tx.Now()})
		return err
	}
	for from := uint64(0); from <= maxWaits; from += 1024 {
		must(t, l, p, func(tx *Tx) (err error) {
			for hold := from; hold < from+1024 && err == nil; hold++ {
				err = park(tx, hold)
			}
			return err
		})
	}
	must(t, l, p, func(tx *Tx) error {
		waits, err := tx.Waiting(NewOpID(p, 1<<30))
		require.Len(t, waits, 1)
		return err
	})
	must(t, l, p, func(tx *Tx) error { return park(tx, 1<<20) })
	require.Len(t, l.parts[p].waits, maxWaits+1024+1, "still known")
}
