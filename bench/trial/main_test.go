package trial

import (
	"context"
	"os"
	"os/exec"
	"testing"

	"tillgate/bench/peer"
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
