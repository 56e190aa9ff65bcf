package processor

import (
	"bytes"
	"slices"
	"sync"
	"sync/atomic"

	"tillgate/ledger"
)

// claimStripes is how many locks the table is spread over: far more than
// there are processors, so that two requests meet on a lock only by chance.
const claimStripes = 256

// maxClaims bounds the keys one request may claim: its own duplicate keys
// (two for an ISO message with an idempotency id), its receipt, an identifier
// and the keys of the request it reverses.
const maxClaims = 6

// claims is the table of keys that belong to no account and are being decided
// right now: duplicate keys, receipts, identifiers.
//
// The problem: two copies of one request may arrive at the same moment, while
// the record that would tell the second one about the first is not yet on
// disk. A request therefore owns its keys from before it looks them up until
// what it recorded is synced. A second one with the same key waits: its
// exchange is parked in the key's queue and takes no goroutine.
//
// Invariants: a task takes its keys in ascending order, so that no two tasks
// can wait for each other; a key is in the map exactly while a task owns it; the
// key passes to its oldest waiter without becoming free in between.
//
// Rejected: one lock per key held across the sync (a goroutine per waiter),
// and deciding by the store's record alone (it comes too late).
type claims struct {
	stripes [claimStripes]claimStripe
	waiting atomic.Int64
	limit   int64 // of parked exchanges
}

type claimStripe struct {
	mu   sync.Mutex
	held map[ledger.Key]claimQueue
	_    [40]byte // one stripe a cache line
}

// claimQueue holds the tasks that wait for a key, oldest first.
type claimQueue struct{ head, tail *Task }

// claimSet is a task's own part: its keys in ascending order and how many of
// them it owns.
type claimSet struct {
	keys  [maxClaims]ledger.Key
	n     int
	owned int
	next  *Task // behind it in the queue of the key it waits for
}

// add puts a key into the set, in order and once. It reports false when the
// set is full, which is a fault of ours.
func (c *claimSet) add(k ledger.Key) bool {
	i := 0
	for ; i < c.n; i++ {
		switch bytes.Compare(c.keys[i][:], k[:]) {
		case 0:
			return true
		case 1:
			goto insert
		}
	}
insert:
	if c.n == maxClaims {
		return false
	}
	copy(c.keys[i+1:c.n+1], c.keys[i:c.n])
	c.keys[i] = k
	c.n++
	return true
}

// has reports whether a key is in the set.
func (c *claimSet) has(k ledger.Key) bool {
	return slices.Contains(c.keys[:c.n], k)
}

type claimResult uint8

const (
	claimOwned  claimResult = iota // the task owns all its keys
	claimParked                    // it waits; whoever releases the key runs it
	claimFull                      // too many wait already; the task owns nothing
)

func newClaims(limit int) *claims {
	c := &claims{limit: int64(limit)}
	for i := range c.stripes {
		c.stripes[i].held = make(map[ledger.Key]claimQueue)
	}
	return c
}

func (c *claims) stripe(k ledger.Key) *claimStripe {
	// The keys are keyed hashes already: any byte is as good as another. The
	// first ones are used for partitions.
	return &c.stripes[k[15]]
}

// acquire takes the task's keys, or parks it behind the owner of the first
// that isn't free.
func (c *claims) acquire(t *Task) claimResult {
	for t.claim.owned < t.claim.n {
		k := t.claim.keys[t.claim.owned]
		s := c.stripe(k)
		s.mu.Lock()
		q, taken := s.held[k]
		if !taken {
			s.held[k] = claimQueue{}
			s.mu.Unlock()
			t.claim.owned++
			continue
		}
		if c.waiting.Add(1) > c.limit {
			c.waiting.Add(-1)
			s.mu.Unlock()
			return claimFull
		}
		t.claim.next = nil
		if q.tail == nil {
			q.head = t
		} else {
			q.tail.claim.next = t
		}
		q.tail = t
		s.held[k] = q
		s.mu.Unlock()
		return claimParked
	}
	return claimOwned
}

// release gives up the task's keys. Each one passes to its oldest waiter; the
// waiters that own all their keys now are handed to run, one by one.
func (c *claims) release(t *Task, run func(*Task, claimResult)) {
	for ; t.claim.owned > 0; t.claim.owned-- {
		c.give(t.claim.keys[t.claim.owned-1], run)
	}
	t.claim.n = 0
}

// give passes a key on to its oldest waiter, or frees it. A waiter that owns
// all its keys now is handed to run.
func (c *claims) give(k ledger.Key, run func(*Task, claimResult)) {
	w := c.pass(k)
	if w == nil {
		return
	}
	w.claim.owned++
	if r := c.acquire(w); r != claimParked {
		run(w, r)
	}
}

// try takes a key that is free, without waiting, for somebody with more keys
// than a task has; it goes back by give.
func (c *claims) try(k ledger.Key) bool {
	s := c.stripe(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.held[k]; taken {
		return false
	}
	s.held[k] = claimQueue{}
	return true
}

// pass gives a key to its oldest waiter, or frees it.
func (c *claims) pass(k ledger.Key) *Task {
	s := c.stripe(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.held[k]
	w := q.head
	if w == nil {
		delete(s.held, k)
		return nil
	}
	c.waiting.Add(-1)
	q.head = w.claim.next
	if q.head == nil {
		q.tail = nil
	}
	s.held[k] = q
	w.claim.next = nil
	return w
}
