package project

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/reconciler/services/servicetest"
	"tillgate/reconciler/stream"
)

func TestMain(m *testing.M) { servicetest.Main(m) }

const wait = 20 * time.Second

// journal is a ledger's journal and profiles in memory, with its own idea of
// how windows are sealed.
type journal struct {
	mu       sync.Mutex
	records  [][][]byte
	profiles map[ledger.AccountID][]byte
	seals    []sealing
	now      int64
}

type sealing struct {
	first uint64
	legs  [ledger.LegCount]int64
	bytes []byte
}

func newJournal(partitions int) *journal {
	j := &journal{records: make([][][]byte, partitions), profiles: map[ledger.AccountID][]byte{}, seals: make([]sealing, partitions), now: 1_790_000_000_000_000_000}
	for p := range j.seals {
		j.seals[p] = sealing{first: 1, bytes: make([]byte, 32)}
	}
	return j
}

// add appends a record to a partition's journal.
func (j *journal) add(partition int, op ledger.Operation) ledger.OpID {
	j.mu.Lock()
	defer j.mu.Unlock()
	op.ID = ledger.NewOpID(partition, uint64(len(j.records[partition])+1))
	j.now += 1_000_000
	op.Time = j.now
	b := ledger.AppendOperation(nil, &op)
	j.records[partition] = append(j.records[partition], b)
	s := &j.seals[partition]
	s.bytes = append(binary.BigEndian.AppendUint32(s.bytes, uint32(len(b))), b...)
	for i, v := range op.Legs {
		s.legs[i] += v
	}
	return op.ID
}

// seal appends the window of everything since the last seal.
func (j *journal) seal(partition int) ledger.OpID {
	j.mu.Lock()
	s := j.seals[partition]
	w := ledger.Window{First: s.first, Last: uint64(len(j.records[partition])), Legs: s.legs, Hash: sha256.Sum256(s.bytes)}
	j.seals[partition] = sealing{first: w.Last + 1, bytes: append([]byte(nil), w.Hash[:]...)}
	j.mu.Unlock()
	return j.add(partition, ledger.Operation{Kind: ledger.KindWindow, Data: ledger.AppendWindow(nil, &w)})
}

func (j *journal) Partitions() int { return len(j.records) }

func (j *journal) Synced(p int) uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return uint64(len(j.records[p]))
}

func (j *journal) Journal(p int, from uint64, fn func(ledger.OpID, []byte) bool) error {
	j.mu.Lock()
	records := j.records[p]
	j.mu.Unlock()
	for s := from; s <= uint64(len(records)); s++ {
		if !fn(ledger.NewOpID(p, s), records[s-1]) {
			return nil
		}
	}
	return nil
}

func (j *journal) Subscribe() (<-chan struct{}, func()) { return nil, func() {} }

func (j *journal) SealedProfile(id ledger.AccountID) ([]byte, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.profiles[id], nil
}

func (j *journal) marks() []uint64 {
	m := make([]uint64, len(j.records))
	for p := range m {
		m[p] = j.Synced(p)
	}
	return m
}

// plainProfiles stands in for the decryption.
func plainProfiles(_ ledger.AccountID, sealed []byte) ([]byte, error) { return sealed, nil }

func options(t *testing.T, dsn string, j *journal) Options {
	config, err := Config(dsn)
	require.NoError(t, err)
	return Options{
		Config: config, Store: "test", Partitions: j.Partitions(), Source: &JournalSource{Ledger: j},
		Open: plainProfiles, Synced: j.Synced, Linger: time.Millisecond, Pause: 50 * time.Millisecond, Again: 300 * time.Millisecond,
	}
}

// start runs a projector until the test ends.
func start(t *testing.T, o Options) *Projector {
	p := New(o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); p.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return p
}

func caughtUp(t *testing.T, p *Projector, j *journal) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	if err := p.Wait(ctx, j.marks()); err != nil {
		t.Fatalf("the projection did not catch up: %v", p.Trouble())
	}
}

func connect(t *testing.T, dsn string) *pgx.Conn {
	config, err := Config(dsn)
	require.NoError(t, err)
	c, err := pgx.ConnectConfig(context.Background(), config)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

func one[T any](t *testing.T, c *pgx.Conn, sql string, args ...any) (v T) {
	t.Helper()
	require.NoError(t, c.QueryRow(context.Background(), sql, args...).Scan(&v), sql)
	return v
}

// accrual is a small sale of an account.
func accrual(account ledger.AccountID, receipt string, total int64) ledger.Operation {
	op := ledger.Operation{
		Kind: ledger.KindAccrue, Account: account, Terminal: "T1", Store: "S1", Receipt: receipt, Shift: "7",
		At: 1_789_999_999_123_456_789, Total: total, Payable: total, Earned: total / 10,
		Lines: []ledger.Line{{ID: "1", SKU: "4601", Quantity: 1000, Price: total, Amount: total, Earned: total / 10}},
		Rules: []ledger.Rule{{Name: "base", Points: total / 10}},
		Lots:  []ledger.LotPart{{Points: total / 10}},
	}
	op.Legs[ledger.LegAvailable], op.Legs[ledger.LegIssued] = total/10, -total/10
	op.After.Available = total / 10
	return op
}

func TestEveryColumnOfARecord(t *testing.T) {
	dsn := servicetest.Database(t)
	j := newJournal(2)
	parent := j.add(1, accrual(5, "r0", 1000))
	op := ledger.Operation{
		Kind: ledger.KindReturn, Code: 1, Edge: 1, At: 1_780_000_000_123_456_789, Offset: 18000, Due: 1_781_000_000_000_000_000,
		Account: 5, Prev: parent, Parent: parent, Target: parent, Undoes: ledger.KindConfirm, Figures: parent, Source: parent, SourceIndex: 3,
		Program: 7, Merchant: "m", Terminal: "T1", Store: "S1", Cashier: "C\x001", Channel: "store", Receipt: "=1+1", Shift: "9", Actor: "till",
		Offline: true, Late: true, Registered: true,
		ISO:   ledger.ISORef{MTI: "0200", Processing: "200000", STAN: "000001", LocalTime: "120000", LocalDate: "1122", DE7: "1122070000", Currency: "398"},
		Total: 1, Discount: 2, Redeemed: 3, Payable: 4, Points: 5, Earned: 6, MaxRedeem: 7, Asked: 8,
		Warnings: []string{"one", "two"}, Flags: []string{"printed figures differ"}, Tier: "VIP", NextTier: "King", NextMissing: 9,
		Detail: "d", Field: "f", Status: "confirmed",
		Extend: 1_790_000_000_000_000_000, Drop: parent, Hold: parent, HoldUntil: 1_790_000_001_000_000_000,
		Lots: []ledger.LotPart{{Active: 1, Expires: 2_000_000, Points: -10, Own: true}}, Pins: []ledger.LotPart{{Points: 4}},
		EarnedLot: ledger.LotPart{Points: 6}, Transfers: []ledger.Transfer{{To: 8, Parts: []ledger.LotPart{{Points: 2}}}},
		Owed: -11, Spent: ledger.DaySum{Day: 20000, Spent: -4}, Purchase: true, TierUntil: 1_790_000_002_000_000_000, Into: 9, Upline: []ledger.AccountID{10},
		Legs:  [ledger.LegCount]int64{1, 2, 3, 4, 5, 6, 7, 8, 9, -45},
		After: ledger.Balance{Available: 1, Pending: 2, Held: 3, Deficit: -4},
		Lines: []ledger.Line{{ID: "1", SKU: "s", Category: "c", Quantity: 1, Price: 2, Amount: 3, Discount: 4, Redeemed: 5, Earned: 6, Points: 7}},
		Rules: []ledger.Rule{{Name: "base", Points: 6, Discount: 7}},
	}
	id := j.add(1, op)
	caughtUp(t, start(t, options(t, dsn, j)), j)

	c := connect(t, dsn)
	rows, err := c.Query(context.Background(), "SELECT * FROM operations WHERE id = $1", id.String())
	require.NoError(t, err)
	got, err := pgx.CollectExactlyOneRow(rows, pgx.RowToMap)
	require.NoError(t, err)
	for name, v := range got {
		if moment, ok := v.(time.Time); ok {
			got[name] = moment.UTC()
		}
	}
	at := func(us int64) time.Time { return time.UnixMicro(us).UTC() }
	p, a5 := parent.String(), ledger.AccountID(5).String()
	require.Equal(t, map[string]any{
		"id": id.String(), "partition": int32(1), "sequence": int64(2), "kind": "return", "code": "partial",
		"booked_at": at(j.now / 1000), "at": at(1_780_000_000_123_456), "at_offset": int32(18000), "due_at": at(1_781_000_000_000_000), "late": true,
		"account": a5, "prev": p, "parent": p, "target": p, "undoes": "confirm", "figures": p, "source": p, "source_index": int32(3),
		"referrer": ledger.AccountID(10).String(), "program": int64(7), "merchant": "m", "terminal": "T1", "store": "S1",
		"cashier": "C\uFFFD1", "channel": "store", "receipt": "=1+1", "shift": "9", "actor": "till", "edge": "iso", "offline": true, "registered": true,
		"iso_mti": "0200", "iso_processing": "200000", "iso_stan": "000001", "iso_local_time": "120000", "iso_local_date": "1122", "iso_de7": "1122070000", "currency": "398",
		"total": int64(1), "discount": int64(2), "redeemed": int64(3), "payable": int64(4), "points": int64(5), "earned": int64(6), "max_redeem": int64(7), "asked": int64(8),
		"tier": "VIP", "next_tier": "King", "next_missing": int64(9), "detail": "d", "field": "f", "status": "confirmed",
		"warnings": []any{"one", "two"}, "flags": []any{"printed figures differ"},
		"hold": p, "hold_until": at(1_790_000_001_000_000), "dropped": p, "extended_to": at(1_790_000_000_000_000),
		"owed": int64(-11), "spent_day": time.Date(2024, 10, 4, 0, 0, 0, 0, time.UTC), "spent": int64(-4), "purchase": true,
		"tier_until": at(1_790_000_002_000_000), "into_account": ledger.AccountID(9).String(),
		"leg_available": int64(1), "leg_pending": int64(2), "leg_held": int64(3), "leg_deficit": int64(4), "leg_issued": int64(5),
		"leg_redeemed": int64(6), "leg_expired": int64(7), "leg_adjusted": int64(8), "leg_referral": int64(9), "leg_transit": int64(-45),
		"after_available": int64(1), "after_pending": int64(2), "after_held": int64(3), "after_deficit": int64(-4),
	}, got)

	require.Equal(t, "1|s|c|1|2|3|4|5|7|6", one[string](t, c, `SELECT concat_ws('|', line, sku, category, quantity, price, amount, discount, redeemed, points, earned)
		FROM operation_lines WHERE operation = $1 AND n = 0`, id.String()))
	require.Equal(t, "base 6 7", one[string](t, c, "SELECT concat_ws(' ', rule, points, discount) FROM operation_rules WHERE operation = $1", id.String()))
	require.Equal(t, "lot -10 true, pin 4 false, earned 6 false, sent 2 false "+ledger.AccountID(8).String(),
		one[string](t, c, `SELECT string_agg(concat_ws(' ', effect, points, CASE WHEN own THEN 'true' ELSE 'false' END, account), ', ' ORDER BY n) FROM operation_lots WHERE operation = $1`, id.String()))
}

func TestRepeatsAreSkippedAndAGapStopsItsPartition(t *testing.T) {
	dsn := servicetest.Database(t)
	j := newJournal(2)
	for i := range 20 {
		j.add(i%2, accrual(ledger.AccountID(i+1), fmt.Sprint(i), 1000))
	}
	all := func(p int) (out []stream.Record) {
		j.Journal(p, 1, func(id ledger.OpID, b []byte) bool { out = append(out, stream.Record{ID: id, Data: b}); return true })
		return out
	}
	zero, one0 := all(0), all(1)
	script := &scripted{deliver: make(chan Delivery, 10)}
	o := options(t, dsn, j)
	o.Source = script
	p := start(t, o)
	script.deliver <- Delivery{Records: zero[:4]}
	script.deliver <- Delivery{Records: zero[2:6]} // a crash of the publisher
	script.deliver <- Delivery{Records: zero[7:]}  // record 7 is missing
	script.deliver <- Delivery{Records: one0}
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	require.NoError(t, p.Wait(ctx, []uint64{6, 10}))
	require.Eventually(t, func() bool {
		var gap *GapError
		return errors.As(p.Trouble(), &gap) && *gap == GapError{Partition: 0, Want: 7, Got: 8}
	}, wait, time.Millisecond, "the gap must be told")
	c := connect(t, dsn)
	require.EqualValues(t, 6, one[int64](t, c, "SELECT count(*) FROM operations WHERE partition = 0"))
	require.EqualValues(t, 10, one[int64](t, c, "SELECT count(*) FROM operations WHERE partition = 1"), "the other partition goes on")

	// Nothing but the missing record is taken, and its followers once it is there.
	script.deliver <- Delivery{Records: zero[8:]}
	script.deliver <- Delivery{Records: zero[6:8]}
	require.NoError(t, p.Wait(ctx, []uint64{8, 10}))
	require.NoError(t, p.Trouble())

	// A gap again; if nothing comes the projector reads again from its position.
	script.deliver <- Delivery{Records: zero[9:]}
	require.Eventually(t, func() bool { return script.followed() > 1 }, wait, time.Millisecond)
	require.Equal(t, []uint64{8, 10}, script.last().Journal)
	script.deliver <- Delivery{Records: zero}
	require.NoError(t, p.Wait(ctx, []uint64{10, 10}))
	require.EqualValues(t, 20, one[int64](t, c, "SELECT count(DISTINCT id) FROM operations"))
	require.NoError(t, p.Trouble())
}

// scripted delivers what the test puts into its channel.
type scripted struct {
	deliver chan Delivery
	mu      sync.Mutex
	from    []Positions
}

func (s *scripted) Follow(ctx context.Context, from Positions, emit func(Delivery) error) error {
	s.mu.Lock()
	s.from = append(s.from, from)
	s.mu.Unlock()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case d := <-s.deliver:
			if err := emit(d); err != nil {
				return err
			}
		}
	}
}

func (s *scripted) followed() int { s.mu.Lock(); defer s.mu.Unlock(); return len(s.from) }

func (s *scripted) last() Positions { s.mu.Lock(); defer s.mu.Unlock(); return s.from[len(s.from)-1] }
