package processor

import (
	"tillgate/ledger"
	"tillgate/protocol"
)

// Manual grants and charges, and the merge of two members.

var _ = serve(protocol.CallAdjust, plan{
	kind: ledger.KindAdjust, keyed: true, route: routeTarget, decide: decideAdjust,
})

var _ = serve(protocol.CallMerge, plan{
	kind: ledger.KindMerge, keyed: true, claim: claimMerge, route: routeMerge, decide: decideMerge,
})

// flagSecondPerson marks a parked adjustment: another person than the one who
// asked has to book it.
const flagSecondPerson = "adjustment_needs_second_person"

// decideAdjust grants points, or charges them; a charge never overdraws. One
// above the limit waits for a second person.
func decideAdjust(t *Task, tx *ledger.Tx) error {
	a, err := t.member(tx)
	if err != nil || t.redirect != 0 {
		return err
	}
	if t.refused() {
		return t.declineRefused(tx)
	}
	r := t.request()
	t.when = t.moment(tx.Now())
	if limit := t.s.o.AdjustLimit; limit > 0 && (r.Points > limit || r.Points < -limit) {
		t.stamp(&t.op, ledger.KindPark)
		t.op.Status = ledger.SaleParked.String()
		t.op.Points, t.op.Detail = r.Points, r.Reason
		t.op.Flags = append(t.op.Flags, flagSecondPerson)
		return t.record(tx)
	}
	t.purse.load(a, tx.Now(), 0)
	t.stamp(&t.op, ledger.KindAdjust)
	ok := t.adjust(&t.op, r.Points, tx.Now())
	if !ok {
		t.decision.MaxRedeem = t.purse.spendable()
		return t.decline(tx, protocol.InsufficientPoints, "points", "the member does not have as many points; an adjustment never overdraws")
	}
	t.op.Status, t.op.Detail = "adjusted", r.Reason
	return t.record(tx)
}

// adjust fills a record that grants or charges points of the purse. It
// reports false, with the purse spoiled, if there are not enough.
func (t *Task) adjust(op *ledger.Operation, points, now int64) bool {
	op.Points = points
	op.Legs[ledger.LegAdjusted] = -points
	if points > 0 {
		lot := ledger.LotPart{Active: dayStart(now, t.when.zone), Points: points}
		if v, ok := t.s.programs.at(t.request().Caller.Merchant, now); ok {
			op.Program = v.Number
			_, lot.Expires = v.Program.LotDates(now, t.when.zone)
		}
		op.Earned, op.EarnedLot = points, lot
		t.purse.earn(lot)
	} else {
		if -points > t.purse.spendable() {
			return false
		}
		op.Pins, _ = t.purse.spend(-points, op.Pins)
	}
	t.purse.settle(op)
	return true
}

// profileClaim is the key that whoever writes another account's profile owns.
func (s *Switch) profileClaim(id string) ledger.Key { return s.ledger.Hash("profile", id) }

// claimMerge lets one merge of a merchant's members be decided at a time: two
// into each other, or three in a ring, would send points round for ever. They
// are an office's, and rare.
func claimMerge(t *Task) { t.claim.add(t.s.ledger.Hash("merge", t.request().Caller.Merchant)) }

// routeMerge finds the account that is given up and the one that takes over.
func routeMerge(t *Task) {
	r := t.request()
	id, err := ledger.ParseAccountID(r.Into)
	if err != nil {
		t.refuse(protocol.MemberNotFound, "into", "no member has this id")
		return
	}
	into, found, err := t.s.living(r.Caller.Merchant, id)
	switch {
	case err != nil:
		t.internal("an account can't be read", err)
		return
	case !found:
		t.refuse(protocol.MemberNotFound, "into", "no member has this id")
		return
	}
	t.who.second = into
	routeTarget(t)
}

// decideMerge posts everything the member has to the other and leaves an
// alias for ever: what leads to this member goes on to the other. Pending
// holds must end first: they name this account.
func decideMerge(t *Task, tx *ledger.Tx) error {
	into := t.who.second
	a, err := t.member(tx)
	if err != nil {
		return err
	}
	switch {
	case t.refused():
		return t.declineRefused(tx)
	case t.redirect != 0:
		t.redirect = 0
		return t.decline(tx, protocol.AlreadyExists, "", "the member has been merged already")
	case into == a.ID:
		return t.decline(tx, protocol.InvalidRequest, "into", "is the member itself")
	case len(a.Holds) > 0:
		t.refuse(protocol.Unavailable, "", "the member has a pending authorization; confirm or void it, or wait until it ends")
		return nil
	}
	t.when = t.moment(tx.Now())
	t.stamp(&t.op, ledger.KindMerge)
	t.op.Status, t.op.Into, t.op.Detail = "merged", into, t.request().Reason
	out := ledger.Transfer{To: into, Spent: spentOf(a)}
	for _, l := range a.Lots {
		out.Parts = append(out.Parts, l)
		t.op.Legs[ledger.LegTransit] += l.Points
		l.Points = -l.Points
		t.op.Lots = append(t.op.Lots, l)
	}
	if a.Deficit < 0 {
		out.Parts = append(out.Parts, ledger.LotPart{Points: a.Deficit})
		t.op.Legs[ledger.LegTransit] += a.Deficit
		t.op.Owed = -a.Deficit
	}
	t.op.Transfers = append(t.op.Transfers, out)
	if err := t.record(tx); err != nil {
		return err
	}
	return tx.EndCode(t.who.account) // it would be used up where the other lives
}

// spentOf are an account's sums by day. What is older than the days that are
// kept goes along under the first day there is, for the lifetime sum.
func spentOf(a *ledger.Account) []ledger.DaySum {
	rest := a.Lifetime
	for _, d := range a.Days {
		rest -= d.Spent
	}
	var list []ledger.DaySum
	if rest != 0 {
		list = append(list, ledger.DaySum{Spent: rest})
	}
	return append(list, a.Days...)
}
