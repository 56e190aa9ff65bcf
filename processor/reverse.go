package processor

import (
	"slices"
	"strings"

	"tillgate/ledger"
	"tillgate/protocol"
)

var _ = serve(protocol.CallReverse, plan{
	kind: ledger.KindReverse, keyed: true,
	claim: (*Task).claimTarget, route: (*Task).routeTargetOf, decide: (*Task).reverse,
})

// target is the request that a reversal names.
type target struct {
	key     ledger.Key // its duplicate key or receipt, claimed
	has     bool
	stan    bool   // key is that of a STAN, de7 tells which message
	receipt bool   // key is that of a receipt
	byID    bool   // the transaction was named, by id or receipt, not one request of it
	de7     string // "" matches any
	class   string
	op      ledger.OpID // the record to reverse; 0: unknown
}

// claimTarget owns the keys of the request that is to be reversed: it may be
// under way.
func (t *Task) claimTarget() {
	r, g := t.request(), &t.target
	merchant := r.Caller.Merchant
	if r.Target != "" {
		if t.fetch(r.Target); t.otherID != 0 {
			g.op, g.byID = t.otherID, true
			return
		}
	}
	switch {
	case r.TargetKey != "":
		g.key, g.has = t.s.keyHash(&r.Caller, r.Terminal, r.TargetKey), true
	case r.ISO.HasDE90:
		o := &r.ISO.Original
		g.key, g.has, g.stan, g.class = t.s.stanHash(merchant, r.Terminal, o.Class, o.STAN), true, true, o.Class
		if strings.Trim(o.DE7, "0") != "" {
			g.de7 = o.DE7
		}
	case r.Receipt.Number != "":
		g.key, g.has, g.receipt = t.s.receiptKey(merchant, r.Store, r.Terminal, r.Receipt.Number), true, true
	}
	if g.has {
		t.claim.add(g.key)
	}
}

// routeTargetOf finds the record to reverse and its account. The keys are
// owned, so that what was under way is on disk.
func (t *Task) routeTargetOf() {
	g := &t.target
	var err error
	switch {
	case g.op != 0 || !g.has:
	case g.receipt:
		t.fetchReceipt()
		g.op, g.byID = t.otherID, true
	default:
		var entries []ledger.DupEntry
		if entries, err = t.s.ledger.Dups(g.key); err == nil {
			g.op = g.named(entries)
		}
		if g.op != 0 {
			t.fetchID(g.op)
		}
	}
	if err != nil {
		t.internal("a duplicate record can't be read", err)
		return
	}
	if t.otherID != 0 {
		t.who.account = t.other.Account
		t.partition = t.otherID.Partition()
	}
}

// named finds the newest entry that the reversal may mean.
func (g *target) named(entries []ledger.DupEntry) ledger.OpID {
	for i := len(entries) - 1; i >= 0; i-- {
		e := &entries[i]
		if e.Mark || g.stan && g.de7 != "" && !slices.Contains(e.Sent, g.de7) {
			continue
		}
		return e.Op
	}
	return 0
}

// reverse undoes what a request did. What is unknown is marked, so that it is
// declined when it comes late; what did nothing or is undone already is
// answered alike. A void or a reversal can't be undone: the points that it
// released may be spent.
func (t *Task) reverse(tx *ledger.Tx) error {
	if away, err := t.away(tx); away || err != nil {
		return err
	}
	t.when = t.moment(tx.Now())
	if t.otherID == 0 {
		return t.mark(tx)
	}
	op := &t.other
	if op.Declined() {
		return t.undone(tx)
	}
	switch op.Kind {
	case ledger.KindAuthorize, ledger.KindAmend:
		if op.Parent != 0 {
			t.otherID = op.Parent
		}
		return t.reverseHold(tx)
	case ledger.KindConfirm, ledger.KindAccrue, ledger.KindRedeem:
		return t.reverseSale(tx, op.Kind)
	case ledger.KindReturn:
		return t.reverseReturn(tx)
	case ledger.KindPark:
		if op.Source == 0 { // a transfer that waits was no request: it is the office's alone
			return t.reverseParked(tx)
		}
	case ledger.KindVoid, ledger.KindReverse, ledger.KindMark:
		return t.decline(tx, protocol.AlreadyVoided, "", "what has released or undone something can't be undone: ask anew")
	}
	return t.decline(tx, protocol.NotFound, "", "a request of this kind cannot be reversed")
}

// mark leaves a mark for an original that has not come.
func (t *Task) mark(tx *ledger.Tx) error {
	g, op := &t.target, &t.op
	t.stamp(op, ledger.KindMark)
	op.Account = 0
	op.Status = "marked"
	if !g.receipt {
		op.Receipt, op.Shift = "", ""
	}
	if g.has && !g.receipt {
		e := ledger.DupEntry{Mark: true, Class: g.class}
		if g.de7 != "" {
			e.Sent = []string{g.de7}
		}
		if g.stan {
			e.Disc = "mark " + g.de7
		}
		op.Dups = append(op.Dups, ledger.DupRef{Key: g.key, Entry: e})
	}
	return t.record(tx)
}

// undone answers a reversal of what has no effect, or none any more.
func (t *Task) undone(tx *ledger.Tx) error {
	op := &t.op
	t.stamp(op, ledger.KindReverse)
	if t.other.Account == 0 || t.partition != tx.Partition() {
		op.Account = 0
	}
	op.Target, op.Parent = t.target.op, t.saleID()
	if t.other.Kind == ledger.KindReturn {
		op.Parent = t.otherID // what the answer names
	}
	op.Status = ledger.SaleReversed.String()
	return t.record(tx)
}

// reverseHold releases a hold. One that has expired is closed, so that its
// confirm cannot come any more.
func (t *Task) reverseHold(tx *ledger.Tx) error {
	a, h, err := t.pending(tx)
	if err != nil {
		return err
	}
	code := t.refusal.code
	t.accept()
	if h != nil || code == protocol.HoldExpired {
		// Its confirm may have come and wait for the office.
		dropped, err := t.dropWaiting(tx, t.otherID)
		if err != nil {
			return err
		}
		if dropped > 0 { // the account is another now
			if a, h, err = t.pending(tx); err != nil {
				return err
			}
			t.accept()
		}
	}
	switch {
	case h != nil:
		err = t.release(tx, ledger.KindReverse, a, h)
	case code == protocol.HoldExpired:
		err = t.release(tx, ledger.KindReverse, a, &ledger.Hold{})
		t.op.Drop = 0
	case code == protocol.AlreadyConfirmed && t.target.byID:
		return t.reverseSale(tx, ledger.KindConfirm)
	case code == protocol.AlreadyConfirmed:
		return t.decline(tx, code, "", "the authorization was confirmed: reverse the confirm")
	default:
		return t.undone(tx)
	}
	if err != nil {
		return err
	}
	t.op.Undoes, t.op.Target = ledger.KindAuthorize, t.target.op
	t.op.Status = ledger.SaleReversed.String()
	return t.record(tx)
}

// reverseSale undoes all of a booked sale that has not come back yet.
func (t *Task) reverseSale(tx *ledger.Tx, kind ledger.Kind) error {
	sale, err := tx.Sale(t.saleID())
	if err != nil {
		return err
	}
	switch {
	case sale == nil:
		return t.undone(tx)
	case sale.Status == ledger.SaleParked:
		return t.reverseWaiting(tx, sale.ID)
	case sale.Status != ledger.SaleConfirmed:
		return t.undone(tx)
	}
	op := &t.op
	t.stamp(op, ledger.KindReverse)
	op.Undoes, op.Target, op.Parent = kind, t.target.op, sale.ID
	shareAll(sale, op)
	t.aboutSale(op, sale)
	op.Status = ledger.SaleReversed.String()
	if err := t.undoSale(tx, sale, op); err != nil {
		return err
	}
	return t.record(tx)
}

// maxWalk bounds the look back over an account's records.
const maxWalk = 1000

// reverseReturn books a sale's returned part again: the points that the return
// gave back are taken again, and what it took is given.
func (t *Task) reverseReturn(tx *ledger.Tx) error {
	sale, err := tx.Sale(t.saleID())
	if err != nil {
		return err
	}
	if sale == nil || sale.Status != ledger.SaleConfirmed {
		return t.undone(tx)
	}
	a, err := tx.Account(sale.Account)
	if err != nil {
		return err
	}
	done, far, err := t.reversedAlready(tx, a.Last)
	switch {
	case err != nil:
		return err
	case done:
		return t.undone(tx)
	case far || a.Into != 0:
		return t.decline(tx, protocol.OutsideTimeWindow, "", "the return lies too far back to be undone")
	}
	v, ok := t.s.programs.number(t.request().Caller.Merchant, sale.Program, sale.At)
	if !ok {
		return errNoProgram
	}
	op, from := &t.op, &t.other
	t.stamp(op, ledger.KindReverse)
	op.Undoes, op.Target, op.Parent = ledger.KindReturn, t.otherID, sale.ID
	t.aboutSale(op, sale)
	op.Total, op.Discount, op.Redeemed, op.Payable = from.Total, from.Discount, from.Redeemed, from.Payable
	op.Points, op.Earned = from.Points, from.Earned
	op.Lines = append(op.Lines, from.Lines...)
	op.Pins = append(op.Pins, from.Pins...)
	op.Status = ledger.SaleReversed.String()
	op.Spent = ledger.DaySum{Day: sale.Day, Spent: op.Payable}
	op.Purchase = regained(sale, from) // counted back by the last return, counted again
	op.Late = otherMonth(t.when.at, tx.Now(), t.when.zone)
	t.version = v
	var gone once
	if op.Purchase {
		if gone, err = t.useAgain(tx, op, sale, a); err != nil {
			return err
		}
	}
	t.purse.load(a, t.when.now)
	t.purse.extends = t.extendsLots(v)
	earned, err := t.earnedParts(tx, sale, sale.Back.Earned-from.Earned, sale.Back.Earned)
	if err != nil {
		return err
	}
	t.takeAgain(sale, from, earned, &gone)
	t.purse.settle(op)
	t.assign(op, a, sale.At)
	t.month(op, a)
	if op.Purchase {
		if err := t.wakeAfterReturn(op, a); err != nil {
			return err
		}
	}
	return t.record(tx)
}

// takeAgain undoes a return's effects on the account: what came back to lots
// is taken from them, else from what is there, else owed; what was taken away,
// earned of the sale's own lots, is given where it was taken. What had lapsed, or
// was forgiven, stays so.
func (t *Task) takeAgain(sale *ledger.Sale, from *ledger.Operation, earned []ledger.LotPart, gone *once) {
	p, op := &t.purse, &t.op
	lapsed := max(from.Legs[ledger.LegExpired], 0)
	need := from.Points - lapsed
	for _, part := range from.Pins {
		if i := p.find(part); i >= 0 {
			need -= p.takeAt(i, min(need, part.Points)).Points
		}
	}
	_, need = p.spend(need, nil)
	p.owe(need)
	taken := from.Legs[ledger.LegIssued]
	t.took = from.Taken(t.took[:0])
	left := t.giveBeside(op, from, sale, gone, taken)
	for i := range earned {
		earned[i].Points = min(earned[i].Points, left)
		left -= earned[i].Points
	}
	t.done = ledger.Regain(t.done[:0], earned, t.took, p.extends)
	for _, part := range t.done {
		if i := p.find(part); i >= 0 {
			part.Expires = p.lots[i].Expires
		}
		p.earn(part)
	}
	op.Legs[ledger.LegRedeemed] += from.Points
	op.Legs[ledger.LegExpired] -= lapsed // the next return books it again
	op.Legs[ledger.LegIssued] -= taken
}

// reversedAlready looks back over the account's records for a reversal of the
// same return under another key.
func (t *Task) reversedAlready(tx *ledger.Tx, last ledger.OpID) (done, far bool, err error) {
	for range maxWalk {
		if last == 0 || last == t.otherID {
			return false, false, nil
		}
		if err := read(tx, last, &t.side); err != nil {
			return false, false, err
		}
		if t.side.Kind == ledger.KindReverse && t.side.Target == t.otherID && t.side.Undoes == ledger.KindReturn {
			return true, false, nil
		}
		last = t.side.Prev
	}
	return false, true, nil
}
