package trial

import (
	"context"
	"fmt"

	"tillgate/bench/day"
	"tillgate/bench/load"
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

// soak keeps a share of the saturation up for long, and watches memory, disk
// and stalls.
func (t *trial) soak(ctx context.Context, x run, saturation float64) error {
	watch := &report.Watch{Name: x.name + ", soak"}
	t.rep.Watches = append(t.rep.Watches, watch)
	before, err := diskUse(x.shop.server.Dir)
	if err != nil {
		return err
	}
	stop := t.watch(ctx, x.shop, watch)
	asked := x.shop.asked
	x.name = fmt.Sprintf("%s, %v at %.0f %%", x.name, t.Soak, t.At*100)
	x.rate, x.length = saturation*t.At, t.Soak
	result, err := t.measure(ctx, "", x)
	if err := stop(err); err != nil {
		return err
	}
	after, err := diskUse(x.shop.server.Dir)
	if err != nil {
		return err
	}
	stalls, longest := countStalls(result.Timeline.Points(forever))
	t.figure(x.name+": stalls of more than 50 ms", "", float64(stalls))
	t.figure(x.name+": longest wait", "ms", longest)
	t.figure(x.name+": answers after more than 50 ms", "", float64(result.Slow))
	t.figure(x.name+": growth for each request", "bytes", float64(after-before)/float64(max(1, x.shop.asked-asked)))
	t.figure(x.name+": memory of the server at its end", "MiB", memory(x.shop.server.Pid()))
	return nil
}

// countStalls counts the runs of slots in which somebody waited too long:
// what a shop would call one stall, however many waited.
func countStalls(points []load.Point) (stalls int, longest float64) {
	in := false
	for _, p := range points {
		longest = max(longest, milliseconds(p.Most))
		if long := p.Most > load.Stall; long != in {
			in = long
			if in {
				stalls++
			}
		}
	}
	return stalls, longest
}
