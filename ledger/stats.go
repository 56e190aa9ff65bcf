package ledger

import (
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// counters are what the ledger counts about itself.
type counters struct {
	tasks, drains, records, shed   atomic.Uint64
	faults, clockJumps             atomic.Uint64
	hits, misses, ahead            atomic.Uint64
	windows, dues, swept           atomic.Uint64
	delivered, undeliverable       atomic.Uint64
	stalls, diskSlow               atomic.Uint64
	backgroundErrors, dupsRejected atomic.Uint64
	droppedRanges, droppedRecords  atomic.Uint64
}

// Stats are counters since the start, and gauges of the moment.
type Stats struct {
	Tasks   uint64 // decided
	Drains  uint64 // batches: Tasks ÷ Drains is what a sync carries
	Records uint64 // journal records written
	Shed    uint64 // tasks refused with ErrOverloaded
	Faults  uint64 // tasks that failed or panicked: our fault, each is logged

	ClockJumps uint64 // jumps of the clock of more than a minute: an alert

	HotHits, HotMisses uint64 // accounts found decoded; not in memory at all
	HotAhead           uint64 // of the misses: read before their task came
	Windows            uint64 // sealed
	Due                uint64 // records of what fell due
	Swept              uint64 // accounts that the sweeper looked at
	Delivered          uint64 // transfers booked to their account
	Undeliverable      uint64 // transfers that were parked

	Stalls, SlowDisk, BackgroundErrors uint64
	DupsRejected                       uint64 // too many requests under one duplicate key

	// What was dropped because it is older than its retention: ranges of the
	// store, and the journal records that lay in some of them.
	DroppedRanges, DroppedRecords uint64

	Queued   int  // tasks that wait
	Unsynced int  // batches that wait for their sync
	Filter   bool // new requests are told from repeated ones in memory
	Receipts bool // and new receipts from known ones
	DiskLow  bool // below MinFreeDisk: everything is shed
	Held     bool // a follower keeps journal records that are older than their retention
	Warm     bool // what was to be read into memory after the start (Options.WarmUp) has been

	// OldestRecord is the ledger time of the oldest journal record that is
	// kept, unix ns, as of the last look for what may be dropped; 0 before it.
	OldestRecord int64

	Pebble *pebble.Metrics
}

// Stats answers the counters and gauges.
func (l *Ledger) Stats() Stats {
	c := &l.stats
	s := Stats{
		Tasks: c.tasks.Load(), Drains: c.drains.Load(), Records: c.records.Load(),
		Shed: c.shed.Load(), Faults: c.faults.Load(), ClockJumps: c.clockJumps.Load(),
		HotHits: c.hits.Load(), HotMisses: c.misses.Load(), HotAhead: c.ahead.Load(), Windows: c.windows.Load(),
		Due: c.dues.Load(), Swept: c.swept.Load(), Delivered: c.delivered.Load(),
		Undeliverable: c.undeliverable.Load(), Stalls: c.stalls.Load(), SlowDisk: c.diskSlow.Load(),
		DroppedRanges: c.droppedRanges.Load(), DroppedRecords: c.droppedRecords.Load(), Held: l.held.Load(), OldestRecord: l.oldest.Load(),
		BackgroundErrors: c.backgroundErrors.Load(), DupsRejected: c.dupsRejected.Load(),
		Unsynced: int(l.unsynced.Load()), DiskLow: l.low.Load(), Filter: l.dupFilter.now.Load() != nil, Receipts: l.receiptFilter.now.Load() != nil, Warm: l.warmed.Load(),
	}
	for _, sh := range l.shards {
		s.Queued += sh.queue.len()
	}
	if l.Err() == nil {
		s.Pebble = l.db.Metrics()
	}
	return s
}

// pebbleLogger passes on what Pebble can't go on after. Its other lines are
// about compactions and are left to the event listener.
type pebbleLogger struct{ l *Ledger }

func (p pebbleLogger) Infof(string, ...any) {}

func (p pebbleLogger) Errorf(format string, args ...any) {
	p.l.o.Logger.Warn(fmt.Sprintf(format, args...))
}

// Fatalf must not return: what Pebble would do next is undefined. Options.Fatal
// ends the process; where a test's does not, the goroutine ends.
func (p pebbleLogger) Fatalf(format string, args ...any) {
	p.l.fail(fmt.Errorf(format, args...))
	runtime.Goexit()
}
