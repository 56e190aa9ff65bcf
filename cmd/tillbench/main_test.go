package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/bench/report"
	"tillgate/bench/trial"
)

func run(t *testing.T, args ...string) (code int, out, err string) {
	var o, e bytes.Buffer
	code = Run(t.Context(), args, strings.NewReader(""), &o, &e)
	return code, o.String(), e.String()
}

func TestWrongCalls(t *testing.T) {
	for says, args := range map[string][]string{
		"unknown flag":        {"--fast"},
		"too many":            {"goals", "now"},
		"--edge is":           {"--edge", "grpc"},
		"members must be":     {"--members", "3"},
		"none of goals":       {"week"},
		"--keep is":           {"day", "--keep", "fast"},
		"--at is":             {"day", "--at", "most"},
		"description of":      {"day", "--zipf", "0.5"},
		"no such file":        {"day", "--day", filepath.Join(t.TempDir(), "none.yaml")},
		"soak runs at":        {"day", "--soak", "1m", "--at", "0.01"},
		"repeats must be":     {"--repeats", "0"},
		"make build makes it": {"--binary", filepath.Join(t.TempDir(), "none")},
	} {
		code, _, err := run(t, args...)
		require.Equal(t, exitUsage, code, args)
		require.Contains(t, err, says)
	}
}

func TestHelpNamesEveryFlag(t *testing.T) {
	code, out, err := run(t, "--help")
	require.Equal(t, exitDone, code)
	require.Empty(t, err)
	for _, flag := range []string{"quick", "seconds", "repeats", "members", "edge", "connections", "in-flight", "rate", "binary", "data", "postgres", "json",
		"small", "day", "zipf", "hot", "steps", "keep", "soak", "at", "services", "html"} {
		require.Contains(t, out, "--"+flag)
	}
}

func TestServerThatCannotServeIsAFailure(t *testing.T) {
	code, _, err := run(t, "--quick", "--services=false", "--data", t.TempDir(), "--binary", "/bin/false")
	require.Equal(t, exitFailed, code)
	require.Contains(t, err, "ended before it was ready")
}

func TestQuickYieldsToWhatIsSaid(t *testing.T) {
	c, err := parse([]string{"--quick", "--members", "3000", "--edge", "ISO"}, &bytes.Buffer{})
	require.NoError(t, err)
	require.Equal(t, 3000, c.Members)
	require.Equal(t, quickRepeats, c.Repeats)
	require.Equal(t, 700*time.Millisecond, c.Length)
	require.Equal(t, quickSmall, c.Small)
	require.True(t, c.ISO)
	require.False(t, c.HTTP)
}

func TestDayIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "day.yaml")
	require.NoError(t, os.WriteFile(path, []byte("day: mine\nrequests: {accrue: 1}\nbaskets: [{lines: 3, share: 1}]\n"), 0o600))
	c, err := parse([]string{"day", "--day", path, "--zipf", "1.2", "--keep", "p99.9=15ms", "--soak", "30m", "--at", "60%"}, &bytes.Buffer{})
	require.NoError(t, err)
	require.Equal(t, trial.Day, c.Mode)
	require.Equal(t, "mine", c.Day.Name)
	require.InDelta(t, 1.2, c.Day.Members.Zipf, 0)
	require.InDelta(t, 99.9, c.Keep, 0)
	require.Equal(t, 15*time.Millisecond, c.Within)
	require.Equal(t, 30*time.Minute, c.Soak)
	require.InDelta(t, 0.6, c.At, 1e-9)
	require.Equal(t, 1, c.Repeats)
	c, err = parse([]string{"day", "--soak", "5m"}, &bytes.Buffer{})
	require.NoError(t, err)
	require.Zero(t, c.Steps, "who soaks wants that")
	require.InDelta(t, 0.7, c.At, 1e-9)
}

// The projection's day is its own: what describes one is not read.
func TestProjectionIsAMode(t *testing.T) {
	c, err := parse([]string{"projection", "--seconds", "4"}, &bytes.Buffer{})
	require.NoError(t, err)
	require.Equal(t, trial.Projection, c.Mode)
	require.Nil(t, c.Day)
	require.Equal(t, repeats, c.Repeats)
	code, _, says := run(t, "projection", "--quick", "--services=false", "--data", t.TempDir(), "--binary", "/bin/true")
	require.Equal(t, exitFailed, code)
	require.Contains(t, says, "needs PostgreSQL")
}

func TestPeerIsASubcommand(t *testing.T) {
	code, out, _ := run(t, "peer", "echo")
	require.Equal(t, exitDone, code, "it ends with its input")
	require.Contains(t, out, `{"address":"127.0.0.1:`)
	code, _, err := run(t, "peer", "nobody")
	require.Equal(t, exitFailed, code)
	require.Contains(t, err, "a peer is one of")
}

func TestReportIsWrittenAsJSON(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.json")
	require.NoError(t, writeJSON(path, &report.Report{Notes: []string{"well"}}))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(text), `"well"`)
	require.NoError(t, writeHTML(path, &report.Report{Notes: []string{"a < b"}}))
	text, err = os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(text), "a &lt; b")
}

// Where nobody looks there is no bar, and steps cost nothing.
func TestProgressWithoutTerminal(t *testing.T) {
	var out bytes.Buffer
	p := showProgress(&out, time.Minute)
	p.step("measuring", time.Second)
	p.live("fast")
	p.end()
	require.Empty(t, out.String())
}
