package campaign

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/processor"
	"tillgate/protocol"
	"tillgate/reconciler/project"
	"tillgate/reconciler/services/servicetest"
)

func TestMain(m *testing.M) { servicetest.Main(m) }

// patience bounds what a test waits for.
const testPatience = time.Minute

var almaty = func() *time.Location {
	zone, err := time.LoadLocation("Asia/Almaty")
	if err != nil {
		panic(err)
	}
	return zone
}()

// world is a whole shop: ledger, switch, projection into a real PostgreSQL, and
// the campaigns, with a clock that stands still until a test moves it. Nothing
// runs by itself but the projection: work does what is due.
type world struct {
	testing.TB
	dsn    string
	fs     vfs.FS
	clock  atomic.Int64
	ledger *ledger.Ledger
	s      *processor.Switch
	p      *project.Projector
	o      Options
	// submit is what campaigns give adjustments to; nil: the switch itself.
	submit func(*protocol.Exchange)
	shut   func()
	keys   int
	names  map[string]string // account by name
	told   int64             // the reminder told last
	limit  int64             // of adjustments by one person
}

func newWorld(t testing.TB) *world {
	w := &world{TB: t, dsn: servicetest.Database(t), fs: vfs.NewMem(), names: map[string]string{}, shut: func() {}}
	w.clock.Store(time.Date(2026, 1, 1, 0, 0, 0, 0, almaty).UnixNano())
	w.open()
	t.Cleanup(func() { w.shut() })
	return w
}

func (w *world) log() *slog.Logger {
	if os.Getenv("TILLGATE_TEST_LOG") != "" {
		return slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	return slog.New(slog.DiscardHandler)
}

// open starts everything on what is there.
func (w *world) open() {
	var err error
	w.ledger, err = ledger.Open("data", ledger.Options{
		FS: w.fs, Partitions: 4, Shards: 2, Clock: w.clock.Load, MinFreeDisk: -1, Logger: w.log(),
		Fatal: func(err error) { w.Errorf("the ledger has failed: %v", err) },
	})
	require.NoError(w, err)
	w.s, err = processor.New(w.ledger, processor.Options{Clock: w.clock.Load, Logger: w.log(), AdjustLimit: w.limit})
	require.NoError(w, err)
	config, err := project.Config(w.dsn)
	require.NoError(w, err)
	w.p = project.New(project.Options{
		Config: config, Store: "test", Partitions: w.ledger.Partitions(), Source: &project.JournalSource{Ledger: w.ledger},
		Open: w.ledger.OpenProfile, Synced: w.ledger.Synced, Linger: time.Millisecond, Pause: 10 * time.Millisecond,
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); w.p.Run(ctx) }()
	l, s := w.ledger, w.s
	w.shut = func() {
		w.shut = func() {}
		cancel()
		<-done
		limit, end := context.WithTimeout(context.Background(), 10*time.Second)
		defer end()
		require.NoError(w, s.Close(limit))
		require.NoError(w, l.Close())
	}
	w.o = Options{
		Ledger: w.ledger, Programs: w.s, Config: config, Current: w.current, Logger: w.log(), Rate: 10_000, Remind: time.Nanosecond,
		Submit: func(x *protocol.Exchange) {
			if w.submit != nil {
				w.submit(x)
				return
			}
			s.Submit(x)
		},
	}
}

// restart stops everything and starts it again on what is there.
func (w *world) restart() {
	w.shut()
	w.open()
}

// current waits for the projection.
func (w *world) current(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, testPatience)
	defer cancel()
	marks := make([]uint64, w.ledger.Partitions())
	for i := range marks {
		marks[i] = w.ledger.Synced(i)
	}
	return w.p.Wait(ctx, marks)
}

// session opens a worker, as [Service.session] does, for work by hand.
func (w *world) session(ctx context.Context) (*worker, error) {
	s := New(w.o)
	if err := s.o.Current(ctx); err != nil {
		return nil, err
	}
	conn, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	one := &worker{Service: s, conn: conn, pace: pace{every: time.Second / time.Duration(s.o.Rate)}, newest: map[grantID]int64{}}
	if err := one.lock(ctx); err != nil {
		shut(ctx, conn)
		return nil, err
	}
	return one, nil
}

// work does what is due until nothing is.
func (w *world) work(ctx context.Context) error {
	one, err := w.session(ctx)
	for deadline := time.Now().Add(testPatience); errors.Is(err, errTaken) && time.Now().Before(deadline); {
		one, err = w.session(ctx) // PostgreSQL lets a lock go a moment after its connection
	}
	if err != nil {
		return err
	}
	defer shut(ctx, one.conn)
	for busy := true; busy; {
		if busy, err = one.round(ctx); err != nil {
			return err
		}
	}
	return nil
}

// ask submits a request and waits for its answer.
func (w *world) ask(r protocol.Request) *protocol.Response {
	w.Helper()
	w.keys++
	r.Key, r.Hash = "key-"+strconv.Itoa(w.keys), [16]byte{byte(w.keys), byte(w.keys >> 8)}
	if r.Caller.Role == protocol.RoleNone {
		r.Caller = protocol.Caller{Key: "office", Role: protocol.RoleAdmin}
	}
	x := &protocol.Exchange{Request: r}
	done := make(chan struct{})
	x.Done = func(*protocol.Exchange) { close(done) }
	w.s.Submit(x)
	select {
	case <-done:
	case <-time.After(testPatience):
		w.Fatal("no answer")
	}
	return &x.Response
}

func (w *world) must(r protocol.Request) *protocol.Response {
	w.Helper()
	out := w.ask(r)
	require.True(w, out.Code.OK(), "%v: %s %s %v", out.Code, out.Field, out.Detail, out.Problems)
	return out
}

func (w *world) publish(document string) {
	w.Helper()
	w.must(protocol.Request{Call: protocol.CallPutProgram, Document: []byte(document)})
}

// joins registers a member under a name.
func (w *world) joins(name string, p protocol.Profile) string {
	w.Helper()
	phone := fmt.Sprintf("+7701%07d", len(w.names)+1)
	p.Phone = &phone
	id := w.must(protocol.Request{Call: protocol.CallCreateMember, Profile: &p}).Member.ID
	w.names[name] = strings.Clone(id)
	return w.names[name]
}

func (w *world) account(name string) string {
	w.Helper()
	id, ok := w.names[name]
	require.True(w, ok, "nobody is called %s", name)
	return id
}

// nameOf is who has an account.
func (w *world) nameOf(account string) string {
	for name, id := range w.names {
		if id == account {
			return name
		}
	}
	return account
}

// buys books a receipt in one step.
func (w *world) buys(name string, total int64, change func(*protocol.Request)) string {
	w.Helper()
	r := protocol.Request{
		Call: protocol.CallAccrue, Terminal: "T1", Store: "S1", HasBasket: true, Total: total,
		Member: protocol.Identifier{Kind: protocol.ByID, Value: w.account(name)},
	}
	if change != nil {
		change(&r)
	}
	return strings.Clone(w.must(r).ID)
}

// balance is what a member can spend, hundredths.
func (w *world) balance(name string) int64 {
	w.Helper()
	return w.must(protocol.Request{Call: protocol.CallBalance, Target: w.account(name)}).Balance.Available
}

// grants are the adjustments in a member's history that a grant has made.
func (w *world) grants(name string) (n int) {
	w.Helper()
	id, err := ledger.ParseAccountID(w.account(name))
	require.NoError(w, err)
	var op ledger.Operation
	require.NoError(w, w.ledger.WaitSynced())
	p := id.Partition(w.ledger.Partitions())
	require.NoError(w, w.ledger.Journal(p, 1, func(_ ledger.OpID, record []byte) bool {
		require.NoError(w, ledger.DecodeOperation(record, &op))
		if op.Kind == ledger.KindAdjust && op.Account == id && op.Actor == actor && protocol.Code(op.Code).OK() {
			n++
		}
		return true
	}))
	return n
}

// members are who belongs to a segment, by name.
func (w *world) members(segment string) []string {
	w.Helper()
	require.NoError(w, w.current(context.Background()))
	var names []string
	_, err := New(w.o).each(context.Background(), "", segment, w.ledger.Now(), func(account string) error {
		names = append(names, w.nameOf(account))
		return nil
	})
	require.NoError(w, err)
	slices.Sort(names)
	return names
}

// answer asks the service as an office does.
func (w *world) answer(r protocol.Request) *protocol.Response {
	w.Helper()
	out := &protocol.Response{Call: r.Call}
	require.NoError(w, New(w.o).Answer(context.Background(), &r, out, func() {}))
	return out
}

func (w *world) connect() *pgx.Conn {
	w.Helper()
	config, err := project.Config(w.dsn)
	require.NoError(w, err)
	c, err := pgx.ConnectConfig(context.Background(), config)
	require.NoError(w, err)
	w.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}
