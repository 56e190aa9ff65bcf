// Package project brings the journal into PostgreSQL: operations, lines,
// rules, effects on lots, sealed windows, shifts and members, each batch of
// records in one transaction with the position it leads to.
//
// Invariants:
//   - A record is in PostgreSQL if, and only if, its sequence is not above its
//     partition's position: both are written in one transaction, and the
//     position moves only from the value that the batch was made for.
//   - A record is accepted only if its sequence is the last one plus one.
//     Repeats are skipped; at a gap the partition stops, loudly, until the
//     record that is next has come; the others go on.
//   - Nothing waits for the projector: it pulls, its memory is bounded, and
//     what it has not yet taken stays in the ledger.
//
// See docs/stream.md.
package project

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/sony/gobreaker/v2"

	"tillgate/ledger"
	"tillgate/reconciler/stream"
)

// Options of a projector. Config or Memory, Store, Partitions, Source and Open
// are needed; the others have defaults.
type Options struct {
	Config     *pgx.ConnConfig // see [Config]
	Memory     *Memory         // takes the rows in place of PostgreSQL
	Store      string          // which ledger this is
	Partitions int
	Source     Source
	// Open decrypts a sealed profile into its JSON.
	Open func(ledger.AccountID, []byte) ([]byte, error)
	// Synced is how far a partition's journal goes, and Booked the booking time
	// of one of its records (0 if there is none); nil if the ledger is in
	// another process. They are for the lag, and to refuse a database that
	// holds another history than the ledger.
	Synced func(partition int) uint64
	First  func(partition int) uint64 // the first record that is kept; nil: all are
	Booked func(ledger.OpID) (int64, error)

	// BatchRecords and BatchBytes end a batch, whichever is reached first.
	// Larger ones gain nothing more (the COPY dominates by then) and lose
	// more work when a connection breaks. 4,096 records, 4 MiB.
	BatchRecords, BatchBytes int
	// Connections to PostgreSQL take in rows beside each other, each those of
	// partitions of its own: one connection is one process there, which is
	// busy for longer than the decoding here. 1, 2, 4 or 8, which divide the
	// partitions and the profile topic's alike; 2.
	Connections int
	// Linger is how long a batch waits for more after its first record, so
	// that a quiet shop does not cost a transaction per receipt. 20 ms.
	Linger time.Duration
	// Timeout ends a transaction that PostgreSQL doesn't answer. 60 s.
	Timeout time.Duration
	// Pause lies between two attempts after a failure. 2 s.
	Pause time.Duration
	// Again is when a partition that waits at a gap is read again from its
	// position, unless the missing record has come. 30 s.
	Again time.Duration

	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// maxConnections is the number of partitions of the profile topic at most.
const maxConnections = 8

func (o *Options) defaults() {
	setDefault(&o.BatchRecords, 4096)
	setDefault(&o.BatchBytes, 4<<20)
	setDefault(&o.Connections, 2)
	for o.Connections = min(o.Connections, maxConnections, o.Partitions); o.Connections&(o.Connections-1) != 0; {
		o.Connections--
	}
	setDefault(&o.Linger, 20*time.Millisecond)
	setDefault(&o.Timeout, time.Minute)
	setDefault(&o.Pause, 2*time.Second)
	setDefault(&o.Again, 30*time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Projector keeps PostgreSQL up with the journal. [Projector.Run] does the
// work; the other methods may be called from anywhere.
type Projector struct {
	o       Options
	breaker *gobreaker.CircuitBreaker[struct{}]
	m       *metrics

	projected []atomic.Uint64 // per partition; valid once loaded
	loaded    atomic.Bool
	migrated  bool // only Run's goroutine looks at it
	grumble   stream.Grumble

	mu      sync.Mutex
	trouble error         // why it doesn't go on; nil while it does
	stops   map[int]error // by partition, why that one doesn't
	moved   chan struct{} // closed and replaced at each commit
}

// New makes a projector; nothing is connected before Run.
func New(o Options) *Projector {
	o.defaults()
	p := &Projector{o: o, projected: make([]atomic.Uint64, o.Partitions), moved: make(chan struct{}), stops: map[int]error{}}
	p.m = newMetrics(p, o.Registerer)
	p.breaker = stream.Breaker("postgresql", o.Pause, o.Logger, p.m.open)
	return p
}

// Run projects until ctx ends. It outlives every failure of PostgreSQL and of
// the source: it says so in log and metrics, pauses and begins again from the
// position in the database.
func (p *Projector) Run(ctx context.Context) {
	for ctx.Err() == nil {
		err := p.session(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			p.setTrouble(err)
			if !errors.Is(err, gobreaker.ErrOpenState) {
				p.m.failures.Inc()
				if p.grumble.Worth(err) {
					p.o.Logger.Error("the projection into PostgreSQL pauses", "cause", err.Error())
				}
			}
		}
		if !stream.Sleep(ctx, p.o.Pause) {
			return
		}
	}
}

// Lag is how many synced records are not yet in PostgreSQL; ok is false while
// the position is unknown because PostgreSQL was never reached.
func (p *Projector) Lag() (records uint64, ok bool) {
	if !p.loaded.Load() || p.o.Synced == nil {
		return 0, false
	}
	for i := range p.projected {
		if s, at := p.o.Synced(i), p.projected[i].Load(); s > at {
			records += s - at
		}
	}
	return records, true
}

// Trouble is why the projection, or a partition of it, does not go on, nil while
// all do.
func (p *Projector) Trouble() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.trouble != nil || len(p.stops) == 0 {
		return p.trouble
	}
	return p.stops[slices.Min(slices.Collect(maps.Keys(p.stops)))]
}

// stopped notes why a partition does not go on, or with nil that it does.
func (p *Projector) stopped(partition int, why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stops[partition] = why; why == nil {
		delete(p.stops, partition)
	}
}

func (p *Projector) setTrouble(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	// That the breaker is open is a consequence; the cause says more.
	if errors.Is(err, gobreaker.ErrOpenState) && p.trouble != nil {
		return
	}
	p.trouble = err
}

// Wait returns when every partition has reached marks, or ctx has ended.
func (p *Projector) Wait(ctx context.Context, marks []uint64) error {
	for {
		p.mu.Lock()
		moved := p.moved
		p.mu.Unlock()
		if p.reached(marks) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-moved:
		}
	}
}

func (p *Projector) reached(marks []uint64) bool {
	if !p.loaded.Load() {
		return false
	}
	for i, m := range marks {
		if p.projected[i].Load() < m {
			return false
		}
	}
	return true
}

// session connects, reads the position and projects until something fails.
func (p *Projector) session(ctx context.Context) error {
	var to []database
	var state *state
	_, err := p.breaker.Execute(func() (_ struct{}, err error) {
		to, state, err = p.open(ctx)
		return struct{}{}, err
	})
	if err != nil {
		return err
	}
	defer closeAll(ctx, to)
	for i := range state.partitions {
		p.projected[i].Store(state.partitions[i].sequence)
	}
	p.loaded.Store(true)
	p.tell()
	p.setTrouble(nil)
	p.mu.Lock()
	clear(p.stops)
	p.mu.Unlock()

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lanes := make([]*flow, len(to))
	for i, s := range state.lanes(len(to)) {
		lanes[i] = &flow{p: p, s: s, to: to[i], deliveries: make(chan Delivery, 4), committed: make(chan error, 1)}
	}
	// The first that ends, whichever it is, ends all, and its reason counts.
	ended := make(chan error, len(lanes)+1)
	var work sync.WaitGroup
	from := state.positions()
	for _, f := range lanes {
		work.Go(func() { ended <- f.run(ctx) })
	}
	work.Go(func() { ended <- p.o.Source.Follow(ctx, from, route(ctx, lanes)) })
	err = <-ended
	cancel()
	work.Wait()
	return err
}

// tell wakes who waits for the projection to move.
func (p *Projector) tell() {
	p.mu.Lock()
	close(p.moved)
	p.moved = make(chan struct{})
	p.mu.Unlock()
}
