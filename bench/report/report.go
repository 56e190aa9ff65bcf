// Package report holds what a run of tillbench has measured, says of each goal
// whether it is met, and writes it as text.
//
// A figure is a [Series]: one value for each repeat. It is told as its median
// with the least and the greatest beside it, because a figure without its
// spread proves nothing.
package report

import (
	"fmt"
	"slices"
)

// Series is a figure's values, one for each repeat.
type Series []float64

// Median is the middle value; of an even number, the mean of the two in the
// middle. 0 if there is none.
func (s Series) Median() float64 {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// Least is the smallest value, 0 if there is none.
func (s Series) Least() float64 {
	if len(s) == 0 {
		return 0
	}
	return slices.Min(s)
}

// Most is the greatest value, 0 if there is none.
func (s Series) Most() float64 {
	if len(s) == 0 {
		return 0
	}
	return slices.Max(s)
}

// Over is s ÷ t, repeat by repeat: both were measured in the same run, one
// after the other, so what disturbs the machine disturbs both.
func (s Series) Over(t Series) Series {
	var ratios Series
	for i := range min(len(s), len(t)) {
		if t[i] != 0 {
			ratios = append(ratios, s[i]/t[i])
		}
	}
	return ratios
}

// Report is all that a run has to tell.
type Report struct {
	Machine  Machine   `json:"machine"`
	Settings []Pair    `json:"settings"`
	Loads    []*Load   `json:"loads"`
	Climbs   []*Climb  `json:"climbs,omitempty"`
	Watches  []*Watch  `json:"watches,omitempty"`
	Goals    []Goal    `json:"goals"`
	Figures  []*Figure `json:"figures"`
	Notes    []string  `json:"notes,omitempty"`
	// Unproved is why the run ended before its books were proved; "" if they
	// were. What was measured until then is told, and nothing stands behind it.
	Unproved string `json:"unproved,omitempty"`
	// Failures are what makes the run worthless, whatever it measured.
	Failures []string `json:"failures,omitempty"`
}

// Pair is a name and what it stands for.
type Pair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Machine is where it was measured.
type Machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Memory string `json:"memory"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
	Load   string `json:"load_average"` // before the run; a busy machine measures its neighbours
}

// Load is one kind of load, over all repeats.
type Load struct {
	Name        string `json:"name"`
	Open        bool   `json:"open"`                // at a rate of its own
	Ours        bool   `json:"ours"`                // of the server, and not of what it is compared with
	Cut         bool   `json:"cut_short,omitempty"` // it was ended before its time: no load like the others
	Connections int    `json:"connections"`
	InFlight    int    `json:"in_flight"`
	Rate        Series `json:"per_second"`
	// Latencies in milliseconds by [Percents]; the last is the longest.
	Latency map[string]Series `json:"latency_ms"`
	Client  Series            `json:"client_cores"`
	Server  Series            `json:"server_cores"`
	// Answers over all repeats.
	Approved   int64  `json:"approved"`
	Declined   int64  `json:"declined"`
	Shed       int64  `json:"shed"`
	Unanswered int64  `json:"unanswered"`    // and those that could not even be sent
	Why        string `json:"why,omitempty"` // what the first that was declined was told

	// Curve is the latency of all repeats by percentile: 1/(1−p), milliseconds.
	Curve    []XY     `json:"curve,omitempty"`
	Timeline []Moment `json:"timeline,omitempty"` // of the last repeat
}

// XY is a point of a curve.
type XY [2]float64

// Moment is a slot of a run that is over: what came in it, a second.
type Moment struct {
	At   float64 `json:"at"` // its end, seconds since measuring began
	Rate float64 `json:"per_second"`
	P50  float64 `json:"p50_ms"`
	P99  float64 `json:"p99_ms"`
	Max  float64 `json:"max_ms"`
}

// Climb is a row of rates with the latency at each.
type Climb struct {
	Name       string  `json:"name"`
	Saturation float64 `json:"saturation"` // closed loop, a second
	Rungs      []Rung  `json:"rungs"`
	Search     bool    `json:"search,omitempty"` // the rungs are those of a search
	Promise    string  `json:"promise,omitempty"`
	Best       float64 `json:"best,omitempty"` // the highest rate that was seen to keep the promise
}

// Rung is one rate of a climb.
type Rung struct {
	Offered float64            `json:"offered"` // a second
	Rate    float64            `json:"per_second"`
	Latency map[string]float64 `json:"latency_ms"`
	Bad     int64              `json:"not_approved"` // or not sent, or not answered
	Kept    bool               `json:"kept,omitempty"`
}

// Watch is what was seen of a server while it ran.
type Watch struct {
	Name    string   `json:"name"`
	LoadEnd float64  `json:"load_end,omitempty"` // seconds; 0: it was loaded to the end
	Samples []Sample `json:"samples"`
}

// Sample is one look at a server.
type Sample struct {
	At         float64 `json:"at"`          // seconds
	Memory     float64 `json:"memory_mib"`  // resident
	Disk       float64 `json:"disk_mib"`    // its data directory
	CPU        float64 `json:"cpu_seconds"` // since it started
	Published  float64 `json:"published"`   // records that Kafka has acknowledged since it started
	PublishLag float64 `json:"publish_lag"`
	Projected  float64 `json:"projected"` // records in PostgreSQL since it started
	ProjectLag float64 `json:"projection_lag"`
}

// Percents are the percentiles that are told, by name.
var Percents = []struct {
	Name  string
	Value float64
}{
	{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99.9", 99.9}, {"p99.99", 99.99}, {"max", 100},
}

// Figure is something measured that has no goal.
type Figure struct {
	Name   string `json:"name"`
	Unit   string `json:"unit"`
	Values Series `json:"values"`
}

// Goal is a row of the table of goals.
type Goal struct {
	What    string  `json:"what"`
	Unit    string  `json:"unit"` // "" for a ratio
	AtMost  bool    `json:"at_most"`
	Limit   float64 `json:"limit"`
	Figures Series  `json:"figures"`
	Note    string  `json:"note,omitempty"`
}

// Verdicts of a goal.
const (
	Met         = "met"
	Missed      = "missed"
	NotMeasured = "not measured"
)

// Verdict says whether the median reaches the goal.
func (g Goal) Verdict() string {
	switch median := g.Figures.Median(); {
	case len(g.Figures) == 0:
		return NotMeasured
	case g.AtMost && median <= g.Limit, !g.AtMost && median >= g.Limit:
		return Met
	}
	return Missed
}

// mostBad is the share of answers that may be no approvals: the load asks for
// nothing that should be declined, so a few are the machine's and more are a
// fault of the server or of the measurement.
const mostBad = 0.001

// Measured reports whether there is anything to tell.
func (r *Report) Measured() bool {
	return len(r.Loads)+len(r.Climbs)+len(r.Watches)+len(r.Figures) > 0
}

// Check adds a failure for each load of whose requests too many were not
// approved. One that was cut short left some without an answer itself.
func (r *Report) Check() {
	for _, l := range r.Loads {
		if l.Cut {
			continue
		}
		bad := l.Declined + l.Shed + l.Unanswered
		if all := l.Approved + bad; all > 0 && float64(bad) > mostBad*float64(all) {
			r.Failures = append(r.Failures, fmt.Sprintf(
				"%s: %d of %d requests were not approved (%d declined, %d shed, %d without an answer)%s",
				l.Name, bad, all, l.Declined, l.Shed, l.Unanswered, because(l.Why)))
		}
	}
}

func because(why string) string {
	if why == "" {
		return ""
	}
	return "; the first: " + why
}
