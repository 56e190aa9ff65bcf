package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is the release, which the Makefile's build sets; a build from a
// checkout names its commit instead.
var version = ""

func init() {
	register(command{"version", "print the version", func(_ context.Context, c *console, args []string) error {
		fs := newFlags(c, "version", "", "Prints the version of this binary and of the Go release that built it.")
		if err := parse(fs, args, 0, 0); err != nil {
			return err
		}
		fmt.Fprintf(c.out, "tillgate %s %s %s/%s\n", release(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return nil
	}})
}

// release is the version, else the commit.
func release() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	commit, dirty := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12:
			commit = s.Value[:12]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+changes"
		}
	}
	if commit == "" {
		return "development"
	}
	return "development-" + commit + dirty
}
