package protocol

const (
	couponsSerial = iota
	couponsCount
)

var couponsFields = []string{couponsSerial: "serial", couponsCount: "count"}

// coupons reads of which series how many coupons are to be made.
func (s *scanner) coupons(r *Request) {
	o := s.object(couponsFields, all)
	for i := s.field(&o); i >= 0; i = s.field(&o) {
		switch i {
		case couponsSerial:
			r.Series = s.text()
		case couponsCount:
			r.Count = s.integer()
		}
	}
	s.require(&o, 1<<couponsSerial|1<<couponsCount)
}

// Fields of a shift's close.
const (
	shiftShift = iota + ctxCount
	shiftTotals
)

var shiftFields = []string{
	ctxTerminal: "terminal", ctxStore: "store", ctxCashier: "cashier",
	shiftShift: "shift", shiftTotals: "totals",
}

// shift reads a till's totals.
func (s *scanner) shift(r *Request) {
	o := s.object(shiftFields, all)
	for i := s.field(&o); i >= 0; i = s.field(&o) {
		switch i {
		case shiftShift:
			r.Receipt.Shift = s.text()
		case shiftTotals:
			s.totals(&r.Totals)
		default:
			s.context(i, r)
		}
	}
	s.require(&o, 1<<ctxTerminal|1<<ctxStore|1<<shiftShift|1<<shiftTotals)
}

const (
	totalsSales = iota
	totalsReturns
	totalsRedeemed
	totalsGivenBack
	totalsNet
)

var totalsFields = []string{
	totalsSales: "sales", totalsReturns: "returns", totalsRedeemed: "redeemed",
	totalsGivenBack: "given_back", totalsNet: "net",
}

// totals reads the five figures of a shift; none may be left out, because a
// figure that is forgotten must not look like one that is zero.
func (s *scanner) totals(t *ShiftTotals) {
	o := s.object(totalsFields, all)
	for i := s.field(&o); i >= 0; i = s.field(&o) {
		switch i {
		case totalsSales:
			s.countTotal(&t.SalesCount, &t.Sales)
		case totalsReturns:
			s.countTotal(&t.ReturnsCount, &t.Returns)
		case totalsRedeemed:
			s.countTotal(&t.RedeemedCount, &t.Redeemed)
		case totalsGivenBack:
			s.countTotal(&t.GivenBackCount, &t.GivenBack)
		case totalsNet:
			t.Net = s.integer()
		}
	}
	s.require(&o, 1<<totalsSales|1<<totalsReturns|1<<totalsRedeemed|1<<totalsGivenBack|1<<totalsNet)
}

const (
	countTotalCount = iota
	countTotalTotal
)

var countTotalFields = []string{countTotalCount: "count", countTotalTotal: "total"}

func (s *scanner) countTotal(count, total *int64) {
	o := s.object(countTotalFields, all)
	for i := s.field(&o); i >= 0; i = s.field(&o) {
		switch i {
		case countTotalCount:
			*count = s.integer()
		case countTotalTotal:
			*total = s.integer()
		}
	}
	s.require(&o, 1<<countTotalCount|1<<countTotalTotal)
}

const (
	resolveAction = iota
	resolveReason
)

var resolveFields = []string{resolveAction: "action", resolveReason: "reason"}

// resolve reads what the office decides about something parked.
func (s *scanner) resolve(r *Request) {
	o := s.object(resolveFields, all)
	for i := s.field(&o); i >= 0; i = s.field(&o) {
		switch i {
		case resolveAction:
			r.Action = s.text()
		case resolveReason:
			r.Reason = s.text()
		}
	}
	s.require(&o, 1<<resolveAction|1<<resolveReason)
}
