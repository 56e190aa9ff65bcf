package trial

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"tillgate/bench/load"
	"tillgate/bench/peer"
	"tillgate/bench/report"
	"tillgate/bench/rig"
)

// trial is a run with all that it has started.
type trial struct {
	Options
	http, iso edge
	dir       string
	server    *rig.Server
	empty     *peer.Process // fasthttp's empty answer
	echo      *peer.Process
	members   int
	runs      int // loads so far: part of keys and terminals
	holds     [][]holdID
	asked     int64 // requests that the server has answered
	rep       *report.Report
	loads     map[string]*report.Load
	figures   map[string]*report.Figure
}

// holdID is the id of a hold as both edges tell it.
type holdID [12]byte

// Run runs a trial. The report is there also where the trial failed half-way.
func Run(ctx context.Context, o Options) (rep *report.Report, err error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	t := &trial{Options: o, rep: &report.Report{Machine: machine()}, loads: map[string]*report.Load{}, figures: map[string]*report.Figure{}}
	t.http, t.iso = o.edges()
	if t.Step == nil {
		t.Step = func(string, time.Duration) {}
	}
	t.settings()
	if err := t.open(ctx); err != nil {
		return t.rep, errors.Join(err, t.close(false))
	}
	err = t.steps(ctx)
	return t.rep, errors.Join(err, t.close(err == nil))
}

func (t *trial) steps(ctx context.Context) error {
	if err := t.shop(ctx); err != nil {
		return err
	}
	before, err := diskUse(t.server.Dir)
	if err != nil {
		return err
	}
	asked := t.asked
	for r := range t.Repeats {
		if err := t.repeat(ctx, r); err != nil {
			return fmt.Errorf("repeat %d: %w", r+1, err)
		}
	}
	after, err := diskUse(t.server.Dir)
	if err != nil {
		return err
	}
	t.figure("data directory, growth for each booked operation", "bytes", float64(after-before)/float64(max(1, t.asked-asked)))
	t.figure("most memory of the server", "MiB", peakMemory(t.server.Pid()))
	for range t.Repeats {
		if err := t.crash(ctx); err != nil {
			return fmt.Errorf("start after kill -9: %w", err)
		}
	}
	if err := t.verify(ctx); err != nil {
		return err
	}
	t.evaluate(ctx)
	t.goals()
	t.doubts()
	t.rep.Check()
	return nil
}

// settings tells what is measured.
func (t *trial) settings() {
	set := func(name, format string, args ...any) {
		t.rep.Settings = append(t.rep.Settings, report.Pair{Name: name, Value: fmt.Sprintf(format, args...)})
	}
	set("load", "authorize: %d members at random, 2 lines, 100.00 points of 1,300.00; holds are voided between measurements", t.Members)
	if t.HTTP {
		set("HTTP", "%d connections × %d in flight", t.http.connections, t.http.inFlight)
	}
	if t.ISO {
		set("ISO/TCP", "%d connections × %d in flight", t.iso.connections, t.iso.inFlight)
	}
	set("repeats", "%d × %v each, after %v of warming up", t.Repeats, t.Length, t.warmup())
	if t.Postgres == "" {
		set("stream", "no PostgreSQL: nothing is projected while it is measured (see --postgres)")
	} else {
		set("stream", "projected into PostgreSQL while it is measured")
	}
}

// startTime bounds a start of the server: far longer than any goal, so that a
// slow one is told as a figure and not as a failure.
const startTime = time.Minute

// open makes the directory and starts the server and its peers.
func (t *trial) open(ctx context.Context) (err error) {
	t.Step("starting", time.Second)
	if err := os.MkdirAll(t.Data, 0o755); err != nil {
		return err
	}
	if t.dir, err = os.MkdirTemp(t.Data, "tillbench-"); err != nil {
		return err
	}
	t.server = &rig.Server{Binary: t.Binary, Dir: filepath.Join(t.dir, "server"), Plain: true}
	if t.server.HTTP, err = rig.FreePort(); err != nil {
		return err
	}
	if t.server.ISO, err = rig.FreePort(); err != nil {
		return err
	}
	if t.Postgres != "" {
		t.server.Env = []string{"TILLGATE_POSTGRES=" + t.Postgres}
	}
	// It is alive, and ready only when a programme is published.
	t.server.Ready = "/healthz"
	starting, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	err = t.server.Start(starting)
	t.server.Ready = ""
	if err != nil {
		return err
	}
	if t.empty, err = peer.Start(ctx, t.Peer, "http"); err != nil {
		return err
	}
	t.echo, err = peer.Start(ctx, t.Peer, "echo")
	return err
}

// close stops what runs and removes the directory. What the server said is
// shown where the trial failed.
func (t *trial) close(well bool) (err error) {
	for _, p := range []*peer.Process{t.empty, t.echo} {
		if p != nil {
			err = errors.Join(err, p.Stop())
		}
	}
	if t.server != nil {
		err = errors.Join(err, t.stopServer())
		if log, readErr := os.ReadFile(t.server.Dir + ".log"); !well && readErr == nil && t.Log != nil {
			fmt.Fprintf(t.Log, "the server said:\n%s\n", log)
		}
	}
	if t.dir != "" {
		err = errors.Join(err, os.RemoveAll(t.dir))
	}
	return err
}

// stopServer asks the server to end, whether or not the trial was interrupted.
func (t *trial) stopServer() error {
	ctx, cancel := context.WithTimeout(context.Background(), 25*time.Second)
	defer cancel()
	return t.server.Stop(ctx)
}

// repeat measures everything once, each thing beside its baseline.
func (t *trial) repeat(ctx context.Context, r int) error {
	t.Step(fmt.Sprintf("repeat %d: fdatasync", r+1), t.short())
	s, err := peer.MeasureSync(t.dir, t.short())
	if err != nil {
		return err
	}
	t.figure(syncFigure, "ms", milliseconds(s.Median))
	t.figure("one fdatasync of 4 KiB, 99th percentile", "ms", milliseconds(s.P99))
	if t.ISO {
		if err := t.repeatISO(ctx, r); err != nil {
			return err
		}
	}
	if t.HTTP {
		if err := t.repeatHTTP(ctx, r); err != nil {
			return err
		}
	}
	return t.codecs(r)
}

func (t *trial) repeatISO(ctx context.Context, r int) error {
	if err := t.measure(ctx, r, echoLoad, t.iso, 0, t.echo.Address, t.echo.Pid(), t.isoWire); err != nil {
		return err
	}
	if err := t.bare(ctx, r); err != nil {
		return err
	}
	return t.both(ctx, r, isoLoad, t.iso, t.server.ISO, t.isoWire)
}

func (t *trial) repeatHTTP(ctx context.Context, r int) error {
	if err := t.measure(ctx, r, emptyLoad, t.http, 0, t.empty.Address, t.empty.Pid(), t.httpWire); err != nil {
		return err
	}
	return t.both(ctx, r, httpLoad, t.http, t.server.HTTP, t.httpWire)
}

// both loads an edge of the server closed, and open at half of what that
// reached in this repeat.
func (t *trial) both(ctx context.Context, r int, name string, e edge, address string, wire wireMaker) error {
	if err := t.measure(ctx, r, name, e, 0, address, t.server.Pid(), wire); err != nil {
		return err
	}
	if err := t.void(ctx, r); err != nil {
		return err
	}
	rates := t.loads[name].Rate
	rate := t.Rate
	if rate == 0 {
		rate = rates[len(rates)-1] / 2
	}
	if err := t.measure(ctx, r, name+openSuffix, e, rate, address, t.server.Pid(), wire); err != nil {
		return err
	}
	return t.void(ctx, r)
}

// wireMaker makes the connections of a run; holds are kept in t.holds.
type wireMaker func(run int, e edge, holds [][]holdID) (func(connection int) load.Wire, error)

// measure runs one load and enters it.
func (t *trial) measure(ctx context.Context, r int, name string, e edge, rate float64, address string, pid int, wire wireMaker) error {
	t.Step(fmt.Sprintf("repeat %d: %s", r+1, name), t.warmup()+t.Length)
	holds := make([][]holdID, e.connections)
	t.runs++
	connect, err := wire(t.runs, e, holds)
	if err != nil {
		return err
	}
	most := uint64(0)
	if pid == t.server.Pid() {
		most = uint64(holdsEach * t.members / e.connections)
	}
	begun, used := time.Now(), cpu(pid)
	result, err := load.Run(ctx, load.Options{
		Address: address, Connections: e.connections, InFlight: e.inFlight, Rate: rate,
		Duration: t.Length, Warmup: t.warmup(), Requests: most, Seed: uint64(t.runs), Wire: connect,
	})
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	wall := time.Since(begun).Seconds()
	t.enter(name, e, rate > 0, result, (cpu(pid)-used).Seconds()/wall, result.ClientCPU.Seconds()/wall)
	if pid == t.server.Pid() {
		t.holds = holds
		t.asked += result.Answers()
	}
	return nil
}

// holdsEach bounds the holds of a load, for each member on average: an account
// takes 100, and some members are drawn more often than others.
const holdsEach = 40
