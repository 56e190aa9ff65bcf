package ledger

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// The audit tells of every change of a directory: who made it, when, what was
// there before and what after. It is written in the batch of the change, so
// neither is without the other. (What changes accounts and programmes is in the
// journal, with its actor, and chained there by the sealed windows.)
//
// Records are numbered without a gap, and each carries a hash over itself and
// the one before, keyed with the store's secret; the newest number and hash
// stand apart. Who changes, removes, adds or reorders one, or cuts off the last,
// is noticed by [Ledger.Verify], unless he has the key file too and writes all
// that follow anew: against that the head is logged with every record and told
// by verify, for whoever keeps it elsewhere.

// AuditRecord is one record of the audit.
type AuditRecord struct {
	Number   uint64 // from 1
	Time     int64  // unix ns
	Actor    string // name of the API key; "" the server itself, or a server without keys
	Kind     byte   // of the directory
	Merchant string
	Changes  []AuditChange
	Hash     Key // over the hash before and all of the record
}

// AuditChange is what became of one row. Before and After are the row as it
// was stored; empty where there was or is none. Of rows with personal data, and of a
// call with more than [auditWhole] rows, they are a keyed hash of 16 bytes: it tells that
// a row was changed, and whether a row is the one that was there.
type AuditChange struct {
	ID            string
	Hashed        bool
	Before, After []byte
}

const (
	// auditWhole is the number of rows of a batch up to which the audit keeps
	// the rows themselves: a person's change of some rows, not an import.
	auditWhole = 100
	// auditHead is the meta name of the newest number and hash.
	auditHead    = "audit"
	auditVersion = 1
	auditMin     = 4
)

// auditing is the head of the chain.
type auditing struct {
	mu     sync.Mutex
	number uint64
	hash   Key
}

func auditKey(dst []byte, number uint64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, spaceAudit), number)
}

func auditItem(c *coder, e *AuditChange) {
	c.string(&e.ID)
	c.bool(&e.Hashed)
	c.bytes(&e.Before)
	c.bytes(&e.After)
}

func auditFields(c *coder, r *AuditRecord) {
	c.fixed(&r.Number)
	c.time(&r.Time)
	c.string(&r.Actor)
	c.byte(&r.Kind)
	c.string(&r.Merchant)
	items(c, &r.Changes, auditMin, auditItem)
	c.raw(r.Hash[:])
}

func appendAudit(dst []byte, r *AuditRecord) []byte {
	c := writer(dst, tagAudit, auditVersion)
	auditFields(c, r)
	return c.finish()
}

func decodeAudit(rec []byte, r *AuditRecord) error {
	c, err := reader(rec, tagAudit, auditVersion)
	if err != nil {
		return err
	}
	auditFields(c, r)
	return c.end()
}

// chain is the hash of a record behind another.
func (l *Ledger) chain(before Key, r *AuditRecord) Key {
	r.Hash = Key{}
	return l.Hash("audit", string(before[:]), string(appendAudit(nil, r)))
}

// recoverAudit reads the head.
func (l *Ledger) recoverAudit() error {
	head, err := l.Meta(auditHead)
	if err != nil || head == nil {
		return err
	}
	if len(head) != 8+len(Key{}) {
		return fmt.Errorf("%w: the head of the audit", ErrCorrupt)
	}
	l.audit.number, l.audit.hash = binary.BigEndian.Uint64(head), Key(head[8:])
	return nil
}

// audited commits what fill does to a directory, with the record of it.
// The caller holds the lock of the audit.
func (l *Ledger) audited(actor string, kind byte, merchant string, changes []AuditChange, fill func(*pebble.Batch) error) error {
	if len(changes) == 0 {
		return nil
	}
	if len(actor) > maxName {
		return errName
	}
	r := AuditRecord{Number: l.audit.number + 1, Time: l.o.Clock(), Actor: actor, Kind: kind, Merchant: merchant, Changes: changes}
	r.Hash = l.chain(l.audit.hash, &r)
	err := l.putAll(func(b *pebble.Batch) error {
		if err := fill(b); err != nil {
			return err
		}
		head := append(binary.BigEndian.AppendUint64(nil, r.Number), r.Hash[:]...)
		return errors.Join(b.Set(auditKey(nil, r.Number), appendAudit(nil, &r), nil), b.Set(metaKey(nil, auditHead), head, nil))
	})
	if err != nil {
		return err
	}
	l.audit.number, l.audit.hash = r.Number, r.Hash
	l.o.Logger.Info("a directory was changed", "audit", r.Number, "by", actor, "kind", string(kind), "rows", len(changes), "head", hex.EncodeToString(r.Hash[:]))
	return nil
}

// auditRows are the changes that rows make, before they are made.
func (l *Ledger) auditRows(prefix []byte, rows []DirectoryRow, sealed bool) ([]AuditChange, error) {
	hashed := sealed || len(rows) > auditWhole
	changes := make([]AuditChange, 0, len(rows))
	for _, row := range rows {
		key := append(prefix[:len(prefix):len(prefix)], row.ID...)
		c := AuditChange{ID: row.ID, Hashed: hashed, After: l.auditValue(row.Data, hashed)}
		was, err := load(l.db, key, func(rec []byte) error {
			if sealed {
				// One that does not decrypt is told by what is stored: it may
				// still be replaced.
				if plain, err := l.secret.openRow(key, rec); err == nil {
					rec = plain
				}
			}
			c.Before = l.auditValue(rec, hashed)
			return nil
		})
		if err != nil {
			return nil, err
		}
		if was != (row.Data != nil) || !bytes.Equal(c.Before, c.After) {
			changes = append(changes, c)
		}
	}
	return changes, nil
}

func (l *Ledger) auditValue(data []byte, hashed bool) []byte {
	switch {
	case data == nil:
		return nil
	case hashed:
		k := l.Hash("audited row", string(data))
		return k[:]
	}
	return bytes.Clone(data)
}

// Audit calls fn for each record of the audit from a number on, until it
// answers false. The record is valid within the call only.
func (l *Ledger) Audit(from uint64, fn func(*AuditRecord) bool) error {
	return scanFrom(l.db, []byte{spaceAudit}, auditKey(nil, from), func(_, rec []byte) (bool, error) {
		var r AuditRecord
		if err := decodeAudit(rec, &r); err != nil {
			return false, err
		}
		return fn(&r), nil
	})
}

// proveAudit checks the chain, and notes in the proof how far it goes.
func (v *verifier) proveAudit(proof *Proof, say func(Finding)) error {
	var last AuditRecord
	err := scan(v.db, []byte{spaceAudit}, func(key, rec []byte) (bool, error) {
		var r AuditRecord
		number := trailing(key)
		if err := decodeAudit(rec, &r); err != nil {
			say(Finding{What: fmt.Sprintf("record %d of the audit: %v", number, err)})
			return true, nil
		}
		proof.Audited++
		if number != last.Number+1 || r.Number != number {
			say(Finding{What: fmt.Sprintf("the audit has a gap: %d follows %d", number, last.Number)})
		}
		stored := r.Hash
		if hash := v.l.chain(last.Hash, &r); hash != stored {
			say(Finding{What: fmt.Sprintf("record %d of the audit is not the one that was written there", number)})
		}
		last = AuditRecord{Number: number, Hash: stored}
		return true, nil
	})
	if err != nil {
		return err
	}
	_, err = load(v.db, metaKey(nil, auditHead), func(head []byte) error {
		if !bytes.Equal(head, append(binary.BigEndian.AppendUint64(nil, last.Number), last.Hash[:]...)) {
			say(Finding{What: fmt.Sprintf("the audit ends with record %d, and its head says otherwise", last.Number)})
		}
		last.Number = 0
		return nil
	})
	if last.Number != 0 {
		say(Finding{What: "the audit has lost its head"})
	}
	proof.AuditHead = last.Hash
	return err
}
