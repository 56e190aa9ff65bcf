package processor

import (
	"slices"
	"time"

	"tillgate/ledger"
	"tillgate/processor/program"
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
	if r.Grant != nil {
		return t.decideGrant(tx, a)
	}
	if limit := t.s.o.AdjustLimit; limit > 0 && (r.Points > limit || r.Points < -limit) {
		t.stamp(&t.op, ledger.KindPark)
		t.op.Status = ledger.SaleParked.String()
		t.op.Points, t.op.Detail = r.Points, r.Reason
		t.op.Flags = append(t.op.Flags, flagSecondPerson)
		return t.record(tx)
	}
	t.purse.load(a, tx.Now())
	t.stamp(&t.op, ledger.KindAdjust)
	ok := t.adjust(&t.op, r.Points, tx.Now())
	if !ok {
		t.decision.MaxRedeem = t.purse.spendable()
		return t.decline(tx, protocol.InsufficientPoints, "points", "the member does not have as many points; an adjustment never overdraws")
	}
	t.op.Status, t.op.Detail = "adjusted", r.Reason
	return t.record(tx)
}

// grantDays is for how many days an account remembers that it has had a moment
// of a grant: two more than the reconciler may take to give it
// ([protocol.GrantLasts]).
const grantDays = int32(protocol.GrantLasts/(24*time.Hour)) + 2

// decideGrant gives a member what the programme grants to a segment. The
// account itself remembers the moment: neither a run that is made again, nor a
// key that is forgotten, nor a merge with somebody who has had it gives it twice.
func (t *Task) decideGrant(tx *ledger.Tx, a *ledger.Account) error {
	order := t.request().Grant
	v, ok := t.s.programs.of(t.request().Caller.Merchant).Number(order.Version)
	if !ok || v.Program.Grant(order.Name) == nil {
		return t.decline(tx, protocol.NotFound, "", "the programme has no such grant")
	}
	t.version = v
	key := program.GrantKey(order.Name, order.Occurrence)
	switch {
	case slices.ContainsFunc(a.Counts, func(c ledger.Count) bool { return c.Key == key }):
		return t.decline(tx, protocol.AlreadyExists, "", "the member has had it already")
	case tx.Now() > order.Occurrence+int64(protocol.GrantLasts):
		return t.decline(tx, protocol.OutsideTimeWindow, "", "the grant's moment is too long ago")
	}
	g := v.Program.Grant(order.Name)
	t.purse.load(a, tx.Now())
	t.stamp(&t.op, ledger.KindAdjust)
	op := &t.op
	op.Status, op.Detail = "adjusted", g.Reason()
	op.Points, op.Earned, op.EarnedLot = g.Points(), g.Points(), lotOf(g.Lot(tx.Now()), t.when, &t.days)
	op.Legs[ledger.LegAdjusted] = -g.Points()
	op.Rules = append(op.Rules, ledger.Rule{Name: g.Name(), Points: g.Points()})
	op.Counts = append(op.Counts, ledger.CountChange{Count: ledger.Count{
		Key: key, Value: 1, At: order.Occurrence, Until: program.LocalDay(order.Occurrence, time.UTC) + grantDays,
	}})
	t.purse.earn(op.EarnedLot)
	t.purse.settle(op)
	return t.record(tx)
}

// adjust fills a record that grants or charges points of the purse. It
// reports false, with the purse spoiled, if there are not enough.
func (t *Task) adjust(op *ledger.Operation, points, now int64) bool {
	op.Points = points
	op.Legs[ledger.LegAdjusted] = -points
	if points > 0 {
		lot := ledger.LotPart{Active: t.days.DayStart(now, t.when.zone), Points: points}
		if v, ok := t.s.programs.at(t.request().Caller.Merchant, now); ok {
			op.Program = v.Number
			lot.Expires = v.Program.LotEnd(now, t.when.zone)
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
