package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Wire is one connection's protocol: requests by number, and answers.
type Wire interface {
	// Append appends the connection's n-th request.
	Append(dst []byte, n uint64) []byte
	// Read reads one answer and tells which request it is to. Answers may come
	// in another order.
	Read(r *bufio.Reader) (n uint64, o Outcome, err error)
}

// ring is how many numbers the requests in flight of a connection may span.
// Answers may overtake each other; one that has been overtaken by so many
// holds up the sending.
const ring = 4096

// line is one connection. What is atomic is shared between the sender and the
// receiver of an open load; a closed one has but one goroutine.
type line struct {
	wire  Wire
	conn  net.Conn
	index int
	begin time.Time
	from  time.Time // answers to requests that were due earlier are not counted

	// due is the intended moment of request n at n%ring, in nanoseconds since
	// begin, plus 1; 0 when it is not in flight.
	due      [ring]atomic.Int64
	inFlight uint64
	sent     atomic.Uint64
	answered atomic.Uint64
	out      []byte

	counts  [outcomes]int64
	slow    int64 // longer than Stall
	unsent  int64
	latency *hdrhistogram.Histogram
	last    time.Time

	timeline *Timeline
	err      error
}

func newLine(o *Options, conn net.Conn, wire Wire, index int) *line {
	return &line{wire: wire, conn: conn, index: index, inFlight: uint64(o.InFlight), latency: newHistogram()}
}

// room reports whether another request may be put in flight.
func (l *line) room() bool {
	n := l.sent.Load()
	return n-l.answered.Load() < l.inFlight && l.due[n%ring].Load() == 0
}

// add puts the next request, meant for a moment, into the buffer.
func (l *line) add(due time.Duration) {
	n := l.sent.Load()
	l.due[n%ring].Store(int64(due) + 1)
	l.out = l.wire.Append(l.out, n)
	l.sent.Store(n + 1)
}

// flush writes what was added.
func (l *line) flush() error {
	if len(l.out) == 0 {
		return nil
	}
	_, err := l.conn.Write(l.out)
	l.out = l.out[:0]
	return err
}

// take reads one answer.
func (l *line) take(r *bufio.Reader) error {
	n, outcome, err := l.wire.Read(r)
	if err != nil {
		return err
	}
	due := l.due[n%ring].Swap(0)
	if due == 0 || n >= l.sent.Load() || n+ring < l.sent.Load() {
		return fmt.Errorf("an answer to request %d, which is not in flight", n)
	}
	l.answered.Add(1)
	l.count(outcome, l.begin.Add(time.Duration(due-1)), time.Now())
	return nil
}

func (l *line) count(o Outcome, due, now time.Time) {
	if due.Before(l.from) {
		return
	}
	l.last = now
	l.counts[o]++
	took := min(max(now.Sub(due), time.Microsecond), longest)
	if took > Stall {
		l.slow++
	}
	l.timeline.add(now, took)
	if err := l.latency.RecordValue(int64(took)); err != nil && l.err == nil {
		l.err = err
	}
}

// closed keeps the connection's requests in flight: as many new ones as have
// been answered, in one write, whenever no answer is left in the buffer.
func (l *line) closed(ctx context.Context, o *Options) {
	defer l.conn.Close()
	end := l.from.Add(o.Duration)
	r := bufio.NewReaderSize(l.conn, 64<<10)
	l.conn.SetReadDeadline(end.Add(patience))
	for ctx.Err() == nil {
		now := time.Now()
		if o.Duration <= 0 {
			l.conn.SetReadDeadline(now.Add(patience)) // an answer in all this time
		}
		for (o.Duration <= 0 || now.Before(end)) && l.room() && !l.all(o) {
			l.add(now.Sub(l.begin))
		}
		if err := l.flush(); err != nil {
			l.err = err
			return
		}
		if l.idle() {
			return // everything is answered, and nothing more may be sent
		}
		for first := true; first || r.Buffered() > 0; first = false {
			if err := l.take(r); err != nil {
				l.fail(err)
				return
			}
		}
	}
}

// all reports whether the connection has sent all its requests.
func (l *line) all(o *Options) bool { return o.Requests > 0 && l.sent.Load() >= o.Requests }

// idle reports whether nothing is in flight.
func (l *line) idle() bool { return l.sent.Load() == l.answered.Load() }

// fail keeps the first error. That the time for late answers is over is none:
// they are counted as unanswered.
func (l *line) fail(err error) {
	if l.err == nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		l.err = err
	}
}
