// Package load sends requests to a server and measures how long the answers
// take.
//
// The load is closed or open. Closed: each connection always has as many
// requests in flight as it may, which finds the saturation. Open: each request
// has a moment at which it is meant to be sent, fixed beforehand by the rate
// alone, and its latency counts from that moment. A server that stalls is
// charged for everything that should have been sent meanwhile, as its users
// would charge it.
//
// The client shares the machine with the server, so it is made to cost little:
// requests are copied from templates, all that is due goes out in one write,
// and a connection is one goroutine.
package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Outcome is what an answer says of its request.
type Outcome uint8

const (
	Approved Outcome = iota
	Declined
	Shed // 91, 503: the server protects itself
	outcomes
)

// Options describe a run.
type Options struct {
	Address     string
	Connections int
	InFlight    int           // most unanswered requests of one connection, 1 to MaxInFlight
	Rate        float64       // requests a second over all connections; 0: closed loop
	Duration    time.Duration // of measuring
	Warmup      time.Duration // before it, not counted
	Requests    uint64        // end each connection after so many; 0: by time alone
	Seed        uint64        // of the moments of an open load
	Wire        func(connection int) Wire
	// Live is called about once a second while it runs, with how long has been
	// measured and what the last full second brought.
	Live func(measured time.Duration, last Point)
}

// MaxInFlight bounds the unanswered requests of one connection: each has a
// place in memory, and a server takes far fewer of a connection.
const MaxInFlight = ring / 4

// Result is what a run has measured.
type Result struct {
	Approved, Declined, Shed int64
	Unanswered               int64
	// Unsent are requests of an open load that were due and found no room to be
	// sent: the server was so far behind that they were given up. They have no
	// latency, so a run with any of them has not kept its rate.
	Unsent    int64
	Elapsed   time.Duration
	Latency   *hdrhistogram.Histogram // nanoseconds; open: from the intended moment
	ClientCPU time.Duration           // of this process, while it ran
	Slow      int64                   // answers that took longer than [Stall]
	Timeline  *Timeline
}

// Stall is how long a till may wait before its cashier notices.
const Stall = 50 * time.Millisecond

// Answers is how many there were.
func (r *Result) Answers() int64 { return r.Approved + r.Declined + r.Shed }

// Rate is the answers a second.
func (r *Result) Rate() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.Answers()) / r.Elapsed.Seconds()
}

// Quantile is a latency, by its per cent.
func (r *Result) Quantile(percent float64) time.Duration {
	return time.Duration(r.Latency.ValueAtQuantile(percent))
}

// longest is the longest latency that is told apart.
const longest = 5 * time.Minute

// newHistogram holds 1 µs to the longest with three digits.
func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(int64(time.Microsecond), int64(longest), 3)
}

// patience is how long answers may take after the last request was sent.
const patience = 10 * time.Second

// Run runs the load. An error is a connection that broke or an answer that
// belongs to no request, which no server under load should cause.
func Run(ctx context.Context, o Options) (*Result, error) {
	if o.Connections <= 0 || o.InFlight <= 0 || o.InFlight > MaxInFlight || o.Rate < 0 || o.Duration <= 0 && o.Requests == 0 {
		return nil, fmt.Errorf("load: at least 1 connection, 1 to %d in flight, and a duration or a number of requests are needed", MaxInFlight)
	}
	lines, err := dialAll(ctx, &o)
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	cpu := processCPU()
	timeline := newTimeline(begin.Add(o.Warmup), o.length())
	for _, l := range lines {
		l.begin, l.from, l.timeline = begin, begin.Add(o.Warmup), timeline
	}
	over := make(chan struct{})
	var watching sync.WaitGroup
	if o.Live != nil {
		watching.Go(func() { watch(timeline, o.Live, over) })
	}
	if o.Rate > 0 {
		runOpen(ctx, lines, &o)
	} else {
		runClosed(ctx, lines, &o)
	}
	close(over)
	watching.Wait()
	r, err := collect(lines)
	r.Timeline = timeline
	r.ClientCPU = processCPU() - cpu
	return r, errors.Join(err, ctx.Err())
}

// length is how long the run may take: one that ends by its requests may take
// as long as it likes, but its timeline ends.
func (o *Options) length() time.Duration {
	if o.Duration > 0 {
		return o.Duration
	}
	return time.Minute
}

// watch tells of the run once a second until it is over.
func watch(t *Timeline, live func(time.Duration, Point), over <-chan struct{}) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-over:
			return
		case <-tick.C:
		}
		measured := time.Since(t.begin)
		points := t.Points(measured)
		var last Point
		for _, p := range points[max(0, len(points)-int(max(1, time.Second/t.Slot))):] {
			last.At, last.Answers = p.At, last.Answers+p.Answers
			last.P50, last.P99, last.Most = max(last.P50, p.P50), max(last.P99, p.P99), max(last.Most, p.Most)
		}
		if t.Slot > time.Second {
			last.Answers = int64(float64(last.Answers) / t.Slot.Seconds())
		}
		live(measured, last)
	}
}

func dialAll(ctx context.Context, o *Options) ([]*line, error) {
	lines := make([]*line, 0, o.Connections)
	for i := range o.Connections {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", o.Address)
		if err != nil {
			for _, l := range lines {
				l.conn.Close()
			}
			return nil, err
		}
		lines = append(lines, newLine(o, conn, o.Wire(i), i))
	}
	return lines, nil
}

// runClosed runs each line by itself.
func runClosed(ctx context.Context, lines []*line, o *Options) {
	stop := context.AfterFunc(ctx, func() {
		for _, l := range lines {
			l.conn.SetReadDeadline(time.Now())
		}
	})
	defer stop()
	var busy sync.WaitGroup
	for _, l := range lines {
		busy.Go(func() { l.closed(ctx, o) })
	}
	busy.Wait()
}

func collect(lines []*line) (*Result, error) {
	r := &Result{Latency: newHistogram()}
	var err error
	var last time.Time
	for i, l := range lines {
		r.Approved += l.counts[Approved]
		r.Declined += l.counts[Declined]
		r.Shed += l.counts[Shed]
		r.Unanswered += int64(l.sent.Load() - l.answered.Load())
		r.Unsent += l.unsent
		r.Slow += l.slow
		r.Latency.Merge(l.latency)
		if l.err != nil {
			err = errors.Join(err, fmt.Errorf("connection %d: %w", i, l.err))
		}
		if l.last.After(last) {
			last = l.last
		}
	}
	r.Elapsed = max(0, last.Sub(lines[0].from))
	return r, err
}

// processCPU is the processor time that this process has used.
func processCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0 // a figure of the report, nothing more
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
