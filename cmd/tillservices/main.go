// Command tillservices runs the servers that the tests and a developer share: a
// PostgreSQL and an Apache Kafka, on loopback, in .services beside go.mod.
//
//	tillservices up       start them in the background, unless they run
//	tillservices down     stop them
//	tillservices status   say where they listen; exit 3 if they do not run
//	tillservices run      run them in the foreground until a signal
//
// `make services`, `make services-stop` and `make test` call it. A service that
// this machine cannot run is told in one line and left out; with
// TILLGATE_REQUIRE_SERVICES set, `up` fails instead.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"tillgate/reconciler/services"
)

const (
	// upLimit bounds `up`: the first time it fetches some 45 MB of jars.
	upLimit = 10 * time.Minute
	// downLimit bounds `down`; the servers get half a minute each.
	downLimit = 90 * time.Second
	poll      = 50 * time.Millisecond
	// exitNotRunning is the status of `status` when nothing runs, as that of
	// system services.
	exitNotRunning = 3
)

// errNotRunning is the answer of `status` when nothing runs.
var errNotRunning = errors.New("not running")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := Run(ctx, os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, errNotRunning):
		fmt.Println("the services are not running: make services")
		os.Exit(exitNotRunning)
	case err != nil:
		fmt.Fprintln(os.Stderr, "tillservices:", err)
		os.Exit(1)
	}
}

// Run carries out one command. Its output is for people.
func Run(ctx context.Context, args []string, out io.Writer) error {
	dir, err := services.StateDir()
	if err != nil {
		return err
	}
	command := ""
	if len(args) == 1 {
		command = args[0]
	}
	switch command {
	case "up":
		return up(ctx, dir, out)
	case "down":
		return down(ctx, dir, out)
	case "status":
		return status(dir, out)
	case "run":
		return supervise(ctx, dir, out)
	}
	return errors.New("one of up, down, status, run is expected")
}

// up starts the supervisor in a session of its own, so that it outlives the
// terminal, and follows its log until it has written the state or ended.
func up(ctx context.Context, dir string, out io.Writer) error {
	s, running, err := services.ReadState(dir)
	if err != nil {
		return err
	}
	if running {
		return tell(s, out, withoutPassword)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("create the services' directory: %w", err)
	}
	if err := services.RemoveState(dir); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, upLimit)
	defer cancel()
	supervisor, err := detach(dir)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- supervisor.Wait() }()
	for {
		if s, running, err = services.ReadState(dir); err != nil || running {
			return errors.Join(err, tell(s, out, withoutPassword))
		}
		select {
		case err := <-ended:
			said, _ := os.ReadFile(logPath(dir))
			return fmt.Errorf("the services did not start: %w:\n%s", err, said)
		case <-ctx.Done():
			_ = supervisor.Process.Signal(syscall.SIGTERM)
			return fmt.Errorf("the services did not start: %w", context.Cause(ctx))
		case <-time.After(poll):
		}
	}
}

// detach starts this program's `run` with its output in a file: holding the
// caller's would keep a pipe of the caller's open for ever.
func detach(dir string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	log, err := os.Create(logPath(dir))
	if err != nil {
		return nil, fmt.Errorf("create the services' log: %w", err)
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(self, "run")
	cmd.Env = append(os.Environ(), "TILLGATE_SERVICES="+dir)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the services: %w", err)
	}
	return cmd, nil
}

// down ends the supervisor by its process id and waits until it has stopped the
// servers.
func down(ctx context.Context, dir string, out io.Writer) error {
	s, running, err := services.ReadState(dir)
	if err != nil {
		return err
	}
	if !running {
		_, err := fmt.Fprintln(out, "the services were not running")
		return err
	}
	if err := syscall.Kill(s.PID, syscall.SIGTERM); err != nil {
		return fmt.Errorf("end the services' process %d: %w", s.PID, err)
	}
	ctx, cancel := context.WithTimeout(ctx, downLimit)
	defer cancel()
	for {
		_, running, err := services.ReadState(dir)
		if err != nil {
			return err
		}
		if !running {
			_, err := fmt.Fprintln(out, "the services are stopped")
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("process %d did not stop the services: %w", s.PID, context.Cause(ctx))
		case <-time.After(poll):
		}
	}
}

func status(dir string, out io.Writer) error {
	s, running, err := services.ReadState(dir)
	if err != nil {
		return err
	}
	if !running {
		return errNotRunning
	}
	return tell(s, out, func(dsn string) string { return dsn })
}

// withoutPassword is a connection string for logs, which `up` ends in.
func withoutPassword(dsn string) string {
	u, err := url.Parse(dsn)
	if err != nil {
		return "running"
	}
	return u.Redacted()
}

// tell prints where the services are, the connection string as show gives it.
func tell(s services.State, out io.Writer, show func(dsn string) string) error {
	if s.Postgres != "" {
		s.Postgres = show(s.Postgres)
	}
	for _, service := range []struct{ name, address, missing string }{
		{"postgres", s.Postgres, s.PostgresMissing},
		{"kafka", s.Kafka, s.KafkaMissing},
	} {
		line := service.address
		if line == "" {
			line = "NOT RUNNING, ITS TESTS ARE SKIPPED: " + service.missing
		}
		if _, err := fmt.Fprintf(out, "%-8s  %s\n", service.name, line); err != nil {
			return err
		}
	}
	return nil
}

func logPath(dir string) string { return filepath.Join(dir, "log") }
