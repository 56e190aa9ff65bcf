package gateway

import (
	"crypto/sha256"
	"hash"
	"sync"
	"sync/atomic"
	"time"

	"tillgate/protocol"
)

// keepBuffer and keepLines bound what an idle exchange keeps of a large
// request: the pool holds the memory of ordinary baskets, not of the largest
// one that ever came.
const (
	keepBuffer = 16 << 10
	keepLines  = 64
)

// States of a call that an HTTP handler waits for.
const (
	waiting uint32 = iota
	answered
	abandoned // the handler gave up: whoever calls Done releases the call
)

// call is one exchange and the HTTP handler that waits for it. It is reused
// only once Done has been called, whatever the handler did meanwhile.
type call struct {
	protocol.Exchange
	edge  *httpEdge
	state atomic.Uint32
	done  chan struct{} // capacity 1
	timer *time.Timer
	sha   hash.Hash
	sum   [sha256.Size]byte
	out   []byte // the answer's body
}

var calls sync.Pool

func (h *httpEdge) newCall() *call {
	c, ok := calls.Get().(*call)
	if !ok {
		c = &call{done: make(chan struct{}, 1), sha: sha256.New(), timer: time.NewTimer(time.Hour)}
		c.timer.Stop()
		c.Done = func(*protocol.Exchange) { c.finish() }
	}
	c.edge = h
	c.state.Store(waiting)
	return c
}

// finish is the exchange's Done: it wakes the handler, or cleans up after one
// that has gone.
func (c *call) finish() {
	c.edge.gate.leave()
	if c.state.CompareAndSwap(waiting, answered) {
		c.done <- struct{}{}
		return
	}
	c.release()
}

// wait blocks until the answer is there or the limit has passed; false means
// that the call is no longer the handler's.
func (c *call) wait(limit time.Duration) bool {
	select {
	case <-c.done:
		return true
	default:
	}
	c.timer.Reset(limit)
	select {
	case <-c.done:
		c.timer.Stop()
		return true
	case <-c.timer.C:
	}
	if c.state.CompareAndSwap(waiting, abandoned) {
		return false
	}
	<-c.done // the answer came at the last moment
	return true
}

// release gives the call back to the pool. Nothing may refer to it any more.
func (c *call) release() {
	if cap(c.Request.Buffer) > keepBuffer {
		c.Request.Buffer = nil
	}
	if cap(c.Request.Lines) > keepLines {
		c.Request.Lines = nil
	}
	if cap(c.Response.Lines) > keepLines {
		c.Response.Lines = nil
	}
	if cap(c.out) > keepBuffer {
		c.out = nil
	}
	c.Request.Reset()
	c.Response.Reset()
	c.edge = nil
	calls.Put(c)
}

// gate bounds the requests in flight over both edges.
type gate struct {
	limit  int64
	flying atomic.Int64
	closed atomic.Bool // stopping: nothing new
}

// enter takes a place, or says why there is none: Overloaded when all are
// taken, Unavailable when the gateway is stopping. On Approved the caller
// owes a leave.
func (g *gate) enter() protocol.Code {
	if g.closed.Load() {
		return protocol.Unavailable
	}
	if g.flying.Add(1) > g.limit {
		g.flying.Add(-1)
		return protocol.Overloaded
	}
	return protocol.Approved
}

func (g *gate) leave() { g.flying.Add(-1) }
