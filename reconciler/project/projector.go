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

func (o *Options) defaults() {
	setDefault(&o.BatchRecords, 4096)
	setDefault(&o.BatchBytes, 4<<20)
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
	moved   chan struct{} // closed and replaced at each commit
}

// New makes a projector; nothing is connected before Run.
func New(o Options) *Projector {
	o.defaults()
	p := &Projector{o: o, projected: make([]atomic.Uint64, o.Partitions), moved: make(chan struct{})}
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

// errUnknown says that the position is in a database that was not reached yet.
var errUnknown = errors.New("PostgreSQL has not been reached yet")

// Projected is, by partition, the newest sequence that is in PostgreSQL.
func (p *Projector) Projected() ([]uint64, error) {
	if !p.loaded.Load() {
		return nil, errUnknown
	}
	at := make([]uint64, len(p.projected))
	for i := range at {
		at[i] = p.projected[i].Load()
	}
	return at, nil
}

// Trouble is why the projection does not go on, nil while it does.
func (p *Projector) Trouble() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.trouble
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
	var to database
	var state *state
	_, err := p.breaker.Execute(func() (_ struct{}, err error) {
		to, state, err = p.open(ctx)
		return struct{}{}, err
	})
	if err != nil {
		return err
	}
	defer to.close(context.WithoutCancel(ctx))
	for i := range state.partitions {
		p.projected[i].Store(state.partitions[i].sequence)
	}
	p.loaded.Store(true)
	p.tell()
	p.setTrouble(nil)

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	f := &flow{p: p, s: state, to: to, deliveries: make(chan Delivery, 4), committed: make(chan error, 1)}
	ended := make(chan error, 1)
	go func() { ended <- p.o.Source.Follow(ctx, state.positions(), f.deliver(ctx)) }()
	err, over := f.run(ctx, ended)
	cancel()
	if !over {
		<-ended //nolint:errcheck // it was told to end; why the run ended is err
	}
	f.finish()
	return err
}

// tell wakes who waits for the projection to move.
func (p *Projector) tell() {
	p.mu.Lock()
	close(p.moved)
	p.moved = make(chan struct{})
	p.mu.Unlock()
}
