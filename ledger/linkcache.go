package ledger

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"strings"
	"sync"
)

// linkCache keeps what identifiers lead to, so that the members who come are
// found without asking Pebble. It holds what was read from the store, and
// nothing that is not there.
//
// A reader that has read the old link must not put it in after a writer has
// replaced it. So each stripe counts its changes: a writer forgets the link
// before its batch can be seen and once more after, each time counting, and a
// reader puts in what it has read only if nothing was counted meanwhile.
//
// Shops have millions of cards. So an entry takes 40 bytes without a pointer,
// of which the collector takes no notice, in tables of sets: a key has one set,
// and a place in any of its slots.
type linkCache struct {
	stripes [linkStripes]linkStripe
	limit   int // sets of a stripe; 0: nothing is kept
	types   linkTypes
}

const (
	linkStripes = 64
	linkSlots   = 8
)

type linkStripe struct {
	sync.Mutex
	sets    [][linkSlots]linkEntry // twice as many whenever five in eight slots are used
	used    int                    // slots
	turn    uint8                  // the slot that a full set gives up next
	changes uint64
}

// linkEntry is a link under its key.
type linkEntry struct {
	key     Key
	account AccountID
	expires int64
	last4   [4]byte // as many as there are, then zeros
	kind    uint16  // the link's + 1; 0: a free slot
	card    uint8   // its type, a number of linkTypes
	state   uint8
}

// newLinkCache makes a cache of at most so many links, to the nearest 512 below.
func newLinkCache(links int) *linkCache {
	return &linkCache{limit: max(links, 0) / (linkStripes * linkSlots)}
}

func (c *linkCache) stripe(k *Key) *linkStripe { return &c.stripes[k[15]%linkStripes] }

// set is the slots of a key. There must be sets. Keys that come in their order,
// as in a warm-up, must not fill one set after the other.
func (s *linkStripe) set(k *Key) *[linkSlots]linkEntry {
	at, _ := bits.Mul64(binary.BigEndian.Uint64(k[:8])*0x9e3779b97f4a7c15, uint64(len(s.sets)))
	return &s.sets[at]
}

// find is a key's entry, nil if there is none.
func (s *linkStripe) find(k *Key) *linkEntry {
	if len(s.sets) == 0 {
		return nil
	}
	set := s.set(k)
	for i := range set {
		if e := &set[i]; e.kind != 0 && e.key == *k {
			return e
		}
	}
	return nil
}

// get finds a link, or tells the count that put wants.
func (c *linkCache) get(k Key) (link Link, ok bool, changes uint64) {
	s := c.stripe(&k)
	s.Lock()
	defer s.Unlock()
	e := s.find(&k)
	if e == nil {
		return Link{}, false, s.changes
	}
	return Link{
		Account: e.account, Kind: uint8(e.kind - 1), State: e.state,
		Type: c.types.name(e.card), Last4: lastDigits(e.last4), Expires: e.expires,
	}, true, s.changes
}

// put keeps a link that was read when the stripe had counted changes. A full
// set forgets any other: who comes often is soon back.
func (c *linkCache) put(k Key, link *Link, changes uint64) {
	card, ok := c.types.number(link.Type)
	if !ok || len(link.Last4) > len(linkEntry{}.last4) || strings.Contains(link.Last4, "\x00") {
		return // no card that a till knows
	}
	e := linkEntry{key: k, account: link.Account, expires: link.Expires, kind: uint16(link.Kind) + 1, card: card, state: link.State}
	copy(e.last4[:], link.Last4)
	s := c.stripe(&k)
	s.Lock()
	defer s.Unlock()
	if s.changes != changes || c.limit == 0 {
		return
	}
	if old := s.find(&k); old != nil {
		*old = e
		return
	}
	if len(s.sets) < c.limit && 8*s.used >= 5*linkSlots*len(s.sets) {
		s.grow(min(max(2*len(s.sets), 1), c.limit))
	}
	s.add(e)
}

// add puts an entry into a slot of its set: a free one, or one that is used.
func (s *linkStripe) add(e linkEntry) {
	set := s.set(&e.key)
	for i := range set {
		if set[i].kind == 0 {
			set[i] = e
			s.used++
			return
		}
	}
	set[s.turn%linkSlots] = e
	s.turn++
}

// grow makes so many sets in place of those there are.
func (s *linkStripe) grow(sets int) {
	old := s.sets
	s.sets, s.used = make([][linkSlots]linkEntry, sets), 0
	for i := range old {
		for _, e := range old[i] {
			if e.kind != 0 {
				s.add(e)
			}
		}
	}
}

// counts are the counts of all stripes, for who reads many links at once.
func (c *linkCache) counts() (changes [linkStripes]uint64) {
	for i := range c.stripes {
		s := &c.stripes[i]
		s.Lock()
		changes[i] = s.changes
		s.Unlock()
	}
	return changes
}

// room reports whether the cache would keep more links than it has.
func (c *linkCache) room() bool {
	used := 0
	for i := range c.stripes {
		s := &c.stripes[i]
		s.Lock()
		used += s.used
		s.Unlock()
	}
	return used < c.limit*linkStripes*linkSlots*7/8
}

// forget drops links that are about to change, or have just changed.
func (c *linkCache) forget(keys []Key) {
	for i := range keys {
		s := c.stripe(&keys[i])
		s.Lock()
		s.changes++
		if e := s.find(&keys[i]); e != nil {
			*e = linkEntry{}
			s.used--
		}
		s.Unlock()
	}
}

// linkTypes numbers the types of cards, of which there are few: those that come
// after the first 255 are not kept.
type linkTypes struct {
	mu      sync.RWMutex
	names   []string // by number − 1; 0 is no type
	numbers map[string]uint8
}

func (t *linkTypes) name(number uint8) string {
	if number == 0 {
		return ""
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.names[number-1]
}

func (t *linkTypes) number(name string) (number uint8, ok bool) {
	if name == "" {
		return 0, true
	}
	t.mu.RLock()
	number, ok = t.numbers[name]
	t.mu.RUnlock()
	if ok {
		return number, true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if number, ok = t.numbers[name]; ok || len(t.names) == 255 {
		return number, ok
	}
	if t.numbers == nil {
		t.numbers = map[string]uint8{}
	}
	name = strings.Clone(name)
	t.names = append(t.names, name)
	t.numbers[name] = uint8(len(t.names))
	return uint8(len(t.names)), true
}

// fourDigits is 0000 to 9999, for strings that cost no memory of their own.
var fourDigits = func() string {
	b := make([]byte, 0, 40_000)
	for i := range 10_000 {
		b = fmt.Appendf(b, "%04d", i)
	}
	return string(b)
}()

// lastDigits is up to four characters as a string.
func lastDigits(b [4]byte) string {
	n, at := 0, 0
	for ; n < len(b) && b[n] != 0; n++ {
		at = at*10 + int(b[n]-'0')
		if b[n] < '0' || b[n] > '9' {
			at = -1 << 20 // letters
		}
	}
	if n == len(b) && at >= 0 {
		return fourDigits[4*at : 4*at+4]
	}
	return string(b[:n])
}
