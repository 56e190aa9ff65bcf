package ledger

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
)

// use counts one use of a promo code by a new member, if one is left.
func use(tx *Tx, id AccountID, key uint64, limit int64) (bool, error) {
	_, ok, err := tx.Take(key, 0, 1, limit)
	if err != nil || !ok {
		return false, err
	}
	op := &Operation{Kind: KindEnrol, Account: id, Merchant: "coffee-house", At: tx.Now(), Counts: []CountChange{
		{Count: Count{Key: key, Value: 1}, Shared: true},
	}}
	_, err = tx.Append(op)
	return true, err
}

func TestALimitOverManyAccountsIsExact(t *testing.T) {
	clock, fs := newHandClock(), vfs.NewMem()
	l := open(t, quiet(fs, clock))
	const key, limit, members = 7, 40, 400
	var wg sync.WaitGroup
	var used atomic.Int64
	for i := range members {
		wg.Add(1)
		id := AccountID(i+1) * 0x9E3779B97F4A7C15
		go func() {
			defer wg.Done()
			err := do(t, l, id.Partition(4), func(tx *Tx) error {
				ok, err := use(tx, id, key, limit)
				if ok {
					used.Add(1)
				}
				if ok && i%5 == 0 { // our fault: nothing of it is recorded
					used.Add(-1)
					return errors.Join(err, errFault)
				}
				return err
			})
			if err != nil && !errors.Is(err, errFault) {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	// Tasks that failed have given their use back: others may have come too
	// early for it, so the rest is used up now.
	for i := members; used.Load() < limit; i++ {
		id := AccountID(i+1) * 0x9E3779B97F4A7C15
		must(t, l, id.Partition(4), func(tx *Tx) error {
			ok, err := use(tx, id, key, limit)
			require.True(t, ok, "%d of %d are used", used.Load(), limit)
			used.Add(1)
			return err
		})
	}
	standing := func(l *Ledger) (n int64) {
		must(t, l, 1, func(tx *Tx) (err error) {
			n, err = tx.Shared(key, 0)
			if err == nil {
				_, ok, _ := tx.Take(key, 0, 1, limit)
				require.False(t, ok)
			}
			return err
		})
		return n
	}
	require.Equal(t, int64(limit), standing(l))
	requireSound(t, l)
	require.NoError(t, l.Close())
	l = open(t, quiet(fs, clock))
	require.Equal(t, int64(limit), standing(l), "it is added up again from the partitions")
	require.NoError(t, l.Close())
}

var errFault = errors.New("a fault of ours")

func TestWhatIsTakenAndNotRecordedIsGivenBack(t *testing.T) {
	l := open(t, quiet(vfs.NewMem(), newHandClock()))
	for range 3 {
		must(t, l, 0, func(tx *Tx) error {
			total, ok, err := tx.Take(9, 0, 5, 5)
			require.True(t, ok)
			require.Equal(t, int64(5), total)
			return err
		})
	}
	must(t, l, 0, func(tx *Tx) error {
		n, err := tx.Shared(9, 0)
		require.Zero(t, n)
		return err
	})
	require.NoError(t, l.Close())
}

// A hold reserves; its end by time gives back, and so does a void.
func TestAHoldReservesItsCounters(t *testing.T) {
	clock := newHandClock()
	l := open(t, quiet(vfs.NewMem(), clock))
	const id, key = AccountID(77), 11
	p := id.Partition(4)
	must(t, l, p, func(tx *Tx) error {
		_, err := tx.Append(&Operation{Kind: KindEnrol, Account: id, Merchant: "coffee-house", At: tx.Now()})
		return err
	})
	counts := []CountChange{{Count: Count{Key: key, Value: 1, At: 5}, Shared: true}, {Count: Count{Key: key + 1, Bucket: 3, Value: 2000}, Line: 1}}
	hold := func() (at OpID) {
		must(t, l, p, func(tx *Tx) (err error) {
			at, err = tx.Append(&Operation{
				Kind: KindAuthorize, Account: id, Merchant: "coffee-house", At: tx.Now(), Hold: HoldSelf, HoldUntil: tx.Now() + minute,
				Counts: counts, Lines: []Line{{ID: "1", Quantity: 2000, Amount: 100}}, Total: 100, Payable: 100,
			})
			return err
		})
		return at
	}
	stands := func(own, shared int64) {
		t.Helper()
		must(t, l, p, func(tx *Tx) error {
			a, err := tx.Account(id)
			require.NoError(t, err)
			var n int64
			for _, c := range a.Counts {
				n += c.Value
			}
			require.Equal(t, own, n)
			sum, err := tx.Shared(key, 0)
			require.Equal(t, shared, sum)
			return err
		})
	}
	first := hold()
	stands(2001, 1)
	must(t, l, p, func(tx *Tx) error {
		_, err := tx.Append(&Operation{Kind: KindVoid, Account: id, Merchant: "coffee-house", At: tx.Now(), Parent: first, Drop: first})
		return err
	})
	stands(0, 0)
	hold()
	stands(2001, 1)
	clock.move(2 * time.Minute)
	stands(0, 0)
	third := hold()
	must(t, l, p, func(tx *Tx) error {
		_, err := tx.Append(&Operation{
			Kind: KindConfirm, Account: id, Merchant: "coffee-house", At: tx.Now(), Parent: third, Drop: third, Counts: counts,
			Lines: []Line{{ID: "1", Quantity: 2000, Amount: 100}}, Total: 100, Payable: 100,
		})
		return err
	})
	stands(2001, 1)
	requireSound(t, l)
	sale, err := l.Sale(third)
	require.NoError(t, err)
	require.Equal(t, counts, sale.Counts)
	require.NoError(t, l.Close())
}

// Counters of a day are deleted when it is over, and a proof does not miss
// them.
func TestCountersOfADayEndWithIt(t *testing.T) {
	clock := newHandClock()
	o := quiet(vfs.NewMem(), clock)
	o.SweepEvery = 5 * time.Millisecond
	l := open(t, o)
	today := dayOf(clock.read())
	must(t, l, 0, func(tx *Tx) error {
		_, err := tx.Append(&Operation{Kind: KindEnrol, Account: idIn(0), Merchant: "m", At: tx.Now(), Counts: []CountChange{
			{Count: Count{Key: 1, Bucket: today, Value: 3, Until: today}, Shared: true},
			{Count: Count{Key: 2, Value: 4}, Shared: true},
		}})
		return err
	})
	parts := func() (n int) {
		require.NoError(t, scan(l.db, []byte{spaceShared}, func(_, _ []byte) (bool, error) { n++; return true, nil }))
		return n
	}
	require.Equal(t, 2, parts())
	clock.move(24 * time.Hour)
	eventually(t, "the day's counter is deleted", func() bool { return parts() == 1 })
	requireSound(t, l)
	must(t, l, 0, func(tx *Tx) error {
		old, err := tx.Shared(1, today)
		require.NoError(t, err)
		require.Zero(t, old)
		kept, err := tx.Shared(2, 0)
		require.Equal(t, int64(4), kept)
		return err
	})
	require.NoError(t, l.Close())
}

// idIn is an account of a partition of four.
func idIn(partition int) AccountID {
	for id := AccountID(1); ; id++ {
		if id.Partition(4) == partition {
			return id
		}
	}
}

func TestAProofMissesNoSharedCounter(t *testing.T) {
	l := open(t, quiet(vfs.NewMem(), newHandClock()))
	must(t, l, 0, func(tx *Tx) error {
		_, err := tx.Append(&Operation{Kind: KindEnrol, Account: idIn(0), Merchant: "m", At: tx.Now(), Counts: []CountChange{
			{Count: Count{Key: 2, Value: 4}, Shared: true},
		}})
		return err
	})
	wrong := int64(5)
	require.NoError(t, l.db.Set(sharedKey(nil, 0, sharedID{key: 2}), appendShared(nil, &wrong), nil))
	require.NoError(t, l.db.Set(sharedKey(nil, 3, sharedID{key: 2}), appendShared(nil, &wrong), nil))
	_, found := verified(t, l)
	require.Len(t, found, 2)
	require.Contains(t, found[0], "differs from what the journal says")
	require.Contains(t, found[1], "follows from no record")
	require.NoError(t, l.Close())
}

// Counters as one adds them up by hand.
func TestCountersAreAddedSetAndForgotten(t *testing.T) {
	day := int64(24 * time.Hour)
	a := &Account{}
	count := func(at int64, changes ...CountChange) []Count {
		applyCounts(a, &Operation{Time: at, Counts: changes})
		return a.Counts
	}
	add := func(key uint64, bucket int32, n, at int64, until int32) CountChange {
		return CountChange{Count: Count{key, bucket, n, at, until}}
	}
	require.Equal(t, []Count{{1, 0, 2, 50, 0}, {2, 7, 1, 51, 10}}, count(5*day, add(2, 7, 1, 51, 10), add(1, 0, 2, 50, 0)))
	require.Equal(t, []Count{{1, 0, 5, 50, 0}, {2, 7, 1, 51, 12}}, count(5*day, add(1, 0, 3, 99, 0), add(2, 7, 0+1, 60, 12), add(2, 7, -1, 0, 11)),
		"the first moment stays, the later day counts")
	require.Equal(t, []Count{{1, 0, 5, 50, 0}, {2, 7, 1, 51, 12}}, count(5*day, add(3, 0, -4, 0, 0)), "what was never counted can't be taken back")
	require.Equal(t, []Count{{1, 0, 9, 70, 0}, {2, 7, 1, 51, 12}}, count(12*day, CountChange{Count: Count{1, 0, 9, 70, 0}, Set: true}))
	require.Equal(t, []Count{{1, 0, 8, 70, 0}}, count(13*day, add(1, 0, -1, 0, 0)), "the twelfth day is over")
	require.Empty(t, count(13*day, add(1, 0, -8, 0, 0)))
	require.Empty(t, count(13*day, add(4, 0, 1, 0, 12)), "its day was over before it came")
	require.Equal(t, int32(-1), dayOf(-1))
	require.Equal(t, int32(0), dayOf(0))
	require.Equal(t, int32(1), dayOf(day))
}

// One more sum waits for a look at a few of the others, however many there are.
func TestALookForSumsToDropIsBounded(t *testing.T) {
	c := shared{sums: map[sharedID]sharedSum{}, limit: 10}
	for key := range uint64(1000) {
		c.sums[sharedID{key: key}] = sharedSum{n: 1, used: int64(key)}
	}
	c.drop(0)
	require.Len(t, c.sums, 1000, "all of them are in use")
	c.drop(2000)
	require.Len(t, c.sums, 1000-dropLook)
}

// Sums that rest are dropped when there are too many, and are the same when
// they are asked for again; what has just changed stays.
func TestSumsInMemoryAreBounded(t *testing.T) {
	clock := newHandClock()
	l := open(t, quiet(vfs.NewMem(), clock))
	l.shared.limit = 40
	count := func(key uint64, id AccountID) {
		t.Helper()
		must(t, l, id.Partition(4), func(tx *Tx) error {
			ok, err := use(tx, id, key, 0)
			require.True(t, ok)
			return err
		})
	}
	for i := range 100 {
		if i == 60 {
			require.Len(t, l.shared.sums, 60, "all of them have just changed")
			clock.move(2 * time.Minute)
		}
		count(uint64(i+1), AccountID(i+1)*0x9E3779B97F4A7C15)
	}
	require.LessOrEqual(t, len(l.shared.sums), 40)
	must(t, l, 0, func(tx *Tx) error {
		for i := range 100 {
			n, err := tx.Shared(uint64(i+1), 0)
			require.NoError(t, err)
			require.Equal(t, int64(1), n, "counter %d", i+1)
		}
		return nil
	})
	requireSound(t, l)
	require.NoError(t, l.Close())
}

// TestARefusedRecordLeavesTheSumsAlone: the task's next record, which counts
// nothing, books none of the refused one's.
func TestARefusedRecordLeavesTheSumsAlone(t *testing.T) {
	l := open(t, quiet(vfs.NewMem(), newHandClock()))
	id := AccountID(99)
	p := id.Partition(len(l.parts))
	const key = 4711
	must(t, l, p, func(tx *Tx) error {
		_, err := tx.Append(&Operation{Kind: KindEnrol, Account: id})
		return err
	})
	must(t, l, p, func(tx *Tx) error {
		_, err := tx.Append(&Operation{
			Kind: KindProfile, Account: id, Data: make([]byte, MaxRecord+1),
			Counts: []CountChange{{Count: Count{Key: key, Value: 5}, Shared: true}},
		})
		var refused *RefusedError
		require.ErrorAs(t, err, &refused)
		_, err = tx.Append(&Operation{Kind: KindProfile, Account: id})
		return err
	})
	must(t, l, p, func(tx *Tx) error {
		sum, err := tx.Shared(key, 0)
		require.Zero(t, sum)
		return err
	})
}
