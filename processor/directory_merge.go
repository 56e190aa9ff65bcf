package processor

import (
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"

	"tillgate/ledger"
	"tillgate/protocol"
)

// directoryKind is the directory that a call is about.
func directoryKind(call protocol.Call) byte {
	switch call {
	case protocol.CallPutStores, protocol.CallListStores:
		return dirStores
	case protocol.CallPutProducts, protocol.CallListProducts:
		return dirProducts
	case protocol.CallPutTemplates, protocol.CallListTemplates:
		return dirTemplates
	}
	return dirCashiers
}

const (
	// breath is the number of rows after which a merge lets others have the
	// processor: tills need not wait for a hundred thousand rows.
	breath = 100
	// rowsOfBatch is the number of rows that are written in one batch: some
	// 100 KB, which the log takes between two batches of the tills.
	rowsOfBatch = 1000
)

// rowMerge is a merge under way.
type rowMerge struct {
	s        *Switch
	merchant string
	kind     byte
	next     *directory
	known    *pool
	rows     []ledger.DirectoryRow
}

// errRow refuses a row; the whole call with it.
type errRow struct {
	field, detail string
	code          protocol.Code
}

func (e errRow) Error() string { return e.field + ": " + e.detail }

// merge decides all rows of a request, then writes them, then lets decisions
// see them. A refused row refuses the whole request before anything is
// written. Rows are written in batches of their own, so a crash in between
// leaves whole batches; nobody was told, and the repeat does the rest.
func (d *directories) merge(s *Switch, r *protocol.Request) (count int64, err error) {
	d.write.Lock()
	defer d.write.Unlock()
	next := *d.of(r.Caller.Merchant)
	m := &rowMerge{s: s, merchant: strings.Clone(r.Caller.Merchant), kind: directoryKind(r.Call), next: &next, known: newPool()}
	next.fresh(m.kind)
	if err := m.decide(r); err != nil {
		return 0, err
	}
	if most := maxRows[m.kind]; next.size(m.kind) > most {
		return 0, errRow{detail: fmt.Sprintf("the directory would have more than %d rows", most), code: protocol.LimitExceededCount}
	}
	put := s.ledger.PutDirectory
	if m.kind == dirCashiers {
		put = s.ledger.PutSealed
	}
	for piece := range slices.Chunk(m.rows, rowsOfBatch) {
		if err := put(r.Caller.Key, m.kind, m.merchant, piece...); err != nil {
			return 0, err
		}
	}
	all := maps.Clone(*d.byName.Load())
	all[m.merchant] = &next
	d.byName.Store(&all)
	return int64(len(m.rows)), nil
}

func (m *rowMerge) decide(r *protocol.Request) error {
	m.rows = make([]ledger.DirectoryRow, 0, len(r.Stores)+len(r.Products)+len(r.Cashiers)+len(r.Templates))
	if err := mergeAll(m, r.Stores, m.store); err != nil {
		return err
	}
	if err := mergeAll(m, r.Products, m.product); err != nil {
		return err
	}
	if err := mergeAll(m, r.Cashiers, m.cashier); err != nil {
		return err
	}
	return mergeAll(m, r.Templates, m.template)
}

// mergeAll merges a request's rows one by one.
func mergeAll[E any](m *rowMerge, rows []E, one func(*E) (ledger.DirectoryRow, error)) error {
	for i := range rows {
		if i%breath == breath-1 {
			runtime.Gosched()
		}
		row, err := one(&rows[i])
		var bad errRow
		if errors.As(err, &bad) {
			bad.field = fmt.Sprintf("%s[%d].%s", directoryNames[m.kind], i, bad.field)
			return bad
		}
		if err != nil {
			return err
		}
		m.rows = append(m.rows, row)
	}
	return nil
}

// directoryNames are the directories as requests and files name them.
var directoryNames = map[byte]string{dirStores: "stores", dirProducts: "products", dirCashiers: "cashiers", dirTemplates: "templates"}

func (m *rowMerge) store(e *protocol.StoreEntry) (row ledger.DirectoryRow, err error) {
	row.ID = strings.Clone(e.ID)
	if e.Deleted {
		delete(m.next.stores, row.ID)
		return row, nil
	}
	var old protocol.StoreEntry
	if was := m.next.stores[e.ID]; was != nil {
		old = was.StoreEntry
	}
	merged := protocol.StoreEntry{
		ID:       row.ID,
		Timezone: strings.Clone(said(e.Timezone, old.Timezone, e.Cleared.Has(protocol.StoreTimezone))),
		Group:    strings.Clone(said(e.Group, old.Group, e.Cleared.Has(protocol.StoreGroup))),
		Partner:  strings.Clone(said(e.Partner, old.Partner, e.Cleared.Has(protocol.StorePartner))),
	}
	s, err := newStoreRow(merged)
	if err != nil {
		return row, errRow{field: "timezone", detail: err.Error()}
	}
	m.next.stores[row.ID] = s
	row.Data = encodeStore(&merged)
	return row, nil
}

func (m *rowMerge) product(e *protocol.ProductEntry) (row ledger.DirectoryRow, err error) {
	row.ID = strings.Clone(e.SKU)
	if e.Deleted {
		delete(m.next.products, row.ID)
		return row, nil
	}
	var old protocol.ProductEntry
	if m.next.products[e.SKU] != nil { // its name is on disk only
		if old, err = m.s.storedProduct(m.merchant, row.ID); err != nil {
			return row, err
		}
	}
	merged := protocol.ProductEntry{
		SKU:      row.ID,
		Name:     said(e.Name, old.Name, e.Cleared.Has(protocol.ProductName)),
		Category: said(e.Category, old.Category, e.Cleared.Has(protocol.ProductCategory)),
		Brand:    said(e.Brand, old.Brand, e.Cleared.Has(protocol.ProductBrand)),
		Supplier: said(e.Supplier, old.Supplier, e.Cleared.Has(protocol.ProductSupplier)),
		Tags:     old.Tags, Price: old.Price, HasPrice: old.HasPrice,
	}
	if e.Tags != nil || e.Cleared.Has(protocol.ProductTags) {
		merged.Tags = e.Tags
	}
	if e.HasPrice || e.Cleared.Has(protocol.ProductPrice) {
		merged.Price, merged.HasPrice = e.Price, e.HasPrice
	}
	m.next.products[row.ID] = m.known.product(&merged)
	row.Data = encodeProduct(&merged)
	return row, nil
}

func (m *rowMerge) cashier(e *protocol.CashierEntry) (row ledger.DirectoryRow, err error) {
	row.ID = strings.Clone(e.ID)
	if e.Deleted {
		delete(m.next.cashiers, row.ID)
		return row, nil
	}
	var old protocol.CashierEntry
	if _, there := m.next.cashiers[e.ID]; there {
		if old, err = m.s.storedCashier(m.merchant, row.ID); err != nil {
			return row, err
		}
	}
	merged := protocol.CashierEntry{
		ID:    row.ID,
		Name:  said(e.Name, old.Name, e.Cleared.Has(protocol.CashierName)),
		Store: strings.Clone(said(e.Store, old.Store, e.Cleared.Has(protocol.CashierStore))),
		Card:  said(e.Card, old.Card, e.Cleared.Has(protocol.CashierCard)),
	}
	m.next.cashiers[row.ID] = m.s.newCashierRow(m.merchant, &merged)
	row.Data = encodeCashier(&merged)
	return row, nil
}

// said is what a merge makes of a field: what was sent, else nothing if it was
// cleared, else what is there.
func said(sent, old string, cleared bool) string {
	switch {
	case sent != "":
		return sent
	case cleared:
		return ""
	}
	return old
}

var (
	_ = serve(protocol.CallPutStores, plan{direct: putDirectory})
	_ = serve(protocol.CallPutProducts, plan{direct: putDirectory})
	_ = serve(protocol.CallPutCashiers, plan{direct: putDirectory})
	_ = serve(protocol.CallPutTemplates, plan{direct: putDirectory})
)

// putDirectory serves the directory calls.
func putDirectory(t *Task) error {
	count, err := t.s.directories.merge(t.s, t.request())
	var bad errRow
	if errors.As(err, &bad) {
		if bad.code == protocol.Approved {
			bad.code = protocol.InvalidRequest
		}
		t.refuse(bad.code, bad.field, bad.detail)
		return nil
	}
	t.response().Count = count
	return err
}
