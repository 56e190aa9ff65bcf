package gateway

import (
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"tillgate/protocol"
	"tillgate/protocol/iso8583"
)

// flushAt is how much of a burst of answers is gathered before it is written:
// a bound for the buffer, far above what an ordinary burst has.
const flushAt = 64 << 10

// maxSignedOn bounds the terminals that sign on over one connection: a
// concentrator serves a chain's shop, not the world.
const maxSignedOn = 4096

// isoConn is one connection of a till or of a concentrator of tills. Two
// goroutines serve it: one reads frames and hands requests to the switch, one
// writes answers in the order in which they come, all that are there in one
// write. Between them are at most PerConn requests; when they are all taken,
// reading stops and the rest waits in the socket, at the sender's cost.
type isoConn struct {
	edge    *isoEdge
	conn    net.Conn
	from    netip.Prefix  // the peer's address
	slots   chan struct{} // one for each request that has been read and not been answered
	message *iso8583.Message

	signedOn map[string]bool // by terminal; the reader's

	mu    sync.Mutex
	ready []*isoCall // answers to write
	ended bool       // nothing more will be read
	wake  chan struct{}
}

// isoCall is one exchange of a connection.
type isoCall struct {
	protocol.Exchange
	conn   *isoConn
	tpdu   iso8583.TPDU
	key    *iso8583.Key
	start  time.Time
	inGate bool
}

var isoCalls sync.Pool

func (c *isoConn) newCall() *isoCall {
	x, ok := isoCalls.Get().(*isoCall)
	if !ok {
		x = &isoCall{}
		x.Done = func(*protocol.Exchange) { x.conn.answered(x) }
	}
	x.conn = c
	return x
}

func newISOConn(e *isoEdge, c net.Conn) *isoConn {
	return &isoConn{edge: e, conn: c, from: origin(c.RemoteAddr()), slots: make(chan struct{}, e.gw.options.ISO.PerConn),
		message: iso8583.NewMessage(e.codec), signedOn: map[string]bool{}, wake: make(chan struct{}, 1)}
}

// serve reads until the connection ends, waits for the answers in flight, and
// closes it.
func (c *isoConn) serve() {
	defer c.conn.Close()
	if t, ok := c.conn.(*tls.Conn); ok {
		t.SetDeadline(time.Now().Add(c.edge.gw.options.ISO.FrameTimeout))
		if err := t.Handshake(); err != nil {
			c.count(endTLS)
			return
		}
		t.SetDeadline(time.Time{})
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		c.write()
	}()
	c.read()
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
	c.nudge()
	<-written
}

// count notes why we end a connection.
func (c *isoConn) count(why string) {
	c.edge.gw.meters.ended.WithLabelValues(edgeNames[protocol.EdgeISO], why).Inc()
}

// read takes frames off the connection. It returns when nothing more is to be
// read from it.
func (c *isoConn) read() {
	options := &c.edge.gw.options.ISO
	reader := iso8583.NewReader(c.conn, c.edge.framing)
	inFrame, since := false, uint64(0)
	for {
		if !c.frames(reader) {
			return
		}
		switch {
		case !reader.Partial():
			inFrame = false
			c.conn.SetReadDeadline(time.Now().Add(options.IdleTimeout))
		case !inFrame || reader.Frames() != since:
			// Once per frame: more bytes of it do not buy more time.
			inFrame, since = true, reader.Frames()
			c.conn.SetReadDeadline(time.Now().Add(options.FrameTimeout))
		}
		if c.edge.stopping.Load() {
			return // checked after the deadline is set: stop sets its own after stopping
		}
		if err := reader.Fill(); err != nil {
			var late net.Error
			if errors.As(err, &late) && late.Timeout() && inFrame {
				c.count(endTimeout)
			}
			return
		}
	}
}

// frames handles the frames that have come in whole; false ends the reading.
func (c *isoConn) frames(reader *iso8583.Reader) bool {
	for {
		frame, ok, err := reader.Next()
		if err != nil {
			c.count(endMalformed)
			return false
		}
		if !ok {
			return true
		}
		c.slots <- struct{}{} // the writer frees them, also when the peer has gone
		if !c.handle(frame) {
			c.count(endMalformed)
			linger(c.conn)
			return false
		}
	}
}

// handle takes one message to the switch or answers it here; false says that
// nothing after it can be understood.
func (c *isoConn) handle(frame iso8583.Frame) bool {
	x := c.newCall()
	x.tpdu, x.start = frame.TPDU.Answer(), time.Now()
	in := iso8583.Inbound{Now: x.start, Zone: c.edge.zone}
	fault := c.edge.codec.Read(frame.Message, c.message, in, &x.Exchange)
	if !fault.OK() {
		c.answered(x)
		return !fault.Unreadable()
	}
	code, detail := c.admit(frame.Message, x)
	if !code.OK() {
		c.decline(x, code, "", detail)
		return true
	}
	if x.Request.Call == protocol.CallEcho {
		c.network(x)
		return true
	}
	if code := c.edge.gw.gate.enter(); !code.OK() {
		c.edge.gw.meters.shed.WithLabelValues(edgeNames[protocol.EdgeISO], code.String()).Inc()
		c.decline(x, code, "", "")
		return true
	}
	x.inGate = true
	c.edge.gw.submit(&x.Exchange)
	return true
}

// network answers the 0800: sign-on, sign-off, echo, cut-over.
func (c *isoConn) network(x *isoCall) {
	x.Response.Reset()
	x.Response.Call = protocol.CallEcho
	switch r := &x.Request; {
	case r.ISO.DE70 == "002":
		delete(c.signedOn, r.Terminal)
	case r.ISO.DE70 != "001" || !c.edge.options.SignOn || c.signedOn[r.Terminal]:
	case len(c.signedOn) >= maxSignedOn:
		x.Response.Code = protocol.Overloaded
	default:
		c.signedOn[strings.Clone(r.Terminal)] = true
	}
	c.answered(x)
}

// decline answers a message that never reached the switch.
func (c *isoConn) decline(x *isoCall, code protocol.Code, field, detail string) {
	x.Response.Reset()
	x.Response.Call, x.Response.Code = x.Request.Call, code
	x.Response.Field, x.Response.Detail = field, detail
	c.answered(x)
}

// answered is the exchange's Done: the answer goes to the writer. It is
// called by the switch's goroutines and does as little as it can there.
func (c *isoConn) answered(x *isoCall) {
	if x.inGate {
		x.inGate = false
		c.edge.gw.gate.leave()
	}
	c.mu.Lock()
	c.ready = append(c.ready, x)
	first := len(c.ready) == 1
	c.mu.Unlock()
	if first {
		c.nudge()
	}
}

func (c *isoConn) nudge() {
	select {
	case c.wake <- struct{}{}:
	default: // it is awake already
	}
}

// write sends answers until nothing more is read and all are out. When the
// peer has gone it goes on taking answers, so that every exchange ends.
func (c *isoConn) write() {
	var batch []*isoCall
	var out []byte
	scratch := iso8583.NewMessage(c.edge.codec)
	for {
		c.mu.Lock()
		batch, c.ready = c.ready, batch[:0]
		ended := c.ended
		c.mu.Unlock()
		if len(batch) == 0 {
			if ended && len(c.slots) == 0 {
				return
			}
			<-c.wake
			continue
		}
		for i, x := range batch {
			out = c.encode(out, scratch, x)
			batch[i] = nil
			if len(out) >= flushAt || i == len(batch)-1 {
				c.flush(out)
				out = out[:0]
			}
		}
		for range batch {
			<-c.slots
		}
	}
}

// encode appends the answer's frame and gives the exchange back.
func (c *isoConn) encode(out []byte, scratch *iso8583.Message, x *isoCall) []byte {
	opened, mark := c.edge.framing.Open(out, x.tpdu)
	opened = c.edge.codec.AppendAnswer(opened, scratch, &x.Request, &x.Response, x.key)
	framed, err := c.edge.framing.Close(opened, mark)
	if err != nil {
		framed = out // the codec bounds its answers; if it didn't, no answer is better than half of one
	}
	call := x.Request.Call
	if call == protocol.CallNone {
		call = protocol.CallUnknown
	}
	c.edge.gw.meters.done(protocol.EdgeISO, call, &x.Response, x.start)
	x.release()
	return framed
}

// flush writes a burst. A peer that doesn't read in time has gone.
func (c *isoConn) flush(out []byte) {
	c.conn.SetWriteDeadline(time.Now().Add(c.edge.gw.options.ISO.WriteTimeout))
	if _, err := c.conn.Write(out); err != nil {
		c.conn.Close() // wakes the reader; what is in flight ends unheard
	}
}

// release gives the exchange back to the pool.
func (x *isoCall) release() {
	if cap(x.Request.Buffer) > keepBuffer {
		x.Request.Buffer = nil
	}
	if cap(x.Request.Lines) > keepLines {
		x.Request.Lines = nil
	}
	if cap(x.Response.Lines) > keepLines {
		x.Response.Lines = nil
	}
	x.Request.Reset()
	x.Response.Reset()
	x.conn, x.key = nil, nil
	isoCalls.Put(x)
}
