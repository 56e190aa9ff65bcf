// Command tillmutants plants faults into the sources, one at a time, and runs
// the tests that have to find them. It ends with `N killed, M survived` and
// exits with 0 if none has survived.
//
//	tillmutants [--only PART] [--list]
//
// It runs at the top of the module; `make mutants` calls it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"tillgate/bench/mutants"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1 // a mutant has survived, or one proves nothing
	exitUsage  = 2 // it was called wrongly; nothing was tried
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := Run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Run is the whole program; it returns the exit code.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := pflag.NewFlagSet("tillmutants", pflag.ContinueOnError)
	flags.SetOutput(stdout)
	only := flags.String("only", "", "try the mutants whose name holds this")
	list := flags.Bool("list", false, "list the mutants and try none")
	limit := flags.Duration("limit", 2*time.Minute, "how long the tests of one mutant may take")
	switch err := flags.Parse(args); {
	case errors.Is(err, pflag.ErrHelp):
		return exitDone
	case err != nil || flags.NArg() > 0:
		fmt.Fprintln(stderr, "tillmutants: wrong use; try: tillmutants --help")
		return exitUsage
	}
	all, err := mutants.All()
	if err != nil {
		fmt.Fprintf(stderr, "tillmutants: %s\n", err)
		return exitFailed
	}
	trial := &mutants.Trial{Root: ".", Limit: *limit}
	killed, survived, broken := 0, 0, 0
	for _, m := range all {
		if !strings.Contains(m.Name, *only) {
			continue
		}
		if *list {
			fmt.Fprintf(stdout, "%-32s %s\n", m.Name, m.Why)
			continue
		}
		v, err := trial.Try(ctx, m)
		switch {
		case ctx.Err() != nil:
			fmt.Fprintln(stderr, "tillmutants: interrupted")
			return exitFailed
		case err != nil:
			broken++
			fmt.Fprintf(stdout, "broken    %s\n", err)
		case v.Killed:
			killed++
			fmt.Fprintf(stdout, "killed    %-32s %5.1f s  %s\n", m.Name, v.Took.Seconds(), v.By)
		default:
			survived++
			fmt.Fprintf(stdout, "SURVIVED  %-32s %5.1f s  %s\n", m.Name, v.Took.Seconds(), m.Why)
		}
	}
	if *list {
		return exitDone
	}
	if broken > 0 {
		fmt.Fprintf(stdout, "%d prove nothing\n", broken)
	}
	fmt.Fprintf(stdout, "%d killed, %d survived\n", killed, survived)
	if survived+broken > 0 || killed == 0 {
		return exitFailed
	}
	return exitDone
}
