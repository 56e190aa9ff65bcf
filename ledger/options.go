package ledger

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options of a ledger. The zero value is what one shop chain's server needs.
type Options struct {
	// FS is the file system; the operating system's by default.
	FS vfs.FS
	// Partitions is fixed when a store is created (64 by default, at most
	// [MaxPartitions]); to open one with another number is refused.
	Partitions int
	// Shards is the number of event loops, one for every two processors by
	// default: one loop keeps a disk's syncs busy, and drains that are not
	// split make larger batches. It may differ at every start.
	Shards int
	// Queue bounds the tasks that wait in front of a shard: 4,096 by default,
	// some 20 ms of work. What comes beyond is shed at once.
	Queue int
	// Drain bounds the tasks of one batch: 512 by default, beyond which a
	// larger batch gains nothing but delay.
	Drain int
	// InFlight bounds the batches of a shard that wait for their sync: 4.
	InFlight int
	// Clock tells the time in unix nanoseconds. Ledger time follows it and
	// never goes back.
	Clock func() int64
	// CacheBytes is Pebble's block cache, 256 MiB by default: what tills ask for
	// again and again lies in caches of its own, and the allocator keeps up to
	// twice as much as the blocks take.
	CacheBytes int64
	// MemTableBytes is the size of a memtable, 64 MiB by default: the journal
	// that must be read again after a crash is at most four of them.
	MemTableBytes int64
	// HotAccounts bounds the decoded accounts that all shards keep, counted
	// in accounts of up to 1 KiB: 100,000 by default. A larger one counts as
	// several.
	HotAccounts int
	// RecordCacheBytes bounds the records of accounts that all shards keep as
	// they are stored, a few hundred bytes each: 1.25 GiB by default, which is taken
	// as it is wanted. A miss costs as much as the whole rest of a request. Negative for none.
	RecordCacheBytes int64
	// WarmUp reads accounts and identifiers into memory after the start, one
	// after the other while there is room: else each member's first purchase
	// after it would cost two reads.
	WarmUp bool
	// LinkCache bounds the identifiers that are kept in memory with what they
	// lead to: 10,000,000 by default, of 40 bytes each in tables that grow with
	// them. Negative for none.
	LinkCache int
	// MinFreeDisk is the room below which nothing is accepted any more, in
	// bytes: 1 GiB by default, enough for the memtables and a compaction;
	// negative for none.
	MinFreeDisk int64
	// WindowRecords and WindowAge say when a run of journal records is
	// sealed: after 1,000 records or a minute.
	WindowRecords int
	WindowAge     time.Duration
	// Retention is how long duplicate records, journal and sales are kept.
	Retention Retention `key:"retention"`
	// MaxDups bounds the requests remembered under one duplicate key within
	// the retention: 1,024.
	MaxDups int
	// DupFilterBytes is the memory of the filter that tells new requests from
	// repeated ones: 32 MiB by default, for some 25 million duplicate keys.
	// With more of them it helps less; with four times as many a start leaves it
	// off. Negative for none.
	DupFilterBytes int64
	// ReceiptFilterBytes is the same for receipts, which a sale and its
	// authorization have in common: 32 MiB by default.
	ReceiptFilterBytes int64
	// AwaitWaker says that somebody will call [Ledger.OnWake]: until then
	// nothing falls due by itself and no transfer is delivered, so that what is
	// due is recorded in its order.
	AwaitWaker bool
	// SweepEvery is how often the due index is looked at: 1 s. What falls
	// due does not depend on it.
	SweepEvery time.Duration
	// Fatal is called once when the store can't go on: a sync has failed, so
	// nothing is answered any more and the process must end. By default it
	// logs and exits with status 1.
	Fatal func(error)
	// Logger gets what operators should know; slog's default otherwise.
	Logger *slog.Logger
}

func (o Options) withDefaults() (Options, error) {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Clock == nil {
		o.Clock = func() int64 { return time.Now().UnixNano() }
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Fatal == nil {
		logger := o.Logger
		o.Fatal = func(err error) {
			logger.Error("the ledger cannot go on", "error", err)
			os.Exit(1)
		}
	}
	set(&o.Shards, max(1, runtime.GOMAXPROCS(0)/2))
	set(&o.Queue, 4096)
	set(&o.Drain, 512)
	set(&o.InFlight, 4)
	set(&o.CacheBytes, 256<<20)
	set(&o.MemTableBytes, 64<<20)
	set(&o.HotAccounts, 100_000)
	set(&o.RecordCacheBytes, 1280<<20)
	set(&o.LinkCache, 10_000_000)
	set(&o.MinFreeDisk, 1<<30)
	set(&o.WindowRecords, 1000)
	set(&o.WindowAge, time.Minute)
	set(&o.Retention.Duplicates, 7*day)
	set(&o.Retention.Journal, 366*day)
	set(&o.Retention.Sales, min(366*day, o.Retention.Journal))
	set(&o.MaxDups, 1024)
	set(&o.DupFilterBytes, 32<<20)
	set(&o.ReceiptFilterBytes, 32<<20)
	set(&o.SweepEvery, time.Second)
	return o, o.check()
}

func set[T comparable](v *T, byDefault T) {
	var zero T
	if *v == zero {
		*v = byDefault
	}
}

func (o Options) check() error {
	var errs []error
	atLeast := func(name string, v, least int64) {
		if v < least {
			errs = append(errs, fmt.Errorf("ledger: %s is %d, it must be %d at least", name, v, least))
		}
	}
	if o.Partitions < 0 || o.Partitions > MaxPartitions {
		errs = append(errs, fmt.Errorf("ledger: partitions is %d, it must be from 1 to %d", o.Partitions, MaxPartitions))
	}
	atLeast("shards", int64(o.Shards), 1)
	atLeast("queue", int64(o.Queue), 1)
	atLeast("drain", int64(o.Drain), 1)
	atLeast("in flight", int64(o.InFlight), 1)
	atLeast("cache bytes", o.CacheBytes, 1<<10)
	atLeast("memtable bytes", o.MemTableBytes, 1<<12)
	atLeast("hot accounts", int64(o.HotAccounts), 1)
	atLeast("window records", int64(o.WindowRecords), 1)
	atLeast("window age", int64(o.WindowAge), int64(time.Millisecond))
	if err := o.Retention.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("ledger: %w", err))
	}
	atLeast("duplicates per key", int64(o.MaxDups), 1)
	atLeast("sweep interval", int64(o.SweepEvery), int64(time.Millisecond))
	return errors.Join(errs...)
}

// defaultPartitions is P of a new store: enough for any single machine's
// shards and a small cluster, few enough that a window a minute of each costs
// nothing.
const defaultPartitions = 64
