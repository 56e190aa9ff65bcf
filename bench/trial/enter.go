package trial

import (
	"fmt"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"tillgate/bench/load"
	"tillgate/bench/peer"
	"tillgate/bench/report"
)

// Names of loads and figures, which goals refer to.
const (
	echoLoad   = "echo of the same frames"
	bareLoad   = "bare Pebble writer, batches of 512"
	isoLoad    = "durable authorize, ISO/TCP"
	emptyLoad  = "fasthttp's empty answer"
	httpLoad   = "durable authorize, HTTP"
	openSuffix = " at half"
	logSuffix  = ": nothing but the log"
	evenLoad   = "authorize + void, members drawn evenly"
	zipfLoad   = "authorize + void, members by Zipf 1.2"
	hotLoad    = "authorize + void, one member"
	smallLoad  = "authorize + void, fewer members"
	bankLoad   = "the same hold by PostgreSQL"

	syncFigure    = "one fdatasync of 4 KiB, median"
	codecFigure   = "ISO 8583 decode + encode"
	moovFigure    = "moov-io/iso8583 decode + encode"
	readyFigure   = "start after kill -9"
	timesFigure   = "ISO 8583 codec against moov-io/iso8583"
	allocsFigure  = "allocations of ISO 8583 decode + encode"
	projectFigure = "projection into PostgreSQL"
	copyFigure    = "bare COPY of the same rows"
	indexFigure   = "COPY of the same rows into the same indexes"

	overIndexFigure = "projection ÷ COPY of the same rows into the same indexes"
)

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// figure adds a value to a figure.
func (t *trial) figure(name, unit string, value float64) {
	f := t.figures[name]
	if f == nil {
		f = &report.Figure{Name: name, Unit: unit}
		t.figures[name] = f
		t.rep.Figures = append(t.rep.Figures, f)
	}
	f.Values = append(f.Values, value)
}

// loadNamed finds or makes the entry of a kind of load.
func (t *trial) loadNamed(name string, e edge, open bool) *report.Load {
	l := t.loads[name]
	if l == nil {
		l = &report.Load{Name: name, Open: open, Connections: e.connections, InFlight: e.inFlight, Latency: map[string]report.Series{}}
		t.loads[name] = l
		t.rep.Loads = append(t.rep.Loads, l)
	}
	return l
}

// enter adds a load's result. The cores are the processor time that a second
// of the load has taken.
func (t *trial) enter(name string, e edge, open bool, r *load.Result, server, client float64) *report.Load {
	l := t.loadNamed(name, e, open)
	l.Rate = append(l.Rate, r.Rate())
	for _, p := range report.Percents {
		l.Latency[p.Name] = append(l.Latency[p.Name], milliseconds(r.Quantile(p.Value)))
	}
	l.Server, l.Client = append(l.Server, server), append(l.Client, client)
	l.Approved += r.Approved
	l.Declined += r.Declined
	l.Shed += r.Shed
	l.Unanswered += r.Unanswered + r.Unsent
	if t.all[name] == nil {
		t.all[name] = hdrhistogram.Import(r.Latency.Export())
	} else {
		t.all[name].Merge(r.Latency)
	}
	l.Curve = curve(t.all[name])
	l.Timeline = timeline(r)
	return l
}

// cutSuffix sets a load that was ended before its time apart from those of the
// same name that were not: no goal may count it.
const cutSuffix = ", cut short"

// enterCut adds what a load had measured when it was interrupted or a connection
// broke, if that was anything yet.
func (t *trial) enterCut(r run, result *load.Result, server, client float64) {
	if result.Latency.TotalCount() > 0 {
		l := t.enter(r.name+cutSuffix, r.edge, r.rate > 0, result, server, client)
		l.Cut, l.Ours = true, r.shop != nil
	}
}

// drop takes a load out of the tables again.
func (t *trial) drop(name string) {
	delete(t.loads, name)
	delete(t.all, name)
	t.rep.Loads = slices.DeleteFunc(t.rep.Loads, func(l *report.Load) bool { return l.Name == name })
}

// curve is the latency by percentile, in milliseconds, at steps that double
// the nines: what an HdrHistogram is drawn by.
func curve(h *hdrhistogram.Histogram) (points []report.XY) {
	for rest := 1.0; rest > 1/float64(max(2, h.TotalCount())); rest /= 1.35 {
		points = append(points, report.XY{1 / rest, milliseconds(time.Duration(h.ValueAtQuantile(100 * (1 - rest))))})
	}
	return append(points, report.XY{float64(max(2, h.TotalCount())), milliseconds(time.Duration(h.Max()))})
}

// forever is longer than any run.
const forever = 365 * 24 * time.Hour

// timeline is how a run went over time.
func timeline(r *load.Result) (points []report.Moment) {
	if r.Timeline == nil {
		return nil
	}
	for _, p := range r.Timeline.Points(forever) {
		points = append(points, report.Moment{
			At: p.At.Seconds(), Rate: float64(p.Answers) / r.Timeline.Slot.Seconds(),
			P50: milliseconds(p.P50), P99: milliseconds(p.P99), Max: milliseconds(p.Most),
		})
	}
	return points
}

// codecs compares the codec with moov's on the message that the load sends.
func (t *trial) codecs(r int) error {
	t.Step(fmt.Sprintf("repeat %d: codecs", r+1), 2*t.short())
	message, err := isoAuthorize(0, 0, func(uint64) uint64 { return cardOf(0) })
	if err != nil {
		return err
	}
	ours, theirs, err := peer.Codecs(message.Append(nil, 1), t.short())
	if err != nil {
		return err
	}
	t.figure(codecFigure, "ns", float64(ours.Time))
	t.figure(moovFigure, "ns", float64(theirs.Time))
	t.figure(timesFigure, "×", float64(theirs.Time)/float64(ours.Time))
	t.figure(allocsFigure, "", ours.Allocations)
	t.figure("allocations of moov-io/iso8583", "", theirs.Allocations)
	return nil
}
