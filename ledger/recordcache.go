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
	places   map[AccountID]uint32 // of each record, in units
	segments [][]byte
	limit    int // segments; 0: nothing is kept
	last     int // the segment that is being written
	end      int // where the next record goes in it
	wrapped  bool
}

// A record has a header of its account, its room and its length, then its room.
const (
	recordSegment = 256 << 10
	recordUnit    = 16
	recordHeader  = 16
	maxCached     = 128 << 10 // bytes of a record; a larger account is not kept
)

// newRecordCache makes a cache of at most so many bytes, which are taken as they
// are wanted.
func newRecordCache(bytes int64) *recordCache {
	limit := int(min(max(bytes, 0)/recordSegment, 1<<32*recordUnit/recordSegment))
	return &recordCache{places: map[AccountID]uint32{}, limit: limit, last: -1, end: recordSegment}
}

// at is a record's header and room.
func (c *recordCache) at(place uint32) []byte {
	const units = recordSegment / recordUnit
	return c.segments[place/units][place%units*recordUnit:]
}

// has reports whether an account's record is there. Anybody may ask.
func (c *recordCache) has(id AccountID) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	_, ok := c.places[id]
	return ok
}

// get is an account's record, valid until the next put.
func (c *recordCache) get(id AccountID) (rec []byte, ok bool) {
	place, ok := c.places[id]
	if !ok {
		return nil, false
	}
	b := c.at(place)
	return b[recordHeader : recordHeader+binary.LittleEndian.Uint32(b[12:])], true
}

// put keeps an account's newest record in place of any other.
func (c *recordCache) put(id AccountID, rec []byte) {
	if c.limit == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if place, ok := c.places[id]; ok {
		b := c.at(place)
		if len(rec) <= int(binary.LittleEndian.Uint32(b[8:])) {
			binary.LittleEndian.PutUint32(b[12:], uint32(len(rec)))
			copy(b[recordHeader:], rec)
			return
		}
		delete(c.places, id)
	}
	if len(rec) > maxCached {
		return
	}
	// A little more than it takes: accounts grow.
	room := (len(rec)+len(rec)/8)/recordUnit*recordUnit + recordUnit
	if c.end+recordHeader+room > recordSegment {
		c.turn()
	}
	b := c.segments[c.last][c.end:]
	binary.LittleEndian.PutUint64(b, uint64(id))
	binary.LittleEndian.PutUint32(b[8:], uint32(room))
	binary.LittleEndian.PutUint32(b[12:], uint32(len(rec)))
	copy(b[recordHeader:], rec)
	c.places[id] = uint32((c.last*recordSegment + c.end) / recordUnit)
	c.end += recordHeader + room
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
		b := c.segments[c.last][at:]
		id, room := AccountID(binary.LittleEndian.Uint64(b)), int(binary.LittleEndian.Uint32(b[8:]))
		if room == 0 {
			break
		}
		if c.places[id] == uint32((c.last*recordSegment+at)/recordUnit) {
			delete(c.places, id)
		}
		at += recordHeader + room
	}
}

// full reports whether old records have had to go.
func (c *recordCache) full() bool { return c.limit == 0 || c.wrapped }
