package rig

import (
	"net"
	"sync"
	"time"
)

// Direction is one of the two ways of a connection through a [Proxy].
type Direction uint8

const (
	Up   Direction = iota // from who dialled to who was dialled
	Down                  // back
)

// Proxy stands between two programs and does to their connections what
// networks do: it delays, holds, and cuts at a chosen byte. A new one lets
// everything through.
type Proxy struct {
	listener net.Listener

	mu     sync.Mutex
	target string
	conns  map[net.Conn]struct{}
	held   chan struct{} // nil, or closed when bytes may pass again
	delay  time.Duration // of each piece
	budget [2]int64      // bytes until the next cut
	armed  [2]bool
	cuts   int
	closed bool
}

// NewProxy listens on a free loopback port and passes connections on to
// target, host:port, which [Proxy.To] may change.
func NewProxy(target string) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{listener: l, target: target, conns: map[net.Conn]struct{}{}}
	go p.accept()
	return p, nil
}

// Address is where the proxy listens, host:port.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// To sends connections that come from now on to another target.
func (p *Proxy) To(target string) {
	p.mu.Lock()
	p.target = target
	p.mu.Unlock()
}

// Hold lets no byte through until [Proxy.Heal]. Connections stay open, and new
// ones are accepted: that is a network which has gone silent.
func (p *Proxy) Hold() {
	p.mu.Lock()
	if p.held == nil {
		p.held = make(chan struct{})
	}
	p.mu.Unlock()
}

// Slow delays each piece of at most 4 KiB by d until [Proxy.Heal].
func (p *Proxy) Slow(d time.Duration) {
	p.mu.Lock()
	p.delay = d
	p.mu.Unlock()
}

// Heal ends what Hold and Slow began and forgets a cut that has not come.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held != nil {
		close(p.held)
		p.held = nil
	}
	p.delay, p.armed = 0, [2]bool{}
}

// CutAfter cuts, once, the connection that carries the byte which follows
// the next n bytes of a direction; those n, 0 at least, still pass. With Up it
// is the receiver who gets half a request; with Down and 0 the sender is gone
// before any of its answer.
func (p *Proxy) CutAfter(d Direction, n int64) {
	p.mu.Lock()
	p.budget[d], p.armed[d] = n, true
	p.mu.Unlock()
}

// CutAll cuts every open connection.
func (p *Proxy) CutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cuts += len(p.conns)
	for c := range p.conns {
		_ = c.Close() // it is cut either way
	}
}

// Cuts is how many connections have been cut so far.
func (p *Proxy) Cuts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cuts
}

// Close ends the proxy and all its connections.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.Heal()
	err := p.listener.Close()
	p.CutAll()
	return err
}

func (p *Proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		go p.serve(c)
	}
}

func (p *Proxy) serve(near net.Conn) {
	p.mu.Lock()
	target := p.target
	p.mu.Unlock()
	far, err := net.DialTimeout("tcp", target, 2*time.Second)
	if err != nil {
		_ = near.Close() // nobody is there
		return
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		_, _ = near.Close(), far.Close() // too late
		return
	}
	p.conns[near] = struct{}{}
	p.mu.Unlock()
	done := make(chan struct{})
	go func() {
		p.carry(Down, near, far)
		close(done)
	}()
	p.carry(Up, far, near)
	<-done
	p.mu.Lock()
	delete(p.conns, near)
	p.mu.Unlock()
}

// carry passes bytes of a direction on until one side ends, and ends both.
func (p *Proxy) carry(d Direction, to, from net.Conn) {
	defer func() { _, _ = to.Close(), from.Close() }() // whatever they say, they are gone
	piece := make([]byte, 4<<10)
	for {
		n, err := from.Read(piece)
		pass, cut := p.pass(d, n)
		if pass > 0 {
			if _, werr := to.Write(piece[:pass]); werr != nil {
				return
			}
		}
		if cut || err != nil {
			return
		}
	}
}

// pass waits as long as a piece of n bytes has to, and says how many of them
// may pass and whether the connection is cut behind them.
func (p *Proxy) pass(d Direction, n int) (pass int, cut bool) {
	p.mu.Lock()
	for p.held != nil {
		held := p.held
		p.mu.Unlock()
		<-held
		p.mu.Lock()
	}
	delay := p.delay
	switch {
	case !p.armed[d]:
		pass = n
	case int64(n) > p.budget[d]:
		pass, cut = int(p.budget[d]), true
		p.armed[d] = false
		p.cuts++
	default:
		p.budget[d] -= int64(n)
		pass = n
	}
	p.mu.Unlock()
	if delay > 0 {
		time.Sleep(delay) // that is what a slow network does
	}
	return pass, cut
}
