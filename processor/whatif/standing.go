package whatif

import (
	"slices"

	"tillgate/ledger"
	"tillgate/processor/program"
)

// What a booking does to the member's standing under the draft, beside points:
// counters that go by the money paid, the sum with which the month began, a
// tier that was bought.

// stand fills the draft's record of a sale; a is the account before it.
func (r *replay) stand(a *ledger.Account, s *sale) {
	op, mine, p := &r.op, &r.mine, r.q.Draft
	_, group, partner := r.place(op)
	r.changes = p.Book(program.Sale{
		Paid: s.draft.payable, Day: op.Spent.Day, Store: op.Store, Group: group, Partner: partner,
	}, r.changes[:0])
	r.changes = p.Reached(r.changes, a.Lifetime, a.Lifetime+s.draft.payable, op.At)
	for _, c := range r.changes {
		s.beside.counts = append(s.beside.counts, countOf(c))
	}
	mine.Counts = append(mine.Counts, s.beside.counts...)
	mine.Grant, mine.GrantUntil = s.beside.grant, s.beside.grantUntil
	r.month(a)
	r.assign(a, op.At)
	s.beside.grant, s.beside.grantUntil = mine.Grant, mine.GrantUntil
}

// month notes the sum with which the month began, in the first record of a
// month that changes it.
func (r *replay) month(a *ledger.Account) {
	if !r.q.Draft.Monthly() {
		return
	}
	f := &r.sums
	*f = program.Facts{Days: f.Days[:0], Counts: f.Counts[:0]}
	tellSums(f, a)
	r.changes = r.q.Draft.Month(f, r.op.Time, r.changes[:0])
	for _, c := range r.changes {
		r.mine.Counts = append(r.mine.Counts, countOf(c))
	}
}

// assign fills the tier that the draft's record assigns: what it was promised,
// then what its counters say was bought or came back. at is the purchase's
// moment.
func (r *replay) assign(a *ledger.Account, at int64) {
	mine, p := &r.mine, r.q.Draft
	if mine.Grant == "" && !p.BuysTiers() {
		return
	}
	was, promised := program.Assigned{Tier: a.Tier, Until: a.TierUntil}, program.Assigned{Tier: mine.Grant, Until: mine.GrantUntil}
	kept := r.kept(a)
	now := p.Assign(was, promised, r.op.Time)
	keep := func(below program.CountChange, changed bool) {
		if changed {
			mine.Counts = append(mine.Counts, countOf(below))
		}
	}
	keep(p.Replaced(was, now, kept, r.op.Time))
	keep(p.Replaced(promised, now, kept, r.op.Time))
	for i := range mine.Counts {
		if ch := &mine.Counts[i]; !ch.Set {
			is, below, changed := p.Bought(now, kept, ch.Key, ch.Value, at, r.op.Time)
			keep(below, changed)
			now = is
		}
	}
	mine.Grant, mine.GrantUntil = "", 0
	if now != was {
		mine.Grant, mine.GrantUntil = now.Tier, now.Until
	}
}

// kept tells until when tiers are kept beside the assigned one: by what the
// draft's record changes already, else by the account's counters.
func (r *replay) kept(a *ledger.Account) program.Kept {
	return func(key uint64) int64 { return ledger.Marked(key, r.mine.Counts, a.Counts) }
}

// byHand books a tier that the office has assigned.
func (r *replay) byHand(m *member) error {
	a, mine := m.draft, r.beside()
	mine.Counts = mine.Counts[:0]
	was, is := program.Assigned{Tier: a.Tier, Until: a.TierUntil}, program.Assigned{Tier: mine.Tier, Until: mine.TierUntil}
	r.changes = r.q.Draft.ByHand(was, is, r.kept(a), mine.Time, r.changes[:0])
	for _, c := range r.changes {
		mine.Counts = append(mine.Counts, countOf(c))
	}
	return ledger.Apply(a, mine)
}

// dropTaken takes out of what a hold has promised the gift or reward of a first
// purchase that another purchase has had since the hold ended: it is there once.
func (r *replay) dropTaken(a *ledger.Account, s *sale) {
	b := &s.beside
	for i := len(b.counts) - 1; i >= 0; i-- {
		key := b.counts[i].Key
		name, once := r.q.Draft.FirstGift(key)
		if !(once || program.FirstReward(key)) || !slices.ContainsFunc(a.Counts, func(c ledger.Count) bool { return c.Key == key }) {
			continue
		}
		b.counts = slices.Delete(b.counts, i, i+1)
		if !once {
			b.rewards = slices.DeleteFunc(b.rewards, func(w reward) bool { return w.fixed })
			continue
		}
		b.gifts = slices.DeleteFunc(b.gifts, func(g ledger.Gift) bool { return g.Rule == name })
		s.rules = slices.DeleteFunc(s.rules, func(x ledger.Rule) bool { return x.Name == name })
	}
}

// dropCodes takes out of what a hold has promised what codes give that others
// had used up when the late sale was booked really.
func (r *replay) dropCodes(s *sale) {
	b := &s.beside
	r.usedUp(func(name string, keys [2]uint64) {
		b.gifts = slices.DeleteFunc(b.gifts, func(g ledger.Gift) bool { return g.Rule == name })
		b.counts = slices.DeleteFunc(b.counts, func(c ledger.CountChange) bool { return slices.Contains(keys[:], c.Key) })
		s.rules = slices.DeleteFunc(s.rules, func(x ledger.Rule) bool { return x.Name == name && x.Discount == 0 })
		r.dropTier(b, keys)
	})
}

// usedUp calls fn for the codes of the record that were used up.
func (r *replay) usedUp(fn func(name string, keys [2]uint64)) {
	for _, u := range r.shop.Codes(&r.op, r.q.Draft, nil) {
		if u.Refused == program.PromoUsedUp {
			e := r.q.Draft.PromoEntry(u.Entry)
			fn(e.Name, r.keys(e.Name, e.Series, u.Coupon))
		}
	}
}

// keys are the counters of a promo code.
func (r *replay) keys(name string, series bool, coupon int64) [2]uint64 {
	return [2]uint64{program.PromoKey(r.q.Merchant, name, series), program.CouponKey(r.q.Merchant, name, coupon)}
}

// loses finds what a sale does not have again when a return of it is undone: the
// first purchase's gift, if another purchase has it, and what codes gave that
// others have really used up.
func (r *replay) loses(a *ledger.Account, s *sale) {
	l := &s.beside.lost
	*l = lost{keys: l.keys[:0], gifts: l.gifts[:0]}
	for _, ch := range s.beside.counts {
		name, gift := r.q.Draft.FirstGift(ch.Key)
		if !gift && !program.FirstReward(ch.Key) || !slices.ContainsFunc(a.Counts, func(c ledger.Count) bool { return c.Key == ch.Key }) {
			continue
		}
		l.keys = append(l.keys, ch.Key)
		if gift {
			l.gifts = append(l.gifts, name)
		} else {
			l.fixed = true
		}
	}
	r.usedUp(func(name string, keys [2]uint64) {
		l.gifts, l.keys = append(l.gifts, name), append(l.keys, keys[:]...)
	})
}

// countAgain counts again what a return has taken from the draft's counters,
// each along the curve by which it was taken. s.back has the return no more, the
// units still have it.
func (r *replay) countAgain(s *sale, u *undo, again bool) {
	mine, p := &r.mine, r.q.Draft
	left := s.draft.payable - s.back.draft.payable
	for _, ch := range s.beside.counts {
		if ch.Set || slices.Contains(s.beside.lost.keys, ch.Key) {
			continue
		}
		change, byMoney := p.Recount(ch.Key, left-u.f.payable, left)
		switch {
		case byMoney:
			ch.Value = change
		case ch.Line > 0 && int(ch.Line) <= len(s.beside.units):
			l := &s.beside.units[ch.Line-1]
			ch.Value = r.regain(s, l, ch.Value, func(l unit) int64 { return partOf(l.back, l.quantity, ch.Value) })
		case !again:
			continue
		}
		if ch.Line = 0; ch.Value != 0 {
			mine.Counts = append(mine.Counts, ch)
		}
	}
}

// regain is what of a line's whole is there again when a return is undone, along
// the curve by which it was taken. s.back has the return no more, the line still
// has it.
func (r *replay) regain(s *sale, l *unit, whole int64, gone func(unit) int64) int64 {
	lost := func(back figures, l unit) int64 {
		if !s.worth(back) {
			return whole // it came back with all that was paid
		}
		return gone(l)
	}
	was := s.back.real
	was.plus(figuresOf(&r.op), 1)
	return lost(was, *l) - lost(s.back.real, l.after(&r.op, -1))
}
