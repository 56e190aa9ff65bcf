package ledger

import (
	"encoding/binary"
	"math/rand/v2"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
)

// The yardstick of the ledger is a bare Pebble writer on the same disk: one
// goroutine, batches of 512 operations of four 100-byte keys, a sync each.
// BenchmarkDurable lets both work in turns, some 20,000 operations each, so
// that they meet the same machine, and reports their ratio:
//
//	go test ./ledger -run '^$' -bench Durable -benchtime 400000x
func BenchmarkDurable(b *testing.B) {
	for _, shards := range []int{1, 2} {
		b.Run("shards="+strconv.Itoa(shards), func(b *testing.B) { durable(b, shards) })
	}
}

const turn = 20_000

func durable(b *testing.B, shards int) {
	bare := newBareWriter(b)
	ours := newHolders(b, shards)
	var oursTook, bareTook, oursCPU, bareCPU time.Duration
	b.ReportAllocs()
	b.ResetTimer()
	done := 0
	for done < b.N {
		n := min(turn, b.N-done)
		took(&oursTook, &oursCPU, func() { ours.run(n) })
		b.StopTimer()
		took(&bareTook, &bareCPU, func() { bare.run(n) })
		b.StartTimer()
		done += n
	}
	b.StopTimer()
	s := ours.l.Stats()
	b.ReportMetric(float64(b.N)/oursTook.Seconds(), "authorize/s")
	b.ReportMetric(float64(b.N)/bareTook.Seconds(), "bare/s")
	b.ReportMetric(bareTook.Seconds()/oursTook.Seconds(), "ratio")
	b.ReportMetric(oursCPU.Seconds()*1e6/float64(b.N), "µs-cpu/authorize")
	b.ReportMetric(bareCPU.Seconds()*1e6/float64(b.N), "µs-cpu/bare")
	b.ReportMetric(float64(s.Tasks)/float64(s.Drains), "tasks/drain")
}

// took adds what work takes, by the clock and of the processors. The latter
// says more on a machine that has other work to do.
func took(wall, cpu *time.Duration, work func()) {
	began, used := time.Now(), usage()
	work()
	*wall += time.Since(began)
	*cpu += usage() - used
}

func usage() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// bareWriter is what any durable store on Pebble is measured by.
type bareWriter struct {
	b     *testing.B
	db    *pebble.DB
	value [84]byte
}

func newBareWriter(b *testing.B) *bareWriter {
	db, err := pebble.Open(b.TempDir(), &pebble.Options{MemTableSize: 64 << 20, Logger: silent{}})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, db.Close()) })
	return &bareWriter{b: b, db: db}
}

func (w *bareWriter) run(n int) {
	var key [16]byte
	for n > 0 {
		batch := w.db.NewBatch()
		for range min(n, 512) * 4 {
			binary.BigEndian.PutUint64(key[:], rand.Uint64())
			binary.BigEndian.PutUint64(key[8:], rand.Uint64())
			require.NoError(w.b, batch.Set(key[:], w.value[:], nil))
		}
		require.NoError(w.b, batch.Commit(pebble.Sync))
		n -= 512
	}
}

type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(f string, a ...any) {
	panic(f)
}

// holders authorize on random accounts: four to five keys each (journal,
// account, duplicate, due index).
type holders struct {
	b    *testing.B
	l    *Ledger
	ids  []AccountID
	free chan *holdTask
	n    uint64
}

func newHolders(b *testing.B, shards int) *holders {
	l, err := Open(b.TempDir(), Options{Shards: shards, MinFreeDisk: -1})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, l.Close()) })
	h := &holders{b: b, l: l, ids: make([]AccountID, 10_000), free: make(chan *holdTask, 2048)}
	for i := range h.ids {
		h.ids[i] = AccountID(rand.Uint64())
	}
	enrolAll(b, l, h.ids)
	for range cap(h.free) {
		h.free <- &holdTask{free: h.free}
	}
	return h
}

func (h *holders) run(n int) {
	for range n {
		t := <-h.free
		t.id = h.ids[rand.IntN(len(h.ids))]
		h.n++
		binary.BigEndian.PutUint64(t.key[:], h.n*0x9e3779b97f4a7c15) // as spread as a hash
		require.NoError(h.b, h.l.Submit(t.id.Partition(h.l.Partitions()), t))
	}
	var all []*holdTask
	for range cap(h.free) {
		t := <-h.free
		require.NoError(h.b, t.err)
		all = append(all, t)
	}
	for _, t := range all {
		h.free <- t
	}
}

// holdTask authorises, and when the account has four holds voids the oldest.
type holdTask struct {
	free chan *holdTask
	id   AccountID
	key  Key
	op   Operation
	err  error
}

func (t *holdTask) Decide(tx *Tx) error {
	a, err := tx.Account(t.id)
	if err != nil {
		return err
	}
	if _, err := tx.Dups(t.key); err != nil {
		return err
	}
	op := &t.op
	resetOperation(op)
	op.Account, op.Merchant, op.Terminal, op.Store = t.id, "coffee-house", "T0001", "S01"
	op.At, op.Program = tx.Now(), 3
	op.Dups = append(op.Dups, DupRef{Key: t.key})
	if len(a.Holds) >= 4 {
		h := &a.Holds[0]
		op.Kind, op.Parent, op.Drop, op.Status = KindVoid, h.ID, h.ID, "voided"
		op.Lots = append(op.Lots, h.Pins...)
	} else {
		op.Kind, op.Hold, op.HoldUntil, op.Status = KindAuthorize, HoldSelf, tx.Now()+15*minute, "pending"
		op.Total, op.Redeemed, op.Payable, op.Points = 130000, 6500, 123500, 6500
		op.Lines = append(op.Lines, Line{ID: "1", SKU: "4601", Category: "coffee", Quantity: 1000, Price: 130000, Amount: 130000, Redeemed: 6500, Points: 6500})
		pin := a.Lots[0]
		pin.Points = 6500
		op.Pins = append(op.Pins, pin)
		pin.Points = -6500
		op.Lots = append(op.Lots, pin)
	}
	_, err = tx.Append(op)
	return err
}

func (t *holdTask) Done(err error) {
	t.err = err
	t.free <- t
}

// enrolWith makes an account with points that never expire.
func enrolWith(id AccountID, points int64) func(*Tx) error {
	return func(tx *Tx) error {
		if _, err := tx.Append(&Operation{Kind: KindEnrol, Account: id, Merchant: "coffee-house", Registered: true, At: tx.Now()}); err != nil {
			return err
		}
		op := &Operation{Kind: KindAdjust, Account: id, Merchant: "coffee-house", At: tx.Now(), Points: points}
		op.Lots = []LotPart{{Active: tx.Now(), Points: points}}
		op.Legs[LegAdjusted] = -points
		_, err := tx.Append(op)
		return err
	}
}

func enrolAll(t testing.TB, l *Ledger, ids []AccountID) {
	done := make(chan error, len(ids))
	for _, id := range ids {
		k := &task{enrolWith(id, 1_000_000), done}
		for l.Submit(id.Partition(l.Partitions()), k) != nil {
			time.Sleep(time.Millisecond)
		}
	}
	for range ids {
		require.NoError(t, <-done)
	}
}

// BenchmarkDups is what a look-up of a duplicate key costs: of a new one, which
// the filter answers, and of one that is remembered, which reads a bucket for
// each day of the retention.
//
//	go test ./ledger -run '^$' -bench Dups
func BenchmarkDups(b *testing.B) {
	for _, days := range []int{7, 90} {
		b.Run("days="+strconv.Itoa(days), func(b *testing.B) {
			l, known := rememberedDays(b, days)
			b.Run("new", func(b *testing.B) {
				r := rand.New(rand.NewPCG(5, 5))
				keys := make([]Key, 1<<12)
				for i := range keys {
					keys[i] = drawKey(r)
				}
				lookUp(b, l, keys)
			})
			b.Run("repeated=today", func(b *testing.B) { lookUp(b, l, known[len(known)-2000:]) })
			b.Run("repeated=anytime", func(b *testing.B) { lookUp(b, l, known) })
		})
	}
}

// rememberedDays is a store with 2,000 requests on each of some days.
func rememberedDays(b *testing.B, days int) (*Ledger, []Key) {
	clock := newHandClock()
	o := quiet(vfs.NewMem(), clock)
	o.CacheBytes, o.DupFilterBytes, o.MemTableBytes = 64<<20, 1<<20, 1<<20
	o.Retention.Duplicates = time.Duration(days) * day
	l := open(b, o)
	b.Cleanup(func() { require.NoError(b, l.Close()) })
	r := rand.New(rand.NewPCG(4, 4))
	var known []Key
	for n := range days {
		must(b, l, 0, func(tx *Tx) error {
			for range 2000 {
				known = append(known, drawKey(r))
				if _, err := tx.Append(&Operation{Kind: KindEvent, Dups: []DupRef{{Key: known[len(known)-1]}}}); err != nil {
					return err
				}
			}
			return nil
		})
		if n < days-1 {
			clock.move(day)
		}
	}
	require.NoError(b, l.db.Flush())
	eventually(b, "the filter is full", func() bool { return l.Stats().Filter })
	return l, known
}

func lookUp(b *testing.B, l *Ledger, keys []Key) {
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if _, err := l.DupsUntil(keys[i%len(keys)], func(*DupEntry) bool { return true }); err != nil {
			b.Fatal(err)
		}
	}
}
