package program

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tillgate/protocol"
)

// TestBitset holds a set to a list of its numbers, with words of every number.
func TestBitset(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{1, 63, 64, 65, 128, 129, 500}).Draw(t, "numbers")
		one, other := newBitset(n), newBitset(n)
		in := make([]bool, n)
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			i := rapid.IntRange(0, n-1).Draw(t, "number")
			if in[i] = rapid.Bool().Draw(t, "in"); in[i] {
				one.add(i)
			} else {
				one.remove(i)
			}
		}
		var want, got []int
		for i, is := range in {
			require.Equal(t, is, one.has(i))
			if is {
				want = append(want, i)
			}
		}
		for i := range one.each {
			got = append(got, i)
		}
		require.Equal(t, want, got)
		require.Equal(t, len(want) == 0, one.empty())
		other.fill(n)
		require.True(t, other.has(n-1))
		require.False(t, other.has(n))
		other.narrow(&one)
		require.Equal(t, one, other)
		other.fill(n)
		one.widen(&other)
		require.Equal(t, other, one)
	})
}

// TestManySelectors: rules of more than 64 selectors, found by their traits or
// by a map, and receipts of more than 64 lines, one after the other in one
// Decision: each rule has what its own selector picks, as told without an index.
func TestManySelectors(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := rapid.SampledFrom([]int{1, 63, 64, 65, 128, 129, 200}).Draw(t, "rules")
		doc := `{"program": "p", "currency": "KZT", "points": {"round": 0.01}, "earn": {"stack": "sum", "rules": [`
		picks := make([]func(l *protocol.Line) bool, rules)
		for k := range rules {
			sku, goods := fmt.Sprint(1000+k), ""
			switch k % 3 {
			case 0:
				goods, picks[k] = fmt.Sprintf(`"sku": [%q, "a%d", "b%d", "c%d", "d%d"]`, sku, k, k, k, k), func(l *protocol.Line) bool { return l.SKU == sku }
			case 1:
				goods, picks[k] = fmt.Sprintf(`"tag": [%q, "all"]`, sku), func(l *protocol.Line) bool {
					return slices.Contains(l.Tags, sku) || slices.Contains(l.Tags, "all")
				}
			default:
				from := int64(k+1) * 100
				goods, picks[k] = fmt.Sprintf(`"price": {"from": %d}`, k+1), func(l *protocol.Line) bool { return l.Price >= from }
			}
			if k > 0 {
				doc += ","
			}
			doc += fmt.Sprintf(`{"name": "r%d", "goods": {%s}, "give": {"percent": 1}}`, k, goods)
		}
		p, problems := Compile([]byte(doc + "]}}"))
		require.Empty(t, problems)
		var d Decision
		for range rapid.IntRange(1, 4).Draw(t, "receipts") {
			r := &protocol.Request{}
			for i := range rapid.SampledFrom([]int{1, 10, 63, 64, 65, 128, 200}).Draw(t, "lines") {
				l := protocol.Line{ID: fmt.Sprint(i), Quantity: 1000, SKU: fmt.Sprint(1000 + rapid.IntRange(0, rules).Draw(t, "sku"))}
				if tag := rapid.IntRange(-1, rules).Draw(t, "tag"); tag >= 0 {
					l.Tags = []string{"other", fmt.Sprint(1000 + tag)}
				}
				l.Price = int64(rapid.IntRange(0, rules+1).Draw(t, "price")) * 100
				l.Amount = l.Price
				r.Lines = append(r.Lines, l)
				r.Total += l.Amount
			}
			if r.Total == 0 {
				continue
			}
			Evaluate(p, &Facts{Present: true}, r, 1, &d)
			require.Equal(t, protocol.Approved, d.Code, d.Detail)
			got, want := map[string]int64{}, map[string]int64{}
			for _, one := range d.Rules {
				got[one.Rule] = one.Points
			}
			for k := range rules {
				sum := int64(0)
				for i := range r.Lines {
					if picks[k](&r.Lines[i]) {
						sum += r.Lines[i].Amount
					}
				}
				if sum > 0 {
					want[fmt.Sprintf("r%d", k)] = sum / 100
				}
			}
			require.Equal(t, want, got)
		}
	})
}
