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
)

func run(t *testing.T, args ...string) (code int, out, err string) {
	var o, e bytes.Buffer
	code = Run(t.Context(), args, strings.NewReader(""), &o, &e)
	return code, o.String(), e.String()
}

func TestWrongCalls(t *testing.T) {
	for says, args := range map[string][]string{
		"unknown flag":        {"--fast"},
		"too many":            {"now"},
		"--edge is":           {"--edge", "grpc"},
		"members must be":     {"--members", "3"},
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
	for _, flag := range []string{"quick", "seconds", "repeats", "members", "edge", "connections", "in-flight", "rate", "binary", "data", "postgres", "json"} {
		require.Contains(t, out, "--"+flag)
	}
}

func TestServerThatCannotServeIsAFailure(t *testing.T) {
	code, _, err := run(t, "--quick", "--data", t.TempDir(), "--binary", "/bin/false")
	require.Equal(t, exitFailed, code)
	require.Contains(t, err, "ended before it was ready")
}

func TestQuickYieldsToWhatIsSaid(t *testing.T) {
	c, err := parse([]string{"--quick", "--members", "3000", "--edge", "ISO"}, &bytes.Buffer{})
	require.NoError(t, err)
	require.Equal(t, 3000, c.Members)
	require.Equal(t, quickRepeats, c.Repeats)
	require.Equal(t, time.Second, c.Length)
	require.True(t, c.ISO)
	require.False(t, c.HTTP)
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
}

// Where nobody looks there is no bar, and steps cost nothing.
func TestProgressWithoutTerminal(t *testing.T) {
	var out bytes.Buffer
	p := showProgress(&out, time.Minute)
	p.step("measuring", time.Second)
	p.end()
	require.Empty(t, out.String())
}
