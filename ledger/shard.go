package ledger

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// A Task is a unit of work on one partition: it reads, decides and records,
// all or nothing.
type Task interface {
	// Decide runs on the shard's event loop. An error is our fault, not a
	// decline: nothing of the task is recorded, and the error reaches Done.
	Decide(tx *Tx) error
	// Done is called once, from the shard's acknowledging goroutine, when
	// everything that the task has read and written is synced. It must not
	// block. After a failed sync it is never called.
	Done(err error)
}

// A shard is an event loop that owns some partitions. It drains its queue,
// decides every task against the hot state and writes one Pebble batch for the
// whole drain. While that is being put into the memtable and synced it decides
// the next one: the three take about as long, and none waits for another.
// Who waits is told by the acknowledging goroutine, in the order of the batches.
//
// Rejected: a transaction per task. Concurrent committers of Pebble reach
// 60 % of one writer's rate (docs/ledger.md), and two tasks on one account
// would have to lock each other out.
type shard struct {
	l       *Ledger
	id      int
	parts   []*partition
	queue   queue
	hot     hotSet
	records *recordCache // of accounts, whether they are decoded or not
	tx      Tx
	drain   *drain      // the one being decided
	applies chan *drain // the one that is to be handed to Pebble
	last    *drain      // the one before drain, if it may not have been applied
	acks    chan *drain // those that wait for their sync
	idle    sync.Pool   // of *drain
	names   map[string]string
	clock   int64 // read once for a drain
	more    bool  // the due index holds more than one round's

	dirty []*hot
	items []item
	buf   []byte // a record that is being made
	kbuf  []byte // room for one key: every key is used up before the next is made
	read  []byte // a value that was read
	dups  []DupEntry
	day   []DupEntry // those of dups that lie in one bucket
	seen  []ReceiptEntry
	sale  Sale
	owed  Operation // a due record that is being made
}

// span is where a value lies in the drain's batch; n < 0: deleted.
type span struct{ at, n int }

// drain is a batch and those who wait for it.
type drain struct {
	batch    *pebble.Batch
	wait     bool // for its sync; Pebble empties a batch that it has taken whole
	tasks    []answer
	marks    []mark
	links    []Key       // identifiers whose links it changes
	accounts []AccountID // that it writes

	// What it has written, for reading it again until Pebble shows it.
	overlay map[smallKey]span
	written []byte        // the batch as it was handed over
	applied chan struct{} // capacity 1: Pebble shows it
	holders atomic.Int32  // the event loop and who acknowledges: the last gives it back
}

type answer struct {
	task Task
	err  error
}

// mark is up to where a partition's journal is synced when the drain is.
type mark struct {
	part *partition
	seq  uint64
	mail bool
}

func newShard(l *Ledger, id int) *shard {
	s := &shard{
		l: l, id: id,
		queue:   newQueue(l.o.Queue),
		hot:     newHotSet(l.o.HotAccounts / l.o.Shards),
		records: newRecordCache(l.o.RecordCacheBytes / int64(l.o.Shards)),
		applies: make(chan *drain, 1),
		acks:    make(chan *drain, l.o.InFlight),
		names:   map[string]string{},
		kbuf:    make([]byte, 0, maxKey),
	}
	s.tx.s = s
	return s
}

// Submit hands a task to its partition's event loop. It never blocks: a full
// queue or disk is [ErrOverloaded].
func (l *Ledger) Submit(partition int, t Task) error {
	if partition < 0 || partition >= len(l.parts) {
		return fmt.Errorf("ledger: there is no partition %d", partition)
	}
	if err := l.Err(); err != nil {
		return err
	}
	if l.low.Load() {
		l.stats.shed.Add(1)
		return ErrOverloaded
	}
	err := l.shards[partition%len(l.shards)].queue.put(item{t, l.parts[partition]})
	if errors.Is(err, ErrOverloaded) {
		l.stats.shed.Add(1)
	}
	return err
}

// run is the event loop.
func (s *shard) run() {
	defer s.l.loops.Done()
	defer close(s.applies)
	tick := time.NewTicker(s.l.o.SweepEvery)
	defer tick.Stop()
	for {
		var closed bool
		s.items, closed = s.queue.take(s.items[:0], s.l.o.Drain)
		if len(s.items) == 0 {
			if closed || s.l.failed.Load() {
				return
			}
			if s.more {
				s.round(s.chores)
				continue
			}
			select {
			case <-s.queue.wake:
			case <-s.l.dead:
				return
			case <-tick.C:
				s.round(s.chores)
			}
			continue
		}
		s.round(s.decideAll)
		if s.more {
			s.round(s.chores)
		}
		select {
		case <-s.l.dead:
			return
		case <-tick.C:
			s.round(s.chores)
		default:
		}
	}
}

// round runs work and commits what it has written.
func (s *shard) round(work func()) {
	s.drain, _ = s.idle.Get().(*drain)
	if s.drain == nil {
		s.drain = &drain{overlay: map[smallKey]span{}, applied: make(chan struct{}, 1)}
	}
	s.drain.batch = s.l.db.NewBatch()
	s.clock = s.l.clock.now()
	s.look()
	work()
	s.commit()
}

func (s *shard) decideAll() {
	for i := range s.items {
		err := s.decide(s.items[i].part, s.items[i].task.Decide)
		s.drain.tasks = append(s.drain.tasks, answer{s.items[i].task, err})
		s.items[i] = item{}
	}
	s.l.stats.tasks.Add(uint64(len(s.items)))
}

// decide runs one task's decision, all or nothing.
func (s *shard) decide(p *partition, decide func(*Tx) error) (err error) {
	tx := &s.tx
	tx.begin(p)
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("ledger: a task panicked: %v", r)
			s.l.o.Logger.Error("a task panicked; nothing of it is recorded", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
		}
		if err != nil {
			s.l.stats.faults.Add(1)
			err = errors.Join(err, tx.rollback())
			return
		}
		tx.finish()
	}()
	return decide(tx)
}

// commit writes the accounts that have changed and hands the drain over.
func (s *shard) commit() {
	d := s.drain
	for _, h := range s.dirty {
		s.writeAccount(h)
		d.accounts = append(d.accounts, h.ID)
	}
	s.drain, s.dirty = nil, s.dirty[:0]
	if d.batch.Empty() {
		if len(d.tasks) == 0 {
			s.release(d)
			return
		}
		// It has only read. Whatever it saw, of this shard or another, lies
		// in the log before a record that is written now.
		if s.l.unsynced.Load() > 0 {
			_ = d.batch.LogData(nil, nil) // fails for a closed batch only
		}
	}
	if !d.batch.Empty() {
		d.wait = true
		s.l.unsynced.Add(1)
		s.l.replaces(d)
	}
	d.written = d.batch.Repr()
	d.holders.Store(2)
	s.hot.trim()
	if !s.settle() {
		return
	}
	s.last = d
	select {
	case s.applies <- d:
	case <-s.l.dead:
	}
}

// look lets the last drain go if Pebble shows what it has written. It must be
// asked after the tasks have come in: an identifier may be written by any shard,
// each of which knows that the one before it was answered, so that the last
// drain's value of it may be an old one by now. Before an answer goes out the
// drain is applied.
func (s *shard) look() {
	if s.last == nil {
		return
	}
	select {
	case <-s.last.applied:
		s.forget()
	default:
	}
}

// settle waits until Pebble shows everything that has been decided before the
// drain; false says that the ledger has failed.
func (s *shard) settle() bool {
	if s.last == nil {
		return true
	}
	select {
	case <-s.last.applied:
	case <-s.l.dead:
		return false
	}
	s.forget()
	return true
}

// recent is what a key was set to by the drain or by the one before it, which
// Pebble may not show yet. The value is valid until the drain is handed over.
func (s *shard) recent(key []byte) (value []byte, ok, known bool) {
	k := small(key)
	if at, known := s.drain.overlay[k]; known {
		value, ok = at.in(s.drain.batch.Repr())
		return value, ok, true
	}
	if s.last == nil {
		return nil, false, false
	}
	at, known := s.last.overlay[k]
	if known {
		value, ok = at.in(s.last.written)
	}
	return value, ok, known
}

// in is the value in a batch.
func (at span) in(batch []byte) (value []byte, ok bool) {
	if at.n < 0 {
		return nil, false
	}
	return batch[at.at : at.at+at.n], true
}

// forget lets the last drain go: Pebble shows what it has written.
func (s *shard) forget() {
	d := s.last
	s.last = nil
	s.leave(d)
}

// apply hands drain after drain to Pebble, and then to the acknowledging
// goroutine.
func (s *shard) apply() {
	defer s.l.loops.Done()
	defer close(s.acks)
	for d := range s.applies {
		if d.wait {
			if s.l.apply(d.batch) != nil {
				return // the ledger has failed: nobody is answered
			}
			s.l.replaces(d)
		}
		s.l.stats.drains.Add(1)
		d.applied <- struct{}{}
		select {
		case s.acks <- d:
		case <-s.l.dead:
			return
		}
	}
}

// replaces tells who reads beside the shards that what a drain has written is
// about to be seen, or can be seen now.
func (l *Ledger) replaces(d *drain) {
	l.links.forget(d.links)
	for _, id := range d.accounts {
		l.writes.count(id).Add(1)
	}
}

// writeAccount writes an account and moves its entry in the due index.
func (s *shard) writeAccount(h *hot) {
	part := h.ID.Partition(len(s.l.parts))
	s.buf = appendAccount(s.buf[:0], &h.Account)
	s.records.put(h.ID, s.buf)
	s.set(accountKey(s.kbuf[:0], part, h.ID), s.buf)
	if h.indexed != h.Scheduled {
		if h.indexed != 0 {
			s.delete(dueKey(s.kbuf[:0], part, h.indexed, h.ID))
		}
		if h.Scheduled != 0 {
			s.set(dueKey(s.kbuf[:0], part, h.Scheduled, h.ID), nil)
			s.l.parts[part].due = min(s.l.parts[part].due, h.Scheduled)
		}
		h.indexed = h.Scheduled
	}
	h.dirty = false
	s.hot.reweigh(h)
}

// acknowledge tells those who wait, batch after batch, when it is synced.
func (s *shard) acknowledge() {
	defer s.l.acks.Done()
	for d := range s.acks {
		if d.wait {
			if err := d.batch.SyncWait(); err != nil {
				s.l.fail(fmt.Errorf("a sync failed: %w", err))
				return
			}
			s.l.unsynced.Add(-1)
		}
		if s.l.failed.Load() {
			return
		}
		s.advance(d)
		for i := range d.tasks {
			d.tasks[i].task.Done(d.tasks[i].err)
		}
		s.leave(d)
	}
}

// advance moves the watermarks that followers and the courier go by.
func (s *shard) advance(d *drain) {
	if len(d.marks) == 0 {
		return
	}
	mail := false
	for _, m := range d.marks {
		m.part.synced.Store(m.seq)
		if m.mail {
			m.part.letters.Store(true)
			mail = true
		}
	}
	if mail {
		s.l.wakeCourier()
	}
	s.l.notify()
}

// leave gives up a drain, which nobody may be using any more.
func (s *shard) leave(d *drain) {
	if d.holders.Add(-1) == 0 {
		s.release(d)
	}
}

func (s *shard) release(d *drain) {
	if err := d.batch.Close(); err != nil {
		s.l.o.Logger.Error("a batch could not be given back", "error", err)
	}
	clear(d.tasks)
	clear(d.overlay)
	d.batch, d.written, d.wait = nil, nil, false
	d.tasks, d.marks, d.links, d.accounts = d.tasks[:0], d.marks[:0], d.links[:0], d.accounts[:0]
	s.idle.Put(d)
}
