package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1 // it was tried and failed
	exitUsage  = 2 // it was called wrongly; nothing was tried
)

// console is where a command reads and writes. Results go to out, everything
// else to err, so that out can be piped.
type console struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

// command is one subcommand. run returns a usageError where it was called
// wrongly, nil when what was asked is done.
type command struct {
	name    string
	summary string // one line for the overview
	run     func(ctx context.Context, c *console, args []string) error
}

// commands is the table of subcommands. Each file adds its own by register.
var commands []command

// register adds a subcommand to the table.
func register(c command) {
	commands = append(commands, c)
	slices.SortFunc(commands, func(a, b command) int { return strings.Compare(a.name, b.name) })
}

// usageError is a wrong call: exit code 2.
type usageError struct{ message string }

func (e *usageError) Error() string { return e.message }

// usagef makes a usageError.
func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// Run is the whole program: it runs one subcommand and returns the exit code.
// It ends early when ctx does.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	c := &console{in: stdin, out: stdout, err: stderr}
	if len(args) == 0 {
		overview(c.err)
		return exitUsage
	}
	switch args[0] {
	case "help", "--help", "-h":
		overview(c.out)
		return exitDone
	case "--version":
		args[0] = "version"
	}
	i := slices.IndexFunc(commands, func(cmd command) bool { return cmd.name == args[0] })
	if i < 0 {
		fmt.Fprintf(c.err, "tillgate: there is no command %q\n\n", args[0])
		overview(c.err)
		return exitUsage
	}
	return conclude(c, args[0], commands[i].run(ctx, c, args[1:]))
}

// conclude tells of a failure and turns it into the exit code.
func conclude(c *console, name string, err error) int {
	var usage *usageError
	switch {
	case err == nil, errors.Is(err, pflag.ErrHelp):
		return exitDone
	case errors.As(err, &usage):
		fmt.Fprintf(c.err, "tillgate %s: %s\ntry: tillgate %s --help\n", name, err, name)
		return exitUsage
	}
	fmt.Fprintf(c.err, "tillgate %s: %s\n", name, err)
	return exitFailed
}

// overview prints the subcommands.
func overview(w io.Writer) {
	fmt.Fprint(w, "tillgate: points for tills, shops and offices, and nothing lost on the way\n\nusage: tillgate COMMAND [flags]\n\n")
	for _, c := range commands {
		fmt.Fprintf(w, "  %-10s %s\n", c.name, c.summary)
	}
	fmt.Fprint(w, "\nEach command explains itself: tillgate COMMAND --help\n")
}

// newFlags makes a subcommand's flag set: its help goes to out and says how
// it is called.
func newFlags(c *console, name, synopsis, about string) *pflag.FlagSet {
	fs := pflag.NewFlagSet(name, pflag.ContinueOnError)
	fs.SortFlags = false
	fs.SetOutput(io.Discard) // conclude tells of errors, once
	fs.Usage = func() {
		fmt.Fprintf(c.out, "usage: tillgate %s %s\n\n%s\n", name, synopsis, strings.TrimSpace(about))
		if usages := fs.FlagUsages(); usages != "" {
			fmt.Fprintf(c.out, "\nflags:\n%s", usages)
		}
	}
	return fs
}

// parse reads the flags of a subcommand and checks the number of its other
// arguments.
func parse(fs *pflag.FlagSet, args []string, least, most int) error {
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return err
		}
		return usagef("%s", err)
	}
	switch n := fs.NArg(); {
	case n < least:
		return usagef("an argument is missing")
	case n > most:
		return usagef("%q is one argument too many", fs.Arg(most))
	}
	return nil
}
