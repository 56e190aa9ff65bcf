package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"tillgate/bench/day"
	"tillgate/bench/trial"
)

// call is what the command line asks for.
type call struct {
	trial.Options
	json, html string
	services   bool // start a PostgreSQL, and a Kafka where the mode needs one
}

const about = `usage: tillbench [goals|day|stream|projection] [flags]

Measures tillgate in one run on one machine. It starts the server itself, on a
data directory of its own, which it removes, and proves the books at the end.

goals   the table of goals, each figure beside its baseline: durable
        authorizations over both edges, closed loop for throughput and open loop
        for latency, beside fasthttp's empty answer, an echo of the same frames
        and a bare Pebble writer; the same hold by PostgreSQL; the projection
        beside COPY; draws and numbers of members; the ISO 8583 codec beside
        moov-io/iso8583; the start after kill -9. This is the default.
day     a described shop's day: throughput, latency at a row of rates, the
        highest rate that keeps a promise (--keep), and for long (--soak)
stream  the day while Kafka and PostgreSQL follow on the same processors
projection
        a day's journal into an empty PostgreSQL, beside COPY of the same rows

Without --seconds, --repeats and --members goals takes about ten minutes, with
--quick less than two. A goal that is missed is a result: the exit code is 0.
It is 1 where it could not be measured, more than 0.1 % of the requests were
not approved, or the books don't add up; 2 for a wrong call. Who interrupts it is
told what was measured until then, unproved, with exit code 1.

flags:
`

// What is measured by default, and with --quick.
const (
	members, quickMembers = 1_000_000, 20_000
	small, quickSmall     = 10_000, 2_000
	repeats, quickRepeats = 5, 3
	seconds, quickSeconds = 5, 0.7
	steps, quickSteps     = 10, 5
)

// parser is the flags and what needs a second look.
type parser struct {
	fs                      *pflag.FlagSet
	c                       *call
	quick, hot              bool
	edge, day, keep, at     string
	length, zipf            float64
	stepsBy, smallBy, repBy int
}

// parse reads the command line; help goes to out.
func parse(args []string, out io.Writer) (*call, error) {
	p := &parser{c: &call{}, fs: pflag.NewFlagSet("tillbench", pflag.ContinueOnError)}
	p.flags(out)
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		mode, ok := map[string]trial.Mode{"goals": trial.Goals, "day": trial.Day, "stream": trial.Stream, "projection": trial.Projection}[args[0]]
		if !ok {
			return nil, fmt.Errorf("%q is none of goals, day, stream and projection", args[0])
		}
		p.c.Mode, args = mode, args[1:]
	}
	if err := p.fs.Parse(args); err != nil {
		return nil, err
	}
	if p.fs.NArg() > 0 {
		return nil, fmt.Errorf("%q is an argument too many", p.fs.Arg(0))
	}
	if err := p.finish(); err != nil {
		return nil, err
	}
	return p.c, p.c.Validate()
}

func (p *parser) flags(out io.Writer) {
	fs, c := p.fs, p.c
	fs.SortFlags = false
	fs.SetOutput(io.Discard)
	fs.Usage = func() { fmt.Fprint(out, about, fs.FlagUsages()) }
	fs.BoolVar(&p.quick, "quick", false, fmt.Sprintf("%d members, %d repeats of %g seconds", quickMembers, quickRepeats, quickSeconds))
	fs.Float64Var(&p.length, "seconds", seconds, "length of each measurement")
	fs.IntVar(&p.repBy, "repeats", repeats, "how often everything is measured")
	fs.IntVar(&c.Members, "members", members, fmt.Sprintf("members to make first, at most %d", trial.MaxMembers))
	fs.IntVar(&p.smallBy, "small", small, "goals: members of a second server that the first is compared with; 0: none")
	fs.StringVar(&p.edge, "edge", "both", "edge to load: http, iso or both")
	fs.IntVar(&c.Connections, "connections", 0, "connections, or tills, of an edge (default: HTTP 256, ISO 64)")
	fs.IntVar(&c.InFlight, "in-flight", 0, "requests in flight on each connection (default: HTTP 1, ISO 16)")
	fs.Float64Var(&c.Rate, "rate", 0, "goals, and day with --soak: requests a second of the open loop (default: half of saturation, --at of it)")
	fs.StringVar(&p.day, "day", "weekday", "day, stream: file with the description of the day, or weekday")
	fs.Float64Var(&p.zipf, "zipf", 0, "day, stream: draw members by Zipf's law with this exponent, above 1")
	fs.BoolVar(&p.hot, "hot", false, "day, stream: one member for all requests")
	fs.IntVar(&p.stepsBy, "steps", steps, "day: rates between nothing and saturation at which the latency is measured; 0: none")
	fs.StringVar(&p.keep, "keep", "", "day: search the highest rate that keeps a promise, like p99=5ms")
	fs.DurationVar(&c.Soak, "soak", 0, "day: keep a share of saturation up for so long, like 30m")
	fs.StringVar(&p.at, "at", "70%", "day: the share of saturation that --soak keeps up")
	fs.StringVar(&c.Binary, "binary", filepath.Join("bin", "tillgate"), "the server")
	fs.StringVar(&c.Data, "data", "data", "directory on the disk to measure; a directory in it is made and removed")
	fs.StringVar(&c.Postgres, "postgres", "", "connection string of a PostgreSQL that the server projects into meanwhile")
	fs.BoolVar(&c.services, "services", true, "start a PostgreSQL, and for stream a Kafka, to measure against")
	fs.StringVar(&c.json, "json", "", "file to write the report to as JSON, too")
	fs.StringVar(&c.html, "html", "", "file to write the report to as one HTML page with plots, too")
}

// finish makes of the flags what the trial takes.
func (p *parser) finish() error {
	c := p.c
	c.Repeats, c.Steps = p.repBy, p.stepsBy
	if c.Mode == trial.Goals {
		c.Small = p.smallBy
	}
	if c.Mode == trial.Day || c.Mode == trial.Stream {
		p.otherwise("repeats", func() { c.Repeats = 1 })
	}
	if p.quick {
		p.shorten()
	}
	p.otherwise("steps", func() {
		if c.Soak > 0 && p.keep == "" {
			c.Steps = 0 // who soaks wants that
		}
	})
	c.Length = time.Duration(p.length * float64(time.Second))
	c.Sources = sources()
	for _, read := range []func() error{p.readEdge, p.readDay, p.readKeep, p.readAt} {
		if err := read(); err != nil {
			return err
		}
	}
	return nil
}

// otherwise sets what the command line does not.
func (p *parser) otherwise(flag string, set func()) {
	if !p.fs.Changed(flag) {
		set()
	}
}

// shorten is --quick; what is said beside it wins.
func (p *parser) shorten() {
	c := p.c
	p.otherwise("seconds", func() { p.length = quickSeconds })
	p.otherwise("repeats", func() { c.Repeats = min(c.Repeats, quickRepeats) })
	p.otherwise("members", func() { c.Members = quickMembers })
	p.otherwise("small", func() { c.Small = min(c.Small, quickSmall) })
	p.otherwise("steps", func() { c.Steps = quickSteps })
}

func (p *parser) readEdge() error {
	switch strings.ToLower(p.edge) {
	case "both":
		p.c.HTTP, p.c.ISO = true, true
	case "http":
		p.c.HTTP = true
	case "iso":
		p.c.ISO = true
	default:
		return fmt.Errorf("--edge is http, iso or both, not %q", p.edge)
	}
	return nil
}

func (p *parser) readDay() (err error) {
	if p.c.Mode != trial.Day && p.c.Mode != trial.Stream {
		return nil
	}
	document := day.Weekday
	if p.day != "weekday" {
		if document, err = os.ReadFile(p.day); err != nil {
			return err
		}
	}
	if p.c.Day, err = day.Parse(document); err != nil {
		return err
	}
	if p.zipf != 0 || p.hot {
		p.c.Day.Members = day.Members{Zipf: p.zipf, Hot: p.hot}
	}
	return nil
}

// readKeep reads a promise like p99.9=15ms.
func (p *parser) readKeep() error {
	if p.keep == "" {
		return nil
	}
	percent, within, ok := strings.Cut(strings.TrimPrefix(p.keep, "p"), "=")
	keep, err := strconv.ParseFloat(percent, 64)
	if err != nil || !ok {
		return fmt.Errorf("--keep is a percentile and a time, like p99=5ms, not %q", p.keep)
	}
	p.c.Keep = keep
	if p.c.Within, err = time.ParseDuration(within); err != nil || p.c.Within <= 0 {
		return fmt.Errorf("--keep is a percentile and a time, like p99=5ms, not %q", p.keep)
	}
	return nil
}

// readAt reads a share like 70% or 0.7.
func (p *parser) readAt() error {
	text, percent := strings.CutSuffix(p.at, "%")
	at, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return fmt.Errorf("--at is a share of saturation, like 70%%, not %q", p.at)
	}
	if percent || at > 1 {
		at /= 100
	}
	p.c.At = at
	return nil
}
