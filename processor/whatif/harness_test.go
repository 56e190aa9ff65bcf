package whatif_test

import (
	"context"
	"io"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/processor"
	"tillgate/processor/program"
	"tillgate/processor/whatif"
	"tillgate/protocol"
)

// tester is what a shop asks of its test, which may be one case of a property.
type tester interface {
	require.TestingT
	Helper()
	Cleanup(fn func())
}

// shop is a switch over a ledger in memory, with a clock that a test moves.
type shop struct {
	t      tester
	ledger *ledger.Ledger
	s      *processor.Switch
	clock  atomic.Int64
	keys   int
}

// merchant is whose members they are.
const merchant = "bakery"

// monday is when tests begin.
var monday = time.Date(2026, 11, 16, 9, 0, 0, 0, time.FixedZone("", 5*3600))

func openShop(t tester, document string) *shop {
	s := &shop{t: t}
	s.clock.Store(monday.UnixNano())
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	var err error
	s.ledger, err = ledger.Open("data", ledger.Options{
		FS: vfs.NewMem(), Partitions: 4, Shards: 2, Clock: s.clock.Load, MinFreeDisk: -1, Logger: quiet,
		CacheBytes: 1 << 20, MemTableBytes: 1 << 20, DupFilterBytes: 64 << 10, ReceiptFilterBytes: 64 << 10,
		Fatal: func(err error) { assert.NoError(t, err, "the ledger has failed") },
	})
	require.NoError(t, err)
	s.s, err = processor.New(s.ledger, processor.Options{Clock: s.clock.Load, Logger: quiet})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, s.s.Close(ctx))
		require.NoError(t, s.ledger.Close())
	})
	if document != "" {
		s.publish(document)
	}
	return s
}

// publish puts a programme into force.
func (s *shop) publish(document string) {
	s.t.Helper()
	r := s.request(protocol.CallPutProgram)
	r.Document = []byte(document)
	s.must(r)
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

// must is ask for what must be approved.
func (s *shop) must(r protocol.Request) *protocol.Response {
	s.t.Helper()
	res := s.ask(r)
	require.True(s.t, res.Code.OK(), "%v %s %s", res.Code, res.Detail, res.Problems)
	return res
}

// request is a request of a caller who may do everything, with a key of its
// own.
func (s *shop) request(call protocol.Call) protocol.Request {
	s.keys++
	return protocol.Request{
		Call: call, Terminal: "T1", Store: "S1", Cashier: "C7", Channel: "store",
		Caller: protocol.Caller{Role: protocol.RoleAny, Merchant: merchant},
		Key:    "key-" + strconv.Itoa(s.keys), Hash: [16]byte{byte(s.keys), byte(s.keys >> 8), byte(s.keys >> 16)},
	}
}

// enrol registers a member and returns the id; code is the promo code that the
// member comes with, "" for none.
func (s *shop) enrol(code string) string {
	s.t.Helper()
	return s.invite(code, "")
}

// invite is enrol of somebody whom a member has invited, "" for nobody.
func (s *shop) invite(code, friend string) string {
	s.t.Helper()
	r := s.request(protocol.CallCreateMember)
	phone := "+7701" + strconv.Itoa(1000000+s.keys)
	birthday := []string{"1990-11-18", "1985-12-03", "2000-02-29"}[s.keys%3]
	r.Profile = &protocol.Profile{Phone: &phone, Birthday: &birthday, PromoCode: code}
	if friend != "" {
		r.Profile.Referrer = protocol.Identifier{Kind: protocol.ByID, Value: friend}
	}
	return s.must(r).Member.ID
}

// line is one line of one unit, money in minor units.
func line(id, category string, amount int64) protocol.Line {
	return protocol.Line{ID: id, SKU: "sku-" + id, Category: category, Quantity: 1000, Price: amount, Amount: amount}
}

// sale is a request about a receipt; points are those to be spent.
func (s *shop) sale(call protocol.Call, member string, points int64, lines ...protocol.Line) protocol.Request {
	r := s.request(call)
	r.Member = protocol.Identifier{Kind: protocol.ByID, Value: member}
	r.HasBasket, r.Lines = true, lines
	for _, l := range lines {
		r.Total += l.Amount
	}
	if points > 0 {
		r.Redeem = protocol.Redeem{Mode: protocol.RedeemPoints, Points: points}
	}
	return r
}

// later moves the clock.
func (s *shop) later(d time.Duration) { s.clock.Add(int64(d)) }

// settle lets everything that is due be recorded for a member.
func (s *shop) settle(member string) {
	s.t.Helper()
	r := s.request(protocol.CallBalance)
	r.Key, r.Target = "", member
	s.must(r)
}

// delivered waits until every transfer between accounts has arrived.
func (s *shop) delivered() {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		sent, arrived := 0, 0
		s.records(func(op *ledger.Operation) {
			sent += len(op.Transfers)
			if op.Kind == ledger.KindPostIn {
				arrived++
			}
		})
		return sent == arrived
	}, 20*time.Second, time.Millisecond)
}

// records calls fn for each record of the journal.
func (s *shop) records(fn func(*ledger.Operation)) {
	s.t.Helper()
	require.NoError(s.t, s.ledger.WaitSynced())
	var op ledger.Operation
	for p := range s.ledger.Partitions() {
		require.NoError(s.t, s.ledger.Journal(p, 1, func(_ ledger.OpID, record []byte) bool {
			require.NoError(s.t, ledger.DecodeOperation(record, &op))
			fn(&op)
			return true
		}))
	}
}

// fleeting is a journal whose records are overwritten as soon as they have been
// replayed: a string of a record that is kept for longer tells nonsense.
type fleeting struct{ *ledger.Ledger }

func (j fleeting) Journal(partition int, from uint64, fn func(id ledger.OpID, record []byte) bool) error {
	var room []byte
	return j.Ledger.Journal(partition, from, func(id ledger.OpID, record []byte) bool {
		room = append(room[:0], record...)
		defer func() {
			for i := range room {
				room[i] = '#'
			}
		}()
		return fn(id, room)
	})
}

// replay runs a draft over the books from a moment on; zero is the beginning.
func (s *shop) replay(draft string, from time.Time) *protocol.WhatIf {
	s.t.Helper()
	return s.replayWith(whatif.Options{}, draft, from)
}

func (s *shop) replayWith(o whatif.Options, draft string, from time.Time) *protocol.WhatIf {
	s.t.Helper()
	o.Clock, o.Logger = func() int64 { return s.clock.Load() + 1 }, slog.New(slog.DiscardHandler)
	service := whatif.New(fleeting{s.ledger}, s.s, o)
	defer service.Close()
	require.NoError(s.t, s.ledger.WaitSynced())
	r := asking(draft)
	if !from.IsZero() {
		r.From = protocol.Time{Unix: from.UnixNano(), Set: true}
	}
	var out protocol.Response
	run := service.Begin(r, &out)
	require.NotNil(s.t, run, "%s %v", out.Detail, out.Problems)
	require.NoError(s.t, run(context.Background(), func(int64, int64) {}))
	return out.WhatIf
}

// query is a replay of the books from a moment on.
func (s *shop) query(document string, from time.Time) whatif.Query {
	s.t.Helper()
	draft, problems := program.Compile([]byte(document))
	require.NotNil(s.t, draft, problems)
	q := whatif.Query{Merchant: merchant, Draft: draft, Document: []byte(document), To: s.clock.Load() + 1}
	if !from.IsZero() {
		q.From = from.UnixNano()
	}
	return q
}

// asking is a request for a replay of everything.
func asking(draft string) *protocol.Request {
	return &protocol.Request{Call: protocol.CallWhatIf, Document: []byte(draft), Caller: protocol.Caller{Merchant: merchant}}
}
