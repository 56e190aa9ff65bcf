package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Text writes the report for people.
func (r *Report) Text(w io.Writer) error {
	out := &strings.Builder{}
	m := r.Machine
	fmt.Fprintf(out, "tillbench\n\n")
	r.unproved(out)
	pairs := append([]Pair{
		{"machine", fmt.Sprintf("%s, %d cores, %s", m.CPU, m.Cores, m.Memory)},
		{"system", fmt.Sprintf("%s, %s; load average %s before the run", m.Kernel, m.Go, m.Load)},
	}, r.Settings...)
	table(out, func(t *tabwriter.Writer) {
		for _, p := range pairs {
			fmt.Fprintf(t, "%s\t%s\n", p.Name, p.Value)
		}
	})
	r.loads(out, false, "THROUGHPUT, closed loop (median of the repeats, least … greatest; latency of a request in milliseconds)")
	r.loads(out, true, "LATENCY, open loop (from the intended moment of sending, in milliseconds)")
	r.climbs(out)
	r.figures(out)
	r.goals(out)
	for _, n := range r.Notes {
		fmt.Fprintf(out, "* %s\n", n)
	}
	for _, f := range r.Failures {
		fmt.Fprintf(out, "\n!!! FAILED: %s\n", f)
	}
	out.WriteString("\n")
	r.unproved(out)
	_, err := io.WriteString(w, strings.TrimRight(out.String(), "\n")+"\n")
	return err
}

// unproved is said before the figures and behind them: a table is soon taken
// for what it is not.
func (r *Report) unproved(out *strings.Builder) {
	if r.Unproved != "" {
		fmt.Fprintf(out, "!!! UNPROVED: the run ended before its books were proved, so these figures prove nothing: %s\n\n", r.Unproved)
	}
}

func table(out *strings.Builder, rows func(t *tabwriter.Writer)) {
	t := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	rows(t)
	_ = t.Flush() // into memory
}

func (r *Report) loads(out *strings.Builder, open bool, title string) {
	some := false
	table(out, func(t *tabwriter.Writer) {
		for _, l := range r.Loads {
			if l.Open != open {
				continue
			}
			if !some {
				fmt.Fprintf(t, "\n%s\n\n\tper second\tspread", title)
				for _, p := range percents(open) {
					fmt.Fprintf(t, "\t%s", p)
				}
				fmt.Fprint(t, "\tcores: client\tserver\tµs each: client + server\tnot approved\n")
				some = true
			}
			l.row(t)
		}
	})
}

// percents are the percentiles that are told of a kind of load.
func percents(open bool) (names []string) {
	for _, p := range Percents {
		if open || p.Name == "p50" || p.Name == "p99" || p.Name == "p99.9" {
			names = append(names, p.Name)
		}
	}
	return names
}

func (l *Load) row(t io.Writer) {
	fmt.Fprintf(t, "%s\t%s\t%s … %s", l.Name, whole(l.Rate.Median()), whole(l.Rate.Least()), whole(l.Rate.Most()))
	for _, p := range percents(l.Open) {
		told := "–"
		if s := l.Latency[p]; len(s) > 0 {
			told = plain(s.Median())
		}
		fmt.Fprintf(t, "\t%s", told)
	}
	if len(l.Client) == 0 { // no client: a writer by itself
		fmt.Fprint(t, "\t–\t–\t–\t–\n")
		return
	}
	each := func(s Series) float64 { return 1e6 * s.Over(l.Rate).Median() }
	fmt.Fprintf(t, "\t%.2f\t%.2f\t%.1f + %.1f\t%d\n", l.Client.Median(), l.Server.Median(),
		each(l.Client), each(l.Server), l.Declined+l.Shed+l.Unanswered)
}

// climbs tells the latency at each rate.
func (r *Report) climbs(out *strings.Builder) {
	for _, c := range r.Climbs {
		table(out, func(t *tabwriter.Writer) {
			fmt.Fprintf(t, "\nLATENCY AGAINST RATE: %s, saturation %s/s (open loop, milliseconds)\n\nper second\treached", c.Name, whole(c.Saturation))
			for _, p := range Percents {
				fmt.Fprintf(t, "\t%s", p.Name)
			}
			fmt.Fprint(t, "\tnot approved\n")
			for _, rung := range c.Rungs {
				fmt.Fprintf(t, "%s\t%s", whole(rung.Offered), whole(rung.Rate))
				for _, p := range Percents {
					fmt.Fprintf(t, "\t%s", plain(rung.Latency[p.Name]))
				}
				fmt.Fprintf(t, "\t%d", rung.Bad)
				if c.Search && rung.Kept {
					fmt.Fprint(t, "\tkept")
				}
				fmt.Fprintln(t)
			}
		})
		if c.Search {
			fmt.Fprintf(out, "the highest rate that keeps %s: %s/s\n", c.Promise, whole(c.Best))
		}
	}
}

func (r *Report) figures(out *strings.Builder) {
	if len(r.Figures) == 0 {
		return
	}
	table(out, func(t *tabwriter.Writer) {
		fmt.Fprint(t, "\nBESIDE THAT\n\n")
		for _, f := range r.Figures {
			fmt.Fprintf(t, "%s\t%s\t%s\n", f.Name, amount(f.Values.Median(), f.Unit), spread(f.Values))
		}
	})
}

func (r *Report) goals(out *strings.Builder) {
	if len(r.Goals) == 0 {
		out.WriteString("\n")
		return
	}
	table(out, func(t *tabwriter.Writer) {
		fmt.Fprint(t, "\nGOALS\n\nwhat\tgoal\tfigure\tspread\tverdict\n")
		for _, g := range r.Goals {
			sign := "≥"
			if g.AtMost {
				sign = "≤"
			}
			figure, between := "–", ""
			if len(g.Figures) > 0 {
				figure, between = amount(g.Figures.Median(), g.Unit), spread(g.Figures)
			}
			verdict := g.Verdict()
			if g.Note != "" {
				verdict += " (" + g.Note + ")"
			}
			fmt.Fprintf(t, "%s\t%s %s\t%s\t%s\t%s\n", g.What, sign, amount(g.Limit, g.Unit), figure, between, verdict)
		}
	})
	out.WriteString("\n")
}

func spread(s Series) string {
	if len(s) < 2 {
		return ""
	}
	return plain(s.Least()) + " … " + plain(s.Most())
}

// amount is a figure with its unit.
func amount(v float64, unit string) string {
	if unit == "" {
		return plain(v)
	}
	return plain(v) + " " + unit
}

// plain writes a figure with as many digits as say something.
func plain(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 0.1:
		return fmt.Sprintf("%.3f", v)
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	return whole(v)
}

// whole writes a figure without fractions, thousands apart.
func whole(v float64) string {
	digits := fmt.Sprintf("%.0f", v)
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return sign + digits
}
