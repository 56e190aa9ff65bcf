package protocol

// Fields of amend.
const (
	amendBasket = iota + ctxCount
	amendRedeem
)

var amendFields = []string{
	ctxTerminal: "terminal", ctxStore: "store", ctxCashier: "cashier",
	amendBasket: "basket", amendRedeem: "redeem",
}

// amend reads a new basket, and perhaps a new wish, for a pending hold.
func (s *scanner) amend(r *Request) {
	o := s.object(amendFields, all)
	for i := s.field(&o); i >= 0; i = s.field(&o) {
		switch i {
		case amendBasket:
			s.basket(r)
		case amendRedeem:
			s.redeem(&r.Redeem)
		default:
			s.context(i, r)
		}
	}
}

// Fields of confirm.
const (
	confirmReceipt = iota + ctxCount
	confirmAt
	confirmRedeemed
	confirmPayable
)

var confirmFields = []string{
	ctxTerminal: "terminal", ctxStore: "store", ctxCashier: "cashier",
	confirmReceipt: "receipt", confirmAt: "at", confirmRedeemed: "redeemed", confirmPayable: "payable",
}

// confirm reads the receipt as it was printed.
func (s *scanner) confirm(r *Request) {
	o := s.object(confirmFields, all)
	for i := s.field(&o); i >= 0; i = s.field(&o) {
		switch i {
		case confirmReceipt:
			s.receipt(&r.Receipt)
		case confirmAt:
			r.At = s.time()
		case confirmRedeemed:
			r.Printed.Redeemed, r.Printed.HasRedeemed = s.integer(), true
		case confirmPayable:
			r.Printed.Payable, r.Printed.HasPayable = s.integer(), true
		default:
			s.context(i, r)
		}
	}
}

// Fields of void.
const (
	voidAt = iota + ctxCount
	voidReason
)

var voidFields = []string{
	ctxTerminal: "terminal", ctxStore: "store", ctxCashier: "cashier", voidAt: "at", voidReason: "reason",
}

// void reads who lets a hold go, and why.
func (s *scanner) void(r *Request) {
	o := s.object(voidFields, all)
	for i := s.field(&o); i >= 0; i = s.field(&o) {
		switch i {
		case voidAt:
			r.At = s.time()
		case voidReason:
			r.Reason = s.text()
		default:
			s.context(i, r)
		}
	}
}

// Fields of reversals.
const (
	reversalKey = iota + ctxCount
	reversalReceipt
	reversalAt
)

var reversalFields = []string{
	ctxTerminal: "terminal", ctxStore: "store", ctxCashier: "cashier",
	reversalKey: "idempotency_key", reversalReceipt: "receipt", reversalAt: "at",
}

// reversal reads which request shall be undone.
func (s *scanner) reversal(r *Request) {
	o := s.object(reversalFields, all)
	for i := s.field(&o); i >= 0; i = s.field(&o) {
		switch i {
		case reversalKey:
			r.TargetKey = s.text()
		case reversalReceipt:
			s.receipt(&r.Receipt)
		case reversalAt:
			r.At = s.time()
		default:
			s.context(i, r)
		}
	}
}

// Fields of returns.
const (
	returnAuthorization = iota + ctxCount
	returnReceipt
	returnAt
	returnLines
	returnAmount
	returnReason
)

var returnFields = []string{
	ctxTerminal: "terminal", ctxStore: "store", ctxCashier: "cashier",
	returnAuthorization: "authorization", returnReceipt: "receipt", returnAt: "at",
	returnLines: "lines", returnAmount: "amount", returnReason: "reason",
}

// returned reads what comes back of which sale.
func (s *scanner) returned(r *Request) {
	o := s.object(returnFields, all)
	for i := s.field(&o); i >= 0; i = s.field(&o) {
		switch i {
		case returnAuthorization:
			r.Target = s.text()
		case returnReceipt:
			s.receipt(&r.Receipt)
		case returnAt:
			r.At = s.time()
		case returnLines:
			s.returnLines(r)
		case returnAmount:
			r.ReturnAmount = s.positive()
		case returnReason:
			r.Reason = s.text()
		default:
			s.context(i, r)
		}
	}
}

const (
	returnLineID = iota
	returnLineQuantity
)

var returnLineFields = []string{returnLineID: "id", returnLineQuantity: "quantity"}

// returnLines reads the lines that come back; a line without a quantity comes
// back with all that is left of it. An empty list is refused: it would mean
// the whole sale.
func (s *scanner) returnLines(r *Request) {
	r.ReturnLines = r.ReturnLines[:0]
	a := s.array(MaxLines)
	for s.element(&a) {
		var l ReturnLine
		o := s.object(returnLineFields, all)
		for i := s.field(&o); i >= 0; i = s.field(&o) {
			switch i {
			case returnLineID:
				l.ID = s.text()
			case returnLineQuantity:
				l.Quantity = s.quantity()
				if s.bad == nil && l.Quantity == 0 {
					s.refuse(InvalidAmount, "must be more than zero")
				}
			}
		}
		s.require(&o, 1<<returnLineID)
		r.ReturnLines = append(r.ReturnLines, l)
	}
	if s.bad == nil && a.count == 0 {
		s.refuse(InvalidRequest, "the list is empty: leave it out to return all that is left")
	}
}
