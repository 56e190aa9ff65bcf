package processor

import (
	"tillgate/ledger"
	"tillgate/processor/program"
	"tillgate/protocol"
)

// renderVersion is the version of the encoder that new records are answered
// by. A change of what any field of an answer holds makes a new version and
// keeps the old one: a repeat gets the bytes of the first time.
//
// Since 2: the card of a sale (tellSale), what had expired and what is booked
// again on the slip of a return or its reversal, the return's id in the answer to
// that, balances without what has come
// back to lots that have ended, the other member of a merge in a field of its own.
const renderVersion = 2

// render makes the answer from its record. First answers and repeats alike
// come from here, so that they are the same bytes.
func render(op *ledger.Operation, r *protocol.Response) {
	r.Code = protocol.Code(op.Code)
	r.Detail, r.Field = "", ""
	if op.Kind == ledger.KindShift && len(op.Data) > 0 {
		renderShift(op, r) // totals that differ are a result, no problem
		return
	}
	if !r.Code.OK() {
		renderDecline(op, r)
		return
	}
	r.Status = op.Status
	r.ProgramVersion = op.Program
	r.At = protocol.Time{Unix: op.At, Offset: op.Offset, Set: true}
	r.Time = op.Time
	if ofSale(op.Kind) {
		renderSale(op, r)
	} else {
		renderMember(op, r)
	}
}

// ofSale reports whether operations of a kind are about a sale.
func ofSale(k ledger.Kind) bool {
	switch k {
	case ledger.KindAuthorize, ledger.KindAmend, ledger.KindConfirm, ledger.KindVoid, ledger.KindExpire,
		ledger.KindAccrue, ledger.KindRedeem, ledger.KindReturn, ledger.KindReverse, ledger.KindMark, ledger.KindPark:
		return true
	}
	return false
}

// renderDecline makes the answer of a decline. Its shape is a problem,
// whatever was asked.
func renderDecline(op *ledger.Operation, r *protocol.Response) {
	r.Detail, r.Field = op.Detail, op.Field
	if tellsMaximum(r.Code, op.Field) {
		r.MaxPoints, r.HasMaxPoints = op.MaxRedeem, true
	}
	r.Warnings = append(r.Warnings[:0], op.Flags...)
	identify(op, r)
	r.Time = op.Time
}

// identify fills the ids of an answer: a hold's id stays what it is through
// its life, as a return's does, and is the retrieval reference number; the
// approval code names the booking itself.
func identify(op *ledger.Operation, r *protocol.Response) {
	id := op.ID
	switch op.Kind {
	case ledger.KindAmend, ledger.KindConfirm, ledger.KindVoid, ledger.KindExpire, ledger.KindReverse, ledger.KindPark:
		if op.Parent != 0 {
			id = op.Parent
		}
		if op.Undoes == ledger.KindReturn && op.Render >= 2 {
			id, r.Parent = op.Target, op.Parent.String()
		}
	case ledger.KindReturn:
		if op.Parent != 0 {
			r.Parent = op.Parent.String()
		}
	}
	if id == 0 {
		return // a quote
	}
	r.ID = id.String()
	r.RRN = r.ID
	if r.Code.OK() {
		r.Approval = r.ID[6:]
		if id != op.ID {
			r.Approval = op.ID.String()[6:]
		}
	}
}

// callOf is the shape of a record's answer.
func callOf(k ledger.Kind) protocol.Call {
	switch k {
	case ledger.KindAuthorize:
		return protocol.CallAuthorize
	case ledger.KindAmend:
		return protocol.CallAmend
	case ledger.KindConfirm, ledger.KindPark:
		return protocol.CallConfirm
	case ledger.KindVoid, ledger.KindExpire:
		return protocol.CallVoid
	case ledger.KindAccrue:
		return protocol.CallAccrue
	case ledger.KindRedeem:
		return protocol.CallRedeem
	case ledger.KindReturn:
		return protocol.CallReturn
	}
	return protocol.CallReverse
}

// renderSale makes the answer of an operation on points.
func renderSale(op *ledger.Operation, r *protocol.Response) {
	identify(op, r)
	r.Call = callOf(op.Kind)
	r.Created = op.Kind == ledger.KindAuthorize
	r.Accepted = op.Kind == ledger.KindPark
	if op.Kind == ledger.KindPark {
		r.Detail = op.Detail
	}
	r.Total, r.Discount, r.Redeemed, r.RedeemedMoney, r.Payable = op.Total, op.Discount, op.Points, op.Redeemed, op.Payable
	r.Earned, r.MaxRedeem = op.Earned, op.MaxRedeem
	r.NextTier, r.NextMissing = op.NextTier, op.NextMissing
	r.Warnings = append(append(r.Warnings[:0], op.Warnings...), op.Flags...)
	if op.Account != 0 {
		r.HasMember = true
		r.Member.ID, r.Member.Tier, r.Member.Registered = op.Account.String(), op.Tier, op.Registered
		after := balanceAfter(op)
		r.Balance, r.HasBalance = balanceView(after), true
		r.Posted = after.Available + after.Held
	}
	if op.HoldUntil != 0 {
		r.ExpiresAt = protocol.Time{Unix: op.HoldUntil, Offset: op.Offset, Set: true}
	}
	renderLines(op, r)
	renderEarned(op, r)
	renderRules(op, r)
	for _, h := range op.Hints {
		r.Hints = append(r.Hints, protocol.Hint{Rule: h.Rule, Missing: h.Missing, Gives: h.Gives})
	}
	renderSaid(op, r)
	renderSlip(op, r)
}

// renderSaid adds what the decision said beside its figures.
func renderSaid(op *ledger.Operation, r *protocol.Response) {
	switch op.Kind {
	case ledger.KindAuthorize, ledger.KindAmend, ledger.KindConfirm, ledger.KindAccrue, ledger.KindRedeem:
	default:
		return
	}
	var h holdData
	if len(op.Data) > 0 && op.Data[0]&saidFollows != 0 && decodeHoldData(op.Data, &h) == nil {
		h.said.render(op, r)
	}
}

// renderLines makes the lines, splitting those whose price per unit is not
// exact.
func renderLines(op *ledger.Operation, r *protocol.Response) {
	for i := range op.Lines {
		l := &op.Lines[i]
		one := protocol.LineResult{
			ID: l.ID, Amount: l.Amount, Discount: l.Discount, Redeemed: l.Redeemed, Points: l.Points,
			Payable: l.Amount - l.Discount - l.Redeemed, Earned: l.Earned, Quantity: l.Quantity,
		}
		if units := l.Quantity / 1000; units > 1 && (one.Payable != l.Amount || l.Amount%units != 0) {
			one.Pieces = program.Pieces(nil, one.Payable, l.Quantity)
		}
		r.Lines = append(r.Lines, one)
	}
}

// renderEarned makes the lots that the purchase earns: the sale's own, then
// those with a term of their own.
func renderEarned(op *ledger.Operation, r *protocol.Response) {
	if op.Kind == ledger.KindReturn || op.Kind == ledger.KindReverse {
		return
	}
	lot := func(l ledger.LotPart) {
		if l.Points > 0 {
			r.EarnedLots = append(r.EarnedLots, protocol.LotView{Points: l.Points, Active: max(l.Active, op.At), Expires: l.Expires})
		}
	}
	lot(op.EarnedLot)
	if len(op.Data) == 0 || op.Kind == ledger.KindPark {
		return
	}
	var h holdData
	if decodeHoldData(op.Data, &h) == nil {
		for _, l := range h.more {
			lot(l)
		}
	}
}
