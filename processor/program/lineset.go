package program

import "math/bits"

// lineSet is a set of a receipt's lines, one bit each. What a rule is about is
// mostly a line or two of ten: going by the bits costs their number.
type lineSet []uint64

// setWords is the length of a set of n lines.
func setWords(n int) int { return (n + 63) / 64 }

// each calls yield with the lines of the set in their order, for range.
func (s lineSet) each(yield func(i int) bool) {
	for w, row := range s {
		for ; row != 0; row &= row - 1 {
			if !yield(w<<6 | bits.TrailingZeros64(row)) {
				return
			}
		}
	}
}

// has reports whether a line is in the set; the nil set has none.
func (s lineSet) has(i int) bool {
	w := i >> 6
	return w < len(s) && s[w]>>(i&63)&1 == 1
}

func (s lineSet) empty() bool {
	for _, row := range s {
		if row != 0 {
			return false
		}
	}
	return true
}

// fill makes it the set of the lines before the n-th.
func (s lineSet) fill(n int) {
	for w := range s {
		s[w] = ^uint64(0)
	}
	if rest := n & 63; rest != 0 {
		s[len(s)-1] = 1<<rest - 1
	}
}
