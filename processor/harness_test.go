package processor

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/processor/program"
	"tillgate/protocol"
)

// shop is a switch over a ledger in memory, with a clock that stands still
// until a test moves it.
type shop struct {
	t      testing.TB
	ledger *ledger.Ledger
	s      *Switch
	fs     vfs.FS
	clock  atomic.Int64
	keys   int
	shut   func() // closes switch and ledger; the test's end does, too
	tune   func(*ledger.Options)
	ended  bool // the disk has ended the ledger: there is nothing left to close
}

// morning is when tests begin: a Friday, 2026-11-20 12:00 in Almaty.
var morning = time.Date(2026, 11, 20, 12, 0, 0, 0, almaty)

var almaty = func() *time.Location {
	zone, err := time.LoadLocation("Asia/Almaty")
	if err != nil {
		panic(err)
	}
	return zone
}()

// openShop opens a shop with a programme; an empty document publishes none.
func openShop(t testing.TB, document string) *shop {
	s := &shop{t: t, fs: vfs.NewMem()}
	s.clock.Store(morning.UnixNano())
	s.open()
	if document != "" {
		s.publish(1, document)
	}
	return s
}

func (s *shop) open() {
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	var err error
	o := ledger.Options{
		FS: s.fs, Partitions: 4, Shards: 2, Clock: s.clock.Load, MinFreeDisk: -1, Logger: quiet, DupFilterBytes: 64 << 10, ReceiptFilterBytes: 64 << 10,
		Fatal: func(err error) { s.t.Errorf("the ledger has failed: %v", err) },
	}
	if s.tune != nil {
		s.tune(&o)
	}
	s.ledger, err = ledger.Open("data", o)
	require.NoError(s.t, err)
	s.s, err = New(s.ledger, Options{Clock: s.clock.Load, Logger: slog.New(slog.NewTextHandler(testLog{s.t}, nil))})
	require.NoError(s.t, err)
	var once sync.Once
	l, sw := s.ledger, s.s
	s.shut = func() {
		if s.ended {
			return
		}
		once.Do(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			require.NoError(s.t, sw.Close(ctx))
			require.NoError(s.t, l.Close())
		})
	}
	s.t.Cleanup(s.shut)
}

// testLog shows what the switch logs with the test that caused it.
type testLog struct{ t testing.TB }

func (l testLog) Write(b []byte) (int, error) {
	l.t.Log(string(b))
	return len(b), nil
}

// publish puts a version in force at once, without its records.
func (s *shop) publish(version uint32, document string) {
	compiled, problems := program.Compile([]byte(document))
	require.Empty(s.t, problems)
	s.s.programs.put("", program.Version{Number: version, Published: s.clock.Load(), Program: compiled})
}

// ask submits a request and waits for its answer.
func (s *shop) ask(r protocol.Request) *protocol.Response {
	s.t.Helper()
	x := &protocol.Exchange{Request: r}
	done := make(chan struct{})
	x.Done = func(*protocol.Exchange) { close(done) }
	s.s.Submit(x)
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		require.Fail(s.t, "no answer within 20 s")
	}
	return &x.Response
}

// till is a request of a till with a key of its own.
func (s *shop) till(call protocol.Call) protocol.Request {
	s.keys++
	return protocol.Request{
		Call: call, Terminal: "T1", Store: "S1", Cashier: "C7", Channel: "store",
		Caller: protocol.Caller{Key: "till", Role: protocol.RoleTill},
		Key:    "key-" + strconv.Itoa(s.keys), Hash: [16]byte{byte(s.keys), byte(s.keys >> 8), byte(s.keys >> 16)},
	}
}

// sale is a request about a receipt without lines, in minor units.
func (s *shop) sale(call protocol.Call, who protocol.Identifier, total, redeem int64) protocol.Request {
	r := s.till(call)
	r.Member, r.Total, r.HasBasket = who, total, true
	if redeem > 0 {
		r.Redeem = protocol.Redeem{Mode: protocol.RedeemPoints, Points: redeem}
	}
	return r
}

func byCard(n string) protocol.Identifier {
	return protocol.Identifier{Kind: protocol.ByCard, Value: n}
}
func byPhone(n string) protocol.Identifier {
	return protocol.Identifier{Kind: protocol.ByPhone, Value: n}
}

// task runs a decision of a test on a partition's event loop.
func (s *shop) task(partition int, decide func(*ledger.Tx) error) {
	s.t.Helper()
	done := make(chan error, 1)
	require.NoError(s.t, s.ledger.Submit(partition, &testTask{decide, done}))
	require.NoError(s.t, <-done)
}

type testTask struct {
	decide func(*ledger.Tx) error
	done   chan error
}

// Decide tells the waiting test when an assertion has ended the event loop's
// goroutine under it: it would wait for ever.
func (t *testTask) Decide(tx *ledger.Tx) error {
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

func (t *testTask) Done(err error) { t.done <- err }

// enrol makes a registered member with a card, and perhaps a phone number,
// and grants lots.
func (s *shop) enrol(id ledger.AccountID, card, phone string, lots ...ledger.LotPart) {
	s.t.Helper()
	s.task(id.Partition(s.ledger.Partitions()), func(tx *ledger.Tx) error {
		op := ledger.Operation{Kind: ledger.KindEnrol, Account: id, At: tx.Now(), Registered: true}
		if _, err := tx.Append(&op); err != nil {
			return err
		}
		for _, who := range []protocol.Identifier{byCard(card), byPhone(phone)} {
			if who.Value == "" {
				continue
			}
			key, _ := s.s.identifierKey("", who.Kind, who.Value)
			if err := tx.PutLink(key, ledger.Link{Account: id, Kind: uint8(who.Kind), State: ledger.CardActive}); err != nil {
				return err
			}
		}
		for _, lot := range lots {
			if err := grant(tx, id, lot); err != nil {
				return err
			}
		}
		return nil
	})
}

// grant books a lot to an account by hand.
func grant(tx *ledger.Tx, id ledger.AccountID, lot ledger.LotPart) error {
	op := ledger.Operation{Kind: ledger.KindAdjust, Account: id, At: tx.Now(), Lots: []ledger.LotPart{lot}}
	op.Legs[ledger.LegAdjusted] = -lot.Points
	_, err := tx.Append(&op)
	return err
}

// account is an account's state with everything that is due.
func (s *shop) account(id ledger.AccountID) ledger.Account {
	s.t.Helper()
	var a ledger.Account
	s.task(id.Partition(s.ledger.Partitions()), func(tx *ledger.Tx) error {
		now, err := tx.Account(id)
		if err == nil && now != nil {
			a = *now
			a.Lots = append([]ledger.LotPart(nil), now.Lots...)
			a.Holds = append([]ledger.Hold(nil), now.Holds...)
			a.Days = append([]ledger.DaySum(nil), now.Days...)
		}
		return err
	})
	return a
}

// later moves the clock.
func (s *shop) later(d time.Duration) { s.clock.Add(int64(d)) }

// small is a programme that earns a tenth and lets cards pay half.
const small = `
program: small
currency: KZT
timezone: Asia/Almaty
lots: {expires_after: 3mo}
earn: {rules: [{name: base, give: {percent: 10}}]}
redeem: {with: [code, card], cap: 50}
`

// wire is the answer as the HTTP edge writes it.
func wire(r *protocol.Response) string { return string(protocol.AppendJSON(nil, r)) }
