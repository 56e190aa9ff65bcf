package ledger

import (
	"encoding/binary"

	"github.com/cockroachdb/pebble/v2"
)

// Bounds of the accounts that one round of a shard looks at, so that tills
// never wait behind a night's expiries: sweepBusy when tasks are waiting.
const (
	sweepBatch = 256
	sweepBusy  = 32
)

// chores are what a shard does between drains: it seals windows that are old
// and records what has fallen due for accounts that nobody asks for. They stop
// when the disk is nearly full; nothing is decided differently by that.
func (s *shard) chores() {
	if s.l.low.Load() || !s.settle() {
		return // what the due index is to show must be in it
	}
	s.more = false
	left := sweepBatch
	if len(s.items) > 0 {
		left = sweepBusy
	}
	if !s.l.awake() {
		left = 0
	}
	for _, p := range s.parts {
		s.sealStale(p)
		s.pruneShared(p)
		if left > 0 && p.due.second <= s.clock/second {
			left -= s.sweep(p, left)
		}
	}
	s.more = left <= 0 && s.l.awake()
}

func (s *shard) sealStale(p *partition) {
	now := max(p.time+1, s.clock)
	if !p.seal.stale(now, int64(s.l.o.WindowAge)) {
		return
	}
	_ = s.decide(p, func(tx *Tx) error {
		tx.sealWindow()
		s.markDrain(p, false)
		return nil
	})
}

// sweep touches the accounts whose second in the due index has come, at most
// limit, and answers how many.
func (s *shard) sweep(p *partition, limit int) int {
	if p.again != 0 && p.again <= s.clock {
		p.due, p.again = dueEntry{}, 0
	}
	due, next, err := s.dueAccounts(p, p.due, limit)
	if err != nil {
		s.l.o.Logger.Error("the due index cannot be read", "partition", p.id, "error", err)
		return 0
	}
	p.due = next
	for _, e := range due {
		if err := s.decide(p, func(tx *Tx) error { return tx.sweep(e) }); err != nil {
			s.l.o.Logger.Error("an account cannot be swept", "account", e.account.String(), "error", err)
			p.again = s.clock + minute
		}
	}
	s.l.stats.swept.Add(uint64(len(due)))
	return len(due)
}

// dueEntry is an entry of the due index, or a place between two.
type dueEntry struct {
	second  int64
	account AccountID
}

// before reports whether e comes before another in the index.
func (e dueEntry) before(other dueEntry) bool {
	return e.second < other.second || e.second == other.second && e.account < other.account
}

// dueAccounts reads the due index from a place up to now, and tells where to
// go on. It reads no further: what is still to come are nearly all holds that
// were confirmed meanwhile, whose entries are gone but cost a step each until
// the store is compacted. So each of them is stepped over once.
func (s *shard) dueAccounts(p *partition, from dueEntry, limit int) (entries []dueEntry, next dueEntry, err error) {
	next.second = s.clock/second + 1
	bounds := &pebble.IterOptions{
		LowerBound: dueKey(nil, p.id, from.second, from.account), UpperBound: dueKey(nil, p.id, next.second, 0),
	}
	err = scanWithin(s.l.db, bounds, bounds.LowerBound, func(key, _ []byte) (bool, error) {
		e := dueEntry{int64(binary.BigEndian.Uint64(key[3:])), AccountID(trailing(key))}
		if len(entries) >= limit {
			next = e
			return false, nil
		}
		entries = append(entries, e)
		return true, nil
	})
	return entries, next, err
}

// sweep records what an account owes; its entry moves when it is written. One
// that came too early moves by itself: the index of older stores named minutes.
func (tx *Tx) sweep(e dueEntry) error {
	h, err := tx.account(e.account)
	if err != nil {
		return err
	}
	if h == nil || h.indexed != e.second {
		tx.s.delete(dueKey(tx.s.kbuf[:0], tx.p.id, e.second, e.account)) // nobody's
		return nil
	}
	if at := dueSecond(&h.Account); at != h.Scheduled {
		h.Scheduled = at
		tx.touch(h)
	}
	return nil
}

// Sweep records everything that has fallen due by now, in all partitions, and
// returns when it is synced. The event loops do the same by themselves.
func (l *Ledger) Sweep() error {
	for partition := range l.parts {
		var from dueEntry
		for more := true; more; {
			err := l.await(partition, func(tx *Tx) error {
				if !tx.s.settle() {
					return ErrClosed
				}
				entries, next, err := tx.s.dueAccounts(tx.p, from, sweepBatch)
				from = next
				for _, e := range entries {
					if err == nil {
						err = tx.sweep(e)
					}
				}
				more = len(entries) == sweepBatch
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
