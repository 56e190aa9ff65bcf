package peer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/jackc/pgx/v5"
)

// The bank is what a shop would build without this server: points in a table
// of PostgreSQL, taken by UPDATE where enough are available, and the hold
// inserted under its key, in one statement and one round trip, prepared. That
// is the least that PostgreSQL can do; no rules are applied, nothing is earned,
// no receipt is kept.
const (
	bankTables = `
CREATE TABLE bank_members (id bigint PRIMARY KEY, available bigint NOT NULL, held bigint NOT NULL DEFAULT 0) WITH (fillfactor = 70);
CREATE TABLE bank_holds (key text PRIMARY KEY, member bigint NOT NULL, points bigint NOT NULL, total bigint NOT NULL, at timestamptz NOT NULL DEFAULT now());`
	bankMembers = `INSERT INTO bank_members (id, available) SELECT i, 1000000000 FROM generate_series(0, $1::bigint - 1) AS i`
	bankHold    = `WITH taken AS (
UPDATE bank_members SET available = available - $2, held = held + $2 WHERE id = $1 AND available >= $2 RETURNING id)
INSERT INTO bank_holds (key, member, points, total) SELECT $3, id, $2, $4 FROM taken`
	bankPoints, bankTotal = 10_000, 130_000
)

// BankEnv is the environment variable by which the bank's connection string
// reaches its process: it holds a password, which arguments would show.
const BankEnv = "TILLBENCH_BANK"

// processCPU is the processor time that this process has used, in seconds.
func processCPU() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0 // a figure of the report, nothing more
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// FillBank makes the bank's tables and members in an empty database.
func FillBank(ctx context.Context, dsn string, members int) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err = conn.Exec(ctx, bankTables); err == nil {
		_, err = conn.Exec(ctx, bankMembers, members)
	}
	if err == nil {
		_, err = conn.Exec(ctx, "VACUUM (ANALYZE) bank_members")
	}
	if err != nil {
		return fmt.Errorf("make the bank's tables: %w", err)
	}
	return nil
}

// Banked is what a run of the bank has measured; latencies in milliseconds.
type Banked struct {
	Rate  float64 `json:"rate"`
	P50   float64 `json:"p50"`
	P99   float64 `json:"p99"`
	P999  float64 `json:"p999"`
	Max   float64 `json:"max"`
	Holds int64   `json:"holds"`
	CPU   float64 `json:"cpu"` // cores of the clients
}

// Bank has so many clients hold points of members drawn evenly for a time, each
// again as soon as it is answered, in a process of its own.
func Bank(ctx context.Context, command Command, dsn string, clients, members int, lasting time.Duration) (b Banked, err error) {
	cmd := command(ctx, "bank", strconv.Itoa(clients), strconv.Itoa(members), lasting.String())
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, BankEnv+"="+dsn)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return b, fmt.Errorf("the bank in PostgreSQL: %w", err)
	}
	return b, json.Unmarshal(out, &b)
}

func bankMain(args []string, out io.Writer) error {
	if len(args) != 3 {
		return errors.New("bank takes clients, members and a duration")
	}
	clients, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	members, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	lasting, err := time.ParseDuration(args[2])
	if err != nil {
		return err
	}
	b, err := bank(context.Background(), os.Getenv(BankEnv), clients, members, lasting)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(b)
}

func bank(ctx context.Context, dsn string, clients, members int, lasting time.Duration) (b Banked, err error) {
	conns := make([]*pgx.Conn, clients)
	defer func() {
		for _, c := range conns {
			if c != nil {
				c.Close(ctx)
			}
		}
	}()
	for i := range conns {
		if conns[i], err = pgx.Connect(ctx, dsn); err != nil {
			return b, err
		}
	}
	var (
		mu      sync.Mutex
		all     = hdrhistogram.New(1000, int64(time.Minute), 3)
		holds   atomic.Int64
		busy    sync.WaitGroup
		begun   = time.Now()
		run     = begun.UnixNano()
		failure error
	)
	for i, conn := range conns {
		busy.Go(func() {
			took, err := client(ctx, conn, fmt.Sprintf("%d-%d-", run, i), members, begun.Add(lasting))
			mu.Lock()
			defer mu.Unlock()
			failure = errors.Join(failure, err)
			holds.Add(took.TotalCount())
			all.Merge(took)
		})
	}
	busy.Wait()
	elapsed := time.Since(begun).Seconds()
	quantile := func(p float64) float64 { return float64(all.ValueAtQuantile(p)) / 1e6 }
	return Banked{
		Rate: float64(holds.Load()) / elapsed, Holds: holds.Load(), Max: float64(all.Max()) / 1e6,
		P50: quantile(50), P99: quantile(99), P999: quantile(99.9), CPU: processCPU() / elapsed,
	}, failure
}

// client holds points until the time is over.
func client(ctx context.Context, conn *pgx.Conn, keys string, members int, end time.Time) (*hdrhistogram.Histogram, error) {
	took := hdrhistogram.New(1000, int64(time.Minute), 3)
	var key strings.Builder
	for n := 0; time.Now().Before(end); n++ {
		key.Reset()
		key.WriteString(keys)
		key.WriteString(strconv.Itoa(n))
		at := time.Now()
		done, err := conn.Exec(ctx, bankHold, rand.IntN(members), bankPoints, key.String(), bankTotal)
		if err != nil {
			return took, err
		}
		if done.RowsAffected() != 1 {
			return took, errors.New("a hold that should have been possible was not")
		}
		if err := took.RecordValue(min(int64(time.Since(at)), int64(time.Minute))); err != nil {
			return took, err
		}
	}
	return took, nil
}
