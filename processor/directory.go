package processor

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tillgate/ledger"
	"tillgate/protocol"
)

// Directory kinds as the ledger keys them. They are on disk.
const (
	dirStores    byte = 's'
	dirProducts  byte = 'p'
	dirCashiers  byte = 'c'
	dirTemplates byte = 't'
)

// maxRows bounds the rows of a merchant's directories: what decisions ask of
// them lies in memory, some 200 bytes a product.
var maxRows = map[byte]int{dirStores: 100_000, dirProducts: 1_000_000, dirCashiers: 100_000, dirTemplates: 1000}

// directory is what decisions ask of the stores, products, cashiers and card
// templates of one merchant. A snapshot never changes: a merge makes a new one
// and swaps it in, so that readers take no lock and see a call's rows all at
// once or not at all.
type directory struct {
	stores    map[string]*storeRow
	products  map[string]*productRow
	cashiers  map[string]cashierRow
	templates map[string]*cardTemplate
}

// storeRow is a store with its time zone loaded.
type storeRow struct {
	protocol.StoreEntry
	zone *time.Location // nil: the programme's
}

// productRow is what rules ask of a product. It is shared by all who read it and
// never changes. Price is the list price in minor units of money, 0 for none.
type productRow struct {
	Category, Brand, Supplier string
	Tags                      []string
	Price                     int64
}

// cashierRow is a cashier without what is personal: the name lies in the
// ledger alone, and of the cashier's own card there is its key.
type cashierRow struct {
	store string
	card  ledger.Key // zero for none
}

// directories holds every merchant's directory. The ledger is where they
// live; this is the copy that decisions read.
type directories struct {
	ledger *ledger.Ledger
	write  sync.Mutex // one merge at a time
	byName atomic.Pointer[map[string]*directory]
}

// newDirectories reads every merchant's directory.
func newDirectories(s *Switch) (*directories, error) {
	d := &directories{ledger: s.ledger}
	merchants, err := s.ledger.DirectoryMerchants()
	if err != nil {
		return nil, err
	}
	all := make(map[string]*directory, len(merchants))
	for _, m := range merchants {
		if all[m], err = s.loadDirectory(m); err != nil {
			return nil, err
		}
	}
	d.byName.Store(&all)
	return d, nil
}

func (s *Switch) loadDirectory(merchant string) (*directory, error) {
	if err := s.sealOldCashiers(merchant); err != nil {
		return nil, err
	}
	d, known := &directory{}, newPool()
	for _, kind := range []byte{dirStores, dirProducts, dirTemplates, dirCashiers} {
		d.fresh(kind)
		rows := s.ledger.DirectoryAfter
		if kind == dirCashiers {
			rows = s.ledger.SealedAfter
		}
		var bad error
		err := rows(kind, merchant, "", func(row ledger.DirectoryRow) bool {
			if bad = s.loadRow(d, known, merchant, kind, row); bad != nil {
				bad = fmt.Errorf("a row of directory %c of merchant %q: %w", kind, merchant, bad)
			}
			return bad == nil
		})
		if err == nil {
			err = bad
		}
		if err != nil {
			return nil, err
		}
	}
	return d, nil
}

// loadRow takes a stored row into memory.
func (s *Switch) loadRow(d *directory, known *pool, merchant string, kind byte, row ledger.DirectoryRow) (err error) {
	switch kind {
	case dirStores:
		var e protocol.StoreEntry
		if e, err = decodeStore(row); err == nil {
			d.stores[e.ID], err = newStoreRow(e)
		}
	case dirProducts:
		var e protocol.ProductEntry
		if e, err = decodeProduct(row); err == nil {
			d.products[e.SKU] = known.product(&e)
		}
	case dirTemplates:
		var e protocol.CardTemplate
		if e, err = decodeTemplate(row); err == nil {
			d.templates[e.ID], err = newCardTemplate(e)
		}
	default:
		var e protocol.CashierEntry
		if e, err = decodeCashier(row); err == nil {
			d.cashiers[e.ID] = s.newCashierRow(merchant, &e)
		}
	}
	return err
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

func (s *Switch) newCashierRow(merchant string, e *protocol.CashierEntry) cashierRow {
	row := cashierRow{store: e.Store}
	if e.Card != "" {
		row.card, _ = s.identifierKey(merchant, protocol.ByCard, e.Card)
	}
	return row
}

// pool gives equal texts and lists of tags one place in memory: a hundred
// thousand products have a few hundred categories. It lives as long as one
// load or one merge.
type pool struct {
	texts map[string]string
	tags  map[string][]string
}

func newPool() *pool { return &pool{texts: map[string]string{}, tags: map[string][]string{}} }

func (p *pool) text(s string) string {
	if s == "" {
		return ""
	}
	one, ok := p.texts[s]
	if !ok {
		one = strings.Clone(s)
		p.texts[one] = one
	}
	return one
}

func (p *pool) list(tags []string) []string {
	if len(tags) == 0 {
		return nil
	}
	key := strings.Join(tags, "\x00")
	one, ok := p.tags[key]
	if !ok {
		one = make([]string, len(tags))
		for i, t := range tags {
			one[i] = p.text(t)
		}
		p.tags[key] = one
	}
	return one
}

func (p *pool) product(e *protocol.ProductEntry) *productRow {
	return &productRow{
		Category: p.text(e.Category), Brand: p.text(e.Brand), Supplier: p.text(e.Supplier),
		Tags: p.list(e.Tags), Price: e.Price,
	}
}

var nowhere = &directory{}

// of is the merchant's directory; never nil.
func (d *directories) of(merchant string) *directory {
	if one := (*d.byName.Load())[merchant]; one != nil {
		return one
	}
	return nowhere
}

// zone is the store's time zone, nil where the directory names none.
func (d *directory) zone(store string) *time.Location {
	if s := d.stores[store]; s != nil {
		return s.zone
	}
	return nil
}

// ownCard reports whether a card, by its key, is the cashier's own.
func (d *directory) ownCard(cashier string, card ledger.Key) bool {
	row, ok := d.cashiers[cashier]
	return ok && card != ledger.Key{} && row.card == card
}

// fresh gives the directory a table of a kind that nobody else reads: a copy.
func (d *directory) fresh(kind byte) {
	switch kind {
	case dirStores:
		d.stores = cloneOrNew(d.stores)
	case dirProducts:
		d.products = cloneOrNew(d.products)
	case dirCashiers:
		d.cashiers = cloneOrNew(d.cashiers)
	case dirTemplates:
		d.templates = cloneOrNew(d.templates)
	}
}

// cloneOrNew copies a table, letting others have the processor in between.
func cloneOrNew[V any](m map[string]V) map[string]V {
	next := make(map[string]V, len(m))
	n := 0
	for id, row := range m {
		next[id] = row
		if n++; n%breath == 0 {
			runtime.Gosched()
		}
	}
	return next
}

// size is the number of rows of a kind.
func (d *directory) size(kind byte) int {
	switch kind {
	case dirStores:
		return len(d.stores)
	case dirProducts:
		return len(d.products)
	case dirCashiers:
		return len(d.cashiers)
	}
	return len(d.templates)
}
