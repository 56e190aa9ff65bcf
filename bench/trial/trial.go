package trial

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"tillgate/bench/day"
	"tillgate/bench/load"
	"tillgate/bench/peer"
	"tillgate/bench/report"
)

// trial is a run with all that it has started.
type trial struct {
	Options
	http, iso edge
	dir       string
	shops     []*shop
	peers     []*peer.Process
	runs      int // loads so far: part of keys and terminals
	holds     [][]day.Hold
	rep       *report.Report
	loads     map[string]*report.Load
	figures   map[string]*report.Figure
	all       map[string]*hdrhistogram.Histogram // latencies of a load over all repeats
}

// Run runs a trial. The report is there also where the trial failed half-way or
// was interrupted: it has what was measured until then, and says that it is
// unproved.
func Run(ctx context.Context, o Options) (rep *report.Report, err error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	t := &trial{Options: o, rep: &report.Report{Machine: machine()}, loads: map[string]*report.Load{}, figures: map[string]*report.Figure{}, all: map[string]*hdrhistogram.Histogram{}}
	t.http, t.iso = o.edges()
	if t.Step == nil {
		t.Step = func(string, time.Duration) {}
	}
	t.Step("starting", time.Second)
	all, stolen := processorTime()
	if err := os.MkdirAll(t.Data, 0o755); err != nil {
		return t.rep, err
	}
	if t.dir, err = os.MkdirTemp(t.Data, "tillbench-"); err != nil {
		return t.rep, err
	}
	switch t.Mode {
	case Goals:
		err = t.measureGoals(ctx)
	case Day:
		err = t.playDay(ctx)
	case Stream:
		err = t.followStream(ctx)
	case Projection:
		err = t.measureProjection(ctx)
	}
	allThen, stolenThen := processorTime()
	if allThen > all {
		t.figure(stolenFigure, "%", 100*float64(stolenThen-stolen)/float64(allThen-all))
	}
	t.doubts()
	t.rep.Check()
	if err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
		t.rep.Unproved = err.Error()
	}
	return t.rep, errors.Join(err, t.close(err == nil && len(t.rep.Failures) == 0))
}

// live tells how a step comes on.
func (t *trial) live(format string, args ...any) {
	if t.Live != nil {
		t.Live(fmt.Sprintf(format, args...))
	}
}

// startPeer starts a baseline.
func (t *trial) startPeer(ctx context.Context, name string) (*peer.Process, error) {
	p, err := peer.Start(ctx, t.Peer, name)
	if err == nil {
		t.peers = append(t.peers, p)
	}
	return p, err
}

// close stops what runs and removes the directory. What the servers said is
// shown where the trial failed.
func (t *trial) close(well bool) (err error) {
	for _, p := range t.peers {
		err = errors.Join(err, p.Stop())
	}
	for _, s := range t.shops {
		err = errors.Join(err, s.stop())
		if log, readErr := os.ReadFile(s.server.Dir + ".log"); !well && readErr == nil && t.Log != nil {
			fmt.Fprintf(t.Log, "the server said:\n%s\n", tail(log))
		}
	}
	return errors.Join(err, os.RemoveAll(t.dir))
}

// tail is the end of a log: a server that fails says why at last.
func tail(log []byte) []byte {
	const most = 16 << 10
	return log[max(0, len(log)-most):]
}

// log measures what the disk lets anybody promise: a log by itself, at a rate.
func (t *trial) log(ctx context.Context, step, name string, o load.Options) (*load.Result, error) {
	t.Step(step+name, o.Warmup+o.Duration)
	t.runs++
	o.Seed = uint64(t.runs)
	r, err := load.Log(ctx, t.dir, peer.Record, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	t.enter(name, edge{}, true, r, 0, 0)
	return r, nil
}

// run is what a load is run against.
type run struct {
	name    string
	edge    edge
	rate    float64 // 0: closed
	address string
	pid     int
	shop    *shop // nil of a baseline
	wires   wireMaker
	length  time.Duration // 0: the trial's
	most    uint64        // requests of a connection, 0: no bound
}

// measure runs one load and enters it.
func (t *trial) measure(ctx context.Context, step string, r run) (*load.Result, error) {
	if r.length == 0 {
		r.length = t.Length
	}
	t.Step(step+r.name, t.warmup()+r.length)
	t.runs++
	fleet, err := r.wires(t.runs, r.edge)
	if err != nil {
		return nil, err
	}
	begun, used := time.Now(), cpu(r.pid)
	result, err := load.Run(ctx, load.Options{
		Address: r.address, Connections: r.edge.connections, InFlight: r.edge.inFlight, Rate: r.rate,
		Duration: r.length, Warmup: t.warmup(), Requests: r.most, Seed: uint64(t.runs),
		Wire: func(c int) load.Wire { return fleet.wires[c] },
		Live: func(_ time.Duration, p load.Point) {
			t.live("%d/s, p99 %.1f ms", p.Answers, milliseconds(p.P99))
		},
	})
	wall := time.Since(begun).Seconds()
	if err != nil {
		if result != nil {
			t.enterCut(r, result, (cpu(r.pid)-used).Seconds()/wall, result.ClientCPU.Seconds()/wall)
		}
		return nil, fmt.Errorf("%s: %w", r.name, err)
	}
	l := t.enter(r.name, r.edge, r.rate > 0, result, (cpu(r.pid)-used).Seconds()/wall, result.ClientCPU.Seconds()/wall)
	for _, till := range fleet.tills {
		if l.Why == "" {
			l.Why = till.Refused()
		}
	}
	if r.shop != nil {
		l.Ours = true
		t.holds = fleet.holds
		for _, till := range fleet.tills {
			t.holds = append(t.holds, till.Open())
		}
		r.shop.asked += result.Answers()
		r.shop.open += result.Unanswered
	}
	return result, nil
}
