package ledger

import (
	"encoding/binary"
	"sync"
)

// recordCache keeps account records of a shard as they are in the store, or
// about to be: millions of members in the room that some hundred thousand take
// decoded, and hardly a pointer for the collector. A record that is there is
// the newest: whatever the shard reads or writes of an account goes in.
//
// Records lie one behind the other in segments. A record that has grown out of
// its room moves to the end; when all segments are used, the oldest is given up
// whole and written anew. So what goes first is what came first, used or not:
// who comes is soon back, and no list has to be kept.
//
// The shard alone changes it, under mu, and may read it without; others may ask
// what is there under mu.
type recordCache struct {
	mu       sync.RWMutex
	places   [placeTables]placeTable // of each record
	segments [][]byte
	limit    int // segments; 0: nothing is kept
	last     int // the segment that is being written
	end      int // where the next record goes in it
	wrapped  bool
}

// A record has a header, then its room:
//
//	offset  size  what
//	0       8     account
//	8       2     units of header and room
//	10      2     bytes of the room that are not used
const (
	recordSegment = 256 << 10
	recordUnit    = 8
	recordHeader  = 12
	maxCached     = 128 << 10 // bytes of a record; a larger account is not kept
)

// newRecordCache makes a cache of at most so many bytes, which are taken as they
// are wanted; what tells where they lie takes 11 to 21 bytes for each record beside
// that.
func newRecordCache(bytes int64) *recordCache {
	limit := int(min(max(bytes, 0)/recordSegment, 1<<32*recordUnit/recordSegment))
	return &recordCache{limit: limit, last: -1, end: recordSegment}
}

// cachedRecord is a record's header and room, and what follows it.
type cachedRecord []byte

func (b cachedRecord) account() AccountID { return AccountID(binary.LittleEndian.Uint64(b)) }

// room is 0 where no record is.
func (b cachedRecord) room() int {
	units := int(binary.LittleEndian.Uint16(b[8:]))
	return max(units*recordUnit-recordHeader, 0)
}

func (b cachedRecord) record() []byte {
	return b[recordHeader : recordHeader+b.room()-int(binary.LittleEndian.Uint16(b[10:]))]
}

// fits reports whether a record of so many bytes can take the room.
func (b cachedRecord) fits(n int) bool {
	free := b.room() - n
	return free >= 0 && free < 1<<16
}

func (b cachedRecord) set(rec []byte) {
	binary.LittleEndian.PutUint16(b[10:], uint16(b.room()-len(rec)))
	copy(b[recordHeader:], rec)
}

// at is what lies at a place.
func (c *recordCache) at(place uint32) cachedRecord {
	const units = recordSegment / recordUnit
	return c.segments[place/units][place%units*recordUnit:]
}

func (c *recordCache) isAt(id AccountID) func(place uint32) bool {
	return func(place uint32) bool { return c.at(place).account() == id }
}

// has reports whether an account's record is there. Anybody may ask.
func (c *recordCache) has(id AccountID) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	t, hash := c.table(id)
	return t.find(hash, c.isAt(id)) >= 0
}

// get is an account's record, valid until the next put.
func (c *recordCache) get(id AccountID) (rec []byte, ok bool) {
	t, hash := c.table(id)
	slot := t.find(hash, c.isAt(id))
	if slot < 0 {
		return nil, false
	}
	return c.at(t.slots[slot].place).record(), true
}

// put keeps an account's newest record in place of any other.
func (c *recordCache) put(id AccountID, rec []byte) {
	if c.limit == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t, hash := c.table(id)
	if slot := t.find(hash, c.isAt(id)); slot >= 0 {
		if b := c.at(t.slots[slot].place); b.fits(len(rec)) {
			b.set(rec)
			return
		}
		t.remove(slot)
	}
	if len(rec) > maxCached {
		return
	}
	// A little more than it takes: accounts grow.
	size := (recordHeader + len(rec) + len(rec)/16 + recordUnit - 1) / recordUnit * recordUnit
	if c.end+size > recordSegment {
		c.turn()
	}
	b := cachedRecord(c.segments[c.last][c.end:])
	binary.LittleEndian.PutUint64(b, uint64(id))
	binary.LittleEndian.PutUint16(b[8:], uint16(size/recordUnit))
	b.set(rec)
	t.add(hash, uint32((c.last*recordSegment+c.end)/recordUnit), c.hashAt)
	c.end += size
}

// turn begins the next segment: a new one, or the oldest.
func (c *recordCache) turn() {
	if c.last >= 0 && c.end+recordHeader <= recordSegment {
		clear(c.segments[c.last][c.end : c.end+recordHeader]) // no record of another turn follows
	}
	c.last, c.end = c.last+1, 0
	if c.last == c.limit {
		c.last, c.wrapped = 0, true
	}
	if c.last == len(c.segments) {
		c.segments = append(c.segments, make([]byte, recordSegment))
		return
	}
	for at := 0; at+recordHeader <= recordSegment; {
		b := cachedRecord(c.segments[c.last][at:])
		room, place := b.room(), uint32((c.last*recordSegment+at)/recordUnit)
		if room == 0 {
			break
		}
		t, hash := c.table(b.account())
		if slot := t.find(hash, func(p uint32) bool { return p == place }); slot >= 0 {
			t.remove(slot)
		}
		at += recordHeader + room
	}
}

// full reports whether old records have had to go.
func (c *recordCache) full() bool { return c.limit == 0 || c.wrapped }

// table is the one that holds an account's place, and its hash there.
func (c *recordCache) table(id AccountID) (*placeTable, uint64) {
	hash := scatter(uint64(id))
	return &c.places[tableOf(hash)], hash
}

func (c *recordCache) hashAt(place uint32) uint64 {
	_, hash := c.table(c.at(place).account())
	return hash
}
