package processor

import (
	"slices"

	"tillgate/ledger"
	"tillgate/processor/program"
)

// What a merge leaves behind: tiers that come along, and sales of a member who
// was merged that come back. The account that was given up remembers the tier
// as it was; what a return does to that is told to where the member lives.

// undoMerged fills the effects on a sale whose account was merged into another:
// everything travels on to where the member lives now. earned are the parts of
// the sale's own lots that it takes away.
func (t *Task) undoMerged(a *ledger.Account, s *ledger.Sale, op *ledger.Operation, earned []ledger.LotPart, whole bool) {
	prog := t.version.Program
	tr := ledger.Transfer{
		To: a.Into, Spent: []ledger.DaySum{{Day: s.Day, Spent: -op.Payable}},
		Forgive:  prog.Deficit() == program.DeficitForgive,
		Standing: ledger.Standing{Back: true, Whole: whole, At: s.At, Offset: op.Offset, Program: s.Program},
	}
	if op.Grant != "" {
		tr.Standing.Tier, tr.Standing.Was, tr.Standing.Until = a.Tier, a.TierUntil, op.GrantUntil
	}
	if n := t.unpin(s, op); n > 0 {
		tr.Parts = append(tr.Parts, owedPart(s, n, t.when.now))
	}
	for _, part := range op.Pins {
		if part.Expires != 0 && part.Expires <= t.when.now {
			part.Expires = max(prog.GraceUntil(t.when.now, t.when.zone), part.Expires)
		}
		tr.Parts = append(tr.Parts, part)
	}
	take := func(part ledger.LotPart, points int64) {
		if part.Points = -points; points > 0 {
			tr.Parts = append(tr.Parts, part)
		}
	}
	for _, part := range earned {
		take(part, part.Points)
	}
	for i := range op.Gifts {
		take(op.Gifts[i].Part, op.Gifts[i].Part.Points)
		op.Legs[ledger.LegIssued] += op.Gifts[i].Part.Points
	}
	tr.Counts = travelling(op)
	op.Legs[ledger.LegTransit] += sum(tr.Parts)
	op.Transfers = append(op.Transfers, tr)
	t.tellHeir(op, &tr)
	op.Legs[ledger.LegIssued] += op.Earned
	op.Legs[ledger.LegRedeemed] -= op.Points
}

// arrive is the ledger's [ledger.Arrival]: the tier that a member brings into a
// merge, and what a return of an old sale does to it.
func (s *Switch) arrive(tx *ledger.Tx, a *ledger.Account, tr *ledger.Transfer, op *ledger.Operation) error {
	v, ok := s.programs.at(a.Merchant, tx.Now())
	if !ok {
		return nil
	}
	st, now := &tr.Standing, tx.Now()
	was, is := program.Assigned{Tier: a.Tier, Until: a.TierUntil}, program.Assigned{}
	if st.Back {
		is = s.cutBack(a, tr, op, now)
		s.monthOf(a, v.Program, op, now)
	} else {
		var keep program.CountChange
		var kept bool
		is, keep, kept = v.Program.Join(was, program.Assigned{Tier: st.Tier, Until: st.Until}, now)
		if kept {
			change := countOf(keep)
			change.Set, change.Raise = false, true // beside what has come along
			op.Counts = append(op.Counts, change)
		}
	}
	if is != was {
		op.Grant, op.GrantUntil = is.Tier, is.Until
	}
	return nil
}

// cutBack is what is left of the member's assigned tier when an old sale comes
// back. The one that had come along is found again by its end, as the tier or
// as what stands below it; where units were bought since, the returned ones are
// taken off the end.
func (s *Switch) cutBack(a *ledger.Account, tr *ledger.Transfer, op *ledger.Operation, now int64) program.Assigned {
	is, st := program.Assigned{Tier: a.Tier, Until: a.TierUntil}, &tr.Standing
	if st.Tier != "" && is.Tier == st.Tier && is.Until == st.Was {
		is.Until = st.Until
		return is
	}
	v, ok := s.programs.number(a.Merchant, st.Program, st.At)
	if !ok {
		return is
	}
	if floor, found := v.Program.Floor(program.Assigned{Tier: st.Tier, Until: st.Was}); found && holdsFloor(a, floor) {
		cut := floor
		if cut.Value = 0; st.Until > now { // else it is over
			cut, _ = v.Program.Floor(program.Assigned{Tier: st.Tier, Until: st.Until})
		}
		op.Counts = append(op.Counts, ledger.CountChange{Count: ledger.Count(cut), Set: true})
		return is
	}
	for i := range tr.Counts {
		// Where the old account has not lost its own tier, the unit was kept below
		// it, or is long over.
		if ch := &tr.Counts[i]; !ch.Set && ch.Value < 0 && (st.Tier != "" || v.Program.Lasts(ch.Key, st.At, now)) {
			var below program.CountChange
			var changed bool
			if is, below, changed = v.Program.Bought(is, keptBy(op, a.Counts), ch.Key, ch.Value, st.At, now); changed {
				op.Counts = append(op.Counts, countOf(below))
			}
		}
	}
	return is
}

func holdsFloor(a *ledger.Account, floor program.Count) bool {
	return slices.ContainsFunc(a.Counts, func(c ledger.Count) bool { return c.Key == floor.Key && c.At == floor.At })
}

// monthOf notes the sum with which the month began before a return changes it.
func (s *Switch) monthOf(a *ledger.Account, p *program.Program, op *ledger.Operation, now int64) {
	if !p.Monthly() {
		return
	}
	f := program.Facts{}
	tellSums(&f, a)
	for _, c := range p.Month(&f, now, nil) {
		op.Counts = append(op.Counts, countOf(c))
	}
}
