package report

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSeries(t *testing.T) {
	s := Series{3, 1, 2}
	require.InDelta(t, 2, s.Median(), 0)
	require.InDelta(t, 1, s.Least(), 0)
	require.InDelta(t, 3, s.Most(), 0)
	require.InDelta(t, 1.5, Series{2, 1}.Median(), 0)
	require.Zero(t, Series{}.Median()+Series{}.Least()+Series{}.Most())
	require.Equal(t, Series{1.5, 2}, s.Over(Series{2, 0, 1}), "what was not measured makes no ratio")
}

func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		goal Goal
		want string
	}{
		{Goal{Limit: 0.4, Figures: Series{0.39, 0.41, 0.4}}, Met},
		{Goal{Limit: 0.4, Figures: Series{0.39, 0.38, 0.9}}, Missed},
		{Goal{Limit: 5, AtMost: true, Figures: Series{5}}, Met},
		{Goal{Limit: 5, AtMost: true, Figures: Series{5.1}}, Missed},
		{Goal{Limit: 0, AtMost: true, Figures: Series{0}}, Met},
		{Goal{Limit: 5}, NotMeasured},
	} {
		require.Equal(t, c.want, c.goal.Verdict(), "%+v", c.goal)
	}
}

func TestTooManyDeclinesFail(t *testing.T) {
	r := &Report{Loads: []*Load{
		{Name: "fine", Approved: 10_000, Declined: 10},
		{Name: "one too many", Approved: 10_000, Declined: 4, Shed: 3, Unanswered: 5},
		{Name: "no client"},
	}}
	r.Check()
	require.Equal(t, []string{"one too many: 12 of 10012 requests were not approved (4 declined, 3 shed, 5 without an answer)"}, r.Failures)
	var out strings.Builder
	require.NoError(t, r.Text(&out))
	require.Contains(t, out.String(), "!!! FAILED: one too many")
}

// Who ended a load early left some without an answer himself.
func TestALoadThatWasCutShortFailsNothing(t *testing.T) {
	r := &Report{Loads: []*Load{{Name: "cut", Cut: true, Approved: 10, Unanswered: 5}}}
	r.Check()
	require.Empty(t, r.Failures)
}

// It is said where a reader begins, and where the table ends.
func TestWhatIsUnprovedSaysSo(t *testing.T) {
	require.False(t, (&Report{Unproved: "boom"}).Measured())
	r := &Report{Unproved: "boom <1>", Loads: []*Load{{Name: "authorize", Rate: Series{50_000}}}}
	require.True(t, r.Measured())
	var text, page strings.Builder
	require.NoError(t, r.Text(&text))
	require.Regexp(t, `(?s)^tillbench\n\n!!! UNPROVED: [^\n]*: boom <1>\n.*\nauthorize +50,000.*\n!!! UNPROVED: [^\n]*: boom <1>\n$`, text.String())
	require.NoError(t, r.HTML(&page))
	require.Contains(t, page.String(), "<b>Unproved.</b>")
	require.Contains(t, page.String(), "boom &lt;1&gt;")
	r.Unproved = ""
	text.Reset()
	require.NoError(t, r.Text(&text))
	require.NotContains(t, text.String(), "UNPROVED")
}

func TestFiguresAreReadable(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.0123: "0.012", 0.456: "0.46", 4.256: "4.26", 45.67: "45.7", 456.7: "457", 1234567: "1,234,567"} {
		require.Equal(t, want, plain(v))
	}
	require.Equal(t, "-1,000", whole(-1000))
	require.Equal(t, "2.00 ms", amount(2, "ms"))
}

func TestText(t *testing.T) {
	r := &Report{
		Machine:  Machine{CPU: "Abacus", Cores: 2, Memory: "1 GiB", Kernel: "Linux", Go: "go1.26", Load: "0.00"},
		Settings: []Pair{{"load", "authorize"}},
		Loads: []*Load{
			{Name: "authorize", Rate: Series{50_000, 60_000}, Latency: map[string]Series{"p50": {1.5}, "p99": {3}, "p99.9": {4}},
				Client: Series{0.5, 0.6}, Server: Series{1, 1.2}, Approved: 110_000},
			{Name: "bare", Rate: Series{200_000}},
			{Name: "authorize at half", Open: true, Rate: Series{25_000}, Latency: map[string]Series{"max": {9.87}}, Client: Series{1}, Server: Series{1}},
		},
		Figures: []*Figure{{"one sync", "ms", Series{0.2, 0.3}}},
		Goals:   []Goal{{What: "ratio", Limit: 0.6, Figures: Series{0.25}, Note: "of two"}, {What: "start", Unit: "s", AtMost: true, Limit: 3}},
		Notes:   []string{"The books add up."},
	}
	var out strings.Builder
	require.NoError(t, r.Text(&out))
	var lines []string
	for _, l := range strings.Split(out.String(), "\n") {
		lines = append(lines, strings.Join(strings.Fields(l), " "))
	}
	text := strings.Join(lines, "\n")
	for _, want := range []string{
		"machine Abacus, 2 cores, 1 GiB\n",
		"\nauthorize 55,000 50,000 … 60,000 1.50 3.00 4.00 0.55 1.10 10.0 + 20.0 0\n",
		"\nbare 200,000 200,000 … 200,000 – – – – – – –\n",
		"\nauthorize at half 25,000 25,000 … 25,000 – – – – – 9.87 1.00 1.00 40.0 + 40.0 0\n",
		"\none sync 0.25 ms 0.20 … 0.30\n",
		"\nratio ≥ 0.60 0.25 missed (of two)\n",
		"\nstart ≤ 3.00 s – not measured\n",
		"* The books add up.",
	} {
		require.Contains(t, text, want)
	}
}
