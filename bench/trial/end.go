package trial

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"tillgate/bench/books"
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
func (t *trial) crash(ctx context.Context, s *shop) error {
	t.Step("start after kill -9", t.short()+time.Second)
	t.runs++
	e := t.iso
	fleet, err := s.isoAuthorizes(t.runs, e)
	if err != nil {
		return err
	}
	result, err := load.Run(ctx, load.Options{
		Address: s.server.ISO, Connections: e.connections, InFlight: e.inFlight, Duration: t.short(),
		Wire: func(c int) load.Wire { return fleet.wires[c] }, Requests: uint64(max(1, s.members/e.connections)),
	})
	if err != nil {
		return err
	}
	s.open += result.Unanswered
	starting, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if err := s.server.Kill(starting); err != nil {
		return err
	}
	t.figure(readyFigure, "s", s.server.Took.Seconds())
	return nil
}

// proveAll stops the servers and proves their books.
func (t *trial) proveAll(ctx context.Context) error {
	for _, s := range t.shops {
		if err := t.follows(ctx, s); err != nil {
			return err
		}
		t.Step("proving the books", time.Second+fillTime(s.members))
		if err := s.stop(); err != nil {
			return fmt.Errorf("stop the server: %w", err)
		}
		if err := t.prove(s); err != nil {
			return fmt.Errorf("prove the books: %w", err)
		}
		if err := t.verify(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// follows waits until a server that runs and has a PostgreSQL has brought
// everything there, so that both can be compared.
func (t *trial) follows(ctx context.Context, s *shop) error {
	if s.server.Pid() == 0 || !slices.ContainsFunc(s.server.Env, func(e string) bool { return strings.HasPrefix(e, "TILLGATE_POSTGRES=") }) {
		return nil
	}
	_, err := t.caughtUp(ctx, s)
	return err
}

// prove holds the bench's own books against the ledger's.
func (t *trial) prove(s *shop) error {
	return t.Store.Read(s.server.Dir, func(l books.Ledger) error {
		p, err := s.book.Prove(l, int(s.open))
		if err != nil {
			return err
		}
		if len(p.Findings) > 0 {
			t.fail("the books of %s: %s (and %d more)", filepath.Base(s.server.Dir), strings.Join(p.Findings, "; "), p.More)
			return nil
		}
		t.note("The bench's own books agree with the ledger: %d acknowledged operations, each there once, and the balances of %d members.", p.Entries, p.Members)
		return nil
	})
}

// verify has the stopped server prove its books by itself.
func (t *trial) verify(ctx context.Context, s *shop) error {
	cmd := exec.CommandContext(ctx, t.Binary, "verify", "--data", s.server.Dir)
	cmd.Env = append(os.Environ(), s.server.Env...)
	said, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(said))
	var exit *exec.ExitError
	switch {
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("tillgate verify: %w", ctx.Err()) // it was ended, and has found nothing
	case errors.As(err, &exit):
		t.fail("tillgate verify: %v:\n%s", err, text)
	case err != nil:
		return err
	default:
		t.note("The books after it, by tillgate verify: %s", strings.ReplaceAll(text, "\n", "; "))
	}
	return nil
}

func (t *trial) note(format string, args ...any) {
	t.rep.Notes = append(t.rep.Notes, fmt.Sprintf(format, args...))
}

func (t *trial) fail(format string, args ...any) {
	t.rep.Failures = append(t.rep.Failures, fmt.Sprintf(format, args...))
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
		t.note("Evaluating a basket was not measured (%v). By hand: %s", err, evaluateRun)
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
	if load, err := strconv.ParseFloat(t.rep.Machine.Load, 64); err == nil && load > float64(t.rep.Machine.Cores)/2 {
		t.note("The machine was busy with other things (load average %.1f): ratios still say something, figures don't.", load)
	}
	if s := t.values(stolenFigure).Median(); s > muchStolen {
		t.note("The host gave %.1f %% of the processors' time to others, in pieces: the longest waits may be of its making.", s)
	}
	if m := t.values(syncFigure).Median(); m > 0 && m < memorySync {
		t.note("A sync that takes %.3f ms reaches no disk: nothing here is durable. Name another directory by --data.", m)
	}
}

const (
	stolenFigure = "processor time that the host gave to others meanwhile"
	// muchStolen is worth a note, in percent: at that much, a piece of 10 ms is
	// missing once a second.
	muchStolen = 0.5
)

// memorySync is faster than any disk syncs, in milliseconds.
const memorySync = 0.005

// goals makes the table.
func (c *contest) goals() {
	t := c.trial
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
			note := fmt.Sprintf("%.0f × a sync", s.Median()/syncs.Median())
			if alone := t.loads[e.load+logSuffix]; alone != nil {
				note += fmt.Sprintf("; nothing but a log at that rate: %.1f ms", alone.Latency[p.name].Median())
			}
			goal(p.name+" at half of saturation, "+e.name, "ms", true, p.limit*allowed, s, note)
		}
	}
	goal("throughput, many members ÷ few", "", false, 0.8, t.rates(evenLoad).Over(t.rates(smallLoad)),
		fmt.Sprintf("the goal is for 10⁷ ÷ 10⁴; here %d ÷ %d", t.Members, t.Small))
	goal("Zipf 1.2 over members ÷ even", "", false, 0.7, t.rates(zipfLoad).Over(t.rates(evenLoad)), "")
	c.projectionGoal()
	goal("start after kill -9", "s", true, 3, t.values(readyFigure), fmt.Sprintf("the goal is for 10⁶ members; here %d", t.Members))
}

func (c *contest) projectionGoal() {
	c.rep.Goals = append(c.rep.Goals, report.Goal{
		What: "projection into PostgreSQL ÷ bare COPY of the same rows", Limit: 0.5, Figures: c.values(projectFigure).Over(c.values(copyFigure)),
	})
}
