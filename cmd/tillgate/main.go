// Command tillgate is a loyalty server for shops: it earns, holds and spends
// points between the tills' sockets and a ledger that loses nothing. One
// binary has the server, a till for the command line and the office's tools.
//
// main is thin: Run is what the end-to-end tests call.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	_ "time/tzdata" // stores name their zones; a machine without zone files serves them too
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
