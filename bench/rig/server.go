package rig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Server is the built binary as a process of its own.
type Server struct {
	Binary string
	Dir    string   // its data
	HTTP   string   // host:port
	ISO    string   // host:port
	Args   []string // further arguments of serve
	Env    []string // further environment
	Plain  bool     // without --dev: no sample programme, no PostgreSQL of its own
	Ready  string   // path that says whether the server is ready; /readyz if empty
	// Took is how long the last start took, until it said that it is ready.
	Took time.Duration

	mu    sync.Mutex
	cmd   *exec.Cmd
	ended chan error
	log   *os.File
	Kills int
}

// Build builds the command into dir and returns its path.
func Build(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, "tillgate")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, "tillgate/cmd/tillgate")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building tillgate: %w\n%s", err, out)
	}
	return path, nil
}

// FreePort is a loopback address that nobody listens on.
func FreePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// Start starts the process and waits until it is ready.
func (s *Server) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if s.log == nil {
		if s.log, err = os.OpenFile(s.Dir+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
			return err
		}
	}
	args := []string{"serve", "--data", s.Dir, "--http", s.HTTP, "--iso", s.ISO}
	if !s.Plain {
		args = append(args, "--dev")
	}
	cmd := exec.Command(s.Binary, append(args, s.Args...)...)
	cmd.Env = append(os.Environ(), s.Env...)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	s.cmd, s.ended = cmd, ended
	err = s.ready(ctx)
	s.Took = time.Since(begun)
	return err
}

// Pid is the id of the running process, 0 if there is none.
func (s *Server) Pid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return 0
	}
	return s.cmd.Process.Pid
}

// ready waits until the server says so, or has ended.
func (s *Server) ready(ctx context.Context) error {
	path := s.Ready
	if path == "" {
		path = "/readyz"
	}
	tick := time.NewTicker(2 * time.Millisecond) // also how exactly Took is known
	defer tick.Stop()
	for {
		select {
		case err := <-s.ended:
			s.ended <- err
			return fmt.Errorf("the server ended before it was ready: %w; see %s.log", err, s.Dir)
		case <-ctx.Done():
			return fmt.Errorf("the server is not ready: %w; see %s.log", ctx.Err(), s.Dir)
		case <-tick.C:
		}
		res, err := http.Get("http://" + s.HTTP + path)
		if err != nil {
			continue
		}
		_, _ = io.Copy(io.Discard, res.Body) // only the status counts
		_ = res.Body.Close()                 // it was read
		if res.StatusCode == http.StatusOK {
			return nil
		}
	}
}

// Kill ends the process as a power cut would and starts it again.
func (s *Server) Kill(ctx context.Context) error {
	s.mu.Lock()
	if err := s.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		s.mu.Unlock()
		return err
	}
	err := <-s.ended
	s.Kills++
	s.mu.Unlock()
	if err == nil {
		return errors.New("the server had ended by itself before it was killed")
	}
	return s.Start(ctx)
}

// Signal sends the process a signal; SIGSTOP freezes it and SIGCONT lets it go
// on.
func (s *Server) Signal(sig syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cmd.Process.Signal(sig)
}

// Ended reports whether the process has ended by itself.
func (s *Server) Ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case err := <-s.ended:
		s.ended <- err
		return true
	default:
		return false
	}
}

// Revive starts the process again if it has ended by itself, as a supervisor
// would, and tells whether it had.
func (s *Server) Revive(ctx context.Context) (bool, error) {
	if !s.Ended() {
		return false, nil
	}
	return true, s.Start(ctx)
}

// Verify has the command prove the books of the running server, and those of
// a PostgreSQL ("" for none) against them. The error holds what it said.
func (s *Server) Verify(ctx context.Context, dsn string) error {
	args := []string{"verify", "--data", s.Dir}
	if dsn != "" {
		args = append(args, "--postgres", dsn)
	}
	out, err := exec.CommandContext(ctx, s.Binary, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("verify: %w\n%s", err, out)
	}
	return nil
}

// Stop asks the process to end and waits for it.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return nil
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	var err error
	select {
	case err = <-s.ended:
	case <-ctx.Done():
		_ = s.cmd.Process.Kill() // it had its time
		err = fmt.Errorf("the server did not stop: %w", ctx.Err())
	}
	s.cmd = nil
	err = errors.Join(err, s.log.Close())
	s.log = nil // another Start opens it again
	return err
}
