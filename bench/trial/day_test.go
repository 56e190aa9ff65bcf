package trial

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/stretchr/testify/require"

	"tillgate/bench/day"
	"tillgate/bench/load"
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

	// Which of them a log beside the server had, too: the answers of the first
	// came in the slot after, the second is half as long as is needed.
	log := []load.Point{{Most: 40 * ms}, {}, {}, {}, {Most: 25 * ms}, {Most: 25 * ms}, {}, {Most: 150 * ms}}
	require.Equal(t, 2, countShared(stalls, log))
	require.Equal(t, 1, countShared(stalls, log[:4]), "a log that has ended")
	require.Zero(t, countShared(stalls, nil))
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
