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
	require.True(t, l.parts[p].calm)
	var first, second OpID
	must(t, l, p, func(tx *Tx) error {
		first = park(tx, hold)
		park(tx, other)
		waits, err := tx.Waiting(hold)
		require.Equal(t, []OpID{first}, waits, "of the same drain")
		return err
	})
	require.False(t, l.parts[p].calm)
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
}
