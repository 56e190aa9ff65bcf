package whatif

import (
	"slices"

	"tillgate/ledger"
)

// maxLots bounds the lots of a member under the draft, as the switch bounds
// those of an account: one more merges the lot that ends first into the next,
// in the member's favour.
const maxLots = 500

// points is what a draft account has, while one record is booked. It changes
// the account's lots and deficit in place: the draft has no journal, so nobody
// needs to know the differences. It goes by the rules of the switch's own lots
// (L1 to L5), and a property test holds it to them.
//
// Invariants: lots are in the ledger's order; none goes below zero. A lot that
// is emptied stays until tidy, because its end may still be asked for.
type points struct {
	a       *ledger.Account
	now     int64
	extends bool // purchases extend lots: one may be there with a later end
}

// end is a lot's end after a purchase that extends to a moment (L3).
func end(l *ledger.LotPart, extend int64) int64 {
	if l.Own || l.Expires == 0 || l.Expires >= extend {
		return l.Expires
	}
	return extend
}

// extend moves the ends of the lots that are there, and of the parts of them
// that a purchase has taken before.
func (p points) extend(to int64, taken []ledger.LotPart) {
	moved := false
	for i := range p.a.Lots {
		l := &p.a.Lots[i]
		if e := end(l, to); e != l.Expires {
			l.Expires, moved = e, true
		}
	}
	if !moved {
		return
	}
	for i := range taken {
		taken[i].Expires = end(&taken[i], to)
	}
	slices.SortStableFunc(p.a.Lots, ledger.LotPart.Compare)
	n := 0
	for _, l := range p.a.Lots {
		if n > 0 && p.a.Lots[n-1].SameLot(l) {
			p.a.Lots[n-1].Points += l.Points
			continue
		}
		p.a.Lots[n] = l
		n++
	}
	p.a.Lots = p.a.Lots[:n]
}

// give adds points to their lot.
func (p points) give(l ledger.LotPart) {
	if l.Points == 0 {
		return
	}
	i, found := slices.BinarySearchFunc(p.a.Lots, l, ledger.LotPart.Compare)
	if found {
		p.a.Lots[i].Points += l.Points
		return
	}
	p.a.Lots = slices.Insert(p.a.Lots, i, l)
}

// earn gives points. Those that are active at once repay the deficit first.
func (p points) earn(l ledger.LotPart) {
	if l.Active <= p.now && p.a.Deficit < 0 {
		repaid := min(l.Points, -p.a.Deficit)
		p.a.Deficit += repaid
		l.Points -= repaid
	}
	p.give(l)
}

// owe takes n points that are not there.
func (p points) owe(n int64) { p.a.Deficit -= n }

// repay takes what is owed from what may be spent.
func (p points) repay() {
	for i := 0; i < len(p.a.Lots) && p.a.Deficit < 0; i++ {
		if p.available(&p.a.Lots[i]) {
			p.a.Deficit += p.takeAt(i, -p.a.Deficit).Points
		}
	}
}

// takeAt takes up to n points from lot i and returns the part taken.
func (p points) takeAt(i int, n int64) ledger.LotPart {
	part := p.a.Lots[i]
	part.Points = min(part.Points, n)
	p.a.Lots[i].Points -= part.Points
	return part
}

// available reports whether a lot's points may be spent now.
func (p points) available(l *ledger.LotPart) bool {
	return l.Active <= p.now && (l.Expires == 0 || l.Expires > p.now)
}

// spendable is how many points may be spent now.
func (p points) spendable() (sum int64) {
	for i := range p.a.Lots {
		if p.available(&p.a.Lots[i]) {
			sum += p.a.Lots[i].Points
		}
	}
	return sum
}

// spend takes up to n spendable points, first what ends first, appends the
// parts to pins, and returns how many it could not take.
func (p points) spend(n int64, pins []ledger.LotPart) ([]ledger.LotPart, int64) {
	for i := 0; i < len(p.a.Lots) && n > 0; i++ {
		if !p.available(&p.a.Lots[i]) || p.a.Lots[i].Points == 0 {
			continue
		}
		part := p.takeAt(i, n)
		n -= part.Points
		pins = append(pins, part)
	}
	return pins, n
}

// find is the lot that a part belongs to now: the one with its dates, or with
// a later end if purchases have extended it meanwhile; −1 if it is gone.
func (p points) find(part ledger.LotPart) int {
	for i := range p.a.Lots {
		if part.In(p.a.Lots[i], p.extends) {
			return i
		}
	}
	return -1
}

// takeBack takes points away as a return does (L5): from the sale's own lots,
// then from what is pending, then from what is available. It returns how many
// it could not take.
func (p points) takeBack(own ...ledger.LotPart) int64 {
	n := sum(own)
	for _, part := range own {
		if i := p.find(part); i >= 0 {
			n -= p.takeAt(i, part.Points).Points
		}
	}
	for _, pending := range [...]bool{true, false} {
		for i := 0; i < len(p.a.Lots) && n > 0; i++ {
			if p.a.Lots[i].Active > p.now == pending {
				n -= p.takeAt(i, n).Points
			}
		}
	}
	return n
}

// putBack gives points back to their lot. It returns them if the lot has
// expired meanwhile; grace is until when they would live then, 0 for not.
func (p points) putBack(part ledger.LotPart, grace int64) (lapsed int64) {
	if k := p.find(part); k >= 0 {
		part.Expires = p.a.Lots[k].Expires
	}
	if part.Expires != 0 && part.Expires <= p.now {
		if grace == 0 {
			return part.Points
		}
		part.Expires = grace
	}
	p.give(part)
	return 0
}

// tidy ends a booking: whoever owes has nothing to spend after it, emptied lots
// go, and their number stays in its bound.
func (p points) tidy() {
	p.repay()
	for i := range p.a.Lots {
		if p.a.Lots[i].Points == 0 { // seldom
			p.a.Lots = slices.DeleteFunc(p.a.Lots, func(l ledger.LotPart) bool { return l.Points == 0 })
			break
		}
	}
	for len(p.a.Lots) > maxLots {
		i := 0
		for k := 0; k+1 < len(p.a.Lots); k++ {
			if p.a.Lots[k+1].Active <= max(p.now, p.a.Lots[k].Active) {
				i = k
				break
			}
		}
		p.a.Lots[i+1].Points += p.a.Lots[i].Points
		p.a.Lots = slices.Delete(p.a.Lots, i, i+1)
	}
}

// sum adds up parts.
func sum(parts []ledger.LotPart) (n int64) {
	for _, p := range parts {
		n += p.Points
	}
	return n
}
