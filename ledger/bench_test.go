package ledger

import (
	"encoding/binary"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stretchr/testify/require"
)

// The yardstick of the ledger is a bare Pebble writer on the same disk: one
// goroutine, batches of 512 operations of four 100-byte keys, a sync each.
// BenchmarkDurable measures both in one run and reports their ratio:
//
//	go test ./ledger -run '^$' -bench Durable -benchtime 5s
func BenchmarkDurable(b *testing.B) {
	for _, shards := range []int{1, 2} {
		b.Run("shards="+strconv.Itoa(shards), func(b *testing.B) {
			bare := bareRate(b, 2*time.Second)
			rate := authorizeRate(b, shards)
			b.ReportMetric(rate, "authorize/s")
			b.ReportMetric(bare, "bare/s")
			b.ReportMetric(rate/bare, "ratio")
		})
	}
}

// bareRate is the rate of the bare writer, in operations a second.
func bareRate(b *testing.B, lasting time.Duration) float64 {
	b.StopTimer()
	defer b.StartTimer()
	db, err := pebble.Open(b.TempDir(), &pebble.Options{MemTableSize: 64 << 20, Logger: silent{}})
	require.NoError(b, err)
	defer func() { require.NoError(b, db.Close()) }()
	var key [16]byte
	value := make([]byte, 84)
	began, ops := time.Now(), 0
	for time.Since(began) < lasting {
		batch := db.NewBatch()
		for range 512 {
			for range 4 {
				binary.BigEndian.PutUint64(key[:], rand.Uint64())
				binary.BigEndian.PutUint64(key[8:], rand.Uint64())
				require.NoError(b, batch.Set(key[:], value, nil))
			}
		}
		require.NoError(b, batch.Commit(pebble.Sync))
		ops += 512
	}
	return float64(ops) / time.Since(began).Seconds()
}

type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(f string, a ...any) {
	panic(f)
}

// authorizeRate holds points on random accounts: four to five keys each
// (journal, account, duplicate, due index).
func authorizeRate(b *testing.B, shards int) float64 {
	const members = 10_000
	l, err := Open(b.TempDir(), Options{Shards: shards, MinFreeDisk: -1})
	require.NoError(b, err)
	defer func() { require.NoError(b, l.Close()) }()
	ids := make([]AccountID, members)
	for i := range ids {
		ids[i] = AccountID(rand.Uint64())
	}
	enrolAll(b, l, ids)
	free := make(chan *holdTask, 2048)
	for range cap(free) {
		free <- &holdTask{free: free}
	}
	var refused atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	began := time.Now()
	for i := range b.N {
		t := <-free
		t.id = ids[rand.IntN(members)]
		t.key = Key{}
		binary.BigEndian.PutUint64(t.key[:], uint64(i))
		for l.Submit(t.id.Partition(l.Partitions()), t) != nil {
			refused.Add(1)
			time.Sleep(100 * time.Microsecond)
		}
	}
	for range cap(free) {
		require.NoError(b, (<-free).err)
	}
	rate := float64(b.N) / time.Since(began).Seconds()
	b.StopTimer()
	s := l.Stats()
	b.ReportMetric(float64(s.Tasks)/float64(s.Drains), "tasks/drain")
	return rate
}

// holdTask authorizes, and when the account has four holds voids the oldest.
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
