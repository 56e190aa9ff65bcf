package processor

import (
	"strconv"

	"tillgate/ledger"
	"tillgate/processor/program"
	"tillgate/protocol"
)

var _ = serve(protocol.CallReturn, plan{
	kind: ledger.KindReturn, keyed: true,
	claim: (*Task).fetchSale, route: (*Task).routeSale, decide: (*Task).giveBack,
})

// fetchSale reads the record of the sale that a return names, by its id or by
// the till's receipt.
func (t *Task) fetchSale() {
	r := t.request()
	if r.Target != "" {
		t.fetch(r.Target)
		return
	}
	if r.Receipt.Number != "" {
		t.fetchReceipt()
	}
}

// fetchReceipt reads the record of the newest sale with the request's receipt.
func (t *Task) fetchReceipt() {
	r := t.request()
	key := t.s.receiptKey(r.Caller.Merchant, r.Store, r.Terminal, r.Receipt.Number)
	entries, err := t.s.ledger.Receipts(key)
	if err != nil {
		t.internal("a receipt can't be read", err)
		return
	}
	for i := len(entries) - 1; i >= 0; i-- {
		e := &entries[i]
		if e.Mark || e.Shift != r.Receipt.Shift && e.Shift != "" && r.Receipt.Shift != "" {
			continue
		}
		if t.fetchID(e.Op); t.otherID != 0 && t.other.Kind != ledger.KindReturn {
			return
		}
		t.otherID = 0
	}
}

// routeSale goes to the account of the sale.
func (t *Task) routeSale() {
	if t.refused() {
		return
	}
	if t.otherID == 0 || t.other.Account == 0 {
		t.otherID = 0
		t.refuse(protocol.NotFound, "", "the sale is not known here")
		return
	}
	t.who.account = t.other.Account
	t.partition = t.otherID.Partition()
}

// giveBack books a return: whole, by lines or by amount.
func (t *Task) giveBack(tx *ledger.Tx) error {
	if away, err := t.away(tx); away || err != nil {
		return err
	}
	sale, err := tx.Sale(t.saleID())
	if err != nil {
		return err
	}
	t.when = t.moment(tx.Now())
	if t.when.early {
		return t.decline(tx, protocol.OutsideTimeWindow, "at", "the return lies too far back or in the future")
	}
	if t.barred(tx.Now()) {
		return t.declineRefused(tx)
	}
	if code, detail := returnable(sale); code != protocol.Approved {
		return t.decline(tx, code, "", detail)
	}
	if t.version, _ = t.s.programs.number(t.request().Caller.Merchant, sale.Program, sale.At); t.otherMoney() {
		t.refuseMoney("currency")
		return nil
	}
	r, op := t.request(), &t.op
	t.stamp(op, ledger.KindReturn)
	if code, field, detail := shareOut(sale, r, op); code != protocol.Approved {
		return t.decline(tx, code, field, detail)
	}
	op.Parent = sale.ID
	t.aboutSale(op, sale)
	op.Status = "returned"
	if t.when.moved {
		op.Warnings = append(op.Warnings, warnMoved)
	}
	if err := t.undoSale(tx, sale, op); err != nil {
		return err
	}
	return t.record(tx)
}

// saleID is the id of the sale that a fetched record belongs to.
func (t *Task) saleID() ledger.OpID {
	if t.other.Parent != 0 {
		return t.other.Parent
	}
	return t.otherID
}

// returnable says whether anything of a sale may come back.
func returnable(s *ledger.Sale) (protocol.Code, string) {
	switch {
	case s == nil:
		return protocol.NotFound, "the sale has not been confirmed"
	case s.Status == ledger.SaleConfirmed:
		return protocol.Approved, ""
	case s.Status == ledger.SaleReversed:
		return protocol.ReturnExceedsSale, "the sale was reversed: nothing is left of it"
	case s.Status == ledger.SaleParked:
		return protocol.NotFound, "the sale waits for the office"
	}
	return protocol.NotFound, "the sale was not booked: its authorization has " + s.Status.String()
}

// aboutSale fills what a record about a booked sale takes from it.
func (t *Task) aboutSale(op *ledger.Operation, s *ledger.Sale) {
	op.Account = s.Account
	op.Program = s.Program
	op.Registered = t.other.Registered
	op.Tier = t.other.Tier
	op.Receipt = orElse(op.Receipt, s.Receipt)
	op.Shift = orElse(orElse(t.request().ISO.Shift, op.Shift), s.Shift)
	op.Terminal, op.Store = orElse(op.Terminal, s.Terminal), orElse(op.Store, s.Store)
}

// worth reports whether anything of value is left of a sale of which back has
// come back: money or points that were paid. Goods that cost nothing are of
// value only on a receipt of nothing else.
func worth(s *ledger.Sale, back taking) bool {
	if s.Payable+s.Redeemed == 0 {
		return back.Amount != s.Total
	}
	return back.Payable != s.Payable || back.Redeemed != s.Redeemed
}

// moved is what has come back of a sale after op or, with sign −1, before it.
func moved(back taking, op *ledger.Operation, sign int64) taking {
	back.Payable += sign * op.Payable
	back.Redeemed += sign * op.Redeemed
	back.Amount += sign * op.Total
	return back
}

// wholly reports whether something of value was left of the sale before op, and
// nothing is after it: the purchase is counted back then, once.
func wholly(s *ledger.Sale, op *ledger.Operation) bool {
	return worth(s, s.Back) && !worth(s, moved(s.Back, op, 1))
}

// undoSale fills the effects of taking op's figures back from a sale: points
// that were spent go back to their lots, points that were earned are taken
// away (L5), and the money leaves the day of the sale.
func (t *Task) undoSale(tx *ledger.Tx, s *ledger.Sale, op *ledger.Operation) error {
	v, ok := t.s.programs.number(t.request().Caller.Merchant, s.Program, s.At)
	if !ok {
		return errNoProgram
	}
	a, err := tx.Account(s.Account)
	if err != nil {
		return err
	}
	whole := wholly(s, op)
	op.Late = otherMonth(t.when.at, tx.Now(), t.when.zone)
	takeBeside(s, op, v.Program, whole)
	t.version = v
	t.assign(op, a, s.At)
	if whole {
		if err := t.endGranted(tx, s, op, a); err != nil {
			return err
		}
	}
	earned, err := t.earnedParts(tx, s, s.Back.Earned, s.Back.Earned+op.Earned)
	if err != nil {
		return err
	}
	if a.Into != 0 {
		t.undoMerged(a, s, op, earned, whole)
		return nil
	}
	op.Spent = ledger.DaySum{Day: s.Day, Spent: -op.Payable}
	op.Purchase = whole
	if whole {
		if err := t.wakeAfterReturn(op, a); err != nil {
			return err
		}
	}
	t.month(op, a)
	p := &t.purse
	p.load(a, tx.Now())
	p.extends = t.extendsLots(v)
	lapsed := t.restore(s, op, v.Program)
	missing := p.takeBack(earned...) + t.takeGifts(op)
	if missing > 0 && v.Program.Deficit() == program.DeficitForgive {
		op.Flags = append(op.Flags, ledger.FlagForgiven)
		op.Legs[ledger.LegIssued] -= missing
	} else {
		p.owe(missing)
	}
	op.Legs[ledger.LegIssued] += op.Earned
	op.Legs[ledger.LegRedeemed] -= op.Points
	if lapsed > 0 {
		op.Legs[ledger.LegExpired] += lapsed
		op.Flags = append(op.Flags, flagLapsed)
		op.Warnings = append(op.Warnings, "some of the points had expired and did not come back")
	}
	p.settle(op)
	return nil
}

// earnedParts are the parts of a sale's own lots that come back when of what it
// has earned after points have come back instead of before. A sale has several
// such lots where rules gave theirs dates of their own; each gives its
// proportion.
func (t *Task) earnedParts(tx *ledger.Tx, s *ledger.Sale, before, after int64) ([]ledger.LotPart, error) {
	t.more = append(t.more[:0], s.EarnedLot)
	if s.EarnedLot.Points != s.Earned {
		var h holdData
		if err := read(tx, s.Record, &t.side); err != nil {
			return nil, err
		}
		if len(t.side.Data) > 0 {
			if err := decodeHoldData(t.side.Data, &h); err != nil {
				return nil, err
			}
		}
		t.more = append(t.more, h.more...)
		t.more[0].Points = s.Earned - sum(h.more)
	}
	points := make([]int64, 0, 2*len(t.more))
	for i := range t.more {
		points = append(points, t.more[i].Points)
	}
	for i, n := range program.Portions(points, before, after, points)[len(t.more):] {
		t.more[i].Points = n
	}
	return t.more, nil
}

// extendsLots reports whether purchases extend lots, by the programme of a
// sale or by the one in force now.
func (t *Task) extendsLots(v program.Version) bool {
	if !v.Program.Lots().ExtendOnPurchase.Zero() {
		return true
	}
	now, ok := t.s.programs.at(t.request().Caller.Merchant, t.when.now)
	return ok && !now.Program.Lots().ExtendOnPurchase.Zero()
}

// restore gives op.Points back to the lots that the sale has taken them from,
// the last taken first. What was booked as a deficit is the last of all: it
// repays what is still owed, and the rest goes to the sale's own lot. It
// returns the points of lots that have expired for good.
func (t *Task) restore(s *ledger.Sale, op *ledger.Operation, prog *program.Program) (lapsed int64) {
	if n := t.unpin(s, op); n > 0 {
		t.purse.earn(owedPart(s, n, t.purse.now))
	}
	for _, part := range op.Pins {
		lapsed += t.putBack(part, prog)
	}
	return lapsed
}

// unpin fills the record's pins: the parts of lots to which op.Points go back.
// It returns how many of them had been booked as a deficit.
func (t *Task) unpin(s *ledger.Sale, op *ledger.Operation) (owed int64) {
	need := op.Points
	owed = max(min(s.Points-sum(s.Pins)-(s.Back.Points-sum(s.Restored)), need), 0)
	need -= owed
	done := append(t.done[:0], s.Restored...)
	t.done = done
	for i := len(s.Pins) - 1; i >= 0 && need > 0; i-- {
		part := s.Pins[i]
		part.Points -= takePart(done, part)
		if part.Points = min(part.Points, need); part.Points == 0 {
			continue
		}
		need -= part.Points
		op.Pins = append(op.Pins, part)
	}
	return owed
}

// owedPart is what goes to the sale's own lot of points that had been booked as
// a deficit: at once.
func owedPart(s *ledger.Sale, points, now int64) ledger.LotPart {
	return ledger.LotPart{
		Active: min(s.EarnedLot.Active, now), Expires: s.EarnedLot.Expires, Own: s.EarnedLot.Own, Points: points,
	}
}

// takePart takes up to part.Points from the part of the same lot and tells how
// many it took.
func takePart(from []ledger.LotPart, part ledger.LotPart) int64 {
	for i := range from {
		if from[i].SameLot(part) {
			n := min(from[i].Points, part.Points)
			from[i].Points -= n
			return n
		}
	}
	return 0
}

// putBack gives points back to their lot. It returns them if the lot has
// expired meanwhile and the programme has no grace for it.
func (t *Task) putBack(part ledger.LotPart, prog *program.Program) (lapsed int64) {
	p := &t.purse
	if k := p.find(part); k >= 0 {
		part.Expires = p.lots[k].Expires
	}
	if part.Expires != 0 && part.Expires <= p.now {
		grace := prog.GraceUntil(p.now, t.when.zone)
		if grace == 0 {
			return part.Points
		}
		part.Expires = grace
	}
	p.give(part)
	return 0
}

// shareOut decides what a return takes of the sale and fills op's figures and
// lines.
func shareOut(s *ledger.Sale, r *protocol.Request, op *ledger.Operation) (code protocol.Code, field, detail string) {
	left := s.Payable + s.Redeemed - s.Back.Payable - s.Back.Redeemed
	switch {
	case len(r.ReturnLines) > 0:
		code, field, detail = shareLines(s, r, op)
	case r.ReturnAmount > left:
		return protocol.ReturnExceedsSale, "amount", "no more than " + strconv.FormatInt(left, 10) + " is left of the sale"
	case r.ReturnAmount > 0:
		shareAmount(s, r.ReturnAmount, op)
	default:
		if left == 0 && nothingLeft(s) {
			return protocol.ReturnExceedsSale, "", "everything was returned already"
		}
		shareAll(s, op)
	}
	return code, field, detail
}

// nothingLeft reports whether no unit of any line is left either: a receipt
// that cost nothing can still come back.
func nothingLeft(s *ledger.Sale) bool {
	for i := range s.Lines {
		if s.Lines[i].Back.Quantity < s.Lines[i].Quantity {
			return false
		}
	}
	return s.Back.Amount == s.Total
}
