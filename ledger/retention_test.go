package ledger

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
)

// brief are options whose records grow old within a test.
func brief(fs vfs.FS, clock *handClock) Options {
	o := quiet(fs, clock)
	o.Retention = Retention{Duplicates: 24 * time.Hour, Journal: 72 * time.Hour, Sales: 72 * time.Hour}
	return o
}

// leaving are the steps without those that keep what they are about.
func leaving() []step {
	return slices.DeleteFunc(slices.Clone(actions), func(k step) bool { return k.name == "park" || k.name == "resolve" })
}

// at answers the positions of a follower.
func at(positions ...uint64) func() ([]uint64, error) {
	return func() ([]uint64, error) { return positions, nil }
}

// aged is a store with a week behind it, of which half is dropped.
func aged(t *testing.T, fs vfs.FS) (*Ledger, *shop, *handClock) {
	clock := newHandClock()
	l := open(t, brief(fs, clock))
	s := newShop(16, 4)
	s.keep = int64(48 * time.Hour)
	all := s.ids
	for phase := range 14 {
		s.ids = all[:8+phase/2]
		s.play(t, l, s.traceOf(uint64(phase), 80, append(leaving(), between...)))
		clock.move(12 * time.Hour)
		settle(t, l)
	}
	d, err := l.DropOld()
	require.NoError(t, err)
	require.Positive(t, d.Records)
	require.Positive(t, d.Days)
	return l, s, clock
}

func TestRetentionIsCheckedWithAClearWord(t *testing.T) {
	week := Retention{Duplicates: 7 * day, Journal: 366 * day, Sales: 366 * day}
	require.NoError(t, week.Validate())
	for says, r := range map[string]Retention{
		"retention.duplicates: a minute at least":                                                            {Duplicates: time.Second, Journal: day, Sales: day},
		"retention.journal: 240h0m0s is too short: twice retention.duplicates and a day (360h0m0s) at least": {7 * day, 10 * day, 15 * day},
		"retention.sales: 240h0m0s is too short":                                                             {7 * day, 30 * day, 10 * day},
		"retention.sales: 960h0m0s is longer than retention.journal (720h0m0s)":                              {7 * day, 30 * day, 40 * day},
	} {
		require.ErrorContains(t, r.Validate(), says)
	}
	o := quiet(vfs.NewMem(), newHandClock())
	o.Retention.Journal = day
	_, err := Open("data", o)
	require.ErrorContains(t, err, "ledger: retention.journal: 24h0m0s is too short")
}

// A repeat is known for the whole retention, and until the bucket of its day is
// over; then its key is a new one, whether the bucket has been dropped or not.
func TestADuplicateIsKnownUntilTheLastNanosecondOfItsDay(t *testing.T) {
	clock := newHandClock() // 20 November, 09:00
	l := open(t, brief(vfs.NewMem(), clock))
	defer func() { require.NoError(t, l.Close()) }()
	key, entry := Key{1}, DupEntry{Disc: "a", Sent: []string{"1"}, Hash: [16]byte{1}}
	record := func() {
		must(t, l, 0, func(tx *Tx) error {
			_, err := tx.Append(&Operation{Kind: KindEvent, Dups: []DupRef{{Key: key, Entry: entry}}})
			return err
		})
	}
	known := func() int {
		inside, err := l.Dups(key)
		require.NoError(t, err)
		must(t, l, 1, func(tx *Tx) error {
			list, err := tx.Dups(key)
			require.Len(t, list, len(inside), "inside a decision and outside of one")
			return err
		})
		return len(inside)
	}
	eventually(t, "the filter is full", func() bool { return l.Stats().Filter })
	require.Zero(t, known())
	record()
	start := clock.read()
	clock.move(24 * time.Hour)
	require.Equal(t, 1, known(), "the retention itself")
	// 20 November ends 15 h after it began here; a day later is the end of 21.
	last := start + int64(39*time.Hour) - 1
	clock.now.Store(last - 10) // a decision's time goes on by itself
	drop := func() Dropped {
		d, err := l.DropOld()
		require.NoError(t, err)
		return d
	}
	require.Zero(t, drop().Days)
	require.Equal(t, 1, known())
	clock.now.Store(last)
	from, _ := l.dupDays(last)
	require.Equal(t, dayOf(start), from, "the last nanosecond")
	inside, err := l.Dups(key)
	require.NoError(t, err)
	require.Len(t, inside, 1)

	clock.now.Store(last + 1)
	require.Zero(t, known(), "a nanosecond later it is a new one")
	require.Zero(t, drop().Days, "but the bucket stays for a while: somebody may just be reading it")
	clock.move(dropSlack)
	require.Equal(t, Dropped{Ranges: 1, Days: 1}, drop())
	require.Zero(t, known())
	require.Empty(t, dump(t, l, "d"))
	record()
	require.Equal(t, 1, known())
	require.Zero(t, drop().Days)
	requireSound(t, l)
}

// An entry that learns another DE7 stays in the bucket of its day; a request
// that comes anew under a kept key moves to the bucket of its own.
func TestEntriesLieInTheBucketOfTheirTime(t *testing.T) {
	clock := newHandClock()
	l := open(t, brief(vfs.NewMem(), clock))
	defer func() { require.NoError(t, l.Close()) }()
	key := Key{7}
	record := func(disc string) {
		must(t, l, 0, func(tx *Tx) error {
			ref := DupRef{Key: key, Entry: DupEntry{Disc: disc, Sent: []string{disc}}}
			_, err := tx.Append(&Operation{Kind: KindEvent, Dups: []DupRef{ref}})
			return err
		})
	}
	bucket := func(day int32) []string {
		list, err := dupsIn(l.db, key, day, day)
		require.NoError(t, err)
		var all []string
		for _, e := range list {
			all = append(all, e.Disc+" "+strings.Join(e.Sent, "+"))
		}
		return all
	}
	today := dayOf(clock.read())
	record("a")
	record("b")
	clock.move(day)
	record("c")
	require.Equal(t, []string{"a a", "b b"}, bucket(today))
	require.Equal(t, []string{"c c"}, bucket(today+1))
	for disc, n := range map[string]int{"c": 1, "b": 3, "nobody": 3} {
		list, err := l.DupsUntil(key, func(e *DupEntry) bool { return e.Disc == disc })
		require.NoError(t, err)
		require.Len(t, list, n, "the newest day, and older ones only where it is not there")
		require.Equal(t, "c", list[n-1].Disc)
	}
	must(t, l, 0, func(tx *Tx) error {
		list, err := tx.Dups(key)
		require.NoError(t, err)
		require.Len(t, list, 3)
		require.Equal(t, "a", list[0].Disc, "the oldest is first")
		list[0].Sent = append(list[0].Sent, "again")
		return tx.PutDups(key, list)
	})
	require.Equal(t, []string{"a a+again", "b b"}, bucket(today))
	require.Equal(t, []string{"c c"}, bucket(today+1))
	record("a")
	require.Equal(t, []string{"b b"}, bucket(today))
	require.Equal(t, []string{"a a+again", "c c"}, bucket(today+1))
	requireSound(t, l)
	must(t, l, 0, func(tx *Tx) error {
		list, err := tx.Dups(key)
		require.NoError(t, err)
		return tx.PutDups(key, list[1:]) // without b
	})
	require.Empty(t, bucket(today))
}

// A clock that goes back hides nothing: the newest bucket is read as well.
func TestAClockThatGoesBackHidesNoDuplicate(t *testing.T) {
	clock, fs := newHandClock(), vfs.NewMem()
	l := open(t, brief(fs, clock))
	must(t, l, 0, func(tx *Tx) error {
		_, err := tx.Append(&Operation{Kind: KindEvent, Dups: []DupRef{{Key: Key{1}}}})
		return err
	})
	for range 2 {
		clock.move(-30 * time.Hour)
		list, err := l.Dups(Key{1})
		require.NoError(t, err)
		require.Len(t, list, 1)
		must(t, l, 3, func(tx *Tx) error {
			list, err := tx.Dups(Key{1})
			require.Len(t, list, 1)
			return err
		})
		require.NoError(t, l.Close())
		l = open(t, brief(fs, clock))
	}
	require.NoError(t, l.Close())
}

// requireWithin holds a store that drops to one that never did: what it has is
// the same, and what it has not is older than its retention.
func requireWithin(t *testing.T, whole, kept *Ledger, now int64) {
	t.Helper()
	was, is := dump(t, whole, "jasdq"), dump(t, kept, "jasdq")
	for key, rec := range is {
		require.True(t, was[key] == rec, "%q is another", key)
	}
	for key := range was {
		if _, ok := is[key]; ok {
			continue
		}
		switch key[0] {
		case spaceJournal, spaceSale:
			var op Operation
			_, err := whole.Operation(NewOpID(int(key[1])<<8|int(key[2]), trailing([]byte(key))), &op)
			require.NoError(t, err)
			require.Less(t, op.Time, now-int64(72*time.Hour), "record %s is gone", op.ID)
		case spaceDups:
			from, _ := whole.dupDays(now)
			require.Less(t, key, string(dupDay(nil, from)), "a duplicate record is gone")
		default:
			t.Fatalf("%q is gone", key)
		}
	}
}

func TestAStoreThatDropsAnswersLikeOneThatDoesNot(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 99))
			clock := newHandClock()
			whole, kept := open(t, brief(vfs.NewMem(), clock)), open(t, brief(vfs.NewMem(), clock))
			kept.keeping.step = 1 + seed*40 // some ranges are cut short
			steps := leaving()
			if seed%2 == 1 {
				steps = actions // with messages that are parked, and keep what they are about
			}
			ours, theirs := newShop(20, 4), newShop(20, 4)
			members := ours.ids
			var all Dropped
			for phase := range uint64(16) {
				for _, s := range []*shop{ours, theirs} {
					s.ids, s.keep = members[:min(20, 8+phase)], int64(48*time.Hour)
				}
				ours.play(t, whole, ours.traceOf(seed*100+phase, 70, steps))
				theirs.play(t, kept, theirs.traceOf(seed*100+phase, 70, steps))
				d, err := kept.DropOld()
				require.NoError(t, err)
				all.Records += d.Records
				all.Days += d.Days
				requireWithin(t, whole, kept, clock.read())
				clock.move(time.Duration(r.Int64N(int64(20 * time.Hour))))
			}
			require.Greater(t, all.Days, uint64(3))
			require.Greater(t, all.Records, uint64(100))
			want, got := requireSound(t, whole), requireSound(t, kept)
			require.Equal(t, all.Records, got.Dropped)
			require.Equal(t, want.Records, got.Records+got.Dropped)
			require.Equal(t, want.Windows, got.Windows+droppedWindows(t, kept))
			require.Equal(t, want.Balances, got.Balances)
			require.Equal(t, want.Legs, got.Legs)
			require.Equal(t, want.Accounts, got.Accounts)
			require.Positive(t, got.BySums)
			require.Less(t, got.BySums, got.Accounts, "some joined later: their whole history is kept")
			require.NoError(t, whole.Close())
			require.NoError(t, kept.Close())
		})
	}
}

// droppedWindows are those whose own record is gone: the last one's is kept.
func droppedWindows(t *testing.T, l *Ledger) (n uint64) {
	for p := range l.parts {
		b, err := readBase(l.db, p)
		require.NoError(t, err)
		if b.windows > 0 {
			n += b.windows - 1
		}
	}
	return n
}

func TestAFollowerThatIsBehindHoldsTheDropBack(t *testing.T) {
	clock := newHandClock()
	l := open(t, brief(vfs.NewMem(), clock))
	defer func() { require.NoError(t, l.Close()) }()
	s := newShop(12, 4)
	s.play(t, l, s.traceOf(1, 800, leaving()))
	clock.move(10 * day)
	require.NoError(t, l.Sweep())
	kafka := Follower{"kafka", at(3, 60, l.Synced(2), l.Synced(3))}
	away := Follower{"postgresql", func() ([]uint64, error) { return nil, errors.New("it was never reached") }}
	d, err := l.DropOld(kafka, away)
	require.NoError(t, err)
	require.Equal(t, "postgresql", d.Held)
	require.Zero(t, d.Records)
	require.True(t, l.Stats().Held)

	d, err = l.DropOld(kafka)
	require.NoError(t, err)
	require.Equal(t, "kafka", d.Held)
	require.Equal(t, uint64(1), l.First(0))
	require.Greater(t, l.First(1), uint64(1))
	require.LessOrEqual(t, l.First(1), uint64(60), "not even the record at its position")
	require.Greater(t, l.First(2), uint64(60))
	require.NoError(t, l.Journal(1, 60, func(OpID, []byte) bool { return false }))
	err = l.Journal(2, 1, func(OpID, []byte) bool { return true })
	var dropped *DroppedError
	require.ErrorAs(t, err, &dropped)
	require.Equal(t, l.First(2), dropped.First)
	require.ErrorContains(t, err, fmt.Sprintf("the journal of partition 2 begins at record %d", l.First(2)))
	n := uint64(0)
	require.NoError(t, l.Journal(2, 0, func(OpID, []byte) bool { n++; return true }))
	require.Equal(t, l.Synced(2)-l.First(2)+1, n, "from the first that is kept")
	requireSound(t, l)

	d, err = l.DropOld(Follower{"kafka", at(l.Synced(0), l.Synced(1), l.Synced(2), l.Synced(3))})
	require.NoError(t, err)
	require.Positive(t, d.Records)
	require.Empty(t, d.Held)
	require.False(t, l.Stats().Held)
	again, err := l.DropOld()
	require.NoError(t, err)
	require.Zero(t, again, "there is nothing left to drop")
	requireSound(t, l)
}

// What waits keeps what it is about, however old it is.
func TestNothingIsDroppedThatSomethingRefersTo(t *testing.T) {
	clock := newHandClock()
	o := brief(vfs.NewMem(), clock)
	o.Partitions = 2
	l, err := Open("data", o) // nobody delivers transfers: nobody says who comes
	require.NoError(t, err)
	l.OnArrival(comes)
	l.OnWake(dated)
	defer func() { require.NoError(t, l.Close()) }()
	first, second := AccountID(1), AccountID(2)
	for first.Partition(2) != 0 {
		first += 2
	}
	for second.Partition(2) != 1 {
		second += 2
	}
	must(t, l, 0, enrolWith(first, 1000))
	must(t, l, 1, enrolWith(second, 1000))
	var parked OpID
	must(t, l, 0, func(tx *Tx) (err error) {
		parked, err = tx.Append(&Operation{Kind: KindPark, Account: first, Terminal: "T"})
		return err
	})
	fill := func() {
		for p, id := range []AccountID{first, second} {
			for range 40 {
				must(t, l, p, func(tx *Tx) error {
					_, err := tx.Append(&Operation{Kind: KindEvent, Account: id})
					return err
				})
			}
		}
	}
	fill()
	clock.move(10 * day)
	fill()
	_, err = l.DropOld()
	require.NoError(t, err)
	require.Equal(t, uint64(1), l.First(0), "the parked message is before the first window")
	require.Greater(t, l.First(1), uint64(1))
	must(t, l, 0, func(tx *Tx) error {
		_, err := tx.Append(&Operation{Kind: KindResolve, Account: first, Target: parked})
		return err
	})
	_, err = l.DropOld()
	require.NoError(t, err)
	require.Greater(t, l.First(0), uint64(1))
	require.True(t, l.Dropped(parked))
	found, err := l.Operation(parked, &Operation{})
	require.NoError(t, err)
	require.False(t, found)
	requireSound(t, l)
}

func TestASaleThatIsDroppedIsNoSale(t *testing.T) {
	l, _, clock := aged(t, vfs.NewMem())
	defer func() { require.NoError(t, l.Close()) }()
	var gone, kept OpID
	for p := range l.parts {
		b, err := readBase(l.db, p)
		require.NoError(t, err)
		require.Greater(t, b.sales, uint64(1))
		gone, kept = NewOpID(p, b.sales-1), max(kept, NewOpID(p, b.sales))
		for seq := range b.sales {
			sale, err := l.Sale(NewOpID(p, seq))
			require.NoError(t, err)
			require.Nil(t, sale)
		}
		must(t, l, p, func(tx *Tx) error {
			sale, err := tx.Sale(gone)
			require.Nil(t, sale)
			return err
		})
	}
	_, rec := first(t, l, spaceSale, anyRecord)
	var sale Sale
	require.NoError(t, decodeSale(rec, &sale))
	require.GreaterOrEqual(t, sale.Booked, startOfDay(clock.read()-int64(72*time.Hour)))
	requireSound(t, l)
}
