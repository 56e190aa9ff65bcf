// Package processor is the transaction switch: it identifies whom a request
// is about, evaluates it under the loyalty programme, and has the ledger
// record the outcome.
//
// A request goes through five steps. Its duplicate key is claimed (claims.go),
// so that of two copies the second waits for the first; what is remembered
// under the key is answered again (duplicates.go); the account and with it the
// partition are found (identify.go); the decision is made on the event loop of
// the partition's shard, pure given the state, the programme and the ledger's
// time; and when all of it is on disk the answer is rendered from the record
// (render.go), by the same code that renders it again for a repeat.
//
// See docs/processor.md.
package processor

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"tillgate/ledger"
	"tillgate/protocol"
)

// Options are the switch's settings. The zero value is good for production.
type Options struct {
	// Zone is the time zone of stores whose directory row names none and of
	// merchants without a programme; nil is UTC.
	Zone *time.Location
	// ClockSkew is how far an online request's time may be off the server's
	// before the server's is taken. Default 5 minutes.
	ClockSkew time.Duration
	// CodeAttempts is how many wrong one-time codes a terminal may send within
	// 15 minutes. Default 5.
	CodeAttempts int
	// Waiting bounds the exchanges parked behind another one with the same
	// key; more are shed. Default 4096: each holds a request of its own.
	Waiting int
	// HoldsPerMember bounds the pending holds of one account, because they are
	// part of its record. Default 100, at most [ledger.MaxHolds].
	HoldsPerMember int
	// AdjustLimit is the largest adjustment, in minor units of points, that
	// one person may make alone. Zero is no limit.
	AdjustLimit int64
	// Dev serves a sample programme to merchants that have published none.
	Dev bool
	// Clock is the wall clock, unix nanoseconds; what is booked goes by the
	// ledger's own. Nil is the system's.
	Clock  func() int64
	Logger *slog.Logger // nil is slog.Default
}

func (o Options) withDefaults() Options {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	if o.ClockSkew == 0 {
		o.ClockSkew = 5 * time.Minute
	}
	if o.CodeAttempts == 0 {
		o.CodeAttempts = codeAttempts
	}
	if o.Waiting == 0 {
		o.Waiting = 4096
	}
	if o.HoldsPerMember == 0 {
		o.HoldsPerMember = 100
	}
	if o.Clock == nil {
		o.Clock = func() int64 { return time.Now().UnixNano() }
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// plan says how a call is served.
type plan struct {
	// kind is the kind of record that remembers a decline of the call.
	kind ledger.Kind
	// keyed says that the call changes something: it has a duplicate key.
	keyed bool
	// claim names further keys that must be owned before anything is looked
	// up; it may fetch what it needs to know them. Nil: none.
	claim func(*Task)
	// route finds the account and the partition, on the caller's goroutine. It
	// may refuse. Nil: the partition of the duplicate key.
	route func(*Task)
	// decide runs on the shard's event loop. It records the outcome, or fills
	// the response of a call without effect. An error is our own fault.
	decide func(*Task, *ledger.Tx) error
	// direct serves a call that needs no shard, instead of route and decide; it
	// fills the response, on the caller's goroutine.
	direct func(*Task) error
	// complete adds to a rendered answer what no record may hold (a one-time
	// code, a card's last digits), from the request and the record alone, so
	// that a repeat gets the same. Nil: nothing.
	complete func(*Task)
}

// plans is the table of calls. Each file enters the calls that it serves.
var plans [protocol.CallCount]*plan

// serve enters a call into the table; it runs before main.
func serve(call protocol.Call, p plan) bool {
	plans[call] = &p
	return true
}

// Switch is the transaction switch. It is safe for concurrent use.
type Switch struct {
	ledger      *ledger.Ledger
	o           Options
	partitions  int
	claims      *claims
	attempts    *attempts
	programs    *programs
	directories *directories
	wakings     sync.Pool
	walks       walks
	blocks      *blocks
	deciding    sync.Map // parked ledger.OpID that are being booked in another partition

	tasks    sync.Pool
	kept     atomic.Int64 // how long duplicate keys are kept, ns
	inflight atomic.Int64
	closing  atomic.Bool
	drained  chan struct{}
	once     sync.Once
}

// New makes a switch over an open ledger and loads the published programmes
// and directories. The ledger stays its owner's: Close does not close it.
func New(l *ledger.Ledger, o Options) (*Switch, error) {
	o = o.withDefaults()
	s := &Switch{
		ledger:     l,
		o:          o,
		partitions: l.Partitions(),
		claims:     newClaims(o.Waiting),
		drained:    make(chan struct{}),
	}
	s.tasks.New = func() any { return &Task{s: s} }
	s.wakings.New = func() any { return new(waking) }
	var err error
	if s.attempts, err = openAttempts(l, &s.o); err != nil {
		return nil, err
	}
	if s.programs, err = newPrograms(l, o.Dev); err != nil {
		return nil, err
	}
	if s.directories, err = newDirectories(s); err != nil {
		return nil, err
	}
	l.OnArrival(s.arrive)
	l.OnWake(s.wake)
	if s.blocks, err = newBlocks(l, o.Logger); err != nil {
		return nil, err
	}
	s.kept.Store(max(int64(keepKeys), l.DupRetention()))
	s.lengthen()
	if err = s.completePrograms(); err != nil {
		return nil, err
	}
	s.walks.start(s)
	return s, nil
}

// Submit decides a request. It never waits: x.Done is called exactly once,
// perhaps before Submit returns, and when it is, everything the response
// tells of is on disk. A switch that is closed or overloaded says so in the
// response (91).
func (s *Switch) Submit(x *protocol.Exchange) {
	t := s.tasks.Get().(*Task)
	t.begin(x, s.o.Clock())
	if s.inflight.Add(1); s.closing.Load() {
		t.shed(protocol.Unavailable, "the server is stopping")
		return
	}
	if x.Request.Call < protocol.CallCount {
		t.plan = plans[x.Request.Call]
	}
	if t.plan == nil {
		t.shed(protocol.NoSuchCall, "")
		return
	}
	code, field, detail := protocol.Validate(&x.Request)
	if code != protocol.Approved {
		t.refuse(code, field, detail)
		if !t.lasting() {
			t.finish()
			return
		}
	}
	t.claimKeys()
	s.resume(t, s.claims.acquire(t))
}

// resume goes on with a task after it has asked for its keys.
func (s *Switch) resume(t *Task, r claimResult) {
	switch r {
	case claimOwned:
		t.run()
	case claimFull:
		t.shed(protocol.Overloaded, "too many requests wait for the same key")
	case claimParked:
		// Whoever owns the key resumes the task when it lets go.
	}
}

// resumeLater is resume on a goroutine of its own: keys are released where
// answers go out, which must not wait for another request's look-ups. Only
// tasks that were parked come here, so there are no more than Waiting.
func (s *Switch) resumeLater(t *Task, r claimResult) { go s.resume(t, r) }

// leave counts an exchange that has been answered.
func (s *Switch) leave() {
	if s.inflight.Add(-1) == 0 && s.closing.Load() {
		s.once.Do(func() { close(s.drained) })
	}
}

// ErrBusy is what Close returns when its context ends before the last answer.
var ErrBusy = errors.New("the switch still has requests in flight")

// Close takes no new requests and waits until every one in flight has been
// answered, or until ctx ends.
func (s *Switch) Close(ctx context.Context) error {
	s.closing.Store(true)
	s.inflight.Add(1)
	s.leave()
	s.walks.stop()
	select {
	case <-s.drained:
		s.blocks.saves.Wait()
		return s.walks.wait(ctx)
	case <-ctx.Done():
		return ErrBusy
	}
}
