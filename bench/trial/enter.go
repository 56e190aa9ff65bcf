package trial

import (
	"fmt"
	"time"

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

	syncFigure   = "one fdatasync of 4 KiB, median"
	codecFigure  = "ISO 8583 decode + encode"
	moovFigure   = "moov-io/iso8583 decode + encode"
	readyFigure  = "start after kill -9"
	timesFigure  = "ISO 8583 codec against moov-io/iso8583"
	allocsFigure = "allocations of ISO 8583 decode + encode"
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
func (t *trial) enter(name string, e edge, open bool, r *load.Result, server, client float64) {
	l := t.loadNamed(name, e, open)
	l.Rate = append(l.Rate, r.Rate())
	for _, p := range report.Percents {
		l.Latency[p.Name] = append(l.Latency[p.Name], milliseconds(r.Quantile(p.Value)))
	}
	l.Server, l.Client = append(l.Server, server), append(l.Client, client)
	l.Approved += r.Approved
	l.Declined += r.Declined
	l.Shed += r.Shed
	l.Unanswered += r.Unanswered
}

// codecs compares the codec with moov's on the message that the load sends.
func (t *trial) codecs(r int) error {
	t.Step(fmt.Sprintf("repeat %d: codecs", r+1), 2*t.short())
	message, err := isoAuthorize(0, 0, func(uint64) uint64 { return firstCard })
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
