package report

import (
	_ "embed"
	"fmt"
	"html"
	"io"
	"math"
	"slices"
	"strings"
)

//go:embed style.css
var style string

// HTML writes the report as one page that needs nothing else: no script, no
// font, no picture from anywhere.
func (r *Report) HTML(w io.Writer) error {
	b := &page{}
	b.add(`<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">`)
	b.add(`<title>tillbench</title><style>` + style + `</style><main><h1>tillbench</h1>`)
	b.facts(r)
	if r.Unproved != "" {
		b.add(`<div class="card failed"><b>Unproved.</b> The run ended before its books were proved, so these figures prove nothing: ` + html.EscapeString(r.Unproved) + `</div>`)
	}
	for _, f := range r.Failures {
		b.add(`<div class="card failed"><b>The run failed.</b> ` + html.EscapeString(f) + `</div>`)
	}
	b.goals(r.Goals)
	b.throughput(r.Loads)
	b.percentiles(r.Loads)
	b.climbs(r.Climbs)
	b.watches(r.Watches)
	b.timelines(r.Loads)
	b.figures(r.Figures)
	if len(r.Notes) > 0 {
		b.head("Notes", "")
		b.add(`<ul class="notes">`)
		for _, n := range r.Notes {
			b.add("<li>" + html.EscapeString(n) + "</li>")
		}
		b.add("</ul>")
	}
	b.add("</main></html>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

type page struct{ strings.Builder }

func (b *page) add(text string) { b.WriteString(text) }

func (b *page) head(title, note string) {
	b.add("<h2>" + html.EscapeString(title) + "</h2>")
	if note != "" {
		b.add(`<p class="note">` + html.EscapeString(note) + "</p>")
	}
}

func (b *page) facts(r *Report) {
	m := r.Machine
	b.add(`<p class="note">What was measured, in one run on one machine. Figures are medians of the repeats, with the least and the greatest beside them.</p><dl class="facts">`)
	for _, p := range append([]Pair{
		{"machine", fmt.Sprintf("%s, %d cores, %s", m.CPU, m.Cores, m.Memory)},
		{"system", fmt.Sprintf("%s, %s; load average %s before the run", m.Kernel, m.Go, m.Load)},
	}, r.Settings...) {
		b.add("<dt>" + html.EscapeString(p.Name) + "</dt><dd>" + html.EscapeString(p.Value) + "</dd>")
	}
	b.add("</dl>")
}

func (b *page) table(head []string, rows [][]string) {
	b.add(`<div class="card scroll"><table><tr>`)
	for _, h := range head {
		b.add("<th>" + html.EscapeString(h) + "</th>")
	}
	b.add("</tr>")
	for _, row := range rows {
		b.add("<tr>")
		for _, cell := range row {
			b.add(cell)
		}
		b.add("</tr>")
	}
	b.add("</table></div>")
}

func cell(text string) string { return "<td>" + html.EscapeString(text) + "</td>" }
func soft(text string) string { return `<td class="small">` + html.EscapeString(text) + "</td>" }

func (b *page) goals(goals []Goal) {
	if len(goals) == 0 {
		return
	}
	b.head("Goals", "Both sides of a ratio were measured in turns, in the same repeat.")
	var rows [][]string
	for _, g := range goals {
		sign, class := "≥ ", strings.Fields(g.Verdict())[0]
		if g.AtMost {
			sign = "≤ "
		}
		figure := "–"
		if len(g.Figures) > 0 {
			figure = amount(g.Figures.Median(), g.Unit)
		}
		rows = append(rows, []string{
			cell(g.What), cell(sign + amount(g.Limit, g.Unit)), "<td><b>" + html.EscapeString(figure) + "</b></td>", soft(spread(g.Figures)),
			fmt.Sprintf(`<td><span class="chip %s">%s</span></td>`, class, g.Verdict()), `<td class="why">` + html.EscapeString(g.Note) + "</td>",
		})
	}
	b.table([]string{"", "goal", "figure", "least … greatest", "verdict", ""}, rows)
}

func (b *page) figures(figures []*Figure) {
	if len(figures) == 0 {
		return
	}
	b.head("Beside that", "")
	var rows [][]string
	for _, f := range figures {
		rows = append(rows, []string{cell(f.Name), cell(amount(f.Values.Median(), f.Unit)), soft(spread(f.Values))})
	}
	b.table([]string{"", "figure", "least … greatest"}, rows)
}

// throughput draws a bar for each closed load.
func (b *page) throughput(loads []*Load) {
	var closed []*Load
	var rates []float64
	for _, l := range loads {
		if !l.Open {
			closed, rates = append(closed, l), append(rates, l.Rate.Most())
		}
	}
	if len(closed) == 0 {
		return
	}
	b.head("Throughput", "Closed loop: every connection always has as many requests in flight as it may. The thin line is the spread over the repeats.")
	const left, width, row = 300., 1080., 34.
	end := width - 110
	fmt.Fprintf(b, `<div class="card scroll"><svg viewBox="0 0 %g %g" role="img" aria-label="throughput">`, width, row*float64(len(closed)))
	scale := (end - left) / max(1, barEnd(rates))
	at := func(rate float64) float64 { return min(left+rate*scale, end) }
	for i, l := range closed {
		y, colour := row*float64(i), 7
		if l.Ours {
			colour = 0
		}
		median := l.Rate.Median()
		fmt.Fprintf(b, `<text x="%g" y="%.1f" text-anchor="end">%s</text>`, left-12, y+21, html.EscapeString(l.Name))
		fmt.Fprintf(b, `<rect x="%g" y="%.1f" width="%.1f" height="18" rx="3" fill="var(--s%d)"/>`, left, y+8, max(1, at(median)-left), colour)
		fmt.Fprintf(b, `<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="var(--ink)" stroke-opacity="0.6" stroke-width="1.5"/>`,
			at(l.Rate.Least()), at(l.Rate.Most()), y+17, y+17)
		if left+median*scale > end { // a bar that doesn't fit is broken
			fmt.Fprintf(b, `<path d="M%.1f %.1fl8 -26h5l-8 26z" fill="var(--card)"/>`, end-40, y+30)
		}
		fmt.Fprintf(b, `<text x="%.1f" y="%.1f">%s/s</text>`, max(at(median), at(l.Rate.Most()))+8, y+21, whole(median))
	}
	b.add("</svg></div>")
}

// barEnd is the rate at the end of the longest bar that fits: one that is many
// times the next would leave nothing to be seen of all others, where there are
// some.
func barEnd(rates []float64) float64 {
	sorted := slices.Sorted(slices.Values(rates))
	most := sorted[len(sorted)-1]
	if len(sorted) > 3 {
		if next := sorted[len(sorted)-2]; next > 0 && most > 3*next {
			return next * 1.4
		}
	}
	return most
}

// percentiles draws the latency curves of open and of closed loads.
func (b *page) percentiles(loads []*Load) {
	var open, closed []line
	for _, l := range loads {
		if len(l.Curve) == 0 || !l.Ours && !l.Open {
			continue
		}
		list := &closed
		if l.Open {
			list = &open
		}
		*list = append(*list, line{name: l.Name, colour: len(*list) % 8, points: l.Curve})
	}
	if len(open)+len(closed) == 0 {
		return
	}
	b.head("Latency by percentile", "All repeats together. Open loop counts from the moment at which a request was meant to be sent, so that a server that stalls is charged for everything that should have been sent meanwhile.")
	b.add(`<div class="cards">`)
	for _, p := range []struct {
		title string
		lines []line
	}{{"Open loop", open}, {"Closed loop: a full queue", closed}} {
		if len(p.lines) == 0 {
			continue
		}
		c := plot{
			title: p.title, unit: "milliseconds by percentile", lines: p.lines, y: axis{log: true},
			x: axis{log: true, label: percent, ticks: nines, name: "percentile"},
		}
		b.add(c.card())
	}
	b.add("</div>")
}

// percent writes what 1/(1−p) means.
func percent(v float64) string {
	if v < 1.0001 {
		return "0 %"
	}
	return trim(math.Round(1e5*(100-100/v))/1e5) + " %"
}

// nines are the percentiles at which people look.
func nines(a axis) (values []float64) {
	for _, v := range []float64{2, 10, 100, 1000, 1e4, 1e5, 1e6, 1e7} {
		if v >= a.low && v <= a.high {
			values = append(values, v)
		}
	}
	return values
}

func (b *page) climbs(climbs []*Climb) {
	if len(climbs) == 0 {
		return
	}
	b.head("Latency against rate", "Open loop at each rate; the dashed line is what the closed loop reached.")
	b.add(`<div class="cards">`)
	for _, c := range climbs {
		p := plot{
			title: c.Name, unit: "milliseconds by requests a second", x: axis{zero: true, name: "requests a second"}, y: axis{log: true},
			marks: []mark{{c.Saturation, "saturation"}},
		}
		if c.Search {
			p.unit = fmt.Sprintf("search for the highest rate that keeps %s: %s/s", c.Promise, whole(c.Best))
			p.marks = append(p.marks, mark{c.Best, "kept"})
		}
		rungs := slices.Clone(c.Rungs)
		slices.SortFunc(rungs, func(a, b Rung) int { return int(a.Offered - b.Offered) })
		for i, name := range []string{"p50", "p99", "p99.9", "max"} {
			l := line{name: name, colour: i}
			for _, r := range rungs {
				l.points = append(l.points, XY{r.Offered, r.Latency[name]})
			}
			p.lines = append(p.lines, l)
		}
		p.x.low, p.x.high = 0, c.Saturation*1.05
		b.add(p.card())
	}
	b.add("</div>")
}

// timelines draws throughput and latency over time for each load of the
// server, of the last repeat.
func (b *page) timelines(loads []*Load) {
	some := false
	for _, l := range loads {
		if !l.Ours || len(l.Timeline) < 3 {
			continue
		}
		if !some {
			b.head("Over time", "The last repeat of each load: answers a second, and how long they took.")
			b.add(`<div class="cards">`)
			some = true
		}
		rate := line{name: "answers a second", colour: 0, area: true}
		p50, p99, most := line{name: "p50", colour: 0}, line{name: "p99", colour: 1}, line{name: "longest", colour: 4, thin: true}
		for _, m := range l.Timeline {
			rate.points = append(rate.points, XY{m.At, m.Rate})
			if m.Rate > 0 {
				p50.points = append(p50.points, XY{m.At, m.P50})
				p99.points = append(p99.points, XY{m.At, m.P99})
				most.points = append(most.points, XY{m.At, m.Max})
			}
		}
		over := axis{name: "seconds"}
		throughput := plot{title: l.Name, unit: "answers a second", lines: []line{rate}, x: over, y: axis{zero: true}}
		latency := plot{title: l.Name, unit: "milliseconds", lines: []line{most, p99, p50}, x: over, y: axis{log: true}}
		b.add(throughput.card() + latency.card())
	}
	if some {
		b.add("</div>")
	}
}

func (b *page) watches(watches []*Watch) {
	for _, w := range watches {
		if len(w.Samples) < 3 {
			continue
		}
		b.head(w.Name, "What was seen of the server while it ran.")
		b.add(`<div class="cards">`)
		take := func(name string, colour int, of func(s Sample) float64) line {
			l := line{name: name, colour: colour}
			for _, s := range w.Samples {
				l.points = append(l.points, XY{s.At, of(s)})
			}
			return l
		}
		over := axis{name: "seconds"}
		add := func(title, unit string, lines ...line) {
			p := plot{title: title, unit: unit, lines: lines, x: over, y: axis{zero: true}}
			if w.LoadEnd > 0 {
				p.marks = []mark{{w.LoadEnd, "the load ends"}}
			}
			b.add(p.card())
		}
		memory := take("memory", 2, func(s Sample) float64 { return s.Memory })
		disk := take("data directory", 3, func(s Sample) float64 { return s.Disk })
		memory.area, disk.area = true, true
		add("Memory of the server", "MiB, resident", memory)
		add("Disk", "MiB of the data directory", disk)
		if w.Samples[len(w.Samples)-1].Projected > 0 {
			add("How far the stream is behind", "records",
				take("behind in Kafka", 0, func(s Sample) float64 { return s.PublishLag }),
				take("behind in PostgreSQL", 1, func(s Sample) float64 { return s.ProjectLag }))
			add("What has come through", "records a second", speed("Kafka", 0, w.Samples, func(s Sample) float64 { return s.Published }),
				speed("PostgreSQL", 1, w.Samples, func(s Sample) float64 { return s.Projected }))
		}
		b.add("</div>")
	}
}

// speed is how fast a counter has grown between two samples.
func speed(name string, colour int, samples []Sample, of func(s Sample) float64) line {
	l := line{name: name, colour: colour}
	for i := 1; i < len(samples); i++ {
		if took := samples[i].At - samples[i-1].At; took > 0 {
			l.points = append(l.points, XY{samples[i].At, max(0, of(samples[i])-of(samples[i-1])) / took})
		}
	}
	return l
}
