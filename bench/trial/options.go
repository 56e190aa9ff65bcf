// Package trial measures the built server against its baselines, in one run
// and interleaved over several repeats, so that whatever disturbs the machine
// disturbs both sides of a ratio.
//
// One server runs through the whole trial, on a data directory that grows as
// it would in a shop. Each repeat loads it over both edges with
// authorizations: members taken at random, two lines, a part paid with points.
// The holds of a load are voided after it, unmeasured, so that members have as
// few open holds as in life. At the end the server is killed and started again,
// and its books are proved.
package trial

import (
	"errors"
	"fmt"
	"io"
	"time"

	"tillgate/bench/load"
	"tillgate/bench/peer"
)

// Options describe a trial.
type Options struct {
	Binary   string // the server
	Data     string // directory in which a directory of the trial's own is made
	Postgres string // connection string for the server; "" for none
	// Sources is the top directory of the server's sources, for the figures
	// that only its own benchmarks can tell; "" leaves them out.
	Sources string

	HTTP, ISO   bool          // the edges to load
	Members     int           // 1,000 to 10,000,000
	Length      time.Duration // of each measurement
	Repeats     int
	Connections int     // of both edges; 0: each edge's own
	InFlight    int     // of both edges; 0: each edge's own
	Rate        float64 // of the open loads, a second; 0: half of saturation

	Peer peer.Command // makes the processes that are baselines
	Log  io.Writer    // gets what the server says, where it fails
	// Step is called when a step begins that will take about so long.
	Step func(name string, expected time.Duration)
}

// What connects to an edge, if the options don't say: tills keep a connection
// each to a concentrator that pipelines; HTTP clients rarely pipeline, so they
// need more connections.
const (
	isoConnections, isoInFlight   = 64, 16
	httpConnections, httpInFlight = 256, 1
)

// MaxMembers is how many phone numbers the trial has for members.
const MaxMembers = 10_000_000

// Validate reports what is out of bounds.
func (o *Options) Validate() error {
	var err error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			err = errors.Join(err, fmt.Errorf(format, args...))
		}
	}
	check(o.Binary != "", "the server's binary must be named")
	check(o.HTTP || o.ISO, "at least one edge must be loaded")
	check(o.Members >= 1000 && o.Members <= MaxMembers, "members must be 1,000 to %d", MaxMembers)
	check(o.Length >= 100*time.Millisecond && o.Length <= time.Hour, "a measurement must last 0.1 to 3,600 seconds")
	check(o.Repeats >= 1 && o.Repeats <= 100, "repeats must be 1 to 100")
	check(o.Connections >= 0 && o.Connections <= 1000, "connections must be at most 1,000: the server takes 1,024 of one address")
	check(o.InFlight >= 0 && o.InFlight <= load.MaxInFlight, "in flight must be at most %d", load.MaxInFlight)
	check(o.Rate >= 0, "the rate must not be negative")
	return err
}

// edge is how an edge is loaded.
type edge struct {
	name                  string
	connections, inFlight int
}

func (o *Options) edges() (http, iso edge) {
	or := func(v, otherwise int) int {
		if v == 0 {
			return otherwise
		}
		return v
	}
	return edge{"HTTP", or(o.Connections, httpConnections), or(o.InFlight, httpInFlight)},
		edge{"ISO/TCP", or(o.Connections, isoConnections), or(o.InFlight, isoInFlight)}
}

// Expected is about how long the trial will take.
func (o *Options) Expected() time.Duration {
	each := o.warmup() + o.Length
	repeat := o.short() * 3 // sync and both codecs
	for _, on := range []bool{o.HTTP, o.ISO} {
		if on {
			repeat += 5 * each // the baseline, closed and open, and about as long for voiding
		}
	}
	if o.ISO {
		repeat += o.Length // the bare writer
	}
	return o.setupTime() + time.Duration(o.Repeats)*(repeat+o.short()+time.Second) + evaluateTime
}

// short is how long the things take that need no server.
func (o *Options) short() time.Duration { return min(o.Length, time.Second) / 2 }

func (o *Options) warmup() time.Duration { return o.Length / 5 }

// setupTime is a guess: three requests for each member.
func (o *Options) setupTime() time.Duration {
	return time.Duration(o.Members) * 3 * time.Second / 20_000
}
