package ledger

import "container/list"

// hot is a decoded account of a shard. It is the newest state there is, ahead
// of the store by the drain that is being decided.
type hot struct {
	Account
	indexed int64 // second of its entry in the due index, as the batch leaves it
	dirty   bool  // to be written at the end of the drain
	note    any   // the decider's own ([Tx.Note])
	weight  int
	place   *list.Element
}

// weigh is what an account counts in the cache: one for every KiB.
func weigh(a *Account) int {
	bytes := 400 + 32*cap(a.Lots) + 16*cap(a.Days) + 40*cap(a.Counts)
	for i := range a.Holds {
		bytes += 72 + 32*cap(a.Holds[i].Pins) + 48*cap(a.Holds[i].Counts)
	}
	return 1 + bytes/1024
}

// hotSet keeps the accounts that were used last, up to a weight. An account
// that is dirty stays until its drain is written.
type hotSet struct {
	all    map[AccountID]*hot
	order  *list.List // front: used last
	weight int
	limit  int
	spare  []*Account // room for copies
}

func newHotSet(limit int) hotSet {
	return hotSet{all: map[AccountID]*hot{}, order: list.New(), limit: max(1, limit)}
}

func (s *hotSet) get(id AccountID) *hot {
	h := s.all[id]
	if h != nil {
		s.order.MoveToFront(h.place)
	}
	return h
}

func (s *hotSet) put(h *hot) {
	h.weight = weigh(&h.Account)
	s.weight += h.weight
	h.place = s.order.PushFront(h)
	s.all[h.ID] = h
}

// reweigh follows an account that has grown or shrunk.
func (s *hotSet) reweigh(h *hot) {
	w := weigh(&h.Account)
	s.weight += w - h.weight
	h.weight = w
}

func (s *hotSet) drop(h *hot) {
	s.weight -= h.weight
	s.order.Remove(h.place)
	delete(s.all, h.ID)
}

// trim forgets what was not used for longest. It runs between drains, when
// nothing is dirty and nobody holds an account.
func (s *hotSet) trim() {
	for s.weight > s.limit && s.order.Len() > 0 {
		s.drop(s.order.Back().Value.(*hot))
	}
}

// borrow is an account to copy into; give takes it back.
func (s *hotSet) borrow() *Account {
	if n := len(s.spare); n > 0 {
		a := s.spare[n-1]
		s.spare = s.spare[:n-1]
		return a
	}
	return new(Account)
}

func (s *hotSet) give(a *Account) {
	if len(s.spare) < 64 {
		s.spare = append(s.spare, a)
	}
}
