package ledger

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// A Ledger is an open store: one Pebble database, one event loop and one
// acknowledging goroutine per shard, and a courier for transfers between
// accounts. Its methods may be called from any goroutine.
type Ledger struct {
	o      Options
	dir    string
	db     *pebble.DB
	secret *secret
	audit  auditing
	parts  []*partition
	shards []*shard

	// unsynced counts the batches that were handed to Pebble and whose sync
	// has not been confirmed. It is raised before a batch can be seen by any
	// reader: whoever finds it zero after reading has read only what is
	// synced.
	unsynced atomic.Int64

	closed    atomic.Bool
	failed    atomic.Bool
	opening   atomic.Bool // a failure is Open's error, not yet the end of the process
	failOnce  sync.Once
	low       atomic.Bool // the disk is nearly full
	dead      chan struct{}
	stop      chan struct{}
	loops     sync.WaitGroup // event loops
	acks      sync.WaitGroup
	helpers   sync.WaitGroup // courier, disk watch
	retention atomic.Int64
	keeping   keeping
	held      atomic.Bool  // a follower keeps records that are older than their retention
	oldest    atomic.Int64 // ledger time of the oldest record kept, at the last look; 0 before it

	sealing     sync.RWMutex // a rotation has the sealed rows for itself
	publishing  sync.Mutex   // one version of a programme is stored at a time
	subscribers struct {
		sync.Mutex
		all map[chan struct{}]struct{}
	}
	couriers      chan struct{} // wakes the courier
	warmed        atomic.Bool
	dupFilter     *filter
	receiptFilter *filter
	dupsFrom      atomic.Int32 // UTC days of the buckets of duplicate records: older ones are dropped,
	dupsTo        atomic.Int32 // and the newest that was written
	shared        shared
	links         *linkCache
	writes        writes
	waker         atomic.Pointer[Waker]
	arrival       atomic.Pointer[Arrival]
	stats         counters
	pacer         pacer
	clock         clock
}

// partition is a part of the accounts and their journal. All but synced and
// base is its shard's alone.
type partition struct {
	id        int
	seq       uint64 // the newest record
	time      int64  // ledger time of the newest task
	seal      seal
	due       dueEntry // no entry of the due index that can be swept is before it
	again     int64    // when to look for those that could not be; 0 for never
	waits     waits    // which parked messages are about which hold
	waitsMost int      // how many holds in waits are too many: then they are read again
	pruned    int32    // UTC day up to which old shared counters are deleted
	synced    atomic.Uint64
	base      atomic.Pointer[base] // where its journal begins
	letters   atomic.Bool          // transfers may be waiting to be delivered
}

// Partitions is the number of partitions, fixed when the store was created.
func (l *Ledger) Partitions() int { return len(l.parts) }

// Hash is the key under which something global is found: a keyed hash of
// domain and parts, which nobody without the store's secret can compute. It
// is the same for ever in one store.
func (l *Ledger) Hash(domain string, parts ...string) Key { return l.secret.key(domain, parts...) }

// ReceiptKey is where the operations of a receipt number are remembered.
func (l *Ledger) ReceiptKey(merchant, store, terminal, receipt string) Key {
	return l.Hash("receipt", merchant, store, terminal, receipt)
}

// ShiftKey is where the operations of a till's shift are collected.
func (l *Ledger) ShiftKey(merchant, store, terminal, shift string) Key {
	return l.Hash("shift", merchant, store, terminal, shift)
}

// SetDupRetention lengthens or shortens how long duplicate records are kept
// (publishing a programme with a longer backdate + holds.max lengthens it),
// in nanoseconds. It does not outlive the process: set it at every start.
func (l *Ledger) SetDupRetention(ns int64) { l.retention.Store(ns) }

// DupRetention is how long duplicate records are kept, in nanoseconds.
func (l *Ledger) DupRetention() int64 { return l.retention.Load() }

// fail ends the ledger: from here on nothing is answered. The first reason is
// given to Options.Fatal.
func (l *Ledger) fail(err error) {
	l.failed.Store(true)
	l.failOnce.Do(func() {
		close(l.dead)
		if !l.opening.Load() {
			l.o.Fatal(fmt.Errorf("ledger: %w", err))
		}
	})
}

// Err is [ErrClosed] if the ledger is closing or has failed.
func (l *Ledger) Err() error {
	if l.failed.Load() || l.closed.Load() {
		return ErrClosed
	}
	return nil
}

// write commits a batch that no event loop has made (programmes, directories,
// meta) and returns when it is synced.
func (l *Ledger) write(b *pebble.Batch) (err error) {
	if err := l.Err(); err != nil {
		return err
	}
	l.unsynced.Add(1)
	if err := l.apply(b); err != nil {
		return err
	}
	if err := b.SyncWait(); err != nil {
		l.fail(err)
		return ErrClosed
	}
	l.unsynced.Add(-1)
	return b.Close()
}

// apply hands a batch to Pebble: when it returns, readers see it, and SyncWait
// tells when it is synced. Pebble panics when it can't write its log; that is
// the end of the ledger, as a failed sync is.
func (l *Ledger) apply(b *pebble.Batch) (err error) {
	defer func() {
		if p := recover(); p != nil {
			l.fail(fmt.Errorf("the log cannot be written: %v", p))
			err = ErrClosed
		}
	}()
	if err := l.db.ApplyNoSyncWait(b, pebble.Sync); err != nil {
		l.fail(err)
		return ErrClosed
	}
	return nil
}

// note commits a batch without waiting for its sync: what may be repeated
// after a crash. The courier does so while the ledger is being closed, too.
func (l *Ledger) note(b *pebble.Batch) (err error) {
	defer func() {
		if p := recover(); p != nil {
			l.fail(fmt.Errorf("the log cannot be written: %v", p))
			err = ErrClosed
		}
	}()
	if l.failed.Load() {
		return ErrClosed
	}
	return errors.Join(b.Commit(pebble.NoSync), b.Close())
}

// WaitSynced returns when everything that was applied before the call is
// synced: what was read before it may be told then.
func (l *Ledger) WaitSynced() error {
	if l.unsynced.Load() == 0 {
		return l.Err()
	}
	b := l.db.NewBatch()
	if err := b.LogData(nil, nil); err != nil {
		return err
	}
	return l.write(b)
}
