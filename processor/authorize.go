package processor

import (
	"fmt"

	"tillgate/ledger"
	"tillgate/processor/program"
	"tillgate/protocol"
)

var (
	_ = serve(protocol.CallQuote, plan{route: (*Task).identify, decide: (*Task).quote})
	_ = serve(protocol.CallAuthorize, plan{
		kind: ledger.KindAuthorize, keyed: true,
		claim: (*Task).claimSale, route: (*Task).identify, decide: (*Task).authorize, complete: (*Task).tellSale,
	})
	_ = serve(protocol.CallAmend, plan{
		kind: ledger.KindAmend, keyed: true,
		claim: (*Task).fetchHold, route: (*Task).routeHold, decide: (*Task).amend, complete: (*Task).tellSale,
	})
)

// claimSale owns what a new sale may make: a member and a receipt.
func (t *Task) claimSale() {
	t.claimMember()
	t.claimReceipt()
}

// judge evaluates the request for the member it names, on the shard. It
// reports whether the decision stands; if not, the answer is complete.
func (t *Task) judge(tx *ledger.Tx, narrow func(*program.Facts)) (bool, error) {
	a, err := t.member(tx)
	if err != nil || t.redirect != 0 {
		return false, err
	}
	t.when = t.moment(tx.Now())
	switch {
	case t.refused():
	case t.when.early && t.parked == 0:
		t.refuse(protocol.OutsideTimeWindow, "at", "the receipt is older than the programme lets it be, or lies in the future")
	default:
		_ = t.barred(tx.Now()) || t.choose()
	}
	if !t.refused() && t.otherMoney() {
		if t.request().ISO.Advice {
			return false, t.parkDeclined(tx, becauseMoney)
		}
		t.refuseMoney("currency")
	}
	if t.refused() {
		return false, t.declineRefused(tx)
	}
	t.purse.load(a, tx.Now())
	r := t.request()
	t.know(a, r.Member.Kind, spendsByID(r))
	if err := t.knowPerson(tx, a); err != nil {
		return false, err
	}
	if err := t.knowGuard(r.Member.Kind); err != nil {
		return false, err
	}
	if narrow != nil {
		narrow(&t.facts)
	}
	if err := t.knowPromos(tx, r.PromoCodes); err != nil {
		return false, err
	}
	return t.evaluate(tx)
}

// evaluate asks the programme.
func (t *Task) evaluate(tx *ledger.Tx) (bool, error) {
	t.products()
	d := &t.decision
	program.Evaluate(t.version.Program, &t.facts, t.request(), t.when.at, d)
	if !d.Code.OK() {
		return false, t.decline(tx, d.Code, orElse(d.Field, declineField(d.Code)), d.Detail)
	}
	return true, nil
}

// declineField is the request's field that a decline of the programme means.
func declineField(c protocol.Code) string {
	switch c {
	case protocol.InsufficientPoints, protocol.RedeemNotAllowed:
		return fieldPoints
	case protocol.IdentificationTooWeak:
		return "member"
	case protocol.InvalidAmount, protocol.InvalidRequest:
		return "basket"
	}
	return ""
}

// declineRefused declines with what refuse has noted.
func (t *Task) declineRefused(tx *ledger.Tx) error {
	return t.decline(tx, t.refusal.code, t.refusal.field, t.refusal.detail)
}

// authorize holds points and fixes the price.
func (t *Task) authorize(tx *ledger.Tx) error {
	ok, err := t.judge(tx, nil)
	if !ok {
		return err
	}
	if !t.who.fresh {
		if a, err := tx.Account(t.who.account); err != nil {
			return err
		} else if len(a.Holds) >= t.s.o.HoldsPerMember {
			return t.decline(tx, protocol.LimitExceededCount, "", "the member has too many holds open")
		}
	}
	if err := t.enrol(tx); err != nil {
		return err
	}
	t.stamp(&t.op, ledger.KindAuthorize)
	t.hold(ledger.HoldSelf)
	t.op.HoldUntil = tx.Now() + t.decision.HoldSeconds*1e9
	if err := t.watch(tx, &t.op, nil); err != nil {
		return err
	}
	return t.record(tx)
}

// hold fills a record that pins points: its figures, what it takes and what it
// keeps for the confirm.
func (t *Task) hold(id ledger.OpID) {
	t.figures(&t.op)
	t.op.Status = ledger.SalePending.String()
	t.op.Registered = t.facts.Registered
	t.op.Hold = id
	t.op.Pins, _ = t.purse.spend(t.decision.Redeemed, t.op.Pins)
	t.purse.settle(&t.op)
	t.op.Data = appendHoldData(t.op.Data, &holdData{
		kind: t.facts.Identified, spendByID: t.facts.SpendByID,
		card: t.facts.Card, cardType: t.facts.CardType, more: t.more, said: t.said,
		group: t.request().StoreGroup, tenders: t.tenders(),
	})
}

// tenders are the ways in which the request is paid: conditions ask for them,
// and an amendment says nothing of them.
func (t *Task) tenders() (list []string) {
	for i := range t.request().Payments {
		list = append(list, t.request().Payments[i].Tender)
	}
	return list
}

// enrol makes the provisional member of an unknown phone number, and uses up
// the one-time code that named a known one. Both stand or fall with the record
// that follows in the same batch.
func (t *Task) enrol(tx *ledger.Tx) error {
	if t.who.code != (ledger.Key{}) {
		if err := tx.DeleteCode(t.who.code); err != nil {
			return err
		}
	}
	if !t.who.fresh {
		return nil
	}
	r := t.request()
	t.stamp(&t.side, ledger.KindEnrol)
	t.side.Receipt, t.side.Shift = "", ""
	t.side.Status = "provisional"
	if _, err := tx.Append(&t.side); err != nil {
		return err
	}
	link := ledger.Link{Account: t.who.account, Kind: uint8(r.Member.Kind)}
	if err := tx.PutLink(t.who.key, link); err != nil {
		return err
	}
	plain, err := encodeProfile(&profile{Phone: normalPhone(r.Member.Value)})
	if err != nil {
		return err
	}
	return tx.PutProfile(t.who.account, plain)
}

// quote answers as authorize would, and changes nothing.
func (t *Task) quote(tx *ledger.Tx) error {
	ok, err := t.judge(tx, nil)
	if !ok {
		return err
	}
	t.stamp(&t.op, ledger.KindAuthorize)
	t.hold(ledger.HoldSelf)
	t.op.Program = t.version.Number
	t.op.Time = tx.Now()
	t.op.HoldUntil = tx.Now() + t.decision.HoldSeconds*1e9
	t.op.Status = "quote"
	if err := t.watch(tx, &t.op, nil); err != nil {
		return err
	}
	if t.who.fresh {
		t.op.Account = 0
	} else {
		a, err := tx.Account(t.who.account)
		if err != nil {
			return err
		}
		t.op.After = a.Balance()
		t.op.After.Available -= t.op.Points
		t.op.After.Held += t.op.Points
	}
	res := t.response()
	render(&t.op, res)
	res.Call, res.Created = protocol.CallQuote, false
	t.tellSale()
	if !t.who.fresh {
		res.Member.Name = t.name(tx)
	}
	return nil
}

// tellSale puts into the answer of a sale what its record doesn't hold and the
// request, which a repeat is alike to, does: the card, and what became of promo codes.
func (t *Task) tellSale() {
	if m := &t.request().Member; m.Kind == protocol.ByCard && t.op.Render >= 2 {
		t.response().Member.Card = m.Value
	}
	t.tellPromos()
}

// name is the member's name for a quote's slip; "" where none is known.
func (t *Task) name(tx *ledger.Tx) string {
	plain, err := tx.Profile(t.who.account)
	if err != nil || len(plain) == 0 {
		return ""
	}
	p, err := decodeProfile(plain)
	if err != nil {
		t.s.o.Logger.Error("a profile can't be read", "account", t.who.account, "cause", err)
		return ""
	}
	return p.Name
}

// amend gives a pending hold another basket, under the programme and the
// identification of its authorization.
func (t *Task) amend(tx *ledger.Tx) error {
	a, h, err := t.pending(tx)
	if err != nil || t.redirect != 0 {
		return err
	}
	if h == nil {
		return t.declineRefused(tx)
	}
	if err := read(tx, h.Op, &t.other); err != nil {
		return err
	}
	var kept holdData
	if err := decodeHoldData(t.other.Data, &kept); err != nil {
		return err
	}
	if err := t.resumeOf(&t.other, tx.Now()); err != nil {
		return err
	}
	t.where(&t.other)
	t.paidAs(&kept)
	if t.barred(tx.Now()) {
		return t.declineRefused(tx)
	}
	pins, until := h.Pins, h.Until
	t.purse.load(a, tx.Now())
	for _, p := range pins {
		t.purse.give(p)
	}
	t.know(a, kept.kind, kept.spendByID)
	if err := t.knowPerson(tx, a); err != nil {
		return err
	}
	if err := t.knowGuard(kept.kind); err != nil {
		return err
	}
	t.facts.Card, t.facts.CardType = kept.card, kept.cardType
	t.unreserve(h.Counts)
	if err := t.keepPromos(tx, kept.said.promos); err != nil {
		return err
	}
	if ok, err := t.evaluate(tx); !ok {
		return err
	}
	t.stamp(&t.op, ledger.KindAmend)
	t.op.Program, t.op.Parent = t.version.Number, t.otherID
	t.inherit(&t.op, &t.other)
	t.op.Drop, t.op.HoldUntil = t.otherID, until
	t.hold(t.otherID)
	if err := t.watch(tx, &t.op, h.Counts); err != nil {
		return err
	}
	return t.record(tx)
}

// where fills what an amendment leaves out of where it happens: rules and the
// guard ask for it as they did when the receipt was first judged.
func (t *Task) where(from *ledger.Operation) {
	r := t.request()
	r.Terminal, r.Store = orElse(r.Terminal, from.Terminal), orElse(r.Store, from.Store)
	r.Cashier, r.Channel = orElse(r.Cashier, from.Cashier), orElse(r.Channel, from.Channel)
}

// paidAs fills what an amendment leaves out of how the receipt is paid, and of
// the store's group.
func (t *Task) paidAs(kept *holdData) {
	r := t.request()
	r.StoreGroup = orElse(r.StoreGroup, kept.group)
	if len(r.Payments) > 0 {
		return
	}
	for _, name := range kept.tenders {
		r.Payments = append(r.Payments, protocol.Payment{Tender: name})
	}
}

// resumeOf takes the moment and the programme of an earlier record: what was
// fixed there is not decided anew.
func (t *Task) resumeOf(op *ledger.Operation, now int64) error {
	t.when = moment{now: now, at: op.At, offset: op.Offset, zone: t.zoneOf(op.Store)}
	v, ok := t.s.programs.number(op.Merchant, op.Program, op.At)
	if !ok {
		return errNoProgram
	}
	t.version = v
	return nil
}

// read reads a record that must be there.
func read(tx *ledger.Tx, id ledger.OpID, op *ledger.Operation) error {
	found, err := tx.Operation(id, op)
	if !found {
		return missing(id, err)
	}
	return nil
}

// missing is the error for a record that should be there.
func missing(id ledger.OpID, err error) error {
	if err == nil {
		err = fmt.Errorf("the record %s is gone", id)
	}
	return err
}

// inherit fills what a later request about a hold or sale leaves out.
func (t *Task) inherit(op, from *ledger.Operation) {
	op.Account = from.Account
	op.Registered = from.Registered
	op.Terminal = orElse(op.Terminal, from.Terminal)
	op.Store = orElse(op.Store, from.Store)
	op.Cashier = orElse(op.Cashier, from.Cashier)
	op.Channel = orElse(op.Channel, from.Channel)
	if op.Receipt == "" {
		op.Receipt, op.Shift = from.Receipt, orElse(op.Shift, from.Shift)
	}
}
