package iso8583

import (
	"tillgate/protocol"
)

// shift reads DE60: the shift's number, or shift/batch. The batch is kept by
// nobody, it is part of the content hash only.
func (r *mapper) shift() {
	value := r.Get(60)
	if len(value) == 0 {
		return
	}
	number, _, ok := cutSlash(value)
	if !ok {
		r.refuse(60, BadContent)
		return
	}
	r.req.ISO.Shift = text(r.req, number)
	r.req.Receipt.Shift = r.req.ISO.Shift
}

// cutSlash splits number or number/more; neither part may be empty, over 32
// bytes, or hold another slash or a control character.
func cutSlash(value []byte) (number, more []byte, ok bool) {
	number = value
	for i, c := range value {
		if c == '/' {
			if more != nil {
				return nil, nil, false
			}
			number, more = value[:i], value[i+1:]
			if len(more) == 0 {
				return nil, nil, false
			}
		}
	}
	ok = len(number) > 0 && len(number) <= 32 && len(more) <= 32 && visible(value)
	return number, more, ok
}

// loyalty reads DE48 and, where it names nobody, DE2.
func (r *mapper) loyalty() {
	var seen uint32
	for data := r.Get(48); len(data) > 0; {
		tag, value, rest, ok := NextTLV(data)
		if !ok || tag > TagPartial || !visible(value) || seen>>tag&1 == 1 && tag != TagPromo {
			r.refuse(48, BadContent)
			return
		}
		seen |= 1 << tag
		if !r.loyaltyTag(tag, value) {
			r.refuse(48, BadContent)
			return
		}
		data = rest
	}
	if (seen>>TagIdentifierKind^seen>>TagIdentifier)&1 == 1 { // one without the other
		r.refuse(48, BadContent)
	}
	if card := r.Get(2); r.req.Member.Kind == protocol.NoIdentifier && len(card) > 0 {
		r.req.Member = protocol.Identifier{Kind: protocol.ByCard, Value: text(r.req, card)}
	}
}

// loyaltyTag takes one tag of DE48.
func (r *mapper) loyaltyTag(tag int, value []byte) (ok bool) {
	req := r.req
	switch tag {
	case TagIdentifierKind:
		req.Member.Kind = identifierKind(value)
		return req.Member.Kind != protocol.NoIdentifier
	case TagIdentifier:
		req.Member.Value = text(req, value)
	case TagRedeem:
		return r.redeem(value)
	case TagHold:
		req.Target = text(req, value)
	case TagKey:
		req.Key = text(req, value)
		return len(value) <= 64 && graphic(value)
	case TagPromo:
		req.PromoCodes = append(req.PromoCodes, text(req, value))
	case TagCashier:
		req.Cashier = text(req, value)
	case TagChannel:
		req.Channel = text(req, value)
	case TagReceipt:
		return r.receipt(value)
	case TagStoreGroup:
		req.StoreGroup = text(req, value)
	case TagTender:
		r.tender = text(req, value)
	case TagPartial:
		req.Redeem.Partial = string(value) == "Y"
		return req.Redeem.Partial || string(value) == "N"
	default:
		return false
	}
	return true
}

func identifierKind(value []byte) protocol.IdentifierKind {
	switch string(value) {
	case "PHON":
		return protocol.ByPhone
	case "CARD":
		return protocol.ByCard
	case "CODE":
		return protocol.ByCode
	case "MEMB":
		return protocol.ByID
	case "MAIL":
		return protocol.ByEmail
	}
	return protocol.NoIdentifier
}

// redeem reads how many points the till wants to spend. Zero is none: tills
// with a fixed layout always send the tag.
func (r *mapper) redeem(value []byte) bool {
	if string(value) == "MAX" {
		r.req.Redeem.Mode = protocol.RedeemMax
		return true
	}
	points, ok := parseDigits(value, 12)
	if points > 0 {
		r.req.Redeem.Mode = protocol.RedeemPoints
		r.req.Redeem.Points = points
	}
	return ok
}

// receipt reads the receipt's number, which may bring the shift of its own: a
// return names by it a receipt of an earlier shift than DE60's.
func (r *mapper) receipt(value []byte) bool {
	number, shift, ok := cutSlash(value)
	r.req.Receipt.Number = text(r.req, number)
	if len(shift) > 0 {
		r.req.Receipt.Shift = text(r.req, shift)
	}
	return ok
}

// graphic reports whether the value is visible ASCII without spaces, as an
// idempotency key must be.
func graphic(value []byte) bool {
	for _, c := range value {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

// results reads DE61, of which a till sends the figures that it has printed.
// The other tags may come along, as the till has got them.
func (r *mapper) results() {
	var seen uint32
	for data := r.Get(61); len(data) > 0; {
		tag, value, rest, ok := NextTLV(data)
		if !ok || tag > TagMaxPoints || !visible(value) || seen>>tag&1 == 1 {
			r.refuse(61, BadContent)
			return
		}
		seen |= 1 << tag
		switch tag {
		case TagRedeemed:
			r.req.Printed.Redeemed, ok = parseDigits(value, 12)
			r.req.Printed.HasRedeemed = true
		case TagPayable:
			r.req.Printed.Payable, ok = parseDigits(value, 12)
			r.req.Printed.HasPayable = true
		case TagLines:
		default:
			ok = !separates(string(value))
		}
		if !ok {
			r.refuse(61, BadContent)
			return
		}
		data = rest
	}
}

// body reads what the call itself needs.
func (r *mapper) body() {
	req := r.req
	switch req.Call {
	case protocol.CallAuthorize, protocol.CallRedeem:
		r.basket()
	case protocol.CallAccrue:
		r.basket()
		req.Offline = req.ISO.MTI[:3] == "022"
		if req.ISO.Advice = req.Offline; req.Offline {
			r.took()
		}
	case protocol.CallConfirm:
		r.target()
		r.basket()
		req.ISO.Advice = true
	case protocol.CallReturn:
		r.target()
		r.returned()
	case protocol.CallReverse:
		r.target()
		r.original()
		req.ISO.Advice = req.ISO.MTI[:3] == "042"
	case protocol.CallCloseShift:
		r.totals()
		req.ISO.Advice = req.ISO.MTI[:3] == "052"
	case protocol.CallEcho:
		r.need(70)
		switch req.ISO.DE70 {
		case "001", "002", "201", "301":
		default:
			r.refuse(70, NotSupported)
		}
	}
}

// took reads how many points a till that was cut off has taken: what the
// receipt shows (DE61 02), else what DE48 asks for. Fewer are not fine any more.
// A receipt that is paid with neither points nor money says nothing: tills with
// a fixed layout fill DE61 03 with zeros.
func (r *mapper) took() {
	req := r.req
	req.Redeem.Partial = false
	if req.Printed.HasRedeemed {
		req.Redeem = protocol.Redeem{}
		if req.Printed.Redeemed > 0 {
			req.Redeem = protocol.Redeem{Mode: protocol.RedeemPoints, Points: req.Printed.Redeemed}
		}
	}
	if req.Printed.Payable == 0 && req.Redeem.Mode == protocol.RedeemNone {
		req.Printed.HasPayable = false
	}
}

// target is the transaction that the message is about. DE48 05 wins over
// DE37, which some tills fill with a reference of their own.
func (r *mapper) target() {
	if r.req.Target == "" {
		r.req.Target = r.req.ISO.DE37
	}
}

// basket reads DE4 and DE62. A confirm whose DE4 is zeros says no total.
func (r *mapper) basket() {
	req := r.req
	if amount := r.Get(4); len(amount) > 0 {
		req.Total, _ = parseDigits(amount, 12)
		req.HasBasket = req.Total > 0 || req.Call != protocol.CallConfirm
	}
	if r.tender != "" && req.Total > 0 { // which part it pays is not known yet: at most all
		req.Payments = append(req.Payments, protocol.Payment{Tender: r.tender, Amount: req.Total})
	}
	if r.lines(); len(req.Lines) > 0 {
		r.need(4)
	}
}

// lines reads DE62: what is sold or what comes back.
func (r *mapper) lines() {
	basket := r.Get(62)
	if len(basket) == 0 {
		return
	}
	list := rows{left: basket}
	for list.next() {
		if r.req.Call == protocol.CallReturn {
			list.why = returnLine(r.req, &list.row)
		} else {
			list.why = saleLine(r.req, &list.row)
		}
	}
	if list.why != Fine {
		r.refuse(62, list.why)
	}
}

// saleLine takes one line of a basket: every number is there.
func saleLine(req *protocol.Request, cut *row) Reason {
	quantity, ok1 := parseQuantity(cut[columnQuantity])
	price, ok2 := parseDigits(cut[columnPrice], 12)
	amount, ok3 := parseDigits(cut[columnAmount], 12)
	if !ok1 || !ok2 || !ok3 {
		return BadContent
	}
	n := len(req.Lines)
	if n < cap(req.Lines) {
		req.Lines = req.Lines[:n+1]
	} else {
		req.Lines = append(req.Lines, protocol.Line{})
	}
	req.Lines[n] = protocol.Line{
		ID: text(req, cut[columnID]), SKU: text(req, cut[columnSKU]),
		Category: text(req, cut[columnCategory]), Brand: text(req, cut[columnBrand]),
		Tags:     req.Lines[n].Tags[:0], // keeps the capacity that the other edge has grown
		Quantity: quantity, Price: price, Amount: amount,
	}
	return Fine
}

// returned reads what comes back: the lines of DE62, else the sum of DE4, else
// all that is left. Where there are lines, DE4 is only an echo.
func (r *mapper) returned() {
	if r.req.Target == "" && r.req.Receipt.Number == "" {
		r.refuse(37, Missing)
	}
	if r.lines(); len(r.req.ReturnLines) > 0 {
		return
	}
	r.req.ReturnAmount, _ = parseDigits(r.Get(4), 12)
}

// returnLine takes one line of a return: id and quantity count, the rest may
// be empty. No quantity means all that is left of the line.
func returnLine(req *protocol.Request, cut *row) Reason {
	line := protocol.ReturnLine{ID: text(req, cut[columnID])}
	if quantity := cut[columnQuantity]; len(quantity) > 0 {
		var ok bool
		if line.Quantity, ok = parseQuantity(quantity); !ok || line.Quantity == 0 {
			return BadContent
		}
	}
	for _, number := range cut[columnPrice:] {
		if _, ok := parseDigits(number, 12); !ok && len(number) > 0 {
			return BadContent
		}
	}
	req.ReturnLines = append(req.ReturnLines, line)
	return Fine
}

// original reads DE90: MTI, STAN and DE7 of the message to undo; what follows
// (acquirer, forwarder) is not looked at. Zeros for DE7 match any.
func (r *mapper) original() {
	value := r.Get(90)
	if len(value) == 0 {
		if r.req.Target == "" {
			r.refuse(90, Missing)
		}
		return
	}
	class := string(value[:3])
	if class != "010" && class != "020" && class != "022" {
		r.refuse(90, BadContent)
		return
	}
	r.req.ISO.HasDE90 = true
	r.req.ISO.Original = protocol.STANRef{Class: text(r.req, value[:3]), STAN: text(r.req, value[4:10])}
	if string(value[10:20]) != "0000000000" {
		r.req.ISO.Original.DE7 = text(r.req, value[10:20])
	}
}

// totals reads a shift's totals. A count or sum that is absent is zero; the
// net amount and the shift's number are always there.
func (r *mapper) totals() {
	r.need(60, 97)
	t := &r.req.Totals
	for _, part := range [...]struct {
		field int
		to    *int64
	}{
		{74, &t.SalesCount}, {86, &t.Sales}, {75, &t.ReturnsCount}, {87, &t.Returns},
		{76, &t.RedeemedCount}, {88, &t.Redeemed}, {77, &t.GivenBackCount}, {89, &t.GivenBack},
	} {
		*part.to, _ = parseDigits(r.Get(part.field), 16)
	}
	if net := r.Get(97); len(net) > 0 {
		t.Net, _ = parseDigits(net[1:], 16)
		if net[0] == 'D' {
			t.Net = -t.Net
		}
	}
	if currency := r.Get(50); len(currency) > 0 {
		r.req.ISO.Currency = text(r.req, currency)
	}
}
