package services

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

// fetchedPostgres is the release that is fetched where none is installed.
const fetchedPostgres = embeddedpostgres.V17

// oldestPostgres is the oldest major version that our migrations are held to.
const oldestPostgres = 14

// findPostgres is the directory of initdb and postgres of the wanted major
// version, or of the newest one where any will do (major empty): installed ones
// first, else fetched into the cache.
func findPostgres(ctx context.Context, major string, logf func(string, ...any)) (string, error) {
	best, bestMajor := "", 0
	for _, dir := range installedPostgres() {
		n, err := postgresMajor(ctx, dir)
		if err != nil || n < oldestPostgres {
			continue
		}
		if major != "" && strconv.Itoa(n) != major {
			continue
		}
		if n > bestMajor {
			best, bestMajor = dir, n
		}
	}
	if best != "" {
		return best, nil
	}
	fetched, _, _ := strings.Cut(string(fetchedPostgres), ".")
	if major != "" && major != fetched {
		return "", unavailable("PostgreSQL", "the data is of version %s, which is not installed; install it or remove the data", major)
	}
	dir, err := fetchPostgres(ctx, logf)
	if err != nil {
		return "", unavailable("PostgreSQL", "none is installed, and fetching its binaries failed (%v); install it (Debian: apt-get install postgresql)", err)
	}
	return dir, nil
}

// installedPostgres lists the directories that hold both programs we run.
func installedPostgres() []string {
	var dirs []string
	if path, err := exec.LookPath("postgres"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(path))
		}
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",         // Debian, Ubuntu
		"/usr/pgsql-*/bin",                  // the project's own packages for Red Hat
		"/opt/homebrew/opt/postgresql*/bin", // Homebrew
		"/usr/local/opt/postgresql*/bin",
	} {
		found, _ := filepath.Glob(pattern)
		dirs = append(dirs, found...)
	}
	return slices.DeleteFunc(dirs, func(dir string) bool { return !isPostgres(dir) })
}

func isPostgres(dir string) bool {
	for _, name := range []string{"postgres", "initdb"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}

// postgresMajor asks a server program for its major version.
func postgresMajor(ctx context.Context, dir string) (int, error) {
	// "postgres (PostgreSQL) 17.5 (Debian 17.5-1)"
	out, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return 0, fmt.Errorf("ask for PostgreSQL's version: %w", err)
	}
	words := strings.Fields(string(out))
	if len(words) < 3 {
		return 0, fmt.Errorf("no version in %q", out)
	}
	digits := strings.IndexFunc(words[2], func(r rune) bool { return r < '0' || r > '9' })
	if digits < 0 {
		digits = len(words[2])
	}
	n, err := strconv.Atoi(words[2][:digits])
	if err != nil {
		return 0, fmt.Errorf("no version in %q: %w", out, err)
	}
	return n, nil
}

// fetchPostgres has embedded-postgres fetch and unpack its binaries into the
// cache. That library cannot be asked for the binaries alone, so it is asked to
// start a server of its own beside them: what it then says is of interest only
// if the binaries are not there, for as root its server cannot start at all.
func fetchPostgres(ctx context.Context, logf func(string, ...any)) (string, error) {
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	final := filepath.Join(cache, "postgres-"+string(fetchedPostgres))
	bin := filepath.Join(final, "bin")
	if isPostgres(bin) {
		return bin, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("create the cache: %w", err)
	}
	unlock, err := lockCache(ctx, cache)
	if err != nil {
		return "", err
	}
	defer unlock()
	if isPostgres(bin) { // another process was quicker
		return bin, nil
	}
	logf("fetching PostgreSQL %s into %s, once", fetchedPostgres, cache)
	work, err := os.MkdirTemp(cache, "fetch-")
	if err != nil {
		return "", fmt.Errorf("create a directory in the cache: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	port, err := freePort()
	if err != nil {
		return "", err
	}
	unpacked := filepath.Join(work, "unpacked")
	server := embeddedpostgres.NewDatabase(embeddedpostgres.DefaultConfig().
		Version(fetchedPostgres).
		CachePath(filepath.Join(work, "archive")).
		BinariesPath(unpacked).
		RuntimePath(filepath.Join(work, "run")).
		Port(uint32(port)).
		Logger(io.Discard))
	startErr := server.Start()
	if startErr == nil {
		startErr = server.Stop()
	}
	if !isPostgres(filepath.Join(unpacked, "bin")) {
		return "", errors.Join(startErr, errors.New("the archive holds no server"))
	}
	if err := os.Rename(unpacked, final); err != nil {
		return "", fmt.Errorf("put the binaries in place: %w", err)
	}
	return bin, nil
}

// lockCache keeps other processes from filling the same cache meanwhile.
func lockCache(ctx context.Context, cache string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(cache, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the cache's lock: %w", err)
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("lock the cache: %w", err), f.Close())
		}
		if err := pause(ctx, pollEvery); err != nil {
			return nil, errors.Join(fmt.Errorf("wait for the cache's lock: %w", err), f.Close())
		}
	}
}
