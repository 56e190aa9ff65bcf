package protocol

import "slices"

// Rows of the directories that an office keeps. A call merges rows by their
// id: what a row leaves out stays as it is, null clears it, and a row that is
// deleted goes as a whole.

// RowChange is what a row of a directory says beside its fields.
type RowChange struct {
	Cleared Columns // the fields that were sent as null
	Deleted bool    // the row goes; it has only its id then
}

// Columns is a set of a row's fields, one bit each in the order in which the
// row's fields are known.
type Columns uint16

// Has reports whether a field is in the set.
func (c Columns) Has(column int) bool { return c>>column&1 == 1 }

// StoreEntry is one row of the store directory: where the store's clock is,
// and which group and partner it belongs to.
type StoreEntry struct {
	ID, Timezone, Group, Partner string
	RowChange
}

// ProductEntry is one row of the product directory. Price is the list price in
// minor units of money, which price bands look at where a line names no price
// of its own; HasPrice says that it was sent. Tags are nil where they were
// not.
type ProductEntry struct {
	SKU, Name, Category, Brand, Supplier string
	Tags                                 []string
	Price                                int64
	HasPrice                             bool
	RowChange
}

// CashierEntry is one row of the cashier directory; Card is the cashier's own
// loyalty card. Name and Card are personal data.
type CashierEntry struct {
	ID, Name, Store, Card string
	RowChange
}

// CardTemplate says how numbers of new cards are made. In Pattern a digit
// stands for itself, # for a digit that is drawn and C for the check digit;
// spaces and dashes are for the eye. Check is how the check digit is computed:
// luhn (the default) or gs1, that of EAN barcodes. Type is the card type that
// rules ask for. Valid is a term as a programme writes it, like 3y, counted
// from the day on which a card becomes a member's; empty is for ever.
type CardTemplate struct {
	ID, Pattern, Check, Type, Valid string
	RowChange
}

// How a check digit is computed, see [CardTemplate].
const (
	CheckLuhn = "luhn" // ISO/IEC 7812-1, annex B
	CheckGS1  = "gs1"  // GS1 General Specifications, 7.9: weights 3 and 1
)

// Columns of each row, for [RowChange.Cleared].
const (
	StoreTimezone = 1 + iota
	StoreGroup
	StorePartner
)

// Columns of a product.
const (
	ProductName = 1 + iota
	ProductCategory
	ProductBrand
	ProductSupplier
	ProductTags
	ProductPrice
)

// Columns of a cashier.
const (
	CashierName = 1 + iota
	CashierStore
	CashierCard
)

// Columns of a card template. A pattern is never cleared.
const (
	TemplatePattern = 1 + iota
	TemplateCheck
	TemplateType
	TemplateValid
)

// IsDirectory reports whether a call sends rows of a directory. Such a call
// has a bound of its own for its body, see [MaxDirectoryBody].
func (c Call) IsDirectory() bool {
	return slices.Contains(directoryCalls[:], c)
}

var directoryCalls = [...]Call{CallPutProducts, CallPutStores, CallPutCashiers, CallPutTemplates}

// BodyLimit is the most bytes that a call's body may have.
func (c Call) BodyLimit() int {
	if c.IsDirectory() {
		return MaxDirectoryBody
	}
	return MaxBody
}
