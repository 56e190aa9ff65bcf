package program

import (
	"maps"
	"slices"

	"tillgate/protocol"
)

// index answers which selectors pick a line at the price of one look-up per
// attribute of the line, however many rules there are. (Asking each selector
// costs their number; that was tried first.)
type index struct {
	words  int // of a bit set with one bit per selector
	attrs  [attrCount]attrIndex
	priced []int // selectors with a price band
	bands  []band
}

type band struct{ from, below int64 }

type attr uint8

const (
	attrCategory attr = iota
	attrSKU
	attrBrand
	attrSupplier
	attrTag
	attrCount
)

// attrIndex has, for each name that a selector lists, the selectors that list
// it; free are those that don't ask for the attribute at all.
type attrIndex struct {
	used  bool
	free  []uint64
	names map[string][]uint64 // nil while there are few
	// Few names are found by their trait: listed[first[trait]−1] and those that
	// it leads on to. Most article numbers have a trait that no listed one has.
	first  [64]int32
	listed []listed
}

// listed is a name and the selectors that list it.
type listed struct {
	name string
	bits []uint64
	next int32 // of the same trait, its place + 1
}

// fewNames bounds the names that are found by trait: above, a map is quicker.
const fewNames = 256

// trait is a number below 64 that is quickly told from a name.
func trait(name string) int {
	if name == "" {
		return 0
	}
	return int(name[0]*7^name[len(name)-1]^uint8(len(name)<<3)) & 63
}

// of is the set of an attribute's names.
func (s *selector) of(a attr) *set {
	return [...]*set{&s.category, &s.sku, &s.brand, &s.supplier, &s.tag}[a]
}

func newIndex(selectors []selector) index {
	x := index{words: (len(selectors) + 63) / 64}
	for a := range attrCount {
		t := &x.attrs[a]
		t.free, t.names = make([]uint64, x.words), map[string][]uint64{}
		for k := range selectors {
			names := selectors[k].of(a)
			if names.empty() {
				t.free[k>>6] |= 1 << (k & 63)
				continue
			}
			t.used = true
			for _, n := range names.list {
				if t.names[n] == nil {
					t.names[n] = make([]uint64, x.words)
				}
				t.names[n][k>>6] |= 1 << (k & 63)
			}
		}
		t.arrange()
	}
	for k := range selectors {
		if s := &selectors[k]; s.priced {
			x.priced = append(x.priced, k)
			x.bands = append(x.bands, band{s.priceFrom, s.priceBelow})
		}
	}
	return x
}

// pick sets the bits of the selectors that pick a line.
func (x *index) pick(l *protocol.Line, row []uint64) {
	for w := range row {
		row[w] = ^uint64(0)
	}
	x.attrs[attrCategory].narrow(l.Category, row)
	x.attrs[attrSKU].narrow(l.SKU, row)
	x.attrs[attrBrand].narrow(l.Brand, row)
	x.attrs[attrSupplier].narrow(l.Supplier, row)
	if t := &x.attrs[attrTag]; t.used {
		for w := range row {
			bits := t.free[w]
			for _, tag := range l.Tags {
				if n := t.find(tag); n != nil {
					bits |= n[w]
				}
			}
			row[w] &= bits
		}
	}
	if len(x.priced) == 0 {
		return
	}
	price := unitPrice(l)
	for n, k := range x.priced {
		if price < x.bands[n].from || price >= x.bands[n].below {
			row[k>>6] &^= 1 << (k & 63)
		}
	}
}

// find are the selectors that list a name; nil for none.
func (t *attrIndex) find(name string) []uint64 {
	if t.names != nil {
		return t.names[name]
	}
	for i := t.first[trait(name)]; i > 0; i = t.listed[i-1].next {
		if l := &t.listed[i-1]; l.name == name {
			return l.bits
		}
	}
	return nil
}

// arrange chains the names by their traits, if they are few.
func (t *attrIndex) arrange() {
	if len(t.names) > fewNames {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(t.names)) {
		k := trait(name)
		t.listed = append(t.listed, listed{name, t.names[name], t.first[k]})
		t.first[k] = int32(len(t.listed))
	}
	t.names = nil
}

// narrow keeps the selectors that list a name, or ask for none.
func (t *attrIndex) narrow(name string, row []uint64) {
	if !t.used {
		return
	}
	bits := t.find(name)
	for w := range row {
		if bits == nil {
			row[w] &= t.free[w]
		} else {
			row[w] &= t.free[w] | bits[w]
		}
	}
}
