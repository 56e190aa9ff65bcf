package desk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/protocol"
)

// office writes down what it is asked.
type office struct {
	asked  string
	err    error // before the first byte
	broken error // after it
	ok     bool
}

func (o *office) Backup(_ context.Context, dir string) error {
	o.asked = "backup " + dir
	return o.err
}

func (o *office) Export(_ context.Context, w io.Writer, merchant string, from, to time.Time, format string) error {
	o.asked = strings.Join([]string{"export", merchant, from.UTC().Format(time.RFC3339Nano), to.UTC().Format(time.RFC3339Nano), format}, " ")
	return o.write(w)
}

func (o *office) Report(_ context.Context, w io.Writer, merchant, name string, from, to time.Time, format string) error {
	fmt.Fprintf(w, "%s of %s from %s to %s as %s", name, merchant, from.Format(time.DateOnly), to.Format(time.DateOnly), format)
	return o.err
}

func (o *office) ExportAll(_ context.Context, w io.Writer, merchant string) error {
	o.asked = "all " + merchant
	return o.write(w)
}

func (o *office) WhatIf(_ context.Context, w io.Writer, merchant string, draft []byte, from, to int64) error {
	o.asked = fmt.Sprint("whatif ", merchant, " ", string(draft), " ", from, " ", to)
	if o.err != nil {
		return o.err
	}
	lines := json.NewEncoder(w)
	for done := range int64(3) {
		if err := lines.Encode(Replay{Done: done, Total: 3}); err != nil {
			return err
		}
	}
	if o.broken != nil {
		return o.broken
	}
	return lines.Encode(Replay{Report: &protocol.WhatIf{Program: "draft", Rules: []protocol.WhatIfRule{{Rule: "base"}}}})
}

func (o *office) Verify(_ context.Context, w io.Writer) (bool, error) {
	return o.ok, o.write(w)
}

func (o *office) write(w io.Writer) error {
	if o.err != nil {
		return o.err
	}
	if _, err := io.WriteString(w, strings.Repeat("row\n", 10_000)); err != nil {
		return err
	}
	return o.broken
}

func open(t *testing.T, o *office) *Client {
	dir, err := os.MkdirTemp("", "desk") // t.TempDir may be too long for a socket
	require.NoError(t, err)
	// A socket that a killed server left is in nobody's way.
	require.NoError(t, os.WriteFile(filepath.Join(dir, Socket), nil, 0o600))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Run(ctx, dir, o, slog.New(slog.DiscardHandler)) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
		require.NoError(t, os.RemoveAll(dir))
	})
	c := Dial(dir)
	require.Eventually(t, func() bool {
		_, err := c.Verify(ctx, io.Discard)
		return !errors.Is(err, ErrNotRunning)
	}, 10*time.Second, time.Millisecond)
	info, err := os.Stat(filepath.Join(dir, Socket))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "for its owner only")
	return c
}

func TestTheDeskPassesOn(t *testing.T) {
	o := &office{ok: true}
	c := open(t, o)
	ctx := context.Background()

	require.NoError(t, c.Backup(ctx, "/backups/1"))
	require.Equal(t, "backup /backups/1", o.asked)

	var b bytes.Buffer
	from := time.Date(2026, 11, 1, 0, 0, 0, 1, time.FixedZone("", 5*3600))
	require.NoError(t, c.Export(ctx, &b, "m & n", Operations, from, from.AddDate(0, 1, 0), "xlsx"))
	require.Equal(t, "export m & n 2026-10-31T19:00:00.000000001Z 2026-11-30T19:00:00.000000001Z xlsx", o.asked)
	require.Equal(t, 40_000, b.Len())

	require.NoError(t, c.ExportAll(ctx, &b, ""))
	require.Equal(t, "all ", o.asked)

	ok, err := c.Verify(ctx, io.Discard)
	require.NoError(t, err)
	require.True(t, ok)
	o.ok = false
	ok, err = c.Verify(ctx, io.Discard)
	require.NoError(t, err)
	require.False(t, ok)
}

func TestTheDeskTellsWhatIsWrong(t *testing.T) {
	o := &office{ok: true, err: errors.New("the reporting database is 3 records behind")}
	c := open(t, o)
	ctx := context.Background()
	require.EqualError(t, c.Backup(ctx, "/backups/1"), o.err.Error())
	require.EqualError(t, c.ExportAll(ctx, io.Discard, ""), o.err.Error())
	require.EqualError(t, c.Backup(ctx, "backups/1"), "an absolute directory is wanted")

	// Half a file is not taken for a whole one.
	o.err, o.broken = nil, errors.New("the database has gone")
	require.ErrorContains(t, c.ExportAll(ctx, io.Discard, ""), "the server broke off")
	ok, err := c.Verify(ctx, io.Discard)
	require.Error(t, err)
	require.False(t, ok)
}

func TestTheDeskReplays(t *testing.T) {
	o := &office{}
	c := open(t, o)
	ctx := context.Background()
	var steps []int64
	progress := func(done, total int64) { steps = append(steps, done, total) }
	w, err := c.WhatIf(ctx, "m", []byte("program: x"), 1, 2, progress)
	require.NoError(t, err)
	require.Equal(t, "whatif m program: x 1 2", o.asked)
	require.Equal(t, []int64{0, 3, 1, 3, 2, 3}, steps)
	require.Equal(t, &protocol.WhatIf{Program: "draft", Rules: []protocol.WhatIfRule{{Rule: "base"}}}, w)

	o.broken = errors.New("the journal can't be read")
	_, err = c.WhatIf(ctx, "", nil, 0, 0, progress)
	require.Error(t, err, "half an answer is none")
	o.err = errors.New("another replay is under way")
	_, err = c.WhatIf(ctx, "", nil, 0, 0, progress)
	require.EqualError(t, err, o.err.Error())
	_, err = Dial(t.TempDir()).WhatIf(ctx, "", nil, 0, 0, progress)
	require.ErrorIs(t, err, ErrNotRunning)
}

func TestNobodyIsThere(t *testing.T) {
	dir := t.TempDir()
	require.ErrorIs(t, Dial(dir).Backup(context.Background(), "/b"), ErrNotRunning)
	require.NoError(t, os.WriteFile(filepath.Join(dir, Socket), nil, 0o600))
	require.Error(t, Dial(dir).Backup(context.Background(), "/b"))
	long := filepath.Join(dir, strings.Repeat("x", maxPath))
	require.ErrorContains(t, Run(context.Background(), long, &office{}, slog.New(slog.DiscardHandler)), "longer than")
}
