package processor

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"tillgate/ledger"
	"tillgate/protocol"
)

// Directories are the names of the directories that [Switch.WriteDirectory] knows.
func (s *Switch) Directories() []string {
	return slices.Sorted(maps.Values(directoryNames))
}

// WriteDirectory writes a directory of a merchant's to w, a row a line and by
// id, each as it may be sent again: a cashier's name and card are in the open.
// It may be called from any goroutine.
func (s *Switch) WriteDirectory(w io.Writer, merchant, name string) error {
	for kind, known := range directoryNames {
		if known == name {
			return s.writeDirectory(w, merchant, kind)
		}
	}
	return fmt.Errorf("there is no directory %q", name)
}

func (s *Switch) writeDirectory(w io.Writer, merchant string, kind byte) error {
	rows := s.ledger.DirectoryAfter
	if kind == dirCashiers {
		rows = s.ledger.SealedAfter
	}
	var line []byte
	var failed error
	err := rows(kind, merchant, "", func(row ledger.DirectoryRow) bool {
		if line, failed = appendRow(line[:0], kind, row); failed == nil {
			_, failed = w.Write(append(line, '\n'))
		}
		return failed == nil
	})
	if err == nil {
		err = failed
	}
	return err
}

// appendRow appends a stored row as JSON.
func appendRow(dst []byte, kind byte, row ledger.DirectoryRow) ([]byte, error) {
	switch kind {
	case dirStores:
		e, err := decodeStore(row)
		return protocol.AppendRow(dst, &e), err
	case dirProducts:
		e, err := decodeProduct(row)
		return protocol.AppendRow(dst, &e), err
	case dirCashiers:
		e, err := decodeCashier(row)
		return protocol.AppendRow(dst, &e), err
	}
	e, err := decodeTemplate(row)
	return protocol.AppendRow(dst, &e), err
}
