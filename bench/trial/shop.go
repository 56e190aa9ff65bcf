package trial

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"tillgate/bench/books"
	"tillgate/bench/day"
	"tillgate/bench/load"
	"tillgate/bench/rig"
	"tillgate/protocol/iso8583"
)

// Store reaches the files of a server that does not run.
type Store interface {
	// Fill makes members with a card and points each in a new data directory
	// and tells how many there are so far.
	Fill(ctx context.Context, dir string, members int, points int64, card func(member int) uint64, done func(int)) error
	// Read lets use compare what the server has booked.
	Read(dir string, use func(books.Ledger) error) error
}

// shop is a server with its members and the bench's books of it.
type shop struct {
	server  *rig.Server
	members int
	book    *books.Book
	open    int64 // requests that were never answered
	asked   int64 // that were
}

// startTime bounds a start of the server: far longer than any goal, so that a
// slow one is told as a figure and not as a failure.
const startTime = time.Minute

// warmTime bounds the wait for members to be in memory.
const warmTime = 5 * time.Minute

// openShop makes the members and starts a server for them with the programme
// in force.
func (t *trial) openShop(ctx context.Context, name string, members int, env ...string) (*shop, error) {
	s := &shop{members: members, book: books.New(members, points)}
	s.server = &rig.Server{Binary: t.Binary, Dir: filepath.Join(t.dir, name), Plain: true, Env: env}
	t.shops = append(t.shops, s)
	t.Step(fmt.Sprintf("making %d members", members), fillTime(members))
	begun := time.Now()
	err := t.Store.Fill(ctx, s.server.Dir, members, points, cardOf, func(n int) { t.live("%d of %d members", n, members) })
	if err != nil {
		return s, err
	}
	if members >= MaxMembers/10 {
		t.figure(fmt.Sprintf("making %d members in the files", members), "s", time.Since(begun).Seconds())
	}
	if s.server.HTTP, err = rig.FreePort(); err != nil {
		return s, err
	}
	if s.server.ISO, err = rig.FreePort(); err != nil {
		return s, err
	}
	// It is alive, and ready only when a programme is published.
	s.server.Ready = "/healthz"
	starting, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	err = s.server.Start(starting)
	s.server.Ready = ""
	if err != nil {
		return s, err
	}
	if err := t.warm(ctx, s); err != nil {
		return s, err
	}
	return s, s.publish(ctx)
}

// warmMetric is 1 when the server has its members in memory.
const warmMetric = "tillgate_ledger_warm"

// warm waits until the server has read its members into memory, as far as they
// fit: what is measured is a server at work, and how long it was not is told.
func (t *trial) warm(ctx context.Context, s *shop) error {
	begun := time.Now()
	for {
		m, err := s.metrics(ctx)
		if err != nil {
			return err
		}
		if m[warmMetric] == 1 {
			break
		}
		if time.Since(begun) > warmTime {
			t.note("The server had not read all of its %d members into memory after %v: loads were measured beside that.", s.members, warmTime)
			return nil
		}
		t.live("the server reads %d members into memory", s.members)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	if s.members >= MaxMembers/10 {
		t.figure(fmt.Sprintf("reading %d members into memory after the start", s.members), "s", time.Since(begun).Seconds())
	}
	return nil
}

// stop asks the server to end, whether or not the trial was interrupted.
func (s *shop) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 25*time.Second)
	defer cancel()
	return s.server.Stop(ctx)
}

// publish puts the programme in force.
func (s *shop) publish(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://"+s.server.HTTP+"/v1/program", strings.NewReader(Programme))
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

// draw draws a member for each request of a connection.
func (s *shop) draw(run, connection int) func(n uint64) int {
	seed := mix(uint64(run)<<32 | uint64(connection))
	members := uint64(s.members)
	return func(n uint64) int { return int(mix(seed+n) % members) }
}

// fleet is the connections of a load, and what their answers brought.
type fleet struct {
	wires []load.Wire
	holds [][]day.Hold
	tills []*day.Till // those that play a day
}

// wireMaker makes the connections of a run.
type wireMaker func(run int, e edge) (*fleet, error)

// made notes an acknowledged hold.
func (f *fleet) made(c int, page *books.Page, id []byte, member int) {
	if parsed, ok := books.ParseID(id); ok {
		page.Entry(parsed, books.Authorize, member, -redeemed, redeemed)
		f.holds[c] = append(f.holds[c], day.Hold{ID: parsed, Member: member, Points: redeemed})
	}
}

// isoAuthorizes makes authorizations over ISO/TCP.
func (s *shop) isoAuthorizes(run int, e edge) (*fleet, error) {
	f := &fleet{holds: make([][]day.Hold, e.connections)}
	for c := range e.connections {
		draw, page := s.draw(run, c), s.book.Page()
		tmpl, err := isoAuthorize(run, c, func(n uint64) uint64 { return cardOf(draw(n)) })
		if err != nil {
			return nil, err
		}
		f.wires = append(f.wires, &load.ISO{Request: tmpl.Append, Answered: func(n uint64, m *iso8583.Message) {
			// An echo is the request itself, which names no hold.
			if bytes.HasPrefix(m.Get(39), []byte("0")) {
				f.made(c, page, m.Get(37), draw(n))
			}
		}})
	}
	return f, nil
}

// httpAuthorizes makes authorizations over HTTP.
func (s *shop) httpAuthorizes(run int, e edge) (*fleet, error) {
	f := &fleet{holds: make([][]day.Hold, e.connections)}
	for c := range e.connections {
		draw, page := s.draw(run, c), s.book.Page()
		tmpl, err := httpAuthorize(run, c, func(n uint64) uint64 { return cardOf(draw(n)) })
		if err != nil {
			return nil, err
		}
		f.wires = append(f.wires, &load.HTTP{Request: tmpl.Append, Answered: func(n uint64, status int, body []byte) {
			const before = `{"id":"`
			if status < 300 && len(body) > len(before)+books.IDLength && bytes.HasPrefix(body, []byte(before)) {
				f.made(c, page, body[len(before):][:books.IDLength], draw(n))
			}
		}})
	}
	return f, nil
}

// counters is how many connections void holds.
const counters = 64

// void releases the holds of the last load and waits until the server is calm.
func (t *trial) void(ctx context.Context, s *shop) error {
	var all []day.Hold
	for _, some := range t.holds {
		all = append(all, some...)
	}
	t.holds = nil
	t.Step(fmt.Sprintf("voiding %d holds", len(all)), t.Length)
	even := len(all) - len(all)%counters
	err := t.release(ctx, s, all[:even], counters)
	if err == nil {
		// What doesn't divide evenly: left, it would add up on a member who is
		// drawn all the time.
		err = t.release(ctx, s, all[even:], 1)
	}
	if err != nil {
		return err
	}
	return t.calm(ctx, s)
}

// release voids holds over so many connections, which divide them evenly.
func (t *trial) release(ctx context.Context, s *shop, all []day.Hold, connections int) error {
	each := len(all) / connections
	if each == 0 {
		return nil
	}
	t.runs++
	var wires []load.Wire
	for c := range connections {
		mine := all[c*each:][:each]
		tmpl, err := isoVoid(t.runs, c, func(dst []byte, n uint64) { mine[n].ID.Text(dst) })
		if err != nil {
			return err
		}
		page := s.book.Page()
		wires = append(wires, &load.ISO{Request: tmpl.Append, Answered: func(n uint64, m *iso8583.Message) {
			if string(m.Get(39)) == "00" {
				page.Entry(mine[n].ID, books.Release, mine[n].Member, mine[n].Points, -mine[n].Points)
			}
		}})
	}
	result, err := load.Run(ctx, load.Options{
		Address: s.server.ISO, Connections: len(wires), InFlight: isoInFlight, Requests: uint64(each),
		Wire: func(c int) load.Wire { return wires[c] },
	})
	if err != nil {
		return fmt.Errorf("void: %w", err)
	}
	s.asked += result.Answers()
	s.open += result.Unanswered
	if bad := result.Declined + result.Shed + result.Unanswered; bad > 0 {
		return fmt.Errorf("void: %d approved, %d declined, %d shed, %d not answered; all should be approved",
			result.Approved, result.Declined, result.Shed, result.Unanswered)
	}
	return nil
}

// calm waits until the server has nothing to do any more, compactions among
// it, for at most some seconds: what is measured next should not pay for what
// was before.
func (t *trial) calm(ctx context.Context, s *shop) error {
	const look, most = 100 * time.Millisecond, 5 * time.Second
	tick := time.NewTicker(look)
	defer tick.Stop()
	last := time.Duration(-1)
	for begun := time.Now(); time.Since(begun) < most; {
		now := cpu(s.server.Pid())
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
