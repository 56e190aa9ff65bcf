package program

import "tillgate/protocol"

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
	names map[string][]uint64
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
				if n := t.names[tag]; n != nil {
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

// narrow keeps the selectors that list a name, or ask for none.
func (t *attrIndex) narrow(name string, row []uint64) {
	if !t.used {
		return
	}
	bits := t.names[name]
	for w := range row {
		if bits == nil {
			row[w] &= t.free[w]
		} else {
			row[w] &= t.free[w] | bits[w]
		}
	}
}
