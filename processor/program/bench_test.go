package program

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/protocol"
)

// fullProgram has nearly everything that this version executes.
func fullProgram(t testing.TB) *Program {
	doc, err := os.ReadFile("testdata/full.yaml")
	require.NoError(t, err)
	p, problems := Compile(doc)
	require.Empty(t, problems)
	return p
}

func sampleProgram(t testing.TB) *Program {
	p, problems := Compile(Sample)
	require.Empty(t, problems)
	return p
}

// basket is a receipt of ten lines by a regular who pays a part with points.
func basket() (*protocol.Request, *Facts, int64) {
	at := time.Date(2026, 12, 7, 10, 30, 0, 0, time.FixedZone("", 5*3600)).UnixNano()
	r := &protocol.Request{
		Channel: "store", Store: "S01", Cashier: "C7",
		Payments: []protocol.Payment{{Tender: "card", Amount: 100}},
		Redeem:   protocol.Redeem{Mode: protocol.RedeemPoints, Points: 12_345},
	}
	goods := []string{"coffee", "pastry", "cake", "drinks", "cases", "shoes", "phones", "bread", "tea", "milk"}
	for i, g := range goods {
		l := protocol.Line{ID: fmt.Sprint(i + 1), SKU: fmt.Sprint(4600 + i), Category: g, Quantity: 1000, Price: int64(15_037 * (i + 1))}
		if i == 1 {
			l.Quantity = 4000
		}
		l.Amount = l.Price * l.Quantity / 1000
		r.Lines = append(r.Lines, l)
		r.Total += l.Amount
	}
	f := &Facts{
		Present: true, Registered: true, Identified: protocol.ByCode, Available: 5_000_000,
		Lifetime: 1_500_000, LastPurchase: at - 3*24*int64(time.Hour), BirthMonth: 3, BirthDay: 8,
	}
	f.Counts = []Count{{Key: CountKey("units", "sixth coffee", "6"), Value: 5}}
	for d := range int32(50) { // a weekly shopper's year
		f.Days = append(f.Days, DaySum{LocalDay(at, time.UTC) - 7*(49-d), 25_000})
	}
	return r, f, at
}

func BenchmarkEvaluate(b *testing.B) {
	for _, c := range []struct {
		name string
		p    *Program
	}{{"sample", sampleProgram(b)}, {"full", fullProgram(b)}} {
		b.Run(c.name, func(b *testing.B) {
			r, f, at := basket()
			var d Decision
			b.ReportAllocs()
			for b.Loop() {
				Evaluate(c.p, f, r, at, &d)
			}
			require.Equal(b, protocol.Approved, d.Code, d.Detail)
		})
	}
}

func BenchmarkSpread(b *testing.B) {
	weights, out := make([]int64, 10), make([]int64, 10)
	for i := range weights {
		weights[i] = int64(15_037 * (i + 1))
	}
	b.ReportAllocs()
	for b.Loop() {
		Spread(12_345, weights, weights, out)
	}
}

func BenchmarkCompile(b *testing.B) {
	doc, err := os.ReadFile("testdata/full.yaml")
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		Compile(doc)
	}
}

func BenchmarkLotDates(b *testing.B) {
	p := fullProgram(b)
	_, _, at := basket()
	for b.Loop() {
		lotDates(p.lots.ActiveAfter, p.lots.ExpiresAfter, at, &Almanac{zone: p.zone})
	}
}

// TestNoAllocations holds the common path to its promise.
func TestNoAllocations(t *testing.T) {
	for _, p := range []*Program{sampleProgram(t), fullProgram(t)} {
		r, f, at := basket()
		r.Explain = true
		f.Promos = []PromoUse{{Code: "SUMMER"}, {Code: "K7QM-3F2X-9B4T-1CAA", Entry: 1, Coupon: 7}}
		var d Decision
		Evaluate(p, f, r, at, &d)
		require.Equal(t, protocol.Approved, d.Code, d.Detail)
		require.Zero(t, testing.AllocsPerRun(100, func() { Evaluate(p, f, r, at, &d) }))
	}
}
