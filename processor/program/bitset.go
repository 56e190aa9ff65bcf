package program

import "math/bits"

// bitset is a set of small numbers, one bit each: the lines that a selector
// picks, the selectors that pick a line. What a rule is about is mostly a line
// or two of ten: going by the bits costs their number. The first 64, which is
// all of nearly every receipt, lie in the value itself.
type bitset struct {
	first uint64
	more  []uint64
}

// moreWords is how many words a set of n numbers has beside its first.
func moreWords(n int) int { return max(n-1, 0) / 64 }

func newBitset(n int) bitset {
	if words := moreWords(n); words > 0 {
		return bitset{more: make([]uint64, words)}
	}
	return bitset{}
}

// each calls yield with the numbers of the set in their order, for range.
func (s *bitset) each(yield func(i int) bool) {
	row := s.first
	for w := 0; ; w++ {
		for ; row != 0; row &= row - 1 {
			if !yield(w<<6 | bits.TrailingZeros64(row)) {
				return
			}
		}
		if w >= len(s.more) {
			return
		}
		row = s.more[w]
	}
}

// word is where the bit of a number lies.
func (s *bitset) word(i int) *uint64 {
	if i < 64 {
		return &s.first
	}
	return &s.more[i>>6-1]
}

func (s *bitset) add(i int)    { *s.word(i) |= 1 << (i & 63) }
func (s *bitset) remove(i int) { *s.word(i) &^= 1 << (i & 63) }

// has reports whether a number is in the set.
func (s *bitset) has(i int) bool {
	if i < 64 {
		return s.first>>i&1 == 1
	}
	w := i>>6 - 1
	return w < len(s.more) && s.more[w]>>(i&63)&1 == 1
}

// only is the number of a set that has one and is of the first word; else −1.
func (s *bitset) only() int {
	if len(s.more) == 0 && bits.OnesCount64(s.first) == 1 {
		return bits.TrailingZeros64(s.first)
	}
	return -1
}

func (s *bitset) empty() bool {
	if s.first != 0 {
		return false
	}
	for _, row := range s.more {
		if row != 0 {
			return false
		}
	}
	return true
}

// fill makes it the set of the numbers below n.
func (s *bitset) fill(n int) {
	s.first = 1<<n - 1 // all ones from 64 on
	for w := range s.more {
		s.more[w] = 1<<(n-64*(w+1)) - 1
	}
}

// copy makes it the same set as another of its size.
func (s *bitset) copy(other *bitset) {
	s.first = other.first
	copy(s.more, other.more)
}

// narrow keeps what another set of its size has too.
func (s *bitset) narrow(other *bitset) {
	s.first &= other.first
	for w := range s.more {
		s.more[w] &= other.more[w]
	}
}

// widen adds what another set of its size has.
func (s *bitset) widen(other *bitset) {
	s.first |= other.first
	for w := range s.more {
		s.more[w] |= other.more[w]
	}
}
