package services

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// pgUser is the only role and pgDatabase the database of StartPostgres.
	pgUser     = "tillgate"
	pgDatabase = "tillgate"
	// leastBuffers is in MiB.
	leastBuffers = 64
	// pgAttempts bounds the starts of one StartPostgres: a port that was taken
	// between the look and the use, and the crashed server's last children.
	pgAttempts = 40
	// socketPathLimit is the length of sun_path on the systems we know, less
	// the ending zero (Linux 108, BSD and macOS 104).
	socketPathLimit = 103
)

// PostgresOptions says how StartPostgres runs the server. The zero value is a
// durable server from whatever binaries are found.
type PostgresOptions struct {
	// Binaries is the directory of initdb and postgres; empty looks for them.
	Binaries string
	// Volatile gives up durability against a crash of the machine (not of the
	// server) for speed: for tests.
	Volatile bool
	// BufferMiB is the memory for the database's pages: what a test or a trial
	// needs, unless more is said. 64 MiB.
	BufferMiB int
	// Logf receives what a person should know, such as another directory than
	// the one asked for; nil drops it.
	Logf func(format string, args ...any)
}

// Postgres is a PostgreSQL server that belongs to this process. Its methods are
// for one goroutine at a time; DSN and Address may be called from any.
type Postgres struct {
	options  PostgresOptions
	binaries string
	account  *account // the unprivileged user it runs as; nil: our own
	dir      string   // holds everything: data, password, log
	password string
	port     int
	process  *process
	lock     dirLock
}

// StartPostgres starts a PostgreSQL in dir, which it creates if need be, on a
// free loopback port, and returns when it answers. Data found in dir is used
// again, whatever way its last server ended. As root it runs as the user
// postgres or nobody; where that user cannot enter dir, another directory is
// used and told to Logf. ctx bounds the start, not the server's life.
//
// It fails with ErrUnavailable where no PostgreSQL can be found or fetched.
func StartPostgres(ctx context.Context, dir string, options PostgresOptions) (*Postgres, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	if options.Logf == nil {
		options.Logf = func(string, ...any) {}
	}
	p := &Postgres{options: options}
	var err error
	if p.account, err = unprivileged(); err != nil {
		return nil, err
	}
	if p.dir, err = p.account.home(dir, options.Logf); err != nil {
		return nil, err
	}
	p.lock.dir = p.dir
	if err := p.lock.take(); err != nil {
		return nil, err
	}
	if err := p.create(ctx); err != nil {
		p.lock.release()
		return nil, err
	}
	if err := p.start(ctx); err != nil {
		p.lock.release()
		return nil, err
	}
	return p, nil
}

// DSN is the connection string of the server's own database for pgx. It holds a
// password: it is not for logs.
func (p *Postgres) DSN() string { return p.DatabaseDSN(pgDatabase) }

// DatabaseDSN is the connection string of another database of the server.
func (p *Postgres) DatabaseDSN(name string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(pgUser, p.password),
		Host:     p.Address(),
		Path:     "/" + name,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Address is the host and port it listens on; the same through its life.
func (p *Postgres) Address() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port))
}

// Dir is the directory in use: the one given to StartPostgres, unless the
// server's user could not have entered that.
func (p *Postgres) Dir() string { return p.dir }

// PID is the server's process id.
func (p *Postgres) PID() int { return p.process.pid }

// Done is closed when the running server ends, in whatever way.
func (p *Postgres) Done() <-chan struct{} { return p.process.done }

// Stop ends the server in order, breaking its sessions off, and frees the
// directory. When ctx ends first, or after half a minute, it is killed, which
// loses nothing that was committed but is returned as an error. A server that
// has ended already is no error.
func (p *Postgres) Stop(ctx context.Context) error {
	defer p.lock.release()
	return p.process.stop(ctx, syscall.SIGINT, stopGrace)
}

// Kill ends the server at once with SIGKILL, as a crash would. Restart or Stop
// follows.
func (p *Postgres) Kill() { p.process.kill() }

// Restart starts the server again on the same port and data, whether it was
// stopped or killed; one that still runs is stopped in order first.
func (p *Postgres) Restart(ctx context.Context) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	if err := p.process.stop(ctx, syscall.SIGINT, stopGrace); err != nil {
		return err
	}
	if err := p.lock.take(); err != nil {
		return err
	}
	return p.start(ctx)
}

func (p *Postgres) data() string { return filepath.Join(p.dir, "data") }
func (p *Postgres) log() string  { return filepath.Join(p.dir, "log") }

// create makes the data directory where there is none, and finds the binaries
// and the password that belong to it.
func (p *Postgres) create(ctx context.Context) error {
	version, err := os.ReadFile(filepath.Join(p.data(), "PG_VERSION"))
	fresh := errors.Is(err, os.ErrNotExist)
	if err != nil && !fresh {
		return fmt.Errorf("read the version of the data directory: %w", err)
	}
	p.binaries = p.options.Binaries
	if p.binaries == "" {
		p.binaries, err = findPostgres(ctx, strings.TrimSpace(string(version)), p.options.Logf)
		if err != nil {
			return err
		}
	}
	secret := filepath.Join(p.dir, "password")
	if !fresh {
		b, err := os.ReadFile(secret)
		if err != nil {
			return fmt.Errorf("the database in %s has lost its password file: %w", p.dir, err)
		}
		p.password = string(b)
		return p.account.own(p.data())
	}
	p.password = rand.Text()
	if err := os.WriteFile(secret, []byte(p.password), 0o600); err != nil {
		return fmt.Errorf("write the database's password: %w", err)
	}
	if err := p.account.own(secret); err != nil {
		return err
	}
	return p.initdb(ctx, secret)
}

// initdb makes the data directory under another name and renames it, so that an
// interrupted one is never taken for whole.
func (p *Postgres) initdb(ctx context.Context, secret string) error {
	unfinished := p.data() + ".unfinished"
	if err := os.RemoveAll(unfinished); err != nil {
		return fmt.Errorf("remove an unfinished data directory: %w", err)
	}
	if err := os.Mkdir(unfinished, 0o700); err != nil {
		return fmt.Errorf("create the data directory: %w", err)
	}
	if err := p.account.own(unfinished); err != nil {
		return err
	}
	args := []string{
		"--pgdata", unfinished, "--username", pgUser, "--pwfile", secret,
		"--encoding", "UTF8", "--locale", "C", "--auth", "scram-sha-256",
	}
	if p.options.Volatile {
		args = append(args, "--no-sync")
	}
	cmd := p.command(ctx, "initdb", args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, strings.TrimSpace(string(out)))
	}
	if err := os.Rename(unfinished, p.data()); err != nil {
		return fmt.Errorf("put the data directory in place: %w", err)
	}
	return nil
}

// command is one of PostgreSQL's programs, run as the unprivileged user and with
// nothing of our environment, whose PG… variables would steer it elsewhere.
func (p *Postgres) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(p.binaries, name), args...)
	cmd.Dir = p.dir
	cmd.Env = []string{"PATH=" + p.binaries + ":/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.account.credential()}
	return cmd
}

// start runs the server until it answers. A start that fails for a cause that
// passes is tried again, at most pgAttempts times.
func (p *Postgres) start(ctx context.Context) error {
	if err := p.clear(ctx); err != nil {
		return err
	}
	keepPort := p.port != 0
	for attempts := pgAttempts; ; attempts-- {
		if !keepPort {
			port, err := freePort()
			if err != nil {
				return err
			}
			p.port = port
		}
		from := logSize(p.log())
		err := p.attempt(ctx)
		if err == nil {
			return nil
		}
		said := tail(p.log(), from)
		if attempts <= 1 || ctx.Err() != nil || !passing(said) {
			return fmt.Errorf("start PostgreSQL in %s: %w: %s", p.dir, err, said)
		}
		if err := pause(ctx, 5*pollEvery); err != nil {
			return fmt.Errorf("start PostgreSQL in %s: %w: %s", p.dir, err, said)
		}
	}
}

// passing reports whether a failed start may succeed shortly after: the port is
// taken, or children of a killed server still hold its shared memory.
func passing(log string) bool {
	for _, s := range []string{
		"could not bind", "could not create any TCP/IP sockets", "pre-existing shared memory block",
	} {
		if strings.Contains(log, s) {
			return true
		}
	}
	return false
}

// clear ends a server that a killed parent left on the data, and removes a pid
// file whose number has gone to another program since (after a reboot): the
// server would take that for itself and refuse to start.
func (p *Postgres) clear(ctx context.Context) error {
	file := filepath.Join(p.data(), "postmaster.pid")
	stranger, err := endOrphan(ctx, file, p.data())
	if err != nil || !stranger {
		return err
	}
	if err := os.Remove(file); err != nil {
		return fmt.Errorf("remove a stale pid file: %w", err)
	}
	return nil
}

// attempt starts the server once and waits for its answer.
func (p *Postgres) attempt(ctx context.Context) error {
	process, err := startProcess(p.command(context.WithoutCancel(ctx), "postgres", p.settings()...),
		p.log(), syscall.SIGQUIT)
	if err != nil {
		return err
	}
	p.process = process
	for {
		err := p.ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-process.done:
			return errors.New("the server ended")
		case <-ctx.Done():
			process.kill()
			return fmt.Errorf("%w while waiting for its answer: %w", context.Cause(ctx), err)
		case <-time.After(pollEvery):
		}
	}
}

// settings are the server's arguments. They stand here and not in
// postgresql.conf, so that an older directory is run like a new one.
func (p *Postgres) settings() []string {
	socket := p.data()
	if len(socket)+len("/.s.PGSQL.00000") > socketPathLimit {
		socket = ""
	}
	set := []string{
		"port=" + strconv.Itoa(p.port),
		"listen_addresses=127.0.0.1",
		"unix_socket_directories=" + socket,
		"max_connections=200", // a test binary per core, each with its pools
		fmt.Sprintf("shared_buffers=%dMB", max(leastBuffers, p.options.BufferMiB)),
		"huge_pages=off",
		"timezone=UTC",
		"log_timezone=UTC",
		"log_checkpoints=off",
		"logging_collector=off",
	}
	if p.options.Volatile {
		// Commits still reach the operating system before they are answered, so
		// that killing the server loses none: synchronous_commit stays on.
		set = append(set, "fsync=off", "full_page_writes=off")
	}
	args := []string{"-D", p.data()}
	for _, s := range set {
		args = append(args, "-c", s)
	}
	return args
}

// ready connects once and makes the server's database where it is missing.
func (p *Postgres) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, p.DatabaseDSN("postgres"))
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	var exists bool
	const find = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)"
	if err := conn.QueryRow(ctx, find, pgDatabase).Scan(&exists); err != nil {
		return fmt.Errorf("look for the database: %w", err)
	}
	if exists {
		return nil
	}
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+pgDatabase); err != nil {
		return fmt.Errorf("create the database: %w", err)
	}
	return nil
}
