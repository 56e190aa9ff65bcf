package processor

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tillgate/ledger"
	"tillgate/protocol"
)

// tick is what every step takes. All times are multiples of it from the
// beginning, and neither an hour nor a quarter of one is, so that nothing falls
// due at the very moment of a request, where nanoseconds would decide.
const tick = 7 * time.Second

// twins are the switch and the model, asked the same.
type twins struct {
	*shop
	rt    *rapid.T
	m     *model
	cards []string
	ids   map[string]ledger.AccountID
	holds []bond
	sold  []bond
	asked []protocol.Request
	said  map[string]string
	told  map[string]int // answers, by call and code
}

// bond is one purchase on both sides.
type bond struct {
	id   string
	sale *modelSale
}

func newTwins(t *testing.T, rt *rapid.T, told map[string]int) *twins {
	w := &twins{shop: openShop(t, ""), rt: rt, told: told, ids: map[string]ledger.AccountID{}, said: map[string]string{}}
	require.Equal(rt, protocol.Approved, w.put("", modelled).Code)
	w.m = &model{members: map[string]*modelMember{}, keys: map[string]*modelSale{}, marked: map[string]bool{}}
	w.step(0)
	var above []ledger.AccountID
	for i := range 4 {
		card, id := "400000"+strconv.Itoa(i), ledger.AccountID(100+i)
		start := rapid.Int64Range(1, 5000).Draw(rt, "start")
		w.below(id, card, above, ledger.LotPart{Active: 1, Points: start})
		m := &modelMember{card: card, lots: map[modelLot]int64{{active: 1}: start}}
		if len(above) > 0 {
			m.host = w.m.members[w.cards[0]]
		}
		if i == 0 {
			above = []ledger.AccountID{id}
		}
		w.m.members[card], w.ids[card], w.cards = m, id, append(w.cards, card)
	}
	return w
}

// step lets time pass on both sides.
func (w *twins) step(ticks int64) {
	w.later(time.Duration(1+ticks) * tick)
	w.m.passes(w.clock.Load())
}

// both asks the switch and compares the answer with the model's.
func (w *twins) both(r protocol.Request, want func() modelAnswer) *protocol.Response {
	w.step(0)
	said := want()
	if w.m.marked[r.Key] {
		said = modelAnswer{code: protocol.ReversedBefore}
	}
	res := w.ask(r)
	w.told[r.Call.String()+" "+res.Code.String()]++
	got := modelAnswer{res.Code, res.Redeemed, res.Payable, res.Earned}
	if !res.Code.OK() {
		got = modelAnswer{code: res.Code}
	}
	require.Equal(w.rt, said, got, "%s %s: %s", r.Call, r.Key, res.Detail)
	if res.Code.Remembered() && r.Key != "" {
		w.asked, w.said[r.Key] = append(w.asked, r), wire(res)
	}
	return res
}

func (w *twins) card() string { return rapid.SampledFrom(w.cards).Draw(w.rt, "card") }

func (w *twins) purchase(call protocol.Call) (r protocol.Request, card string, total, points int64, partial bool) {
	card = w.card()
	total = 1000 * rapid.Int64Range(1, 20).Draw(w.rt, "total")
	r = w.sale(call, byCard(card), total, 0)
	if call != protocol.CallAccrue {
		points, partial = rapid.Int64Range(1, 4000).Draw(w.rt, "points"), rapid.Bool().Draw(w.rt, "partial")
		r.Redeem = protocol.Redeem{Mode: protocol.RedeemPoints, Points: points, Partial: partial}
	}
	return r, card, total, points, partial
}

func (w *twins) quote(*rapid.T) {
	r, card, total, points, partial := w.purchase(protocol.CallQuote)
	r.Key = ""
	w.both(r, func() modelAnswer {
		s, code := w.m.judge(w.m.members[card].home(), total, points, partial)
		if s == nil {
			return modelAnswer{code: code}
		}
		return answered(code, s)
	})
}

func (w *twins) authorize(*rapid.T) {
	r, card, total, points, partial := w.purchase(protocol.CallAuthorize)
	w.late(&r)
	var s *modelSale
	res := w.both(r, func() (a modelAnswer) {
		if !w.m.marked[r.Key] {
			a, s = w.m.authorize(r.Key, card, total, points, partial)
		}
		return a
	})
	if s != nil {
		w.holds = append(w.holds, bond{res.ID, s})
	}
}

func (w *twins) sellNow(call protocol.Call) {
	r, card, total, points, partial := w.purchase(call)
	w.late(&r)
	var s *modelSale
	res := w.both(r, func() (a modelAnswer) {
		if !w.m.marked[r.Key] {
			a, s = w.m.sell(r.Key, card, total, points, partial)
		}
		return a
	})
	if s != nil {
		w.sold = append(w.sold, bond{res.ID, s})
	}
}

// late lets the reversal of a request come before it, now and then.
func (w *twins) late(r *protocol.Request) {
	if rapid.IntRange(0, 9).Draw(w.rt, "reversed first") > 0 {
		return
	}
	undo := w.till(protocol.CallReverse)
	undo.TargetKey = r.Key
	w.both(undo, func() modelAnswer { return w.m.reverse(r.Key, r.Call) })
}

func (w *twins) accrue(*rapid.T) { w.sellNow(protocol.CallAccrue) }
func (w *twins) redeem(*rapid.T) { w.sellNow(protocol.CallRedeem) }

func (w *twins) pick(list []bond) bond {
	if len(list) == 0 {
		w.rt.Skip("nothing there yet")
	}
	return rapid.SampledFrom(list).Draw(w.rt, "which")
}

func (w *twins) confirm(*rapid.T) {
	b := w.pick(w.holds)
	if b.sale.owner.into != nil {
		w.rt.Skip("its member was merged")
	}
	r, printed := w.till(protocol.CallConfirm), int64(-1)
	r.Target = b.id
	if rapid.IntRange(0, 2).Draw(w.rt, "prints") == 0 {
		printed = rapid.Int64Range(0, b.sale.redeemed+1).Draw(w.rt, "printed")
		r.Printed = protocol.Printed{HasRedeemed: true, Redeemed: printed}
	}
	if res := w.both(r, func() modelAnswer { return w.m.confirm(r.Key, b.sale, printed) }); res.Code.OK() {
		w.sold = append(w.sold, b)
	}
}

func (w *twins) void(*rapid.T) {
	b := w.pick(w.holds)
	r := w.till(protocol.CallVoid)
	r.Target = b.id
	w.both(r, func() modelAnswer { return w.m.void(r.Key, b.sale) })
}

func (w *twins) back(*rapid.T) {
	b := w.pick(append(append([]bond(nil), w.holds...), w.sold...))
	if b.sale.owner.into != nil {
		w.rt.Skip("its member was merged")
	}
	r := w.till(protocol.CallReturn)
	r.Target = b.id
	redeemed, payable, earned, reward := b.sale.left()
	half := b.sale.state == "confirmed" && b.sale.back.payable == 0 && redeemed%2+payable%2+earned%2+reward%2 == 0 && rapid.Bool().Draw(w.rt, "half")
	if half {
		r.ReturnAmount = (redeemed + payable) / 2
	}
	w.both(r, func() modelAnswer { w.m.keys[r.Key] = nil; return w.m.giveBack(b.sale, half) })
}

// reverse undoes an earlier purchase, confirm or void by its key.
func (w *twins) reverse(*rapid.T) {
	if len(w.asked) == 0 {
		w.rt.Skip("nothing there yet")
	}
	of := rapid.SampledFrom(w.asked).Draw(w.rt, "of")
	s := w.m.keys[of.Key]
	if of.Call == protocol.CallReturn || of.Call == protocol.CallReverse || s != nil && s.owner.into != nil {
		w.rt.Skip("the model has no such reversal")
	}
	r := w.till(protocol.CallReverse)
	r.TargetKey = of.Key
	w.both(r, func() modelAnswer { w.m.keys[r.Key] = nil; return w.m.reverse(of.Key, of.Call) })
}

// again repeats an earlier request: the same bytes, and nothing is booked.
func (w *twins) again(*rapid.T) {
	if len(w.asked) == 0 {
		w.rt.Skip("nothing there yet")
	}
	w.step(0)
	r := rapid.SampledFrom(w.asked).Draw(w.rt, "again")
	res := w.ask(r)
	require.True(w.rt, res.Replayed)
	require.Equal(w.rt, w.said[r.Key], wire(res))
}

func (w *twins) merge(*rapid.T) {
	from, into := w.m.members[w.card()], w.m.members[w.card()]
	if from == into || from.into != nil || into.into != nil || rapid.IntRange(0, 3).Draw(w.rt, "merge") > 0 {
		w.rt.Skip("nobody to merge")
	}
	r := w.office(protocol.CallMerge, w.ids[from.card].String())
	r.Into = w.ids[into.card].String()
	w.step(0)
	want := w.m.merge(from, into)
	require.Equal(w.rt, want, w.ask(r).Code)
}

func (w *twins) wait(*rapid.T) {
	w.step(rapid.SampledFrom([]int64{1, 20, 130, 260, 520, 1600, 3100}).Draw(w.rt, "wait"))
}

func (w *twins) restart(*rapid.T) {
	w.shut()
	w.open()
}

// check compares every balance.
func (w *twins) check(*rapid.T) {
	w.arrived(w.rt)
	w.m.passes(w.m.now)
	for _, card := range w.cards {
		m, a := w.m.members[card], w.account(w.ids[card])
		want := ledger.Balance{Deficit: m.deficit, Available: m.available(w.m.now)}
		for _, points := range m.lots {
			want.Pending += points
		}
		want.Pending -= want.Available
		for _, s := range w.m.sales {
			if s.owner == m && s.state == "pending" {
				want.Held += s.redeemed
			}
		}
		require.Equal(w.rt, want, a.Balance(), "member %s", card)
		lots := map[modelLot]int64{}
		for _, l := range a.Lots {
			lots[modelLot{l.Active / 1e9, l.Expires / 1e9}] += l.Points
		}
		should := map[modelLot]int64{}
		for l, points := range m.lots {
			should[modelLot{l.active / 1e9, l.expires / 1e9}] += points
		}
		require.Equal(w.rt, should, lots, "lots of member %s", card)
	}
}

// TestTheModelAndTheLedgerAgree plays random operations on four members of whom
// one has invited the others: every answer and every balance is the model's.
func TestTheModelAndTheLedgerAgree(t *testing.T) {
	told := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		w := newTwins(t, rt, told)
		defer func() { w.shut() }() // the last one, after restarts
		rt.Repeat(map[string]func(*rapid.T){
			"quote": w.quote, "authorize": w.authorize, "accrue": w.accrue, "redeem": w.redeem, "confirm": w.confirm,
			"void": w.void, "return": w.back, "reverse": w.reverse, "again": w.again, "merge": w.merge,
			"wait": w.wait, "restart": w.restart, "": w.check,
		})
		w.prove(rt)
	})
	t.Logf("both said: %v", told)
}
