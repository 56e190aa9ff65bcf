package load

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Every latency lies in a bin whose top is above it, by a quarter at most.
func TestBinsHoldTheirLatencies(t *testing.T) {
	for took := time.Microsecond; took < time.Hour; took += took/7 + time.Microsecond {
		top := binTop(bin(took))
		require.Greater(t, top, took.Truncate(time.Microsecond), took)
		require.LessOrEqual(t, float64(top), 1.25*float64(took)+float64(2*time.Microsecond), took)
	}
	require.Equal(t, bins-1, bin(1000*time.Hour))
	require.Zero(t, bin(0))
}

func TestTimeline(t *testing.T) {
	begin := time.Now()
	l := newTimeline(begin, time.Second)
	require.Equal(t, 100*time.Millisecond, l.Slot)
	for i := range 100 {
		l.add(begin.Add(250*time.Millisecond), time.Duration(i+1)*time.Millisecond)
	}
	l.add(begin.Add(-time.Second), time.Second)
	l.add(begin.Add(time.Hour), time.Second)
	points := l.Points(time.Hour)
	require.Len(t, points, 3, "nothing after the last answer")
	require.Zero(t, points[0].Answers+points[1].Answers)
	p := points[2]
	require.Equal(t, int64(100), p.Answers)
	require.Equal(t, 300*time.Millisecond, p.At)
	require.Equal(t, 100*time.Millisecond, p.Most)
	require.InEpsilon(t, 50, float64(p.P50)/float64(time.Millisecond), 0.25)
	require.InEpsilon(t, 99, float64(p.P99)/float64(time.Millisecond), 0.25)
	require.Equal(t, time.Second, newTimeline(begin, 30*time.Minute).Slot)
	require.LessOrEqual(t, len(newTimeline(begin, 24*time.Hour).slots), maxSlots)
}

// A server that takes nothing more leaves requests unsent, and they are told:
// otherwise a run against it would look as fast as what it has answered.
func TestWhatIsNeverSentIsCounted(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits until requests are given up; leave out -short")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	go func() {
		if conn, err := l.Accept(); err == nil {
			_, _ = io.CopyN(conn, conn, 10)
			_, _ = io.Copy(io.Discard, conn)
		}
	}()
	var told int
	r, err := Run(t.Context(), Options{
		Address: l.Addr().String(), Connections: 1, InFlight: 5, Rate: 100, Duration: time.Second,
		Wire: func(int) Wire { return &oneByte{} }, Live: func(time.Duration, Point) { told++ },
	})
	require.NoError(t, err)
	require.Equal(t, int64(10), r.Approved)
	require.Equal(t, int64(5), r.Unanswered)
	require.InDelta(t, 100, r.Approved+r.Unanswered+r.Unsent, 50, "none of the schedule is forgotten")
	require.Positive(t, told)
}
