// Command tillbench measures the built tillgate against its baselines, in one
// run on one machine, and says of each goal whether it is met.
//
// main is thin: Run is what the tests call.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/pflag"

	"tillgate/bench/peer"
	"tillgate/bench/report"
	"tillgate/bench/trial"
)

// Exit codes. A goal that is missed is a result, not a failure.
const (
	exitDone   = 0
	exitFailed = 1 // it could not be measured, or what was measured is worthless
	exitUsage  = 2 // it was called wrongly; nothing was tried
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Run is the whole program; it returns the exit code. The subcommand peer is
// for the program itself: it makes the processes that are baselines.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == "peer" {
		if err := peer.Main(args[1:], stdin, stdout); err != nil {
			fmt.Fprintf(stderr, "tillbench peer: %s\n", err)
			return exitFailed
		}
		return exitDone
	}
	c, err := parse(args, stdout)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return exitDone
	case err != nil:
		fmt.Fprintf(stderr, "tillbench: %s\ntry: tillbench --help\n", err)
		return exitUsage
	}
	if _, err := os.Stat(c.Binary); err != nil {
		fmt.Fprintf(stderr, "tillbench: the server's binary: %s; make build makes it\n", err)
		return exitUsage
	}
	if err := measure(ctx, c, stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "tillbench: %s\n", err)
		return exitFailed
	}
	return exitDone
}

// errWorthless is a run that was measured to its end and proves nothing.
var errWorthless = errors.New("the run failed, its figures are worth nothing: see above")

// measure runs the trial and tells what it has measured, also where it ended by
// an error or was interrupted: the report says that it is unproved then, and the
// error why.
func measure(ctx context.Context, c *call, stdout, stderr io.Writer) error {
	c.Log, c.Peer = stderr, peer.Self
	if c.Store == nil {
		c.Store = store{}
	}
	p := showProgress(stderr, c.Expected())
	c.Step, c.Live = p.step, p.live
	beside, err := startServices(ctx, c, p.step)
	var rep *report.Report
	if err == nil {
		rep, err = trial.Run(ctx, c.Options)
	}
	err = errors.Join(err, beside.stop())
	p.end()
	if rep != nil && rep.Measured() {
		err = errors.Join(err, tell(c, rep, stdout))
	}
	if err == nil && len(rep.Failures) > 0 {
		return errWorthless
	}
	return err
}

// tell writes the report in each form that was asked for.
func tell(c *call, rep *report.Report, stdout io.Writer) error {
	err := rep.Text(stdout)
	if c.json != "" {
		err = errors.Join(err, writeJSON(c.json, rep))
	}
	if c.html != "" {
		err = errors.Join(err, writeHTML(c.html, rep))
	}
	return err
}

func writeHTML(path string, rep *report.Report) error {
	var page bytes.Buffer
	if err := rep.HTML(&page); err != nil {
		return err
	}
	return os.WriteFile(path, page.Bytes(), 0o644)
}

func writeJSON(path string, rep *report.Report) error {
	text, err := json.MarshalIndent(rep, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// sources is the top of the module's sources, if the working directory is it.
func sources() string {
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	if _, err := os.Stat(filepath.Join(dir, "processor", "program", "bench_test.go")); err != nil {
		return ""
	}
	return dir
}
