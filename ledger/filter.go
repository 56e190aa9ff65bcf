package ledger

import (
	"encoding/binary"
	"errors"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// dupFilter answers for nearly every new request that its duplicate key has no
// record, without asking Pebble: a look-up of what isn't there costs there
// more than all else that the ledger does for the request. It is a Bloom
// filter, one cache line for a key, over all keys of the store: what it has
// not seen is not there. It fills in the background at the start and answers
// only then; what is written meanwhile is added before anybody can see it.
type dupFilter struct {
	blocks []filterBlock
	ready  atomic.Bool // it has seen every key of the store
}

type filterBlock [8]atomic.Uint64

const (
	filterBits = 6 // set for each key: 1 % false answers at ten bits a key
	// filterScan is the most that is read at the start to fill the filter, in
	// bytes on disk; a store with more has more keys than the filter is for.
	filterScan = 1 << 30
)

func newDupFilter(bytes int64) *dupFilter {
	if bytes < 0 {
		return &dupFilter{}
	}
	return &dupFilter{blocks: make([]filterBlock, max(1, bytes/64))}
}

// places are the key's block and its bits in it. A key is a keyed hash, so its
// own bytes are as good as any hash of them.
func (f *dupFilter) places(k *Key) (*filterBlock, uint64) {
	at := binary.BigEndian.Uint64(k[:8]) % uint64(len(f.blocks))
	return &f.blocks[at], binary.BigEndian.Uint64(k[8:])
}

func (f *dupFilter) add(k Key) {
	if f.blocks == nil {
		return
	}
	block, bits := f.places(&k)
	for range filterBits {
		block[bits>>6&7].Or(1 << (bits & 63))
		bits >>= 9
	}
}

// absent reports that the key surely has no record.
func (f *dupFilter) absent(k Key) bool {
	if !f.ready.Load() {
		return false
	}
	block, bits := f.places(&k)
	for range filterBits {
		if block[bits>>6&7].Load()&(1<<(bits&63)) == 0 {
			return true
		}
		bits >>= 9
	}
	return false
}

// startFilter begins to fill the filter; the event loops do not run yet.
func (l *Ledger) startFilter() error {
	if l.filter.blocks == nil {
		return nil
	}
	lower := []byte{spaceDups}
	size, err := l.db.EstimateDiskUsage(lower, after(lower))
	if err != nil {
		return err
	}
	if size > filterScan {
		l.o.Logger.Info("the filter of duplicate keys stays off: there are too many", "bytes", size)
		return nil
	}
	l.helpers.Add(1)
	go l.fillFilter(l.db.NewSnapshot())
	return nil
}

// fillFilter reads the keys of the store as it was before the loops began.
func (l *Ledger) fillFilter(keys *pebble.Snapshot) {
	defer l.helpers.Done()
	n := 0
	err := scan(keys, []byte{spaceDups}, func(key, _ []byte) (bool, error) {
		if n++; n%1024 == 0 && l.Err() != nil {
			return false, ErrClosed
		}
		l.filter.add(Key(key[1:]))
		return true, nil
	})
	if closed := keys.Close(); err == nil {
		err = closed
	}
	if err == nil {
		l.filter.ready.Store(true)
	} else if !errors.Is(err, ErrClosed) {
		l.o.Logger.Warn("the filter of duplicate keys stays off", "error", err)
	}
}
