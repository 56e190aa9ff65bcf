// Package whatif replays the journal's real receipts under a draft of a
// programme and says what would have been different: points earned and spent,
// the discounts' cost, what members would own at the end, and how many of them
// would be better or worse off.
//
// It reads the books and nothing else, and writes nothing. Each member is
// modelled twice: the real account, which the ledger's own Apply rebuilds from
// the records, and the account under the draft, which the same receipts fill
// with what the draft's rules make of them. What the model assumes, and what
// it can't know, is in docs/whatif.md.
//
// A replay under the very programme that was in force gives the real figures,
// to the hundredth: a property test holds the model to the switch.
package whatif

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"tillgate/processor/program"
	"tillgate/protocol"
)

// Options are how a service behaves beside tills.
type Options struct {
	// Share is how much of one processor a replay may take, in percent: it
	// works in bursts of a millisecond or so and rests in between. 0 is 100,
	// for a process that serves nobody.
	Share int
	// Members bounds the members that are held in memory at a time, twice each.
	// 0 is 16,384: with 16 sales each about 150 MB. The members of a partition
	// with more are replayed in several passes over its journal.
	Members int
	// Clock is the end of a period that has none, unix nanoseconds. Nil is the
	// system's.
	Clock  func() int64
	Logger *slog.Logger // nil is slog.Default
}

// Service replays one draft at a time. It is safe for concurrent use.
type Service struct {
	journal Journal
	shop    Shop
	o       Options

	mu     sync.Mutex
	busy   bool
	closed bool
	idle   sync.Cond // on mu: not busy any more
	ctx    context.Context
	stop   context.CancelFunc
}

// New makes a service over an open ledger. Close it before the ledger.
func New(journal Journal, shop Shop, o Options) *Service {
	if o.Share <= 0 || o.Share > 100 {
		o.Share = 100
	}
	if o.Members <= 0 {
		o.Members = 16_384
	}
	if o.Clock == nil {
		o.Clock = func() int64 { return time.Now().UnixNano() }
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	s := &Service{journal: journal, shop: shop, o: o}
	s.idle.L = &s.mu
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// Close ends a replay that is under way and waits for its end.
func (s *Service) Close() {
	s.stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for s.busy {
		s.idle.Wait()
	}
}

// Run is a replay that may begin. It must be called once; it returns when the
// replay is done, with the report in the response that was given to Begin, or
// when ctx ends. progress is called now and then with how many of the books'
// records have been read.
type Run = func(ctx context.Context, progress func(done, total int64)) error

// Begin checks a request for a replay: r.Document is the draft, r.From and
// r.To the period, absent for all there is. If it can't begin the answer is in
// out and the run is nil.
func (s *Service) Begin(r *protocol.Request, out *protocol.Response) Run {
	out.Call = protocol.CallWhatIf
	draft, problems := program.Compile(r.Document)
	if draft == nil {
		out.Code, out.Problems = protocol.InvalidRequest, problems
		out.Detail = "the draft is refused; the errors say where and what to do"
		if len(problems) > 0 {
			out.Field = problems[0].Path
		}
		return nil
	}
	q := Query{
		Merchant: string(append([]byte(nil), r.Caller.Merchant...)), Draft: draft,
		Document: append([]byte(nil), r.Document...), From: r.From.Unix, To: s.o.Clock(),
	}
	if r.To.Set {
		q.To = r.To.Unix
	}
	if q.To <= q.From {
		out.Code, out.Field, out.Detail = protocol.InvalidRequest, "to", "must be after from"
		return nil
	}
	begins, err := s.journal.Begins()
	if err != nil {
		s.o.Logger.Error("a replay can't begin", "cause", err)
		out.Code, out.Detail = protocol.Internal, "the journal can't be read"
		return nil
	}
	if r.From.Set && q.From < begins || q.To <= begins {
		out.Code, out.Field = protocol.InvalidRequest, "from"
		out.Detail = "the journal begins at " + time.Unix(0, begins).UTC().Format(time.RFC3339) + ": what was before it is older than its retention"
		return nil
	}
	q.From = max(q.From, begins)
	if !s.take() {
		out.Code = protocol.Overloaded
		out.Detail = "another replay is under way, and there is one at a time; try again when it is done"
		return nil
	}
	return func(ctx context.Context, progress func(done, total int64)) error {
		defer s.leave()
		report, err := s.replay(ctx, q, progress)
		out.WhatIf = report
		return err
	}
}

func (s *Service) take() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy || s.closed {
		return false
	}
	s.busy = true
	return true
}

func (s *Service) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy = false
	s.idle.Broadcast()
}

// ErrStopped is the end of a replay whose server stops.
var ErrStopped = errors.New("the server is stopping")

func (s *Service) replay(ctx context.Context, q Query, progress func(done, total int64)) (*protocol.WhatIf, error) {
	began := time.Now()
	pace := s.pace(progress)
	report, err := newReplay(s.journal, s.shop, q, s.o.Members).run(ctx, pace)
	switch {
	case err == nil:
		s.o.Logger.Info("a draft was replayed", "program", q.Draft.Name(), "receipts", report.Receipts.Total, "took", time.Since(began))
	case !errors.Is(err, context.Canceled):
		s.o.Logger.Warn("a replay ended early", "cause", err)
	}
	return report, err
}

// pace is called between bursts: it tells of progress, lets tills have their
// share of the processor, and ends the replay when nobody waits for it.
func (s *Service) pace(progress func(done, total int64)) func(ctx context.Context, done, total int64) error {
	last := time.Now()
	return func(ctx context.Context, done, total int64) error {
		progress(done, total)
		if s.o.Share < 100 {
			worked := time.Since(last)
			rest := time.NewTimer(worked * time.Duration(100-s.o.Share) / time.Duration(s.o.Share))
			defer rest.Stop()
			select {
			case <-rest.C:
			case <-ctx.Done():
			case <-s.ctx.Done():
			}
			last = time.Now()
		}
		if s.ctx.Err() != nil {
			return ErrStopped
		}
		return ctx.Err()
	}
}
