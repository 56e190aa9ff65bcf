package ledger

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// Duplicate records lie in buckets of one UTC day each, that of their entries'
// ledger time: the day is in front of the key, so that a day that nobody may
// ask for any more is dropped as one range, whatever it holds. What is
// remembered under a key is the union of its buckets.
//
// A look-up reads the buckets from the day of now − retention on, whether older
// ones have been dropped or not: an answer does not depend on when that
// happens. For a new request it reads none of them (filter).

// dupKey is where a key's entries of one UTC day lie.
func dupKey(dst []byte, day int32, k Key) []byte {
	return append(dupDay(dst, day), k[:]...)
}

// dupDay is the first key of a day's bucket.
func dupDay(dst []byte, day int32) []byte {
	return binary.BigEndian.AppendUint32(append(dst, spaceDups), uint32(max(day, 0)))
}

// dupDays are the first and the last day that a look-up reads. The last is the
// newest that was ever written: a clock that went back hides nothing.
func (l *Ledger) dupDays(now int64) (from, to int32) {
	return max(dayOf(now-l.retention.Load()), l.dupsFrom.Load(), 0), max(dayOf(now), l.dupsTo.Load())
}

// noteDup tells filter and bounds of a duplicate record before anybody can see
// it.
func (s *shard) noteDup(key []byte) {
	s.l.dupFilter.add(filteredKey(key))
	day := int32(binary.BigEndian.Uint32(key[1:]))
	for was := s.l.dupsTo.Load(); day > was && !s.l.dupsTo.CompareAndSwap(was, day); was = s.l.dupsTo.Load() {
	}
}

// recoverDups finds the bounds of the buckets that are there.
func (l *Ledger) recoverDups() error {
	if _, err := load(l.db, dupBaseKey(nil), func(rec []byte) error {
		var from int32
		err := decodeDupBase(rec, &from)
		l.dupsFrom.Store(from)
		return err
	}); err != nil {
		return err
	}
	lower := []byte{spaceDups}
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: after(lower)})
	if err != nil {
		return err
	}
	if it.Last() {
		l.dupsTo.Store(int32(binary.BigEndian.Uint32(it.Key()[1:])))
	}
	if err := it.Error(); err != nil {
		_ = it.Close()
		return err
	}
	return it.Close()
}

// readDups appends what is remembered under a key, oldest day first.
func readDups(get func([]byte) ([]byte, bool, error), kbuf []byte, key Key, from, to int32, list []DupEntry) ([]DupEntry, error) {
	for day := from; day <= to; day++ {
		rec, ok, err := get(dupKey(kbuf, day, key))
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		// The tail's room is used again where there is any; else it is moved.
		tail, err := decodeDups(rec, list[len(list):])
		if err != nil {
			return nil, err
		}
		list = append(list, tail...)
	}
	return list, nil
}

// Dups are the requests remembered under a duplicate key, in the order in which
// they came first.
func (l *Ledger) Dups(key Key) ([]DupEntry, error) {
	if l.dupFilter.absent(key) {
		return nil, nil
	}
	from, to := l.dupDays(l.o.Clock())
	return dupsIn(l.db, key, from, to)
}

// DupsUntil is [Ledger.Dups], but reads the newest day first and stops with the
// one that has what is looked for: nearly every repeat comes within minutes,
// and each day is a read of its own. The entries are those of the days read.
func (l *Ledger) DupsUntil(key Key, found func(*DupEntry) bool) (list []DupEntry, err error) {
	if l.dupFilter.absent(key) {
		return nil, nil
	}
	from, to := l.dupDays(l.o.Clock())
	for day := to; day >= from; day-- {
		entries, err := dupsIn(l.db, key, day, day)
		if err != nil {
			return nil, err
		}
		list = append(entries, list...)
		for i := range entries {
			if found(&entries[i]) {
				return list, nil
			}
		}
	}
	return list, nil
}

// dupsIn reads a key's entries of some days from a reader of the store.
func dupsIn(db pebble.Reader, key Key, from, to int32) ([]DupEntry, error) {
	return readDups(func(k []byte) (value []byte, ok bool, err error) {
		ok, err = load(db, k, func(rec []byte) error {
			value = append([]byte(nil), rec...)
			return nil
		})
		return value, ok, err
	}, make([]byte, 0, maxKey), key, from, to, nil)
}

// Dups are the requests remembered under a duplicate key, in the order in which
// they came first. The list lies in room of the shard's: it is valid until the next Dups, PutDups or
// Append.
func (tx *Tx) Dups(key Key) ([]DupEntry, error) {
	s := tx.s
	if s.l.dupFilter.absent(key) {
		tx.known, tx.isKnown = key, true
		return nil, nil
	}
	from, to := s.l.dupDays(tx.now)
	var err error
	s.dups, err = readDups(s.get, s.kbuf[:0], key, from, to, s.dups[:0])
	if err == nil && len(s.dups) == 0 {
		tx.known, tx.isKnown = key, true
	}
	return s.dups, err
}

// PutDups replaces what is remembered under a duplicate key, without a record
// in the journal: another DE7 was seen for an operation. Each entry stays in
// the bucket of its own Time; entries older than the retention are left out.
// The list may be the one that Dups has answered.
func (tx *Tx) PutDups(key Key, entries []DupEntry) error {
	s := tx.s
	if len(entries) > s.l.o.MaxDups {
		s.l.stats.dupsRejected.Add(1)
		return ErrDupsFull
	}
	from, to := s.l.dupDays(tx.now)
	for day := from; day <= to; day++ {
		was, had, err := s.get(dupKey(s.kbuf[:0], day, key))
		if err != nil {
			return err
		}
		is := s.dupsOf(entries, day)
		if len(is) == 0 {
			if had {
				s.delete(dupKey(s.kbuf[:0], day, key))
			}
			continue
		}
		s.buf = appendDups(s.buf[:0], is)
		if !had || !bytes.Equal(was, s.buf) {
			s.set(dupKey(s.kbuf[:0], day, key), s.buf)
		}
	}
	tx.isKnown = false
	return nil
}

// dupsOf are the entries of one day. The list is valid until the next call; its
// entries share their lists with those of entries.
func (s *shard) dupsOf(entries []DupEntry, day int32) []DupEntry {
	s.day = s.day[:0]
	for i := range entries {
		if dayOf(entries[i].Time) == day {
			s.day = append(s.day, entries[i])
		}
	}
	return s.day
}

// deriveDup adds the request to those remembered under its key; one that is
// there already learns under which DE7 it came, and moves to today's bucket.
func (tx *Tx) deriveDup(op *Operation, ref *DupRef) error {
	s := tx.s
	ref.Entry.Time = op.Time
	ref.Entry.Op = op.ID
	if ref.Entry.Mark {
		ref.Entry.Op = 0
	}
	today := dayOf(op.Time)
	from, to := s.l.dupDays(op.Time)
	if ref.New || tx.isKnown && tx.known == ref.Key || s.l.dupFilter.absent(ref.Key) {
		from, to = today, today
		if _, _, written := s.recent(dupKey(s.kbuf[:0], today, ref.Key)); !written {
			from++ // nothing is to be read
		}
	}
	var err error
	if s.dups, err = readDups(s.get, s.kbuf[:0], ref.Key, from, to, s.dups[:0]); err != nil {
		return err
	}
	var left int32
	s.dups, left = mergeDup(s.dups, &ref.Entry, today)
	if len(s.dups) > s.l.o.MaxDups {
		s.l.stats.dupsRejected.Add(1)
		return ErrDupsFull
	}
	tx.isKnown = false
	tx.stageDups(ref.Key, today)
	if left != today {
		tx.stageDups(ref.Key, left)
	}
	return nil
}

// stageDups stages what the shard's list has of one day.
func (tx *Tx) stageDups(key Key, day int32) {
	s := tx.s
	tx.stageStart(dupKey(s.kbuf[:0], day, key))
	is := s.dupsOf(s.dups, day)
	if len(is) == 0 {
		tx.staged[len(tx.staged)-1].to = -1
		return
	}
	tx.stage = appendDups(tx.stage, is)
	tx.stageEnd()
}

// mergeDup brings an entry into a list and answers the day whose bucket it has
// left, today's if none.
func mergeDup(entries []DupEntry, e *DupEntry, today int32) ([]DupEntry, int32) {
	i := slices.IndexFunc(entries, func(old DupEntry) bool {
		return old.Disc == e.Disc && old.Mark == e.Mark && old.Class == e.Class &&
			(!e.Mark || slices.Equal(old.Sent, e.Sent)) // marks of two messages are two
	})
	if i < 0 {
		e2 := *e
		e2.Sent = slices.Clone(e.Sent) // the list's room is used again, the caller's is his
		return append(entries, e2), today
	}
	old := &entries[i]
	sent, left := old.Sent, dayOf(old.Time)
	*old = *e
	old.Sent = sent
	for _, de7 := range e.Sent {
		if !slices.Contains(old.Sent, de7) {
			old.Sent = append(old.Sent, de7)
		}
	}
	return entries, left
}
