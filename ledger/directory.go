package ledger

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// PutDirectory merges rows into a merchant's directory of a kind, all or
// none; they are synced when this returns. A row without Data is deleted. actor
// is who changes them, for the audit: the name of an API key, "" the server
// itself.
func (l *Ledger) PutDirectory(actor string, kind byte, merchant string, rows ...DirectoryRow) error {
	return l.putRows(rowsPut{actor, kind, merchant, rows, false})
}

// rowsPut is a change of a directory.
type rowsPut struct {
	actor    string
	kind     byte
	merchant string
	rows     []DirectoryRow
	sealed   bool
}

// PutSealed is [Ledger.PutDirectory] for rows with personal data: they are
// encrypted as profiles are, under the same keys, and lie in a keyspace of
// their own.
func (l *Ledger) PutSealed(actor string, kind byte, merchant string, rows ...DirectoryRow) error {
	l.sealing.RLock() // a rotation must not miss a row that is under the key before
	defer l.sealing.RUnlock()
	return l.putRows(rowsPut{actor, kind, merchant, rows, true})
}

func (l *Ledger) putRows(p rowsPut) error {
	if len(p.merchant) > maxName {
		return errName
	}
	for _, row := range p.rows {
		if row.ID == "" || len(row.ID) > maxName {
			return errName
		}
	}
	prefix, seal := directoryPrefix(nil, p.kind, p.merchant), func(_, data []byte) ([]byte, error) { return data, nil }
	if p.sealed {
		prefix, seal = sealedPrefix(nil, p.kind, p.merchant), l.secret.sealRow
	}
	l.audit.mu.Lock()
	defer l.audit.mu.Unlock()
	changes, err := l.auditRows(prefix, p.rows, p.sealed)
	if err != nil {
		return err
	}
	return l.audited(p.actor, p.kind, p.merchant, changes, func(b *pebble.Batch) error {
		for _, row := range p.rows {
			key := append(prefix[:len(prefix):len(prefix)], row.ID...)
			if row.Data == nil {
				if err := b.Delete(key, nil); err != nil {
					return err
				}
				continue
			}
			data, err := seal(key, row.Data)
			if err != nil {
				return err
			}
			if err := b.Set(key, data, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// Directory calls fn for each row of a merchant's directory, by id, until it
// answers false. The row's data is valid within the call only.
func (l *Ledger) Directory(kind byte, merchant string, fn func(DirectoryRow) bool) error {
	return l.DirectoryAfter(kind, merchant, "", fn)
}

// DirectoryAfter is [Ledger.Directory] from the row behind an id on, which
// need not exist.
func (l *Ledger) DirectoryAfter(kind byte, merchant, id string, fn func(DirectoryRow) bool) error {
	return l.rowsAfter(directoryPrefix(nil, kind, merchant), id, func(_, data []byte) ([]byte, error) { return data, nil }, fn)
}

// SealedAfter is [Ledger.DirectoryAfter] for what [Ledger.PutSealed] has
// stored, decrypted.
func (l *Ledger) SealedAfter(kind byte, merchant, id string, fn func(DirectoryRow) bool) error {
	return l.rowsAfter(sealedPrefix(nil, kind, merchant), id, l.secret.openRow, fn)
}

func (l *Ledger) rowsAfter(prefix []byte, id string, open func(key, rec []byte) ([]byte, error), fn func(DirectoryRow) bool) error {
	from := prefix
	if id != "" {
		from = append(append(bytes.Clone(prefix), id...), 0) // the first key behind it
	}
	return scanFrom(l.db, prefix, from, func(key, rec []byte) (bool, error) {
		data, err := open(key, rec)
		if err != nil {
			return false, err
		}
		return fn(DirectoryRow{ID: string(key[len(prefix):]), Data: data}), nil
	})
}

// DirectoryRow is one row's data; nil if there is none.
func (l *Ledger) DirectoryRow(kind byte, merchant, id string) (data []byte, err error) {
	_, err = load(l.db, append(directoryPrefix(nil, kind, merchant), id...), func(rec []byte) error {
		data = append([]byte{}, rec...)
		return nil
	})
	return data, err
}

// SealedRow is [Ledger.DirectoryRow] for what [Ledger.PutSealed] has stored,
// decrypted.
func (l *Ledger) SealedRow(kind byte, merchant, id string) (data []byte, err error) {
	key := append(sealedPrefix(nil, kind, merchant), id...)
	_, err = load(l.db, key, func(rec []byte) (err error) {
		data, err = l.secret.openRow(key, rec)
		return err
	})
	return data, err
}

// DirectoryMerchants are the merchants that have a row in any directory,
// sealed ones included.
func (l *Ledger) DirectoryMerchants() (all []string, err error) {
	seen := map[string]bool{}
	for _, space := range []byte{spaceDirectory, spaceSealed} {
		for from := []byte{space}; ; {
			var found []byte
			err := scanFrom(l.db, []byte{space}, from, func(key, _ []byte) (bool, error) {
				if len(key) < 3 || len(key) < 3+int(key[2]) {
					return false, fmt.Errorf("%w: a directory's key", ErrCorrupt)
				}
				found = bytes.Clone(key[:3+int(key[2])])
				return false, nil
			})
			if err != nil {
				return nil, err
			}
			if found == nil {
				break
			}
			if m := string(found[3:]); !seen[m] {
				seen[m] = true
				all = append(all, m)
			}
			from = after(found)
		}
	}
	return all, nil
}

// A LinkRow is an identifier's link by its key.
type LinkRow struct {
	Key  Key
	Link Link
}

// PutLinks points identifiers to what they lead to, all or none; they are
// synced when this returns. No task may be deciding about any of the keys.
func (l *Ledger) PutLinks(rows ...LinkRow) error {
	return l.putAll(func(b *pebble.Batch) error {
		for i := range rows {
			if err := checkLink(&rows[i].Link); err != nil {
				return err
			}
			if err := b.Set(hashKey(nil, spaceLink, rows[i].Key), appendLink(nil, &rows[i].Link), nil); err != nil {
				return err
			}
		}
		return nil
	})
}

var errLink = errors.New("ledger: a link leads to an account, unless it is a card's that is nobody's yet")

// checkLink: only a card may be nobody's, and none that is in use.
func checkLink(link *Link) error {
	if link.Account == 0 && (link.State == 0 || link.State == CardActive) {
		return errLink
	}
	return nil
}

// A sealed row, version 1:
//
//	offset  size  what
//	0       1     'Y'
//	1       1     1
//	2       4     id of the key
//	6       12    nonce
//	18      …     AES-256-GCM of the row; bytes 0 to 5 and the row's key in
//	              the store are authenticated with it
const sealedVersion = 1

func (s *secret) sealRow(key, plain []byte) ([]byte, error) {
	keys := s.profiles.Load()
	rec := binary.BigEndian.AppendUint32([]byte{tagSealed, sealedVersion}, keys.current)
	bound := append(bytes.Clone(rec), key...)
	var nonce [12]byte
	if _, err := rand.Read(nonce[:]); err != nil {
		return nil, err
	}
	rec = append(rec, nonce[:]...)
	return keys.aead[keys.current].Seal(rec, nonce[:], plain, bound), nil
}

var errSealed = errors.New("ledger: a sealed row does not decrypt")

func (s *secret) openRow(key, rec []byte) ([]byte, error) {
	keyID, err := sealedKeyID(rec)
	if err != nil {
		return nil, err
	}
	aead, ok := s.profiles.Load().aead[keyID]
	if !ok {
		return nil, fmt.Errorf("%w: its key %d is not in the key file", errSealed, keyID)
	}
	plain, err := aead.Open(nil, rec[6:profileHeader], rec[profileHeader:], append(bytes.Clone(rec[:6]), key...))
	if err != nil {
		return nil, errSealed
	}
	return plain, nil
}

func sealedKeyID(rec []byte) (uint32, error) {
	if err := checkHeader(rec, tagSealed, sealedVersion); err != nil {
		return 0, err
	}
	if len(rec) < profileHeader {
		return 0, fmt.Errorf("%w: a sealed row shorter than its header", ErrCorrupt)
	}
	return binary.BigEndian.Uint32(rec[2:]), nil
}

// rotateRows encrypts the sealed rows that are not under the current key anew,
// in batches, and answers how many. Nobody else writes sealed rows meanwhile:
// they are few, and an office's.
func (l *Ledger) rotateRows() (done int, err error) {
	l.sealing.Lock()
	defer l.sealing.Unlock()
	for {
		n, err := l.rotateSomeRows()
		done += n
		if n == 0 || err != nil {
			return done, err
		}
	}
}

func (l *Ledger) rotateSomeRows() (n int, err error) {
	err = l.putAll(func(b *pebble.Batch) error {
		return l.staleRows(func(key, rec []byte) (bool, error) {
			plain, err := l.secret.openRow(key, rec)
			if err != nil {
				return false, err
			}
			sealed, err := l.secret.sealRow(key, plain)
			clear(plain)
			if err != nil {
				return false, err
			}
			n++
			return n < rotateBatch, b.Set(key, sealed, nil)
		})
	})
	return n, err
}

// staleRows visits the sealed rows that are not under the current key.
func (l *Ledger) staleRows(visit func(key, rec []byte) (bool, error)) error {
	current := l.secret.profiles.Load().current
	return scan(l.db, []byte{spaceSealed}, func(key, rec []byte) (bool, error) {
		keyID, err := sealedKeyID(rec)
		if err != nil || keyID == current {
			return err == nil, err
		}
		return visit(key, rec)
	})
}
