package ledger

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync"
)

// Counters that are shared by all accounts: the uses of a promo code, the
// operations at a terminal. Each partition keeps its own part of a counter,
// written in the batch of the operation that counted; their sum is kept in
// memory, where a decider takes from what is left before it decides. So a
// limit is exact though the accounts that use it up are decided by different
// event loops. The sum is computed when a counter is first asked for.
//
// A part, version 1, under its partition, its last day (big-endian, so that
// what is over lies in front) and its key:
//
//	offset  size  what
//	0       1     'C'
//	1       1     1
//	2       …     value, varint, not zero
const sharedVersion = 1

// sharedID names a shared counter: what it counts, and the last UTC day on
// which it matters (0 for ever).
type sharedID struct {
	key   uint64
	until int32
}

// shared are the sums over all partitions.
type shared struct {
	sync.Mutex
	sums  map[sharedID]sharedSum
	today int32 // counters of earlier days have been forgotten
	limit int   // of the sums that are kept
}

type sharedSum struct {
	n    int64
	used int64 // when it was last asked for or moved, unix ns
}

// maxSums bounds the sums in memory, some 60 bytes each. One that is dropped is
// added up again when it is asked for: no sooner than sumRest after its last
// change, so that what changed it is in the store.
const (
	maxSums = 200_000
	sumRest = minute
)

// sharedMove is a change of a sum by the task that is being decided.
type sharedMove struct {
	id    sharedID
	n     int64
	taken bool // by Take, and not yet recorded
}

func sharedKey(dst []byte, partition int, id sharedID) []byte {
	until := uint32(id.until)
	if until == 0 {
		until = math.MaxUint32
	}
	dst = binary.BigEndian.AppendUint32(appendPartition(dst, spaceShared, partition), until)
	return binary.BigEndian.AppendUint64(dst, id.key)
}

func sharedOf(key []byte) sharedID {
	id := sharedID{key: trailing(key), until: int32(binary.BigEndian.Uint32(key[3:]))}
	if id.until == -1 {
		id.until = 0
	}
	return id
}

func appendShared(dst []byte, v *int64) []byte {
	c := writer(dst, tagShared, sharedVersion)
	c.int64(v)
	return c.finish()
}

func decodeShared(rec []byte, v *int64) error {
	c, err := reader(rec, tagShared, sharedVersion)
	if err != nil {
		return err
	}
	c.int64(v)
	c.need(*v != 0)
	return c.end()
}

// sum is what a counter stands at; the caller holds the lock and may store
// another sum. The first time it is read from the partitions: nobody has
// changed it before that.
func (l *Ledger) sum(id sharedID) (int64, error) {
	if sum, ok := l.shared.sums[id]; ok {
		return sum.n, nil
	}
	var sum int64
	for p := range l.parts {
		var part int64
		if _, err := load(l.db, sharedKey(nil, p, id), func(rec []byte) error { return decodeShared(rec, &part) }); err != nil {
			return 0, fmt.Errorf("a shared counter: %w", err)
		}
		sum += part
	}
	now := l.o.Clock()
	if len(l.shared.sums) >= l.shared.limit {
		l.shared.drop(now - sumRest)
	}
	l.shared.sums[id] = sharedSum{sum, now}
	return sum, nil
}

// store sets a sum that was read by sum.
func (l *Ledger) store(id sharedID, n int64) { l.shared.sums[id] = sharedSum{n, l.o.Clock()} }

// dropLook bounds the sums that are looked at for one that is added: others wait
// for the lock. It is more than one, so that the list shrinks again.
const dropLook = 64

// drop forgets sums that were not used since a moment, among some of them: each
// look begins elsewhere. More than the bound are kept only while so many are in
// use within sumRest.
func (c *shared) drop(before int64) {
	looked := 0
	for id, sum := range c.sums {
		if looked++; looked > dropLook {
			return
		}
		if sum.used < before {
			delete(c.sums, id)
		}
	}
}

// move adds to a counter's sum.
func (l *Ledger) move(id sharedID, n int64) error {
	l.shared.Lock()
	defer l.shared.Unlock()
	sum, err := l.sum(id)
	if err == nil {
		l.store(id, sum+n)
	}
	return err
}

// Take counts n in advance on a shared counter, if that does not bring it
// above limit (0: there is none), and answers what it is then. What the task
// does not record with a shared [CountChange] is given back at its end.
func (tx *Tx) Take(key uint64, until int32, n, limit int64) (total int64, ok bool, err error) {
	l, id := tx.s.l, sharedID{key, until}
	l.shared.Lock()
	defer l.shared.Unlock()
	sum, err := l.sum(id)
	if err != nil {
		return 0, false, err
	}
	if limit > 0 && sum+n > limit {
		return sum, false, nil
	}
	l.store(id, sum+n)
	tx.moves = append(tx.moves, sharedMove{id, n, true})
	return sum + n, true, nil
}

// Shared is what a shared counter stands at, over all accounts.
func (tx *Tx) Shared(key uint64, until int32) (int64, error) {
	l := tx.s.l
	l.shared.Lock()
	defer l.shared.Unlock()
	return l.sum(sharedID{key, until})
}

// netShared are the shared changes of an operation: its own, less what the
// hold that it ends had reserved. The list uses the room of net.
func netShared(net []sharedMove, op *Operation, drop *Hold) []sharedMove {
	today := dayOf(op.Time)
	add := func(ch *CountChange, sign int64) {
		if !ch.Shared || ch.Gone || ch.Until != 0 && ch.Until < today {
			return
		}
		id := sharedID{ch.Key, ch.Until}
		for i := range net {
			if net[i].id == id {
				net[i].n += sign * ch.Value
				return
			}
		}
		net = append(net, sharedMove{id: id, n: sign * ch.Value})
	}
	if drop != nil {
		for i := range drop.Counts {
			add(&drop.Counts[i], -1)
		}
	}
	for i := range op.Counts {
		add(&op.Counts[i], 1)
	}
	return net
}

// deriveShared stages the partition's parts of the shared counters that op
// changes. before is the account before it.
func (tx *Tx) deriveShared(op *Operation, before *hot) error {
	var drop *Hold
	if op.Drop != 0 && before != nil {
		drop = before.Hold(op.Drop)
	}
	if len(op.Counts) == 0 && (drop == nil || len(drop.Counts) == 0) {
		return nil
	}
	tx.net = netShared(tx.net[:0], op, drop)
	s := tx.s
	for i := range tx.net {
		m := &tx.net[i]
		if m.n == 0 {
			continue
		}
		key := sharedKey(s.kbuf[:0], tx.p.id, m.id)
		rec, ok, err := s.get(key)
		if err != nil {
			return err
		}
		part := int64(0)
		if ok {
			if err := decodeShared(rec, &part); err != nil {
				return err
			}
		}
		tx.stageStart(key)
		if part += m.n; part == 0 {
			tx.staged[len(tx.staged)-1].to = -1
			continue
		}
		tx.stage = appendShared(tx.stage, &part)
		tx.stageEnd()
	}
	return nil
}

// countShared brings the sums up to what has been staged, which can't fail any
// more: what Take has counted is not counted twice.
func (tx *Tx) countShared() error {
	for i := range tx.net {
		m := tx.net[i]
		for k := range tx.moves {
			if t := &tx.moves[k]; t.taken && t.id == m.id && t.n == m.n {
				t.taken, m.n = false, 0
				break
			}
		}
		if m.n == 0 {
			continue
		}
		if err := tx.s.l.move(m.id, m.n); err != nil {
			return err
		}
		tx.moves = append(tx.moves, m)
	}
	tx.net = tx.net[:0]
	return nil
}

// giveBack undoes the task's changes of sums: all, or those that were taken
// and not recorded.
func (tx *Tx) giveBack(all bool) {
	for _, m := range tx.moves {
		if !all && !m.taken {
			continue
		}
		if err := tx.s.l.move(m.id, -m.n); err != nil {
			tx.s.l.fail(err) // its sum is in memory, or the move had failed
			return
		}
	}
	tx.moves = tx.moves[:0]
}

// pruneBatch bounds the parts of old counters that one look deletes.
const pruneBatch = 256

// pruneShared deletes the partition's parts of counters whose day is over.
func (s *shard) pruneShared(p *partition) {
	today := dayOf(s.clock)
	if p.pruned >= today {
		return
	}
	n := 0
	lower := appendPartition(nil, spaceShared, p.id)
	err := scan(s.l.db, lower, func(key, _ []byte) (bool, error) {
		if id := sharedOf(key); id.until == 0 || id.until >= today || n == pruneBatch {
			return false, nil
		}
		n++
		s.delete(append([]byte(nil), key...))
		return true, nil
	})
	if err != nil {
		s.l.o.Logger.Error("old counters cannot be deleted; it is tried again", "partition", p.id, "error", err)
		return
	}
	if n < pruneBatch {
		p.pruned = today
		s.l.shared.forget(today)
	}
}

// forget drops the sums of counters whose day is over.
func (c *shared) forget(today int32) {
	c.Lock()
	defer c.Unlock()
	if c.today >= today {
		return
	}
	for id := range c.sums {
		if id.until != 0 && id.until < today {
			delete(c.sums, id)
		}
	}
	c.today = today
}
