package campaign

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"tillgate/protocol"
)

// BenchmarkSegment finds the members of segments among 2,000 with ten receipts
// each; what it costs grows with the receipts. Run it with
// go test ./reconciler/campaign -run xxx -bench Segment.
func BenchmarkSegment(b *testing.B) {
	const members, receipts = 2000, 10
	w := newWorld(b)
	w.publish(`
program: x
currency: KZT
segments:
  - {name: away, when: {last_purchase_before: 30d}}
  - {name: tier and tags, when: {spent: {within: 90d, from: 1000}, tag: [vip]}}
  - {name: goods, when: {bought: {goods: {category: [tea]}, within: 90d}}}
`)
	for i := range members {
		name := fmt.Sprint("M", i)
		w.joins(name, protocol.Profile{})
		for range receipts {
			w.clock.Add(1e9)
			w.buys(name, 10000, func(r *protocol.Request) {
				r.Lines = []protocol.Line{{ID: "1", SKU: "1", Category: "tea", Quantity: 1000, Amount: 10000, Unpriced: true}}
			})
		}
	}
	require.NoError(b, w.current(context.Background()))
	s := New(w.o)
	for name, want := range map[string]int64{"away": 0, "tier and tags": 0, "goods": members} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				n, err := s.each(context.Background(), "", name, w.ledger.Now(), nil)
				require.NoError(b, err)
				require.Equal(b, want, n)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(members*receipts), "ns/receipt")
		})
	}
}
