package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/bench/books"
	"tillgate/bench/day"
	"tillgate/bench/report"
	"tillgate/bench/trial"
)

// Who has measured for an hour and then must stop wants to see what it was, and
// not to take it for proved.
func TestAnInterruptedRunTellsWhatItHasMeasured(t *testing.T) {
	o := options(t)
	ctx, interrupt := context.WithCancelCause(t.Context())
	defer interrupt(nil)
	told, says, err := os.Pipe()
	require.NoError(t, err)
	var heard bytes.Buffer
	over := make(chan struct{})
	go func() {
		defer close(over)
		for lines := bufio.NewScanner(told); lines.Scan(); {
			heard.WriteString(lines.Text() + "\n")
			if strings.HasPrefix(lines.Text(), "weekday, ISO/TCP at ") { // the first rate of the climb
				interrupt(errors.New("interrupt signal received"))
			}
		}
	}()
	page, file := filepath.Join(t.TempDir(), "report.html"), filepath.Join(t.TempDir(), "report.json")
	var out bytes.Buffer
	code := Run(ctx, []string{
		"day", "--binary", o.Binary, "--data", o.Data, "--edge", "iso", "--members", "1000", "--seconds", "0.3", "--steps", "3",
		"--connections", "4", "--in-flight", "4", "--json", file, "--html", page,
	}, strings.NewReader(""), &out, says)
	require.NoError(t, says.Close())
	<-over
	require.Equal(t, exitFailed, code)
	require.Contains(t, heard.String(), "tillbench: interrupt signal received: ")

	require.Contains(t, out.String(), "!!! UNPROVED: ")
	require.Contains(t, out.String(), "interrupt signal received")
	require.Regexp(t, `(?m)^weekday, ISO/TCP +[\d,]+ `, out.String())
	var rep report.Report
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &rep))
	require.Contains(t, rep.Unproved, "interrupt signal received")
	require.NotEmpty(t, rep.Loads)
	require.Positive(t, rep.Loads[0].Rate.Least())
	text, err = os.ReadFile(page)
	require.NoError(t, err)
	require.Contains(t, string(text), "<b>Unproved.</b>")
	require.Contains(t, string(text), "interrupt signal received")
}

// unreadable makes members as it should, and can't read what was booked.
type unreadable struct{ store }

func (unreadable) Read(string, func(books.Ledger) error) error { return errors.New("the disk is gone") }

func TestARunThatCanNotBeProvedTellsWhatItHasMeasured(t *testing.T) {
	c := &call{Options: options(t)}
	var err error
	c.Day, err = day.Parse(day.Weekday)
	require.NoError(t, err)
	c.Mode, c.HTTP, c.Length, c.Store = trial.Day, false, 300*time.Millisecond, unreadable{}
	var out, says bytes.Buffer
	err = measure(t.Context(), c, &out, &says)
	require.ErrorContains(t, err, "prove the books: the disk is gone")
	require.Contains(t, out.String(), "!!! UNPROVED: ")
	require.Contains(t, out.String(), "the disk is gone")
	require.Regexp(t, `(?m)^weekday, ISO/TCP +[\d,]+ `, out.String())
	require.Contains(t, out.String(), "data directory, growth for each request")
}
