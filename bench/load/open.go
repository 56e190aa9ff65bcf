package load

import (
	"bufio"
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// pace is the schedule of one line of an open load. The gaps are exponential:
// many independent tills make a Poisson process, bursts included, which an
// even spacing would hide.
type pace struct {
	line     *line
	rng      *rand.Rand
	mean     float64       // nanoseconds between two requests
	next     time.Duration // since begin
	over     bool          // the metronome has done with it
	finished atomic.Bool   // nothing more is sent
}

// runOpen sends by one metronome and receives by a goroutine a line.
func runOpen(ctx context.Context, lines []*line, o *Options) {
	mean := float64(time.Second) * float64(len(lines)) / o.Rate
	var paces []*pace
	var busy sync.WaitGroup
	for i, l := range lines {
		p := &pace{line: l, rng: rand.New(rand.NewPCG(o.Seed, uint64(i))), mean: mean}
		p.step()
		paces = append(paces, p)
		busy.Go(func() { p.receive() })
	}
	busy.Go(func() { metronome(ctx, paces, o) })
	busy.Wait()
}

func (p *pace) step() { p.next += time.Duration(p.rng.ExpFloat64() * p.mean) }

// Rests of a metronome: at most longRest, so that an interrupt is noticed; at
// least shortRest, in which several requests fall due at a high rate. To wake
// for each would take from the server what the client shares with it; the
// quarter of a millisecond counts as the server's.
const (
	longRest  = 10 * time.Millisecond
	shortRest = 250 * time.Microsecond
)

// metronome sends what is due on its lines until the time is over. It rests by
// the system's own sleep: the runtime's timers are late by up to a
// millisecond in an idle process, which would be charged to the server.
func metronome(ctx context.Context, paces []*pace, o *Options) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	end := o.Warmup + o.Duration
	if o.Duration <= 0 {
		end = longest
	}
	left := len(paces)
	for left > 0 {
		soonest := longRest
		for _, p := range paces {
			if p.over {
				continue
			}
			rest := p.send(time.Since(p.line.begin), end, o)
			if p.over = p.over || p.finished.Load() || ctx.Err() != nil; p.over {
				if ctx.Err() == nil {
					p.leave(end, o)
				}
				p.finish()
				left--
				continue
			}
			soonest = min(soonest, rest)
		}
		if left > 0 {
			nanosleep(max(soonest, shortRest))
		}
	}
}

// send sends what is due by now and returns the time until there is something
// to do again, or sets over.
func (p *pace) send(now, end time.Duration, o *Options) (rest time.Duration) {
	l := p.line
	full := false
	for p.next <= now && p.next < end && !l.all(o) {
		if full = !l.room(); full {
			break
		}
		l.add(p.next)
		p.step()
	}
	err := l.flush() // the receiver tells what is wrong
	// What finds no room for so long is given up; leave counts it.
	p.over = err != nil || l.all(o) || p.next >= end || now > end+patience
	if full {
		return shortRest
	}
	return p.next - now
}

// leave counts what was due in the measured time and was never sent. A server
// that falls behind for good must not be judged by the requests that it took.
func (p *pace) leave(end time.Duration, o *Options) {
	if o.Duration <= 0 {
		return // it ends by its requests
	}
	for sent := p.line.sent.Load(); p.next < end && (o.Requests == 0 || sent < o.Requests); sent++ {
		if p.next >= o.Warmup {
			p.line.unsent++
		}
		p.step()
	}
}

// finish lets the receiver take the answers that are still to come, for a
// bounded time.
func (p *pace) finish() {
	p.finished.Store(true)
	deadline := time.Now().Add(patience)
	if p.line.idle() {
		deadline = time.Now()
	}
	p.line.conn.SetReadDeadline(deadline)
}

// receive reads answers until none is to come.
func (p *pace) receive() {
	l := p.line
	defer l.conn.Close()
	r := bufio.NewReaderSize(l.conn, 64<<10)
	for !p.finished.Load() || !l.idle() {
		if err := l.take(r); err != nil {
			if !p.finished.Load() || !l.idle() {
				l.fail(err)
			}
			p.finished.Store(true)
			return
		}
	}
}

func nanosleep(d time.Duration) {
	ts := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&ts, nil) // an interrupted rest is a shorter one
}
