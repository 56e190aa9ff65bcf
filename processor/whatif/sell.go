package whatif

import (
	"tillgate/ledger"
)

// book begins the record that the draft books instead of the real one: who,
// when and what kind. It carries what an account keeps beside its points; the
// points themselves are moved by [points].
func (r *replay) book() *ledger.Operation {
	op := &r.mine
	lots, pins, counts := op.Lots[:0], op.Pins[:0], op.Counts[:0]
	*op = ledger.Operation{} // cleared where it is: a value with the lists in it would be made elsewhere and copied
	op.Lots, op.Pins, op.Counts = lots, pins, counts
	op.ID, op.Kind, op.Account, op.Merchant = r.op.ID, r.op.Kind, r.op.Account, r.op.Merchant
	op.Time, op.At, op.Due, op.Offset = r.op.Time, r.op.At, r.op.Due, r.op.Offset
	op.Parent, op.Undoes, op.Registered = r.op.Parent, r.op.Undoes, r.op.Registered
	return op
}

// hold decides an authorization or an amendment under the draft: the price is
// fixed and the points are pinned then, not at the confirm.
func (r *replay) hold(m *member) error {
	a, op := m.draft, &r.op
	p := points{a: a, now: op.Time}
	if err := r.drop(m, op.Drop); err != nil {
		return err
	}
	f := r.judge(m)
	mine := r.book()
	mine.Hold, mine.HoldUntil = op.Hold, op.HoldUntil
	mine.Pins, _ = p.spend(f.points, mine.Pins)
	p.tidy()
	own, more := r.lots()
	var s *sale
	if op.Kind == ledger.KindAmend {
		s = m.remember(op.Hold)
	} else {
		s = m.begin(op.Hold)
	}
	s.real, s.draft, s.own = figuresOf(op), f, own
	s.open, s.more, s.rules = true, append(s.more, more...), r.rules(s.rules)
	r.decided(s)
	mine.Counts = s.beside.reserved(mine.Counts)
	return ledger.Apply(a, mine)
}

// drop ends a hold of the draft, if it is there: one that has expired isn't.
func (r *replay) drop(m *member, id ledger.OpID) error {
	for i := range m.draft.Holds {
		if id != 0 && m.draft.Holds[i].ID == id {
			return endHold(m.draft, i, r.op.Time)
		}
	}
	return nil
}

// release ends a hold that comes to nothing.
func (r *replay) release(m *member) error {
	err := r.drop(m, r.op.Parent)
	points{a: m.draft, now: r.op.Time}.tidy()
	m.forget(r.op.Parent)
	return err
}

// confirm books a hold: with the figures that the draft fixed when it was
// made. A hold that is no longer remembered is decided now.
func (r *replay) confirm(m *member) error {
	op := &r.op
	s := m.sale(op.Parent)
	if s == nil || !s.open {
		r.tally.guessed.Forgotten++
		if err := r.drop(m, op.Parent); err != nil {
			return err
		}
		return r.sell(m)
	}
	r.print(s)
	s.beside.lines(op) // the prices may be printed otherwise
	zone, _, _ := r.place(op)
	a := m.draft
	p := points{a: a, now: op.Time}
	mine := r.book()
	extend := r.q.Draft.ExtendTo(op.At, zone, &r.days)
	if h := a.Hold(op.Parent); h != nil {
		mine.Drop = op.Parent
		p.extend(extend, nil)
		s.pins = capture(p, h.Pins, s.draft.points, extend, s.pins)
	} else {
		r.dropTaken(a, s)
		r.dropCodes(s)
		var missing int64
		if s.pins, missing = p.spend(s.draft.points, s.pins); missing > 0 {
			p.owe(missing)
		}
		p.extend(extend, s.pins)
	}
	s.open = false
	return r.sold(m, s, s.rules)
}

// capture takes what is booked out of a hold's pins, first what ends first, and
// gives the rest back to their lots; used gets the parts.
func capture(p points, pins []ledger.LotPart, need, extend int64, used []ledger.LotPart) []ledger.LotPart {
	for _, pin := range pins {
		pin.Expires = end(&pin, extend)
		part := pin
		part.Points = min(pin.Points, need)
		need -= part.Points
		if part.Points > 0 {
			used = append(used, part)
		}
		pin.Points -= part.Points
		p.give(pin)
	}
	return used
}

// print lets the draft's figures follow the receipt where the real ones had
// to: fewer points were printed than held, or another sum of money.
func (r *replay) print(s *sale) {
	now, f := figuresOf(&r.op), &s.draft
	if now.points < s.real.points && now.points < f.points {
		money := min(r.q.Draft.Money(now.points), f.redeemed)
		f.payable += f.redeemed - money
		f.points, f.redeemed = now.points, money
	}
	if more := now.payable - (s.real.payable + s.real.redeemed - now.redeemed); more != 0 {
		f.payable = max(f.payable+more, 0)
		f.total = f.discount + f.redeemed + f.payable
	}
	s.real = now
}

// sell decides a purchase in one step under the draft and books it.
func (r *replay) sell(m *member) error {
	op := &r.op
	f := r.judge(m)
	own, more := r.lots()
	var s *sale
	if op.Kind == ledger.KindConfirm {
		s = m.remember(op.Parent)
	} else {
		s = m.begin(op.ID)
	}
	s.real, s.draft, s.own, s.more = figuresOf(op), f, own, append(s.more[:0], more...)
	r.decided(s)
	r.book()
	p := points{a: m.draft, now: op.Time}
	var missing int64
	if s.pins, missing = p.spend(f.points, s.pins); missing > 0 {
		p.owe(missing) // an offline receipt: the goods are gone
	}
	p.extend(r.decision.ExtendTo, s.pins)
	r.named = r.rules(r.named[:0])
	return r.sold(m, s, r.named)
}

// sold books what every sale does once its points are taken, and counts it on
// both sides.
func (r *replay) sold(m *member, s *sale, rules []ledger.Rule) error {
	op, mine := &r.op, &r.mine
	p := points{a: m.draft, now: op.Time}
	p.earn(s.own)
	for _, l := range s.more {
		p.earn(l)
	}
	for _, g := range s.beside.gifts {
		p.earn(g.Part)
	}
	p.tidy()
	s.booked, s.at = true, op.At
	mine.Purchase = true
	mine.Spent = ledger.DaySum{Day: op.Spent.Day, Spent: s.draft.payable}
	r.stand(m.draft, s)
	r.count(m, s, rules)
	return ledger.Apply(m.draft, mine)
}

// count adds a sale to the sums.
func (r *replay) count(m *member, s *sale, rules []ledger.Rule) {
	t := &r.tally
	booked(&t.real, s.real, 1)
	booked(&t.draft, s.draft, 1)
	for _, x := range r.op.Rules {
		apply(&t.rule(x.Name).Real, x)
	}
	for _, x := range rules {
		apply(&t.rule(x.Name).Draft, x)
	}
	given := giftSum(s.beside.gifts)
	t.draft.Gifts += given
	t.draft.Rewards += s.beside.rewardSum()
	is := s.real.discount + money(r.version(&r.op), s.real.earned+giftSum(r.op.Gifts))
	be := s.draft.discount + money(r.q.Draft, s.draft.earned+given)
	sides(&t.receipts, be-is)
	m.count++
	m.gain += s.draft.discount + s.draft.redeemed - s.real.discount - s.real.redeemed
}
