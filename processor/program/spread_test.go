package program

import (
	"math"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tillgate/protocol"
)

func TestSpreadAgreesWithTheSentence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{1, 2, 3, 10, 40, 150}).Draw(t, "lines")
		sum := rapid.OneOf(rapid.Int64Range(0, 1000), rapid.Int64Range(0, MaxAmount)).Draw(t, "sum")
		one := rapid.OneOf(rapid.Int64Range(0, 5), rapid.Int64Range(0, 100_000), rapid.Int64Range(0, MaxAmount))
		weights, caps := make([]int64, n), make([]int64, n)
		exact := make([]*big.Rat, n)
		for i := range weights {
			weights[i], caps[i] = one.Draw(t, "weight"), one.Draw(t, "cap")
			exact[i] = rat(weights[i], 1)
		}
		if rapid.Bool().Draw(t, "uncapped") {
			caps = nil
		}
		out := make([]int64, n)
		Spread(sum, weights, caps, out)
		require.Equal(t, tSpread(sum, exact, caps), out)
		checkSpread(t, sum, weights, caps, out)
	})
}

func checkSpread(t require.TestingT, sum int64, weights, caps, out []int64) {
	var got, room int64
	for i, v := range out {
		require.GreaterOrEqual(t, v, int64(0))
		got += v
		limit := sum
		if caps != nil {
			require.LessOrEqual(t, v, caps[i])
			limit = min(caps[i], sum)
		}
		if weights[i] > 0 {
			room = min(room+limit, sum)
		} else {
			require.Zero(t, v)
		}
	}
	require.Equal(t, min(sum, room), got)
}

func TestSpreadExactBeyond64Bits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(t, "lines")
		weights, exact := make([]u128, n), make([]*big.Rat, n)
		any := false
		for i := range weights {
			weights[i] = mul64(rapid.Uint64Max(1<<40).Draw(t, "a"), rapid.Uint64Max(1<<50).Draw(t, "b"))
			exact[i] = new(big.Rat).SetInt(weights[i].big())
			any = any || !weights[i].zero()
		}
		if !any {
			return
		}
		sum := rapid.Int64Range(0, MaxAmount).Draw(t, "sum")
		out := make([]int64, n)
		spreadExact(sum, total(weights), weights, out, make([]uint64, n))
		require.Equal(t, tSpread(sum, exact, nil), out)
	})
}

func TestProportionAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.Int64Range(0, 1_000_000), 1, 10).Draw(t, "parts")
		sum := rapid.Int64Range(0, MaxAmount).Draw(t, "sum")
		whole := totalOf(parts)
		var done, taken int64
		for _, p := range parts {
			done += p
			now := Proportion(done, whole, sum)
			require.GreaterOrEqual(t, now, taken, "a return never gives back less than before")
			taken = now
		}
		require.Equal(t, sum, taken)
	})
	require.EqualValues(t, 3500, Proportion(70_000, 130_000, 6500))
	require.EqualValues(t, MaxAmount-1, Proportion(MaxAmount-1, MaxAmount, MaxAmount))
	require.EqualValues(t, math.MaxInt64/2, Proportion(1, 2, math.MaxInt64))
}

func TestPieces(t *testing.T) {
	require.Equal(t, []protocol.Piece{{Quantity: 2000, Price: 9667}, {Quantity: 1000, Price: 9666}}, Pieces(nil, 29_000, 3000))
	require.Equal(t, []protocol.Piece{{Quantity: 2000, Price: 15_000}}, Pieces(nil, 30_000, 2000))
	require.Equal(t, []protocol.Piece{{Quantity: 1000, Price: 1}, {Quantity: 2000, Price: 0}}, Pieces(nil, 1, 3000))
	require.Nil(t, Pieces(nil, 100, 345), "a weighed line has no units")
}

func FuzzSpread(f *testing.F) {
	f.Add(int64(1000), int64(10_000), int64(10_000), int64(10_000), int64(5000), int64(5000), int64(5000))
	f.Add(int64(50_000), int64(99_999), int64(1), int64(0), int64(99_998), int64(0), int64(7))
	f.Fuzz(func(t *testing.T, sum, a, b, c, ca, cb, cc int64) {
		for _, v := range []*int64{&sum, &a, &b, &c, &ca, &cb, &cc} {
			*v &= 1<<60 - 1
		}
		weights, caps, out := []int64{a, b, c}, []int64{ca, cb, cc}, make([]int64, 3)
		Spread(sum, weights, caps, out)
		checkSpread(t, sum, weights, caps, out)
		Spread(sum, weights, nil, out)
		checkSpread(t, sum, weights, nil, out)
	})
}

// TestHandOut compares with the rule said plainly: one after the other the
// largest, of equals the first. Levels that are far off the mark come from
// remainders that lie unevenly.
func TestHandOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.OneOf(rapid.Uint64Range(2, 9), rapid.Uint64Range(2, 1<<62)).Draw(t, "total")
		rests := rapid.SliceOfN(rapid.OneOf(
			rapid.Just(uint64(0)), rapid.Uint64Range(0, total-1), rapid.Uint64Range(0, total/100), rapid.Just(total-1),
		), 1, 40).Draw(t, "remainders")
		var some int64
		for _, r := range rests {
			if r > 0 {
				some++
			}
		}
		rest := rapid.Int64Range(0, some).Draw(t, "to hand out")
		want, left := make([]int64, len(rests)), append([]uint64(nil), rests...)
		for range rest {
			best := 0
			for i, r := range left {
				if r > left[best] {
					best = i
				}
			}
			want[best], left[best] = 1, 0
		}
		got := make([]int64, len(rests))
		handOut(rest, total, rests, got)
		require.Equal(t, want, got)
	})
}

// TestPortions: what comes back in whatever steps is never negative, adds up in
// each step, and is every part's own in the end.
func TestPortions(t *testing.T) {
	require.Equal(t, []int64{7, 411, 411}, Portions([]int64{7}, 0, 822, []int64{1234, 1234}), "appended")
	require.Equal(t, []int64{0, 0}, Portions(nil, 0, 0, []int64{0, 0}))
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.Int64Range(0, 50), 1, 6).Draw(t, "parts")
		var whole int64
		for _, p := range parts {
			whole += p
		}
		given, back := make([]int64, len(parts)), int64(0)
		for back < whole {
			next := rapid.Int64Range(back+1, whole).Draw(t, "next")
			var sum int64
			for i, n := range Portions(nil, back, next, parts) {
				require.GreaterOrEqual(t, n, int64(0))
				given[i] += n
				sum += n
			}
			require.Equal(t, next-back, sum)
			back = next
		}
		require.Equal(t, parts, given, "whatever the steps")
	})
}
