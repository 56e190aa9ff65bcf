package whatif

import (
	"slices"

	"tillgate/ledger"
	"tillgate/processor/program"
)

// A return takes back under the draft what it took back in reality, in
// proportion: of each figure the part of the draft's that the real returns so
// far are of the real one, rounded down, so that the parts add up to the whole
// when everything is back. A figure that the real sale didn't have follows the
// money and points that were paid.

// share is what the draft gives back, when the real returns of a sale have
// come to r and the draft's so far are d.
func share(s *sale, done figures, whole bool) figures {
	paid, of := s.back.real.payable+s.back.real.redeemed, s.real.payable+s.real.redeemed
	part := func(back, real, draft, before int64) int64 {
		to := draft
		switch {
		case real > 0:
			to = program.Proportion(min(back, real), real, draft)
		case whole:
		case of > 0:
			to = program.Proportion(min(paid, of), of, draft)
		case s.real.total > 0:
			to = program.Proportion(min(s.back.real.total, s.real.total), s.real.total, draft)
		}
		return min(max(to-before, 0), draft-before)
	}
	b := &s.back.real
	return figures{
		total:    part(b.total, s.real.total, s.draft.total, done.total),
		discount: part(b.discount, s.real.discount, s.draft.discount, done.discount),
		redeemed: part(b.redeemed, s.real.redeemed, s.draft.redeemed, done.redeemed),
		payable:  part(b.payable, s.real.payable, s.draft.payable, done.payable),
		points:   part(b.points, s.real.points, s.draft.points, done.points),
		earned:   part(b.earned, s.real.earned, s.draft.earned, done.earned),
	}
}

// giveBack books a return, or a reversal of a sale, on both sides.
func (r *replay) giveBack(m *member) error {
	op := &r.op
	s := m.sale(op.Parent)
	if s == nil || !s.booked {
		// It was too long ago to be remembered: as it really was.
		r.tally.guessed.Forgotten++
		s = &sale{id: op.Parent, booked: true, real: figuresOf(op), draft: figuresOf(op), pins: op.Pins}
		s.beside.gifts, s.beside.counts = op.Gifts, taken(op.Counts)
	}
	if s.back == nil {
		s.back = &back{}
	}
	before := s.worth(s.back.real)
	s.back.real.plus(figuresOf(op), 1)
	whole := op.Purchase || before && !s.worth(s.back.real)
	f := share(s, s.back.draft, whole)
	booked(&r.tally.real, figuresOf(op), -1)
	booked(&r.tally.draft, f, -1)
	m.gain -= f.discount + f.redeemed - op.Discount - op.Redeemed
	if lapsed := op.Legs[ledger.LegExpired]; lapsed > 0 {
		r.tally.real.Expired += lapsed
	}
	u := undo{id: op.ID, f: f}
	s.takeBeside(op, &u, r.q.Draft, whole)
	r.tally.draft.Gifts -= giftSum(u.gifts)
	r.tally.draft.Rewards -= u.reward
	if m.draft.Into == 0 {
		r.undoSale(m.draft, s, &u)
	}
	s.back.draft.plus(f, 1)
	s.back.keep(u)
	mine := r.book()
	mine.Purchase = op.Purchase
	mine.Spent = ledger.DaySum{Day: op.Spent.Day, Spent: -f.payable}
	mine.Counts = append(mine.Counts, u.counts...)
	if m.draft.Into != 0 {
		mine.Purchase, mine.Spent, mine.Counts = false, ledger.DaySum{}, mine.Counts[:0]
	} else {
		r.assign(m.draft, s.at)
		if whole {
			r.endGranted(m.draft, s)
		}
		r.month(m.draft)
	}
	return ledger.Apply(m.draft, mine)
}

// worth reports whether anything of value is left of the real sale of which
// back has come back: goods that cost nothing are so only on a receipt of
// nothing else.
func (s *sale) worth(back figures) bool {
	if s.real.payable+s.real.redeemed == 0 {
		return back.total != s.real.total
	}
	return back.payable != s.real.payable || back.redeemed != s.real.redeemed
}

// keep remembers a return for its reversal.
func (b *back) keep(u undo) {
	if len(b.undo) == maxUndo {
		b.undo = append(b.undo[:0], b.undo[1:]...)
	}
	b.undo = append(b.undo, u)
}

// undoSale moves the points of a return: those that were spent go back to
// their lots, those that were earned are taken away (L5).
func (r *replay) undoSale(a *ledger.Account, s *sale, u *undo) {
	p := points{a: a, now: r.op.Time, extends: r.extends}
	r.had = append(r.had[:0], a.Lots...)
	r.facts.Zone, _, _ = r.place(&r.op)
	u.lapsed = r.restore(p, s, u)
	r.tally.draft.Expired += u.lapsed
	missing := p.takeBack(s.earnedParts(s.back.draft.earned, s.back.draft.earned+u.f.earned)...)
	for _, g := range u.gifts {
		missing += p.takeBack(g.Part)
	}
	u.taken = u.f.earned + giftSum(u.gifts)
	if missing > 0 && r.q.Draft.Deficit() == program.DeficitForgive {
		u.taken -= missing
	} else {
		p.owe(missing)
	}
	p.tidy()
	for _, part := range r.had {
		if i, found := slices.BinarySearchFunc(a.Lots, part, ledger.LotPart.Compare); found {
			part.Points -= a.Lots[i].Points
		}
		if part.Points > 0 {
			u.took = append(u.took, part)
		}
	}
}

// earnedParts are the parts of a sale's own lots that come back when of what it
// has earned after points have come back instead of before.
func (s *sale) earnedParts(before, after int64) []ledger.LotPart {
	own := append([]ledger.LotPart{s.own}, s.more...)
	own[0].Points = s.draft.earned - sum(s.more)
	points := make([]int64, 0, 2*len(own))
	for i := range own {
		points = append(points, own[i].Points)
	}
	for i, n := range program.Portions(points, before, after, points)[len(own):] {
		own[i].Points = n
	}
	return own
}

// restore gives points back to the lots that the sale has taken them from, the
// last taken first. What was booked as a deficit is the last of all: it repays
// what is still owed, and the rest goes to the sale's own lot. It returns the
// points of lots that have expired for good.
func (r *replay) restore(p points, s *sale, u *undo) (lapsed int64) {
	need := u.f.points
	owed := s.draft.points - sum(s.pins) - (s.back.draft.points - sum(s.back.restored))
	if n := min(owed, need); n > 0 {
		need -= n
		p.earn(ledger.LotPart{Active: min(s.own.Active, p.now), Expires: s.own.Expires, Own: s.own.Own, Points: n})
	}
	grace := r.q.Draft.GraceUntil(p.now, r.facts.Zone)
	done := append([]ledger.LotPart(nil), s.back.restored...)
	for i := len(s.pins) - 1; i >= 0 && need > 0; i-- {
		part := s.pins[i]
		part.Points -= takePart(done, part)
		if part.Points = min(part.Points, need); part.Points == 0 {
			continue
		}
		need -= part.Points
		u.pins = append(u.pins, part)
		s.back.restored = addPart(s.back.restored, part, 1)
		lapsed += p.putBack(part, grace)
	}
	return lapsed
}

// takePart takes up to part.Points from the part of the same lot and tells how
// many it took.
func takePart(from []ledger.LotPart, part ledger.LotPart) int64 {
	for i := range from {
		if from[i].SameLot(part) {
			n := min(from[i].Points, part.Points)
			from[i].Points -= n
			return n
		}
	}
	return 0
}

// addPart adds sign times a part to the part of the same lot.
func addPart(list []ledger.LotPart, part ledger.LotPart, sign int64) []ledger.LotPart {
	part.Points *= sign
	for i := range list {
		if list[i].SameLot(part) {
			list[i].Points += part.Points
			return list
		}
	}
	return append(list, part)
}

// takeAgain books the reversal of a return on both sides.
func (r *replay) takeAgain(m *member) error {
	op := &r.op
	s := m.sale(op.Parent)
	var u *undo
	if s != nil && s.back != nil {
		for i := range s.back.undo {
			if s.back.undo[i].id == op.Target {
				u = &s.back.undo[i]
			}
		}
	}
	booked(&r.tally.real, figuresOf(op), 1)
	if lapsed := op.Legs[ledger.LegExpired]; lapsed < 0 {
		r.tally.real.Expired += lapsed
	}
	if u == nil {
		r.tally.guessed.Forgotten++
		booked(&r.tally.draft, figuresOf(op), 1)
		return r.asItWas(m)
	}
	booked(&r.tally.draft, u.f, 1)
	r.tally.draft.Expired -= u.lapsed
	again := op.Purchase // nothing was left of the sale, and now something is
	if again {
		r.loses(m.draft, s)
	}
	r.tally.draft.Rewards += s.rewardAgain(u, again)
	m.gain += u.f.discount + u.f.redeemed - op.Discount - op.Redeemed
	s.back.real.plus(figuresOf(op), -1)
	s.back.draft.plus(u.f, -1)
	r.redo(m.draft, s, u, again)
	mine := r.book()
	mine.Purchase = op.Purchase
	mine.Spent = ledger.DaySum{Day: op.Spent.Day, Spent: u.f.payable}
	r.countAgain(s, u, again)
	s.beside.again(op)
	if again {
		r.grantAgain(s)
	}
	r.assign(m.draft, s.at)
	r.month(m.draft)
	*u = undo{}
	return ledger.Apply(m.draft, mine)
}

// redo takes again what a return had given back to lots, else from what is
// there, else as a deficit, and gives what it had taken where it was taken.
// Gifts are given again when nothing was left of the sale, by whichever of its
// returns they were taken; those of lines with what is booked again of the line.
func (r *replay) redo(a *ledger.Account, s *sale, u *undo, again bool) {
	p := points{a: a, now: r.op.Time, extends: r.extends}
	need := u.f.points - u.lapsed
	for _, part := range u.pins {
		if i := p.find(part); i >= 0 {
			need -= p.takeAt(i, min(need, part.Points)).Points
		}
		s.back.restored = addPart(s.back.restored, part, -1)
	}
	_, need = p.spend(need, nil)
	p.owe(need)
	rest, left := u.taken, int64(0)
	for _, g := range u.gifts {
		left += min(g.Part.Points, rest-left)
	}
	rest -= left
	for _, g := range s.beside.gifts {
		lost := int64(0) // by this return
		for _, x := range u.gifts {
			if x.Rule == g.Rule && x.Line == g.Line {
				lost = x.Part.Points
			}
		}
		forgiven := max(lost-left, 0)
		left -= lost - forgiven
		part := g.Part
		if l := s.beside.unitOf(&g); l != nil {
			part.Points = max(r.regain(s, l, g.Part.Points, func(l unit) int64 { return l.gone(g.Part.Points) })-forgiven, 0)
			r.tally.draft.Gifts += part.Points
		} else {
			if !again || slices.Contains(s.beside.lost.gifts, g.Rule) {
				continue
			}
			part.Points -= forgiven
			r.tally.draft.Gifts += g.Part.Points
		}
		ledger.Given(u.took, part, p.extends)
		p.earn(part)
	}
	earned := s.earnedParts(s.back.draft.earned, s.back.draft.earned+u.f.earned)
	for i := range earned {
		earned[i].Points = min(earned[i].Points, rest)
		rest -= earned[i].Points
	}
	for _, part := range ledger.Regain(nil, earned, u.took, p.extends) {
		if i := p.find(part); i >= 0 {
			part.Expires = p.a.Lots[i].Expires
		}
		p.earn(part)
	}
	p.tidy()
}
