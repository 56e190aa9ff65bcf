package ledger

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
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
// the next one. Who waits is told by the acknowledging goroutine, in the order of
// the batches.
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
			if p, e := s.l.parts[part], (dueEntry{h.Scheduled, h.ID}); e.before(p.due) {
				p.due = e
			}
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
