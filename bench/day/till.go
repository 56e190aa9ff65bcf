package day

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"

	"tillgate/bench/books"
	"tillgate/bench/load"
	"tillgate/protocol/iso8583"
)

// Shop is what all tills of a run have in common.
type Shop struct {
	Day     *Day
	Members int
	Card    func(member int) uint64 // the member's card number, 16 digits
	Book    *books.Book
	Seed    uint64
}

// Till is one connection's [load.Wire]. Its sender and its receiver may be two
// goroutines.
type Till struct {
	shop *Shop
	page *books.Page
	iso  *load.ISO  // nil over HTTP
	http *load.HTTP // nil over ISO 8583
	say  *phrases
	// What the newest answer said: for the receiver alone.
	answer, id []byte

	mu       sync.Mutex
	rng      *rand.Rand
	schedule schedule
	members  members
	baskets  weighted
	asked    map[uint64]asked  // in flight
	twice    map[uint64]uint64 // of a repeat in flight over ISO 8583: first number → this one
	holds    []asked           // open, oldest first
	late     []lateHold
	sales    []asked // that may come back
	repeats  []repeat
	refused  string // of the first request that was declined or shed
}

// asked is a request, and after it the hold or sale that it made.
type asked struct {
	kind           action
	first          uint64 // number of the request, of a hold: of the authorization
	member, basket int
	total, points  int64 // money, and the points that are spent, in hundredths
	sale           books.ID
	sent           []byte // of a request that will be repeated
	again          *repeat
}

// earned is a tenth of what is paid in money: baskets are such that nothing is
// rounded.
func (a *asked) earned() int64 { return (a.total - a.points) / 10 }

// lateHold is a hold that a late reversal will undo.
type lateHold struct {
	asked
	from uint64 // the request's number at which it may go out
}

// repeat is a request that goes out once more, and what it was answered.
type repeat struct {
	first        uint64
	sent, answer []byte
}

// mostSales bounds what a till remembers to take back, and its repeats.
const mostSales = 256

// NewTill makes the till of a connection of a run, over ISO 8583 or HTTP. No
// two tills of a server's life may have the same name, of eight characters.
func (s *Shop) NewTill(name string, number int, overISO bool) (*Till, error) {
	rng := rand.New(rand.NewPCG(s.Seed, uint64(number)))
	t := &Till{
		shop: s, page: s.Book.Page(), rng: rng, schedule: newSchedule(s.Day.Requests, rng),
		members: newMembers(s.Day.Members, s.Members, rng), baskets: newWeighted(s.Day.Baskets),
		asked: map[uint64]asked{}, twice: map[uint64]uint64{},
	}
	var err error
	if t.say, err = newPhrases(s, name, overISO); err != nil {
		return nil, err
	}
	if overISO {
		t.iso = &load.ISO{Request: t.request}
		t.iso.Answered = func(n uint64, m *iso8583.Message) { t.isoAnswered(n, m) }
	} else {
		t.http = &load.HTTP{Request: t.request, Answered: t.httpAnswered}
	}
	return t, nil
}

// Refused tells of the first request that was declined or shed, "" if none was.
func (t *Till) Refused() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.refused
}

// Hold is one that a till has not ended.
type Hold struct {
	ID     books.ID
	Member int
	Points int64 // that it pins, in hundredths
}

// Open are the holds that the till has not ended, when its load is over:
// whoever closes the shop voids them.
func (t *Till) Open() (open []Hold) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range t.holds {
		open = append(open, Hold{a.sale, a.member, a.points})
	}
	for _, l := range t.late {
		open = append(open, Hold{l.sale, l.member, l.points})
	}
	t.holds, t.late = nil, nil
	return open
}

// Append appends the till's n-th request.
func (t *Till) Append(dst []byte, n uint64) []byte {
	if t.iso != nil {
		return t.iso.Append(dst, n)
	}
	return t.http.Append(dst, n)
}

// request decides what is asked next and writes it.
func (t *Till) request(dst []byte, n uint64) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.repeats) > 0 {
		again := t.repeats[0]
		t.repeats = t.repeats[1:]
		t.asked[n] = asked{again: &again}
		t.twice[again.first] = n
		return append(dst, again.sent...)
	}
	a := t.decide(n)
	start := len(dst)
	dst = t.say.append(dst, n, &a)
	if a.kind != quote && t.rng.Float64()*100 < t.shop.Day.Repeats {
		a.sent = bytes.Clone(dst[start:])
	}
	t.asked[n] = a
	return dst
}

// decide chooses the next request and takes from the till's holds and sales
// what it is about.
func (t *Till) decide(n uint64) asked {
	kind := t.schedule.next(func(k action) bool {
		switch k {
		case confirm, void:
			return len(t.holds) > 0
		case reverse:
			return len(t.late) > 0 && t.late[0].from <= n
		case giveBack:
			return len(t.sales) > 0
		}
		return true
	})
	var a asked
	switch kind {
	case confirm, void:
		a, t.holds = t.holds[0], t.holds[1:]
	case reverse:
		a, t.late = t.late[0].asked, t.late[1:]
	case giveBack:
		last := len(t.sales) - 1
		a, t.sales = t.sales[last], t.sales[:last]
	default:
		a = asked{member: t.members.next(), basket: t.baskets.next(t.rng), first: n}
		a.total = basketTotal(t.shop.Day.Baskets[a.basket].Lines)
		if kind == authorize && t.rng.Float64()*100 < t.shop.Day.Redeem {
			a.points = basketPoints(a.total)
		}
	}
	a.kind, a.sent, a.again = kind, nil, nil
	return a
}

// Read reads one answer.
func (t *Till) Read(r *bufio.Reader) (n uint64, o load.Outcome, err error) {
	if t.iso != nil {
		n, o, err = t.iso.Read(r)
	} else {
		n, o, err = t.http.Read(r)
	}
	if err != nil {
		return n, o, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if second, ok := t.twice[n]; ok && t.iso != nil {
		n = second
	}
	return n, o, t.take(n, o)
}

// take enters an answer into the books. What came with it was noted by
// isoAnswered or httpAnswered.
func (t *Till) take(n uint64, o load.Outcome) error {
	a, ok := t.asked[n]
	if !ok {
		return fmt.Errorf("an answer to request %d, which was not asked", n)
	}
	delete(t.asked, n)
	if a.again != nil {
		delete(t.twice, a.again.first)
		if o != load.Shed && !bytes.Equal(a.again.answer, t.answer) {
			return fmt.Errorf("a repeated request brought another answer:\n%q\n%q", a.again.answer, t.answer)
		}
		return nil
	}
	switch o {
	case load.Shed, load.Declined:
		if t.refused == "" {
			t.refused = fmt.Sprintf("%s: %q", a.kind, t.answer)
		}
		if o == load.Shed {
			t.putBack(a, n)
		}
		return nil
	}
	if a.sent != nil && len(t.repeats) < mostSales {
		t.repeats = append(t.repeats, repeat{first: n, sent: a.sent, answer: bytes.Clone(t.answer)})
	}
	if a.kind == authorize || a.kind == accrue {
		if a.sale, ok = books.ParseID(t.id); !ok {
			return fmt.Errorf("%s was approved without an id: %q", a.kind, t.answer)
		}
	}
	t.enter(a, n)
	return nil
}

// enter notes what an approved request has booked.
func (t *Till) enter(a asked, n uint64) {
	switch a.kind {
	case authorize:
		t.page.Entry(a.sale, books.Authorize, a.member, -a.points, a.points)
		r := t.shop.Day.Requests
		if t.rng.Float64()*r.Authorize < r.Reverse {
			t.late = append(t.late, lateHold{a, n + uint64(t.shop.Day.Late)})
		} else {
			t.holds = append(t.holds, a)
		}
	case confirm:
		t.page.Entry(a.sale, books.Confirm, a.member, a.earned(), -a.points)
		t.sold(a)
	case void, reverse:
		t.page.Entry(a.sale, books.Release, a.member, a.points, -a.points)
	case accrue:
		t.page.Entry(a.sale, books.Accrue, a.member, a.earned(), 0)
		t.sold(a)
	case giveBack:
		t.page.Entry(a.sale, books.Return, a.member, a.points-a.earned(), 0)
	}
}

// sold remembers a sale that may come back, if any do.
func (t *Till) sold(a asked) {
	if t.shop.Day.Requests.Return == 0 {
		return
	}
	if len(t.sales) == mostSales {
		t.sales = append(t.sales[:0], t.sales[mostSales/2:]...)
	}
	t.sales = append(t.sales, a)
}

// putBack keeps what a request that was shed was about, for another try.
func (t *Till) putBack(a asked, n uint64) {
	switch a.kind {
	case confirm, void:
		t.holds = append(t.holds, a)
	case reverse:
		t.late = append(t.late, lateHold{a, n})
	case giveBack:
		t.sales = append(t.sales, a)
	}
}

// isoAnswered keeps what an answer says until Read enters it.
func (t *Till) isoAnswered(_ uint64, m *iso8583.Message) {
	t.answer, t.id = t.iso.Frame(), m.Get(37)
}

// httpAnswered is the same over HTTP.
func (t *Till) httpAnswered(_ uint64, _ int, body []byte) {
	t.answer, t.id = body, nil
	if rest, ok := bytes.CutPrefix(body, []byte(`{"id":"`)); ok && len(rest) > books.IDLength {
		t.id = rest[:books.IDLength]
	}
}
