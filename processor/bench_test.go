package processor

import (
	"context"
	"io"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/processor/program"
	"tillgate/protocol"
)

// BenchmarkAuthorize holds points over a ledger in memory, with many requests
// in flight: what the switch itself costs, without a disk.
func BenchmarkAuthorize(b *testing.B) {
	s := &shop{t: b, fs: vfs.NewMem()}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	var err error
	s.ledger, err = ledger.Open("data", ledger.Options{FS: s.fs, MinFreeDisk: -1, Logger: quiet})
	require.NoError(b, err)
	s.s, err = New(s.ledger, Options{Logger: quiet})
	require.NoError(b, err)
	compiled, problems := program.Compile([]byte(small))
	require.Empty(b, problems)
	s.s.programs.put("", program.Version{Number: 1, Published: 1, Program: compiled})
	const members, inFlight = 10_000, 512
	for i := range members {
		s.enrol(ledger.AccountID(i+1), card(i), "", ledger.LotPart{Active: 1, Points: 1 << 40})
	}
	free := make(chan *protocol.Exchange, inFlight)
	for range inFlight {
		free <- &protocol.Exchange{}
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		x := <-free
		r := s.sale(protocol.CallAuthorize, byCard(card(i%members)), 130000, 650)
		r.HoldSeconds = 1
		x.Request = r
		x.Done = func(x *protocol.Exchange) {
			if !x.Response.Code.OK() && x.Response.Code != protocol.LimitExceededCount {
				b.Errorf("%s: %s", x.Response.Code, x.Response.Detail)
			}
			free <- x
		}
		s.s.Submit(x)
	}
	for range inFlight {
		<-free
	}
	b.StopTimer()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	require.NoError(b, s.s.Close(ctx))
	require.NoError(b, s.ledger.Close())
}

func card(i int) string { return "77" + strconv.Itoa(1000000+i) }

// BenchmarkLargeAccount is what the rules cost for a member with 50 lots and a
// year of weekly purchases: the facts, the lots, and the judgement of a receipt
// of ten lines.
func BenchmarkLargeAccount(b *testing.B) {
	s := openShop(b, small)
	now := s.clock.Load()
	day := int64(24 * time.Hour)
	a := &ledger.Account{ID: 1, Registered: true, Joined: now - 400*day, Purchases: 57, LastPurchase: now - 7*day, Lifetime: 5_700_000}
	for i := range int64(50) {
		a.Lots = append(a.Lots, ledger.LotPart{Active: now - 300*day, Expires: now + (i+1)*day, Points: 10_000})
	}
	for week := range int64(57) {
		a.Days = append(a.Days, ledger.DaySum{Day: int32((now - (56-week)*7*day) / day), Spent: 100_000})
	}
	v, ok := s.s.programs.at("", now)
	require.True(b, ok)
	t := &Task{s: s.s, errand: errand{x: &protocol.Exchange{}, version: v, when: moment{now: now, at: now, zone: time.UTC}}}
	t.x.Request = s.sale(protocol.CallAuthorize, byCard("1"), 0, 65_000)
	r := t.request()
	r.Lines, r.Total = r.Lines[:0], 0
	for i := range 10 {
		r.Lines = append(r.Lines, protocol.Line{ID: strconv.Itoa(i), SKU: strconv.Itoa(4600 + i), Category: "coffee", Quantity: 1000, Price: 13_000, Amount: 13_000})
	}
	b.ReportAllocs()
	for b.Loop() {
		t.purse.load(a, now)
		t.know(a, protocol.ByCard, false)
		program.Evaluate(v.Program, &t.facts, r, now, &t.decision)
	}
	require.Equal(b, protocol.Approved, t.decision.Code, t.decision.Detail)
	require.Positive(b, t.decision.Redeemed)
}
