package processor

import (
	"tillgate/ledger"
	"tillgate/processor/program"
)

// What a sale does beside its figures, and how returns take it back: gifts go
// back with the whole receipt, rewards in proportion to the money that comes
// back, counters with their line or with the whole receipt.

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
	if whole {
		op.Gifts = append(op.Gifts, s.Gifts...)
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
	after := l.Back.Quantity
	for i := range op.Lines {
		if op.Lines[i].ID == l.ID {
			after += op.Lines[i].Quantity
		}
	}
	return share(after, l.Quantity, ch.Value) - share(l.Back.Quantity, l.Quantity, ch.Value)
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
		missing += t.purse.takeBack(g.Part, g.Part.Points)
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
