package processor

import (
	"tillgate/ledger"
	"tillgate/processor/program"
)

// What a sale does beside its figures, and how returns take it back: gifts and
// counters go back with their line or with the whole receipt, rewards in
// proportion to the money that comes back.

// sellGifts gives what events and promo codes give with a purchase.
func (t *Task) sellGifts(op *ledger.Operation) {
	for i := range op.Gifts {
		t.purse.earn(op.Gifts[i].Part)
		op.Legs[ledger.LegIssued] -= op.Gifts[i].Part.Points
	}
}

// takeBeside fills what a return or a reversal, whose figures stand in op,
// takes back of what the sale did beside its figures: counters, gifts and
// rewards. whole says that nothing is left of the sale after it.
func takeBeside(s *ledger.Sale, op *ledger.Operation, prog *program.Program, whole bool) {
	left := s.Payable - s.Back.Payable
	for i := range s.Counts {
		ch := s.Counts[i]
		if ch.Set || broughtBy(s.Rewards, ch.Key) {
			continue // what a reward has brought goes with the reward
		}
		change, byMoney := prog.Recount(ch.Key, left, left-op.Payable)
		if !byMoney {
			change = -countBack(s, op, &ch, whole)
		}
		if ch.Value = change; ch.Value != 0 {
			ch.Line = 0
			op.Counts = append(op.Counts, ch)
		}
	}
	for i := range s.Gifts {
		g := s.Gifts[i]
		if g.Part.Points = giftBack(s, op, &g, whole); g.Part.Points > 0 {
			op.Gifts = append(op.Gifts, g)
		}
	}
	for i := range s.Rewards {
		w := s.Rewards[i]
		if w.Part.Points = rewardBack(s, op, &w, whole); w.Part.Points != 0 {
			op.Rewards = append(op.Rewards, w)
		}
	}
	reward(op, -1)
	forgiving := prog.Deficit() == program.DeficitForgive
	for i := range op.Transfers {
		op.Transfers[i].Forgive = forgiving
	}
}

// countBack is what goes back to a counter: of a line its share by quantity,
// along the same curve as everything else of the line, or with the whole
// receipt, if that comes back by its amount; else all of it with the whole
// receipt.
func countBack(s *ledger.Sale, op *ledger.Operation, ch *ledger.CountChange, whole bool) int64 {
	if ch.Line == 0 || int(ch.Line) > len(s.Lines) {
		if whole {
			return ch.Value
		}
		return 0
	}
	l := &s.Lines[ch.Line-1]
	switch {
	case !worth(s, s.Back):
		return 0 // it was counted back with all that was paid
	case whole:
		return ch.Value - share(l.Back.Quantity, l.Quantity, ch.Value)
	}
	after := lineAfter(l, op, 1).Quantity
	return share(after, l.Quantity, ch.Value) - share(l.Back.Quantity, l.Quantity, ch.Value)
}

// giftBack is what a gift loses: that of a line its share by what has come back
// of the line's price, or the rest with the whole receipt, if that comes back by
// its amount; any other all of it with the whole receipt.
func giftBack(s *ledger.Sale, op *ledger.Operation, g *ledger.Gift, whole bool) int64 {
	l := lineOf(s, g)
	switch {
	case l == nil && whole:
		return g.Part.Points
	case l == nil || !worth(s, s.Back):
		return 0
	case whole:
		return g.Part.Points - giftGone(l, l.Back, g)
	}
	return giftGone(l, lineAfter(l, op, 1), g) - giftGone(l, l.Back, g)
}

// lineOf is the line that has brought a gift; nil if it is the whole sale's.
func lineOf(s *ledger.Sale, g *ledger.Gift) *ledger.SaleLine {
	if g.Line == 0 || int(g.Line) > len(s.Lines) {
		return nil
	}
	return &s.Lines[g.Line-1]
}

// giftGone is what a line's gift has lost when back has come back of the line:
// by its price, or by its quantity if it cost nothing.
func giftGone(l *ledger.SaleLine, back taking, g *ledger.Gift) int64 {
	if of := net(l); of > 0 {
		return share(back.Payable+back.Redeemed, of, g.Part.Points)
	}
	return share(back.Quantity, l.Quantity, g.Part.Points)
}

// lineAfter is what has come back of a line after op or, with sign −1, before
// it.
func lineAfter(l *ledger.SaleLine, op *ledger.Operation, sign int64) taking {
	back := l.Back
	for i := range op.Lines {
		if o := &op.Lines[i]; o.ID == l.ID {
			back.Quantity += sign * o.Quantity
			back.Payable += sign * (o.Amount - o.Discount - o.Redeemed)
			back.Redeemed += sign * o.Redeemed
		}
	}
	return back
}

// rewardBack is what a reward loses: in proportion to the money that comes
// back; a fixed one only with the whole receipt.
func rewardBack(s *ledger.Sale, op *ledger.Operation, w *ledger.Reward, whole bool) int64 {
	if w.Fixed {
		if whole {
			return w.Part.Points
		}
		return 0
	}
	back := s.Back.Payable
	return share(back+op.Payable, s.Payable, w.Part.Points) - share(back, s.Payable, w.Part.Points)
}

func share(part, of, value int64) int64 {
	if of == 0 {
		return 0
	}
	return program.Proportion(part, of, value)
}

// takeGifts takes op's gifts from the account; what is not there any more is
// returned.
func (t *Task) takeGifts(op *ledger.Operation) (missing int64) {
	for i := range op.Gifts {
		g := &op.Gifts[i]
		missing += t.purse.takeBack(g.Part)
		op.Legs[ledger.LegIssued] += g.Part.Points
	}
	return missing
}

// travelling splits the changes of counters of a record about a merged
// account: its own counters live on in the other account, what is shared is
// counted where it was.
func travelling(op *ledger.Operation) (travel []ledger.CountChange) {
	stay := op.Counts[:0]
	for _, ch := range op.Counts {
		if !ch.Apart {
			own := ch
			own.Shared = false
			travel = append(travel, own)
		}
		if ch.Shared {
			stay = append(stay, ch)
		}
	}
	op.Counts = stay
	return travel
}

// unreserve takes what a hold has reserved out of the facts: what is decided
// anew takes its place.
func (t *Task) unreserve(reserved []ledger.CountChange) {
	for _, ch := range reserved {
		for i := range t.facts.Counts {
			if c := &t.facts.Counts[i]; c.Key == ch.Key && c.Bucket == ch.Bucket {
				c.Value = max(c.Value-ch.Value, 0)
			}
		}
	}
}
