package whatif

import (
	"strings"

	"tillgate/ledger"
)

// asItWas books what the draft has no say in: registrations, points given or
// charged by hand, what comes from other accounts or goes to them. The points
// that moved really move under the draft too. Points that were taken come from
// the same lot, else from what is available or pending; if the member has
// fewer under the draft, fewer are taken.
func (r *replay) asItWas(m *member) error {
	op, a := &r.op, m.draft
	r.given(&r.tally.draft)
	if op.Kind == ledger.KindPostIn && op.Into == 0 {
		r.tally.guessed.Moved -= op.Legs[ledger.LegTransit]
	}
	p := points{a: a, now: op.Time}
	if op.Due != 0 {
		p.now = op.Due
	}
	r.moved = r.moved[:0]
	for _, part := range op.Lots {
		r.moved = addPart(r.moved, part, 1) // what came and went again did not move
	}
	for _, part := range r.moved {
		if part.Points < 0 {
			r.take(p, part)
		}
	}
	if op.Owed < 0 {
		p.owe(p.takeBack(ledger.LotPart{Points: -op.Owed}))
	}
	if op.Owed > 0 {
		p.earn(ledger.LotPart{Active: r.days.DayStart(p.now, r.q.Draft.Zone()), Points: op.Owed})
	}
	for _, part := range r.moved {
		if part.Points > 0 {
			p.earn(part)
		}
	}
	p.tidy()
	return ledger.Apply(a, r.beside())
}

// take takes the points that a real record took from a lot.
func (r *replay) take(p points, part ledger.LotPart) {
	n := -part.Points
	if i := p.find(part); i >= 0 {
		n -= p.takeAt(i, n).Points
	}
	if n > 0 {
		_, n = p.spend(n, nil)
	}
	if n > 0 {
		p.takeBack(ledger.LotPart{Points: n})
	}
}

// beside is the real record without what it does to points.
func (r *replay) beside() *ledger.Operation {
	op := &r.mine
	lots, pins := op.Lots[:0], op.Pins[:0]
	counts := append(op.Counts[:0], r.op.Counts...) // a list of its own: the draft's next record is written into it
	*op = r.op
	op.Lots, op.Pins, op.Owed, op.Extend = lots, pins, 0, 0
	op.Counts = counts
	op.Hold, op.Drop, op.HoldUntil = 0, 0, 0
	return op
}

// recall remembers a sale from before the period, for what comes back of it
// within: under the draft it was what it really was.
func (r *replay) recall(m *member) {
	op := &r.op
	switch op.Kind {
	case ledger.KindAuthorize, ledger.KindAmend:
		s := m.remember(op.Hold)
		s.real, s.draft, s.own = figuresOf(op), figuresOf(op), op.EarnedLot
		_, _, more := r.shop.Promised(op)
		s.open, s.more = true, append(s.more, more...)
		for _, x := range op.Rules {
			x.Name = strings.Clone(x.Name)
			s.rules = append(s.rules, x)
		}
		r.recorded(&s.beside)
	case ledger.KindConfirm, ledger.KindAccrue, ledger.KindRedeem:
		id := op.ID
		if op.Kind == ledger.KindConfirm {
			id = op.Parent
		}
		s := m.remember(id)
		s.real, s.draft, s.own, s.booked = figuresOf(op), figuresOf(op), op.EarnedLot, true
		s.at = op.At
		_, _, s.more = r.shop.Promised(op)
		s.pins = append(s.pins, op.Pins...)
		r.recorded(&s.beside)
	case ledger.KindVoid:
		m.forget(op.Parent)
	case ledger.KindReturn:
		r.recallReturn(m, 1)
	case ledger.KindReverse:
		switch op.Undoes {
		case ledger.KindAuthorize, ledger.KindAmend:
			m.forget(op.Parent)
		case ledger.KindReturn:
			r.recallReturn(m, -1)
		default:
			r.recallReturn(m, 1)
		}
	}
}

// recallReturn remembers what came back of a sale before the period; sign −1
// is the reversal of a return.
func (r *replay) recallReturn(m *member, sign int64) {
	op := &r.op
	s := m.sale(op.Parent)
	if s == nil || !s.booked {
		return
	}
	if s.back == nil {
		s.back = &back{}
	}
	f := figuresOf(op)
	s.back.real.plus(f, sign)
	s.back.draft.plus(f, sign)
	for _, part := range op.Pins {
		s.back.restored = addPart(s.back.restored, part, sign)
	}
	if sign < 0 {
		s.beside.again(op)
		if op.Purchase {
			s.beside.lose(op)
		}
		return
	}
	copy(s.beside.units, s.beside.after(op))
	s.back.keep(undo{
		id: op.ID, f: f, pins: append([]ledger.LotPart(nil), op.Pins...), took: op.Taken(nil),
		counts: append([]ledger.CountChange(nil), op.Counts...), gifts: ownGifts(op),
		reward: op.Legs[ledger.LegReferral],
		lapsed: max(op.Legs[ledger.LegExpired], 0), taken: op.Legs[ledger.LegIssued],
	})
}
