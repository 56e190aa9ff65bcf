package trial

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"tillgate/bench/load"
	"tillgate/protocol/iso8583"
)

// counters is how many connections set up the shop and void holds.
const counters = 64

// memberID is a member's id as the edges tell it.
type memberID [13]byte

// shop publishes the programme and makes the members, each with a card and
// points: as many as divide evenly among the counters.
func (t *trial) shop(ctx context.Context) error {
	t.Step(fmt.Sprintf("making %d members", t.Members), t.setupTime())
	if err := t.publish(ctx); err != nil {
		return err
	}
	each := (t.Members + counters - 1) / counters
	t.members = each * counters
	ids := make([]memberID, t.members)
	at := func(connection int, n uint64) uint64 { return uint64(connection*each) + n }
	number := func(first uint64, connection int) func(n uint64) uint64 {
		return func(n uint64) uint64 { return first + at(connection, n) }
	}
	err := t.serve(ctx, "register", t.server.HTTP, uint64(each), func(run, c int) (load.Wire, error) {
		tmpl, err := httpEnrol(run, c, number(firstPhone, c))
		return &load.HTTP{Request: tmpl.Append, Answered: func(n uint64, status int, body []byte) {
			const before = `{"id":"`
			if status < 300 && bytes.HasPrefix(body, []byte(before)) {
				copy(ids[at(c, n)][:], body[len(before):])
			}
		}}, err
	})
	if err != nil {
		return err
	}
	err = t.serve(ctx, "give cards", t.server.HTTP, uint64(each), func(run, c int) (load.Wire, error) {
		id := func(dst []byte, n uint64) { copy(dst, ids[at(c, n)][:]) }
		tmpl, err := httpCard(run, c, id, number(firstCard, c))
		return &load.HTTP{Request: tmpl.Append}, err
	})
	if err != nil {
		return err
	}
	return t.serve(ctx, "give points", t.server.ISO, uint64(each), func(run, c int) (load.Wire, error) {
		tmpl, err := isoFund(run, c, number(firstCard, c))
		return &load.ISO{Request: tmpl.Append}, err
	})
}

// serve has the counters send so many requests each; all must be approved.
func (t *trial) serve(ctx context.Context, what, address string, each uint64, wire func(run, connection int) (load.Wire, error)) error {
	if each == 0 {
		return nil
	}
	t.runs++
	wires := make([]load.Wire, counters)
	for c := range wires {
		var err error
		if wires[c], err = wire(t.runs, c); err != nil {
			return err
		}
	}
	r, err := load.Run(ctx, load.Options{
		Address: address, Connections: counters, InFlight: isoInFlight, Requests: each,
		Wire: func(c int) load.Wire { return wires[c] },
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	t.asked += r.Answers()
	if bad := r.Declined + r.Shed + r.Unanswered; bad > 0 {
		return fmt.Errorf("%s: %d approved, %d declined, %d shed, %d not answered; all should be approved",
			what, r.Approved, r.Declined, r.Shed, r.Unanswered)
	}
	return nil
}

// publish puts the programme in force.
func (t *trial) publish(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://"+t.server.HTTP+"/v1/program", strings.NewReader(Programme))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/yaml")
	req.Header.Set("Idempotency-Key", "programme")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(res.Body)
	err = errors.Join(err, res.Body.Close())
	if err == nil && res.StatusCode >= 300 {
		err = fmt.Errorf("publish the programme: status %d: %s", res.StatusCode, body)
	}
	return err
}

// mix spreads numbers evenly over all 64-bit numbers (the finaliser of
// splitmix64), so that the members of a load are drawn at random and the same
// in every run.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// card draws a member for each request of a connection.
func (t *trial) card(run, connection int) func(n uint64) uint64 {
	seed := mix(uint64(run)<<32 | uint64(connection))
	members := uint64(t.members)
	return func(n uint64) uint64 { return firstCard + mix(seed+n)%members }
}

// isoWire makes authorizations over ISO/TCP.
func (t *trial) isoWire(run int, e edge, holds [][]holdID) (func(int) load.Wire, error) {
	wires := make([]load.Wire, e.connections)
	for c := range wires {
		tmpl, err := isoAuthorize(run, c, t.card(run, c))
		if err != nil {
			return nil, err
		}
		wires[c] = &load.ISO{Request: tmpl.Append, Answered: func(_ uint64, m *iso8583.Message) {
			// An echo is the request itself, which names no hold.
			if id := m.Get(37); len(id) == len(holdID{}) && bytes.HasPrefix(m.Get(39), []byte("0")) {
				holds[c] = append(holds[c], holdID(id))
			}
		}}
	}
	return func(c int) load.Wire { return wires[c] }, nil
}

// httpWire makes authorizations over HTTP.
func (t *trial) httpWire(run int, e edge, holds [][]holdID) (func(int) load.Wire, error) {
	wires := make([]load.Wire, e.connections)
	for c := range wires {
		tmpl, err := httpAuthorize(run, c, t.card(run, c))
		if err != nil {
			return nil, err
		}
		wires[c] = &load.HTTP{Request: tmpl.Append, Answered: func(_ uint64, status int, body []byte) {
			const before = `{"id":"`
			if status < 300 && len(body) > len(before)+len(holdID{}) && bytes.HasPrefix(body, []byte(before)) {
				holds[c] = append(holds[c], holdID(body[len(before):]))
			}
		}}
	}
	return func(c int) load.Wire { return wires[c] }, nil
}

// void releases the holds of the last load and waits until the server is calm.
// A few that don't divide evenly among the counters stay.
func (t *trial) void(ctx context.Context, r int) error {
	var all []holdID
	for _, some := range t.holds {
		all = append(all, some...)
	}
	t.holds = nil
	t.Step(fmt.Sprintf("repeat %d: voiding %d holds", r+1, len(all)), t.Length)
	each := len(all) / counters
	err := t.serve(ctx, "void", t.server.ISO, uint64(each), func(run, c int) (load.Wire, error) {
		mine := all[c*each:][:each]
		tmpl, err := isoVoid(run, c, func(dst []byte, n uint64) { copy(dst, mine[n][:]) })
		return &load.ISO{Request: tmpl.Append}, err
	})
	if err != nil {
		return err
	}
	return t.calm(ctx)
}

// calm waits until the server has nothing to do any more, compactions among
// it, for at most some seconds: what is measured next should not pay for what
// was before.
func (t *trial) calm(ctx context.Context) error {
	const look, most = 100 * time.Millisecond, 5 * time.Second
	tick := time.NewTicker(look)
	defer tick.Stop()
	last := time.Duration(-1)
	for begun := time.Now(); time.Since(begun) < most; {
		now := cpu(t.server.Pid())
		if last >= 0 && now-last <= look/10 {
			return nil
		}
		last = now
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}
