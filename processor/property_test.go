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

// full is a programme with everything that moves lots.
const full = `
program: full
currency: KZT
timezone: Asia/Almaty
lots: {active_after: 2d, expires_after: 3mo}
earn: {rules: [{name: base, give: {percent: 7}}]}
redeem: {with: [code, card], cap: 70}
holds: {default: 15m, max: 24h, late_confirm: deficit}
`

// lines draws a basket.
func drawLines(t *rapid.T) []protocol.Line {
	n := rapid.IntRange(0, 5).Draw(t, "lines")
	list := make([]protocol.Line, n)
	for i := range list {
		pieces := rapid.Int64Range(1, 4).Draw(t, "pieces")
		price := rapid.Int64Range(1, 50000).Draw(t, "price")
		list[i] = protocol.Line{
			ID: strconv.Itoa(i), SKU: "x", Quantity: pieces * 1000, Price: price,
			Amount: price*pieces - rapid.Int64Range(0, min(price-1, 3)).Draw(t, "off"),
		}
	}
	return list
}

func (s *shop) basket(t *rapid.T, r *protocol.Request) {
	r.HasBasket = true
	if r.Lines = drawLines(t); len(r.Lines) == 0 {
		r.Total = rapid.Int64Range(1, 100000).Draw(t, "total")
		return
	}
	for _, l := range r.Lines {
		r.Total += l.Amount
	}
}

// TestWholeReturnLeavesTheAccountAsBefore: whatever is bought, and however it
// comes back, in parts by lines or sums or by a reversal, lots and sums are as
// they were.
func TestWholeReturnLeavesTheAccountAsBefore(t *testing.T) {
	s := openShop(t, full)
	var next ledger.AccountID = 100
	rapid.Check(t, func(rt *rapid.T) {
		next++
		id := next
		card := "5" + strconv.Itoa(int(id)) + "000"
		now := s.clock.Load()
		var lots []ledger.LotPart
		for i := range rapid.IntRange(0, 4).Draw(rt, "lots") {
			lot := ledger.LotPart{Active: now - int64(i+1)*1e9, Points: rapid.Int64Range(1, 50000).Draw(rt, "points")}
			if rapid.Bool().Draw(rt, "ends") {
				lot.Expires = now + int64(time.Duration(24*(i+1))*time.Hour)
			}
			if rapid.Bool().Draw(rt, "pends") {
				lot.Active, lot.Expires = now+int64(time.Hour), 0
			}
			lots = append(lots, lot)
		}
		s.enrol(id, card, "", lots...)
		before := s.account(id)

		buy := s.till(protocol.CallAuthorize)
		buy.Member = byCard(card)
		s.basket(rt, &buy)
		buy.Redeem = protocol.Redeem{Mode: protocol.RedeemMax}
		held := s.ask(buy)
		require.Equal(rt, protocol.Approved, held.Code, held.Detail)
		confirm := s.till(protocol.CallConfirm)
		confirm.Target = held.ID
		if rapid.Bool().Draw(rt, "fewer") {
			confirm.Printed.HasRedeemed = true
			confirm.Printed.Redeemed = rapid.Int64Range(0, held.Redeemed).Draw(rt, "printed")
		}
		sale := s.ask(confirm)
		require.Equal(rt, protocol.Approved, sale.Code, sale.Detail)

		money, points, earned := s.giveAllBack(rt, sale, confirm)
		require.Equal(rt, sale.Payable, money)
		require.Equal(rt, sale.Redeemed, points)
		require.Equal(rt, sale.Earned, earned)
		after := s.account(id)
		require.Equal(rt, before.Lots, after.Lots)
		require.Equal(rt, before.Lifetime, after.Lifetime)
		require.Equal(rt, before.Days, after.Days)
		require.Zero(rt, after.Deficit)
		require.Empty(rt, after.Holds)
	})
}

// giveAllBack returns a sale in parts until nothing is left and adds up the
// answers.
func (s *shop) giveAllBack(rt *rapid.T, sale *protocol.Response, confirm protocol.Request) (money, points, earned int64) {
	left := sale.Payable + sale.Redeemed
	for {
		r := s.till(protocol.CallReturn)
		r.Target = sale.ID
		switch how := rapid.IntRange(0, 3).Draw(rt, "how"); {
		case how == 0 && left > 0:
			r.ReturnAmount = rapid.Int64Range(1, left).Draw(rt, "amount")
		case how == 1 && len(sale.Lines) > 0:
			one := rapid.SampledFrom(sale.Lines).Draw(rt, "line")
			r.ReturnLines = []protocol.ReturnLine{{ID: one.ID, Quantity: 1000 * rapid.Int64Range(0, 2).Draw(rt, "quantity")}}
		case how == 2:
			r = s.till(protocol.CallReverse)
			r.TargetKey = confirm.Key
		}
		back := s.ask(r)
		if back.Code == protocol.ReturnExceedsSale {
			if left == 0 && len(r.ReturnLines) == 0 {
				return money, points, earned
			}
			require.NotEmpty(rt, r.ReturnLines)
			continue
		}
		require.Equal(rt, protocol.Approved, back.Code, back.Detail)
		money, points, earned = money+back.Payable, points+back.Redeemed, earned+back.Earned
		left -= back.Payable + back.Redeemed
		if len(r.ReturnLines) == 0 && r.ReturnAmount == 0 {
			return money, points, earned
		}
	}
}

// TestAnyOrderKeepsTheBooks plays random operations on one account and checks
// after each that the balance is what the answers add up to, and that earlier
// answers come again as the same bytes.
func TestAnyOrderKeepsTheBooks(t *testing.T) {
	s := openShop(t, full)
	var next ledger.AccountID = 100_000
	rapid.Check(t, func(rt *rapid.T) {
		next++
		m := &history{shop: s, rt: rt, id: next, card: "6" + strconv.Itoa(int(next)), said: map[string]string{}}
		start := rapid.Int64Range(0, 100000).Draw(rt, "start")
		s.enrol(m.id, m.card, "", ledger.LotPart{Active: 1, Points: start + 1})
		m.owned = start + 1
		rt.Repeat(map[string]func(*rapid.T){
			"authorize": m.authorize, "confirm": m.confirm, "void": m.void, "accrue": m.accrue,
			"redeem": m.redeem, "return": m.back, "reverse": m.reverse, "again": m.again, "wait": m.wait, "": m.check,
		})
	})
}

// history is a run of random operations.
type history struct {
	*shop
	rt    *rapid.T
	id    ledger.AccountID
	card  string
	owned int64 // points the member owns, by the answers
	holds []string
	sales []string
	asked []protocol.Request
	said  map[string]string
}

// book asks, remembers, and counts points as the answer tells them: sign says
// whether the answer's figures are of a sale or of what came back.
func (h *history) book(r protocol.Request, sign int64) *protocol.Response {
	res := h.ask(r)
	if res.Code == protocol.Internal {
		h.rt.Fatalf("call %d failed: %s", r.Call, res.Detail)
	}
	h.asked = append(h.asked, r)
	h.said[r.Terminal+r.Key] = wire(res)
	if res.Code.OK() {
		h.owned += sign * (res.Earned - res.Redeemed)
	}
	return res
}

func (h *history) sale(call protocol.Call) protocol.Request {
	r := h.till(call)
	r.Member = byCard(h.card)
	h.basket(h.rt, &r)
	if call != protocol.CallAccrue {
		r.Redeem = protocol.Redeem{Mode: protocol.RedeemPoints, Points: rapid.Int64Range(1, 60000).Draw(h.rt, "points"), Partial: rapid.Bool().Draw(h.rt, "partial")}
	}
	return r
}

func (h *history) authorize(*rapid.T) {
	if res := h.book(h.sale(protocol.CallAuthorize), 0); res.Code.OK() {
		h.holds = append(h.holds, res.ID)
	}
}

func (h *history) pick(list []string) string {
	if len(list) == 0 {
		h.rt.Skip("nothing there yet")
	}
	return rapid.SampledFrom(list).Draw(h.rt, "id")
}

func (h *history) confirm(*rapid.T) {
	r := h.till(protocol.CallConfirm)
	r.Target = h.pick(h.holds)
	if res := h.book(r, 1); res.Code.OK() {
		h.sales = append(h.sales, r.Target)
	}
}

func (h *history) void(*rapid.T) {
	r := h.till(protocol.CallVoid)
	r.Target = h.pick(h.holds)
	h.book(r, 0)
}

func (h *history) accrue(*rapid.T) {
	if res := h.book(h.sale(protocol.CallAccrue), 1); res.Code.OK() {
		h.sales = append(h.sales, res.ID)
	}
}

func (h *history) redeem(*rapid.T) {
	if res := h.book(h.sale(protocol.CallRedeem), 1); res.Code.OK() {
		h.sales = append(h.sales, res.ID)
	}
}

func (h *history) back(*rapid.T) {
	r := h.till(protocol.CallReturn)
	r.Target = h.pick(h.sales)
	if rapid.Bool().Draw(h.rt, "part") {
		r.ReturnAmount = rapid.Int64Range(1, 5000).Draw(h.rt, "amount")
	}
	h.book(r, -1)
}

// reverse undoes an earlier request by its key, whatever it was.
func (h *history) reverse(*rapid.T) {
	if len(h.asked) == 0 {
		h.rt.Skip("nothing there yet")
	}
	of := h.asked[rapid.IntRange(0, len(h.asked)-1).Draw(h.rt, "of")]
	r := h.till(protocol.CallReverse)
	r.TargetKey = of.Key
	switch of.Call {
	case protocol.CallConfirm, protocol.CallAccrue, protocol.CallRedeem:
		h.book(r, -1)
	case protocol.CallReturn:
		h.book(r, 1)
	default:
		h.book(r, 0)
	}
}

// again repeats an earlier request: the same bytes, and nothing is booked.
func (h *history) again(*rapid.T) {
	if len(h.asked) == 0 {
		h.rt.Skip("nothing there yet")
	}
	r := h.asked[rapid.IntRange(0, len(h.asked)-1).Draw(h.rt, "again")]
	res := h.ask(r)
	require.True(h.rt, res.Replayed)
	require.Equal(h.rt, h.said[r.Terminal+r.Key], wire(res))
}

// wait lets holds expire and lots activate.
func (h *history) wait(*rapid.T) {
	h.later(time.Duration(rapid.Int64Range(1, 1000).Draw(h.rt, "seconds")) * time.Second)
}

func (h *history) check(*rapid.T) {
	a := h.account(h.id)
	b := a.Balance()
	require.Equal(h.rt, h.owned, b.Available+b.Pending+b.Held+b.Deficit)
	require.GreaterOrEqual(h.rt, b.Available, int64(0))
	require.GreaterOrEqual(h.rt, b.Pending, int64(0))
	require.LessOrEqual(h.rt, b.Deficit, int64(0))
}
