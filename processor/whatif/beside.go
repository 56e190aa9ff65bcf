package whatif

import (
	"slices"
	"strings"

	"tillgate/ledger"
	"tillgate/processor/program"
)

// beside is what a sale does beside its figures: counters, gifts, rewards for
// the members above, a tier. Gifts and counters go back with their line or the
// whole receipt, rewards in proportion to the money.
type beside struct {
	counts     []ledger.CountChange
	gifts      []ledger.Gift
	rewards    []reward
	units      []unit     // of the lines, if something belongs to one
	tiers      []codeTier // what its promo codes give
	grant      string     // the tier that codes promise; once it is booked, the one that it assigned
	grantUntil int64
	lost       lost
}

// codeTier is a tier that a promo code gives: code are its counters, which tell
// it from others.
type codeTier struct {
	code  [2]uint64
	gives program.Assigned
}

// lost is what a sale does not have again since a return of it was undone: it
// is there once, or a limited number of times, and another sale has it.
type lost struct {
	keys  []uint64
	gifts []string
	fixed bool
}

// lose notes what a real record of an undone return did not give again.
func (b *beside) lose(op *ledger.Operation) {
	l := &b.lost
	*l = lost{keys: l.keys[:0], gifts: l.gifts[:0]}
	for i := range op.Counts {
		if op.Counts[i].Gone {
			l.keys = append(l.keys, op.Counts[i].Key)
		}
	}
	for _, g := range b.gifts {
		if g.Line == 0 && !slices.ContainsFunc(op.Gifts, func(again ledger.Gift) bool { return again.Rule == g.Rule }) {
			l.gifts = append(l.gifts, g.Rule)
		}
	}
	l.fixed = !slices.ContainsFunc(op.Rewards, func(w ledger.Reward) bool { return w.Fixed })
}

// reward is what a sale brings a member above; who that is makes no difference.
type reward struct {
	points int64
	fixed  bool
}

// unit is a line of the real sale: its quantity and what has come back of it, in
// thousandths; its price and what has come back of that, money and points, minor
// units.
type unit struct {
	id             string
	quantity, back int64
	net, netBack   int64
}

// after is the line when a record has taken of it or, with sign −1, before that.
func (l unit) after(op *ledger.Operation, sign int64) unit {
	for i := range op.Lines {
		if o := &op.Lines[i]; o.ID == l.id {
			l.back += sign * o.Quantity
			l.netBack += sign * (o.Amount - o.Discount)
		}
	}
	return l
}

// gone is what a gift of the line has lost: by the line's price, or by its
// quantity if it cost nothing.
func (l unit) gone(points int64) int64 {
	if l.net > 0 {
		return partOf(l.netBack, l.net, points)
	}
	return partOf(l.back, l.quantity, points)
}

// empty keeps the room of the lists.
func (b *beside) empty() beside {
	return beside{counts: b.counts[:0], gifts: b.gifts[:0], rewards: b.rewards[:0], units: b.units[:0], tiers: b.tiers[:0]}
}

// decided takes over what the decision says beside its figures.
func (r *replay) decided(s *sale) {
	b, d := &s.beside, &r.decision
	for _, c := range d.Counts {
		b.counts = append(b.counts, countOf(c))
	}
	for _, g := range d.Gifts {
		b.gifts = append(b.gifts, ledger.Gift{Rule: g.Rule, Part: r.lotOf(g.Lot, r.op.At), Line: uint16(g.Line)})
	}
	for _, w := range d.Rewards {
		if w.Level >= 1 && w.Level <= r.facts.Above {
			b.rewards = append(b.rewards, reward{points: w.Lot.Points, fixed: w.Fixed})
		}
	}
	for i, x := range d.Promo {
		if x.Tier != "" {
			u := &r.facts.Promos[i]
			e := r.q.Draft.PromoEntry(u.Entry)
			b.tiers = append(b.tiers, codeTier{r.keys(e.Name, e.Series, u.Coupon), r.q.Draft.PromoGives(u.Entry, r.op.At)})
		}
	}
	b.grant, b.grantUntil = d.Grant, d.GrantUntil
	b.lines(&r.op)
}

// countOf is a change of a counter as an account takes it. What is shared by
// all members is counted for this one only.
func countOf(c program.CountChange) ledger.CountChange {
	return ledger.CountChange{Count: ledger.Count(c.Count), Set: c.Set, Line: uint16(c.Line)}
}

// recorded takes over what a real record says beside its figures.
func (r *replay) recorded(b *beside) {
	op := &r.op
	b.counts = append(b.counts, op.Counts...)
	b.gifts = append(b.gifts, ownGifts(op)...)
	for _, w := range op.Rewards {
		b.rewards = append(b.rewards, reward{points: w.Part.Points, fixed: w.Fixed})
	}
	for _, t := range r.shop.Tiers(op, nil) {
		b.tiers = append(b.tiers, codeTier{r.keys(t.Name, t.Series, t.Coupon), t.Gives})
	}
	b.grant, b.grantUntil = strings.Clone(op.Grant), op.GrantUntil
	b.lines(op)
}

// lines keeps what the lines are, if something goes back with them.
func (b *beside) lines(op *ledger.Operation) {
	if !slices.ContainsFunc(b.counts, func(ch ledger.CountChange) bool { return ch.Line != 0 }) &&
		!slices.ContainsFunc(b.gifts, func(g ledger.Gift) bool { return g.Line != 0 }) {
		return
	}
	b.units = b.units[:0]
	for k := range op.Lines {
		l := &op.Lines[k]
		b.units = append(b.units, unit{id: strings.Clone(l.ID), quantity: l.Quantity, net: l.Amount - l.Discount})
	}
}

// unitOf is the line that has brought a gift; nil if it is the whole sale's.
func (b *beside) unitOf(g *ledger.Gift) *unit {
	if g.Line == 0 || int(g.Line) > len(b.units) {
		return nil
	}
	return &b.units[g.Line-1]
}

// reserved appends the counters that a hold reserves.
func (b *beside) reserved(list []ledger.CountChange) []ledger.CountChange {
	for _, ch := range b.counts {
		if !ch.Set {
			list = append(list, ch)
		}
	}
	return list
}

// rewardSum is the points of all rewards.
func (b *beside) rewardSum() (n int64) {
	for _, w := range b.rewards {
		n += w.points
	}
	return n
}

// ownGifts are a record's gifts, to be kept for longer than the record.
func ownGifts(op *ledger.Operation) []ledger.Gift {
	gifts := slices.Clone(op.Gifts)
	for i := range gifts {
		gifts[i].Rule = strings.Clone(gifts[i].Rule)
	}
	return gifts
}

// giftSum is the points of gifts.
func giftSum(gifts []ledger.Gift) (n int64) {
	for _, g := range gifts {
		n += g.Part.Points
	}
	return n
}

// taken is the other way round what a return took from counters.
func taken(counts []ledger.CountChange) (list []ledger.CountChange) {
	for _, ch := range counts {
		ch.Value = -ch.Value
		list = append(list, ch)
	}
	return list
}

// takeBeside says what a return takes back beside the figures; whole says that
// nothing is left of the sale after it. u.f are the figures that it takes, and
// are not yet in s.back.
func (s *sale) takeBeside(op *ledger.Operation, u *undo, draft *program.Program, whole bool) {
	b := &s.beside
	after := b.after(op)
	left := s.draft.payable - s.back.draft.payable
	back := s.back.real
	back.plus(figuresOf(op), -1)
	gone := !s.worth(back)
	for _, ch := range b.counts {
		if ch.Set || slices.Contains(b.lost.keys, ch.Key) {
			continue
		}
		change, byMoney := draft.Recount(ch.Key, left, left-u.f.payable)
		switch {
		case byMoney:
			ch.Value = change
		case ch.Line > 0 && int(ch.Line) <= len(b.units):
			ch.Value = -b.units[ch.Line-1].counted(ch.Value, after[ch.Line-1].back, gone, whole)
		case whole:
			ch.Value = -ch.Value
		default:
			continue
		}
		if ch.Line = 0; ch.Value != 0 {
			u.counts = append(u.counts, ch)
		}
	}
	for _, g := range b.gifts {
		l := b.unitOf(&g)
		switch {
		case slices.Contains(b.lost.gifts, g.Rule), l == nil && !whole, l != nil && gone:
			continue
		case l != nil && whole:
			g.Part.Points -= l.gone(g.Part.Points)
		case l != nil:
			g.Part.Points = after[g.Line-1].gone(g.Part.Points) - l.gone(g.Part.Points)
		}
		if g.Part.Points > 0 {
			u.gifts = append(u.gifts, g)
		}
	}
	copy(b.units, after)
	for _, w := range b.rewards {
		paid := s.back.draft.payable
		switch {
		case !w.fixed:
			u.reward += partOf(paid+u.f.payable, s.draft.payable, w.points) - partOf(paid, s.draft.payable, w.points)
		case whole && !b.lost.fixed:
			u.reward += w.points
		}
	}
}

// counted is what of a line's counter goes back: its share by quantity, or the
// rest with the whole receipt. Of a receipt that is gone, of which nothing of
// value was left before, all has been counted back.
func (l unit) counted(value, after int64, gone, whole bool) int64 {
	switch {
	case gone:
		return 0
	case whole:
		return value - partOf(l.back, l.quantity, value)
	}
	return partOf(after, l.quantity, value) - partOf(l.back, l.quantity, value)
}

// rewardAgain is what the reversal of a return gives again of the rewards,
// before its figures are out of s.back: other returns may have come between.
func (s *sale) rewardAgain(u *undo, again bool) (points int64) {
	paid := s.back.draft.payable
	for _, w := range s.beside.rewards {
		switch {
		case !w.fixed:
			points += partOf(paid, s.draft.payable, w.points) - partOf(paid-u.f.payable, s.draft.payable, w.points)
		case again && !s.beside.lost.fixed:
			points += w.points
		}
	}
	return points
}

// after are the lines when a record has taken of them.
func (b *beside) after(op *ledger.Operation) []unit {
	list := slices.Clone(b.units)
	for i := range list {
		list[i] = list[i].after(op, 1)
	}
	return list
}

// again takes back what a return that is reversed has taken of the lines.
func (b *beside) again(op *ledger.Operation) {
	for i := range b.units {
		b.units[i] = b.units[i].after(op, -1)
	}
}

func partOf(part, whole, value int64) int64 {
	if whole == 0 {
		return 0
	}
	return program.Proportion(part, whole, value)
}
