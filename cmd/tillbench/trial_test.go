package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/bench/day"
	"tillgate/bench/peer"
	"tillgate/bench/report"
	"tillgate/bench/rig"
	"tillgate/bench/trial"
	"tillgate/reconciler/services/servicetest"
)

// asPeer is set in the environment of a test binary that is to be a peer.
const asPeer = "TILLBENCH_TEST_PEER"

func TestMain(m *testing.M) {
	if os.Getenv(asPeer) != "" {
		if err := peer.Main(os.Args[1:], os.Stdin, os.Stdout); err != nil {
			panic(err)
		}
		return
	}
	servicetest.Main(m)
}

func itself(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), asPeer+"=1")
	return cmd
}

// options are those of the shortest trial that means something.
func options(t *testing.T) trial.Options {
	if testing.Short() {
		t.Skip("it builds and runs the server; leave out -short")
	}
	dir := t.TempDir()
	binary, err := rig.Build(t.Context(), dir)
	require.NoError(t, err)
	t.Cleanup(func() {
		left, err := os.ReadDir(filepath.Join(dir, "data"))
		require.NoError(t, err)
		require.Empty(t, left, "nothing stays behind")
	})
	return trial.Options{
		Binary: binary, Data: filepath.Join(dir, "data"), HTTP: true, ISO: true, Members: 2000, Small: 1000,
		Length: 800 * time.Millisecond, Repeats: 1, Connections: 8, InFlight: 4, Rate: 400,
		Store: store{}, Peer: itself, Log: os.Stderr,
	}
}

// A trial of the goals against the real server and a real PostgreSQL:
// everything is measured, nothing is declined, and the books add up.
func TestGoals(t *testing.T) {
	o := options(t)
	var steps []string
	o.Step = func(name string, _ time.Duration) { steps = append(steps, name) }
	o.Databases = func(context.Context) (string, error) { return servicetest.Database(t), nil }
	rep, err := trial.Run(t.Context(), o)
	require.NoError(t, err)
	require.Empty(t, rep.Failures)
	require.Len(t, rep.Loads, 14)
	for _, l := range rep.Loads {
		require.Len(t, l.Rate, o.Repeats, l.Name)
		require.Positive(t, l.Rate.Least(), l.Name)
		require.Zero(t, l.Declined+l.Shed+l.Unanswered, l.Name)
	}
	for _, g := range rep.Goals {
		if g.Note != "by go test" {
			require.NotEqual(t, report.NotMeasured, g.Verdict(), g.What)
		}
	}
	notes := strings.Join(rep.Notes, "\n")
	require.Contains(t, notes, "by tillgate verify")
	require.Contains(t, notes, "the balances of 2000 members")
	require.NotEmpty(t, steps)
	text, err := json.Marshal(rep)
	require.NoError(t, err)
	require.Contains(t, string(text), `"latency_ms"`)
}

// A day over both edges: played, climbed, searched and soaked, and every
// operation is in the books.
func TestDay(t *testing.T) {
	o := options(t)
	var err error
	o.Day, err = day.Parse(day.Weekday)
	require.NoError(t, err)
	o.Mode, o.Steps, o.Keep, o.Within, o.Soak, o.At = trial.Day, 2, 99, time.Second, time.Second, 0.5
	rep, err := trial.Run(t.Context(), o)
	require.NoError(t, err)
	require.Empty(t, rep.Failures)
	require.Len(t, rep.Climbs, 4, "a climb and a search on each edge")
	for _, c := range rep.Climbs {
		require.Positive(t, c.Saturation)
		require.NotEmpty(t, c.Rungs)
		for _, r := range c.Rungs {
			// How fast it was is the machine's: a busy one keeps no promise.
			require.Zero(t, r.Bad)
			require.Contains(t, r.Latency, "p99")
			require.True(t, !r.Kept || r.Latency["p99"] <= 1000)
			require.True(t, !c.Search || !r.Kept || r.Offered <= c.Best)
		}
		require.LessOrEqual(t, c.Best, c.Saturation)
	}
	require.Len(t, rep.Watches, 2)
	require.NotEmpty(t, rep.Watches[0].Samples)
	logs := 0
	for _, l := range rep.Loads {
		if strings.HasSuffix(l.Name, ": nothing but the log") {
			require.Positive(t, l.Approved)
			logs++
		}
	}
	require.Equal(t, 2, logs, "the disk by itself, before each soak")
	require.Contains(t, strings.Join(rep.Notes, "\n"), "acknowledged operations, each there once")
}

// The stream follows a day through a real Kafka into a real PostgreSQL.
func TestStream(t *testing.T) {
	o := options(t)
	var err error
	o.Day, err = day.Parse(day.Weekday)
	require.NoError(t, err)
	o.Mode, o.HTTP = trial.Stream, false
	o.Kafka = servicetest.OwnKafka(t).Address()
	o.Databases = func(context.Context) (string, error) { return servicetest.Database(t), nil }
	rep, err := trial.Run(t.Context(), o)
	require.NoError(t, err)
	require.Empty(t, rep.Failures)
	require.Len(t, rep.Watches, 1)
	last := rep.Watches[0].Samples[len(rep.Watches[0].Samples)-1]
	require.Positive(t, last.Published)
	require.Positive(t, last.Projected)
	require.Contains(t, strings.Join(rep.Notes, "\n"), "PostgreSQL")
}

// The projection by itself, beside COPY, and PostgreSQL's books are proved.
func TestProjection(t *testing.T) {
	o := options(t)
	o.Mode = trial.Projection
	o.Databases = func(context.Context) (string, error) { return servicetest.Database(t), nil }
	rep, err := trial.Run(t.Context(), o)
	require.NoError(t, err)
	require.Empty(t, rep.Failures)
	require.Len(t, rep.Goals, 1)
	require.NotEqual(t, report.NotMeasured, rep.Goals[0].Verdict())
	for _, f := range rep.Figures {
		require.Positive(t, f.Values.Least(), f.Name)
	}
	require.Contains(t, strings.Join(rep.Notes, "\n"), "0 records behind the ledger: the same as the ledger")
}
