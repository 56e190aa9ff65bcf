package processor

import (
	"slices"

	"tillgate/ledger"
)

// maxLots bounds the lots of one account, because they are all part of its
// record: a member who buys every day for a year has some 365 of them. One
// more merges the lot that ends first into the one that ends next, in the
// member's favour.
const maxLots = 500

// purse is a working copy of an account's points, on which an operation tries
// out what it takes and gives. Its changes become the operation's effects.
//
// Invariants: lots are ordered as in [ledger.Account]; delta is the difference
// between lots and what the account had (after its lots were extended), one
// part per lot; no lot goes below zero.
type purse struct {
	now     int64
	lots    []ledger.LotPart
	delta   []ledger.LotPart
	before  []ledger.LotPart // room: of lots, while extend moves them
	extends bool             // purchases extend lots: one may be there with a later end
	deficit int64            // zero or negative
	owed    int64            // change of the deficit
}

// load begins with what the account has.
func (p *purse) load(a *ledger.Account, now int64) {
	p.now, p.extends, p.deficit, p.owed = now, false, 0, 0
	p.lots, p.delta = p.lots[:0], p.delta[:0]
	if a == nil {
		return
	}
	p.deficit = a.Deficit
	p.lots = append(p.lots, a.Lots...)
}

// extend moves the end of the lots that are there to a moment, if that is later
// (L3; 0 for nowhere), and with it that of the parts of them which this
// operation has taken. A purchase takes what ends first, as it stands, and then
// extends the rest.
func (p *purse) extend(to int64, taken []ledger.LotPart) {
	if !slices.ContainsFunc(p.lots, func(l ledger.LotPart) bool { return extended(l, to) != l.Expires }) {
		return
	}
	p.before = append(p.before[:0], p.lots...)
	p.lots = p.lots[:0]
	for _, l := range p.before {
		l.Expires = extended(l, to)
		p.insert(l)
	}
	p.before = append(p.before[:0], p.delta...)
	p.delta = p.delta[:0]
	for _, l := range p.before {
		l.Expires = extended(l, to)
		p.note(l)
	}
	for i := range taken {
		taken[i].Expires = extended(taken[i], to)
	}
}

// extended is a lot's end after a purchase that extends to a moment.
func extended(l ledger.LotPart, extend int64) int64 {
	if l.Own || l.Expires == 0 || l.Expires >= extend {
		return l.Expires
	}
	return extend
}

// insert puts points into their lot without noting a change.
func (p *purse) insert(l ledger.LotPart) {
	i, found := slices.BinarySearchFunc(p.lots, l, ledger.LotPart.Compare)
	if found {
		p.lots[i].Points += l.Points
		return
	}
	p.lots = slices.Insert(p.lots, i, l)
}

// note adds to the changes of a lot.
func (p *purse) note(l ledger.LotPart) {
	for i := range p.delta {
		if p.delta[i].SameLot(l) {
			p.delta[i].Points += l.Points
			return
		}
	}
	p.delta = append(p.delta, l)
}

// give adds points to their lot.
func (p *purse) give(l ledger.LotPart) {
	if l.Points == 0 {
		return
	}
	p.insert(l)
	p.note(l)
}

// earn adds what a purchase earns. Points that are active at once repay the
// deficit first; what is pending does so when it becomes active.
func (p *purse) earn(l ledger.LotPart) {
	if l.Active <= p.now {
		repaid := min(l.Points, -p.deficit)
		p.deficit += repaid
		p.owed += repaid
		l.Points -= repaid
	}
	p.give(l)
}

// owe takes n points that are not there.
func (p *purse) owe(n int64) {
	p.deficit -= n
	p.owed -= n
}

// takeAt takes up to n points from lot i and returns the part taken. An
// emptied lot stays with no points until the purse is settled.
func (p *purse) takeAt(i int, n int64) ledger.LotPart {
	part := p.lots[i]
	part.Points = min(part.Points, n)
	p.lots[i].Points -= part.Points
	if part.Points > 0 {
		change := part
		change.Points = -part.Points
		p.note(change)
	}
	return part
}

// available reports whether a lot's points may be spent now.
func (p *purse) available(l *ledger.LotPart) bool {
	return l.Active <= p.now && (l.Expires == 0 || l.Expires > p.now)
}

// spendable is how many points may be spent now.
func (p *purse) spendable() int64 {
	var sum int64
	for i := range p.lots {
		if p.available(&p.lots[i]) {
			sum += p.lots[i].Points
		}
	}
	return sum
}

// spend takes up to n spendable points, first what ends first, and appends
// the parts to pins. It returns how many it could not take.
func (p *purse) spend(n int64, pins []ledger.LotPart) ([]ledger.LotPart, int64) {
	for i := 0; i < len(p.lots) && n > 0; i++ {
		if !p.available(&p.lots[i]) || p.lots[i].Points == 0 {
			continue
		}
		part := p.takeAt(i, n)
		n -= part.Points
		pins = append(pins, part)
	}
	return pins, n
}

// find is the lot that a part belongs to now: the one with its dates, or with
// a later end if purchases have extended it meanwhile. −1 if it is gone.
func (p *purse) find(part ledger.LotPart) int {
	for i := range p.lots {
		if part.In(p.lots[i], p.extends) {
			return i
		}
	}
	return -1
}

// takeBack takes points away as a return does (L5): from the sale's own lots,
// then from what is pending, then from what is available. It returns how many
// it could not take.
func (p *purse) takeBack(own ...ledger.LotPart) int64 {
	n := sum(own)
	for _, part := range own {
		if i := p.find(part); i >= 0 {
			n -= p.takeAt(i, part.Points).Points
		}
	}
	for i := 0; i < len(p.lots) && n > 0; i++ {
		if p.lots[i].Active > p.now {
			n -= p.takeAt(i, n).Points
		}
	}
	for i := 0; i < len(p.lots) && n > 0; i++ {
		if p.lots[i].Active <= p.now {
			n -= p.takeAt(i, n).Points
		}
	}
	return n
}

// repay takes what is owed from what may be spent: points that come back from a
// hold or with a return are not spent before the debt is paid.
func (p *purse) repay() {
	for i := 0; i < len(p.lots) && p.deficit < 0; i++ {
		if p.available(&p.lots[i]) {
			n := p.takeAt(i, -p.deficit).Points
			p.deficit += n
			p.owed += n
		}
	}
}

// settle moves the changes into an operation: its lots and what is owed. Whoever
// owes has nothing to spend after it.
func (p *purse) settle(op *ledger.Operation) {
	p.repay()
	p.crowd()
	for _, l := range p.delta {
		if l.Points != 0 {
			op.Lots = append(op.Lots, l)
		}
	}
	op.Owed += p.owed
}

// crowd keeps the number of lots within its bound.
func (p *purse) crowd() {
	p.lots = slices.DeleteFunc(p.lots, func(l ledger.LotPart) bool { return l.Points == 0 })
	for len(p.lots) > maxLots {
		i := p.mergeable()
		from, to := p.lots[i], p.lots[i+1]
		to.Points = from.Points
		p.note(to)
		from.Points = -from.Points
		p.note(from)
		p.lots[i+1].Points += to.Points
		p.lots = slices.Delete(p.lots, i, i+1)
	}
}

// mergeable is the first lot whose points may move into the next one without
// becoming spendable later than they are.
func (p *purse) mergeable() int {
	for i := 0; i+1 < len(p.lots); i++ {
		if p.lots[i+1].Active <= max(p.now, p.lots[i].Active) {
			return i
		}
	}
	return 0
}

// sum adds up parts.
func sum(parts []ledger.LotPart) int64 {
	var n int64
	for _, p := range parts {
		n += p.Points
	}
	return n
}
