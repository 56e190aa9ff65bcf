package gateway

import (
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Why a connection was not accepted.
const (
	refusedTotal   = "total"
	refusedAddress = "address"
)

// admission bounds the connections of an edge, in total and per address, so
// that no single shop or attacker takes them all. IPv6 callers are counted by
// their /64: one host owns all of it.
type admission struct {
	total, perAddress int
	refused           func(why string)

	mu   sync.Mutex
	open int
	by   map[netip.Prefix]int
}

func newAdmission(total, perAddress int, refused func(why string)) *admission {
	return &admission{total: total, perAddress: perAddress, refused: refused, by: map[netip.Prefix]int{}}
}

// origin is the address that a connection is counted under.
func origin(addr net.Addr) netip.Prefix {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	ip := tcp.AddrPort().Addr().Unmap()
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	p, _ := ip.WithZone("").Prefix(bits)
	return p
}

// enter counts a connection, or says why it may not come in.
func (a *admission) enter(from netip.Prefix) (why string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open >= a.total {
		return refusedTotal
	}
	if a.by[from] >= a.perAddress {
		return refusedAddress
	}
	a.open++
	a.by[from]++
	return ""
}

func (a *admission) leave(from netip.Prefix) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.open--
	if a.by[from]--; a.by[from] <= 0 {
		delete(a.by, from)
	}
}

// count is the number of open connections.
func (a *admission) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.open
}

// boundedListener accepts connections within an admission. One that is over a
// bound is closed at once, without a word: it costs nothing but the accept.
type boundedListener struct {
	net.Listener
	admission *admission
}

// Accept waits for a connection that may come in.
func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := origin(c.RemoteAddr())
		if why := l.admission.enter(from); why != "" {
			l.admission.refused(why)
			c.Close()
			continue
		}
		return &boundedConn{Conn: c, admission: l.admission, from: from}, nil
	}
}

// boundedConn gives its place back when it is closed.
type boundedConn struct {
	net.Conn
	admission *admission
	from      netip.Prefix
	closed    atomic.Bool
	linger    atomic.Bool
}

const (
	lingerTime  = 500 * time.Millisecond
	lingerBytes = 1 << 20
)

// Close ends the connection. Where we refuse a request before all of it has
// come, closing at once would make the kernel answer the rest with a reset,
// which may overtake our refusal: so such a connection is half closed first
// and a bounded rest of what the client sends is thrown away.
func (c *boundedConn) Close() error {
	if !c.closed.CompareAndSwap(false, true) {
		return net.ErrClosed
	}
	defer c.admission.leave(c.from)
	if tcp, ok := c.Conn.(*net.TCPConn); ok && c.linger.Load() {
		tcp.CloseWrite()
		_ = tcp.SetReadDeadline(time.Now().Add(lingerTime)) // if it fails, so does the read
		_, _ = io.CopyN(io.Discard, tcp, lingerBytes)       // whatever ends it, we close
	}
	return c.Conn.Close()
}

// linger makes the close of a connection that has refused a request friendly.
func linger(c net.Conn) {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok { // *tls.Conn
		c = t.NetConn()
	}
	if b, ok := c.(*boundedConn); ok {
		b.linger.Store(true)
	}
}
