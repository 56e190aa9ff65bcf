package whatif

import (
	"slices"

	"tillgate/ledger"
	"tillgate/processor/program"
)

// beside is what a sale does beside its figures: counters, gifts, rewards for
// the members above, a tier. Gifts go back with the whole receipt, rewards in
// proportion to the money, counters with their line or the whole receipt.
type beside struct {
	counts     []ledger.CountChange
	gifts      []ledger.Gift
	rewards    []reward
	units      []unit // of the lines, if some counter belongs to one
	grant      string
	grantUntil int64
	lost       lost
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
		if !slices.ContainsFunc(op.Gifts, func(again ledger.Gift) bool { return again.Rule == g.Rule }) {
			l.gifts = append(l.gifts, g.Rule)
		}
	}
	l.fixed = !slices.ContainsFunc(op.Rewards, func(w ledger.Reward) bool { return w.Fixed })
}

// given are the gifts that the sale has.
func (b *beside) given() (list []ledger.Gift) {
	for _, g := range b.gifts {
		if !slices.Contains(b.lost.gifts, g.Rule) {
			list = append(list, g)
		}
	}
	return list
}

// reward is what a sale brings a member above; who that is makes no difference.
type reward struct {
	points int64
	fixed  bool
}

// unit is a line of the sale: its quantity and what has come back of it, in
// thousandths.
type unit struct {
	id             string
	quantity, back int64
}

// empty keeps the room of the lists.
func (b *beside) empty() beside {
	return beside{counts: b.counts[:0], gifts: b.gifts[:0], rewards: b.rewards[:0], units: b.units[:0]}
}

// decided takes over what the decision says beside its figures.
func (r *replay) decided(s *sale) {
	b, d := &s.beside, &r.decision
	for _, c := range d.Counts {
		b.counts = append(b.counts, countOf(c))
	}
	for _, g := range d.Gifts {
		b.gifts = append(b.gifts, ledger.Gift{Rule: g.Rule, Part: lotOf(g.Lot, r.op.At, r.facts.Zone)})
	}
	for _, w := range d.Rewards {
		if w.Level >= 1 && w.Level <= r.facts.Above {
			b.rewards = append(b.rewards, reward{points: w.Lot.Points, fixed: w.Fixed})
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
func (b *beside) recorded(op *ledger.Operation) {
	b.counts = append(b.counts, op.Counts...)
	b.gifts = append(b.gifts, op.Gifts...)
	for _, w := range op.Rewards {
		b.rewards = append(b.rewards, reward{points: w.Part.Points, fixed: w.Fixed})
	}
	b.grant, b.grantUntil = op.Grant, op.GrantUntil
	b.lines(op)
}

// lines keeps the quantities of the lines, if counters go back with them.
func (b *beside) lines(op *ledger.Operation) {
	for i := range b.counts {
		if b.counts[i].Line == 0 {
			continue
		}
		for k := range op.Lines {
			b.units = append(b.units, unit{id: op.Lines[k].ID, quantity: op.Lines[k].Quantity})
		}
		return
	}
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
			ch.Value = -b.units[ch.Line-1].counted(ch.Value, after[ch.Line-1], gone, whole)
		case whole:
			ch.Value = -ch.Value
		default:
			continue
		}
		if ch.Line = 0; ch.Value != 0 {
			u.counts = append(u.counts, ch)
		}
	}
	for i := range b.units {
		b.units[i].back = after[i]
	}
	if whole {
		u.gifts = append(u.gifts, b.given()...)
	}
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
func (l *unit) counted(value, after int64, gone, whole bool) int64 {
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

// after is what will have come back of each line.
func (b *beside) after(op *ledger.Operation) []int64 {
	if len(b.units) == 0 {
		return nil
	}
	list := make([]int64, len(b.units))
	for i := range b.units {
		list[i] = b.units[i].back
		for k := range op.Lines {
			if op.Lines[k].ID == b.units[i].id {
				list[i] += op.Lines[k].Quantity
			}
		}
	}
	return list
}

// again takes the quantities of a return back that is reversed.
func (b *beside) again(op *ledger.Operation) {
	for i := range b.units {
		for k := range op.Lines {
			if op.Lines[k].ID == b.units[i].id {
				b.units[i].back -= op.Lines[k].Quantity
			}
		}
	}
}

func partOf(part, whole, value int64) int64 {
	if whole == 0 {
		return 0
	}
	return program.Proportion(part, whole, value)
}
