package ledger

import "sync"

// linkCache keeps what identifiers lead to, so that the members who come are
// found without asking Pebble. It holds what was read from the store, and
// nothing that is not there.
//
// A reader that has read the old link must not put it in after a writer has
// replaced it. So each stripe counts its changes: a writer forgets the link
// before its batch can be seen and once more after, each time counting, and a
// reader puts in what it has read only if nothing was counted meanwhile.
type linkCache struct {
	stripes [64]linkStripe
	limit   int // of a stripe; 0: nothing is kept
}

type linkStripe struct {
	sync.Mutex
	links   map[Key]Link
	changes uint64
}

func newLinkCache(links int) *linkCache {
	c := &linkCache{limit: max(links, 0) / 64}
	for i := range c.stripes {
		c.stripes[i].links = map[Key]Link{}
	}
	return c
}

func (c *linkCache) stripe(k *Key) *linkStripe { return &c.stripes[k[15]%64] }

// get finds a link, or tells the count that put wants.
func (c *linkCache) get(k Key) (link Link, ok bool, changes uint64) {
	s := c.stripe(&k)
	s.Lock()
	defer s.Unlock()
	link, ok = s.links[k]
	return link, ok, s.changes
}

// put keeps a link that was read when the stripe had counted changes. A full
// stripe forgets any other: who comes often is soon back.
func (c *linkCache) put(k Key, link *Link, changes uint64) {
	s := c.stripe(&k)
	s.Lock()
	defer s.Unlock()
	if s.changes != changes || c.limit == 0 {
		return
	}
	for other := range s.links {
		if len(s.links) < c.limit {
			break
		}
		delete(s.links, other)
	}
	s.links[k] = *link
}

// forget drops links that are about to change, or have just changed.
func (c *linkCache) forget(keys []Key) {
	for i := range keys {
		s := c.stripe(&keys[i])
		s.Lock()
		s.changes++
		delete(s.links, keys[i])
		s.Unlock()
	}
}
