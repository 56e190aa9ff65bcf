package processor

import (
	"tillgate/ledger"
	"tillgate/processor/program"
	"tillgate/protocol"
)

var (
	_ = serve(protocol.CallConfirm, plan{
		kind: ledger.KindConfirm, keyed: true,
		claim: (*Task).claimConfirm, route: (*Task).routeConfirm, decide: (*Task).confirm, complete: (*Task).tellSale,
	})
	_ = serve(protocol.CallVoid, plan{
		kind: ledger.KindVoid, keyed: true,
		claim: (*Task).fetchHold, route: (*Task).routeHold, decide: (*Task).void,
	})
)

func (t *Task) claimConfirm() {
	t.fetchHold()
	t.claimReceipt()
}

// fetchHold reads the authorization that the request names, before its keys
// are known: the hold's terminal is their scope where the body has none.
func (t *Task) fetchHold() {
	t.fetch(t.request().Target)
}

// fetch reads the record of an id into t.other; t.otherID stays 0 if there is
// none of this merchant.
func (t *Task) fetch(target string) {
	if id, err := ledger.ParseOpID(target); err == nil {
		t.fetchID(id)
	}
}

func (t *Task) fetchID(id ledger.OpID) {
	if id == 0 || id.Partition() >= t.s.partitions {
		return
	}
	found, err := t.s.ledger.Operation(id, &t.other)
	switch {
	case err != nil:
		t.internal("a record can't be read", err)
	case found && t.other.Merchant == t.request().Caller.Merchant:
		t.otherID = id
		return
	}
	clearOperation(&t.other)
}

// routeHold goes to the account of the hold.
func (t *Task) routeHold() {
	if t.otherID == 0 || t.other.Kind != ledger.KindAuthorize || t.other.Code != 0 && !protocol.Code(t.other.Code).OK() {
		t.otherID = 0
		t.refuse(protocol.NotFound, "", "there is no such authorization")
		return
	}
	t.who.account = t.other.Account
	t.partition = t.otherID.Partition()
}

// routeConfirm is routeHold, but an advice for an unknown hold is not refused:
// it is parked.
func (t *Task) routeConfirm() {
	t.routeHold()
	if t.request().ISO.Advice && t.refusal.code == protocol.NotFound {
		t.accept()
	}
}

// accept takes a refusal back.
func (t *Task) accept() {
	t.refuse(protocol.Approved, "", "")
}

// pending finds the hold that the request is about. If it is no longer
// pending the hold is nil and refuse has noted why.
func (t *Task) pending(tx *ledger.Tx) (*ledger.Account, *ledger.Hold, error) {
	a, err := tx.Account(t.who.account)
	if err != nil {
		return nil, nil, err
	}
	if a == nil {
		t.refuse(protocol.NotFound, "", "there is no such authorization")
		return nil, nil, nil
	}
	if h := a.Hold(t.otherID); h != nil {
		return a, h, nil
	}
	sale, err := tx.Sale(t.otherID)
	if err != nil {
		return nil, nil, err
	}
	if sale == nil {
		t.refuse(protocol.NotFound, "", "there is no such authorization")
		return a, nil, nil
	}
	switch sale.Status {
	case ledger.SaleVoided:
		t.refuse(protocol.AlreadyVoided, "", "the authorization was voided")
	case ledger.SaleReversed:
		t.refuse(protocol.AlreadyVoided, "", "the sale was reversed")
	case ledger.SaleExpired:
		t.refuse(protocol.HoldExpired, "", "the hold has expired")
	case ledger.SaleParked:
		t.refuse(protocol.AlreadyConfirmed, "", "the authorization was confirmed and waits for the office")
	default:
		t.refuse(protocol.AlreadyConfirmed, "", "the authorization was confirmed")
	}
	return a, nil, nil
}

// confirm books a hold. It never fails on balance or lateness.
func (t *Task) confirm(tx *ledger.Tx) error {
	if t.otherID == 0 {
		t.when = t.moment(tx.Now())
		return t.park(tx, becauseUnknownHold)
	}
	a, h, err := t.pending(tx)
	if err != nil {
		return err
	}
	advice := t.request().ISO.Advice
	switch {
	case h == nil && t.refusal.code == protocol.HoldExpired && a.Into == 0:
		t.accept()
		if err := t.lastFigures(tx); err != nil {
			return err
		}
	case h == nil && (advice || t.refusal.code == protocol.HoldExpired):
		because := t.refusal.detail
		t.accept()
		t.when = t.moment(tx.Now())
		return t.park(tx, because)
	case h == nil:
		return t.declineRefused(tx)
	case h.Op != t.otherID:
		if err := read(tx, h.Op, &t.other); err != nil {
			return err
		}
	}
	if err := t.bookedAt(tx.Now()); err != nil {
		return err
	}
	if advice && t.otherMoney() {
		return t.park(tx, becauseMoney)
	}
	switch points, money := t.aboveHold(); {
	case (points || money) && advice:
		return t.park(tx, becauseAboveHold)
	case points:
		t.decision.MaxRedeem = t.other.Points
		return t.decline(tx, protocol.RedeemNotAllowed, "redeemed", "more points were printed than the hold has; it stays")
	case money:
		return t.decline(tx, protocol.InvalidAmount, "payable", "points and money as printed are more than the receipt that was held; the hold stays")
	}
	return t.book(tx, a, h)
}

// lastFigures takes the newest figures of a hold that has ended: those of its
// last amendment, if there was one.
func (t *Task) lastFigures(tx *ledger.Tx) error {
	sale, err := tx.Sale(t.otherID)
	if err != nil || sale.Record == t.otherID {
		return err
	}
	return read(tx, sale.Record, &t.other)
}

// bookedAt takes the moment and programme of the hold; the receipt's own time
// counts where it lies between the hold and now.
func (t *Task) bookedAt(now int64) error {
	if err := t.resumeOf(&t.other, now); err != nil {
		return err
	}
	skew := int64(t.s.o.ClockSkew)
	if at, offset, set := t.asked(now, t.when.zone); set && at >= t.other.At-skew && at <= now+skew {
		t.when.at, t.when.offset = at, offset
	}
	return nil
}

// book books the figures in t.other; h is the hold, or nil if it has expired.
func (t *Task) book(tx *ledger.Tx, a *ledger.Account, h *ledger.Hold) error {
	op := &t.op
	t.stamp(op, ledger.KindConfirm)
	op.Parent, op.Target = t.otherID, t.parked
	t.inherit(op, &t.other)
	op.Program = t.other.Program
	t.copyFigures(op, &t.other)
	t.print(op)
	op.Extend = t.extendTo()
	t.purse.load(a, tx.Now())
	if h != nil {
		op.Drop = t.otherID
		t.purse.extend(op.Extend, nil)
		t.capture(op, h.Pins)
	} else {
		t.dropTaken(op, a)
		if parked, err := t.recapture(tx, op); parked || err != nil {
			return err
		}
	}
	if err := t.moreLots(&t.other); err != nil {
		return err
	}
	if h == nil {
		if err := t.latePromos(tx, op, a); err != nil {
			return err
		}
	}
	for i := range t.said.promos {
		if why := t.said.promos[i].refused; why != "" {
			op.Warnings = append(op.Warnings, program.PromoWarning(why))
		}
	}
	t.sell(op, a)
	return t.record(tx)
}

// extendTo is where this purchase moves the end of the lots that were there.
func (t *Task) extendTo() int64 {
	return t.version.Program.ExtendTo(t.when.at, t.when.zone, &t.days)
}

// capture takes what is booked out of the hold's pins, first what ends first,
// and gives the rest back to their lots.
func (t *Task) capture(op *ledger.Operation, pins []ledger.LotPart) {
	need := op.Points
	for _, p := range pins {
		p.Expires = extended(p, op.Extend)
		used := p
		used.Points = min(p.Points, need)
		need -= used.Points
		if used.Points > 0 {
			op.Pins = append(op.Pins, used)
		}
		p.Points -= used.Points
		t.purse.give(p)
	}
}

// recapture takes the points of a hold that has expired out of what is there
// now. What is missing is owed, or the confirm is parked, as the programme
// says.
func (t *Task) recapture(tx *ledger.Tx, op *ledger.Operation) (parked bool, err error) {
	missing := op.Points - t.purse.spendable()
	if missing > 0 && t.version.Program.Late() == program.LatePark && t.parked == 0 {
		return true, t.park(tx, becauseLate)
	}
	op.Flags = append(op.Flags, flagLateConfirm)
	op.Pins, missing = t.purse.spend(op.Points, op.Pins)
	if missing > 0 {
		t.purse.owe(missing)
		op.Flags = append(op.Flags, flagDeficit)
	}
	t.purse.extend(op.Extend, op.Pins)
	return false, nil
}

// copyFigures copies the figures of a hold into the record that books it.
func (t *Task) copyFigures(op, from *ledger.Operation) {
	op.Total, op.Discount, op.Redeemed, op.Payable = from.Total, from.Discount, from.Redeemed, from.Payable
	op.Points, op.Earned, op.MaxRedeem, op.Asked = from.Points, from.Earned, from.MaxRedeem, from.Asked
	op.Lines = append(op.Lines, from.Lines...)
	op.Rules = append(op.Rules, from.Rules...)
	op.Tier, op.NextTier, op.NextMissing = from.Tier, from.NextTier, from.NextMissing
	op.EarnedLot = from.EarnedLot
	op.Counts = append(op.Counts, from.Counts...)
	op.Gifts = append(op.Gifts, from.Gifts...)
	op.Rewards = append(op.Rewards, from.Rewards...)
	op.Grant, op.GrantUntil = from.Grant, from.GrantUntil
	op.Status = ledger.SaleConfirmed.String()
	if t.dups.seen {
		op.Flags = append(op.Flags, flagReceiptSeen)
	}
}

// moreLots takes the lots with a term of their own that a hold has promised,
// and what became of its promo codes.
func (t *Task) moreLots(from *ledger.Operation) error {
	h := holdData{more: t.more, said: t.said}
	if len(from.Data) == 0 {
		t.more = t.more[:0]
		t.said.reset()
		return nil
	}
	err := decodeHoldData(from.Data, &h)
	t.more, t.said = h.more, h.said
	t.said = remarks{promos: t.said.promos}
	return err
}

// sell fills the effects that every booked sale has, from the record's
// figures; what it consumes has been taken from the purse. a is the account
// before it, nil for a member who is made with it.
func (t *Task) sell(op *ledger.Operation, a *ledger.Account) {
	t.purse.earn(op.EarnedLot)
	for _, l := range t.more {
		t.purse.earn(l)
	}
	t.sellGifts(op)
	reward(op, 1)
	if len(t.more) > 0 || !t.said.empty() {
		op.Data = appendHoldData(op.Data[:0], &holdData{more: t.more, said: t.said})
	}
	t.purse.settle(op)
	op.Purchase = true
	op.Spent = ledger.DaySum{Day: program.LocalDay(t.when.at, t.when.zone), Spent: op.Payable}
	op.Legs[ledger.LegIssued] -= op.Earned
	op.Legs[ledger.LegRedeemed] += op.Points
	op.Late = otherMonth(t.when.at, t.when.now, t.when.zone)
	t.stand(op, a)
}

// void releases a hold.
func (t *Task) void(tx *ledger.Tx) error {
	a, h, err := t.pending(tx)
	if err != nil {
		return err
	}
	if h == nil {
		return t.declineRefused(tx)
	}
	waiting, err := tx.Waiting(t.otherID)
	if err != nil {
		return err
	}
	if len(waiting) > 0 {
		return t.decline(tx, protocol.AlreadyConfirmed, "", "the authorization was confirmed and waits for the office")
	}
	if err := t.release(tx, ledger.KindVoid, a, h); err != nil {
		return err
	}
	return t.record(tx)
}

// release fills a record that lets a hold of an account go: what it pins goes
// back to its lots, and repays first what the member owes.
func (t *Task) release(tx *ledger.Tx, kind ledger.Kind, a *ledger.Account, h *ledger.Hold) error {
	if err := t.resumeOf(&t.other, tx.Now()); err != nil {
		return err
	}
	t.when.at = tx.Now()
	op := &t.op
	t.stamp(op, kind)
	op.Parent, op.Drop = t.otherID, t.otherID
	t.inherit(op, &t.other)
	op.Program = t.other.Program
	op.Total, op.Discount, op.Redeemed, op.Payable = t.other.Total, t.other.Discount, t.other.Redeemed, t.other.Payable
	op.Points = t.other.Points
	t.purse.load(a, tx.Now())
	for _, pin := range h.Pins {
		t.purse.give(pin)
	}
	t.purse.settle(op)
	op.Status = ledger.SaleVoided.String()
	return nil
}
