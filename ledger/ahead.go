package ledger

import "sync/atomic"

// Ahead is an account's record, read for a task before it came to its shard. A
// shard reads one record after the other, so that each that isn't in memory
// would cost all who wait there the disk's time; those who bring requests read
// side by side. The zero value is nothing; it may be used again and again.
type Ahead struct {
	account AccountID
	record  []byte // nothing where there is no account
	found   bool
	changes uint64
}

// keepAhead bounds what an Ahead keeps of a large account.
const keepAhead = 4 << 10

// ReadAhead reads an account's record into a for [Tx.Use], unless the shard has
// it in memory. What can't be read is left to the shard, whose task then learns
// why.
func (l *Ledger) ReadAhead(id AccountID, a *Ahead) {
	a.account = 0
	if cap(a.record) > keepAhead {
		a.record = nil
	}
	part := id.Partition(len(l.parts))
	if known := l.shards[part%len(l.shards)].records; id == 0 || known.limit == 0 || known.has(id) || l.Err() != nil {
		return
	}
	a.changes = l.writes.count(id).Load() // before the record: a change after it is noticed
	found, err := load(l.db, accountKey(nil, part, id), func(rec []byte) error {
		a.record = append(a.record[:0], rec...)
		return nil
	})
	if err == nil {
		a.account, a.found = id, found
	}
}

// Use lets the task have an account's record that was read ahead, if it is
// still the newest. It is lent for as long as the task is decided.
func (tx *Tx) Use(a *Ahead) { tx.ahead = a }

// record is an account's newest record.
func (tx *Tx) record(id AccountID) (rec []byte, ok bool, err error) {
	s := tx.s
	if rec, ok := s.records.get(id); ok {
		return rec, true, nil
	}
	key := accountKey(s.kbuf[:0], tx.p.id, id)
	if rec, ok, known := s.recent(key); known {
		return rec, ok, nil // newer than anything that could be read
	}
	s.l.stats.misses.Add(1)
	if a := tx.ahead; a != nil && a.account == id && a.changes == s.l.writes.count(id).Load() {
		s.l.stats.ahead.Add(1)
		rec, ok = a.record, a.found
	} else if rec, ok, err = s.stored(key); err != nil {
		return nil, false, err
	}
	if ok {
		s.records.put(id, rec)
	}
	return rec, ok, nil
}

// writes counts the writes of accounts for those who read ahead.
//
// A record that was read before a shard has replaced it must not be used after.
// A shard counts before its batch can be seen and once more after. Who has read
// the old record has read the count before the second, and the count that the
// shard finds is another.
type writes [4096]atomic.Uint64

// count is an account's counter, which it shares with others. Ids may have been
// chosen by whoever made them, so they are mixed.
func (w *writes) count(id AccountID) *atomic.Uint64 {
	h := uint64(id) * 0x9e3779b97f4a7c15
	return &w[h>>32%uint64(len(w))]
}
