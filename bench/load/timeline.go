package load

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Timeline tells how a run went over time: in each slot, how many answers came
// and how long they took. It may be read while the run goes on.
//
// A slot keeps no histogram of three digits but one of quarter octaves, which
// is 9 % off at most: enough for a plot, and a run of an hour stays below two
// megabytes.
type Timeline struct {
	Slot  time.Duration
	begin time.Time
	slots []slot
}

// Bounds of a timeline: so many slots at most, each so long at least.
const (
	maxSlots  = 3600
	shortSlot = 100 * time.Millisecond
)

// octave is how many bins a doubling of the latency has; bins reach from 1 µs
// to some 70 minutes.
const (
	octave = 4
	bins   = 32 * octave
)

type slot struct {
	counts [bins]atomic.Uint32
	most   atomic.Int64 // nanoseconds
}

// Point is a slot that is over.
type Point struct {
	At      time.Duration // its end, since measuring began
	Answers int64
	P50     time.Duration
	P99     time.Duration
	Most    time.Duration
}

func newTimeline(begin time.Time, lasting time.Duration) *Timeline {
	t := &Timeline{Slot: shortSlot, begin: begin}
	for lasting/t.Slot > maxSlots/2 || t.Slot < time.Second && lasting > 20*time.Second {
		t.Slot = max(time.Second, 2*t.Slot)
	}
	// Answers may come late, and go into slots after the end.
	t.slots = make([]slot, min(maxSlots, (lasting+patience)/t.Slot+1))
	return t
}

// Begin is when measuring began: the moment that Points count from.
func (t *Timeline) Begin() time.Time { return t.begin }

// bin is where a latency is counted: its octave and the quarter of it.
func bin(took time.Duration) int {
	us := uint64(max(took, time.Microsecond) / time.Microsecond)
	exp := bits.Len64(us) - 1
	var quarter uint64
	if exp >= 2 {
		quarter = us >> (exp - 2) & 3
	} else {
		quarter = us << (2 - exp) & 3
	}
	return min(exp*octave+int(quarter), bins-1)
}

// binTop is the longest latency of a bin.
func binTop(b int) time.Duration {
	base := float64(uint64(1) << (b / octave))
	return time.Duration(base * (1 + float64(b%octave+1)/octave) * float64(time.Microsecond))
}

// add counts an answer that came at a moment.
func (t *Timeline) add(at time.Time, took time.Duration) {
	i := int(at.Sub(t.begin) / t.Slot)
	if i < 0 || i >= len(t.slots) {
		return
	}
	s := &t.slots[i]
	s.counts[bin(took)].Add(1)
	for most := s.most.Load(); int64(took) > most && !s.most.CompareAndSwap(most, int64(took)); {
		most = s.most.Load()
	}
}

// Points are the slots that were over at a time since measuring began, those
// after the last answer left out.
func (t *Timeline) Points(until time.Duration) []Point {
	n := min(int(until/t.Slot), len(t.slots))
	points := make([]Point, 0, max(0, n))
	last := 0
	for i := range n {
		p := t.slots[i].point()
		p.At = time.Duration(i+1) * t.Slot
		points = append(points, p)
		if p.Answers > 0 {
			last = len(points)
		}
	}
	return points[:last]
}

func (s *slot) point() Point {
	p := Point{Most: time.Duration(s.most.Load())}
	var counts [bins]int64
	for b := range counts {
		counts[b] = int64(s.counts[b].Load())
		p.Answers += counts[b]
	}
	quantile := func(q float64) time.Duration {
		var seen int64
		for b, n := range counts {
			if seen += n; n > 0 && float64(seen) >= q*float64(p.Answers) {
				return min(binTop(b), p.Most)
			}
		}
		return p.Most
	}
	if p.Answers > 0 {
		p.P50, p.P99 = quantile(0.50), quantile(0.99)
	}
	return p
}
