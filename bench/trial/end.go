package trial

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"tillgate/bench/load"
	"tillgate/bench/peer"
	"tillgate/bench/report"
)

// bare measures the bare writer, on a new database beside the server's.
func (t *trial) bare(ctx context.Context, r int) error {
	t.Step(fmt.Sprintf("repeat %d: %s", r+1, bareLoad), t.Length)
	dir := filepath.Join(t.dir, fmt.Sprintf("bare-%d", r))
	rate, err := peer.Writer(ctx, t.Peer, dir, t.Length)
	if err != nil {
		return err
	}
	l := t.loadNamed(bareLoad, edge{connections: 1, inFlight: 512}, false)
	l.Rate = append(l.Rate, rate)
	return os.RemoveAll(dir)
}

// crash loads the server, kills it, and measures how long its start takes with
// what is not flushed yet.
func (t *trial) crash(ctx context.Context) error {
	t.Step("start after kill -9", t.short()+time.Second)
	t.runs++
	e := t.iso
	wire, err := t.isoWire(t.runs, e, make([][]holdID, e.connections))
	if err != nil {
		return err
	}
	_, err = load.Run(ctx, load.Options{
		Address: t.server.ISO, Connections: e.connections, InFlight: e.inFlight, Duration: t.short(), Wire: wire,
		Requests: uint64(max(1, t.members/e.connections)),
	})
	if err != nil {
		return err
	}
	starting, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if err := t.server.Kill(starting); err != nil {
		return err
	}
	t.figure(readyFigure, "s", t.server.Took.Seconds())
	return nil
}

// verify stops the server and has it prove its books.
func (t *trial) verify(ctx context.Context) error {
	t.Step("proving the books", time.Second)
	if err := t.stopServer(); err != nil {
		return fmt.Errorf("stop the server: %w", err)
	}
	help, err := exec.CommandContext(ctx, t.Binary, "--help").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s --help: %w", t.Binary, err)
	}
	if !regexp.MustCompile(`(?m)^\s+verify\s`).Match(help) {
		t.rep.Notes = append(t.rep.Notes, "The books were not proved: this tillgate has no command verify.")
		return nil
	}
	said, err := exec.CommandContext(ctx, t.Binary, "verify", "--data", t.server.Dir).CombinedOutput()
	text := strings.TrimSpace(string(said))
	if err != nil {
		t.rep.Failures = append(t.rep.Failures, fmt.Sprintf("tillgate verify: %v:\n%s", err, text))
		return nil
	}
	t.rep.Notes = append(t.rep.Notes, "The books after it, by tillgate verify: "+text[strings.LastIndexByte(text, '\n')+1:])
	return nil
}

// evaluateTime is about what it takes to build and run the benchmark.
const evaluateTime = 10 * time.Second

const (
	evaluateFigure = "evaluate a 10-line basket, full programme"
	evaluateAllocs = "allocations of evaluating it"
	evaluateRun    = "go test -run '^$' -bench '^BenchmarkEvaluate$/^full$' -benchmem ./processor/program"
)

// evaluate measures what can't be seen from outside by the component's own
// benchmark. Without sources or a Go to build them, the report says so.
func (t *trial) evaluate(ctx context.Context) {
	t.Step("evaluating baskets", evaluateTime)
	err := errors.New("no sources")
	if t.Sources != "" {
		cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^BenchmarkEvaluate$/^full$", "-benchmem",
			"-benchtime", t.short().String(), "-count", strconv.Itoa(t.Repeats), "./processor/program")
		cmd.Dir = t.Sources
		var out []byte
		if out, err = cmd.CombinedOutput(); err == nil {
			err = t.evaluated(string(out))
		}
	}
	if err != nil {
		t.rep.Notes = append(t.rep.Notes, fmt.Sprintf("Evaluating a basket was not measured (%v). By hand: %s", err, evaluateRun))
	}
}

// benchmarkLine is what go test prints of a benchmark with -benchmem.
var benchmarkLine = regexp.MustCompile(`(?m)^BenchmarkEvaluate/full\S*\s+\d+\s+([\d.]+) ns/op\s+\d+ B/op\s+(\d+) allocs/op`)

func (t *trial) evaluated(out string) error {
	found := benchmarkLine.FindAllStringSubmatch(out, -1)
	if len(found) == 0 {
		return errors.New("the benchmark has told nothing")
	}
	for _, m := range found {
		ns, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			return err
		}
		allocs, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			return err
		}
		t.figure(evaluateFigure, "µs", ns/1000)
		t.figure(evaluateAllocs, "", allocs)
	}
	return nil
}

// values are those of a figure, none if it was not measured.
func (t *trial) values(name string) report.Series {
	if f := t.figures[name]; f != nil {
		return f.Values
	}
	return nil
}

// rates are those of a load.
func (t *trial) rates(name string) report.Series {
	if l := t.loads[name]; l != nil {
		return l.Rate
	}
	return nil
}

// Goals of latency hold for a disk whose sync takes 0.2 ms; a slower one is
// allowed as much more.
const (
	goalSync = 0.2 // ms
	goalP99  = 5.  // ms
	goalP999 = 15. // ms
)

// doubts says what speaks against the figures.
func (t *trial) doubts() {
	note := func(format string, args ...any) { t.rep.Notes = append(t.rep.Notes, fmt.Sprintf(format, args...)) }
	if load, err := strconv.ParseFloat(t.rep.Machine.Load, 64); err == nil && load > float64(t.rep.Machine.Cores)/2 {
		note("The machine was busy with other things (load average %.1f): ratios still say something, figures don't.", load)
	}
	if m := t.values(syncFigure).Median(); m < memorySync {
		note("A sync that takes %.3f ms reaches no disk: nothing here is durable. Name another directory by --data.", m)
	}
}

// memorySync is faster than any disk syncs, in milliseconds.
const memorySync = 0.005

// goals makes the table.
func (t *trial) goals() {
	goal := func(what, unit string, atMost bool, limit float64, figures report.Series, note string) {
		t.rep.Goals = append(t.rep.Goals, report.Goal{What: what, Unit: unit, AtMost: atMost, Limit: limit, Figures: figures, Note: note})
	}
	goal("authorize over HTTP ÷ fasthttp's empty answer", "", false, 0.40, t.rates(httpLoad).Over(t.rates(emptyLoad)), "")
	goal("authorize over ISO/TCP ÷ bare Pebble writer", "", false, 0.60, t.rates(isoLoad).Over(t.rates(bareLoad)), "")
	goal("ISO decode + encode, times faster than moov-io/iso8583", "×", false, 10, t.values(timesFigure), "")
	goal("ISO decode + encode, allocations", "", true, 0, t.values(allocsFigure), "")
	goal("evaluate 10 lines, full programme", "µs", true, 2, t.values(evaluateFigure), "by go test")
	goal("evaluate 10 lines, allocations", "", true, 0, t.values(evaluateAllocs), "by go test")
	syncs := t.values(syncFigure)
	allowed := max(1, syncs.Median()/goalSync)
	for _, e := range []struct{ name, load string }{{"ISO/TCP", isoLoad + openSuffix}, {"HTTP", httpLoad + openSuffix}} {
		l := t.loads[e.load]
		if l == nil {
			continue
		}
		for _, p := range []struct {
			name  string
			limit float64
		}{{"p99", goalP99}, {"p99.9", goalP999}} {
			s := l.Latency[p.name]
			goal(p.name+" at half of saturation, "+e.name, "ms", true, p.limit*allowed, s,
				fmt.Sprintf("%.0f × one sync", s.Over(syncs).Median()))
		}
	}
	goal("start after kill -9", "s", true, 3, t.values(readyFigure), fmt.Sprintf("the goal is for 10⁶ members; here %d", t.members))
}
