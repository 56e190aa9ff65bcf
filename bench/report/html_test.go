package report

import (
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// full is a report with something of everything.
func full() *Report {
	latency := map[string]float64{"p50": 1, "p99": 4, "p99.9": 9, "max": 12}
	return &Report{
		Machine: Machine{CPU: "Abacus <2>", Cores: 2},
		Loads: []*Load{
			{Name: "authorize & void", Ours: true, Rate: Series{900, 1000, 1100}, Curve: []XY{{1, 1}, {2, 1.5}, {100, 4}, {1000, 9}},
				Timeline: []Moment{{1, 900, 1, 4, 9}, {2, 0, 0, 0, 0}, {3, 1100, 1, 3, 8}}},
			{Name: "authorize at half", Ours: true, Open: true, Rate: Series{500}, Curve: []XY{{1, 0.5}, {2, 0.5}}},
			{Name: "bare", Rate: Series{5000}},
		},
		Climbs: []*Climb{
			{Name: "a day", Saturation: 1000, Rungs: []Rung{{Offered: 500, Latency: latency}, {Offered: 250, Latency: latency}}},
			{Name: "a search", Saturation: 1000, Search: true, Promise: "p99 within 5ms", Best: 900, Rungs: []Rung{{Offered: 900, Latency: latency, Kept: true}}},
		},
		Watches: []*Watch{{Name: "a soak", LoadEnd: 1.5, Samples: []Sample{{At: 0, Memory: 100}, {At: 1, Memory: 120, Projected: 10}, {At: 2, Memory: 110, Projected: 30, ProjectLag: 5}}}},
		Goals:   []Goal{{What: "ratio", Limit: 0.5, Figures: Series{0.6}}, {What: "start", AtMost: true, Limit: 3}, {What: "slow", AtMost: true, Limit: 1, Figures: Series{2}}},
		Figures: []*Figure{{"one sync", "ms", Series{0.2}}},
		Notes:   []string{"a note"}, Failures: []string{"a <failure>"},
	}
}

func TestPageIsCompleteAndAlone(t *testing.T) {
	var b strings.Builder
	require.NoError(t, full().HTML(&b))
	text := b.String()
	for _, want := range []string{
		"Abacus &lt;2&gt;", "authorize &amp; void", `class="chip met">met`, `class="chip not">not measured`, `class="chip missed">missed`,
		"a &lt;failure&gt;", "highest rate that keeps p99 within 5ms: 900/s", "Memory of the server", "behind in PostgreSQL", "the load ends", "a note", "99.9 %",
	} {
		require.Contains(t, text, want)
	}
	require.NotContains(t, text, "NaN")
	require.NotContains(t, text, "Inf")
	require.NotRegexp(t, `(?i)(src|href)=|https?://|<script|@import|url\(`, text, "it must need nothing from anywhere")
	require.Equal(t, 1+2+2+4+2, strings.Count(text, "<svg "), "bars, percentiles, climbs, the soak, over time")
}

// Every picture is XML that can be taken out of the page.
func TestPicturesAreWellFormed(t *testing.T) {
	var b strings.Builder
	require.NoError(t, full().HTML(&b))
	for _, svg := range regexp.MustCompile(`(?s)<svg .*?</svg>`).FindAllString(b.String(), -1) {
		d := xml.NewDecoder(strings.NewReader(svg))
		for {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err, svg)
		}
	}
}

func TestBarsThatDoNotFitAreBroken(t *testing.T) {
	require.InDelta(t, 100, barEnd([]float64{100}), 0)
	require.InDelta(t, 100, barEnd([]float64{40, 100, 10, 5}), 0)
	require.InDelta(t, 140, barEnd([]float64{100, 1000, 10, 5}), 1e-9)
	require.InDelta(t, 5, barEnd([]float64{5, 0, 0, 0}), 0)
}

func TestAxes(t *testing.T) {
	a := axis{zero: true}
	a.fit([]line{{points: []XY{{0, 10}, {1, 93}}}}, 1)
	require.InDelta(t, 0, a.low, 0)
	require.Equal(t, []float64{0, 25, 50, 75, 100}, a.marks())
	require.InDelta(t, 0.5, a.share(a.high/2), 1e-9)
	logs := axis{log: true}
	logs.fit([]line{{points: []XY{{0, 0}, {1, 0.5}, {2, 900}}}}, 1)
	require.Equal(t, []float64{1, 10, 100, 1000}, logs.marks(), "zero has no place on it; from 0.43 to 1,035 decades are enough")
	require.InDelta(t, 0, logs.share(0), 0)
	narrow := axis{log: true}
	narrow.fit([]line{{points: []XY{{0, 3}, {1, 4}}}}, 1)
	require.Len(t, narrow.marks(), 3, "a decade at least")
	none := axis{}
	none.fit(nil, 0)
	require.Less(t, none.low, none.high)
	for v, want := range map[float64]string{0: "0", 0.25: "0.25", 950: "950", 12_500: "12.5k", 2_000_000: "2M"} {
		require.Equal(t, want, short(v))
	}
	require.Equal(t, "99.99 %", percent(1e4))
	require.Equal(t, "50 %", percent(2))
}
