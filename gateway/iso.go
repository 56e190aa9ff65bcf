package gateway

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"tillgate/protocol"
	"tillgate/protocol/iso8583"
)

// isoEdge is one ISO 8583 listener.
type isoEdge struct {
	gw       *Gateway
	options  Listener
	codec    *iso8583.Codec
	framing  iso8583.Framing
	tls      *tls.Config
	listener net.Listener
	stopping atomic.Bool

	mu    sync.Mutex
	conns map[*isoConn]struct{}
	ended sync.WaitGroup
}

// lengthForms are the profile's words for the frame's length.
var lengthForms = map[string]iso8583.LengthForm{
	"":       iso8583.LengthBinary,
	"binary": iso8583.LengthBinary,
	"ascii":  iso8583.LengthASCII,
	"bcd":    iso8583.LengthBCD,
}

// Compile turns the profile's words into the codec's.
func (p Profile) Compile() (iso8583.Profile, error) {
	form, ok := lengthForms[p.Length]
	if !ok {
		return iso8583.Profile{}, fmt.Errorf("length: binary, ascii or bcd is wanted")
	}
	return iso8583.Profile{
		Framing: iso8583.Framing{Length: form, TPDU: p.TPDU},
		BCD:     p.BCD, HexBitmap: p.HexBitmap, LongBasket: p.LongBasket, KeyByDE7: p.KeyByDE7,
	}, nil
}

func newISOEdge(g *Gateway, l Listener) (*isoEdge, error) {
	profile, err := l.Profile.Compile()
	if err != nil {
		return nil, err
	}
	e := &isoEdge{gw: g, options: l, codec: iso8583.NewCodec(profile), framing: profile.Framing,
		conns: map[*isoConn]struct{}{}}
	if e.tls, err = g.certify("iso.tls", l.TLS); err != nil {
		return nil, err
	}
	return e, nil
}

// newRing makes the keyring of the configured terminals.
func newRing(terminals []Terminal) (*iso8583.Keyring, error) {
	keys := map[string][]*iso8583.Key{}
	for _, t := range terminals {
		for _, m := range t.MAC {
			material, err := hex.DecodeString(string(m.Key))
			if err != nil {
				return nil, fmt.Errorf("terminal %s: MAC key %d is not hex", t.ID, m.Number) // without the error: it quotes the key
			}
			key, err := iso8583.NewKey(uint64(m.Number), material)
			if err != nil {
				return nil, fmt.Errorf("terminal %s: %w", t.ID, err)
			}
			keys[t.ID] = append(keys[t.ID], key)
		}
	}
	return iso8583.NewKeyring(keys)
}

// validateTerminals says what is wrong with the configured terminals.
func (o *Options) validateTerminals() error {
	var faults []error
	seen := map[string]bool{}
	for i, t := range o.Terminals {
		path := fmt.Sprintf("terminals[%d]", i)
		if t.ID == "" || len(t.ID) > 8 {
			faults = append(faults, fmt.Errorf("%s.id: DE41 has 1 to 8 characters", path))
		}
		if len(t.Store) > 15 {
			faults = append(faults, fmt.Errorf("%s.store: DE42 has at most 15 characters", path))
		}
		if seen[t.ID] {
			faults = append(faults, fmt.Errorf("%s.id: another terminal has the same id", path))
		}
		seen[t.ID] = true
		for j, m := range t.MAC {
			if m.Number < 0 {
				faults = append(faults, fmt.Errorf("%s.mac[%d].number: must not be negative", path, j))
			}
		}
	}
	if _, err := newRing(o.Terminals); err != nil {
		faults = append(faults, fmt.Errorf("terminals: %w", err))
	}
	return errors.Join(faults...)
}

// listen binds the address.
func (e *isoEdge) listen() error {
	ln, err := net.Listen("tcp", e.options.Listen)
	if err != nil {
		return fmt.Errorf("listen for ISO 8583: %w", err)
	}
	e.listener = secure(&boundedListener{Listener: ln, admission: e.gw.isoAdmission}, e.tls)
	return nil
}

// serve accepts connections until the listener is closed.
func (e *isoEdge) serve() error {
	for {
		c, err := e.listener.Accept()
		switch {
		case e.stopping.Load() || errors.Is(err, net.ErrClosed):
			if err == nil {
				c.Close()
			}
			return nil
		case err != nil:
			return fmt.Errorf("accept ISO 8583 connections: %w", err)
		}
		conn := newISOConn(e, c)
		e.mu.Lock()
		if e.stopping.Load() {
			e.mu.Unlock()
			c.Close()
			return nil
		}
		e.conns[conn] = struct{}{}
		e.ended.Add(1)
		e.mu.Unlock()
		go func() {
			defer e.forget(conn)
			conn.serve()
		}()
	}
}

func (e *isoEdge) forget(c *isoConn) {
	e.mu.Lock()
	delete(e.conns, c)
	e.mu.Unlock()
	e.ended.Done()
}

// stop reads nothing more and waits until the answers in flight have gone
// out. Connections that are left when ctx ends are cut.
func (e *isoEdge) stop(ctx context.Context) error {
	e.mu.Lock()
	e.stopping.Store(true)
	if e.listener != nil {
		e.listener.Close()
	}
	for c := range e.conns {
		c.conn.SetReadDeadline(time.Unix(1, 0)) // wakes the reader, which sees stopping
	}
	e.mu.Unlock()
	done := make(chan struct{})
	go func() {
		e.ended.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	left := len(e.conns)
	for c := range e.conns {
		c.conn.Close()
	}
	if left == 0 {
		return nil
	}
	return fmt.Errorf("%d ISO 8583 connections still had answers in flight", left)
}

// zone is the time zone of a till's clock.
func (e *isoEdge) zone(terminal, store string) *time.Location {
	if e.gw.parts.Zone == nil {
		return nil
	}
	merchant := e.options.Merchant
	if t := e.gw.access.Load().tills[terminal]; t != nil {
		if store == "" {
			store = t.Store
		}
		if t.Merchant != "" {
			merchant = t.Merchant
		}
	}
	return e.gw.parts.Zone(merchant, store)
}

// admit says whose message it is and whether it may be asked at all: the
// terminal is known, the MAC is right, the till has signed on. It fills in
// the caller. key is what the answer is to be signed with.
func (c *isoConn) admit(frame []byte, x *isoCall) (code protocol.Code, detail string) {
	e, r, access := c.edge, &x.Request, c.edge.gw.access.Load()
	r.Caller = protocol.Caller{Key: e.options.Key, Merchant: e.options.Merchant, Role: protocol.RoleTill}
	r.Origin = c.from
	if len(access.tills) > 0 {
		t := access.tills[r.Terminal]
		if t == nil {
			return protocol.Forbidden, "the terminal is not known"
		}
		if t.Merchant != "" {
			r.Caller.Merchant = t.Merchant
		}
		if r.Store == "" {
			r.Store = t.Store
		} else if t.Store != "" && r.Store != t.Store {
			return protocol.Forbidden, "the terminal belongs to another store"
		}
	}
	// A terminal that has keys signs always: a message without its MAC is
	// somebody else's.
	if e.options.RequireMAC || access.ring.Signer(r.Terminal) != nil || c.message.Has(64) || c.message.Has(128) {
		key, err := access.ring.Verify(frame, c.message)
		if err != nil {
			return protocol.Unauthorized, "the message authentication failed"
		}
		x.key = key
	}
	if e.options.SignOn && r.Call != protocol.CallEcho && !c.signedOn[r.Terminal] {
		return protocol.Forbidden, "the terminal has not signed on"
	}
	return protocol.Approved, ""
}
