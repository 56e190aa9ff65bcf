// Package load sends requests to a server at a rate of its own and measures
// how long the answers take.
//
// The load is open: each request has a moment at which it is meant to be sent,
// fixed beforehand by the rate, and its latency counts from that moment. A
// server that stalls is charged for everything that should have been sent
// meanwhile, as its users would charge it. With no rate the load is closed: as
// many requests in flight as allowed, which finds the saturation.
package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Outcome is what an answer says of its request.
type Outcome uint8

const (
	Approved Outcome = iota
	Declined
	Shed // 91, 503: the server protects itself
)

// Wire is one connection's protocol: requests by number, and answers.
type Wire interface {
	// Append appends the connection's n-th request.
	Append(dst []byte, n uint64) []byte
	// Read reads one answer and tells which request it is to. Answers may come
	// in another order.
	Read(r *bufio.Reader) (n uint64, o Outcome, err error)
}

// Options describe a run.
type Options struct {
	Address     string
	Connections int
	InFlight    int           // most unanswered requests of one connection
	Rate        int           // requests a second over all connections; 0: closed loop
	Duration    time.Duration // of measuring
	Warmup      time.Duration // before it, not counted
	Requests    uint64        // end each connection after so many; 0: by time alone
	Wire        func(connection int) Wire
	Progress    func(done time.Duration, answered int64) // about every 100 ms; may be nil
}

// Result is what a run has measured.
type Result struct {
	Approved, Declined, Shed int64
	Unanswered               int64
	Elapsed                  time.Duration
	Latency                  *hdrhistogram.Histogram // nanoseconds from the intended moment
}

// Rate is the answers a second.
func (r *Result) Rate() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.Approved+r.Declined+r.Shed) / r.Elapsed.Seconds()
}

// Quantile is a latency, by its per cent.
func (r *Result) Quantile(percent float64) time.Duration {
	return time.Duration(r.Latency.ValueAtQuantile(percent))
}

// newHistogram holds 1 µs to 5 minutes with three digits.
func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(int64(time.Microsecond), int64(5*time.Minute), 3)
}

// Run runs the load. An error is a connection that broke, which no server
// under load should cause.
func Run(ctx context.Context, o Options) (*Result, error) {
	if o.Connections <= 0 || o.InFlight <= 0 || o.Duration <= 0 && o.Requests == 0 {
		return nil, errors.New("load: connections, in flight and a duration or a number of requests are needed")
	}
	lines := make([]*line, o.Connections)
	for i := range lines {
		l, err := dial(ctx, &o, i)
		if err != nil {
			return nil, errors.Join(err, closeAll(lines[:i]))
		}
		lines[i] = l
	}
	begin := time.Now()
	var busy sync.WaitGroup
	for _, l := range lines {
		l.begin = begin
		busy.Add(2)
		go func() { defer busy.Done(); l.send(ctx) }()
		go func() { defer busy.Done(); l.receive() }()
	}
	stop := watch(lines, &o, begin)
	busy.Wait()
	stop()
	return collect(lines, &o)
}

// watch reports progress until its result is called.
func watch(lines []*line, o *Options, begin time.Time) (stop func()) {
	done := make(chan struct{})
	var ended sync.WaitGroup
	if o.Progress != nil {
		ended.Add(1)
		go func() {
			defer ended.Done()
			tick := time.NewTicker(100 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-done:
					return
				case now := <-tick.C:
					var n int64
					for _, l := range lines {
						n += l.answered.Load()
					}
					o.Progress(now.Sub(begin), n)
				}
			}
		}()
	}
	return func() { close(done); ended.Wait() }
}

func closeAll(lines []*line) (err error) {
	for _, l := range lines {
		err = errors.Join(err, l.conn.Close())
	}
	return err
}

func collect(lines []*line, o *Options) (*Result, error) {
	r := &Result{Latency: newHistogram()}
	var err error
	var first, last time.Time
	for i, l := range lines {
		r.Approved += l.counts[Approved]
		r.Declined += l.counts[Declined]
		r.Shed += l.counts[Shed]
		r.Unanswered += int64(l.sent.Load()) - l.answered.Load()
		r.Latency.Merge(l.latency)
		if l.err != nil {
			err = errors.Join(err, fmt.Errorf("connection %d: %w", i, l.err))
		}
		if !l.first.IsZero() && (first.IsZero() || l.first.Before(first)) {
			first = l.first
		}
		if l.last.After(last) {
			last = l.last
		}
	}
	r.Elapsed = last.Sub(first)
	return r, err
}

// line is one connection: a sender and a receiver.
type line struct {
	o     *Options
	index int
	wire  Wire
	conn  net.Conn
	begin time.Time

	slots    chan struct{} // a token for each request in flight
	intended []atomic.Int64
	sent     atomic.Uint64
	finished atomic.Bool
	answered atomic.Int64

	counts      [3]int64
	latency     *hdrhistogram.Histogram
	first, last time.Time
	err         error
}

func dial(ctx context.Context, o *Options, index int) (*line, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", o.Address)
	if err != nil {
		return nil, err
	}
	return &line{
		o: o, index: index, wire: o.Wire(index), conn: conn,
		slots:    make(chan struct{}, o.InFlight),
		intended: make([]atomic.Int64, 4*o.InFlight+1024),
		latency:  newHistogram(),
	}, nil
}

// interval is the time between two requests of one connection.
func (l *line) interval() time.Duration {
	if l.o.Rate == 0 {
		return 0
	}
	return time.Duration(float64(time.Second) * float64(l.o.Connections) / float64(l.o.Rate))
}

// send sends what is due, many requests in one write, until the time is over.
func (l *line) send(ctx context.Context) {
	defer l.finish()
	interval := l.interval()
	// Connections begin spread over one interval, so that they don't send in
	// step.
	offset := interval * time.Duration(l.index) / time.Duration(l.o.Connections)
	end := l.begin.Add(l.o.Warmup + l.o.Duration)
	var out []byte
	for n := uint64(0); ctx.Err() == nil && (l.o.Requests == 0 || n < l.o.Requests); {
		now := time.Now()
		if l.o.Duration > 0 && now.After(end) {
			return
		}
		out = out[:0]
		batch := 0
		for l.o.Requests == 0 || n < l.o.Requests {
			due := now
			if interval > 0 {
				if due = l.begin.Add(offset + time.Duration(n)*interval); due.After(now) {
					break
				}
			}
			if !l.slot(batch == 0) {
				break
			}
			if interval == 0 {
				due = time.Now()
			}
			l.intended[n%uint64(len(l.intended))].Store(due.UnixNano())
			out = l.wire.Append(out, n)
			n++
			batch++
		}
		if batch == 0 {
			time.Sleep(min(interval, time.Millisecond))
			continue
		}
		l.sent.Add(uint64(batch))
		if _, err := l.conn.Write(out); err != nil {
			l.err = err
			return
		}
	}
}

// slot takes a token; it waits for one only if there is nothing to send yet.
func (l *line) slot(wait bool) bool {
	select {
	case l.slots <- struct{}{}:
		return true
	default:
	}
	if !wait {
		return false
	}
	l.slots <- struct{}{}
	return true
}

// finish lets the receiver take the answers that are still to come, for a
// bounded time.
func (l *line) finish() {
	l.finished.Store(true)
	deadline := time.Now().Add(10 * time.Second)
	if l.sent.Load() == uint64(l.answered.Load()) {
		deadline = time.Now()
	}
	if err := l.conn.SetReadDeadline(deadline); err != nil && l.err == nil {
		l.err = err
	}
}

// receive reads answers until none is to come.
func (l *line) receive() {
	defer func() {
		if err := l.conn.Close(); err != nil && l.err == nil {
			l.err = err
		}
	}()
	r := bufio.NewReaderSize(l.conn, 64<<10)
	from := l.begin.Add(l.o.Warmup)
	for {
		n, outcome, err := l.wire.Read(r)
		now := time.Now()
		if err != nil {
			if !l.ended(err) {
				l.err = err
			}
			l.drain()
			return
		}
		<-l.slots
		done := uint64(l.answered.Add(1))
		due := time.Unix(0, l.intended[n%uint64(len(l.intended))].Load())
		if !due.Before(from) {
			l.count(outcome, due, now)
		}
		if l.finished.Load() && done == l.sent.Load() {
			return
		}
	}
}

// ended reports whether a read error only says that the run is over.
func (l *line) ended(err error) bool {
	var timeout net.Error
	return l.finished.Load() && l.sent.Load() == uint64(l.answered.Load()) &&
		(errors.Is(err, io.EOF) || errors.As(err, &timeout) && timeout.Timeout())
}

// drain frees a sender that waits for a token of a broken connection.
func (l *line) drain() {
	for !l.finished.Load() {
		select {
		case <-l.slots:
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (l *line) count(o Outcome, due, now time.Time) {
	if l.first.IsZero() {
		l.first = due
	}
	l.last = now
	l.counts[o]++
	took := max(int64(now.Sub(due)), int64(time.Microsecond))
	if err := l.latency.RecordValue(min(took, int64(5*time.Minute))); err != nil && l.err == nil {
		l.err = err
	}
}
