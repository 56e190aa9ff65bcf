package trial

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tillgate/bench/peer"
	"tillgate/bench/rig"
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
	os.Exit(m.Run())
}

func itself(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), asPeer+"=1")
	return cmd
}

func build(t *testing.T, dir string) string {
	binary, err := rig.Build(t.Context(), dir)
	require.NoError(t, err)
	return binary
}

func serveHTTP(t *testing.T, handle http.HandlerFunc) string {
	s := httptest.NewServer(handle)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}
