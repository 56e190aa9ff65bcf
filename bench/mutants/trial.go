package mutants

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Verdict is what became of a mutant.
type Verdict struct {
	Killed bool
	By     string // the first test that failed, or "it hangs"
	Took   time.Duration
}

// A Trial tries mutants against the sources in Root.
type Trial struct {
	Root string
	// Limit bounds the tests of one mutant; one that hangs is found by it. Two
	// minutes.
	Limit time.Duration

	sound map[string]bool // tests that pass without a fault
}

var (
	failedTest = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)
	notBuilt   = regexp.MustCompile(`(?m)\[(build|setup) failed\]`)
	timedOut   = []byte("panic: test timed out")
)

// Try runs a mutant's tests with the fault planted. The error says that the
// mutant proves nothing: its place is gone, it does not compile, no test ran,
// or its tests fail without it.
func (t *Trial) Try(ctx context.Context, m Mutant) (Verdict, error) {
	var v Verdict
	sources, err := m.Sources(t.Root)
	if err != nil {
		return v, err
	}
	if err := t.pass(ctx, m); err != nil {
		return v, err
	}
	dir, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return v, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // the system clears it, too
	overlay, err := writeOverlay(t.Root, dir, sources)
	if err != nil {
		return v, err
	}
	start := time.Now()
	out, err := t.test(ctx, m, "-overlay", overlay, "-count=1", "-failfast")
	v.Took = time.Since(start)
	switch name := failedTest.FindSubmatch(out); {
	case ctx.Err() != nil:
		return v, ctx.Err()
	case notBuilt.Match(out):
		return v, fmt.Errorf("mutant %s does not compile:\n%s", m.Name, out)
	case err == nil:
		return v, nil
	case name != nil:
		v.Killed, v.By = true, string(name[1])
	case bytes.Contains(out, timedOut):
		v.Killed, v.By = true, "it hangs"
	default:
		v.Killed, v.By = true, "the test's process ended"
	}
	return v, nil
}

// pass holds the tests to pass without the fault; Go remembers those that did.
func (t *Trial) pass(ctx context.Context, m Mutant) error {
	key := strings.Join(m.Tests, " ")
	if t.sound[key] {
		return nil
	}
	out, err := t.test(ctx, m)
	if err != nil {
		return fmt.Errorf("mutant %s: its tests fail without it:\n%s", m.Name, out)
	}
	if bytes.Contains(out, []byte("[no tests to run]")) {
		return fmt.Errorf("mutant %s: go test %s finds no test", m.Name, key)
	}
	if t.sound == nil {
		t.sound = map[string]bool{}
	}
	t.sound[key] = true
	return nil
}

func (t *Trial) test(ctx context.Context, m Mutant, flags ...string) ([]byte, error) {
	limit := t.Limit
	if limit == 0 {
		limit = 2 * time.Minute
	}
	args := append([]string{"test", "-timeout", limit.String()}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, m.Tests...)...)
	cmd.Dir = t.Root
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return out, fmt.Errorf("go test: %w", err)
	}
	return out, err
}

// writeOverlay writes changed sources into dir and the list that puts them in
// the place of those in root.
func writeOverlay(root, dir string, sources map[string]string) (string, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return "", err
	}
	list := struct{ Replace map[string]string }{map[string]string{}}
	for file, text := range sources {
		at := filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			return "", err
		}
		list.Replace[filepath.Join(root, filepath.FromSlash(file))] = at
	}
	raw, err := json.Marshal(list)
	if err != nil {
		return "", err
	}
	at := filepath.Join(dir, "overlay.json")
	return at, os.WriteFile(at, raw, 0o600)
}
