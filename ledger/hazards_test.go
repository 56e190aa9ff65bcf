package ledger

import (
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// member is an id of a partition of four.
func member(partition int) AccountID {
	for id := AccountID(1); ; id++ {
		if id.Partition(4) == partition {
			return id
		}
	}
}

// enrol creates an account with lots.
func enrol(t *testing.T, l *Ledger, id AccountID, lots ...LotPart) {
	t.Helper()
	must(t, l, id.Partition(4), func(tx *Tx) error {
		op := &Operation{Kind: KindEnrol, Account: id, At: tx.Now(), Registered: true}
		if _, err := tx.Append(op); err != nil {
			return err
		}
		for _, lot := range lots {
			grant := &Operation{Kind: KindAdjust, Account: id, At: tx.Now(), Lots: []LotPart{lot}}
			grant.Legs[LegAdjusted] = -lot.Points
			if _, err := tx.Append(grant); err != nil {
				return err
			}
		}
		return nil
	})
}

// Lists of remembered requests are decoded into room that was used before:
// what an entry keeps must never be another's.
func TestRememberedRequestsKeepTheirOwnTimes(t *testing.T) {
	clock := newHandClock()
	l := open(t, quiet(vfs.NewMem(), clock))
	defer func() { require.NoError(t, l.Close()) }()
	put := func(key Key, entries ...DupEntry) {
		must(t, l, 0, func(tx *Tx) error {
			for i := range entries {
				entries[i].Time = tx.Now()
			}
			return tx.PutDups(key, entries)
		})
	}
	old, fresh := Key{1}, Key{2}
	put(old, DupEntry{Disc: "a", Sent: []string{"1"}}, DupEntry{Disc: "b", Sent: []string{"2"}})
	must(t, l, 0, func(tx *Tx) error {
		entries, err := tx.Dups(old)
		assert.NoError(t, err)
		entries[0].Time = 1 // long ago: it is dropped
		return tx.PutDups(old, entries)
	})
	put(fresh, DupEntry{Disc: "c", Sent: []string{"3"}}, DupEntry{Disc: "d", Sent: []string{"4"}})
	must(t, l, 0, func(tx *Tx) error {
		entries, err := tx.Dups(old)
		assert.NoError(t, err)
		entries[0].Time = 1
		if err := tx.PutDups(old, entries); err != nil {
			return err
		}
		entries, err = tx.Dups(fresh)
		assert.NoError(t, err)
		assert.Equal(t, []string{"3"}, entries[0].Sent)
		assert.Equal(t, []string{"4"}, entries[1].Sent)
		return nil
	})
	// What a caller's operation keeps is not the ledger's room either.
	op := &Operation{Kind: KindMark, Dups: []DupRef{{Key: Key{3}, Entry: DupEntry{Mark: true, Sent: []string{"mine"}}}}}
	must(t, l, 0, func(tx *Tx) error {
		_, err := tx.Append(op)
		return err
	})
	must(t, l, 0, func(tx *Tx) error {
		_, err := tx.Dups(fresh)
		return err
	})
	require.Equal(t, []string{"mine"}, op.Dups[0].Entry.Sent)
}

// What falls due is booked however many lots that makes: a bound that refused
// it would close the account for ever.
func TestWhatFallsDueIsNeverRefusedForTheNumberOfLots(t *testing.T) {
	clock := newHandClock()
	l := open(t, quiet(vfs.NewMem(), clock))
	defer func() { require.NoError(t, l.Close()) }()
	id := member(0)
	day := int64(24 * time.Hour)
	lots := func(n, from int, points int64) (list []LotPart) {
		for i := range n {
			list = append(list, LotPart{Active: 1, Expires: clock.read() + 30*day + int64(from+i)*1e9, Points: points})
		}
		return list
	}
	enrol(t, l, id)
	give := func(kind Kind, parts []LotPart, hold bool) {
		must(t, l, 0, func(tx *Tx) error {
			op := &Operation{Kind: kind, Account: id, At: tx.Now()}
			if hold {
				op.Lots, op.Pins = negative(parts), parts
				op.Hold, op.HoldUntil = HoldSelf, tx.Now()+int64(time.Minute)
			} else {
				op.Lots = parts
				op.Legs[LegAdjusted] = -sum(parts)
			}
			_, err := tx.Append(op)
			return err
		})
	}
	give(KindAdjust, lots(MaxLots, 0, 5), false)
	give(KindAuthorize, lots(100, 0, 5), true)
	give(KindAdjust, lots(100, MaxLots, 5), false)
	clock.move(time.Hour)
	must(t, l, 0, func(tx *Tx) error {
		a, err := tx.Account(id)
		if err == nil {
			assert.Empty(t, a.Holds)
			assert.EqualValues(t, 5*(MaxLots+100), a.Balance().Available)
		}
		return err
	})
	requireSound(t, l)
}

// A transfer that can't be booked waits for the office and holds up none
// behind it.
func TestATransferThatCannotBeBookedHoldsUpNoOther(t *testing.T) {
	clock := newHandClock()
	o := quiet(vfs.NewMem(), clock)
	o.SweepEvery = 5 * time.Millisecond
	l := open(t, o)
	defer func() { require.NoError(t, l.Close()) }()
	from, to := member(0), member(1)
	enrol(t, l, from, LotPart{Active: 1, Points: MaxPoints})
	enrol(t, l, to, LotPart{Active: 1, Points: MaxPoints})
	send := func(points int64) {
		must(t, l, 0, func(tx *Tx) error {
			lot := LotPart{Active: 1, Points: points}
			op := &Operation{Kind: KindPostOut, Account: from, At: tx.Now(), Lots: negative([]LotPart{lot}),
				Transfers: []Transfer{{To: to, Parts: []LotPart{lot}}}}
			op.Legs[LegTransit] = points
			_, err := tx.Append(op)
			return err
		})
	}
	send(100) // the lot would hold more than any may
	spend := &Operation{Kind: KindAdjust, Account: to, Lots: []LotPart{{Active: 1, Points: -1000}}}
	spend.Legs[LegAdjusted] = 1000
	require.Eventually(t, func() bool {
		parked := 0
		require.NoError(t, l.ParkedAll(func(*Parked) bool { parked++; return true }))
		return parked == 1
	}, 10*time.Second, time.Millisecond)
	must(t, l, 1, func(tx *Tx) error {
		_, err := tx.Append(spend)
		return err
	})
	send(200)
	require.Eventually(t, func() bool {
		a, err := l.Account(to)
		require.NoError(t, err)
		return a.Balance().Available == MaxPoints-1000+200
	}, 10*time.Second, time.Millisecond)
	requireSound(t, l)
}

// A code that is drawn again for another account is that account's: the first
// one's next code must not end it.
func TestACodeDrawnAgainIsNotEndedByItsFormerOwner(t *testing.T) {
	clock := newHandClock()
	l := open(t, quiet(vfs.NewMem(), clock))
	defer func() { require.NoError(t, l.Close()) }()
	first, second := member(0), AccountID(0)
	for id := first + 1; second == 0; id++ {
		if id.Partition(4) == 0 {
			second = id
		}
	}
	until := clock.read() + 5*minute
	must(t, l, 0, func(tx *Tx) error { return tx.PutCode(Key{1}, first, until) })
	must(t, l, 0, func(tx *Tx) error { return tx.PutCode(Key{1}, second, until) })
	must(t, l, 0, func(tx *Tx) error { return tx.PutCode(Key{2}, first, until) })
	must(t, l, 0, func(tx *Tx) error {
		whose, _, ok, err := tx.Code(Key{1})
		assert.True(t, ok)
		assert.Equal(t, second, whose)
		return err
	})
	must(t, l, 0, func(tx *Tx) error { return tx.EndCode(second) })
	must(t, l, 0, func(tx *Tx) error {
		_, _, ok, err := tx.Code(Key{1})
		assert.False(t, ok)
		return err
	})
}

// Points that arrive and are active by then repay what is owed, however long
// the account has lain idle.
func TestPointsThatArriveRepayWhatIsOwed(t *testing.T) {
	clock := newHandClock()
	o := quiet(vfs.NewMem(), clock)
	o.SweepEvery = 5 * time.Millisecond
	l := open(t, o)
	defer func() { require.NoError(t, l.Close()) }()
	from, to := member(0), member(1)
	enrol(t, l, from, LotPart{Active: 1, Points: 500})
	enrol(t, l, to)
	must(t, l, 1, func(tx *Tx) error {
		op := &Operation{Kind: KindAdjust, Account: to, Owed: -300}
		op.Legs[LegAdjusted] = 300
		_, err := tx.Append(op)
		return err
	})
	clock.move(48 * time.Hour)
	must(t, l, 0, func(tx *Tx) error {
		op := &Operation{Kind: KindPostOut, Account: from, Lots: []LotPart{{Active: 1, Points: -500}},
			Transfers: []Transfer{{To: to, Parts: []LotPart{{Active: tx.Now() - int64(time.Hour), Points: 500}}}}}
		op.Legs[LegTransit] = 500
		_, err := tx.Append(op)
		return err
	})
	settle(t, l)
	a, err := l.Account(to)
	require.NoError(t, err)
	require.Equal(t, Balance{Available: 200}, a.Balance())
	requireSound(t, l)
}
