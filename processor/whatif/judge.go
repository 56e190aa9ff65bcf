package whatif

import (
	"slices"
	"time"

	"tillgate/ledger"
	"tillgate/processor/program"
	"tillgate/protocol"
)

// judge asks the draft about the receipt of a record, for the member as they
// would be at that moment. The receipt is the gross one: what the till rang up
// before any discount of ours. The figures are those of r.decision; a receipt
// that the draft would decline is sold without it.
func (r *replay) judge(m *member) figures {
	op := &r.op
	wish := r.wish(op)
	r.receipt(op, wish)
	r.know(m, op, wish)
	d := &r.decision
	program.Evaluate(r.q.Draft, &r.facts, &r.request, op.At, d)
	if !d.Code.OK() && wish > 0 {
		r.receipt(op, 0)
		program.Evaluate(r.q.Draft, &r.facts, &r.request, op.At, d)
	}
	if !d.Code.OK() {
		r.tally.guessed.Declined++
		d.Reset()
		return figures{total: op.Total, payable: op.Total}
	}
	return figures{
		total: d.Total, discount: d.Discount, redeemed: d.RedeemedMoney,
		payable: d.Payable, points: d.Redeemed, earned: d.Earned,
	}
}

// wish is how many points the member would want to spend: those they really
// spent. Where points have another worth it is as many as make the same money.
func (r *replay) wish(op *ledger.Operation) int64 {
	if op.Points == 0 || r.q.Draft.Money(op.Points) == op.Redeemed {
		return op.Points
	}
	return r.q.Draft.Price(op.Redeemed)
}

// receipt fills the request from a record.
func (r *replay) receipt(op *ledger.Operation, wish int64) {
	q := &r.request
	lines := q.Lines[:0]
	q.Terminal, q.Store, q.Cashier, q.Channel = op.Terminal, op.Store, op.Cashier, op.Channel
	q.Total, q.HasBasket = op.Total, true
	q.Caller.Merchant = r.q.Merchant // counters of promo codes go by it
	q.Redeem = protocol.Redeem{}
	q.Offline, q.Printed = op.Offline && op.Kind == ledger.KindAccrue, protocol.Printed{}
	if q.Offline && slices.ContainsFunc(op.Rules, func(x ledger.Rule) bool { return x.Name == program.RulePrinted }) {
		// The sum that stood on the receipt; what is not paid with points is money.
		q.Printed = protocol.Printed{HasPayable: true, Payable: op.Payable + op.Redeemed - r.q.Draft.Money(wish)}
	}
	if wish > 0 {
		q.Redeem = protocol.Redeem{Mode: protocol.RedeemPoints, Points: wish, Partial: true}
	}
	for i := range op.Lines {
		l := &op.Lines[i]
		lines = append(lines, protocol.Line{
			ID: l.ID, SKU: l.SKU, Category: l.Category, Quantity: l.Quantity, Price: l.Price, Amount: l.Amount,
		})
		r.shop.Describe(r.q.Merchant, &lines[i])
	}
	q.Lines = lines
}

// know fills the facts about the member and the place, as the switch does.
func (r *replay) know(m *member, op *ledger.Operation, wish int64) {
	f := &r.facts
	zone, group, partner := r.place(op)
	*f = program.Facts{
		Present:    true,
		NoRedeem:   op.Kind == ledger.KindAccrue && wish == 0,
		Agreed:     op.Target != 0, // the office has booked it, and would have
		Available:  points{a: m.draft, now: op.Time}.spendable(),
		StoreGroup: group,
		Partner:    partner,
		Zone:       zone,
		Now:        op.Time,
		Days:       f.Days[:0],
		Counts:     f.Counts[:0],
		Promos:     r.shop.Codes(op, r.q.Draft, f.Promos[:0]),
	}
	f.Identified, f.SpendByID, _ = r.shop.Promised(op)
	if f.Identified == protocol.NoIdentifier {
		// The record doesn't tell: whoever spent was allowed to.
		f.Identified, f.SpendByID = protocol.ByID, true
	}
	tellSums(f, m.draft)
	if r.q.Draft.NeedsProfile() {
		r.tellPerson(f, m)
	}
}

// place is what the directory says of the record's store; the zone is the
// draft's where it names none.
func (r *replay) place(op *ledger.Operation) (zone *time.Location, group, partner string) {
	zone, group, partner = r.shop.Store(r.q.Merchant, op.Store)
	if zone == nil {
		zone = r.q.Draft.Zone()
	}
	return zone, group, partner
}

// tellSums fills the facts that an account holds.
func tellSums(f *program.Facts, a *ledger.Account) {
	f.Registered, f.Joined, f.Above = a.Registered, a.Joined, len(a.Upline)
	f.AssignedTier, f.AssignedUntil = a.Tier, a.TierUntil
	f.Lifetime = a.Lifetime
	f.LastPurchase, f.FirstPurchase = a.LastPurchase, a.Purchases == 0
	for _, d := range a.Days {
		f.Days = append(f.Days, program.DaySum(d))
	}
	for _, c := range a.Counts {
		f.Counts = append(f.Counts, program.Count(c))
	}
}

// id is the member's account: the record's before the account is made.
func (r *replay) id(m *member) ledger.AccountID {
	if m.draft.ID != 0 {
		return m.draft.ID
	}
	return r.op.Account
}

// tellPerson fills the facts of the member's profile, which is read once.
func (r *replay) tellPerson(f *program.Facts, m *member) {
	if m.who == nil {
		m.who = &person{}
		m.who.month, m.who.day, m.who.tags = r.shop.Person(r.id(m))
	}
	f.BirthMonth, f.BirthDay, f.Tags = m.who.month, m.who.day, m.who.tags
}

// lots are the lots that a decision earns: the sale's own, and those with a
// term of their own. Points that are active at once count from the beginning
// of their day, so that a day's purchases share a lot.
func (r *replay) lots() (own ledger.LotPart, more []ledger.LotPart) {
	for i, l := range r.decision.Lots {
		if i == 0 {
			own = r.lotOf(l, r.op.At)
		} else {
			more = append(more, r.lotOf(l, r.op.At))
		}
	}
	return own, more
}

// lotOf is a lot as it is booked.
func (r *replay) lotOf(l program.EarnedLot, at int64) ledger.LotPart {
	part := ledger.LotPart{Active: l.Active, Expires: l.Expires, Points: l.Points, Own: l.Own}
	if part.Active <= at {
		part.Active = r.days.DayStart(at, r.facts.Zone)
	}
	return part
}

// rules appends the rules of a decision, with their figures.
func (r *replay) rules(list []ledger.Rule) []ledger.Rule {
	list = slices.Grow(list, len(r.decision.Rules))
	for _, x := range r.decision.Rules {
		list = append(list, ledger.Rule{Name: x.Rule, Points: x.Points, Discount: x.Discount})
	}
	return list
}
