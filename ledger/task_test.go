package ledger

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
)

func TestAFailingTaskLeavesNothingBehind(t *testing.T) {
	for name, end := range map[string]func() error{
		"an error": func() error { return errors.New("boom") },
		"a panic":  func() error { panic("boom") },
	} {
		t.Run(name, func(t *testing.T) {
			run := func(fail bool) map[string]string {
				l := open(t, quiet(vfs.NewMem(), newHandClock()))
				defer func() { require.NoError(t, l.Close()) }()
				old, fresh := AccountID(5), AccountID(6)
				for fresh.Partition(4) != old.Partition(4) {
					fresh++
				}
				p := old.Partition(4)
				must(t, l, p, enrolWith(old, 1000))
				event := func(tx *Tx) error {
					_, err := tx.Append(&Operation{Kind: KindEvent, Account: old, Dups: []DupRef{{Key: Key{1}}}})
					return err
				}
				// The three lie in one drain: the first keeps the loop busy.
				begin := make(chan struct{})
				busy, _ := later(t, l, p, func(*Tx) error { <-begin; return nil })
				first, _ := later(t, l, p, event)
				second, _ := later(t, l, p, func(tx *Tx) error {
					if !fail {
						return nil
					}
					everything(t, tx, old, fresh)
					return end()
				})
				third, _ := later(t, l, p, event)
				close(begin)
				require.NoError(t, <-busy)
				require.NoError(t, <-first)
				if err := <-second; fail {
					require.ErrorContains(t, err, "boom")
					require.Equal(t, uint64(1), l.Stats().Faults)
				}
				require.NoError(t, <-third)
				must(t, l, p, func(tx *Tx) error {
					a, err := tx.Account(fresh)
					require.Nil(t, a)
					return err
				})
				requireSound(t, l)
				return dump(t, l, "jasdrbizkcowqp")
			}
			requireSame(t, run(false), run(true))
		})
	}
}

// everything writes into every keyspace that a task can write.
func everything(t *testing.T, tx *Tx, old, fresh AccountID) {
	require.NoError(t, enrolWith(fresh, 50)(tx))
	a, err := tx.Account(old)
	require.NoError(t, err)
	op := &Operation{
		Kind: KindAuthorize, Account: old, Hold: HoldSelf, HoldUntil: tx.Now() + 1, Terminal: "T", Receipt: "1", Shift: "2",
		Pins: []LotPart{a.Lots[0]}, Lots: negative(a.Lots[:1]), Dups: []DupRef{{Key: Key{1}}, {Key: Key{2}}},
	}
	id, err := tx.Append(op)
	require.NoError(t, err)
	_, err = tx.Append(&Operation{Kind: KindVoid, Account: old, Parent: id, Drop: id, Lots: op.Pins})
	require.NoError(t, err)
	_, err = tx.Append(&Operation{Kind: KindPark, Terminal: "T", Shift: "2"})
	require.NoError(t, err)
	require.NoError(t, tx.PutLink(Key{3}, Link{Account: fresh}))
	require.NoError(t, tx.PutProfile(fresh, []byte("x")))
	require.NoError(t, tx.PutCode(Key{4}, fresh, tx.Now()))
	require.NoError(t, tx.PutDups(Key{5}, []DupEntry{{Time: tx.Now()}}))
	require.NoError(t, tx.DeleteLink(Key{6}))
}

// A refused Append changes nothing, and the task may go on with another one.
func TestARefusedAppendChangesNothing(t *testing.T) {
	l := open(t, quiet(vfs.NewMem(), newHandClock()))
	defer func() { require.NoError(t, l.Close()) }()
	id := AccountID(5)
	p := id.Partition(4)
	must(t, l, p, enrolWith(id, 1000))
	must(t, l, p, func(tx *Tx) error {
		a, err := tx.Account(id)
		require.NoError(t, err)
		lot := a.Lots[0]
		part := func(points int64) LotPart { return LotPart{Active: lot.Active, Points: points} }
		before, last := *a, a.Last
		for name, op := range map[string]*Operation{
			"more than there is":         {Kind: KindRedeem, Lots: []LotPart{part(-1001)}, Legs: [LegCount]int64{LegRedeemed: 1001}},
			"a lot that isn't there":     {Kind: KindRedeem, Lots: []LotPart{{Active: 1, Points: -1}}, Legs: [LegCount]int64{LegRedeemed: 1}},
			"legs that don't add up":     {Kind: KindAdjust, Lots: []LotPart{part(10)}, Legs: [LegCount]int64{LegAdjusted: -9}},
			"a deficit above zero":       {Kind: KindAdjust, Owed: 1, Legs: [LegCount]int64{LegAdjusted: -1}},
			"a hold that isn't there":    {Kind: KindVoid, Parent: 9, Drop: 9},
			"a hold that has ended":      {Kind: KindAuthorize, Hold: HoldSelf, HoldUntil: tx.Now()},
			"a decline with effects":     {Kind: KindAdjust, Code: 12, Lots: []LotPart{part(10)}, Legs: [LegCount]int64{LegAdjusted: -10}},
			"figures out of range":       {Kind: KindAdjust, Total: MaxPoints + 1},
			"points that vanish":         {Kind: KindPostOut, Lots: []LotPart{part(-5)}, Legs: [LegCount]int64{LegTransit: 5}},
			"a transfer to nobody":       {Kind: KindPostOut, Transfers: []Transfer{{Parts: []LotPart{part(5)}}}},
			"the ledger's own kinds":     {Kind: KindLapse},
			"a kind that isn't":          {Kind: kindCount},
			"a return without a sale":    {Kind: KindReturn, Parent: NewOpID(p, 1)},
			"another partition's sale":   {Kind: KindReturn, Parent: NewOpID(p+1, 1)},
			"a resolution of nothing":    {Kind: KindResolve, Target: NewOpID(p, 1)},
			"one key twice":              {Kind: KindEvent, Dups: []DupRef{{Key: Key{1}}, {Key: Key{1}}}},
			"another account's creation": {Kind: KindEnrol},
		} {
			op.Account = id
			_, err := tx.Append(op)
			require.Error(t, err, name)
			require.Equal(t, before, *a, name)
		}
		_, err = tx.Append(&Operation{Kind: KindEvent, Account: 6 + 1<<40})
		require.Error(t, err)
		require.Equal(t, last, a.Last)
		_, err = tx.Append(&Operation{Kind: KindEvent, Account: id})
		require.NoError(t, err)
		require.Equal(t, last+1, a.Last)
		return nil
	})
	requireSound(t, l)
}

func TestOneDupListAnswersForAllItHasSeen(t *testing.T) {
	clock := newHandClock()
	o := quiet(vfs.NewMem(), clock)
	o.MaxDups = 4
	l := open(t, o)
	defer func() { require.NoError(t, l.Close()) }()
	key := Key{1}
	append := func(e DupEntry) error {
		return do(t, l, 0, func(tx *Tx) error {
			_, err := tx.Append(&Operation{Kind: KindEvent, Dups: []DupRef{{Key: key, Entry: e}}})
			return err
		})
	}
	entries := func() []DupEntry {
		all, err := l.Dups(key)
		require.NoError(t, err)
		return all
	}
	require.NoError(t, append(DupEntry{Disc: "a", Sent: []string{"1"}, Hash: [16]byte{1}}))
	require.NoError(t, append(DupEntry{Disc: "b", Sent: []string{"2"}}))
	require.NoError(t, append(DupEntry{Mark: true, Class: "010", Sent: []string{"3"}}))
	require.NoError(t, append(DupEntry{Disc: "a", Sent: []string{"4"}}))
	got := entries()
	require.Len(t, got, 3)
	require.Equal(t, []string{"1", "4"}, got[0].Sent, "every DE7 that was seen")
	require.Equal(t, uint64(4), got[0].Op.Sequence())
	require.Equal(t, uint64(2), got[1].Op.Sequence())
	require.True(t, got[2].Mark)
	require.Zero(t, got[2].Op, "a mark names no operation")

	require.NoError(t, append(DupEntry{Disc: "c"}))
	require.ErrorIs(t, append(DupEntry{Disc: "d"}), ErrDupsFull)
	require.Equal(t, uint64(1), l.Stats().DupsRejected)
	require.Len(t, entries(), 4)

	// Two records of one task under a key that was new to it: both stay.
	must(t, l, 0, func(tx *Tx) error {
		for _, disc := range []string{"x", "y"} {
			ref := DupRef{Key: Key{2}, New: true, Entry: DupEntry{Disc: disc}}
			if _, err := tx.Append(&Operation{Kind: KindEvent, Dups: []DupRef{ref}}); err != nil {
				return err
			}
		}
		return nil
	})
	both, err := l.Dups(Key{2})
	require.NoError(t, err)
	require.Len(t, both, 2)

	clock.move(8 * 24 * 60 * 60 * 1e9)
	require.NoError(t, append(DupEntry{Disc: "e"}))
	got = entries()
	require.Len(t, got, 1, "what is older than the retention is gone")
	require.Equal(t, "e", got[0].Disc)
}
