package services

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// pollEvery is how often a condition is looked at while waiting for it.
	pollEvery = 50 * time.Millisecond
	// startLimit bounds a start whose context has no deadline: a broker on a
	// busy two-core machine takes 20 s, so a minute and a half is a failure.
	startLimit = 90 * time.Second
	// stopGrace is how long a server may take to end in order before it is killed.
	stopGrace = 30 * time.Second
	// logTail is how much of a server's log an error quotes.
	logTail = 2 << 10
	// logLimit is the size over which a log is begun anew at the next start.
	logLimit = 16 << 20
)

// process is a running server. Its end is observed by one goroutine, which is
// also the one that started it: the kernel's parent-death signal belongs to the
// starting *thread*, so that goroutine keeps its thread until the child ends.
type process struct {
	cmd  *exec.Cmd
	pid  int
	done chan struct{}
}

// startProcess starts cmd with its output appended to the file log. onParent is
// the signal that it gets when this process dies.
func startProcess(cmd *exec.Cmd, log string, onParent syscall.Signal) (*process, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	// A group of its own: an interrupt typed at the terminal reaches us only,
	// and we end the servers in the right order.
	cmd.SysProcAttr.Setpgid = true
	endWithParent(cmd.SysProcAttr, onParent)

	out, err := openLog(log)
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = out, out
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// Never unlocked: the thread goes with the goroutine.
		runtime.LockOSThread()
		err := cmd.Start()
		_ = out.Close()
		if err == nil {
			p.pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			_ = cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return p, nil
}

// running reports whether the process has not ended yet.
func (p *process) running() bool {
	if p == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// stop sends sig, waits for the end until ctx is done or grace is over, and
// kills the process then. It returns an error only when it had to kill.
func (p *process) stop(ctx context.Context, sig syscall.Signal, grace time.Duration) error {
	if !p.running() {
		return nil
	}
	_ = syscall.Kill(p.pid, sig)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
	case <-timer.C:
	}
	p.kill()
	return fmt.Errorf("process %d ignored %v and was killed", p.pid, sig)
}

// kill ends the process at once, as a crash would, and waits for its end.
func (p *process) kill() {
	if p.running() {
		_ = syscall.Kill(p.pid, syscall.SIGKILL)
		<-p.done
	}
}

// openLog opens a server's log for appending, and begins it anew when it has
// grown over logLimit.
func openLog(path string) (*os.File, error) {
	flags := os.O_CREATE | os.O_WRONLY | os.O_APPEND
	if info, err := os.Stat(path); err == nil && info.Size() > logLimit {
		flags |= os.O_TRUNC
	}
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the server's log: %w", err)
	}
	return f, nil
}

// tail is the end of a log written since offset from, at most logTail bytes.
func tail(path string, from int64) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	if from > info.Size() { // the log was begun anew
		from = 0
	}
	if _, err := f.Seek(max(from, info.Size()-logTail), io.SeekStart); err != nil {
		return ""
	}
	b, _ := io.ReadAll(io.LimitReader(f, logTail))
	return strings.TrimSpace(string(b))
}

// logSize is the present length of a log: what is behind it belongs to the
// next start.
func logSize(path string) int64 {
	if info, err := os.Stat(path); err == nil {
		return info.Size()
	}
	return 0
}

// dirLock holds a directory for this process until it is released or the process
// ends. A second server on the same files would ruin them.
type dirLock struct {
	dir  string
	file *os.File // nil while not held
}

// take takes the directory, or returns an error at once if another has it. It
// does nothing if this lock holds it already.
func (l *dirLock) take() error {
	if l.file != nil {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(l.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("open the directory's lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return fmt.Errorf("%s is in use by another process", l.dir)
		}
		return fmt.Errorf("lock %s: %w", l.dir, err)
	}
	l.file = f
	return nil
}

// release gives the directory back; closing the file ends the lock.
func (l *dirLock) release() {
	if l.file != nil {
		_ = l.file.Close()
		l.file = nil
	}
}

// freePort is a loopback port that nothing listens on. It lies below the ranges
// from which systems take the local ports of outgoing connections, so that no
// client takes it while its server is being started again.
func freePort() (int, error) {
	const low, high = 15000, 32000
	for range 200 {
		port := low + rand.IntN(high-low)
		if portFree(port) {
			return port, nil
		}
	}
	return 0, errors.New("no free loopback port between 15000 and 32000")
}

// portFree reports whether a loopback port can be listened on now.
func portFree(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	_ = l.Close()
	return true
}

// endOrphan ends the server that an earlier process left behind on a directory:
// the pid in the first line of pidFile, if that process is alive and its command
// line names marker. It is given a moment to end by itself, for it may be about
// to. It reports whether the pid belongs to a stranger.
func endOrphan(ctx context.Context, pidFile, marker string) (stranger bool, err error) {
	b, err := os.ReadFile(pidFile)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read the pid file: %w", err)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	pid, _ := strconv.Atoi(strings.TrimSpace(line)) // 0 for a file that a crash cut short
	if pid <= 1 || !alive(pid) {
		return false, nil
	}
	if !strings.Contains(commandLine(ctx, pid), marker) {
		return alive(pid), nil
	}
	for _, sig := range []syscall.Signal{0, syscall.SIGQUIT, syscall.SIGKILL} {
		if sig != 0 {
			_ = syscall.Kill(pid, sig)
		}
		for range 60 {
			if !alive(pid) {
				return false, nil
			}
			if err := pause(ctx, pollEvery); err != nil {
				return false, fmt.Errorf("wait for the end of process %d: %w", pid, err)
			}
		}
	}
	return false, fmt.Errorf("process %d still runs on these files and cannot be ended", pid)
}

// alive reports whether a process exists and is not merely waiting to be reaped.
func alive(pid int) bool {
	if err := syscall.Kill(pid, 0); err != nil && !errors.Is(err, syscall.EPERM) {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return !errors.Is(err, os.ErrNotExist) || !hasProc()
	}
	// "pid (name) state …": the name may hold anything, so search from its end.
	i := bytes.LastIndexByte(stat, ')')
	return i < 0 || i+2 >= len(stat) || stat[i+2] != 'Z'
}

// hasProc reports whether this system shows its processes as files.
func hasProc() bool {
	_, err := os.Stat("/proc/self/stat")
	return err == nil
}

// commandLine is the command line of a process, its words separated by spaces.
func commandLine(ctx context.Context, pid int) string {
	if hasProc() {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		return strings.ReplaceAll(string(b), "\x00", " ")
	}
	b, _ := exec.CommandContext(ctx, "ps", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	return string(b)
}

// pause waits for d or for the end of ctx.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// bounded gives a context without a deadline the limit of a start.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, startLimit)
}

// CacheDir is where what was fetched from a package registry is kept for all
// projects and runs of this machine: $TILLGATE_CACHE, else /var/cache/tillgate
// for root (its servers run as another user, who cannot enter root's home),
// else the user's cache directory.
func CacheDir() (string, error) {
	if dir := os.Getenv("TILLGATE_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	if os.Geteuid() == 0 {
		return "/var/cache/tillgate", nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache directory: %w", err)
	}
	return filepath.Join(dir, "tillgate"), nil
}
