package processor

import (
	"errors"
	"strings"

	"tillgate/ledger"
	"tillgate/protocol"
)

var (
	_ = serve(protocol.CallListStores, plan{direct: listDirectory})
	_ = serve(protocol.CallListProducts, plan{direct: listDirectory})
	_ = serve(protocol.CallListCashiers, plan{direct: listDirectory})
	_ = serve(protocol.CallListTemplates, plan{direct: listDirectory})
)

const (
	directoryPage = 100 // rows of a page when the caller asks for none
	directoryMost = 500 // and at most
)

// listDirectory tells a page of a directory, by id, from the ledger: the rows
// behind the cursor, which is the last id of the page before. It is read on
// the caller's goroutine.
func listDirectory(t *Task) error {
	r, out := t.request(), t.response()
	kind := directoryKind(r.Call)
	limit := r.Limit
	if limit == 0 {
		limit = directoryPage
	}
	limit = min(limit, directoryMost)
	rows := t.s.ledger.DirectoryAfter
	if kind == dirCashiers {
		rows = t.s.ledger.SealedAfter
	}
	n, last := 0, ""
	var bad error
	err := rows(kind, r.Caller.Merchant, r.Cursor, func(row ledger.DirectoryRow) bool {
		if n == limit {
			out.NextCursor = last
			return false
		}
		n++
		last = strings.Clone(row.ID)
		bad = listRow(out, kind, row)
		return bad == nil
	})
	return errors.Join(err, bad)
}

// listRow adds a row to the page. A cashier's card is masked: the page is for
// people.
func listRow(out *protocol.Response, kind byte, row ledger.DirectoryRow) error {
	switch kind {
	case dirStores:
		e, err := decodeStore(row)
		out.Stores = append(out.Stores, e)
		return err
	case dirProducts:
		e, err := decodeProduct(row)
		out.Products = append(out.Products, e)
		return err
	case dirTemplates:
		e, err := decodeTemplate(row)
		out.Templates = append(out.Templates, e)
		return err
	}
	e, err := decodeCashier(row)
	if e.Card != "" {
		e.Card = string(protocol.MaskCard(nil, e.Card))
	}
	out.Cashiers = append(out.Cashiers, e)
	return err
}
