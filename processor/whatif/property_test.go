package whatif_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tillgate/ledger"
	"tillgate/processor/whatif"
	"tillgate/protocol"
)

// inForce are programmes with everything that moves points.
var inForce = map[string]string{
	"plain": `
program: plain
currency: KZT
timezone: Asia/Almaty
lots: {active_after: 2d, expires_after: 3d}
earn: {rules: [{name: base, give: {percent: 7}}, {name: gift, give: {points: 3, per: receipt}, lot: {expires_after: 1d}}]}
redeem: {with: [code, card], cap: 70, offline: {per_receipt: 60, per_day: 90}}
holds: {default: 15m, max: 24h, late_confirm: deficit}
`,
	"rich": `
program: rich
currency: KZT
timezone: Asia/Almaty
points: {value: 0.5}
tiers:
  by: lifetime
  levels: [{name: Base}, {name: Gold, from: 3000}]
lots: {expires_after: 4d, extend_on_purchase: 5d, grace_on_return: 1d, deficit: forgive}
earn:
  stack: sum
  rules:
    - {name: base, give: {percent: 5}}
    - {name: gold, when: {tier: [Gold]}, give: {percent: 3}}
    - {name: back, when: {last_purchase_within: 2d}, give: {add_percent: 2}}
    - {name: pastry, goods: {category: [pastry]}, give: {points: 2, per: unit}}
discounts:
  rules:
    - {name: cakes, goods: {category: [cake]}, give: {percent: 10}}
    - {name: loyal, when: {spent: {within: 30d, above: 2000}}, give: {minus: 5, per: receipt}}
redeem: {with: [code, card], cap: 60, caps: [{goods: {category: [cake]}, cap: 20}], offline: {per_day: 100}}
events: [{event: bought, goods: {category: [pastry, coffee]}, give: {points: 9}, lot: {expires_after: 2d}}]
`,
	"club": `
program: club
currency: KZT
timezone: Asia/Almaty
tiers:
  by: window
  window: 20d
  recalculate: monthly
  levels: [{name: Base}, {name: Silver, from: 500}, {name: Gold, above: 2000}]
lots: {expires_after: 10d}
earn:
  rules:
    - {name: base, give: {percent: 5}}
    - {name: silver, when: {tier: [Silver]}, give: {percent: 6}}
    - {name: gold, when: {tier: [Gold]}, give: {percent: 9}}
    - {name: at home, when: {spent: {within: 5d, above: 300, at: {store: [S1]}}}, give: {percent: 7}}
events:
  - {event: registered, give: {points: 40}, lot: {expires_after: 3d}}
  - {event: first_purchase, give: {points: 30}}
  - {event: review, give: {points: 7}}
  - {event: visit, give: {points: 3}, repeat: true}
  - {event: inactive, after: 4d, give: {points: 20}, lot: {expires_after: 2d}}
  - {event: bought, goods: {category: [cake]}, give: {tier: Gold, for: 3d}}
  - {event: bought, name: pastry club, goods: {category: [pastry]}, give: {points: 11, tier: Silver, for: 9d}}
redeem: {with: [code, card], cap: 60}
`,
	"sixth": `
program: sixth
currency: KZT
timezone: Asia/Almaty
earn:
  rules:
    - {name: base, give: {percent: 5}}
    - {name: fan, when: {bought: {goods: {category: [coffee]}, within: 5d, quantity: 3}}, give: {percent: 9}}
discounts: {rules: [{name: sixth coffee, goods: {category: [coffee]}, give: {every: 3, percent: 100, across_receipts: true}}]}
redeem: {with: [code, card], cap: 60}
`,
	"since": `
program: since
currency: KZT
timezone: Asia/Almaty
lots: {expires_after: 20d}
earn:
  stack: sum
  rules:
    - {name: base, give: {percent: 5}}
    - {name: back for cake, goods: {category: [cake]}, when: {since_first: {rule: coffee, within: 3d}}, give: {percent: 20}}
    - {name: coffee, goods: {category: [coffee]}, give: {percent: 9}}
    - {name: big spender, when: {since_reached: {sum: 700, within: 5d}}, give: {percent: 30}}
discounts: {rules: [{name: arrived, when: {since_reached: {sum: 1500, within: 40h}}, give: {percent: 10}}]}
redeem: {with: [code, card], cap: 60}
`,
	"friends": `
program: friends
currency: KZT
timezone: Asia/Almaty
earn: {rules: [{name: base, give: {percent: 10}}]}
referral: {percent: [5, 2, 1], first_purchase: 44}
events: [{event: first_purchase, give: {points: 30}}]
redeem: {with: [code, card], cap: 60}
`,
	"single": `
program: single
currency: KZT
timezone: Asia/Almaty
tiers: {by: single, levels: [{name: Base}, {name: Gold, from: 400}]}
earn:
  rules: [{name: base, give: {percent: 5}}, {name: gold, when: {tier: [Gold]}, give: {percent: 11}}]
events: [{event: birthday, days_before: 3, give: {points: 300}, lot: {expires_after: 10d}}]
promo_codes:
  - {code: SUMMER, give: {points: 5}, per_member: 2, limit: 4}
  - {code: FIVE, give: {discount: {percent: 5}}, per_member: 3}
redeem: {with: [code, card], cap: 60}
`,
}

// TestTheSameProgrammeGivesTheRealFigures: whatever was bought, held, printed
// otherwise, confirmed late, returned in parts, reversed and reversed again: a
// replay under the programme that was in force says what really happened, from
// the beginning and from any moment on.
func TestTheSameProgrammeGivesTheRealFigures(t *testing.T) {
	for name, document := range inForce {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				w := &week{rt: rt, shop: openShop(rt, document), codes: []string{"SUMMER", "five", "FIVE", "NONE"}, events: []string{"review", "visit"}}
				w.agree(document)
			})
		})
	}
}

// agree plays a week under a programme and holds a replay under the same to
// what really happened.
func (w *week) agree(document string) {
	for range w.draw("members", 1, 4) {
		w.enrols()
	}
	from := time.Time{}
	steps := w.draw("steps", 1, 60)
	middle := w.draw("middle", 0, 2*steps)
	for i := range steps {
		if i == middle {
			w.later(time.Second)
			from = time.Unix(0, w.clock.Load())
		}
		w.step()
	}
	w.delivered()
	w.later(time.Second) // the ledger's time is ahead of a clock that stands
	for _, m := range w.members {
		w.settle(m)
	}
	got := w.replay(document, from)
	w.compare(got, from.IsZero())
	if got.Guessed.Forgotten > 0 {
		return // somebody bought more than a replay remembers: what came back of it is guessed
	}
	require.Equal(w.rt, got.Real, got.Draft)
	for _, r := range got.Rules {
		require.Equal(w.rt, r.Real, r.Draft, r.Rule)
	}
	require.Zero(w.rt, got.Guessed.Declined)
	require.Zero(w.rt, got.Receipts.Better+got.Receipts.Worse+got.Members.Better+got.Members.Worse)
	apart, err := whatif.Apart(fleeting{w.ledger}, w.s, w.query(document, from))
	require.NoError(w.rt, err)
	require.Empty(w.rt, apart)
}

// week is random traffic.
type week struct {
	*shop
	rt                  *rapid.T
	codes               []string // that customers type
	events              []string // that clients tell of
	members             []string
	holds, sales        []string
	reversible          []string // keys
	sold                int64
	lastHeld, lastPrice int64
}

func (w *week) draw(what string, from, to int64) int64 {
	return rapid.Int64Range(from, to).Draw(w.rt, what)
}

func (w *week) pick(list []string) (string, bool) {
	if len(list) == 0 {
		return "", false
	}
	return list[w.draw("which", 0, int64(len(list)-1))], true
}

// basket is up to four lines; none is a receipt without lines.
func (w *week) basket(r *protocol.Request) {
	categories := []string{"coffee", "pastry", "cake"}
	r.HasBasket = true
	for i := range w.draw("lines", 0, 4) {
		units, price := w.draw("units", 1, 3), w.draw("price", 1, 60_000)
		r.Lines = append(r.Lines, protocol.Line{
			ID: strconv.Itoa(int(i)), SKU: "x", Category: categories[w.draw("category", 0, 2)],
			Quantity: units * 1000, Price: price, Amount: units * price,
		})
		r.Total += units * price
	}
	if len(r.Lines) == 0 {
		r.Total = w.draw("total", 1, 100_000)
	}
}

func (w *week) buy(call protocol.Call) protocol.Request {
	r := w.request(call)
	member, _ := w.pick(w.members)
	r.Member = protocol.Identifier{Kind: protocol.ByID, Value: member}
	w.basket(&r)
	if w.draw("code", 0, 3) == 0 {
		for range w.draw("codes", 1, 3) {
			code, _ := w.pick(w.codes)
			r.PromoCodes = append(r.PromoCodes, code)
		}
	}
	if call != protocol.CallAccrue && w.draw("spends", 0, 2) > 0 {
		r.Redeem = protocol.Redeem{Mode: protocol.RedeemPoints, Points: w.draw("points", 1, 20_000), Partial: true}
	}
	if call == protocol.CallAccrue && w.draw("cut off", 0, 2) == 0 {
		w.cutOff(&r)
	}
	return r
}

// cutOff makes a purchase one of a till that was cut off at the time, and which
// may have taken points that the member doesn't have, and may say what was paid.
func (w *week) cutOff(r *protocol.Request) {
	ago := time.Duration(w.draw("hours ago", 0, 71)) * time.Hour
	r.Offline = true
	r.At = protocol.Time{Unix: w.clock.Load() - int64(ago), Offset: 5 * 3600, Set: true}
	if w.draw("takes", 0, 2) > 0 {
		r.Redeem = protocol.Redeem{Mode: protocol.RedeemPoints, Points: w.draw("taken", 1, 8000)}
	}
	if w.draw("says what was paid", 0, 2) == 0 {
		r.Printed = protocol.Printed{HasPayable: true, Payable: w.draw("paid", r.Total/2, r.Total)}
	}
}

// booked reports whether an answer tells of something booked; what is parked
// for the office isn't.
func (w *week) booked(res *protocol.Response) bool {
	require.NotEqual(w.rt, protocol.Internal, res.Code, res.Detail)
	return res.Code.OK() && !res.Accepted
}

func (w *week) step() {
	switch w.draw("step", 0, 12) {
	case 0, 1:
		r := w.buy(protocol.CallAccrue)
		if res := w.ask(r); w.booked(res) {
			w.sales, w.reversible = append(w.sales, res.ID), append(w.reversible, r.Key)
			w.sold++
		}
	case 2, 3:
		r := w.buy(protocol.CallRedeem)
		if res := w.ask(r); w.booked(res) {
			w.sales, w.reversible = append(w.sales, res.ID), append(w.reversible, r.Key)
			w.sold++
		}
	case 4, 5:
		if res := w.ask(w.buy(protocol.CallAuthorize)); res.Code.OK() {
			w.holds = append(w.holds, res.ID)
			w.lastHeld, w.lastPrice = res.Redeemed, res.Payable
		}
	case 6:
		if id, ok := w.pick(w.holds); ok {
			r := w.buy(protocol.CallAmend)
			r.Target, r.Member = id, protocol.Identifier{}
			w.ask(r)
		}
	case 7, 8:
		w.confirm()
	case 9:
		w.other()
	case 10:
		if id, ok := w.pick(w.sales); ok {
			r := w.request(protocol.CallReturn)
			r.Target = id
			switch w.draw("part", 0, 4) {
			case 1, 2:
				r.ReturnAmount = w.draw("amount", 1, 50_000)
			case 3, 4:
				r.ReturnLines = []protocol.ReturnLine{{ID: strconv.Itoa(int(w.draw("line", 0, 3))), Quantity: w.draw("pieces", 1, 3) * 1000}}
			}
			if res := w.ask(r); w.booked(res) {
				w.reversible = append(w.reversible, r.Key)
			}
		}
	case 11:
		w.reverse()
	default:
		w.later(time.Duration(w.draw("minutes", 1, 3000)) * time.Minute)
		if w.draw("long", 0, 4) == 0 {
			w.later(time.Duration(w.draw("days", 1, 30)) * 24 * time.Hour)
		}
	}
}

// confirm books a hold, perhaps late, perhaps with other figures printed.
func (w *week) confirm() {
	id, ok := w.pick(w.holds)
	if !ok {
		return
	}
	r := w.request(protocol.CallConfirm)
	r.Target = id
	if w.draw("printed", 0, 3) == 0 {
		r.Printed.HasRedeemed, r.Printed.Redeemed = true, w.draw("redeemed", 0, max(w.lastHeld, 1))
	}
	if w.draw("other sum", 0, 3) == 0 {
		r.Printed.HasPayable, r.Printed.Payable = true, w.draw("payable", 0, max(w.lastPrice, 1))
	}
	if res := w.ask(r); w.booked(res) {
		w.sales, w.reversible = append(w.sales, id), append(w.reversible, r.Key)
		w.sold++
	}
}

// reverse undoes an earlier request by its key: a sale or a return.
func (w *week) reverse() {
	key, ok := w.pick(w.reversible)
	if !ok {
		return
	}
	r := w.request(protocol.CallReverse)
	r.TargetKey = key
	w.ask(r)
}

// enrols registers one more member, perhaps with a promo code.
func (w *week) enrols() {
	code := ""
	if w.draw("comes with a code", 0, 3) == 0 {
		code, _ = w.pick(w.codes)
	}
	friend, invited := "", w.draw("is invited", 0, 1) == 1
	if invited {
		friend, _ = w.pick(w.members)
	}
	w.members = append(w.members, w.invite(code, friend))
}

// other is what programmes have no say in.
func (w *week) other() {
	member, _ := w.pick(w.members)
	switch w.draw("other", 0, 5) {
	case 4:
		r := w.request(protocol.CallMemberEvent)
		r.Target = member
		r.Event, _ = w.pick(w.events)
		w.ask(r)
	case 5:
		w.enrols()
	case 0:
		r := w.request(protocol.CallAdjust)
		r.Target, r.Points, r.Reason = member, w.draw("by hand", -3000, 3000), "test"
		w.ask(r)
	case 1:
		if id, ok := w.pick(w.holds); ok {
			r := w.request(protocol.CallVoid)
			r.Target = id
			w.ask(r)
		}
	case 2:
		r := w.request(protocol.CallSetTier)
		r.Target, r.Tier = member, []string{"Gold", "Silver"}[w.draw("tier", 0, 1)]
		if days := w.draw("days", 0, 3); days > 0 { // else without an end
			r.Until = protocol.Time{Unix: w.clock.Load() + days*24*int64(time.Hour), Set: true}
		}
		w.ask(r)
	default:
		if len(w.members) > 1 {
			r := w.request(protocol.CallMerge)
			into, _ := w.pick(w.members)
			r.Target, r.Into = member, into
			w.ask(r)
			w.delivered() // a replay sees a merge when it arrives
		}
	}
}

// compare holds the real side of a replay of everything to the ledger's own
// accounts.
func (w *week) compare(got *protocol.WhatIf, all bool) {
	var has, owes int64
	for p := range w.ledger.Partitions() {
		require.NoError(w.rt, w.ledger.Accounts(p, eachAccount(w, &has, &owes)))
	}
	require.Equal(w.rt, has, got.Real.Liability)
	require.Equal(w.rt, owes, got.Real.Owed)
	if all {
		require.Equal(w.rt, w.sold, got.Receipts.Total)
	}
}

func eachAccount(w *week, has, owes *int64) func(ledger.AccountID) bool {
	return func(id ledger.AccountID) bool {
		a, err := w.ledger.Account(id)
		require.NoError(w.rt, err)
		b := a.Balance()
		*has += b.Available + b.Pending + b.Held
		*owes -= b.Deficit
		return true
	}
}
