package processor

import (
	"tillgate/ledger"
	"tillgate/processor/program"
	"tillgate/protocol"
)

// flags that a record carries for the office, one word each: reports count
// them.
const (
	flagReceiptSeen     = "receipt_seen_before"
	flagRedeemedDiffers = "redeemed_differs"
	flagPayableDiffers  = "payable_differs"
	flagTotalDiffers    = "total_differs"
	flagLateConfirm     = "late_confirm"
	flagDeficit         = "booked_as_deficit"
	flagLapsed          = "points_had_lapsed"
	flagNoSale          = "returns_without_sale"
)

// choose takes the programme in force at the moment that is decided.
func (t *Task) choose() bool {
	v, ok := t.s.programs.at(t.request().Caller.Merchant, t.when.at)
	if !ok {
		t.refuse(protocol.Unavailable, "", "no loyalty programme is published yet")
		return false
	}
	t.version = v
	return true
}

// otherMoney reports whether the request says that it counts in another
// currency than the programme: its sums are none of the programme's then. A
// request without a currency means the programme's.
func (t *Task) otherMoney() bool {
	c := t.request().ISO.Currency
	return c != "" && t.version.Program != nil && c != t.version.Program.CurrencyNumber()
}

// refuseMoney refuses a request in another currency, as malformed; field is
// the one that says so.
func (t *Task) refuseMoney(field string) {
	p := t.version.Program
	t.refuse(protocol.InvalidRequest, field, "the programme counts in "+p.Currency()+", number "+p.CurrencyNumber())
}

// know fills the facts of a decision about an account; nil is a member who
// would be made.
func (t *Task) know(a *ledger.Account, kind protocol.IdentifierKind, spendByID bool) {
	r := t.request()
	f := &t.facts
	*f = program.Facts{
		Present:       true,
		Identified:    kind,
		SpendByID:     spendByID,
		FirstPurchase: true,
		Zone:          t.when.zone,
		Now:           t.when.now,
		CardType:      t.who.link.Type,
		StoreGroup:    r.StoreGroup,
		Days:          f.Days[:0],
		Counts:        f.Counts[:0],
		Promos:        f.Promos[:0],
	}
	if s := t.s.directories.of(r.Caller.Merchant).stores[r.Store]; s != nil {
		f.StoreGroup, f.Partner = s.Group, s.Partner
	}
	if a == nil {
		return
	}
	f.Available = t.purse.spendable()
	tellSums(f, a)
}

// spendsByID reports whether the caller may spend by a member's id: a shop
// that has logged the member in, or a server without keys.
func spendsByID(r *protocol.Request) bool {
	return r.Edge == protocol.EdgeHTTP && (r.Caller.Role == protocol.RoleCheckout || r.Caller.Role == protocol.RoleAny)
}

// figures copies a decision into a record.
func (t *Task) figures(op *ledger.Operation) {
	d, r := &t.decision, t.request()
	op.Code = uint8(d.Code)
	op.Total, op.Discount, op.Redeemed, op.Payable = d.Total, d.Discount, d.RedeemedMoney, d.Payable
	op.Points, op.Earned, op.MaxRedeem = d.Redeemed, d.Earned, d.MaxRedeem
	op.Asked = r.Redeem.Points
	op.Tier, op.NextTier, op.NextMissing = d.Tier, d.NextTier, d.NextMissing
	for i := range d.Lines {
		l := &d.Lines[i]
		op.Lines = append(op.Lines, ledger.Line{
			ID: l.ID, SKU: r.Lines[i].SKU, Category: r.Lines[i].Category,
			Quantity: l.Quantity, Price: r.Lines[i].Price, Amount: l.Amount,
			Discount: l.Discount, Redeemed: l.Redeemed, Points: d.LinePoints[i], Earned: l.Earned,
		})
	}
	for _, x := range d.Rules {
		op.Rules = append(op.Rules, ledger.Rule{Name: x.Rule, Points: x.Points, Discount: x.Discount})
	}
	for _, h := range d.Hints {
		op.Hints = append(op.Hints, ledger.Hint{Rule: h.Rule, Gives: h.Gives, Missing: h.Missing})
	}
	if t.when.moved {
		op.Warnings = append(op.Warnings, warnMoved)
	}
	op.Warnings = append(op.Warnings, d.Warnings...)
	if t.dups.seen {
		op.Flags = append(op.Flags, flagReceiptSeen)
	}
	op.Flags = append(append(op.Flags, t.flags...), d.Flags...)
	t.beside(op)
	t.said.take(d, t.version.Program, t.facts.Promos, r.Explain)
	t.more = t.more[:0]
	for i, l := range d.Lots {
		if i == 0 {
			op.EarnedLot = lotOf(l, t.when, &t.days)
		} else {
			t.more = append(t.more, lotOf(l, t.when, &t.days))
		}
	}
}

// beside copies what a decision does beside its figures: counters, gifts,
// rewards for those above the member, a tier.
func (t *Task) beside(op *ledger.Operation) {
	d := &t.decision
	for _, c := range d.Counts {
		op.Counts = append(op.Counts, countOf(c))
	}
	for _, g := range d.Gifts {
		op.Gifts = append(op.Gifts, ledger.Gift{Rule: g.Rule, Part: lotOf(g.Lot, t.when, &t.days), Line: uint16(g.Line)})
	}
	for _, w := range d.Rewards {
		if w.Level >= 1 && w.Level <= len(t.upline) {
			op.Rewards = append(op.Rewards, ledger.Reward{
				To: t.upline[w.Level-1], Rule: w.Rule, Part: lotOf(w.Lot, t.when, &t.days), Fixed: w.Fixed,
			})
		}
	}
	op.Grant, op.GrantUntil = d.Grant, d.GrantUntil
}

// lotOf is a lot as it is booked. Points that are active at once count from
// the beginning of their day, so that a day's purchases share a lot.
func lotOf(l program.EarnedLot, m moment, days *program.Almanac) ledger.LotPart {
	part := ledger.LotPart{Active: l.Active, Expires: l.Expires, Points: l.Points, Own: l.Own}
	if part.Active <= m.at {
		part.Active = days.DayStart(m.at, m.zone)
	}
	return part
}
