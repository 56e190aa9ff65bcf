package ledger

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// What is read here has been applied but perhaps not been synced: tell nobody
// before [Ledger.WaitSynced], or read from within a [Task].

// load reads one record of a reader into what decode makes of it.
func load(db pebble.Reader, key []byte, decode func([]byte) error) (ok bool, err error) {
	value, closer, err := db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, errors.Join(decode(value), closer.Close())
}

// scan calls fn for each key that begins with prefix, in order, until it
// answers false. Key and value are valid within the call only.
func scan(db pebble.Reader, prefix []byte, fn func(key, value []byte) (bool, error)) error {
	return scanFrom(db, prefix, prefix, fn)
}

func scanFrom(db pebble.Reader, prefix, from []byte, fn func(key, value []byte) (bool, error)) error {
	return scanWithin(db, &pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)}, from, fn)
}

// scanWithin is scan between two bounds, beginning with the key from.
func scanWithin(db pebble.Reader, bounds *pebble.IterOptions, from []byte, fn func(key, value []byte) (bool, error)) (err error) {
	it, err := db.NewIter(bounds)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.SeekGE(from); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if more, err := fn(it.Key(), value); !more || err != nil {
			return err
		}
	}
	return it.Error()
}

// Receipts are the operations known by a receipt ([Ledger.ReceiptKey]).
func (l *Ledger) Receipts(key Key) (entries []ReceiptEntry, err error) {
	if l.receiptFilter.absent(key) {
		return nil, nil
	}
	_, err = load(l.db, hashKey(nil, spaceReceipts, key), func(rec []byte) (err error) {
		entries, err = decodeReceipts(rec, nil)
		return err
	})
	return entries, err
}

// Link is what an identifier leads to; nil if nothing.
func (l *Ledger) Link(key Key) (*Link, error) {
	link := new(Link)
	known, ok, changes := l.links.get(key)
	if ok {
		*link = known
		return link, nil
	}
	ok, err := load(l.db, hashKey(nil, spaceLink, key), func(rec []byte) error { return decodeLink(rec, link) })
	if !ok || err != nil {
		return nil, err
	}
	l.links.put(key, link, changes)
	return link, nil
}

// Account is a copy of an account; nil if there is none. What fell due since
// its last record is not in it: decide nothing by it.
func (l *Ledger) Account(id AccountID) (*Account, error) {
	a := new(Account)
	key := accountKey(nil, id.Partition(len(l.parts)), id)
	ok, err := load(l.db, key, func(rec []byte) error { return decodeAccount(rec, a) })
	if !ok || err != nil {
		return nil, err
	}
	return a, nil
}

// Sale is a sale or an authorization that has ended; nil if there is none, or
// none any more.
func (l *Ledger) Sale(id OpID) (*Sale, error) {
	if l.saleDropped(id) {
		return nil, nil
	}
	s := new(Sale)
	ok, err := load(l.db, saleKey(nil, id), func(rec []byte) error { return decodeSale(rec, s) })
	if !ok || err != nil {
		return nil, err
	}
	return s, nil
}

// Operation reads a journal record into op; false if there is none, or none any
// more ([Ledger.Dropped]).
func (l *Ledger) Operation(id OpID, op *Operation) (bool, error) {
	return load(l.db, journalKey(nil, id), func(rec []byte) error { return DecodeOperation(rec, op) })
}

// Profile decrypts a profile; nil if there is none.
func (l *Ledger) Profile(id AccountID) (plain []byte, err error) {
	_, err = load(l.db, profileKey(nil, id), func(rec []byte) (err error) {
		plain, err = l.secret.open(rec, id)
		return err
	})
	return plain, err
}

// Shift calls fn for each operation of a shift ([Ledger.ShiftKey]), by
// partition and within it in the order of booking, until it answers false.
func (l *Ledger) Shift(key Key, fn func(*ShiftEntry) bool) error {
	var e ShiftEntry
	return scan(l.db, hashKey(nil, spaceShift, key), func(_, rec []byte) (bool, error) {
		if err := decodeShift(rec, &e); err != nil {
			return false, err
		}
		return fn(&e), nil
	})
}

// Parked is a parked message that still waits; nil if there is none.
func (l *Ledger) Parked(id OpID) (*Parked, error) {
	p := new(Parked)
	ok, err := load(l.db, parkedKey(nil, id), func(rec []byte) error { return decodeParked(rec, p) })
	if !ok || err != nil {
		return nil, err
	}
	return p, nil
}

// ParkedAll calls fn for each parked message that still waits, until it
// answers false.
func (l *Ledger) ParkedAll(fn func(*Parked) bool) error {
	return scan(l.db, []byte{spaceParked}, func(_, rec []byte) (bool, error) {
		p := new(Parked)
		if err := decodeParked(rec, p); err != nil {
			return false, err
		}
		return fn(p), nil
	})
}

// Accounts calls fn for the id of each account of a partition, until it
// answers false.
func (l *Ledger) Accounts(partition int, fn func(AccountID) bool) error {
	return scan(l.db, appendPartition(nil, spaceAccount, partition), func(key, _ []byte) (bool, error) {
		return fn(AccountID(trailing(key))), nil
	})
}

// trailing is the number in a key's last eight bytes.
func trailing(key []byte) uint64 {
	var v uint64
	for _, b := range key[len(key)-8:] {
		v = v<<8 | uint64(b)
	}
	return v
}

// Synced is the sequence up to which a partition's journal is synced.
func (l *Ledger) Synced(partition int) uint64 { return l.parts[partition].synced.Load() }

// Journal calls fn for each synced record of a partition from a sequence on,
// or from the first that is kept with from = 0, in order and without a gap,
// until it answers false. The record is valid within the call only. What was
// dropped is a [DroppedError]: a follower must not pass over it in silence.
func (l *Ledger) Journal(partition int, from uint64, fn func(id OpID, record []byte) bool) error {
	last, first := l.Synced(partition), l.First(partition)
	next := from
	if from == 0 {
		next = first
	}
	if next < first {
		return &DroppedError{partition, first}
	}
	if next > last {
		return nil
	}
	prefix := appendPartition(nil, spaceJournal, partition)
	return scanFrom(l.db, prefix, journalKey(nil, NewOpID(partition, next)), func(key, rec []byte) (bool, error) {
		seq := trailing(key)
		if seq > last {
			return false, nil
		}
		if first := l.First(partition); seq != next && next < first {
			return false, &DroppedError{partition, first} // just now
		}
		if seq != next {
			return false, fmt.Errorf("%w: the journal of partition %d has no record %d", ErrCorrupt, partition, next)
		}
		next++
		return fn(NewOpID(partition, seq), rec) && seq < last, nil
	})
}

// Subscribe is a channel that gets a value after the journal has grown; one
// value may stand for many records. cancel ends it.
func (l *Ledger) Subscribe() (changed <-chan struct{}, cancel func()) {
	c := make(chan struct{}, 1)
	l.subscribers.Lock()
	l.subscribers.all[c] = struct{}{}
	l.subscribers.Unlock()
	return c, func() {
		l.subscribers.Lock()
		delete(l.subscribers.all, c)
		l.subscribers.Unlock()
	}
}

func (l *Ledger) notify() {
	l.subscribers.Lock()
	defer l.subscribers.Unlock()
	for c := range l.subscribers.all {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
