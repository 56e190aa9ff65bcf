package processor

import (
	"tillgate/ledger"
	"tillgate/protocol"
)

// Manual grants and charges.

var _ = serve(protocol.CallAdjust, plan{
	kind: ledger.KindAdjust, keyed: true, route: routeTarget, decide: decideAdjust,
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
