package services

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestMissingProgramsAreToldInOneSentence runs the look-ups on a machine with an
// empty path.
func TestMissingProgramsAreToldInOneSentence(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("JAVA_HOME", "")
	t.Setenv("TILLGATE_CACHE", t.TempDir())
	_, err := StartKafka(t.Context(), t.TempDir(), KafkaOptions{})
	require.ErrorIs(t, err, ErrUnavailable)
	require.ErrorContains(t, err, "there is no Java")

	_, err = kafkaJars(t.Context(), t.Logf)
	require.ErrorIs(t, err, ErrUnavailable)
	require.ErrorContains(t, err, "no Maven")

	_, err = findPostgres(t.Context(), "9", t.Logf)
	require.ErrorIs(t, err, ErrUnavailable)
	require.ErrorContains(t, err, "version 9")
}

func TestOldJavaIsRefused(t *testing.T) {
	home := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(home, "bin"), 0o755))
	java := filepath.Join(home, "bin", "java")
	require.NoError(t, os.WriteFile(java, []byte("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n"), 0o755))
	t.Setenv("JAVA_HOME", home)
	_, err := findJava(t.Context())
	require.ErrorIs(t, err, ErrUnavailable)
	require.ErrorContains(t, err, "is Java 11, and it needs 17")
}

// TestClosedDirectory follows the way to a directory with another user's eyes.
func TestClosedDirectory(t *testing.T) {
	root, err := os.MkdirTemp("", "tillgate-test-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	root, err = filepath.EvalSymlinks(root)
	require.NoError(t, err)
	inner := filepath.Join(root, "a", "b")
	require.NoError(t, os.MkdirAll(inner, 0o755))
	other := &account{name: "other", uid: uint32(os.Getuid()) + 12345, gid: uint32(os.Getgid()) + 12345}

	require.Equal(t, root, other.closed(inner), "MkdirTemp makes it for its owner only")
	require.NoError(t, os.Chmod(root, 0o711))
	require.Empty(t, other.closed(inner))
	require.NoError(t, os.Chmod(filepath.Join(root, "a"), 0o750))
	require.Equal(t, filepath.Join(root, "a"), other.closed(inner))
	group := &account{uid: other.uid, gid: uint32(os.Getgid())}
	require.Empty(t, group.closed(inner))
}

func TestStandInIsTheSameAtEveryStart(t *testing.T) {
	// A literal, by sha256sum: another name after an upgrade would be another, empty database.
	require.Equal(t, "/var/lib/tillgate/postgres-85208f917e736bbe", standIn("/srv/shop/data"))
	require.NotEqual(t, standIn("/srv/shop/data"), standIn("/srv/shop2/data"))
	require.Equal(t, filepath.Clean(os.TempDir()), filepath.Dir(standIn(filepath.Join(os.TempDir(), "x", "y"))))
}

// TestOrphanIsEndedAndAStrangerIsNot starts a program that stands for a server
// left behind, and one that merely has its number.
func TestOrphanIsEndedAndAStrangerIsNot(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	stranger, err := endOrphan(t.Context(), file, "marker")
	require.NoError(t, err)
	require.False(t, stranger, "no pid file, no orphan")

	server := exec.Command("sleep", "600")
	require.NoError(t, server.Start())
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	// The kernel shows the command line a moment after the program has begun.
	require.Eventually(t, func() bool { return commandLine(t.Context(), server.Process.Pid) != "" },
		10*time.Second, time.Millisecond)
	require.NoError(t, os.WriteFile(file, []byte(strconv.Itoa(server.Process.Pid)+"\n/data\n"), 0o600))

	stranger, err = endOrphan(t.Context(), file, "/some/other/directory")
	require.NoError(t, err)
	require.True(t, stranger)
	require.True(t, alive(server.Process.Pid))

	stranger, err = endOrphan(t.Context(), file, "sleep 600")
	require.NoError(t, err)
	require.False(t, stranger)
	require.Error(t, <-ended, "it was ended by a signal")

	stranger, err = endOrphan(t.Context(), file, "sleep 600")
	require.NoError(t, err)
	require.False(t, stranger, "a number that nobody has is stale")
}

func TestStateTellsOfRunningServersOnly(t *testing.T) {
	dir := t.TempDir()
	_, running, err := ReadState(dir)
	require.NoError(t, err)
	require.False(t, running)

	// This test's own process lives, but is no supervisor.
	require.NoError(t, State{PID: os.Getpid(), Postgres: "postgres://x"}.Write(dir))
	_, running, err = ReadState(dir)
	require.NoError(t, err)
	require.False(t, running)

	info, err := os.Stat(statePath(dir))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "it holds a password")
	require.NoError(t, RemoveState(dir))
	require.NoError(t, RemoveState(dir))
}

func TestStateDirIsBesideGoMod(t *testing.T) {
	t.Setenv("TILLGATE_SERVICES", "")
	dir, err := StateDir()
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(filepath.Dir(dir), "go.mod"))
	t.Setenv("TILLGATE_SERVICES", t.TempDir())
	dir, err = StateDir()
	require.NoError(t, err)
	require.Equal(t, os.Getenv("TILLGATE_SERVICES"), dir)
}
