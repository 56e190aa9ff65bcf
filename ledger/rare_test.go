package ledger

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// crashing are the steps of a trace that is broken off anywhere: all that
// reach other accounts, and the kinds of record that other traces do without.
var crashing = append(append([]step(nil), between...),
	step{"redeem", redeem}, step{"erase", erase}, step{"programme", publish}, step{"amend", amend}, step{"amend", amend})

// redeem spends in one step.
func redeem(s *shop, tx *Tx, a *Account, x *action) error {
	op := x.op(KindRedeem, tx)
	op.Pins = take(a, tx, x.r.Int64N(3000))
	op.Lots = negative(op.Pins)
	x.basket(op, sum(op.Pins))
	op.Legs[LegRedeemed] = sum(op.Pins)
	spent(op, tx, 1)
	id, err := tx.Append(op)
	s.sales[x.id] = append(s.sales[x.id], id)
	return err
}

// erase drops what is personal and keeps the books.
func erase(s *shop, tx *Tx, a *Account, x *action) error {
	if err := plain(KindErase)(s, tx, a, x); err != nil {
		return err
	}
	for _, drop := range []error{tx.DeleteProfile(x.id), tx.DeleteLink(Key{2, byte(x.id)}), tx.EndCode(x.id)} {
		if drop != nil {
			return drop
		}
	}
	return nil
}

// publish records a version of a programme in one partition.
func publish(s *shop, tx *Tx, a *Account, x *action) error {
	op := x.op(KindProgram, tx)
	op.Account, op.Status, op.Data = 0, "published", []byte("0011223344556677")
	_, err := tx.Append(op)
	return err
}

// What is broken off by crashes holds every kind of record and every keyspace,
// or the crash tests would prove less than they say.
func TestTheCrashTraceHoldsEveryKindOfRecord(t *testing.T) {
	clock := newHandClock()
	l := open(t, busyOptions(vfs.NewMem(), clock))
	live(l, clock, &told{ops: map[OpID]bool{}}, 3, 150)
	settle(t, l)
	seen := map[Kind]bool{}
	for p := range 4 {
		require.NoError(t, l.Journal(p, 1, func(_ OpID, rec []byte) bool {
			seen[Kind(rec[2])] = true
			return true
		}))
	}
	for k := KindNone + 1; k < kindCount; k++ {
		assert.True(t, seen[k], "kind %d is not in the trace", k)
	}
	for _, space := range "jasdrbipzkcqwgx" {
		assert.NotEmpty(t, dump(t, l, string(space)), "keyspace %c is empty", space)
	}
	requireSound(t, l)
	require.NoError(t, l.Close())
}
