package report

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// plot is a chart of lines, drawn as SVG by hand: axes, a grid, lines and
// nothing else, so that the page needs no script and no network.
type plot struct {
	title, unit string
	x, y        axis
	lines       []line
	marks       []mark
}

// axis is one of a plot's. Its ends are those of the data unless they are
// given: with low < high.
type axis struct {
	log       bool
	low, high float64
	zero      bool                   // begins at 0
	label     func(v float64) string // of a tick; nil: short
	ticks     func(a axis) []float64 // nil: round numbers
	name      string
}

type line struct {
	name   string
	colour int // of the palette
	points []XY
	dots   bool // only points
	area   bool // filled down to the axis
	thin   bool
}

// mark is a vertical line with a word.
type mark struct {
	at   float64
	word string
}

// Sizes of a plot, in its own units; the page scales it.
const (
	plotWidth, plotHeight               = 540., 280.
	plotLeft, plotRight, plotTop, below = 54., 14., 10., 38.
)

// svg draws the plot.
func (p *plot) svg() string {
	p.x.fit(p.lines, 0)
	p.y.fit(p.lines, 1)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %g %g" role="img" aria-label="%s">`, plotWidth, plotHeight, html.EscapeString(p.title))
	right, bottom := plotWidth-plotRight, plotHeight-below
	for _, v := range p.y.marks() {
		y := p.atY(v)
		fmt.Fprintf(&b, `<line class="grid" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, plotLeft, y, right, y)
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="end">%s</text>`, plotLeft-8, y+4, html.EscapeString(p.y.say(v)))
	}
	for _, v := range p.x.marks() {
		x := p.atX(v)
		fmt.Fprintf(&b, `<line class="base" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, x, bottom, x, bottom+4)
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="middle">%s</text>`, x, bottom+17, html.EscapeString(p.x.say(v)))
	}
	fmt.Fprintf(&b, `<line class="base" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, plotLeft, bottom, right, bottom)
	if p.x.name != "" {
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="end">%s</text>`, right, bottom+34, html.EscapeString(p.x.name))
	}
	for _, m := range p.marks {
		x := p.atX(m.at)
		anchor, shift := "start", 5.
		if x > right-120 {
			anchor, shift = "end", -5.
		}
		fmt.Fprintf(&b, `<line class="mark" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, x, plotTop, x, bottom)
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`, x+shift, plotTop+11, anchor, html.EscapeString(m.word))
	}
	for i := range p.lines {
		p.draw(&b, &p.lines[i])
	}
	b.WriteString("</svg>")
	return b.String()
}

// draw draws one line. Each of its points tells its figures under the pointer.
func (p *plot) draw(b *strings.Builder, l *line) {
	if len(l.points) == 0 {
		return
	}
	var path strings.Builder
	for i, pt := range l.points {
		letter := 'L'
		if i == 0 {
			letter = 'M'
		}
		fmt.Fprintf(&path, "%c%.1f %.1f", letter, p.atX(pt[0]), p.atY(pt[1]))
	}
	colour := fmt.Sprintf("var(--s%d)", l.colour)
	if l.area {
		first, last := l.points[0], l.points[len(l.points)-1]
		fmt.Fprintf(b, `<path d="%sL%.1f %.1fL%.1f %.1fZ" fill="%s" fill-opacity="0.12"/>`,
			path.String(), p.atX(last[0]), plotHeight-below, p.atX(first[0]), plotHeight-below, colour)
	}
	if !l.dots {
		width := ""
		if l.thin {
			width = ` style="stroke-width:1.25"`
		}
		fmt.Fprintf(b, `<path class="line" stroke="%s"%s d="%s"/>`, colour, width, path.String())
	}
	const most = 400 // points that can be told apart
	every := len(l.points)/most + 1
	for i := 0; i < len(l.points); i += every {
		pt, r, opacity := l.points[i], 5., 0.
		if l.dots {
			r, opacity = 4, 1
		} else if len(l.points) <= 12 {
			r, opacity = 3, 1
		}
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="%g" fill="%s" fill-opacity="%g"><title>%s: %s at %s</title></circle>`,
			p.atX(pt[0]), p.atY(pt[1]), r, colour, opacity, html.EscapeString(l.name), html.EscapeString(plain(pt[1])), html.EscapeString(p.x.say(pt[0])))
	}
}

func (p *plot) atX(v float64) float64 {
	return plotLeft + p.x.share(v)*(plotWidth-plotLeft-plotRight)
}

func (p *plot) atY(v float64) float64 {
	return plotHeight - below - p.y.share(v)*(plotHeight-plotTop-below)
}

// share is where on the axis a value lies, from 0 to 1.
func (a *axis) share(v float64) float64 {
	s := (v - a.low) / (a.high - a.low)
	if a.log {
		s = math.Log(max(v, a.low)/a.low) / math.Log(a.high/a.low)
	}
	return min(1, max(0, s))
}

// fit sets the ends by the data.
func (a *axis) fit(lines []line, dim int) {
	if a.low < a.high {
		return
	}
	low, high := math.Inf(1), math.Inf(-1)
	for _, l := range lines {
		for _, p := range l.points {
			if a.log && p[dim] <= 0 {
				continue
			}
			low, high = min(low, p[dim]), max(high, p[dim])
		}
	}
	if low > high {
		low, high = 1, 2
	}
	switch {
	case a.log:
		a.low, a.high = low/1.15, high*1.15
		if a.high/a.low < 10 { // a decade at least, so that there are ticks
			middle := math.Sqrt(a.low * a.high)
			a.low, a.high = middle/math.Sqrt(10), middle*math.Sqrt(10)
		}
	case a.zero:
		a.low, a.high = 0, high*1.08
	default:
		a.low, a.high = low, high
	}
	if a.high <= a.low {
		a.high = a.low + 1
	}
}

// marks are the values at which the axis is labelled.
func (a *axis) marks() (values []float64) {
	if a.ticks != nil {
		return a.ticks(*a)
	}
	if a.log {
		for decade := math.Pow(10, math.Floor(math.Log10(a.low))); decade <= a.high; decade *= 10 {
			for _, m := range []float64{1, 2, 5} {
				if v := decade * m; v >= a.low && v <= a.high && (m == 1 || a.high/a.low < 200) {
					values = append(values, v)
				}
			}
		}
		return values
	}
	stepOf := func(span float64) float64 {
		raw := span / 5
		decade := math.Pow(10, math.Floor(math.Log10(raw)))
		for _, m := range []float64{1, 2, 2.5, 5} {
			if decade*m >= raw {
				return decade * m
			}
		}
		return decade * 10
	}
	step := stepOf(a.high - a.low)
	for v := math.Ceil(a.low/step) * step; v <= a.high+step/1e6; v += step {
		values = append(values, v)
	}
	return values
}

func (a *axis) say(v float64) string {
	if a.label != nil {
		return a.label(v)
	}
	return short(v)
}

// short writes a tick: thousands as k, millions as M.
func short(v float64) string {
	switch {
	case v == 0:
		return "0"
	case math.Abs(v) >= 1e6:
		return trim(v/1e6) + "M"
	case math.Abs(v) >= 1e4:
		return trim(v/1e3) + "k"
	}
	return trim(v)
}

func trim(v float64) string {
	s := fmt.Sprintf("%.3f", v)
	return strings.TrimRight(strings.TrimRight(s, "0"), ".")
}

// legend names the lines, where there is more than the one that the title names.
func (p *plot) legend() string {
	if len(p.lines) < 2 {
		return ""
	}
	var b strings.Builder
	b.WriteString(`<div class="legend">`)
	for _, l := range p.lines {
		fmt.Fprintf(&b, `<span><i style="background:var(--s%d)"></i>%s</span>`, l.colour, html.EscapeString(l.name))
	}
	b.WriteString("</div>")
	return b.String()
}

// card is the plot with its title and legend.
func (p *plot) card() string {
	return fmt.Sprintf(`<section class="card"><h3>%s</h3><p class="unit">%s</p>%s%s</section>`,
		html.EscapeString(p.title), html.EscapeString(p.unit), p.legend(), p.svg())
}
