package simulate

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"

	"tillgate/ledger"
	"tillgate/protocol"
)

// person is a member: whom the tills sell to.
type person struct {
	id    ledger.AccountID
	phone string
	card  string
	owned int64 // points, by the answers; of who invites others it is not known
	host  bool  // gets rewards
}

// sent is a request with what is known of its fate.
type sent struct {
	r      protocol.Request
	who    *person
	sign   int64  // what its figures mean for what the member owns
	answer string // as the wire has it; "" if none was heard
	res    *protocol.Response
}

// till is a till with one request on its way at a time. It sends a request
// again until it hears an answer that is final, or reverses it.
type till struct {
	name string
	keys int
	now  *sent // waits for its answer
	said []*sent

	holds []*sent
	sales []*sent

	mu    sync.Mutex
	call  int // which attempt is listened to
	heard *protocol.Response
	bytes string
}

// book holds what was told about every key.
type book struct{ final []*sent }

func newBook() *book { return &book{} }

func (t *till) request(call protocol.Call) protocol.Request {
	t.keys++
	r := protocol.Request{
		Call: call, Terminal: t.name, Store: "S1", Cashier: "C7", Channel: "store",
		Caller: protocol.Caller{Key: "till", Role: protocol.RoleAny}, Key: fmt.Sprintf("%s-%d", t.name, t.keys),
	}
	sum := sha256.Sum256([]byte(r.Key))
	copy(r.Hash[:], sum[:])
	return r
}

// hangUp stops listening: what comes now is not heard.
func (t *till) hangUp() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.call++
	t.heard = nil
}

// send sends what the till waits for, as the same request each time.
func (t *till) send(w *world) {
	t.mu.Lock()
	t.call++
	call := t.call
	t.heard = nil
	t.mu.Unlock()
	x := &protocol.Exchange{Request: t.now.r}
	x.Done = func(x *protocol.Exchange) {
		text := string(protocol.AppendJSON(nil, &x.Response))
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.call == call {
			t.heard, t.bytes = &x.Response, text
		}
	}
	w.server.sw.Submit(x)
}

// listen takes the answer that has come, if any.
func (t *till) listen(w *world) error {
	t.mu.Lock()
	res, text := t.heard, t.bytes
	t.heard = nil
	t.mu.Unlock()
	if res == nil || t.now == nil {
		return nil
	}
	s := t.now
	w.say("%s %s %s: %s %s earned %d redeemed %d", t.name, s.r.Call, s.r.Key, res.Code, res.ID, res.Earned, res.Redeemed)
	if res.Code == protocol.Internal {
		return fmt.Errorf("%s %s: the server failed", s.r.Call, s.r.Key)
	}
	if res.Code.Retryable() {
		return nil // it is sent again
	}
	t.now = nil
	if s.answer != "" && s.answer != text {
		return fmt.Errorf("%s %s was answered otherwise before:\n%s\n%s", s.r.Call, s.r.Key, s.answer, text)
	}
	if s.answer == "" && s.keyed() {
		w.book.final = append(w.book.final, s)
		t.said = append(t.said, s)
	}
	s.answer, s.res = text, res
	if res.Code.OK() {
		s.who.owned += s.sign * (res.Earned - res.Redeemed)
		switch s.r.Call {
		case protocol.CallAuthorize:
			t.holds = append(t.holds, s)
		case protocol.CallConfirm, protocol.CallAccrue, protocol.CallRedeem:
			t.sales = append(t.sales, s)
		}
	}
	return nil
}

func (s *sent) keyed() bool {
	return s.r.Call != protocol.CallQuote && s.r.Call != protocol.CallBalance
}

// ask begins a new request.
func (t *till) ask(w *world, r *rand.Rand) {
	who := w.people[r.IntN(len(w.people))]
	s := &sent{who: who}
	card := protocol.Identifier{Kind: protocol.ByCard, Value: who.card}
	buy := func(call protocol.Call, sign int64) {
		s.r, s.sign = t.request(call), sign
		s.r.Member, s.r.HasBasket, s.r.Total = card, true, 1000+r.Int64N(20_000)
		if call != protocol.CallAccrue {
			s.r.Redeem = protocol.Redeem{Mode: protocol.RedeemPoints, Points: 1 + r.Int64N(3000), Partial: r.IntN(2) == 0}
			if r.IntN(3) == 0 {
				s.r.Redeem = protocol.Redeem{Mode: protocol.RedeemMax}
			}
		}
	}
	about := func(call protocol.Call, list []*sent, sign int64) {
		of := list[r.IntN(len(list))]
		s.r, s.who, s.sign = t.request(call), of.who, sign
		s.r.Target = of.res.ID
	}
	switch k := r.IntN(12); {
	case k < 4:
		buy(protocol.CallAuthorize, 0)
	case k < 7 && len(t.holds) > 0:
		about(protocol.CallConfirm, t.holds[max(0, len(t.holds)-4):], 1)
	case k < 8 && len(t.holds) > 0:
		about(protocol.CallVoid, t.holds[max(0, len(t.holds)-4):], 0)
	case k < 9 && len(t.sales) > 0:
		about(protocol.CallReturn, t.sales, -1)
		if r.IntN(2) == 0 {
			s.r.ReturnAmount = 1 + r.Int64N(5_000)
		}
	case k < 10 && len(t.said) > 0:
		t.undo(s, t.said[r.IntN(len(t.said))])
	case k < 11:
		buy(protocol.CallRedeem, 1)
	default:
		buy(protocol.CallAccrue, 1)
		if r.IntN(3) == 0 {
			s.r.Member = protocol.Identifier{Kind: protocol.ByPhone, Value: who.phone}
		}
	}
	t.now = s
	if r.IntN(6) == 0 {
		w.say("%s asks %s %s %s, which is lost on its way", t.name, s.r.Call, s.r.Key, s.r.Target)
		w.late = append(w.late, s)
		return
	}
	w.say("%s asks %s %s %s", t.name, s.r.Call, s.r.Key, s.r.Target)
	t.send(w)
	if r.IntN(4) == 0 {
		w.late = append(w.late, s)
	}
}

// arrive is a copy of a request that some router had kept: nobody hears its
// answer.
func (s *sent) arrive(w *world) {
	w.say("%s arrives late", s.r.Key)
	w.server.sw.Submit(&protocol.Exchange{Request: s.r, Done: func(*protocol.Exchange) {}})
}

// undo makes s the reversal of a request.
func (t *till) undo(s *sent, of *sent) {
	s.r, s.who = t.request(protocol.CallReverse), of.who
	s.r.TargetKey = of.r.Key
	switch of.r.Call {
	case protocol.CallConfirm, protocol.CallAccrue, protocol.CallRedeem:
		s.sign = -1
	case protocol.CallReturn:
		s.sign = 1
	}
}

// giveUp reverses the request on its way, whose answer was never heard.
func (t *till) giveUp(w *world) {
	of := t.now
	w.late = append(w.late, of)
	s := &sent{}
	t.undo(s, of)
	s.sign = 0 // both are unknown, and together nothing
	t.now = s
	w.say("%s gives up %s and reverses it by %s", t.name, of.r.Key, s.r.Key)
	t.send(w)
}

// draw is a number of a seed that is the same in every run.
func draw(seed uint64, i int) *rand.Rand {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], seed)
	binary.BigEndian.PutUint64(b[8:], uint64(i))
	sum := sha256.Sum256(b[:])
	return rand.New(rand.NewPCG(binary.BigEndian.Uint64(sum[:]), binary.BigEndian.Uint64(sum[8:])))
}
