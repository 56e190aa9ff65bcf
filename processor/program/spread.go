package program

import (
	"math/big"
	"math/bits"
	"slices"

	"tillgate/protocol"
)

// u128 is an unsigned number of 128 bits: sums of products of an amount and a
// rate are kept whole until they are rounded, once.
type u128 struct{ hi, lo uint64 }

func mul64(a, b uint64) u128 {
	hi, lo := bits.Mul64(a, b)
	return u128{hi, lo}
}

func (a u128) add(b u128) u128 {
	lo, c := bits.Add64(a.lo, b.lo, 0)
	hi, _ := bits.Add64(a.hi, b.hi, c)
	return u128{hi, lo}
}

func (a u128) sub(b u128) u128 {
	lo, c := bits.Sub64(a.lo, b.lo, 0)
	hi, _ := bits.Sub64(a.hi, b.hi, c)
	return u128{hi, lo}
}

func (a u128) mul(b uint64) u128 {
	r := mul64(a.lo, b)
	r.hi += a.hi * b
	return r
}

func (a u128) less(b u128) bool {
	return a.hi < b.hi || a.hi == b.hi && a.lo < b.lo
}

func (a u128) zero() bool { return a.hi == 0 && a.lo == 0 }

// small reports whether the number fits a positive int64.
func (a u128) small() bool { return a.hi == 0 && a.lo>>63 == 0 }

// div is the quotient and remainder by b; the quotient must fit 64 bits.
func (a u128) div(b uint64) (q, r uint64) {
	if a.hi == 0 {
		return a.lo / b, a.lo % b
	}
	return bits.Div64(a.hi, a.lo, b)
}

func (a u128) big() *big.Int {
	n := new(big.Int).SetUint64(a.hi)
	return n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(a.lo))
}

// Spread shares sum out over lines in proportion to their weights: each gets
// the floor of its share, what is left goes by largest remainder, ties by line
// number. A line whose share is above its cap gets its cap, and the rest is
// spread anew over the others. Σ out is exactly the least of sum and the caps
// of the lines with a weight; a line without weight gets nothing.
//
// A nil caps means no caps. weights, caps and out are of one length; nothing
// may be negative, and the weights must add up to less than 2^63. out may not
// overlap with weights or caps.
func Spread(sum int64, weights, caps, out []int64) {
	switch n := len(weights); {
	case n <= usualLines:
		var parts [usualLines]uint64
		spread(sum, weights, caps, out, parts[:n])
	case n <= MaxLines:
		spreadMany(sum, weights, caps, out)
	default:
		spread(sum, weights, caps, out, make([]uint64, n))
	}
}

// usualLines is how many lines a receipt seldom exceeds; what is noted about them
// fits the stack without a thought.
const usualLines = 32

// spreadMany keeps its large buffer out of the frame of the usual receipt.
//
//go:noinline
func spreadMany(sum int64, weights, caps, out []int64) {
	var parts [MaxLines]uint64
	spread(sum, weights, caps, out, parts[:len(weights)])
}

// spread is [Spread] with its scratch space, parts: the weights of the lines that
// take part, which may hold anything before and after.
func spread(sum int64, weights, caps, out []int64, parts []uint64) {
	total, left, tight := int64(0), sum, false
	out, parts = out[:len(weights)], parts[:len(weights)]
	if caps == nil {
		for i, w := range weights {
			out[i], parts[i] = 0, uint64(w)
			total += w
		}
	} else {
		caps = caps[:len(weights)]
		for i, w := range weights {
			if caps[i] == 0 {
				w = 0
			}
			out[i], parts[i] = 0, uint64(w)
			total += w
			tight = tight || caps[i] < w
		}
		if tight || sum > total { // else every share is below its line's cap
			left, total = fillCaps(sum, total, parts, caps, out)
		}
	}
	if total > 0 && left > 0 {
		share(left, uint64(total), parts, out)
	}
}

// share gives the lines that take part the floor of their share of left, and what
// remains by largest remainder. It makes parts remainders.
func share(left int64, total uint64, parts []uint64, out []int64) {
	rest := left
	out = out[:len(parts)]
	for i, w := range parts {
		if w == 0 {
			continue
		}
		q, r := mul64(uint64(left), w).div(total)
		out[i], parts[i] = int64(q), r
		rest -= int64(q)
	}
	handOut(rest, total, parts, out)
}

// handOut gives one to each of the rest lines with the largest remainders of a
// division by total, the first of equals first. It consumes rests.
//
// Remainders lie about evenly between 0 and total, so about as many as are
// wanted lie above a level that is computed; the few too little or too much are
// then found one by one. (To look for each one by one took three times as long,
// and a receipt of 500 lines the square of it.)
func handOut(rest int64, total uint64, rests []uint64, out []int64) {
	if rest == 0 {
		return
	}
	out = out[:len(rests)]
	level := total - total/uint64(len(rests))*uint64(rest)
	for i, r := range rests {
		_, above := bits.Sub64(level, r, 0) // 1 or 0, without a branch to guess
		out[i] += int64(above)
		rest -= int64(above)
	}
	for ; rest > 0; rest-- {
		i := largest(rests, level)
		out[i]++
		rests[i] = 0
	}
	for ; rest < 0; rest++ {
		i := smallest(rests, level)
		out[i]--
		rests[i] = 0
	}
}

// largest is the first of the largest remainders that are not above a level.
func largest(rests []uint64, level uint64) int {
	most := uint64(0)
	for _, r := range rests {
		if r <= level {
			most = max(most, r)
		}
	}
	return slices.Index(rests, most)
}

// smallest is the last of the smallest remainders above a level.
func smallest(rests []uint64, level uint64) int {
	least := ^uint64(0)
	for _, r := range rests {
		if r > level {
			least = min(least, r)
		}
	}
	i := len(rests) - 1
	for rests[i] != least {
		i--
	}
	return i
}

// fillCaps gives their cap to the lines whose share would exceed it, until no
// line's does; they take part no more. It returns what is left to share and the
// weights of the lines that share it.
func fillCaps(sum, total int64, parts []uint64, caps, out []int64) (int64, int64) {
	caps, out = caps[:len(parts)], out[:len(parts)]
	for total > 0 && sum > 0 {
		before, left := total, sum
		for i, w := range parts {
			if w == 0 || uint64(caps[i]) >= w && left <= before {
				continue // its share is at most its weight
			}
			// share > cap, compared without rounding: left·w > cap·total
			share, limit := mul64(uint64(left), w), mul64(uint64(caps[i]), uint64(before))
			if limit.less(share) {
				out[i], parts[i] = caps[i], 0
				sum -= caps[i]
				total -= int64(w)
			}
		}
		if total == before {
			break
		}
	}
	return sum, total
}

// Proportion is the floor of sum × part ÷ whole: what belongs to the first
// part of whole, cumulatively. What a partial return takes is the difference
// of two Proportions, after it and before it, so that the parts add up to the
// whole to the minor unit. 0 ≤ part ≤ whole and sum ≥ 0; a whole of 0 gives
// the sum.
func Proportion(part, whole, sum int64) int64 {
	if whole <= 0 || part >= whole {
		return sum
	}
	if part <= 0 {
		return 0
	}
	q, _ := mul64(uint64(sum), uint64(part)).div(uint64(whole))
	return int64(q)
}

// Portions splits what comes back of a whole into its parts, which add up to it:
// before of it has come back earlier, after has in the end. Each part gives its
// proportion, cumulatively and within as many units as there are parts, so that
// it has given all of itself when everything is back, in whatever steps. The
// portions, appended to dst, are not negative and add up to after − before.
// 0 ≤ before ≤ after ≤ Σ parts.
func Portions(dst []int64, before, after int64, parts []int64) []int64 {
	var whole int64
	for _, part := range parts {
		whole += part
	}
	// A part has the floor of its proportion, and those behind it share the rest
	// likewise: so each grows with what has come back, and none is owed a unit.
	for _, part := range parts {
		had, has := Proportion(part, whole, before), Proportion(part, whole, after)
		dst = append(dst, has-had)
		before, after, whole = before-had, after-has, whole-part
	}
	return dst
}

// Pieces splits what is payable for a whole number of units into at most two
// pieces, each with one price per unit, appended to dst: 290.00 for three is
// two at 96.67 and one at 96.66. quantity is in thousandths; nothing is
// appended for a fractional one.
func Pieces(dst []protocol.Piece, payable, quantity int64) []protocol.Piece {
	units := quantity / 1000
	if units <= 0 || quantity%1000 != 0 {
		return dst
	}
	price, more := payable/units, payable%units
	if more > 0 {
		dst = append(dst, protocol.Piece{Quantity: more * 1000, Price: price + 1})
	}
	return append(dst, protocol.Piece{Quantity: (units - more) * 1000, Price: price})
}

// spreadExact is [Spread] over weights of 128 bits, which add up to total, at
// least 1, without caps. parts is scratch space. Weights that fit 63 bits go the
// quick way; others, which only receipts of billions reach, are shared with
// unbounded arithmetic.
func spreadExact(sum int64, total u128, weights []u128, out []int64, parts []uint64) {
	if !total.small() {
		spreadBig(sum, total.big(), weights, out)
		return
	}
	out, parts = out[:len(weights)], parts[:len(weights)]
	for i := range weights {
		out[i], parts[i] = 0, weights[i].lo
	}
	share(sum, total.lo, parts, out)
}

// spreadBig is the slow way of spreadExact: the same rule word for word.
func spreadBig(sum int64, total *big.Int, weights []u128, out []int64) {
	rests := make([]*big.Int, len(weights))
	left := sum
	for i, w := range weights {
		share := new(big.Int).Mul(w.big(), big.NewInt(sum))
		q, r := share.QuoRem(share, total, new(big.Int))
		out[i], rests[i] = q.Int64(), r
		left -= out[i]
	}
	for ; left > 0; left-- {
		best := 0
		for i, r := range rests {
			if r.Cmp(rests[best]) > 0 {
				best = i
			}
		}
		out[best]++
		rests[best].SetInt64(-1)
	}
}
