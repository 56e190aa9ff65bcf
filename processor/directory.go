package processor

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tillgate/ledger"
	"tillgate/protocol"
)

// Directory kinds as the ledger keys them. They are on disk.
const (
	dirStores   byte = 's'
	dirProducts byte = 'p'
	dirCashiers byte = 'c'
)

// directory is what the offices have told about stores, products and
// cashiers of one merchant. A snapshot never changes: a merge makes a new one
// and swaps it in, so that readers take no lock.
type directory struct {
	stores   map[string]*storeRow
	products map[string]*protocol.ProductEntry
	cashiers map[string]*protocol.CashierEntry
}

// storeRow is a store with its time zone loaded.
type storeRow struct {
	protocol.StoreEntry
	zone *time.Location // nil: the programme's
}

// directories holds every merchant's directory. The ledger is where they
// live; this is the copy that decisions read.
type directories struct {
	ledger *ledger.Ledger
	write  sync.Mutex // one merge at a time
	byName atomic.Pointer[map[string]*directory]
}

func newDirectories(l *ledger.Ledger, merchants []string) (*directories, error) {
	d := &directories{ledger: l}
	all := make(map[string]*directory, len(merchants))
	for _, m := range merchants {
		one, err := loadDirectory(l, m)
		if err != nil {
			return nil, err
		}
		all[m] = one
	}
	d.byName.Store(&all)
	return d, nil
}

func loadDirectory(l *ledger.Ledger, merchant string) (*directory, error) {
	d := &directory{
		stores:   map[string]*storeRow{},
		products: map[string]*protocol.ProductEntry{},
		cashiers: map[string]*protocol.CashierEntry{},
	}
	read := func(kind byte, put func(row []byte) error) error {
		var bad error
		err := l.Directory(kind, merchant, func(row ledger.DirectoryRow) bool {
			if bad = put(row.Data); bad != nil {
				bad = fmt.Errorf("directory %c, row %q: %w", kind, row.ID, bad)
			}
			return bad == nil
		})
		if err == nil {
			err = bad
		}
		return err
	}
	err := read(dirStores, func(row []byte) error {
		var e protocol.StoreEntry
		if err := json.Unmarshal(row, &e); err != nil {
			return err
		}
		s, err := newStoreRow(e)
		d.stores[e.ID] = s
		return err
	})
	if err != nil {
		return nil, err
	}
	err = read(dirProducts, func(row []byte) error {
		var e protocol.ProductEntry
		if err := json.Unmarshal(row, &e); err != nil {
			return err
		}
		d.products[e.SKU] = &e
		return nil
	})
	if err != nil {
		return nil, err
	}
	return d, read(dirCashiers, func(row []byte) error {
		var e protocol.CashierEntry
		if err := json.Unmarshal(row, &e); err != nil {
			return err
		}
		d.cashiers[e.ID] = &e
		return nil
	})
}

func newStoreRow(e protocol.StoreEntry) (*storeRow, error) {
	s := &storeRow{StoreEntry: e}
	if e.Timezone == "" {
		return s, nil
	}
	zone, err := time.LoadLocation(e.Timezone)
	if err != nil {
		return nil, fmt.Errorf("no such time zone: %q", e.Timezone)
	}
	s.zone = zone
	return s, nil
}

// of is the merchant's directory; never nil.
func (d *directories) of(merchant string) *directory {
	if one := (*d.byName.Load())[merchant]; one != nil {
		return one
	}
	return &directory{}
}

// zone is the store's time zone, nil where the directory names none.
func (d *directory) zone(store string) *time.Location {
	if s := d.stores[store]; s != nil {
		return s.zone
	}
	return nil
}

// merge writes the request's rows into the ledger and then into a new
// snapshot. Empty fields of a row keep what is there. A refused row refuses
// the whole request before anything is written.
func (d *directories) merge(r *protocol.Request) (count int64, refusal string, err error) {
	d.write.Lock()
	defer d.write.Unlock()
	merchant := r.Caller.Merchant
	next := d.of(merchant).copyFor(r.Call)
	var rows []ledger.DirectoryRow
	add := func(id string, row any) error {
		b, err := json.Marshal(row)
		rows = append(rows, ledger.DirectoryRow{ID: id, Data: b})
		return err
	}
	for _, e := range r.Stores {
		merged := e
		if old := next.stores[e.ID]; old != nil {
			merged.Timezone = cloneOr(e.Timezone, old.Timezone)
			merged.Group = cloneOr(e.Group, old.Group)
			merged.Partner = cloneOr(e.Partner, old.Partner)
		}
		s, err := newStoreRow(cloneStore(merged))
		if err != nil {
			return 0, err.Error(), nil
		}
		next.stores[s.ID] = s
		if err := add(s.ID, s.StoreEntry); err != nil {
			return 0, "", err
		}
	}
	for _, e := range r.Products {
		p := mergeProduct(next.products[e.SKU], e)
		next.products[p.SKU] = p
		if err := add(p.SKU, p); err != nil {
			return 0, "", err
		}
	}
	for _, e := range r.Cashiers {
		c := mergeCashier(next.cashiers[e.ID], e)
		next.cashiers[c.ID] = c
		if err := add(c.ID, c); err != nil {
			return 0, "", err
		}
	}
	if err := d.ledger.PutDirectory(directoryKind(r.Call), merchant, rows...); err != nil {
		return 0, "", err
	}
	all := maps.Clone(*d.byName.Load())
	all[merchant] = next
	d.byName.Store(&all)
	return int64(len(rows)), "", nil
}

// directoryKind is the directory that a call is about.
func directoryKind(call protocol.Call) byte {
	switch call {
	case protocol.CallPutStores:
		return dirStores
	case protocol.CallPutProducts:
		return dirProducts
	}
	return dirCashiers
}

var (
	_ = serve(protocol.CallPutStores, plan{direct: putDirectory})
	_ = serve(protocol.CallPutProducts, plan{direct: putDirectory})
	_ = serve(protocol.CallPutCashiers, plan{direct: putDirectory})
)

// putDirectory serves the directory calls.
func putDirectory(t *Task) error {
	count, refusal, err := t.s.directories.merge(t.request())
	if err != nil {
		return err
	}
	if refusal != "" {
		t.refuse(protocol.InvalidRequest, "timezone", refusal)
		return nil
	}
	t.response().Count = count
	return nil
}

// copyFor copies the one table that the call is about and shares the others.
func (d *directory) copyFor(call protocol.Call) *directory {
	next := *d
	switch call {
	case protocol.CallPutStores:
		next.stores = cloneOrNew(d.stores)
	case protocol.CallPutProducts:
		next.products = cloneOrNew(d.products)
	case protocol.CallPutCashiers:
		next.cashiers = cloneOrNew(d.cashiers)
	}
	return &next
}

func cloneOrNew[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return map[K]V{}
	}
	return maps.Clone(m)
}

// cloneOr is orElse for what is kept: request strings die with their request.
func cloneOr(a, b string) string {
	if a == "" {
		return b
	}
	return strings.Clone(a)
}

func cloneStore(e protocol.StoreEntry) protocol.StoreEntry {
	return protocol.StoreEntry{
		ID:       strings.Clone(e.ID),
		Timezone: strings.Clone(e.Timezone),
		Group:    strings.Clone(e.Group),
		Partner:  strings.Clone(e.Partner),
	}
}

func mergeProduct(old *protocol.ProductEntry, e protocol.ProductEntry) *protocol.ProductEntry {
	if old == nil {
		old = &protocol.ProductEntry{}
	}
	p := &protocol.ProductEntry{
		SKU:      strings.Clone(e.SKU),
		Name:     cloneOr(e.Name, old.Name),
		Category: cloneOr(e.Category, old.Category),
		Brand:    cloneOr(e.Brand, old.Brand),
		Supplier: cloneOr(e.Supplier, old.Supplier),
		Tags:     old.Tags,
	}
	if e.Tags != nil {
		p.Tags = make([]string, len(e.Tags))
		for i, t := range e.Tags {
			p.Tags[i] = strings.Clone(t)
		}
	}
	return p
}

func mergeCashier(old *protocol.CashierEntry, e protocol.CashierEntry) *protocol.CashierEntry {
	if old == nil {
		old = &protocol.CashierEntry{}
	}
	return &protocol.CashierEntry{
		ID:    strings.Clone(e.ID),
		Name:  cloneOr(e.Name, old.Name),
		Store: cloneOr(e.Store, old.Store),
		Card:  cloneOr(e.Card, old.Card),
	}
}
