package protocol

import "math"

// Fields of quote, authorizations, accruals and redemptions.
const (
	saleTerminal = ctxTerminal
	saleStore    = ctxStore
	saleCashier  = ctxCashier
)

const (
	saleChannel = iota + ctxCount
	saleReceipt
	saleAt
	saleMember
	saleBasket
	salePayments
	saleRedeem
	salePromoCodes
	saleHoldSeconds
	saleOffline
	saleStoreGroup
	saleExplain
)

var saleFields = []string{
	saleTerminal: "terminal", saleStore: "store", saleCashier: "cashier", saleChannel: "channel",
	saleReceipt: "receipt", saleAt: "at", saleMember: "member", saleBasket: "basket",
	salePayments: "payments", saleRedeem: "redeem", salePromoCodes: "promo_codes",
	saleHoldSeconds: "hold_seconds", saleOffline: "offline", saleStoreGroup: "store_group",
	saleExplain: "explain",
}

// saleAllowed is what a sale's call may carry: a step that is not a hold has no
// life, and only an accrual can be late. What a late one has spent stands in it,
// too; Validate refuses it in any other accrual.
func saleAllowed(call Call) uint32 {
	switch call {
	case CallAccrue:
		return all &^ (1 << saleHoldSeconds)
	case CallRedeem:
		return all &^ (1<<saleHoldSeconds | 1<<saleOffline)
	}
	return all &^ (1 << saleOffline)
}

// sale reads the body of a quote, an authorization, an accrual or a
// redemption.
func (s *scanner) sale(r *Request) {
	o := s.object(saleFields, saleAllowed(r.Call))
	for i := s.field(&o); i >= 0; i = s.field(&o) {
		switch i {
		case saleChannel:
			r.Channel = s.text()
		case saleReceipt:
			s.receipt(&r.Receipt)
		case saleAt:
			r.At = s.time()
		case saleMember:
			s.identifier(&r.Member, all)
		case saleBasket:
			s.basket(r)
		case salePayments:
			s.payments(r)
		case saleRedeem:
			s.redeem(&r.Redeem)
		case salePromoCodes:
			r.PromoCodes = s.texts(r.PromoCodes, MaxPromoCodes)
		case saleHoldSeconds:
			r.HoldSeconds = s.holdSeconds()
		case saleOffline:
			r.Offline = s.boolean()
		case saleStoreGroup:
			r.StoreGroup = s.text()
		case saleExplain:
			r.Explain = s.boolean()
		default:
			s.context(i, r)
		}
	}
}

// holdSeconds reads how long a hold shall live. Zero means the programme's
// default in a Request and is therefore refused when it is said.
func (s *scanner) holdSeconds() int64 {
	n := s.integer()
	if s.bad == nil && n <= 0 {
		s.refuse(InvalidRequest, "a hold lives for at least a second")
	}
	return n
}

const (
	basketTotal = iota
	basketLines
)

var basketFields = []string{basketTotal: "total", basketLines: "lines"}

// basket reads what is bought. Without a total the sum of the lines is the
// total; a sum that overflows becomes the largest number, which Validate
// refuses.
func (s *scanner) basket(r *Request) {
	o := s.object(basketFields, all)
	for i := s.field(&o); i >= 0; i = s.field(&o) {
		switch i {
		case basketTotal:
			r.Total = s.integer()
		case basketLines:
			s.lines(r)
		}
	}
	r.HasBasket = true
	switch {
	case o.seen == 0:
		s.refuseField("", InvalidRequest, "a basket has lines or a total")
	case o.seen&(1<<basketLines) != 0 && len(r.Lines) == 0:
		s.refuseField("lines", InvalidRequest, "the list is empty: leave it out and give a total")
	case o.seen&(1<<basketTotal) == 0:
		r.Total = sumLines(r.Lines)
	}
}

// sumLines adds the lines' amounts, stopping at the largest number.
func sumLines(lines []Line) int64 {
	sum := int64(0)
	for i := range lines {
		if a := lines[i].Amount; a > 0 && sum > math.MaxInt64-a {
			return math.MaxInt64
		}
		sum += max(lines[i].Amount, -MaxAmount)
	}
	return sum
}

// Fields of a line.
const (
	lineID = iota
	lineSKU
	lineName
	lineCategory
	lineBrand
	lineSupplier
	lineTags
	lineQuantity
	linePrice
	lineAmount
)

var lineFields = []string{
	lineID: "id", lineSKU: "sku", lineName: "name", lineCategory: "category", lineBrand: "brand",
	lineSupplier: "supplier", lineTags: "tags", lineQuantity: "quantity", linePrice: "price", lineAmount: "amount",
}

// lines reads the lines of a basket, reusing the capacity of an earlier
// request's lines and tags.
func (s *scanner) lines(r *Request) {
	r.Lines = r.Lines[:0]
	a := s.array(MaxLines)
	for s.element(&a) {
		n := len(r.Lines)
		if n < cap(r.Lines) {
			r.Lines = r.Lines[:n+1]
			r.Lines[n] = Line{Tags: r.Lines[n].Tags[:0]}
		} else {
			r.Lines = append(r.Lines, Line{})
		}
		s.line(&r.Lines[n])
	}
}

func (s *scanner) line(l *Line) {
	o := s.object(lineFields, all)
	for i := s.field(&o); i >= 0; i = s.field(&o) {
		switch i {
		case lineID:
			l.ID = s.text()
		case lineSKU:
			l.SKU = s.text()
		case lineName:
			l.Name = s.text()
		case lineCategory:
			l.Category = s.text()
		case lineBrand:
			l.Brand = s.text()
		case lineSupplier:
			l.Supplier = s.text()
		case lineTags:
			l.Tags = s.texts(l.Tags, MaxLineTags)
		case lineQuantity:
			l.Quantity = s.quantity()
		case linePrice:
			l.Price = s.integer()
		case lineAmount:
			l.Amount = s.integer()
		}
	}
	l.Unpriced = o.seen&(1<<linePrice) == 0
	s.require(&o, 1<<lineID|1<<lineQuantity|1<<lineAmount)
}

const (
	paymentTender = iota
	paymentAmount
)

var paymentFields = []string{paymentTender: "tender", paymentAmount: "amount"}

// payments reads how the money part is paid.
func (s *scanner) payments(r *Request) {
	r.Payments = r.Payments[:0]
	a := s.array(MaxPayments)
	for s.element(&a) {
		var p Payment
		o := s.object(paymentFields, all)
		for i := s.field(&o); i >= 0; i = s.field(&o) {
			switch i {
			case paymentTender:
				p.Tender = s.text()
			case paymentAmount:
				p.Amount = s.integer()
			}
		}
		s.require(&o, 1<<paymentTender|1<<paymentAmount)
		r.Payments = append(r.Payments, p)
	}
}

const (
	redeemPoints = iota
	redeemPartial
	redeemMax
)

var redeemFields = []string{redeemPoints: "points", redeemPartial: "partial", redeemMax: "max"}

// redeem reads the wish to pay with points: a number of them, perhaps in
// part, or as many as are allowed.
func (s *scanner) redeem(w *Redeem) {
	wantsMax := false
	o := s.object(redeemFields, all)
	for i := s.field(&o); i >= 0; i = s.field(&o) {
		switch i {
		case redeemPoints:
			w.Points = s.integer()
		case redeemPartial:
			w.Partial = s.boolean()
		case redeemMax:
			wantsMax = s.boolean()
		}
	}
	points, others := o.seen&(1<<redeemPoints) != 0, o.seen&(1<<redeemPoints|1<<redeemPartial) != 0
	switch {
	case wantsMax && others:
		s.refuseField("max", InvalidRequest, "max stands alone, without points and partial")
	case wantsMax:
		w.Mode = RedeemMax
	case !points:
		s.refuseField("", InvalidRequest, "says neither points nor \"max\": true")
	default:
		w.Mode = RedeemPoints
	}
}
