package processor

import (
	"maps"
	"math"
	"slices"

	"tillgate/protocol"
)

// modelled is the programme that the model knows by heart.
const modelled = `
program: modelled
currency: KZT
timezone: Asia/Almaty
lots: {active_after: 1h, expires_after: 5h}
earn: {rules: [{name: base, give: {percent: 10}}]}
redeem: {with: [code, card], cap: 50}
referral: {percent: [10]}
holds: {default: 15m, max: 24h, late_confirm: deficit}
`

const (
	modelRipens = 3600 * 1e9     // active_after
	modelLives  = 5 * 3600 * 1e9 // expires_after
	modelHolds  = 15 * 60 * 1e9
)

// model is a ledger of maps: no batches, no shards, no records, no disk. It is
// written from docs/holds.md, docs/processor.md and docs/programme.md, and is
// slow and plain on purpose.
type model struct {
	now     int64
	members map[string]*modelMember // by card
	sales   []*modelSale
	keys    map[string]*modelSale // what a request did, by its key; nil: nothing
	marked  map[string]bool
}

type modelMember struct {
	card    string
	lots    map[modelLot]int64
	deficit int64 // zero or negative
	through int64 // what fell due up to here is done
	into    *modelMember
	host    *modelMember // who invited
}

type modelLot struct{ active, expires int64 } // expires 0: never

type modelPart struct {
	lot    modelLot
	points int64
}

// modelSale is a purchase from its authorization on.
type modelSale struct {
	owner                            *modelMember
	state                            string // pending confirmed voided expired reversed
	until                            int64
	total, redeemed, payable, earned int64
	lot                              modelLot
	pins                             []modelPart
	restored                         map[modelLot]int64
	owed                             int64 // of the redeemed points: what was booked as a deficit
	owedBack                         int64
	rewardTo                         *modelMember
	reward                           int64
	back                             struct{ redeemed, payable, earned, reward int64 }
}

// modelAnswer is what the model says to a request.
type modelAnswer struct {
	code                      protocol.Code
	redeemed, payable, earned int64
}

func (m *modelMember) home() *modelMember {
	for m.into != nil {
		m = m.into
	}
	return m
}

// inOrder are a member's lots as they are spent: what ends first, then what was
// active first.
func (m *modelMember) inOrder() []modelLot {
	end := func(l modelLot) int64 {
		if l.expires == 0 {
			return math.MaxInt64
		}
		return l.expires
	}
	return slices.SortedFunc(maps.Keys(m.lots), func(a, b modelLot) int {
		if end(a) != end(b) {
			return compare64(end(a), end(b))
		}
		return compare64(a.active, b.active)
	})
}

func compare64(a, b int64) int {
	if a < b {
		return -1
	}
	return 1
}

func (m *modelMember) add(lot modelLot, points int64) {
	if m.lots[lot] += points; m.lots[lot] == 0 {
		delete(m.lots, lot)
	}
}

// get is points that come: those that are active repay what is owed first.
func (m *modelMember) get(lot modelLot, points, now int64) {
	if lot.active <= now {
		repaid := min(points, -m.deficit)
		m.deficit += repaid
		points -= repaid
	}
	m.add(lot, points)
}

// spend takes up to n points that are active.
func (m *modelMember) spend(n, now int64) (parts []modelPart, missing int64) {
	for _, lot := range m.inOrder() {
		if take := min(n, m.lots[lot]); lot.active <= now && take > 0 {
			m.add(lot, -take)
			parts = append(parts, modelPart{lot, take})
			n -= take
		}
	}
	return parts, n
}

// takeBack takes n points: from their own lot, from what is not active yet, from
// what is; the rest is owed.
func (m *modelMember) takeBack(own modelLot, n, now int64) {
	for _, from := range []func(modelLot) bool{
		func(l modelLot) bool { return l == own },
		func(l modelLot) bool { return l.active > now },
		func(l modelLot) bool { return true },
	} {
		for _, lot := range m.inOrder() {
			if take := min(n, m.lots[lot]); from(lot) && take > 0 {
				m.add(lot, -take)
				n -= take
			}
		}
	}
	m.deficit -= n
}

func (m *modelMember) available(now int64) (n int64) {
	for lot, points := range m.lots {
		if lot.active <= now {
			n += points
		}
	}
	return n
}

// passes lets time pass: holds end, lots ripen, lots lapse, each at its moment.
func (w *model) passes(to int64) {
	w.now = to
	for _, m := range w.members {
		for w.fallsDue(m) {
		}
		m.through = to
	}
}

func (w *model) fallsDue(m *modelMember) bool {
	next := int64(math.MaxInt64)
	for _, s := range w.sales {
		if s.owner == m && s.state == "pending" {
			next = min(next, s.until)
		}
	}
	for lot := range m.lots {
		if lot.active > m.through {
			next = min(next, lot.active)
		}
		if lot.expires != 0 {
			next = min(next, lot.expires)
		}
	}
	if next > w.now {
		return false
	}
	next = max(next, m.through)
	for _, s := range w.sales {
		if s.owner == m && s.state == "pending" && s.until <= next {
			w.release(s, "expired", next)
			m.through = next
			return true
		}
	}
	ripe := false
	for _, lot := range m.inOrder() {
		if lot.active > m.through && lot.active <= next {
			repaid := min(-m.deficit, m.lots[lot])
			m.deficit += repaid
			m.add(lot, -repaid)
			ripe = true
		}
	}
	if !ripe {
		for lot := range m.lots {
			if lot.expires != 0 && lot.expires <= next {
				delete(m.lots, lot)
			}
		}
	}
	m.through = next
	return true
}

// release gives a hold's points back.
func (w *model) release(s *modelSale, state string, at int64) {
	for _, p := range s.pins {
		s.owner.add(p.lot, p.points)
	}
	s.owner.repay(at)
	s.pins, s.state = nil, state
}

// repay takes what is owed from what may be spent.
func (m *modelMember) repay(now int64) {
	for _, lot := range m.inOrder() {
		if lot.active <= now && (lot.expires == 0 || lot.expires > now) {
			n := min(-m.deficit, m.lots[lot])
			m.deficit += n
			m.add(lot, -n)
		}
	}
}

// judge decides a purchase: half of it may be paid with points.
func (w *model) judge(m *modelMember, total, ask int64, partial bool) (s *modelSale, code protocol.Code) {
	allowed, available := total/2, m.available(w.now)
	take := ask
	switch {
	case ask <= min(allowed, available):
	case partial:
		take, code = min(allowed, available), protocol.Partial
	case ask > allowed:
		return nil, protocol.RedeemNotAllowed
	default:
		return nil, protocol.InsufficientPoints
	}
	s = &modelSale{owner: m, total: total, redeemed: take, payable: total - take, restored: map[modelLot]int64{}}
	s.earned = s.payable / 10
	s.lot = modelLot{w.now + modelRipens, w.now + modelRipens + modelLives}
	if m.host != nil && m.host.home() != m {
		s.rewardTo, s.reward = m.host, s.payable/10
	}
	return s, code
}

func answered(code protocol.Code, s *modelSale) modelAnswer {
	return modelAnswer{code, s.redeemed, s.payable, s.earned}
}

func (w *model) authorize(key, card string, total, ask int64, partial bool) (modelAnswer, *modelSale) {
	m := w.members[card].home()
	s, code := w.judge(m, total, ask, partial)
	w.keys[key] = nil
	if s == nil {
		return modelAnswer{code: code}, nil
	}
	s.state, s.until = "pending", w.now+modelHolds
	s.pins, _ = m.spend(s.redeemed, w.now)
	w.sales, w.keys[key] = append(w.sales, s), s
	return answered(code, s), s
}

// book is what every booked sale does.
func (w *model) book(s *modelSale) {
	s.state = "confirmed"
	s.owner.get(s.lot, s.earned, w.now)
	if s.rewardTo != nil {
		s.rewardTo.home().get(s.lot, s.reward, w.now)
	}
}

func (w *model) sell(key, card string, total, ask int64, partial bool) (modelAnswer, *modelSale) {
	m := w.members[card].home()
	s, code := w.judge(m, total, ask, partial)
	w.keys[key] = nil
	if s == nil {
		return modelAnswer{code: code}, nil
	}
	s.pins, _ = m.spend(s.redeemed, w.now)
	w.book(s)
	w.sales, w.keys[key] = append(w.sales, s), s
	return answered(code, s), s
}

// confirm books a hold; printed is what the till has printed of the points, −1
// if it does not say.
func (w *model) confirm(key string, s *modelSale, printed int64) modelAnswer {
	w.keys[key] = nil
	switch s.state {
	case "confirmed":
		return modelAnswer{code: protocol.AlreadyConfirmed}
	case "voided", "reversed":
		return modelAnswer{code: protocol.AlreadyVoided}
	}
	if printed > s.redeemed {
		return modelAnswer{code: protocol.RedeemNotAllowed}
	}
	if printed >= 0 {
		s.redeemed, s.payable = printed, s.total-printed
	}
	if s.state == "pending" {
		need := s.redeemed
		var kept []modelPart
		for _, p := range s.pins {
			use := min(need, p.points)
			need -= use
			s.owner.add(p.lot, p.points-use)
			if use > 0 {
				kept = append(kept, modelPart{p.lot, use})
			}
		}
		s.pins = kept
		s.owner.repay(w.now)
	} else {
		s.pins, s.owed = s.owner.spend(s.redeemed, w.now)
		s.owner.deficit -= s.owed
	}
	w.book(s)
	w.keys[key] = s
	return answered(protocol.Approved, s)
}

func (w *model) void(key string, s *modelSale) modelAnswer {
	w.keys[key] = nil
	switch s.state {
	case "confirmed":
		return modelAnswer{code: protocol.AlreadyConfirmed}
	case "voided", "reversed":
		return modelAnswer{code: protocol.AlreadyVoided}
	case "expired":
		return modelAnswer{code: protocol.HoldExpired}
	}
	w.release(s, "voided", w.now)
	w.keys[key] = s
	return modelAnswer{protocol.Approved, s.redeemed, s.payable, 0}
}

// left is what has not come back of a sale.
func (s *modelSale) left() (redeemed, payable, earned, reward int64) {
	return s.redeemed - s.back.redeemed, s.payable - s.back.payable, s.earned - s.back.earned, s.reward - s.back.reward
}

// giveBack takes a sale back, or half of it where nothing has come back yet.
func (w *model) giveBack(s *modelSale, half bool) modelAnswer {
	switch {
	case s.state == "reversed":
		return modelAnswer{code: protocol.ReturnExceedsSale}
	case s.state != "confirmed":
		return modelAnswer{code: protocol.NotFound}
	}
	redeemed, payable, earned, reward := s.left()
	if redeemed+payable == 0 {
		return modelAnswer{code: protocol.ReturnExceedsSale}
	}
	if half {
		redeemed, payable, earned, reward = redeemed/2, payable/2, earned/2, reward/2
	}
	w.undo(s, redeemed, payable, earned, reward)
	return modelAnswer{protocol.Approved, redeemed, payable, earned}
}

func (w *model) undo(s *modelSale, redeemed, payable, earned, reward int64) {
	m := s.owner
	s.back.redeemed += redeemed
	s.back.payable += payable
	s.back.earned += earned
	s.back.reward += reward
	if owed := min(s.owed-s.owedBack, redeemed); owed > 0 {
		s.owedBack += owed
		redeemed -= owed
		m.get(modelLot{min(s.lot.active, w.now), s.lot.expires}, owed, w.now)
	}
	for _, p := range slices.Backward(s.pins) {
		n := min(redeemed, p.points-s.restored[p.lot])
		s.restored[p.lot] += n
		redeemed -= n
		if n > 0 && (p.lot.expires == 0 || p.lot.expires > w.now) { // else it has lapsed
			m.add(p.lot, n)
		}
	}
	m.takeBack(s.lot, earned, w.now)
	m.repay(w.now)
	if reward > 0 {
		s.rewardTo.home().takeBack(s.lot, reward, w.now)
	}
}

// reverse undoes what a key did. call is the call that it belonged to.
func (w *model) reverse(of string, call protocol.Call) modelAnswer {
	s, known := w.keys[of]
	done := modelAnswer{code: protocol.Approved}
	switch {
	case !known:
		w.marked[of] = true
	case s == nil:
	case call == protocol.CallVoid:
		return modelAnswer{code: protocol.AlreadyVoided}
	case call == protocol.CallAuthorize:
		switch s.state {
		case "confirmed":
			return modelAnswer{code: protocol.AlreadyConfirmed}
		case "pending", "expired":
			done.redeemed, done.payable = s.redeemed, s.payable
			w.release(s, "voided", w.now)
		}
	case s.state == "confirmed":
		redeemed, payable, earned, reward := s.left()
		w.undo(s, redeemed, payable, earned, reward)
		s.state = "reversed"
		return modelAnswer{protocol.Approved, redeemed, payable, earned}
	}
	return done
}

// merge moves all that a member has to another.
func (w *model) merge(from, into *modelMember) protocol.Code {
	for _, s := range w.sales {
		if s.owner == from && s.state == "pending" {
			return protocol.Unavailable
		}
	}
	for _, lot := range from.inOrder() {
		into.get(lot, from.lots[lot], w.now)
	}
	into.takeBack(modelLot{}, -from.deficit, w.now)
	from.lots, from.deficit, from.into = map[modelLot]int64{}, 0, into
	return protocol.Approved
}
