package trial

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/stretchr/testify/require"

	"tillgate/bench/day"
	"tillgate/bench/load"
	"tillgate/bench/report"
	"tillgate/bench/rig"
)

// Several slots in a row in which somebody waited are one stall: a shop would
// tell of one.
func TestStallsAreCountedOnce(t *testing.T) {
	var points []load.Point
	for _, ms := range []int{1, 60, 80, 2, 50, 51, 1, 300} {
		points = append(points, load.Point{Most: time.Duration(ms) * time.Millisecond})
	}
	const ms = time.Millisecond
	stalls := findStalls(points)
	require.Equal(t, []stall{{1, 2, 80 * ms}, {5, 5, 51 * ms}, {7, 7, 300 * ms}}, stalls)
	require.Equal(t, 300*ms, longestWait(points))
	require.Empty(t, findStalls(nil))
	require.Zero(t, longestWait(nil))
}

// A stall is the disk's if a log beside the server had it at the same moment,
// whichever of the two began to be measured first.
func TestWhichStallsTheDiskHad(t *testing.T) {
	const ms, slot = time.Millisecond, 100 * time.Millisecond
	stalls := []stall{{10, 11, 80 * ms}, {20, 20, 60 * ms}, {30, 30, 300 * ms}}
	log := func(most map[int]int) (points []load.Point) {
		for i := range 60 {
			points = append(points, load.Point{At: time.Duration(i+1) * slot, Most: time.Duration(most[i]) * ms})
		}
		return points
	}
	for _, c := range []struct {
		of    string
		most  map[int]int // by slots of the log, milliseconds
		later time.Duration
		want  int
	}{
		{"at the same time, one of them for less than half as long", map[int]int{10: 40, 20: 25, 30: 150}, 0, 2},
		{"a slot before and a slot after", map[int]int{9: 80, 21: 60, 28: 300, 32: 300}, 0, 2},
		{"two slots away", map[int]int{8: 80, 13: 80, 18: 60, 22: 60}, 0, 0},
		{"the log began two seconds before", map[int]int{30: 80, 40: 60, 50: 300}, 20 * slot, 3},
		{"the slots that they would be without that", map[int]int{10: 80, 20: 60, 30: 300}, 20 * slot, 1},
		{"the log began after", map[int]int{5: 80, 15: 60, 25: 300}, -5 * slot, 3},
		{"its slots lie across", map[int]int{14: 80, 26: 60, 32: 300, 37: 300}, 4*slot + 30*ms, 2},
		{"nothing", nil, 0, 0},
	} {
		require.Equal(t, c.want, countShared(stalls, log(c.most), slot, c.later), c.of)
	}
	require.Equal(t, 1, countShared(stalls, log(map[int]int{10: 40, 30: 150})[:12], slot, 0), "a log that has ended")
	require.Zero(t, countShared(stalls, nil, slot, 0))
}

// A promise is kept by what was measured: not by nothing, and not by leaving
// out what was slow.
func TestWhatKeepsAPromise(t *testing.T) {
	result := func(ms ...int) *load.Result {
		r := &load.Result{Latency: hdrhistogram.New(1000, int64(time.Minute), 3), Approved: int64(len(ms))}
		for _, v := range ms {
			require.NoError(t, r.Latency.RecordValue(int64(v)*int64(time.Millisecond)))
		}
		return r
	}
	x := &trial{Options: Options{Keep: 90, Within: 5 * time.Millisecond}}
	require.True(t, x.kept(result(1, 1, 1, 1, 1, 1, 1, 1, 1, 9)))
	require.False(t, x.kept(result(1, 1, 1, 1, 1, 1, 1, 1, 9, 9)))
	require.False(t, x.kept(result()))
	unsent := result(1, 1)
	unsent.Unsent = 1
	require.False(t, x.kept(unsent))
}

// What one member can have in flight stays below the holds that an account
// carries, whatever the number of connections.
func TestDrawsBoundWhatIsInFlight(t *testing.T) {
	for _, e := range []edge{{"ISO/TCP", 64, 16}, {"HTTP", 256, 1}, {"one", 1, 1024}} {
		require.Equal(t, e, e.holding(day.Members{}))
		zipf := e.holding(day.Members{Zipf: 1.2})
		require.LessOrEqual(t, zipf.connections*zipf.inFlight, 512)
		hot := e.holding(day.Members{Hot: true})
		require.LessOrEqual(t, hot.connections*hot.inFlight, 256)
		require.Positive(t, hot.inFlight)
	}
}

func TestCurveEndsAtTheLongest(t *testing.T) {
	h := hdrhistogram.New(1000, int64(time.Minute), 3)
	for i := range int64(10_000) {
		require.NoError(t, h.RecordValue((i+1)*int64(time.Millisecond)/100))
	}
	points := curve(h)
	require.InDelta(t, 1, points[0][0], 0)
	last := points[len(points)-1]
	require.InDelta(t, 10_000, last[0], 0)
	require.InDelta(t, 100, last[1], 0.1)
	for i := 1; i < len(points); i++ {
		require.Greater(t, points[i][0], points[i-1][0])
		require.GreaterOrEqual(t, points[i][1], points[i-1][1])
	}
}

func TestMetricsAreRead(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/metrics" {
			_, _ = w.Write([]byte("# HELP x y\n" + publishedMetric + " 1.5e+03\nlabelled{a=\"b\"} 7\nbroken x\n"))
		}
	}))
	defer srv.Close()
	s := &shop{server: &rig.Server{Dir: t.TempDir(), HTTP: strings.TrimPrefix(srv.URL, "http://")}}
	m, err := s.metrics(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string]float64{publishedMetric: 1500}, m)
	sample, err := s.sample(t.Context(), 2*time.Second)
	require.NoError(t, err)
	require.InDelta(t, 1500, sample.Published, 0)
	require.InDelta(t, 2, sample.At, 0)
	require.Equal(t, 200*time.Millisecond, lookEvery(time.Second))
	require.Equal(t, 10*time.Second, lookEvery(10*time.Hour))
}

// TestALoadBeginsWhenTheServerIsWarm: as the server's metrics say.
func TestALoadBeginsWhenTheServerIsWarm(t *testing.T) {
	asked := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		warm := 0
		if asked++; asked == 3 {
			warm = 1
		}
		_, _ = fmt.Fprintf(w, "%s %d\n", warmMetric, warm)
	}))
	defer srv.Close()
	s := &shop{members: MaxMembers, server: &rig.Server{HTTP: strings.TrimPrefix(srv.URL, "http://")}}
	x := &trial{rep: &report.Report{}, figures: map[string]*report.Figure{}}
	require.NoError(t, x.warm(t.Context(), s))
	require.Equal(t, 3, asked)
	require.Len(t, x.rep.Figures, 1, "how long it took is told")
	asked = 3 // never warm again
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, x.warm(interrupted, s), context.Canceled)
}

func TestASoakKeepsARateOrAShare(t *testing.T) {
	o := Options{At: 0.7}
	rate, said := o.soakRate(20_000)
	require.InDelta(t, 14_000, rate, 1e-6)
	require.Equal(t, "70 %", said)
	o.Rate = 12_000
	rate, said = o.soakRate(20_000)
	require.InDelta(t, 12_000, rate, 0)
	require.Equal(t, "12000/s", said)
}
