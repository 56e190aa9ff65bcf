package ledger

import (
	"bytes"
	"slices"
)

// beside makes ready to look up what lies beside the journal for its
// operations.
func (r *replay) beside() {
	kind := func(space byte, what string, holds func(*lookup, []byte, bool) (bool, error)) *lookups {
		return &lookups{db: r.db, space: space, room: r.room, holds: holds, fails: func(q *lookup) {
			r.say(Finding{Partition: r.id, Op: q.op, Account: q.account, What: what})
		}}
	}
	r.shifts = kind(spaceShift, "its entry in the shift is missing or another", func(q *lookup, rec []byte, found bool) (bool, error) {
		return found && bytes.Equal(rec, r.shifts.wants(q)), nil
	})
	r.dups = kind(spaceDups, "a repeat of its request would not be known", r.remembers)
	r.receipts = kind(spaceReceipts, "it is not known under its receipt", func(q *lookup, rec []byte, found bool) (bool, error) {
		if !found {
			return false, nil
		}
		entries, err := decodeReceipts(rec, nil)
		return len(entries) >= MaxReceipts || slices.ContainsFunc(entries, func(e ReceiptEntry) bool { return e.Op == q.of }), err
	})
}

// derived checks the records that lie beside the journal for an operation.
func (r *replay) derived() error {
	op := &r.op
	if !op.Declined() {
		r.park()
	}
	if key, entry, ok := shiftOf(r.l, op); ok {
		r.kbuf, r.buf = shiftEntryKey(r.kbuf[:0], key, op.ID), appendShift(r.buf[:0], &entry)
		if err := r.shifts.ask(r.kbuf, lookup{op: op.ID, account: op.Account}, r.buf); err != nil {
			return err
		}
	}
	if err := r.remembered(); err != nil {
		return err
	}
	id := receiptOf(op)
	if id == 0 {
		return nil
	}
	r.kbuf = hashKey(r.kbuf[:0], spaceReceipts, r.l.ReceiptKey(op.Merchant, op.Store, op.Terminal, op.Receipt))
	return r.receipts.ask(r.kbuf, lookup{op: op.ID, account: op.Account, of: id}, nil)
}

// park keeps what waits for the office.
func (r *replay) park() {
	op := &r.op
	switch op.Kind {
	case KindPark:
		p := parkedOf(op)
		r.parked[op.ID] = appendParked(nil, &p)
	case KindResolve:
		var p Parked
		if rec, ok := r.parked[op.Target]; !ok && op.Target.Sequence() >= r.base.first {
			r.finding("it resolves %s, which is not parked", op.Target)
		} else if !ok {
			break // it was parked before what is kept
		} else if err := decodeParked(rec, &p); err != nil {
			r.finding("it resolves a parked message that can't be read: %v", err)
		} else if err := checkUnpark(op, &p); err != nil {
			r.finding("%v", err)
		}
		delete(r.parked, op.Target)
	}
}

// remembered checks that a repeat of the request would be known, unless it is
// older than the retention.
func (r *replay) remembered() error {
	op := &r.op
	day := dayOf(op.Time)
	if day < r.dupsFrom {
		return nil
	}
	for i := range op.Dups {
		ref := &op.Dups[i]
		r.kbuf, r.buf = dupKey(r.kbuf[:0], day, ref.Key), append(r.buf[:0], ref.Entry.Disc...)
		q := lookup{op: op.ID, account: op.Account, of: ref.Entry.Op, time: op.Time, mark: ref.Entry.Mark}
		if err := r.dups.ask(r.kbuf, q, r.buf); err != nil {
			return err
		}
	}
	return nil
}

// remembers tells whether the request of a lookup is known. Its entry lies in
// the bucket of its day; a later request may have taken it along to its own.
func (r *replay) remembers(q *lookup, rec []byte, found bool) (_ bool, err error) {
	known := func(e DupEntry) bool {
		return e.Disc == string(r.dups.wants(q)) && e.Mark == q.mark && (e.Op == q.of || e.Time > q.time)
	}
	if r.known = r.known[:0]; found {
		if r.known, err = decodeDups(rec, r.known); err != nil {
			return false, err
		}
	}
	if slices.ContainsFunc(r.known, known) {
		return true, nil
	}
	key := q.key.b[:q.key.n]
	later, err := dupsIn(r.db, filteredKey(key), dayOf(q.time)+1, r.dupsTo)
	return slices.ContainsFunc(later, known), err
}
