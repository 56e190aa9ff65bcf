package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// maxName bounds the names that are part of keys.
const maxName = 255

var errName = fmt.Errorf("ledger: a name has from 1 to %d bytes, a merchant's may be empty", maxName)

// PutProgram stores one version of a programme document; it is synced when
// this returns. A version is never replaced by another document.
func (l *Ledger) PutProgram(p Program) error {
	if len(p.Merchant) > maxName {
		return errName
	}
	l.publishing.Lock()
	defer l.publishing.Unlock()
	key := binary.BigEndian.AppendUint32(programPrefix(nil, p.Merchant), p.Version)
	var old Program
	exists, err := load(l.db, key, func(rec []byte) error { return decodeProgram(rec, &old) })
	if err != nil {
		return err
	}
	if exists && string(old.Doc) != string(p.Doc) {
		return fmt.Errorf("ledger: version %d of the programme of %s exists and is another one", p.Version, p.Merchant)
	}
	return l.putAll(func(b *pebble.Batch) error { return b.Set(key, appendProgram(nil, &p), nil) })
}

// Programs are a merchant's programmes, by version.
func (l *Ledger) Programs(merchant string) (all []Program, err error) {
	err = l.scanPrograms(programPrefix(nil, merchant), &all)
	return all, err
}

// AllPrograms are the programmes of all merchants, by merchant and version.
func (l *Ledger) AllPrograms() (all []Program, err error) {
	err = l.scanPrograms([]byte{spaceProgram}, &all)
	return all, err
}

func (l *Ledger) scanPrograms(prefix []byte, all *[]Program) error {
	return scan(l.db, prefix, func(_, rec []byte) (bool, error) {
		var p Program
		err := decodeProgram(rec, &p)
		*all = append(*all, p)
		return true, err
	})
}

// PutMeta stores a value of the caller's under a name; it is synced when this
// returns. A nil value deletes it.
func (l *Ledger) PutMeta(name string, value []byte) error {
	if err := checkMeta(name); err != nil {
		return err
	}
	return l.putAll(func(b *pebble.Batch) error {
		if value == nil {
			return b.Delete(metaKey(nil, name), nil)
		}
		return b.Set(metaKey(nil, name), value, nil)
	})
}

// NoteMeta is [Ledger.PutMeta] without waiting for a sync: after a crash the
// value may be an older one. It is for positions that may be repeated, and for
// what may be forgotten. A nil value deletes it.
func (l *Ledger) NoteMeta(name string, value []byte) error {
	if err := errors.Join(checkMeta(name), l.Err()); err != nil {
		return err
	}
	b := l.db.NewBatch()
	if value == nil {
		if err := b.Delete(metaKey(nil, name), nil); err != nil {
			return err
		}
		return l.note(b)
	}
	if err := b.Set(metaKey(nil, name), value, nil); err != nil {
		return err
	}
	return l.note(b)
}

func checkMeta(name string) error {
	if name == "" || len(name) > maxName || name == metaForm || name == auditHead {
		return errName
	}
	return nil
}

// Meta is the value under a name; nil if there is none.
func (l *Ledger) Meta(name string) (value []byte, err error) {
	_, err = load(l.db, metaKey(nil, name), func(rec []byte) error {
		value = append([]byte{}, rec...)
		return nil
	})
	return value, err
}

// MetaAll calls fn for each value whose name begins with prefix, by name. The
// value is valid within the call only.
func (l *Ledger) MetaAll(prefix string, fn func(name string, value []byte) error) error {
	return scan(l.db, metaKey(nil, prefix), func(key, rec []byte) (bool, error) {
		return true, fn(string(key[1:]), rec)
	})
}

// putAll fills a batch and commits it with a sync.
func (l *Ledger) putAll(fill func(*pebble.Batch) error) error {
	if err := l.Err(); err != nil {
		return err
	}
	b := l.db.NewBatch()
	if err := fill(b); err != nil {
		return errors.Join(err, b.Close())
	}
	if b.Empty() {
		return b.Close()
	}
	return l.write(b)
}
