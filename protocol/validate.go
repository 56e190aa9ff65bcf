package protocol

import (
	"hash/maphash"
	"math/bits"
	"strconv"
)

// Validate makes the checks of meaning that both edges share, on a request
// that either codec has read: Approved when it may be decided, else what is
// wrong, with the field's path in JSON's words and a sentence. It needs no
// state and no clock, costs time in proportion to the request, and allocates
// only to refuse.
//
// InvalidRequest is a matter of format and is not remembered; InvalidAmount
// is a decline like any other and is remembered under the request's key.
func Validate(r *Request) (code Code, field, detail string) {
	var v validator
	v.context(r)
	v.identifier(memberField(r.Call), &r.Member)
	v.sale(r)
	v.small(r)
	v.required(r)
	return v.code, v.field, v.detail
}

// validator keeps the first complaint.
type validator struct {
	code          Code
	field, detail string
}

func (v *validator) refuse(code Code, field, detail string) {
	if v.code == Approved {
		v.code, v.field, v.detail = code, field, detail
	}
}

func (v *validator) ok() bool { return v.code == Approved }

// Sentences that stand in more than one place.
const (
	sayMissing  = "the field is missing"
	sayPositive = "must be more than zero"
	sayNegative = "must not be negative"
	sayTooMuch  = "is more than 999999999999 minor units"
)

// textFault says what is wrong with a text, "" if nothing is.
func textFault(t string, limit int) string {
	switch {
	case t == "":
		return ""
	case len(t) > limit:
		return "is longer than " + strconv.Itoa(limit) + " bytes"
	case t[0] == ' ' || t[len(t)-1] == ' ':
		return "begins or ends with a space"
	case !printable(t):
		return "has characters that can't be shown"
	}
	return ""
}

func (v *validator) text(field, t string, limit int) {
	if fault := textFault(t, limit); fault != "" {
		v.refuse(InvalidRequest, field, fault)
	}
}

// need refuses an absent text.
func (v *validator) need(field, t string) {
	if t == "" {
		v.refuse(InvalidRequest, field, sayMissing)
	}
}

// amount refuses an amount outside 0 … MaxAmount.
func (v *validator) amount(field string, n int64) {
	switch {
	case n < 0:
		v.refuse(InvalidAmount, field, sayNegative)
	case n > MaxAmount:
		v.refuse(InvalidAmount, field, sayTooMuch)
	}
}

// positive refuses an amount outside 1 … MaxAmount.
func (v *validator) positive(field string, n int64) {
	if n <= 0 {
		v.refuse(InvalidAmount, field, sayPositive)
	}
	v.amount(field, n)
}

// context checks what nearly every request carries.
func (v *validator) context(r *Request) {
	v.text("terminal", r.Terminal, maxTerminal)
	v.text("store", r.Store, maxStore)
	v.text("cashier", r.Cashier, maxCashier)
	v.text("channel", r.Channel, maxWord)
	v.text("store_group", r.StoreGroup, maxWord)
	v.text("receipt.number", r.Receipt.Number, maxReceipt)
	v.text(shiftField(r.Call), r.Receipt.Shift, maxShift)
	v.text(targetField(r.Call), r.Target, maxTarget)
	v.text("reason", r.Reason, maxReason)
	if r.TargetKey != "" && !ValidKey(r.TargetKey) {
		v.refuse(InvalidRequest, "idempotency_key", "has 1 to 64 visible ASCII characters")
	}
}

func shiftField(call Call) string {
	if call == CallCloseShift {
		return "shift"
	}
	return "receipt.shift"
}

// targetField is the word for Target: a field of a return, else a part of the
// path.
func targetField(call Call) string {
	if call == CallReturn {
		return "authorization"
	}
	return "id"
}

// memberField is where a request names its member, before the kind: a look-up's
// body is the identifier itself.
func memberField(call Call) string {
	if call == CallLookupMember {
		return ""
	}
	return "member."
}

// identifier checks the shape of a way to name a member; within is the path
// of the object that it stands in.
func (v *validator) identifier(within string, m *Identifier) {
	ok, kind, want := true, "", ""
	switch m.Kind {
	case ByID:
		ok, kind, want = ValidMemberID(m.Value), "id", "is no member's id: 13 characters of 0-9, A-Z without I, L, O, U"
	case ByPhone:
		ok, kind, want = ValidPhone(m.Value), "phone", "is no E.164 number: a plus and 8 to 15 digits"
	case ByCard:
		ok, kind, want = ValidCard(m.Value), "card", "is no card number: 4 to 32 letters, digits, dots, dashes, underscores"
	case ByCode:
		ok, kind, want = ValidCode(m.Value), "code", "is no one-time code: six digits"
	case ByEmail:
		ok, kind, want = ValidEmail(m.Value), "email", "is no e-mail address"
	}
	if !ok {
		v.refuse(InvalidRequest, within+kind, want)
	}
}

// sale checks basket, payments and wish.
func (v *validator) sale(r *Request) {
	if r.HasBasket {
		v.basket(r)
	}
	if len(r.Payments) > MaxPayments {
		v.refuse(InvalidRequest, "payments", "the list has more than 16 entries")
		return
	}
	for i := range r.Payments {
		p := &r.Payments[i]
		if fault := textFault(p.Tender, maxWord); fault != "" || p.Tender == "" {
			v.refuse(InvalidRequest, at("payments", i, "tender"), orMissing(fault))
		}
		if p.Amount <= 0 || p.Amount > MaxAmount {
			v.refuse(InvalidAmount, at("payments", i, "amount"), amountFault(p.Amount))
		}
	}
	if r.Redeem.Mode == RedeemPoints {
		v.positive("redeem.points", r.Redeem.Points)
	}
	v.texts("promo_codes", r.PromoCodes, MaxPromoCodes, maxPromoCode)
	switch {
	case r.HoldSeconds < 0:
		v.refuse(InvalidRequest, "hold_seconds", sayNegative)
	case r.HoldSeconds > maxHoldSeconds:
		v.refuse(InvalidRequest, "hold_seconds", "is more than 30 days")
	}
	v.amount("redeemed", r.Printed.Redeemed)
	v.amount("payable", r.Printed.Payable)
	v.amount("amount", r.ReturnAmount)
	v.returnLines(r)
}

// ValidBasket reports whether a request's total and lines are in order and agree.
func ValidBasket(r *Request) bool {
	var v validator
	v.basket(r)
	return v.ok()
}

// basket checks the total and the lines; a total of zero is refused, a line
// of zero is a gift on the receipt.
func (v *validator) basket(r *Request) {
	if len(r.Lines) > MaxLines {
		v.refuse(InvalidRequest, "basket.lines", "the list has more than 500 entries")
		return
	}
	sum := int64(0)
	for i := range r.Lines {
		v.line(i, &r.Lines[i])
		if !v.ok() {
			return
		}
		sum += r.Lines[i].Amount // at most 500 × MaxAmount
	}
	v.positive("basket.total", r.Total)
	if len(r.Lines) > 0 && sum != r.Total {
		v.refuse(InvalidAmount, "basket.total", "is not the sum of the lines")
	}
	if i := duplicateLine(r.Lines); i >= 0 {
		v.refuse(InvalidRequest, at("basket.lines", i, "id"), "an earlier line has the same id")
	}
}

// line checks one line. A line's amount may lie below price × quantity, which
// is rounded half up, never above it.
func (v *validator) line(i int, l *Line) {
	field, fault, limit := "", "", int64(0)
	switch {
	case l.ID == "":
		field, fault = "id", sayMissing
	case !lineIDShape(l.ID):
		field, fault = "id", sayLineID
	case textFault(l.SKU, maxSKU) != "":
		field, fault = "sku", textFault(l.SKU, maxSKU)
	case textFault(l.Name, maxName) != "":
		field, fault = "name", textFault(l.Name, maxName)
	case textFault(l.Category, maxCategory) != "":
		field, fault = "category", textFault(l.Category, maxCategory)
	case textFault(l.Brand, maxCategory) != "":
		field, fault = "brand", textFault(l.Brand, maxCategory)
	case textFault(l.Supplier, maxCategory) != "":
		field, fault = "supplier", textFault(l.Supplier, maxCategory)
	case tagsFault(l.Tags, MaxLineTags) != "":
		field, fault = "tags", tagsFault(l.Tags, MaxLineTags)
	}
	if field != "" {
		v.refuse(InvalidRequest, at("basket.lines", i, field), fault)
		return
	}
	switch {
	case l.Quantity <= 0 || l.Quantity > MaxQuantity:
		field, fault = "quantity", "must be more than zero and at most 1000000"
	case l.Price < 0 || l.Price > MaxAmount:
		field, fault = "price", amountFault(l.Price)
	case l.Amount < 0 || l.Amount > MaxAmount:
		field, fault = "amount", amountFault(l.Amount)
	case l.Unpriced:
	default:
		if limit = LineValue(l.Price, l.Quantity); l.Amount > limit {
			field, fault = "amount", "is more than price × quantity"
		}
	}
	if field != "" {
		v.refuse(InvalidAmount, at("basket.lines", i, field), fault)
	}
}

// LineValue is price (minor units, 0 … MaxAmount) × quantity (thousandths,
// 0 … MaxQuantity), rounded half up to the minor unit.
func LineValue(price, quantity int64) int64 {
	hi, lo := bits.Mul64(uint64(price), uint64(quantity))
	lo, carry := bits.Add64(lo, 500, 0)
	value, _ := bits.Div64(hi+carry, lo, 1000)
	return int64(value)
}

const sayLineID = "has 1 to 32 bytes, no spaces around it and none of | ; :"

// lineIDShape reports whether a line's id is printable, short, and free of
// the bytes that separate lines and results in DE61 and DE62.
func lineIDShape(id string) bool {
	for i := range len(id) {
		if id[i] == '|' || id[i] == ';' || id[i] == ':' {
			return false
		}
	}
	return textFault(id, maxLineID) == ""
}

// returnLines checks the lines that come back.
func (v *validator) returnLines(r *Request) {
	if len(r.ReturnLines) > MaxLines {
		v.refuse(InvalidRequest, "lines", "the list has more than 500 entries")
		return
	}
	for i := range r.ReturnLines {
		l := &r.ReturnLines[i]
		switch {
		case l.ID == "" || !lineIDShape(l.ID):
			v.refuse(InvalidRequest, at("lines", i, "id"), sayLineID)
		case l.Quantity < 0 || l.Quantity > MaxQuantity:
			v.refuse(InvalidAmount, at("lines", i, "quantity"), "must be more than zero and at most 1000000")
		}
	}
	if i := duplicateReturnLine(r.ReturnLines); v.ok() && i >= 0 {
		v.refuse(InvalidRequest, at("lines", i, "id"), "an earlier line has the same id")
	}
}

// texts checks a list of texts, none of them empty.
func (v *validator) texts(field string, list []string, count, limit int) {
	if len(list) > count {
		v.refuse(InvalidRequest, field, "the list has more than "+strconv.Itoa(count)+" entries")
		return
	}
	for i, t := range list {
		if fault := textFault(t, limit); fault != "" || t == "" {
			v.refuse(InvalidRequest, at(field, i, ""), orMissing(fault))
		}
	}
}

// tagsFault says what is wrong with a list of tags.
func tagsFault(tags []string, count int) string {
	if len(tags) > count {
		return "the list has more than " + strconv.Itoa(count) + " entries"
	}
	for _, t := range tags {
		if t == "" {
			return "a tag is empty"
		}
		if fault := textFault(t, maxTag); fault != "" {
			return "a tag " + fault
		}
	}
	return ""
}

func orMissing(fault string) string {
	if fault == "" {
		return sayMissing
	}
	return fault
}

func amountFault(n int64) string {
	switch {
	case n > MaxAmount:
		return sayTooMuch
	case n < 0:
		return sayNegative
	}
	return sayPositive
}

// at renders the path of a field of a list's entry.
func at(list string, i int, field string) string {
	path := list + "[" + strconv.Itoa(i) + "]"
	if field == "" {
		return path
	}
	return path + "." + field
}

// slots is the size of the table that finds equal ids: a power of two above
// 2 × MaxLines, so that it never fills.
const slots = 1024

// seed keeps senders from choosing ids that all fall into one slot.
var seed = maphash.MakeSeed()

// idTable finds equal ids among at most MaxLines without allocating: open
// addressing, each slot an index + 1. For a handful of lines comparing each
// with each is quicker than clearing the table, so callers do that first.
type idTable [slots]uint16

// find returns the slot of id: that of an equal one, or a free one.
func (t *idTable) find(id string, idOf func(int) string) *uint16 {
	at := maphash.String(seed, id) % slots
	for t[at] != 0 && idOf(int(t[at])-1) != id {
		at = (at + 1) % slots
	}
	return &t[at]
}

// few is the number of ids up to which each is compared with each.
const few = 12

// duplicateLine returns the first line whose id an earlier one has, or -1.
func duplicateLine(lines []Line) int {
	if len(lines) <= few {
		for i := range lines {
			for j := range i {
				if lines[i].ID == lines[j].ID {
					return i
				}
			}
		}
		return -1
	}
	var table idTable
	for i := range lines {
		slot := table.find(lines[i].ID, func(j int) string { return lines[j].ID })
		if *slot != 0 {
			return i
		}
		*slot = uint16(i + 1)
	}
	return -1
}

// duplicateReturnLine is duplicateLine for a return's lines.
func duplicateReturnLine(lines []ReturnLine) int {
	var table idTable
	if len(lines) < 2 {
		return -1
	}
	for i := range lines {
		slot := table.find(lines[i].ID, func(j int) string { return lines[j].ID })
		if *slot != 0 {
			return i
		}
		*slot = uint16(i + 1)
	}
	return -1
}
