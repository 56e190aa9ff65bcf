// Package trial measures the built server against its baselines, in one run
// and interleaved over several repeats, so that whatever disturbs the machine
// disturbs both sides of a ratio.
//
// A trial has a mode. [Goals] measures what the design promises: one server
// runs through the whole trial, on a data directory that grows as it would in
// a shop, and each repeat loads it over both edges with authorizations beside
// everything that it is compared with. [Day] plays a described shop's day: for
// throughput, at a row of rates, for the highest rate that keeps a promise, or
// for as long as one likes. [Stream] lets Kafka and PostgreSQL follow on the
// same processors. [Projection] brings a journal into PostgreSQL, beside COPY.
//
// Whatever the mode, at the end the servers are stopped and their books are
// proved: by the server's own command, and against the bench's own books.
package trial

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"tillgate/bench/day"
	"tillgate/bench/load"
	"tillgate/bench/peer"
)

// Mode is what a trial measures.
type Mode int

const (
	Goals Mode = iota
	Day
	Stream
	Projection
)

// Options describe a trial.
type Options struct {
	Mode     Mode
	Binary   string // the server
	Data     string // directory in which a directory of the trial's own is made
	Postgres string // connection string for the server; "" for none
	// Sources is the top directory of the server's sources, for the figures
	// that only its own benchmarks can tell; "" leaves them out.
	Sources string

	HTTP, ISO   bool          // the edges to load
	Members     int           // 1,000 to 10,000,000
	Small       int           // of a second server, which the first is compared with; 0: none
	Length      time.Duration // of each measurement
	Repeats     int
	Connections int     // of both edges; 0: each edge's own
	InFlight    int     // of both edges; 0: each edge's own
	Rate        float64 // of the open loads, a second; 0: half of saturation, for Soak At of it

	Day   *day.Day // what [Day] and [Stream] play
	Steps int      // rates of [Day] between nothing and saturation; 0: none
	// Keep is the promise of a search for the highest rate: this percentile
	// within this time; Within 0 searches nothing.
	Keep   float64
	Within time.Duration
	Soak   time.Duration // of [Day]: at At of saturation; 0: none
	At     float64       // share of saturation, 0.05 to 1

	Store Store
	// Databases makes an empty PostgreSQL database and returns its connection
	// string; nil where there is none, with the reason in NoDatabases.
	Databases   func(ctx context.Context) (string, error)
	NoDatabases string
	Kafka       string // address of a broker, for [Stream]

	Peer peer.Command // makes the processes that are baselines
	Log  io.Writer    // gets what the server says, where it fails
	// Step is called when a step begins that will take about so long.
	Step func(name string, expected time.Duration)
	// Live is called while a step runs, with how it comes on.
	Live func(what string)
}

// What connects to an edge, if the options don't say: tills keep a connection
// each to a concentrator that pipelines; HTTP clients rarely pipeline, so they
// need more connections.
const (
	isoConnections, isoInFlight   = 64, 16
	httpConnections, httpInFlight = 256, 1
)

// MaxMembers is how many members a trial makes at most: what the design states
// a bound of memory for.
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
	check(o.Small == 0 || o.Small >= 1000 && o.Small <= MaxMembers, "the smaller server's members must be 1,000 to %d", MaxMembers)
	check(o.Length >= 100*time.Millisecond && o.Length <= time.Hour, "a measurement must last 0.1 to 3,600 seconds")
	check(o.Repeats >= 1 && o.Repeats <= 100, "repeats must be 1 to 100")
	check(o.Connections >= 0 && o.Connections <= 1000, "connections must be at most 1,000: the server takes 1,024 of one address")
	check(o.InFlight >= 0 && o.InFlight <= load.MaxInFlight, "in flight must be at most %d", load.MaxInFlight)
	check(o.Rate >= 0, "the rate must not be negative")
	check(o.Steps >= 0 && o.Steps <= 50, "steps must be at most 50")
	check(o.Within == 0 || o.Keep > 0 && o.Keep < 100, "a promise is about a percentile between 0 and 100")
	check(o.Soak >= 0 && o.Soak <= 7*24*time.Hour, "a soak lasts at most a week")
	check(o.Soak == 0 || o.At >= 0.05 && o.At <= 1, "a soak runs at 0.05 to 1 of saturation")
	if o.Mode == Day || o.Mode == Stream {
		check(o.Day != nil, "a day must be described")
	}
	if o.Day != nil {
		err = errors.Join(err, o.Day.Validate())
	}
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
	http = edge{"HTTP", or(o.Connections, httpConnections), or(o.InFlight, httpInFlight)}
	iso = edge{"ISO/TCP", or(o.Connections, isoConnections), or(o.InFlight, isoInFlight)}
	if o.Day != nil {
		http, iso = http.holding(o.Day.Members), iso.holding(o.Day.Members)
	}
	return http, iso
}

// Requests in flight over all connections at most, so that the holds of the
// member who is drawn most stay below the 256 that an account can carry: by
// Zipf's law with 1.2 that is every fifth request.
const zipfInFlight, hotInFlight = 512, 128

// holding is the edge with so much in flight as a draw of members allows.
func (e edge) holding(m day.Members) edge {
	switch {
	case m.Hot:
		e.inFlight = max(1, min(e.inFlight, hotInFlight/e.connections))
	case m.Zipf > 0:
		e.inFlight = max(1, min(e.inFlight, zipfInFlight/e.connections))
	}
	return e
}

// Expected is about how long the trial will take.
func (o *Options) Expected() time.Duration {
	each := o.warmup() + o.Length
	setup := fillTime(o.Members)
	switch o.Mode {
	case Day:
		all := time.Duration(1+o.Steps) * each
		if o.Within > 0 {
			all += searchSteps * each
		}
		return setup + all*time.Duration(o.Repeats) + o.Soak + o.logAlone() + 10*time.Second
	case Stream:
		return setup + time.Duration(o.Repeats)*4*each + 10*time.Second
	case Projection:
		return fillTime(rowMembers) + o.Length + time.Duration(o.Repeats)*(2*each+o.short()+time.Second) + 10*time.Second
	}
	if o.Small > 0 {
		setup += fillTime(o.Small)
	}
	repeat := o.short() * 3 // sync and both codecs
	for _, on := range []bool{o.HTTP, o.ISO} {
		if on {
			repeat += 6 * each // the baseline, closed, open and the log, and about as long for voiding
		}
	}
	if o.ISO {
		repeat += o.Length + 3*each // the bare writer; evenly, by Zipf, the smaller server
	}
	if o.Databases != nil {
		repeat += 2*each + time.Second // holds by PostgreSQL; projection and COPY
	}
	return setup + time.Duration(o.Repeats)*(repeat+o.short()+time.Second) + evaluateTime
}

// logAlone is how long the log is measured by itself before a soak.
func (o *Options) logAlone() time.Duration { return min(o.Soak, time.Minute) }

// short is how long the things take that need no server.
func (o *Options) short() time.Duration { return min(o.Length, time.Second) / 2 }

func (o *Options) warmup() time.Duration { return o.Length / 5 }

// fillTime is a guess of how long it takes to make members.
func fillTime(members int) time.Duration {
	return time.Duration(members) * time.Second / 50_000
}
