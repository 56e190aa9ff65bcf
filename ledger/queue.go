package ledger

import "sync"

// item is a task on its way to its partition.
type item struct {
	task Task
	part *partition
}

// queue is a bounded ring in front of a shard. A loop takes all it wants under
// one lock; a channel would cost one for every task.
type queue struct {
	mu     sync.Mutex
	ring   []item
	head   int
	n      int
	closed bool
	wake   chan struct{} // capacity 1
}

func newQueue(size int) queue {
	return queue{ring: make([]item, size), wake: make(chan struct{}, 1)}
}

// put adds a task, or says at once why it can't.
func (q *queue) put(it item) error {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return ErrClosed
	}
	if q.n == len(q.ring) {
		q.mu.Unlock()
		return ErrOverloaded
	}
	q.ring[(q.head+q.n)%len(q.ring)] = it
	q.n++
	first := q.n == 1
	q.mu.Unlock()
	if first {
		q.signal()
	}
	return nil
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take moves at most limit tasks to dst.
func (q *queue) take(dst []item, limit int) (items []item, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for range min(q.n, limit) {
		dst = append(dst, q.ring[q.head])
		q.ring[q.head] = item{}
		q.head = (q.head + 1) % len(q.ring)
		q.n--
	}
	return dst, q.closed
}

func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.signal()
}

func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.n
}
