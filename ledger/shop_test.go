package ledger

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
)

// task is a Task made of a function.
type task struct {
	decide func(*Tx) error
	done   chan error
}

// Decide tells the waiting test when an assertion has ended the event loop's
// goroutine under it: it would wait for ever.
func (t *task) Decide(tx *Tx) error {
	ended := false
	defer func() {
		if ended {
			return
		}
		if p := recover(); p != nil {
			panic(p) // the ledger's to deal with
		}
		t.done <- errors.New("an assertion failed within the task")
	}()
	err := t.decide(tx)
	ended = true
	return err
}

func (t *task) Done(err error) { t.done <- err }

// do runs decide on a partition and waits until it is synced.
func do(t testing.TB, l *Ledger, partition int, decide func(*Tx) error) error {
	t.Helper()
	k := &task{decide, make(chan error, 1)}
	require.NoError(t, l.Submit(partition, k))
	return <-k.done
}

func must(t testing.TB, l *Ledger, partition int, decide func(*Tx) error) {
	t.Helper()
	require.NoError(t, do(t, l, partition, decide))
}

// handClock is a clock that stands still until it is moved.
type handClock struct{ now atomic.Int64 }

func newHandClock() *handClock {
	c := &handClock{}
	c.now.Store(time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *handClock) read() int64          { return c.now.Load() }
func (c *handClock) move(d time.Duration) { c.now.Add(int64(d)) }

// quiet are options under which nothing happens but what a test does: the
// sweeper and windows by age do not run by themselves.
func quiet(fs vfs.FS, clock *handClock) Options {
	return Options{
		FS: fs, Clock: clock.read, Partitions: 4, Shards: 2, SweepEvery: time.Hour, WindowAge: 1000 * time.Hour,
		WindowRecords: 25, CacheBytes: 1 << 20, DupFilterBytes: 4 << 10, ReceiptFilterBytes: 4 << 10, MemTableBytes: 256 << 10, Logger: slog.New(slog.DiscardHandler),
	}
}

func open(t testing.TB, o Options) *Ledger {
	t.Helper()
	l, err := Open("data", o)
	require.NoError(t, err)
	l.OnArrival(comes)
	l.OnWake(dated)
	return l
}

// shop is a small decider: it does to accounts what the processor does, with
// choices drawn from a seed, so that one seed is one trace. Decisions of one
// partition depend on that partition only.
type shop struct {
	ids   []AccountID
	mu    sync.Mutex
	sales map[AccountID][]OpID
	park  map[int][]OpID
	parts int
	keep  int64 // how long sales are asked for, ns; 0: always
}

func newShop(members, partitions int) *shop {
	s := &shop{sales: map[AccountID][]OpID{}, park: map[int][]OpID{}, parts: partitions}
	r := rand.New(rand.NewPCG(1, 2))
	for range members {
		s.ids = append(s.ids, AccountID(r.Uint64()))
	}
	return s
}

// action is one step of a trace.
type action struct {
	name   string
	id     AccountID
	r      *rand.Rand
	n      int
	decide func(s *shop, tx *Tx, a *Account, x *action) error
}

func (x *action) partition(s *shop) int { return x.id.Partition(s.parts) }

func (x *action) run(s *shop, tx *Tx) error {
	a, err := tx.Account(x.id)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if a == nil {
		return enrolled(s, tx, x)
	}
	if a.Into != 0 {
		return decline(s, tx, a, x)
	}
	return x.decide(s, tx, a, x)
}

type step struct {
	name   string
	decide func(*shop, *Tx, *Account, *action) error
}

var actions = []step{
	{"accrue", accrue}, {"accrue", accrue}, {"authorize", authorize}, {"authorize", authorize}, {"amend", amend},
	{"confirm", confirm}, {"confirm", confirm}, {"void", void}, {"return", giveBack}, {"return", giveBack}, {"reverse", reverse},
	{"adjust", adjust}, {"decline", decline}, {"park", park}, {"resolve", resolve}, {"mark", reversedFirst},
	{"card", plain(KindCard)}, {"event", plain(KindEvent)}, {"tier", tier}, {"register", plain(KindRegister)},
	{"shift", closeShift}, {"profile", profile}, {"code", issueCode}, {"repeat", repeat},
}

// between are steps that reach other accounts. When what they send arrives
// depends on the courier, so a trace with them has more than one outcome.
var between = []step{{"send", send}, {"send", send}, {"send", send}, {"merge", merge}}

// trace is n steps drawn from a seed.
func (s *shop) trace(seed uint64, n int, also ...step) []*action {
	return s.traceOf(seed, n, append(slices.Clone(actions), also...))
}

func (s *shop) traceOf(seed uint64, n int, steps []step) []*action {
	r := rand.New(rand.NewPCG(seed, 7))
	var all []*action
	for i := range n {
		k := steps[r.IntN(len(steps))]
		all = append(all, &action{
			name: k.name, id: s.ids[r.IntN(len(s.ids))], n: i, decide: k.decide,
			r: rand.New(rand.NewPCG(seed, uint64(i))),
		})
	}
	return all
}

// play runs a trace; nobody waits in between.
func (s *shop) play(t testing.TB, l *Ledger, trace []*action) {
	t.Helper()
	done := make(chan error, len(trace))
	for _, x := range trace {
		for {
			err := l.Submit(x.partition(s), &task{func(tx *Tx) error { return x.run(s, tx) }, done})
			if err == nil {
				break
			}
			require.ErrorIs(t, err, ErrOverloaded)
			time.Sleep(time.Millisecond)
		}
	}
	for range trace {
		require.NoError(t, <-done)
	}
}

func (x *action) op(kind Kind, tx *Tx) *Operation {
	op := &Operation{
		Kind: kind, Account: x.id, Merchant: "coffee-house", Store: "S01", Terminal: fmt.Sprintf("T%04d", x.r.IntN(3)),
		Cashier: "C7", Channel: "store", At: tx.Now(), Offset: 5 * 3600, Program: 3, Render: 1, Edge: 1, Actor: "till",
		Shift: "45", Status: "booked",
		ISO: ISORef{MTI: "0100", STAN: fmt.Sprintf("%06d", x.n)},
	}
	op.Dups = []DupRef{{Key: Key{1, byte(x.n), byte(x.n >> 8), byte(x.id)}, Entry: DupEntry{
		Disc: fmt.Sprint("S01", x.n), Sent: []string{"1120090000"}, Hash: [16]byte{byte(x.n)},
	}}}
	return op
}

func enrolled(s *shop, tx *Tx, x *action) error {
	if err := tx.Create(x.id, "coffee-house"); err != nil {
		return err
	}
	op := x.op(KindEnrol, tx)
	op.Registered = x.r.IntN(2) == 0
	if err := tx.PutLink(Key{2, byte(x.id)}, Link{Account: x.id, Kind: 1}); err != nil {
		return err
	}
	_, err := tx.Append(op)
	return err
}

// lot is a lot with dates from a small choice, so that lots merge sometimes.
func (x *action) lot(tx *Tx, points int64) LotPart {
	hour := int64(time.Hour)
	day := tx.Now() / (24 * hour) * 24 * hour
	return LotPart{
		Active:  []int64{day, day, day + 30*hour, tx.Now() + hour}[x.r.IntN(4)],
		Expires: []int64{0, day + 48*hour, day + 72*hour, tx.Now() + 3*hour}[x.r.IntN(4)],
		Own:     x.r.IntN(3) == 0, Points: points,
	}
}

// earn gives points, and what is owed is repaid from those that are active.
func (op *Operation) earn(a *Account, tx *Tx, lot LotPart) {
	op.EarnedLot, op.Earned = lot, lot.Points
	op.Legs[LegIssued] -= lot.Points
	if lot.Active <= tx.Now() && a.Deficit < 0 {
		op.Owed = min(-a.Deficit, lot.Points)
		lot.Points -= op.Owed
	}
	op.Lots = append(op.Lots, lot)
}

// basket fills lines and figures of a purchase with points spent.
func (x *action) basket(op *Operation, points int64) {
	for i := range 1 + x.r.IntN(3) {
		op.Lines = append(op.Lines, Line{
			ID: fmt.Sprint(i + 1), SKU: "4601", Category: "coffee", Quantity: 2000, Price: 50000, Amount: 100000, Discount: 1000,
		})
		op.Total += 100000
		op.Discount += 1000
	}
	op.Lines[0].Redeemed, op.Lines[0].Points = points, points
	op.Redeemed, op.Points = points, points
	op.Payable = op.Total - op.Discount - op.Redeemed
	op.Receipt = fmt.Sprint("R", x.n%5, "-", op.Account) // the processor claims receipts; here nobody shares one
	op.Warnings, op.Flags = []string{"w"}, []string{"f"}
	op.Rules = []Rule{{Name: "base", Points: op.Earned}}
	op.Hints = []Hint{{"ladder", "15 %", 170000}}
}

func spent(op *Operation, tx *Tx, sign int64) {
	op.Spent = DaySum{Day: int32(tx.Now() / int64(24*time.Hour)), Spent: sign * op.Payable}
	op.Purchase = true
}

// take spends points from the lots that are active, in order.
func take(a *Account, tx *Tx, points int64) (pins []LotPart) {
	for _, l := range a.Lots {
		if l.Active <= tx.Now() && points > 0 {
			l.Points = min(points, l.Points)
			points -= l.Points
			pins = append(pins, l)
		}
	}
	return pins
}

func negative(parts []LotPart) (neg []LotPart) {
	for _, p := range parts {
		p.Points = -p.Points
		neg = append(neg, p)
	}
	return neg
}

// verified runs the proof and answers what it found.
func verified(t testing.TB, l *Ledger) (Proof, []string) {
	t.Helper()
	var found []string
	proof, err := l.Verify(func(f Finding) { found = append(found, f.String()) })
	require.NoError(t, err)
	return proof, found
}

func requireSound(t testing.TB, l *Ledger) Proof {
	t.Helper()
	proof, found := verified(t, l)
	require.Empty(t, found)
	return proof
}
