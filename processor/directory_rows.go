package processor

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"tillgate/ledger"
	"tillgate/protocol"
)

// Rows of directories on disk: a byte of the version, then the row's texts in
// the order of their fields, each with its length in front as an unsigned
// varint. A product has the number of its tags before them, and behind them its
// list price and 1, 0 for none. The id is the row's key. Cashiers' rows are
// encrypted by the ledger.
//
// Before version 1 rows were JSON, which begins with a brace; they are read.
const rowVersion = 1

var errRowBytes = errors.New("the row can't be read")

// rowOf is a row's bytes and what is left of them.
type rowOf struct {
	left []byte
	bad  bool
}

func appendTexts(dst []byte, texts ...string) []byte {
	for _, t := range texts {
		dst = append(binary.AppendUvarint(dst, uint64(len(t))), t...)
	}
	return dst
}

func (r *rowOf) number() uint64 {
	n, size := binary.Uvarint(r.left)
	if size <= 0 {
		r.bad, r.left = true, nil
		return 0
	}
	r.left = r.left[size:]
	return n
}

func (r *rowOf) text() string {
	n := r.number()
	if n > uint64(len(r.left)) {
		r.bad, r.left = true, nil
		return ""
	}
	t := string(r.left[:n])
	r.left = r.left[n:]
	return t
}

func (r *rowOf) end() error {
	if r.bad || len(r.left) > 0 {
		return errRowBytes
	}
	return nil
}

// openRow tells the version of a row. Old ones are unmarshalled into old.
func openRow(data []byte, old any) (r rowOf, isOld bool, err error) {
	switch {
	case len(data) == 0:
		return r, false, errRowBytes
	case data[0] == '{':
		if json.Unmarshal(data, old) != nil {
			return r, true, errRowBytes // its own error may quote a name
		}
		return r, true, nil
	case data[0] != rowVersion:
		return r, false, fmt.Errorf("the row was written by a newer version: %d", data[0])
	}
	return rowOf{left: data[1:]}, false, nil
}

func encodeStore(e *protocol.StoreEntry) []byte {
	return appendTexts([]byte{rowVersion}, e.Timezone, e.Group, e.Partner)
}

func decodeStore(row ledger.DirectoryRow) (e protocol.StoreEntry, err error) {
	r, old, err := openRow(row.Data, &e)
	if err != nil || old {
		return e, err
	}
	e = protocol.StoreEntry{ID: row.ID, Timezone: r.text(), Group: r.text(), Partner: r.text()}
	return e, r.end()
}

func encodeProduct(e *protocol.ProductEntry) []byte {
	dst := make([]byte, 0, 16+len(e.Name)+len(e.Category)+len(e.Brand)+len(e.Supplier))
	dst = appendTexts(append(dst, rowVersion), e.Name, e.Category, e.Brand, e.Supplier)
	dst = appendTexts(binary.AppendUvarint(dst, uint64(len(e.Tags))), e.Tags...)
	if !e.HasPrice {
		return append(dst, 0)
	}
	return binary.AppendUvarint(dst, uint64(e.Price)+1)
}

func decodeProduct(row ledger.DirectoryRow) (e protocol.ProductEntry, err error) {
	r, old, err := openRow(row.Data, &e)
	if err != nil || old {
		return e, err
	}
	e = protocol.ProductEntry{SKU: row.ID, Name: r.text(), Category: r.text(), Brand: r.text(), Supplier: r.text()}
	n := r.number()
	if n > protocol.MaxLineTags {
		return e, errRowBytes
	}
	for range n {
		e.Tags = append(e.Tags, r.text())
	}
	if price := r.number(); price > 0 {
		if price > protocol.MaxAmount+1 {
			return e, errRowBytes
		}
		e.Price, e.HasPrice = int64(price-1), true
	}
	return e, r.end()
}

func encodeCashier(e *protocol.CashierEntry) []byte {
	return appendTexts([]byte{rowVersion}, e.Name, e.Store, e.Card)
}

func decodeCashier(row ledger.DirectoryRow) (e protocol.CashierEntry, err error) {
	r, old, err := openRow(row.Data, &e)
	if err != nil || old {
		return e, err
	}
	e = protocol.CashierEntry{ID: row.ID, Name: r.text(), Store: r.text(), Card: r.text()}
	return e, r.end()
}

func encodeTemplate(e *protocol.CardTemplate) []byte {
	return appendTexts([]byte{rowVersion}, e.Pattern, e.Check, e.Type, e.Valid)
}

func decodeTemplate(row ledger.DirectoryRow) (e protocol.CardTemplate, err error) {
	r, _, err := openRow(row.Data, &e)
	if err != nil {
		return e, err
	}
	e = protocol.CardTemplate{ID: row.ID, Pattern: r.text(), Check: r.text(), Type: r.text(), Valid: r.text()}
	return e, r.end()
}

// storedProduct is a product's whole row.
func (s *Switch) storedProduct(merchant, sku string) (e protocol.ProductEntry, err error) {
	data, err := s.ledger.DirectoryRow(dirProducts, merchant, sku)
	if err != nil || data == nil {
		return e, err
	}
	return decodeProduct(ledger.DirectoryRow{ID: sku, Data: data})
}

// storedCashier is a cashier's whole row.
func (s *Switch) storedCashier(merchant, id string) (e protocol.CashierEntry, err error) {
	data, err := s.ledger.SealedRow(dirCashiers, merchant, id)
	if err != nil || data == nil {
		return e, err
	}
	return decodeCashier(ledger.DirectoryRow{ID: id, Data: data})
}

// sealOldCashiers encrypts cashiers' rows that lie in the open, as they did
// before version 1. It is done before anything is served, and again after a
// crash in between.
func (s *Switch) sealOldCashiers(merchant string) error {
	var sealed, gone []ledger.DirectoryRow
	var bad error
	err := s.ledger.Directory(dirCashiers, merchant, func(row ledger.DirectoryRow) bool {
		var e protocol.CashierEntry
		if e, bad = decodeCashier(row); bad != nil {
			return false
		}
		id := strings.Clone(row.ID)
		sealed = append(sealed, ledger.DirectoryRow{ID: id, Data: encodeCashier(&e)})
		gone = append(gone, ledger.DirectoryRow{ID: id})
		return true
	})
	if err = errors.Join(err, bad); err != nil || len(sealed) == 0 {
		return err
	}
	if err := s.ledger.PutSealed("", dirCashiers, merchant, sealed...); err != nil {
		return err
	}
	return s.ledger.PutDirectory("", dirCashiers, merchant, gone...)
}
