package protocol

import (
	"runtime"
	"time"
)

// column is one text of a directory's row and its bound.
type column struct {
	name, text string
	limit      int
}

// directories checks the rows of a directory, each named once.
func (v *validator) directories(r *Request) {
	switch r.Call {
	case CallPutStores:
		v.stores(r.Stores)
	case CallPutProducts:
		v.products(r.Products)
	case CallPutCashiers:
		v.cashiers(r.Cashiers)
	case CallPutTemplates:
		v.templates(r.Templates)
	}
}

// row checks a row's texts; the first names the row and stands once.
func (v *validator) row(list string, i int, names map[string]struct{}, columns ...column) {
	key := columns[0]
	if key.text == "" {
		v.refuse(InvalidRequest, at(list, i, key.name), sayMissing)
	}
	if _, twice := names[key.text]; twice {
		v.refuse(InvalidRequest, at(list, i, key.name), "an earlier entry has the same")
	}
	names[key.text] = struct{}{}
	if i%breath == breath-1 {
		runtime.Gosched()
	}
	for _, c := range columns {
		if fault := textFault(c.text, c.limit); fault != "" {
			v.refuse(InvalidRequest, at(list, i, c.name), fault)
		}
	}
}

func (v *validator) stores(rows []StoreEntry) {
	names := make(map[string]struct{}, len(rows))
	for i := range rows {
		e := &rows[i]
		v.row("stores", i, names,
			column{"id", e.ID, maxStore}, column{"timezone", e.Timezone, maxTimezone},
			column{"group", e.Group, maxWord}, column{"partner", e.Partner, maxCategory})
		if !v.ok() {
			return
		}
		if e.Timezone == "" {
			continue
		}
		if _, err := time.LoadLocation(e.Timezone); err != nil || e.Timezone == "Local" {
			v.refuse(InvalidRequest, at("stores", i, "timezone"), "is no zone of the IANA database, like Asia/Almaty")
		}
	}
}

func (v *validator) products(rows []ProductEntry) {
	names := make(map[string]struct{}, len(rows))
	for i := range rows {
		e := &rows[i]
		v.row("products", i, names,
			column{"sku", e.SKU, maxSKU}, column{"name", e.Name, maxName}, column{"category", e.Category, maxCategory},
			column{"brand", e.Brand, maxCategory}, column{"supplier", e.Supplier, maxCategory})
		if fault := tagsFault(e.Tags, MaxLineTags); fault != "" {
			v.refuse(InvalidRequest, at("products", i, "tags"), fault)
		}
		if e.Price < 0 || e.Price > MaxAmount {
			v.refuse(InvalidAmount, at("products", i, "price"), amountFault(e.Price))
		}
		if !v.ok() {
			return
		}
	}
}

func (v *validator) cashiers(rows []CashierEntry) {
	names := make(map[string]struct{}, len(rows))
	for i := range rows {
		e := &rows[i]
		v.row("cashiers", i, names,
			column{"id", e.ID, maxCashier}, column{"name", e.Name, maxName}, column{"store", e.Store, maxStore})
		if e.Card != "" && !ValidCard(e.Card) {
			v.refuse(InvalidRequest, at("cashiers", i, "card"), "is no card number")
		}
		if !v.ok() {
			return
		}
	}
}

// templates checks the texts of card templates; whether a pattern makes
// numbers is said where it is understood.
func (v *validator) templates(rows []CardTemplate) {
	names := make(map[string]struct{}, len(rows))
	for i := range rows {
		e := &rows[i]
		v.row("templates", i, names,
			column{"id", e.ID, maxWord}, column{"pattern", e.Pattern, maxPattern}, column{"type", e.Type, maxWord},
			column{"valid", e.Valid, maxWord})
		if e.Check != "" && e.Check != CheckLuhn && e.Check != CheckGS1 {
			v.refuse(InvalidRequest, at("templates", i, "check"), "is luhn or gs1")
		}
		if !v.ok() {
			return
		}
	}
}
