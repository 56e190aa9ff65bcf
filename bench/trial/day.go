package trial

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tillgate/bench/day"
	"tillgate/bench/load"
	"tillgate/bench/peer"
	"tillgate/bench/report"
)

// tills makes the connections that play a day.
func (s *shop) tills(d *day.Day, overISO bool) wireMaker {
	return func(run int, e edge) (*fleet, error) {
		f := &fleet{}
		hall := &day.Shop{Day: d, Members: s.members, Card: cardOf, Book: s.book, Seed: uint64(run)}
		for c := range e.connections {
			till, err := hall.NewTill(terminal(run, c), c, overISO)
			if err != nil {
				return nil, err
			}
			f.tills, f.wires = append(f.tills, till), append(f.wires, till)
		}
		return f, nil
	}
}

// playDay plays a described day over the edges.
func (t *trial) playDay(ctx context.Context) error {
	d := t.Day
	t.settings(fmt.Sprintf("a day of %q: %s, %g %% of authorizations spend, %g %% of requests are sent twice", d.Name, d.Members, d.Redeem, d.Repeats))
	s, err := t.openShop(ctx, "server", t.Members, t.serverEnv()...)
	if err != nil {
		return err
	}
	before, err := diskUse(s.server.Dir)
	if err != nil {
		return err
	}
	for _, x := range t.dayRuns(s) {
		if err := t.playEdge(ctx, x); err != nil {
			return err
		}
	}
	after, err := diskUse(s.server.Dir)
	if err != nil {
		return err
	}
	t.figure("data directory, growth for each request", "bytes", float64(after-before)/float64(max(1, s.asked)))
	t.figure("most memory of the server", "MiB", peakMemory(s.server.Pid()))
	return t.proveAll(ctx)
}

// dayRuns are the edges on which the day is played.
func (t *trial) dayRuns(s *shop) (runs []run) {
	if t.ISO {
		runs = append(runs, run{name: t.Day.Name + ", ISO/TCP", edge: t.iso, address: s.server.ISO, pid: s.server.Pid(), shop: s, wires: s.tills(t.Day, true)})
	}
	if t.HTTP {
		runs = append(runs, run{name: t.Day.Name + ", HTTP", edge: t.http, address: s.server.HTTP, pid: s.server.Pid(), shop: s, wires: s.tills(t.Day, false)})
	}
	return runs
}

// playEdge finds the saturation, climbs to it, searches for what keeps the
// promise, and soaks: what of this was asked for.
func (t *trial) playEdge(ctx context.Context, x run) error {
	for r := range t.Repeats {
		if err := t.sync(r); err != nil {
			return err
		}
		if _, err := t.measure(ctx, step(r), x); err != nil {
			return err
		}
		if err := t.void(ctx, x.shop); err != nil {
			return err
		}
	}
	saturation := t.rates(x.name).Median()
	if t.Steps > 0 {
		if err := t.climb(ctx, x, saturation); err != nil {
			return err
		}
	}
	if t.Within > 0 {
		if err := t.search(ctx, x, saturation); err != nil {
			return err
		}
	}
	if t.Soak > 0 {
		return t.soak(ctx, x, saturation)
	}
	return nil
}

// climb measures the latency at rates up to the saturation.
func (t *trial) climb(ctx context.Context, x run, saturation float64) error {
	c := &report.Climb{Name: x.name, Saturation: saturation}
	t.rep.Climbs = append(t.rep.Climbs, c)
	for i := range t.Steps {
		rate := saturation * float64(i+1) / float64(t.Steps)
		if _, err := t.try(ctx, x, c, rate); err != nil {
			return err
		}
	}
	return nil
}

// try measures one rate and enters it in a climb.
func (t *trial) try(ctx context.Context, x run, c *report.Climb, rate float64) (report.Rung, error) {
	x.rate = rate
	name := x.name
	x.name = fmt.Sprintf("%s at %.0f/s", name, rate)
	result, err := t.measure(ctx, "", x)
	if err != nil {
		return report.Rung{}, err
	}
	t.drop(x.name) // a rung, no load of its own in the tables
	rung := report.Rung{Offered: rate, Rate: result.Rate(), Bad: result.Declined + result.Shed + result.Unanswered + result.Unsent, Latency: map[string]float64{}}
	for _, p := range report.Percents {
		rung.Latency[p.Name] = milliseconds(result.Quantile(p.Value))
	}
	rung.Kept = t.Within > 0 && t.kept(result)
	c.Rungs = append(c.Rungs, rung)
	return rung, t.void(ctx, x.shop)
}

// kept reports whether a run has kept the promise: there were requests, each
// was sent and approved, and the percentile lies within its time.
func (t *trial) kept(r *load.Result) bool {
	return r.Approved > 0 && r.Declined+r.Shed+r.Unanswered+r.Unsent == 0 && r.Quantile(t.Keep) <= t.Within
}

// searchSteps is how many rates a search tries: the answer is then known to
// within a hundredth of the saturation.
const searchSteps = 7

// search halves the interval in which the highest rate lies that keeps the
// promise.
func (t *trial) search(ctx context.Context, x run, saturation float64) error {
	c := &report.Climb{
		Name: x.name + ", search", Saturation: saturation, Search: true,
		Promise: fmt.Sprintf("p%g within %v", t.Keep, t.Within),
	}
	t.rep.Climbs = append(t.rep.Climbs, c)
	low, high := 0.0, saturation
	for range searchSteps {
		rate := (low + high) / 2
		rung, err := t.try(ctx, x, c, rate)
		if err == nil && !rung.Kept {
			// Whatever else the machine did meanwhile should not decide.
			rung, err = t.try(ctx, x, c, rate)
		}
		if err != nil {
			return err
		}
		if rung.Kept {
			low = rate
		} else {
			high = rate
		}
	}
	c.Best = low
	t.figure(fmt.Sprintf("%s: highest rate that keeps %s", x.name, c.Promise), "/s", low)
	return nil
}

// soak keeps a rate up for long, a share of the saturation if none is given, and
// watches memory, disk and stalls.
func (t *trial) soak(ctx context.Context, x run, saturation float64) error {
	watch := &report.Watch{Name: x.name + ", soak"}
	t.rep.Watches = append(t.rep.Watches, watch)
	rate, said := t.soakRate(saturation)
	x.name = fmt.Sprintf("%s, %v at %s", x.name, t.Soak, said)
	x.rate, x.length = rate, t.Soak
	alone, err := t.log(ctx, "", x.name+logSuffix, load.Options{Rate: x.rate, Duration: t.logAlone()})
	if err != nil {
		return err
	}
	// After the log alone: the server goes on tidying its disk meanwhile.
	before, err := diskUse(x.shop.server.Dir)
	if err != nil {
		return err
	}
	stop := t.watch(ctx, x.shop, watch)
	asked := x.shop.asked
	witness := t.witness(ctx, x.name)
	result, err := t.measure(ctx, "", x)
	beside, err := witness(err)
	if err := stop(err); err != nil {
		return err
	}
	after, err := diskUse(x.shop.server.Dir)
	if err != nil {
		return err
	}
	points := result.Timeline.Points(forever)
	stalls := findStalls(points)
	later := result.Timeline.Begin().Sub(beside.Timeline.Begin()) // each begins when its load is ready
	t.figure(x.name+": stalls of more than 50 ms", "", float64(len(stalls)))
	t.figure(x.name+": of them also in a log of its own beside it", "", float64(countShared(stalls, beside.Timeline.Points(forever), beside.Timeline.Slot, later)))
	t.figure(x.name+": longest wait", "ms", milliseconds(longestWait(points)))
	t.figure(x.name+": before it, stalls a minute of nothing but the log", "", float64(len(findStalls(alone.Timeline.Points(forever))))/t.logAlone().Minutes())
	t.figure(x.name+": answers after more than 50 ms", "", float64(result.Slow))
	t.figure(x.name+": growth for each request", "bytes", float64(after-before)/float64(max(1, x.shop.asked-asked)))
	t.figure(x.name+": memory of the server at its end", "MiB", memory(x.shop.server.Pid()))
	return nil
}

// soakRate is how many requests a second a soak sends, and how that is said.
func (o *Options) soakRate(saturation float64) (rate float64, said string) {
	if o.Rate > 0 {
		return o.Rate, fmt.Sprintf("%.0f/s", o.Rate)
	}
	return saturation * o.At, fmt.Sprintf("%.0f %%", o.At*100)
}

// witnessRate is how often a second a soak's witness writes: hardly a stall
// fails to meet a write, and the disk has hardly more to do.
const witnessRate = 100

// witness keeps a log of its own beside a soak, on the same disk: what stalls
// both is the disk, whoever fills it. The returned function waits for its end, or ends it
// where the soak has failed.
func (t *trial) witness(ctx context.Context, name string) (wait func(error) (*load.Result, error)) {
	ctx, cancel := context.WithCancel(ctx)
	var r *load.Result
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		r, err = load.Log(ctx, t.dir, peer.Record, load.Options{Rate: witnessRate, Duration: t.Soak, Warmup: t.warmup()})
	}()
	return func(failed error) (*load.Result, error) {
		if failed != nil {
			cancel()
		}
		<-done
		cancel()
		if failed == nil && err != nil {
			failed = fmt.Errorf("%s, the log beside it: %w", name, err)
		}
		return r, failed
	}
}

// stall is a run of slots in which somebody waited longer than [load.Stall]:
// what a shop would call one, however many waited.
type stall struct {
	first, last int // slots
	longest     time.Duration
}

func findStalls(points []load.Point) (stalls []stall) {
	in := false
	for i, p := range points {
		if p.Most <= load.Stall {
			in = false
			continue
		}
		if !in {
			stalls = append(stalls, stall{first: i})
			in = true
		}
		s := &stalls[len(stalls)-1]
		s.last, s.longest = i, max(s.longest, p.Most)
	}
	return stalls
}

// countShared counts the stalls in which a log beside the server waited for at
// least half as long: its writes fall due at other moments. later is by how much
// the server's slots begin after the log's, which are as long. A slot of the log
// lies across two of the server's, and an answer may come in the slot after the
// one in which the disk stood still: so a slot before and one after a stall's
// count as well.
func countShared(stalls []stall, log []load.Point, slot, later time.Duration) (shared int) {
	for _, s := range stalls {
		from, to := later+time.Duration(s.first)*slot, later+time.Duration(s.last+1)*slot
		if slices.ContainsFunc(log, func(p load.Point) bool {
			return p.At > from-slot && p.At-slot < to+slot && p.Most >= s.longest/2
		}) {
			shared++
		}
	}
	return shared
}

func longestWait(points []load.Point) (longest time.Duration) {
	for _, p := range points {
		longest = max(longest, p.Most)
	}
	return longest
}
