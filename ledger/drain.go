package ledger

import (
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// A drain goes from the event loop, which fills its batch, to the goroutine that
// hands it to Pebble, and on to the one that waits for its sync and answers.
// Until Pebble shows what is in it the loop reads that from the drain itself.

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
