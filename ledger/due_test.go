package ledger

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// journalOf are an account's records, oldest first.
func journalOf(t testing.TB, l *Ledger, id AccountID) (all []Operation) {
	t.Helper()
	require.NoError(t, l.WaitSynced())
	require.NoError(t, l.Journal(id.Partition(len(l.parts)), 1, func(_ OpID, rec []byte) bool {
		var op Operation
		require.NoError(t, DecodeOperation(rec, &op))
		if op.Account == id {
			all = append(all, op)
		}
		return true
	}))
	return all
}

// dueLife gives an account something of everything that falls due.
func dueLife(t testing.TB, l *Ledger, id AccountID) {
	hour := int64(time.Hour)
	must(t, l, id.Partition(len(l.parts)), func(tx *Tx) error {
		now := tx.Now()
		ops := []*Operation{
			{Kind: KindEnrol},
			{Kind: KindAdjust, Lots: []LotPart{{Active: now, Expires: now + 5*hour, Points: 100}}, Legs: [LegCount]int64{LegAdjusted: -100}},
			{Kind: KindAdjust, Lots: []LotPart{{Active: now + 2*hour, Points: 50}}, Legs: [LegCount]int64{LegAdjusted: -50}},
			{Kind: KindAdjust, Owed: -60, Legs: [LegCount]int64{LegAdjusted: 60}},
			{
				Kind: KindAuthorize, Hold: HoldSelf, HoldUntil: now + hour,
				Lots: []LotPart{{Active: now, Expires: now + 5*hour, Points: -40}}, Pins: []LotPart{{Active: now, Expires: now + 5*hour, Points: 40}},
			},
			{Kind: KindTier, Tier: "VIP", TierUntil: now + 4*hour},
		}
		for _, op := range ops {
			op.Account = id
			if _, err := tx.Append(op); err != nil {
				return err
			}
		}
		return nil
	})
}

// dueTold is what the books say about what fell due, without when it was booked.
type dueTold struct {
	kind  Kind
	after time.Duration
	legs  [LegCount]int64
	now   Balance
}

func dueRecords(t testing.TB, l *Ledger, id AccountID, began int64) (all []dueTold) {
	for _, op := range journalOf(t, l, id) {
		if op.Due != 0 {
			all = append(all, dueTold{op.Kind, time.Duration(op.Due - began), op.Legs, op.After})
		}
	}
	return all
}

func TestWhatFallsDueIsTheSameWhetherOrNotASweeperRan(t *testing.T) {
	want := []dueTold{
		{KindExpire, time.Hour, [LegCount]int64{LegHeld: -40, LegDeficit: 40}, Balance{60, 50, 0, -20}},
		{KindActivate, 2 * time.Hour, [LegCount]int64{LegAvailable: 30, LegPending: -50, LegDeficit: 20}, Balance{90, 0, 0, 0}},
		{KindTier, 4 * time.Hour, [LegCount]int64{}, Balance{90, 0, 0, 0}},
		{KindLapse, 5 * time.Hour, [LegCount]int64{LegAvailable: -60, LegExpired: 60}, Balance{30, 0, 0, 0}},
	}
	id := AccountID(99)
	p := id.Partition(4)
	for name, pass := range map[string]func(l *Ledger, c *handClock){
		"nobody looks for a day": func(l *Ledger, c *handClock) { c.move(24 * time.Hour) },
		"swept every half hour": func(l *Ledger, c *handClock) {
			for range 48 {
				c.move(30 * time.Minute)
				require.NoError(t, l.Sweep())
			}
		},
		"looked at to the nanosecond": func(l *Ledger, c *handClock) {
			for range 24 {
				c.move(time.Hour)
				must(t, l, p, func(tx *Tx) error { _, err := tx.Account(id); return err })
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			clock := newHandClock()
			l := open(t, quiet(vfs.NewMem(), clock))
			defer func() { require.NoError(t, l.Close()) }()
			began := clock.read()
			dueLife(t, l, id)
			pass(l, clock)
			must(t, l, p, func(tx *Tx) error {
				a, err := tx.Account(id)
				require.Empty(t, a.Tier)
				require.Equal(t, Balance{Available: 30}, a.Balance())
				return err
			})
			require.Equal(t, want, dueRecords(t, l, id, began))
			requireSound(t, l)
			require.Empty(t, dump(t, l, "q"), "nothing is left in the due index")
		})
	}
}

// What falls due does so at its moment: not a nanosecond before, not one after.
func TestWhatFallsDueDoesSoAtItsMoment(t *testing.T) {
	clock := newHandClock()
	l := open(t, quiet(vfs.NewMem(), clock))
	defer func() { require.NoError(t, l.Close()) }()
	id, began := AccountID(99), clock.read()
	dueLife(t, l, id)
	at := func(d time.Duration) (b Balance, tier string) {
		clock.move(time.Duration(began-clock.read()) + d)
		must(t, l, id.Partition(4), func(tx *Tx) error {
			assert.Equal(t, began+int64(d), tx.Now())
			a, err := tx.Account(id)
			if err == nil {
				b, tier = a.Balance(), a.Tier
			}
			return err
		})
		return b, tier
	}
	for _, c := range []struct {
		due           time.Duration
		before, after Balance
	}{
		{1 * time.Hour, Balance{60, 50, 40, -60}, Balance{60, 50, 0, -20}}, // what was held repays
		{2 * time.Hour, Balance{60, 50, 0, -20}, Balance{90, 0, 0, 0}},     // and what becomes active
		{5 * time.Hour, Balance{90, 0, 0, 0}, Balance{30, 0, 0, 0}},
	} {
		before, _ := at(c.due - 1)
		require.Equal(t, c.before, before, "a nanosecond before %s", c.due)
		after, _ := at(c.due)
		require.Equal(t, c.after, after, "at %s", c.due)
		if c.due == 2*time.Hour {
			_, tier := at(4*time.Hour - 1)
			require.Equal(t, "VIP", tier)
			_, tier = at(4 * time.Hour)
			require.Empty(t, tier)
		}
	}
	requireSound(t, l)
}

// With real timers in virtual time: the loops sweep and seal by themselves.
func TestTheLoopsSweepAndSealByThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := quiet(vfs.NewMem(), newHandClock())
		o.Clock, o.SweepEvery, o.WindowAge = nil, 0, 0
		l := open(t, o)
		id := AccountID(99)
		began := time.Now().UnixNano()
		dueLife(t, l, id)
		time.Sleep(time.Hour + 2*time.Second)
		synctest.Wait()
		a, err := l.Account(id)
		require.NoError(t, err)
		require.Empty(t, a.Holds, "the hold has ended though nobody asked")
		time.Sleep(6 * time.Hour)
		synctest.Wait()
		records := dueRecords(t, l, id, began)
		require.Len(t, records, 4)
		for _, op := range journalOf(t, l, id) {
			if op.Due != 0 {
				require.LessOrEqual(t, op.Time-op.Due, int64(2*time.Second), "a sweeper comes within two seconds")
			}
		}
		require.Positive(t, l.Stats().Windows)
		require.Equal(t, uint64(0), l.Stats().ClockJumps)
		requireSound(t, l)
		require.NoError(t, l.Close())
	})
}

// Stores of before had minutes in the index: their entries have come long ago,
// by the seconds that are read now, and move to where they belong.
func TestAnIndexOfMinutesMovesToSeconds(t *testing.T) {
	clock := newHandClock()
	l := open(t, quiet(vfs.NewMem(), clock))
	id := AccountID(99)
	dueLife(t, l, id)
	must(t, l, id.Partition(len(l.parts)), func(tx *Tx) error {
		h, err := tx.account(id)
		h.Scheduled = h.Scheduled/60 + 1
		tx.touch(h)
		return err
	})
	findings := 0
	_, err := l.Verify(func(Finding) { findings++ })
	require.NoError(t, err)
	require.Positive(t, findings)
	require.NoError(t, l.Sweep())
	requireSound(t, l)
}

// Accounts that can't be swept, more of one second than a round takes, hold
// nobody else up: they are tried once, and again after a minute.
func TestWhatCannotBeSweptHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := quiet(vfs.NewMem(), nil)
		o.Clock, o.SweepEvery, o.Partitions, o.Shards = nil, 0, 2, 1
		l := open(t, o)
		var calls atomic.Int64
		l.OnWake(func(*Tx, *Account, *Operation) error {
			calls.Add(1)
			return errors.New("no profile can be read")
		})
		const many = 2*sweepBatch + 10
		wake := time.Now().UnixNano() + int64(time.Hour)
		id := AccountID(1)
		for made := 0; made < many; id++ {
			if id.Partition(2) == 0 {
				must(t, l, 0, func(tx *Tx) error {
					_, err := tx.Append(&Operation{Kind: KindEnrol, Account: id, Wake: wake})
					return err
				})
				made++
			}
		}
		for id.Partition(2) == 0 {
			id++
		}
		must(t, l, 1, func(tx *Tx) error {
			until := tx.Now() + int64(time.Hour)
			_, err := tx.Append(&Operation{Kind: KindEnrol, Account: id})
			if err == nil {
				_, err = tx.Append(&Operation{Kind: KindAuthorize, Account: id, Hold: HoldSelf, HoldUntil: until})
			}
			return err
		})
		time.Sleep(time.Hour + 10*time.Second)
		synctest.Wait()
		require.EqualValues(t, many, calls.Load())
		a, err := l.Account(id)
		require.NoError(t, err)
		require.Empty(t, a.Holds, "a hold of another partition has ended")
		time.Sleep(time.Minute)
		synctest.Wait()
		require.EqualValues(t, 2*many, calls.Load(), "and they were tried again")
		require.NoError(t, l.Close())
	})
}

func TestTimeNeverGoesBackAndAJumpIsTold(t *testing.T) {
	clock := newHandClock()
	fs := vfs.NewMem()
	l := open(t, quiet(fs, clock))
	var seen []int64
	look := func() {
		must(t, l, 0, func(tx *Tx) error {
			seen = append(seen, tx.Now())
			first := tx.Now()
			require.Equal(t, first, tx.Now(), "time stands still within a task")
			_, err := tx.Append(&Operation{Kind: KindEvent})
			return err
		})
	}
	look()
	look()
	clock.move(30 * time.Second)
	look()
	require.Zero(t, l.Stats().ClockJumps)
	clock.move(-time.Hour)
	look()
	look()
	require.Equal(t, uint64(1), l.Stats().ClockJumps)
	require.NoError(t, l.Close())
	l = open(t, quiet(fs, clock))
	require.Equal(t, uint64(1), l.Stats().ClockJumps, "the journal is an hour ahead of the clock")
	look()
	clock.move(2 * time.Hour)
	look()
	require.Equal(t, uint64(2), l.Stats().ClockJumps)
	for i := 1; i < len(seen); i++ {
		require.Greater(t, seen[i], seen[i-1])
	}
	require.Equal(t, clock.read(), seen[len(seen)-1])
	require.NoError(t, l.Close())
}
