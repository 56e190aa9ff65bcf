package ledger

import (
	"encoding/binary"
	"errors"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// filter answers for nearly every new key of a kind (duplicate keys, receipts)
// that it has no record, without asking Pebble: a look-up of what isn't there
// costs there more than all else that the ledger does for the request. It is a
// Bloom filter, one cache line for a key, over all keys of the store: what it
// has not seen is not there. It fills in the background at the start and answers
// only then; what is written meanwhile is added before anybody can see it.
//
// Keys can't be taken out of it. When days of duplicate records have been
// dropped and their filter holds more keys than it is for, it is made anew
// beside the old one, which answers until then. Receipts are never dropped.
type filter struct {
	what  string // its keys are, for people
	space byte   // of the records
	bytes int64  // of each; negative: there is none
	now   atomic.Pointer[keyFilter]
	next  atomic.Pointer[keyFilter] // is being filled
}

type keyFilter struct {
	blocks []filterBlock
	keys   atomic.Int64 // added, some of them twice: about as many
}

type filterBlock [8]atomic.Uint64

const (
	filterBits = 6 // set for each key: 1 % false answers at ten bits a key
	filterRoom = 10
	// filterMost is how many times its capacity a filter takes when it is filled
	// from the store: with 2.5 bits a key it still answers for four in ten.
	filterMost = 4
)

func newDupFilter(bytes int64) *filter {
	return &filter{what: "duplicate keys", space: spaceDups, bytes: bytes}
}

func newReceiptFilter(bytes int64) *filter {
	return &filter{what: "receipts", space: spaceReceipts, bytes: bytes}
}

// filteredKey is the key that a filter knows a record by: what its kind's keys
// end with.
func filteredKey(key []byte) Key { return Key(key[len(key)-len(Key{}):]) }

// room is how many keys the filter is for.
func (f *filter) room() int64 { return max(f.bytes, 64) * 8 / filterRoom }

// begin makes room for the keys that are to be read from the store.
func (f *filter) begin() {
	f.next.Store(&keyFilter{blocks: make([]filterBlock, max(1, f.bytes/64))})
}

// turn lets the filter answer that has been filled.
func (f *filter) turn() {
	f.now.Store(f.next.Load())
	f.next.Store(nil)
}

// full reports that the filter holds more keys than it is for.
func (f *filter) full() bool {
	b := f.now.Load()
	return f.bytes >= 0 && f.next.Load() == nil && (b == nil || b.keys.Load() > f.room())
}

// places are the key's block and its bits in it. A key is a keyed hash, so its
// own bytes are as good as any hash of them.
func (b *keyFilter) places(k *Key) (*filterBlock, uint64) {
	at := binary.BigEndian.Uint64(k[:8]) % uint64(len(b.blocks))
	return &b.blocks[at], binary.BigEndian.Uint64(k[8:])
}

func (b *keyFilter) add(k *Key) {
	if k[15]&15 == 0 {
		b.keys.Add(16) // one in sixteen stands for all: event loops don't meet here
	}
	block, bits := b.places(k)
	for range filterBits {
		block[bits>>6&7].Or(1 << (bits & 63))
		bits >>= 9
	}
}

func (f *filter) add(k Key) {
	// The next one first: once it is no longer there, it is the one that
	// answers.
	if b := f.next.Load(); b != nil {
		b.add(&k)
	}
	if b := f.now.Load(); b != nil {
		b.add(&k)
	}
}

// absent reports that the key surely has no record.
func (f *filter) absent(k Key) bool {
	b := f.now.Load()
	if b == nil {
		return false
	}
	block, bits := b.places(&k)
	for range filterBits {
		if block[bits>>6&7].Load()&(1<<(bits&63)) == 0 {
			return true
		}
		bits >>= 9
	}
	return false
}

// startFilters begins to fill the filters; the event loops do not run yet.
func (l *Ledger) startFilters() {
	l.dupFilter, l.receiptFilter = newDupFilter(l.o.DupFilterBytes), newReceiptFilter(l.o.ReceiptFilterBytes)
	for _, f := range []*filter{l.dupFilter, l.receiptFilter} {
		if f.bytes < 0 {
			continue
		}
		f.begin()
		l.helpers.Add(1)
		go l.fillFilter(f, l.db.NewSnapshot())
	}
}

// renewFilter makes a full filter of duplicate keys anew from what has not been
// dropped, beside the old one.
func (l *Ledger) renewFilter() error {
	f := l.dupFilter
	if !f.full() {
		return nil
	}
	f.begin()
	// What was decided before is only in the old filter, and in the store when
	// each event loop has been round once.
	for i := range l.shards {
		if err := l.await(i, func(*Tx) error { return nil }); err != nil {
			f.next.Store(nil)
			return err
		}
	}
	l.helpers.Add(1)
	go l.fillFilter(f, l.db.NewSnapshot())
	return nil
}

var errFilter = errors.New("there are too many keys for it")

// fillFilter reads the keys of the store as it was before the loops began, or
// went on with the filter begun.
func (l *Ledger) fillFilter(f *filter, keys *pebble.Snapshot) {
	defer l.helpers.Done()
	n, most := int64(0), f.room()*filterMost
	next := f.next.Load()
	err := scan(keys, []byte{f.space}, func(key, _ []byte) (bool, error) {
		if n++; n%1024 == 0 && l.Err() != nil {
			return false, ErrClosed
		}
		if n > most {
			return false, errFilter
		}
		k := filteredKey(key)
		next.add(&k)
		return true, nil
	})
	if closed := keys.Close(); err == nil {
		err = closed
	}
	if err == nil {
		f.turn()
		return
	}
	f.next.Store(nil)
	if !errors.Is(err, ErrClosed) {
		l.o.Logger.Warn("a filter can't be filled; each request is looked up", "of", f.what, "keys", n, "error", err)
	}
}
