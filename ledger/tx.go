package ledger

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
)

// A Tx is one task's view of its partition: it reads the newest state, ahead
// of what is committed, and records. It is valid only within
// [Task.Decide], and so is what its methods answer unless they say otherwise.
type Tx struct {
	s    *shard
	p    *partition
	now  int64
	base int    // length of the batch before the task
	seq  uint64 // newest record before the task
	mail bool

	undo    []undo
	records []gathered // the task's journal records
	staged  []staged   // what an Append is about to write beside its record
	stage   []byte     // the values of staged

	moves []sharedMove // changes of shared counters' sums
	net   []sharedMove // scratch

	ahead   *Ahead // what was read for the task; nil for nothing
	known   Key    // a duplicate key that is known to have no record …
	isKnown bool
}

// undo is what an account was before the task.
type undo struct {
	h     *hot
	was   *Account // nil: the account did not exist
	dirty bool
}

// gathered is a journal record of the task that belongs into the window.
type gathered struct {
	entry sealEntry
	at    span // in the batch
}

func (tx *Tx) begin(p *partition) {
	tx.p, tx.base, tx.seq, tx.ahead = p, tx.s.drain.batch.Len(), p.seq, nil
	tx.moves, tx.net = tx.moves[:0], tx.net[:0]
	tx.undo, tx.records, tx.isKnown, tx.mail = tx.undo[:0], tx.records[:0], false, false
	p.time = max(p.time+1, tx.s.clock)
	tx.now = p.time
}

// Partition is the partition of the task.
func (tx *Tx) Partition() int { return tx.p.id }

// Partitions is the number of partitions.
func (tx *Tx) Partitions() int { return len(tx.s.l.parts) }

// Now is ledger time in unix nanoseconds: the clock's, or one more than the
// last task's if the clock is behind. It is the same within one task and the
// Time of everything it records.
func (tx *Tx) Now() int64 { return tx.now }

// Account is the account's newest state, with everything that fell due up to
// Now in the journal; nil if there is none. It stays valid, and changes, with
// [Tx.Append]: the caller must not change it. ErrPartition if it lives in
// another partition.
func (tx *Tx) Account(id AccountID) (*Account, error) {
	h, err := tx.account(id)
	if h == nil || err != nil {
		return nil, err
	}
	return &h.Account, nil
}

func (tx *Tx) account(id AccountID) (*hot, error) {
	h, err := tx.load(id)
	if h == nil || err != nil {
		return nil, err
	}
	if err := tx.catchUp(h, tx.s.l.waker.Load()); err != nil {
		return nil, err
	}
	return h, nil
}

// Note is what a decider has noted beside an account that is in memory, nil
// for nothing. A note is forgotten when the account leaves memory and when its
// profile changes.
func (tx *Tx) Note(id AccountID) any {
	if h := tx.s.hot.all[id]; h != nil {
		return h.note
	}
	return nil
}

// SetNote notes something beside an account that is in memory. It is no part
// of the books: what it says must be derived from what is stored.
func (tx *Tx) SetNote(id AccountID, note any) {
	if h := tx.s.hot.all[id]; h != nil {
		h.note = note
	}
}

// forgetNote forgets what was derived from the profile.
func (tx *Tx) forgetNote(id AccountID) { tx.SetNote(id, nil) }

// load finds the account hot or decodes it.
func (tx *Tx) load(id AccountID) (*hot, error) {
	s := tx.s
	if id == 0 {
		return nil, nil
	}
	if id.Partition(len(s.l.parts)) != tx.p.id {
		return nil, fmt.Errorf("account %s: %w", id, ErrPartition)
	}
	if h := s.hot.get(id); h != nil {
		s.l.stats.hits.Add(1)
		return h, nil
	}
	rec, ok, err := tx.record(id)
	if !ok || err != nil {
		return nil, err
	}
	h := &hot{}
	if err := decodeAccount(rec, &h.Account); err != nil {
		return nil, fmt.Errorf("account %s: %w", id, err)
	}
	if h.ID != id {
		return nil, fmt.Errorf("%w: account %s lies under another's key", ErrCorrupt, id)
	}
	h.indexed = h.Scheduled
	h.Merchant = s.intern(h.Merchant)
	s.hot.put(h)
	return h, nil
}

// intern keeps one copy of a merchant's name for all its accounts, which
// would otherwise each keep the record they were read from.
func (s *shard) intern(name string) string {
	known, ok := s.names[name]
	if !ok {
		if len(s.names) >= 1024 {
			clear(s.names)
		}
		known = string([]byte(name))
		s.names[known] = known
	}
	return known
}

// Create makes sure that an account may be created in this partition: an
// Append of KindEnrol creates it. ErrExists if there is one.
func (tx *Tx) Create(id AccountID, merchant string) error {
	if id == 0 || len(merchant) > maxName {
		return errors.New("ledger: an account has an id, and its merchant a name of at most 255 bytes")
	}
	h, err := tx.load(id)
	if err == nil && h != nil {
		err = ErrExists
	}
	return err
}

// Receipts are the operations known by a receipt ([Ledger.ReceiptKey]). The
// list is valid until the next Receipts or Append.
func (tx *Tx) Receipts(key Key) ([]ReceiptEntry, error) {
	s := tx.s
	if s.l.receiptFilter.absent(key) {
		return nil, nil
	}
	rec, ok, err := s.get(hashKey(s.kbuf[:0], spaceReceipts, key))
	if !ok || err != nil {
		return nil, err
	}
	s.seen, err = decodeReceipts(rec, s.seen[:0])
	return s.seen, err
}

// Sale is the state of a sale or an authorization that has ended; nil if there
// is none, or none any more. The caller may keep it.
func (tx *Tx) Sale(id OpID) (*Sale, error) {
	sale := new(Sale)
	ok, err := tx.s.loadSale(id, sale)
	if !ok || err != nil {
		return nil, err
	}
	return sale, nil
}

func (s *shard) loadSale(id OpID, sale *Sale) (bool, error) {
	if s.l.saleDropped(id) {
		return false, nil
	}
	rec, ok, err := s.get(saleKey(s.kbuf[:0], id))
	if !ok || err != nil {
		return false, err
	}
	return true, decodeSale(rec, sale)
}

// Operation reads a journal record into op, which may be used again and again;
// false if there is none, or none any more ([Ledger.Dropped]).
func (tx *Tx) Operation(id OpID, op *Operation) (bool, error) {
	rec, ok, err := tx.s.get(journalKey(tx.s.kbuf[:0], id))
	if !ok || err != nil {
		return false, err
	}
	return true, DecodeOperation(rec, op)
}

// Parked is a parked message that still waits; nil if there is none.
func (tx *Tx) Parked(id OpID) (*Parked, error) {
	rec, ok, err := tx.s.get(parkedKey(tx.s.kbuf[:0], id))
	if !ok || err != nil {
		return nil, err
	}
	p := new(Parked)
	return p, decodeParked(rec, p)
}

// Link is what an identifier leads to; nil if nothing. The caller may keep it.
func (tx *Tx) Link(key Key) (*Link, error) {
	rec, ok, err := tx.s.get(hashKey(tx.s.kbuf[:0], spaceLink, key))
	if !ok || err != nil {
		return nil, err
	}
	link := new(Link)
	return link, decodeLink(rec, link)
}

// PutLink points an identifier to an account. Only a card that is not in use
// may be nobody's.
func (tx *Tx) PutLink(key Key, link Link) error {
	if err := checkLink(&link); err != nil {
		return err
	}
	tx.s.buf = appendLink(tx.s.buf[:0], &link)
	tx.s.set(hashKey(tx.s.kbuf[:0], spaceLink, key), tx.s.buf)
	return nil
}

// DeleteLink frees an identifier.
func (tx *Tx) DeleteLink(key Key) error {
	tx.s.delete(hashKey(tx.s.kbuf[:0], spaceLink, key))
	return nil
}

// PutProfile stores a profile, encrypted.
func (tx *Tx) PutProfile(id AccountID, plain []byte) error {
	if id.Partition(len(tx.s.l.parts)) != tx.p.id {
		return ErrPartition
	}
	sealed, err := tx.s.l.secret.seal(tx.s.buf[:0], id, plain)
	if err != nil {
		return err
	}
	tx.s.buf = sealed
	tx.s.set(profileKey(tx.s.kbuf[:0], id), sealed)
	tx.forgetNote(id)
	return nil
}

// Profile decrypts a profile; nil if there is none. The caller may keep it.
func (tx *Tx) Profile(id AccountID) ([]byte, error) {
	rec, ok, err := tx.s.get(profileKey(tx.s.kbuf[:0], id))
	if !ok || err != nil {
		return nil, err
	}
	return tx.s.l.secret.open(rec, id)
}

// DeleteProfile erases a profile.
func (tx *Tx) DeleteProfile(id AccountID) error {
	if id.Partition(len(tx.s.l.parts)) != tx.p.id {
		return ErrPartition
	}
	tx.s.delete(profileKey(tx.s.kbuf[:0], id))
	tx.forgetNote(id)
	return nil
}

// get reads a key as the drain sees it. The value is valid until the next get.
func (s *shard) get(key []byte) (value []byte, ok bool, err error) {
	if value, ok, known := s.recent(key); known {
		return value, ok, nil
	}
	return s.stored(key)
}

// stored reads a key as Pebble shows it. The value is valid until the next get.
func (s *shard) stored(key []byte) (value []byte, ok bool, err error) {
	value, closer, err := s.l.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	s.read = append(s.read[:0], value...)
	return s.read, true, closer.Close()
}

// set writes to the drain's batch. It copies both.
func (s *shard) set(key, value []byte) {
	switch key[0] {
	case spaceDups:
		s.noteDup(key)
	case spaceReceipts:
		s.l.receiptFilter.add(filteredKey(key)) // before anybody can see it
	case spaceLink:
		s.drain.links = append(s.drain.links, Key(key[1:]))
	}
	b := s.drain.batch
	if err := b.Set(key, value, nil); err != nil {
		panic(err) // it answers errors for batches that are committed or closed: a bug
	}
	s.drain.overlay[small(key)] = span{at: b.Len() - len(value), n: len(value)}
}

func (s *shard) delete(key []byte) {
	if key[0] == spaceLink {
		s.drain.links = append(s.drain.links, Key(key[1:]))
	}
	if err := s.drain.batch.Delete(key, nil); err != nil {
		panic(err)
	}
	s.drain.overlay[small(key)] = span{n: -1}
}

// finish takes the task's records into the partition's window.
func (tx *Tx) finish() {
	s := tx.s
	tx.giveBack(false)
	for i := range tx.records {
		at := tx.records[i].at
		tx.p.seal.take(&tx.records[i].entry, s.drain.batch.Repr()[at.at:at.at+at.n])
	}
	s.l.stats.records.Add(uint64(len(tx.records)))
	if len(tx.records) > 0 {
		if tx.p.seal.ripe(s.l.o.WindowRecords) {
			tx.sealWindow()
		}
		s.markDrain(tx.p, tx.mail)
	}
	for i := range tx.undo {
		if tx.undo[i].was != nil {
			s.hot.give(tx.undo[i].was)
		}
	}
}

// markDrain notes up to where the partition's journal is in the drain.
func (s *shard) markDrain(p *partition, mail bool) {
	for i := range s.drain.marks {
		if m := &s.drain.marks[i]; m.part == p {
			m.seq, m.mail = p.seq, m.mail || mail
			return
		}
	}
	s.drain.marks = append(s.drain.marks, mark{p, p.seq, mail})
}

// rollback makes everything what it was before the task. Failing tasks are
// rare, so it may be slow: it builds the batch anew from what lay before.
func (tx *Tx) rollback() error {
	s := tx.s
	tx.p.seq = tx.seq
	tx.giveBack(true)
	for i := len(tx.undo) - 1; i >= 0; i-- {
		u := &tx.undo[i]
		if u.was == nil {
			s.hot.drop(u.h)
			s.undirty(u.h)
			continue
		}
		u.h.Account, *u.was = *u.was, u.h.Account
		s.hot.give(u.was)
		if u.h.dirty && !u.dirty {
			s.undirty(u.h)
		}
	}
	old := s.drain.batch
	if old.Len() == tx.base {
		return nil
	}
	s.drain.batch = s.l.db.NewBatch()
	clear(s.drain.overlay)
	if old.Empty() || tx.base <= batchrepr.HeaderLen {
		return old.Close()
	}
	r := batchrepr.Reader(old.Repr()[batchrepr.HeaderLen:tx.base])
	for len(r) > 0 {
		kind, key, value, ok, err := r.Next()
		if err != nil || !ok {
			return errors.Join(err, errors.New("ledger: a batch cannot be read back"))
		}
		switch key := append([]byte(nil), key...); kind {
		case pebble.InternalKeyKindSet:
			s.set(key, value)
		case pebble.InternalKeyKindRangeDelete:
			s.deleteRange(key, value)
		default:
			s.delete(key)
		}
	}
	return old.Close()
}

func (s *shard) undirty(h *hot) {
	h.dirty = false
	for i := range s.dirty {
		if s.dirty[i] == h {
			s.dirty = append(s.dirty[:i], s.dirty[i+1:]...)
			return
		}
	}
}
