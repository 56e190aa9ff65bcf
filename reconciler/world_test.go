package reconciler

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"tillgate/ledger"
	"tillgate/reconciler/project"
	"tillgate/reconciler/services"
	"tillgate/reconciler/services/servicetest"
)

func TestMain(m *testing.M) { servicetest.Main(m) }

const (
	partitions = 4
	patience   = time.Minute
)

// world is a ledger with some members and what stands behind it.
type world struct {
	*testing.T
	l       *ledger.Ledger
	fs      vfs.FS
	members []ledger.AccountID
	random  *rand.Rand
	clock   func() int64 // nil: the system's
	o       Options
	shelf   shelf
	stop    func()
	r       *Reconciler
}

// shelf is a directory of each name, the same for every merchant.
type shelf map[string]string

func (s shelf) Directories() (names []string) { return slices.Sorted(maps.Keys(s)) }

func (s shelf) WriteDirectory(w io.Writer, merchant, name string) error {
	_, err := io.WriteString(w, s[name]+" of "+merchant)
	return err
}

func newWorld(t *testing.T) *world { return newWorldAt(t, nil) }

// newWorldAt is newWorld with a clock of the test's own, unix ns.
func newWorldAt(t *testing.T, clock func() int64) *world {
	w := &world{T: t, clock: clock, fs: vfs.NewMem(), random: rand.New(rand.NewPCG(1, 2)), o: DefaultOptions(), stop: func() {}}
	w.open()
	t.Cleanup(func() { w.stop(); w.l.Close() })
	for i := range 8 {
		w.enrol(fmt.Sprintf("Member %d", i))
	}
	return w
}

func (w *world) open() {
	var err error
	w.l, err = ledger.Open("data", ledger.Options{
		FS: w.fs, Partitions: partitions, WindowRecords: 25, MinFreeDisk: -1, DupFilterBytes: 64 << 10, ReceiptFilterBytes: 64 << 10, Logger: w.log(), Clock: w.clock,
		Fatal: func(err error) { w.Errorf("the ledger failed: %v", err) },
	})
	require.NoError(w, err)
}

func (w *world) log() *slog.Logger {
	if os.Getenv("TILLGATE_TEST_LOG") != "" {
		return slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	return slog.New(slog.DiscardHandler)
}

// decision is a task of the ledger.
type decision struct {
	decide func(*ledger.Tx) error
	done   chan error
}

func (d *decision) Decide(tx *ledger.Tx) error { return d.decide(tx) }
func (d *decision) Done(err error)             { d.done <- err }

func (w *world) decide(account ledger.AccountID, f func(*ledger.Tx) error) {
	w.Helper()
	d := &decision{decide: f, done: make(chan error, 1)}
	require.NoError(w, w.l.Submit(account.Partition(partitions), d))
	require.NoError(w, <-d.done)
}

func (w *world) enrol(name string) ledger.AccountID {
	id := ledger.AccountID(w.random.Uint64())
	w.decide(id, func(tx *ledger.Tx) error {
		if err := tx.Create(id, "m"); err != nil {
			return err
		}
		if err := tx.PutProfile(id, []byte(`{"v":1,"name":"`+name+`"}`)); err != nil {
			return err
		}
		_, err := tx.Append(&ledger.Operation{Kind: ledger.KindEnrol, Account: id, Merchant: "m", Registered: true, At: tx.Now()})
		return err
	})
	w.members = append(w.members, id)
	return id
}

// sell books n receipts, each of two lines with a discount, earning a tenth.
func (w *world) sell(n int) {
	w.Helper()
	for range n {
		id := w.members[w.random.IntN(len(w.members))]
		total := 100 * (1 + w.random.Int64N(1000))
		w.decide(id, func(tx *ledger.Tx) error {
			op := ledger.Operation{
				Kind: ledger.KindAccrue, Account: id, Merchant: "m", At: tx.Now() - int64(time.Hour), Offset: 5 * 3600,
				Store: "S1", Terminal: "T" + strconv.Itoa(w.random.IntN(3)), Shift: "1", Receipt: strconv.Itoa(w.random.IntN(1 << 30)),
				Total: total + 50, Discount: 50, Payable: total, Earned: total / 10, Status: "confirmed",
				Lines: []ledger.Line{
					{ID: "1", SKU: "=cmd", Quantity: 1000, Price: total, Amount: total, Earned: total / 10},
					{ID: "2", SKU: "2", Quantity: 345, Price: 50, Amount: 50, Discount: 50},
				},
				Rules:     []ledger.Rule{{Name: "base", Points: total / 10}},
				Lots:      []ledger.LotPart{{Points: total / 10}},
				EarnedLot: ledger.LotPart{Points: total / 10},
			}
			op.Legs[ledger.LegIssued] = -total / 10
			_, err := tx.Append(&op)
			return err
		})
	}
}

// erase does to a member what the law asks for.
func (w *world) erase(id ledger.AccountID) {
	w.decide(id, func(tx *ledger.Tx) error {
		if err := tx.DeleteProfile(id); err != nil {
			return err
		}
		_, err := tx.Append(&ledger.Operation{Kind: ledger.KindErase, Account: id, Merchant: "m", At: tx.Now()})
		return err
	})
}

// run starts a reconciler; what ran before is stopped first.
func (w *world) run() {
	w.Helper()
	w.stop()
	r, err := New(w.o, Parts{Ledger: w.l, Logger: w.log(), Registerer: prometheus.NewRegistry(), Directories: w.shelf})
	require.NoError(w, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); r.Run(ctx) }()
	w.r = r
	w.stop = func() { cancel(); <-done; w.stop = func() {} }
}

// settled waits until PostgreSQL has all that is synced and proves it.
func (w *world) settled() {
	w.Helper()
	marks := make([]uint64, partitions)
	for p := range marks {
		marks[p] = w.l.Synced(p)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := w.r.projector.Wait(ctx, marks); err != nil {
		w.Fatalf("PostgreSQL did not catch up: projection: %v, publisher: %v", w.r.projector.Trouble(), w.publisherTrouble())
	}
	report, err := VerifyPostgres(ctx, w.o.Postgres, w.l)
	require.NoError(w, err)
	require.Empty(w, report.Faults)
	require.Positive(w, report.Records)
	require.Positive(w, report.Accounts)
}

func (w *world) publisherTrouble() error {
	if w.r.publisher == nil {
		return nil
	}
	return w.r.publisher.Trouble()
}

// profilesSettle waits until each member's profile is what the ledger has.
func (w *world) profilesSettle() {
	w.Helper()
	c := w.connect()
	require.Eventually(w, func() bool {
		for _, id := range w.members {
			plain, err := w.l.Profile(id)
			require.NoError(w, err)
			var name string
			err = c.QueryRow(context.Background(), "SELECT coalesce(profile->>'name', '') FROM members WHERE account = $1", id.String()).Scan(&name)
			if err != nil || !strings.Contains(string(plain), name) || (name == "") != (plain == nil) {
				return false
			}
		}
		return true
	}, patience, 20*time.Millisecond, "profiles must arrive")
}

func (w *world) config() *pgx.ConnConfig {
	w.Helper()
	config, err := project.Config(w.o.Postgres)
	require.NoError(w, err)
	return config
}

func (w *world) connect() *pgx.Conn {
	w.Helper()
	c, err := pgx.ConnectConfig(context.Background(), w.config())
	require.NoError(w, err)
	w.Cleanup(func() { c.Close(context.Background()) })
	return c
}

// broker is a Kafka that can be stopped and started again on its data.
type broker interface {
	address() string
	stop(*testing.T)
	start(*testing.T)
}

// brokers are the two that the suite of the stream runs against.
var brokers = map[string]func(*testing.T) broker{
	"kfake": newFakeBroker,
	"kafka": func(t *testing.T) broker { return &realBroker{servicetest.OwnKafka(t)} },
}

// fakeBroker is kfake with its data in a directory.
type fakeBroker struct {
	dir     string
	port    int
	cluster *kfake.Cluster
}

func newFakeBroker(t *testing.T) broker {
	f := &fakeBroker{dir: t.TempDir()}
	f.start(t)
	_, port, err := net.SplitHostPort(f.cluster.ListenAddrs()[0])
	require.NoError(t, err)
	f.port, err = strconv.Atoi(port)
	require.NoError(t, err)
	t.Cleanup(func() { f.stop(t) })
	return f
}

func (f *fakeBroker) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(f.port)) }

func (f *fakeBroker) stop(*testing.T) {
	if f.cluster != nil {
		f.cluster.Close()
		f.cluster = nil
	}
}

func (f *fakeBroker) start(t *testing.T) {
	o := []kfake.Opt{kfake.NumBrokers(1), kfake.DataDir(f.dir)}
	if f.port != 0 {
		o = append(o, kfake.Ports(f.port))
	}
	var err error
	f.cluster, err = kfake.NewCluster(o...)
	require.NoError(t, err)
}

// realBroker is Apache Kafka.
type realBroker struct{ k *services.Kafka }

func (r *realBroker) address() string    { return r.k.Address() }
func (r *realBroker) stop(t *testing.T)  { require.NoError(t, r.k.Stop(context.Background())) }
func (r *realBroker) start(t *testing.T) { require.NoError(t, r.k.Restart(context.Background())) }
