package ledger

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
)

// steadyHolders are accounts in memory on which holds are made and released,
// many in flight, over a store that syncs nothing: what is left is the
// ledger's own work.
type steadyHolders struct {
	t    testing.TB
	l    *Ledger
	ids  []AccountID
	free chan *holdTask
	n    uint64
}

func newSteadyHolders(t testing.TB) *steadyHolders {
	l, err := Open("data", Options{FS: vfs.NewMem(), Shards: 1, MinFreeDisk: -1})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	h := &steadyHolders{t: t, l: l, ids: make([]AccountID, 1000), free: make(chan *holdTask, 512)}
	for i := range h.ids {
		h.ids[i] = AccountID(rand.Uint64())
	}
	enrolAll(t, l, h.ids)
	for range cap(h.free) {
		h.free <- &holdTask{free: h.free}
	}
	return h
}

// run makes n authorizations and voids in turn, and waits for all of them.
func (h *steadyHolders) run(n int) {
	for range n {
		t := <-h.free
		t.id = h.ids[h.n%uint64(len(h.ids))]
		h.n++
		binary.BigEndian.PutUint64(t.key[:], h.n*0x9e3779b97f4a7c15)
		if err := h.l.Submit(t.id.Partition(h.l.Partitions()), t); err != nil {
			h.t.Error(err)
			h.free <- t
		}
	}
	for range cap(h.free) {
		t := <-h.free
		if t.err != nil {
			h.t.Error(t.err)
		}
		defer func() { h.free <- t }()
	}
}

// allocsEach bounds what one operation allocates on average from its decision
// to its answer, Pebble's part included: nothing of its own, and its share of
// what a drain costs (the batch, the wake-ups) and of what grows now and then.
const allocsEach = 1

func TestAnOperationAllocatesLittle(t *testing.T) {
	if underRace {
		t.Skip("the race detector makes pools forget, so allocations tell nothing")
	}
	h := newSteadyHolders(t)
	h.run(20_000) // every account has its holds, buffers have grown
	const each = 2000
	perOperation := testing.AllocsPerRun(10, func() { h.run(each) }) / each
	t.Logf("%.2f allocations an operation", perOperation)
	require.LessOrEqual(t, perOperation, float64(allocsEach))
}

// The records themselves are written without any allocation, and read with one,
// once the buffers have grown.
func TestRecordsAllocateNothing(t *testing.T) {
	op := sampleAuthorize()
	rec := AppendOperation(nil, op)
	var back Operation
	require.NoError(t, DecodeOperation(rec, &back))
	account, a := appendAccount(nil, weeklyShopper()), &Account{}
	require.NoError(t, decodeAccount(account, a))
	require.Zero(t, testing.AllocsPerRun(100, func() { rec = AppendOperation(rec[:0], op) }), "encode a record")
	require.Zero(t, testing.AllocsPerRun(100, func() { account = appendAccount(account[:0], a) }), "encode an account")
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() {
		if err := DecodeOperation(rec, &back); err != nil {
			panic(err)
		}
	}), 1., "decode a record: its texts outlive its bytes, in one piece")
}

// sampleAuthorize is the record of a hold with one line.
func sampleAuthorize() *Operation {
	return &Operation{
		ID: 1<<50 | 77, Kind: KindAuthorize, Time: 1_800_000_000_000_000_000, At: 1_800_000_000_000_000_000, Account: 42, Program: 3,
		Merchant: "coffee-house", Terminal: "T0001", Store: "S01", Hold: 1<<50 | 77, HoldUntil: 1_800_000_900_000_000_000, Status: "pending",
		Total: 130000, Redeemed: 6500, Payable: 123500, Points: 6500,
		Lines: []Line{{ID: "1", SKU: "4601", Category: "coffee", Quantity: 1000, Price: 130000, Amount: 130000, Redeemed: 6500, Points: 6500}},
		Pins:  []LotPart{{Active: 1, Points: 6500}}, Lots: []LotPart{{Active: 1, Points: -6500}},
		Dups: []DupRef{{Key: Key{1, 2, 3}, Entry: DupEntry{Hash: [16]byte{9}}}},
	}
}

// BenchmarkOperation writes and reads the record of a hold.
func BenchmarkOperation(b *testing.B) {
	op := sampleAuthorize()
	rec := AppendOperation(nil, op)
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(rec)))
		for b.Loop() {
			rec = AppendOperation(rec[:0], op)
		}
	})
	b.Run("decode", func(b *testing.B) {
		var back Operation
		b.ReportAllocs()
		b.SetBytes(int64(len(rec)))
		for b.Loop() {
			if err := DecodeOperation(rec, &back); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkDrain makes and releases holds on a store in memory, 512 in flight:
// what a drain costs for each operation, without a disk.
func BenchmarkDrain(b *testing.B) {
	h := newSteadyHolders(b)
	h.run(5000)
	b.ReportAllocs()
	b.ResetTimer()
	h.run(b.N)
	b.StopTimer()
}
