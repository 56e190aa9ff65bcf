package processor

import (
	"tillgate/ledger"
	"tillgate/processor/program"
	"tillgate/protocol"
)

var (
	_ = serve(protocol.CallGetAuthorization, plan{
		claim: (*Task).fetchHold, route: (*Task).routeLookup, decide: (*Task).lookUp,
	})
	_ = serve(protocol.CallBalance, plan{route: (*Task).routeBalance, decide: (*Task).balance})
)

// routeLookup goes to the partition of an authorization or sale.
func (t *Task) routeLookup() {
	if t.otherID == 0 || t.other.Declined() {
		t.refuse(protocol.NotFound, "", "there is no such authorization")
		return
	}
	t.otherID = t.saleID()
	t.who.account = t.other.Account
	t.partition = t.otherID.Partition()
}

// lookUp tells the state of an authorization or sale, and what returns have
// taken of it. Its balance and slip were those of another moment and are left
// out.
func (t *Task) lookUp(tx *ledger.Tx) error {
	a, err := tx.Account(t.who.account)
	if err != nil {
		return err
	}
	sale, err := tx.Sale(t.otherID)
	if err != nil {
		return err
	}
	figures, status := ledger.OpID(0), ledger.SalePending
	switch {
	case sale != nil:
		figures, status = sale.Record, sale.Status
	case a != nil && a.Hold(t.otherID) != nil:
		figures = a.Hold(t.otherID).Op
	default:
		t.refuse(protocol.NotFound, "", "there is no such authorization")
		return nil
	}
	if found, err := tx.Operation(figures, &t.op); err != nil || !found {
		return missing(figures, err)
	}
	r := t.response()
	render(&t.op, r)
	t.tellPromos()
	r.Call, r.Created, r.Code = protocol.CallGetAuthorization, false, protocol.Approved
	r.Status = status.String()
	r.HasBalance, r.Slip, r.Warnings = false, r.Slip[:0], r.Warnings[:0]
	if sale != nil {
		b := &sale.Back
		r.Returned = protocol.Returned{Payable: b.Payable, Redeemed: b.Points, Earned: b.Earned}
	}
	return nil
}

// routeBalance finds the member by the id in the path or by the message's
// identifier.
func (t *Task) routeBalance() {
	if t.request().Target != "" {
		t.identifyBy(protocol.Identifier{Kind: protocol.ByID, Value: t.request().Target})
		return
	}
	t.identify()
	if t.who.fresh {
		t.refuse(protocol.MemberNotFound, "", "no member has this phone number")
	}
}

// balance tells what the member has, lot by lot, and the tier.
func (t *Task) balance(tx *ledger.Tx) error {
	a, err := t.member(tx)
	if err != nil || t.redirect != 0 || t.refused() {
		return err
	}
	r := t.response()
	t.when = moment{now: tx.Now(), at: tx.Now(), zone: t.zone()}
	t.when.offset = offsetAt(t.when.at, t.when.zone)
	if err := t.standing(tx, a, r); err != nil {
		return err
	}
	if t.otherMoney() {
		t.refuseMoney("currency")
		return nil
	}
	r.HasMember = true
	r.Member.ID, r.Member.Registered = a.ID.String(), a.Registered
	b := a.Balance()
	r.Balance, r.HasBalance = balanceView(b), true
	r.Posted = b.Available + b.Held
	for _, l := range a.Lots {
		r.Lots = append(r.Lots, protocol.LotView{Points: l.Points, Active: l.Active, Expires: l.Expires})
	}
	r.Time = tx.Now()
	r.At = protocol.Time{Unix: tx.Now(), Offset: t.when.offset, Set: true}
	return nil
}

// standing tells the member's tier and what is missing to the next.
func (t *Task) standing(tx *ledger.Tx, a *ledger.Account, r *protocol.Response) error {
	v, ok := t.s.programs.at(a.Merchant, t.when.at)
	if !ok {
		return nil
	}
	t.version = v
	r.ProgramVersion = v.Number
	t.purse.load(a, t.when.now)
	t.know(a, protocol.ByID, false)
	if err := t.knowPerson(tx, a); err != nil {
		return err
	}
	t.facts.NoEarn, t.facts.NoRedeem = true, true
	program.Evaluate(v.Program, &t.facts, &protocol.Request{}, t.when.at, &t.decision)
	r.Member.Tier, r.NextTier, r.NextMissing = t.decision.Tier, t.decision.NextTier, t.decision.NextMissing
	return nil
}

// tier is a member's tier at a moment, "" without tiers.
func (s *Switch) tier(a *ledger.Account, now int64) string {
	v, ok := s.programs.at(a.Merchant, now)
	if !ok {
		return ""
	}
	f := program.Facts{Present: true, NoEarn: true, NoRedeem: true, Now: now}
	tellSums(&f, a)
	var d program.Decision
	program.Evaluate(v.Program, &f, &protocol.Request{}, now, &d)
	return d.Tier
}

// balanceView is a balance as answers show it: a deficit is positive.
func balanceView(b ledger.Balance) protocol.Balance {
	return protocol.Balance{Available: b.Available, Held: b.Held, Pending: b.Pending, Deficit: -b.Deficit}
}
