package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// Retention is how long what is only for looking up is kept. Nothing that an
// account is made of has an age: lots, holds, counters and balances stay.
type Retention struct {
	// Duplicates is how long a repeated request is known at least: 7 days. It
	// must cover backdate + holds.max of every programme; see
	// [Ledger.SetDupRetention]. They go by whole UTC days.
	Duplicates time.Duration
	// Journal is how long journal records are kept at least: 366 days. They go
	// by whole sealed windows.
	Journal time.Duration
	// Sales is how long a sale can be returned and looked up at least: 366 days.
	// Not longer than Journal, which has the sale's figures.
	Sales time.Duration
}

const (
	day = 24 * time.Hour
	// keepEvery is how often is looked for what may be dropped, and how long
	// after the start for the first time: the clock is right by then.
	keepEvery = 10 * time.Minute
	// dropSlack keeps a day of duplicate records longer than anybody asks for
	// it, so that no look-up meets a bucket on its way out.
	dropSlack = time.Hour
	// dropStep bounds the records that one range of a journal drops, and with
	// them the windows whose sums are added up for it.
	dropStep = 1 << 18
)

// least is how long journal and sales must be kept where duplicates are kept
// for a time: a repeat is answered from its record, and a confirm's from that
// of its hold, which is older by at most what Duplicates covers as well.
func least(duplicates time.Duration) time.Duration { return 2*duplicates + day }

// Validate says what is wrong, each fault with the name of its field.
func (r Retention) Validate() error {
	var faults []error
	if r.Duplicates < time.Minute {
		faults = append(faults, errors.New("retention.duplicates: a minute at least is wanted"))
		return faults[0]
	}
	if r.Journal < least(r.Duplicates) {
		faults = append(faults, fmt.Errorf("retention.journal: %v is too short: twice retention.duplicates and a day (%v) at least are wanted, because a repeat is answered from its record and from that of its hold", r.Journal, least(r.Duplicates)))
	}
	if r.Sales < least(r.Duplicates) {
		faults = append(faults, fmt.Errorf("retention.sales: %v is too short: twice retention.duplicates and a day (%v) at least are wanted, because a late message may be about a sale", r.Sales, least(r.Duplicates)))
	}
	if r.Sales > r.Journal {
		faults = append(faults, fmt.Errorf("retention.sales: %v is longer than retention.journal (%v), which has the figures of the sales", r.Sales, r.Journal))
	}
	return errors.Join(faults...)
}

// A Follower reads the journal and has got somewhere: nothing from its
// position on is dropped, nor the record at it.
type Follower struct {
	Name string
	// Positions is, by partition, the newest sequence that it will never ask
	// for again, not even after a crash. An error holds everything back.
	Positions func() ([]uint64, error)
}

// Dropped is what one look for old records has dropped.
type Dropped struct {
	Ranges  uint64 // DeleteRange each
	Days    uint64 // of duplicate records
	Records uint64 // of the journal
	// Held names the follower that holds records back that are older than the
	// retention; "" if none does.
	Held string
}

// keeping is what the ledger knows of its retention.
type keeping struct {
	sync.Mutex // one look at a time
	begun      bool
	step       uint64 // records that one range of a journal drops at most
	jumps      uint64 // of the clock, at the last look
}

// Keep begins to drop, in the background, what is older than its retention and
// what none of the followers needs any more. Until it is called nothing is
// dropped: who keeps a place in the journal, and for how long late messages may
// come, is known only when everything stands. Once is enough.
func (l *Ledger) Keep(followers ...Follower) {
	l.keeping.Lock()
	defer l.keeping.Unlock()
	if l.keeping.begun || l.Err() != nil {
		return
	}
	l.keeping.begun = true
	l.helpers.Add(1)
	go l.keep(followers)
}

func (l *Ledger) keep(followers []Follower) {
	defer l.helpers.Done()
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-l.dead:
			return
		case <-tick.C:
		}
		// A clock that has just jumped may jump back: what it says is old is
		// dropped when it has said so twice.
		if jumps := l.stats.clockJumps.Load(); jumps != l.keeping.jumps {
			l.keeping.jumps = jumps
			l.o.Logger.Warn("the clock has jumped: nothing is dropped until it has gone on for a while")
			continue
		}
		if _, err := l.DropOld(followers...); err != nil && !errors.Is(err, ErrClosed) {
			l.o.Logger.Error("what is older than its retention can't be dropped; it is tried again", "error", err)
		}
	}
}

// DropOld drops everything that is older than its retention and that no
// follower needs, and returns when that is synced. Nothing is read for it but
// the seals of the windows that go.
func (l *Ledger) DropOld(followers ...Follower) (d Dropped, err error) {
	l.keeping.Lock()
	defer l.keeping.Unlock()
	began, now := time.Now(), l.o.Clock()
	defer func() {
		l.stats.droppedRanges.Add(d.Ranges)
		l.stats.droppedRecords.Add(d.Records)
		wasHeld := l.held.Swap(d.Held != "")
		if d.Ranges > 0 {
			l.o.Logger.Info("dropped what is older than its retention", "ranges", d.Ranges, "records", d.Records,
				"days of duplicates", d.Days, "took", time.Since(began))
		}
		if d.Held != "" && !wasHeld {
			l.o.Logger.Warn("records older than their retention are kept for a follower", "follower", d.Held)
		}
	}()
	if err := l.dropDups(now, &d); err != nil {
		return d, err
	}
	if err := l.renewFilter(); err != nil {
		return d, err
	}
	return d, l.dropJournals(now, followers, &d)
}

// dropDups drops the buckets that no look-up reads any more.
func (l *Ledger) dropDups(now int64, d *Dropped) error {
	from := dayOf(now - l.retention.Load() - int64(dropSlack))
	lower, upper := dupDay(nil, 0), dupDay(nil, from)
	if from <= l.dupsFrom.Load() {
		return nil
	}
	days, err := l.dupBuckets(from)
	if err != nil || days == 0 {
		return err
	}
	err = l.putAll(func(b *pebble.Batch) error {
		return errors.Join(b.DeleteRange(lower, upper, nil), b.Set(dupBaseKey(nil), appendDupBase(nil, &from), nil))
	})
	if err != nil {
		return err
	}
	l.dupsFrom.Store(from)
	d.Ranges++
	d.Days += days
	return nil
}

// dupBuckets counts the days before one that have a bucket.
func (l *Ledger) dupBuckets(before int32) (n uint64, err error) {
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: dupDay(nil, 0), UpperBound: dupDay(nil, before)})
	if err != nil {
		return 0, err
	}
	for ok := it.First(); ok; n++ {
		ok = it.SeekGE(dupDay(nil, int32(binary.BigEndian.Uint32(it.Key()[1:]))+1))
	}
	return n, errors.Join(it.Error(), it.Close())
}

// dropJournals drops from each partition what is older than its retention.
func (l *Ledger) dropJournals(now int64, followers []Follower, d *Dropped) error {
	bounds, err := l.dropBounds(followers)
	if err != nil {
		return err
	}
	shortest := int64(least(time.Duration(l.retention.Load())))
	journal := max(int64(l.o.Retention.Journal), shortest)
	sales := min(max(int64(l.o.Retention.Sales), shortest), journal)
	oldest := int64(math.MaxInt64)
	for p := range l.parts {
		k := cut{l: l, p: p, most: l.keeping.step, bound: bounds[p], journal: startOfDay(now - journal), sales: startOfDay(now - sales)}
		for more := true; more; {
			if more, err = k.step(d); err != nil {
				return fmt.Errorf("partition %d: %w", p, err)
			}
		}
		at, err := k.time(l.First(p))
		if err != nil {
			return err
		}
		if at > 0 {
			oldest = min(oldest, at)
		}
	}
	if oldest < math.MaxInt64 {
		l.oldest.Store(oldest)
	}
	return nil
}

// DroppedError says that journal records were asked for that are older than
// what is kept.
type DroppedError struct {
	Partition int
	First     uint64 // the first that is kept
}

func (e *DroppedError) Error() string {
	return fmt.Sprintf("ledger: the journal of partition %d begins at record %d; what was before it is older than its retention and was dropped", e.Partition, e.First)
}

// First is the sequence of the first journal record that is kept of a
// partition; 1 until something was dropped.
func (l *Ledger) First(partition int) uint64 { return l.parts[partition].base.Load().first }

// Before is what was dropped from a partition's journal: how many records lay
// before [Ledger.First], and Σ of their legs.
func (l *Ledger) Before(partition int) (records uint64, legs [LegCount]int64) {
	b := l.parts[partition].base.Load()
	return b.first - 1, b.legs
}

// Begins is the ledger time, unix ns, from which on every partition's journal
// is kept: 0 as long as nothing was dropped.
func (l *Ledger) Begins() (int64, error) {
	begins := int64(0)
	for p := range l.parts {
		k := cut{l: l, p: p}
		if first := l.First(p); first > 1 {
			at, err := k.time(first)
			if err != nil {
				return 0, err
			}
			begins = max(begins, at)
		}
	}
	return begins, nil
}

// Dropped reports whether the journal record of an operation was dropped: it
// was there, and is older than the retention.
func (l *Ledger) Dropped(id OpID) bool {
	p := id.Partition()
	return id != 0 && p < len(l.parts) && id.Sequence() < l.First(p)
}

// saleDropped is [Ledger.Dropped] for the state of a sale.
func (l *Ledger) saleDropped(id OpID) bool {
	p := id.Partition()
	return p < len(l.parts) && id.Sequence() < l.parts[p].base.Load().sales
}

// recoverBases reads where the partitions' journals begin.
func (l *Ledger) recoverBases() error {
	for _, p := range l.parts {
		b, err := readBase(l.db, p.id)
		if err != nil {
			return fmt.Errorf("base of partition %d: %w", p.id, err)
		}
		p.base.Store(&b)
	}
	return nil
}

// readBase is where a partition's journal begins in a reader of the store.
func readBase(db pebble.Reader, partition int) (base, error) {
	b := base{first: 1, sales: 1}
	_, err := load(db, baseKey(nil, partition), func(rec []byte) error { return decodeBase(rec, &b) })
	return b, err
}
