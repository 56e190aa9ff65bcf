package protocol

import "runtime"

// directoryFields name the one field of each directory's document.
func directoryFields(call Call) []string {
	switch call {
	case CallPutStores:
		return storesField
	case CallPutProducts:
		return productsField
	case CallPutTemplates:
		return templatesField
	}
	return cashiersField
}

var (
	storesField    = []string{"stores"}
	productsField  = []string{"products"}
	cashiersField  = []string{"cashiers"}
	templatesField = []string{"templates"}
)

// breath is the number of rows after which whoever reads or checks a
// directory lets others have the processor: a hundred thousand rows must not
// keep tills waiting, and a hundred take some 0.1 ms.
const breath = 100

// rowBytes is what a row of a directory takes at the least, but for the
// shortest ones: room for as many as the rest of the body may hold is made at
// once.
const rowBytes = 100

// directory reads rows to be merged into a directory.
func (s *scanner) directory(r *Request) {
	o := s.object(directoryFields(r.Call), all)
	for i := s.field(&o); i >= 0; i = s.field(&o) {
		a := s.array(MaxDirectory)
		for s.element(&a) {
			if a.count%breath == 0 {
				runtime.Gosched()
			}
			switch r.Call {
			case CallPutStores:
				r.Stores = append(r.Stores, s.store())
			case CallPutProducts:
				if r.Products == nil {
					r.Products = make([]ProductEntry, 0, min(MaxDirectory, (len(s.buf)-s.pos)/rowBytes+1))
				}
				r.Products = append(r.Products, s.product())
			case CallPutTemplates:
				r.Templates = append(r.Templates, s.template())
			default:
				r.Cashiers = append(r.Cashiers, s.cashier())
			}
		}
	}
	s.require(&o, 1)
}

// cell reads a text of a row; null clears it.
func (s *scanner) cell(c *RowChange, column int) string {
	if s.null() {
		c.Cleared |= 1 << column
		return ""
	}
	return s.text()
}

// change ends a row: it has its id, and nothing else where it is deleted.
// The bit above the row's columns is that of "deleted".
func (s *scanner) change(o *object, c *RowChange) {
	s.require(o, 1)
	if deleted := uint32(1) << (len(o.names) - 1); c.Deleted && o.seen&^(1|deleted) != 0 {
		s.refuseField("deleted", InvalidRequest, "a row that is deleted has only its "+o.names[0]+" beside it")
	}
}

const storeID = 0

var storeFields = []string{
	storeID: "id", StoreTimezone: "timezone", StoreGroup: "group", StorePartner: "partner", StorePartner + 1: "deleted",
}

func (s *scanner) store() (e StoreEntry) {
	o := s.object(storeFields, all)
	for i := s.field(&o); i >= 0; i = s.field(&o) {
		switch i {
		case storeID:
			e.ID = s.text()
		case StoreTimezone:
			e.Timezone = s.cell(&e.RowChange, i)
		case StoreGroup:
			e.Group = s.cell(&e.RowChange, i)
		case StorePartner:
			e.Partner = s.cell(&e.RowChange, i)
		default:
			e.Deleted = s.boolean()
		}
	}
	s.change(&o, &e.RowChange)
	return e
}

const productSKU = 0

var productFields = []string{
	productSKU: "sku", ProductName: "name", ProductCategory: "category", ProductBrand: "brand",
	ProductSupplier: "supplier", ProductTags: "tags", ProductPrice: "price", ProductPrice + 1: "deleted",
}

func (s *scanner) product() (e ProductEntry) {
	o := s.object(productFields, all)
	for i := s.field(&o); i >= 0; i = s.field(&o) {
		switch i {
		case productSKU:
			e.SKU = s.text()
		case ProductName:
			e.Name = s.cell(&e.RowChange, i)
		case ProductCategory:
			e.Category = s.cell(&e.RowChange, i)
		case ProductBrand:
			e.Brand = s.cell(&e.RowChange, i)
		case ProductSupplier:
			e.Supplier = s.cell(&e.RowChange, i)
		case ProductTags:
			if s.null() {
				e.Cleared |= 1 << i
			} else {
				e.Tags = s.texts([]string{}, MaxLineTags)
			}
		case ProductPrice:
			if s.null() {
				e.Cleared |= 1 << i
			} else {
				e.Price, e.HasPrice = s.integer(), true
			}
		default:
			e.Deleted = s.boolean()
		}
	}
	s.change(&o, &e.RowChange)
	return e
}

const cashierID = 0

var cashierFields = []string{
	cashierID: "id", CashierName: "name", CashierStore: "store", CashierCard: "card", CashierCard + 1: "deleted",
}

func (s *scanner) cashier() (e CashierEntry) {
	o := s.object(cashierFields, all)
	for i := s.field(&o); i >= 0; i = s.field(&o) {
		switch i {
		case cashierID:
			e.ID = s.text()
		case CashierName:
			e.Name = s.cell(&e.RowChange, i)
		case CashierStore:
			e.Store = s.cell(&e.RowChange, i)
		case CashierCard:
			e.Card = s.cell(&e.RowChange, i)
		default:
			e.Deleted = s.boolean()
		}
	}
	s.change(&o, &e.RowChange)
	return e
}

const templateID = 0

var templateFields = []string{
	templateID: "id", TemplatePattern: "pattern", TemplateCheck: "check", TemplateType: "type", TemplateValid: "valid",
	TemplateValid + 1: "deleted",
}

func (s *scanner) template() (e CardTemplate) {
	o := s.object(templateFields, all)
	for i := s.field(&o); i >= 0; i = s.field(&o) {
		switch i {
		case templateID:
			e.ID = s.text()
		case TemplatePattern:
			e.Pattern = s.text()
		case TemplateCheck:
			e.Check = s.cell(&e.RowChange, i)
		case TemplateType:
			e.Type = s.cell(&e.RowChange, i)
		case TemplateValid:
			e.Valid = s.cell(&e.RowChange, i)
		default:
			e.Deleted = s.boolean()
		}
	}
	s.change(&o, &e.RowChange)
	return e
}

const (
	batchTemplate = iota
	batchCount
)

var batchFields = []string{batchTemplate: "template", batchCount: "count"}

// cardBatch reads how many cards are to be made by which template.
func (s *scanner) cardBatch(r *Request) {
	o := s.object(batchFields, all)
	for i := s.field(&o); i >= 0; i = s.field(&o) {
		switch i {
		case batchTemplate:
			r.Card.Template = s.text()
		case batchCount:
			r.Count = s.integer()
		}
	}
	s.require(&o, 1<<batchTemplate|1<<batchCount)
}
