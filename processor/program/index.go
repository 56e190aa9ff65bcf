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
	every  bitset // all selectors
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
// it, together with those that don't ask for the attribute at all: free.
type attrIndex struct {
	used  bool
	free  bitset
	names map[string]*bitset // nil while there are few
	// Few names are found by their trait: first[trait] and those that it leads on
	// to. Most article numbers have a trait that no listed one has.
	first [64]*listed
}

// listed is a name and the selectors that list it.
type listed struct {
	name string
	by   *bitset
	next *listed // of the same trait
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
	x := index{every: newBitset(len(selectors))}
	x.every.fill(len(selectors))
	for a := range attrCount {
		t := &x.attrs[a]
		t.free, t.names = newBitset(len(selectors)), map[string]*bitset{}
		for k := range selectors {
			names := selectors[k].of(a)
			if names.empty() {
				t.free.add(k)
				continue
			}
			t.used = true
			for _, n := range names.list {
				if t.names[n] == nil {
					by := newBitset(len(selectors))
					t.names[n] = &by
				}
				t.names[n].add(k)
			}
		}
		for _, by := range t.names {
			by.widen(&t.free)
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

// pick makes row the set of the selectors that pick a line.
func (x *index) pick(l *protocol.Line, row *bitset) {
	row.copy(&x.every)
	if t := &x.attrs[attrCategory]; t.used {
		row.narrow(t.find(l.Category))
	}
	if t := &x.attrs[attrSKU]; t.used {
		row.narrow(t.find(l.SKU))
	}
	if t := &x.attrs[attrBrand]; t.used {
		row.narrow(t.find(l.Brand))
	}
	if t := &x.attrs[attrSupplier]; t.used {
		row.narrow(t.find(l.Supplier))
	}
	if t := &x.attrs[attrTag]; t.used {
		t.narrowAny(l.Tags, row)
	}
	if len(x.priced) == 0 {
		return
	}
	price := unitPrice(l)
	for n, k := range x.priced {
		if price < x.bands[n].from || price >= x.bands[n].below {
			row.remove(k)
		}
	}
}

// find are the selectors that list a name or ask for none.
func (t *attrIndex) find(name string) *bitset {
	if t.names != nil {
		if by := t.names[name]; by != nil {
			return by
		}
		return &t.free
	}
	for l := t.first[trait(name)]; l != nil; l = l.next {
		if l.name == name {
			return l.by
		}
	}
	return &t.free
}

// arrange chains the names by their traits, if they are few.
func (t *attrIndex) arrange() {
	if len(t.names) > fewNames {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(t.names)) {
		k := trait(name)
		t.first[k] = &listed{name, t.names[name], t.first[k]}
	}
	t.names = nil
}

// narrowAny keeps the selectors that list any of the names, or ask for none.
func (t *attrIndex) narrowAny(names []string, row *bitset) {
	first := t.free.first
	for _, name := range names {
		first |= t.find(name).first
	}
	row.first &= first
	for w := range row.more {
		bits := t.free.more[w]
		for _, name := range names {
			bits |= t.find(name).more[w]
		}
		row.more[w] &= bits
	}
}
