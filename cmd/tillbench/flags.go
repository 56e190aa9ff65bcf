package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"tillgate/bench/trial"
)

// call is what the command line asks for.
type call struct {
	trial.Options
	json string
}

const about = `usage: tillbench [flags]

Measures tillgate against its baselines in one run: durable authorizations over
both edges, closed-loop for throughput and open-loop for latency, beside
fasthttp's empty answer, an echo of the same frames and a bare Pebble writer;
the ISO 8583 codec beside moov-io/iso8583; how long a start after kill -9
takes. Everything is repeated, and each figure is told with its spread.

It starts the server itself, on a data directory of its own, which it removes.
Without --seconds, --repeats and --members it takes about five minutes, with
--quick less than two. A goal that is missed is a result: the exit code is 0.
It is 1 where it could not be measured, more than 0.1 % of the requests were
not approved, or the books don't add up; 2 for a wrong call.

flags:
`

// What is measured by default, and with --quick.
const (
	members, quickMembers = 100_000, 20_000
	repeats, quickRepeats = 5, 3
	seconds, quickSeconds = 5, 1
)

// parse reads the command line; help goes to out.
func parse(args []string, out io.Writer) (*call, error) {
	c := &call{}
	var quick bool
	var edge string
	var length float64
	fs := pflag.NewFlagSet("tillbench", pflag.ContinueOnError)
	fs.SortFlags = false
	fs.SetOutput(io.Discard)
	fs.Usage = func() { fmt.Fprint(out, about, fs.FlagUsages()) }
	fs.BoolVar(&quick, "quick", false, fmt.Sprintf("%d members, %d repeats of %d second", quickMembers, quickRepeats, quickSeconds))
	fs.Float64Var(&length, "seconds", seconds, "length of each measurement")
	fs.IntVar(&c.Repeats, "repeats", repeats, "how often everything is measured")
	fs.IntVar(&c.Members, "members", members, fmt.Sprintf("members to make first, at most %d", trial.MaxMembers))
	fs.StringVar(&edge, "edge", "both", "edge to load: http, iso or both")
	fs.IntVar(&c.Connections, "connections", 0, "connections of an edge (default: HTTP 256, ISO 64)")
	fs.IntVar(&c.InFlight, "in-flight", 0, "requests in flight on each connection (default: HTTP 1, ISO 16)")
	fs.Float64Var(&c.Rate, "rate", 0, "requests a second of the open loop (default: half of saturation)")
	fs.StringVar(&c.Binary, "binary", filepath.Join("bin", "tillgate"), "the server")
	fs.StringVar(&c.Data, "data", "data", "directory on the disk to measure; a directory in it is made and removed")
	fs.StringVar(&c.Postgres, "postgres", "", "connection string of a PostgreSQL that the server projects into meanwhile")
	fs.StringVar(&c.json, "json", "", "file to write the report to as JSON, too")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("%q is an argument too many", fs.Arg(0))
	}
	if quick {
		shorten(fs, c, &length)
	}
	c.Length = time.Duration(length * float64(time.Second))
	switch strings.ToLower(edge) {
	case "both":
		c.HTTP, c.ISO = true, true
	case "http":
		c.HTTP = true
	case "iso":
		c.ISO = true
	default:
		return nil, fmt.Errorf("--edge is http, iso or both, not %q", edge)
	}
	c.Sources = sources()
	return c, c.Validate()
}

// shorten is --quick; what is said beside it wins.
func shorten(fs *pflag.FlagSet, c *call, length *float64) {
	if !fs.Changed("seconds") {
		*length = quickSeconds
	}
	if !fs.Changed("repeats") {
		c.Repeats = quickRepeats
	}
	if !fs.Changed("members") {
		c.Members = quickMembers
	}
}
