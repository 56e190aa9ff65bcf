package protocol

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

// directoryFields name the one field of each directory's document.
func directoryFields(call Call) []string {
	switch call {
	case CallPutStores:
		return storesField
	case CallPutProducts:
		return productsField
	}
	return cashiersField
}

var (
	storesField   = []string{"stores"}
	productsField = []string{"products"}
	cashiersField = []string{"cashiers"}
)

// directory reads rows to be merged into a directory.
func (s *scanner) directory(r *Request) {
	o := s.object(directoryFields(r.Call), all)
	for i := s.field(&o); i >= 0; i = s.field(&o) {
		a := s.array(MaxDirectory)
		for s.element(&a) {
			switch r.Call {
			case CallPutStores:
				r.Stores = append(r.Stores, s.store())
			case CallPutProducts:
				r.Products = append(r.Products, s.product())
			default:
				r.Cashiers = append(r.Cashiers, s.cashier())
			}
		}
	}
	s.require(&o, 1)
}

const (
	storeID = iota
	storeTimezone
	storeGroup
	storePartner
)

var storeFields = []string{storeID: "id", storeTimezone: "timezone", storeGroup: "group", storePartner: "partner"}

func (s *scanner) store() (e StoreEntry) {
	o := s.object(storeFields, all)
	for i := s.field(&o); i >= 0; i = s.field(&o) {
		switch i {
		case storeID:
			e.ID = s.text()
		case storeTimezone:
			e.Timezone = s.text()
		case storeGroup:
			e.Group = s.text()
		case storePartner:
			e.Partner = s.text()
		}
	}
	s.require(&o, 1<<storeID)
	return e
}

const (
	productSKU = iota
	productName
	productCategory
	productBrand
	productSupplier
	productTags
)

var productFields = []string{
	productSKU: "sku", productName: "name", productCategory: "category", productBrand: "brand",
	productSupplier: "supplier", productTags: "tags",
}

func (s *scanner) product() (e ProductEntry) {
	o := s.object(productFields, all)
	for i := s.field(&o); i >= 0; i = s.field(&o) {
		switch i {
		case productSKU:
			e.SKU = s.text()
		case productName:
			e.Name = s.text()
		case productCategory:
			e.Category = s.text()
		case productBrand:
			e.Brand = s.text()
		case productSupplier:
			e.Supplier = s.text()
		case productTags:
			e.Tags = s.texts(nil, MaxLineTags)
		}
	}
	s.require(&o, 1<<productSKU)
	return e
}

const (
	cashierID = iota
	cashierName
	cashierStore
	cashierCard
)

var cashierFields = []string{cashierID: "id", cashierName: "name", cashierStore: "store", cashierCard: "card"}

func (s *scanner) cashier() (e CashierEntry) {
	o := s.object(cashierFields, all)
	for i := s.field(&o); i >= 0; i = s.field(&o) {
		switch i {
		case cashierID:
			e.ID = s.text()
		case cashierName:
			e.Name = s.text()
		case cashierStore:
			e.Store = s.text()
		case cashierCard:
			e.Card = s.text()
		}
	}
	s.require(&o, 1<<cashierID)
	return e
}
