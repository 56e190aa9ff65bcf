package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"tillgate/config"
)

func init() {
	register(command{"serve", "run the server: both edges, switch, ledger, stream and reports", serve})
}

const aboutServe = `
Runs everything in one process and tells where it listens. Without keys it
listens on this machine only, and whoever can reach it has every role.

Stops on SIGTERM or Ctrl-C: nothing new is taken, answers in flight go out,
everything is on disk before it ends; that takes at most 20 seconds.

On SIGHUP it reads its configuration again and takes keys, terminals and the
files of certificates from it; everything else needs a restart.

Every flag below is also a key of the configuration file and an environment
variable: --http-read-timeout is http.read_timeout and
TILLGATE_HTTP_READ_TIMEOUT. The later wins: default, file, environment, flag.
`

// serve boots, tells of it, and serves until it is told to stop.
func serve(ctx context.Context, c *console, args []string) error {
	fs := newFlags(c, "serve", "[--dev] [--data DIR] [--http ADDRESS] [--iso ADDRESS] [--config FILE] [flags]", aboutServe)
	loader := config.Bind(fs)
	if err := parse(fs, args, 0, 0); err != nil {
		return err
	}
	conf, err := loader.Load(os.LookupEnv)
	if err != nil {
		return usagef("%s", err)
	}
	fmt.Fprintf(c.out, "tillgate %s\n\n", release())
	s, err := newServer(conf, newLogger(c.err, conf.Log), func(part, format string, args ...any) {
		fmt.Fprintf(c.out, "  %-10s %s\n", part, fmt.Sprintf(format, args...))
	})
	if err != nil {
		return err
	}
	suggest(c.out, s)
	defer reloadOn(hangups(), func() error {
		again := newFlags(c, "serve", "", aboutServe)
		loader := config.Bind(again)
		if err := parse(again, args, 0, 0); err != nil {
			return err
		}
		conf, err := loader.Load(os.LookupEnv)
		if err != nil {
			return err
		}
		return s.gateway.Reload(conf.Gateway)
	}, s.log)()
	begun := time.Now()
	err = s.run(ctx)
	if err == nil {
		fmt.Fprintf(c.out, "\nstopped after %v; everything acknowledged is on disk\n", time.Since(begun).Round(time.Second))
	}
	return err
}

// hangups are the SIGHUPs that come from now on.
func hangups() chan os.Signal {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	return hup
}

// reloadOn reads who may come again at every signal, until the returned
// function is called. What is wrong with the new settings is logged, and the
// old ones stay.
func reloadOn(hup chan os.Signal, reload func() error, log *slog.Logger) (stop func()) {
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-done:
				return
			case <-hup:
				if err := reload(); err != nil {
					log.Error("who may come could not be read again; all stays as it was", "cause", err)
				}
			}
		}
	}()
	return func() {
		signal.Stop(hup)
		close(done)
	}
}

// suggest prints three lines to try.
func suggest(w io.Writer, s *server) {
	me := "tillgate"
	if len(os.Args) > 0 && os.Args[0] != "" {
		me = os.Args[0]
	}
	fmt.Fprint(w, "\nTry, in another window:\n")
	if iso := s.gateway.ISOAddrs(); len(iso) > 0 {
		fmt.Fprintf(w, "  %s till authorize --iso %s --phone +77011234567 --total 1300.00\n", me, iso[0])
	}
	if address := s.gateway.HTTPAddr(); address != "" {
		auth := ""
		if len(s.config.Gateway.Keys) > 0 {
			auth = " -H 'Authorization: Bearer YOUR-KEY'"
		}
		fmt.Fprintf(w, "  curl -s http://%s/v1/quote%s -H 'Content-Type: application/json' -d '{\"member\":{\"phone\":\"+77011234567\"},\"basket\":{\"total\":130000}}'\n", address, auth)
		fmt.Fprintf(w, "  %s demo --http %s", me, address)
		if iso := s.gateway.ISOAddrs(); len(iso) > 0 {
			fmt.Fprintf(w, " --iso %s", iso[0])
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w)
}

// newLogger makes the log: for people by default, for machines as JSON.
func newLogger(w io.Writer, o config.Log) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.Level)); err != nil {
		level = slog.LevelInfo // Validate has checked it
	}
	options := &slog.HandlerOptions{Level: level}
	if o.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
