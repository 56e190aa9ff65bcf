package processor

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/protocol"
)

const wholeReturns = `
program: back
currency: KZT
timezone: Asia/Almaty
tiers: {levels: [{name: Base}, {name: Gold, from: 1000000}]}
earn:
  rules:
    - {name: base, give: {percent: 10}}
    - {name: back, when: {last_purchase_within: 7d}, give: {add_percent: 3}}
promo_codes:
  - {code: UP, give: {tier: Gold, for: 90d}, limit: 1}
`

// giveBackAll is a return of what is left of a sale.
func (s *shop) giveBackAll(sale string) protocol.Request {
	r := s.till(protocol.CallReturn)
	r.Target = sale
	return r
}

// A purchase and its whole return leave the tier as it was: a tier that a promo
// code gave ends with it, because the code can be used again.
func TestATierByPromoCodeEndsWithTheWholeReturn(t *testing.T) {
	s := openShop(t, wholeReturns)
	a := s.approved(s.member("+77010000001", ""))
	buy := s.sale(protocol.CallAccrue, byPhone("+77010000001"), 10_000, 0)
	buy.PromoCodes = []string{"UP"}
	sale := s.approved(buy)
	require.Equal(t, "Gold", s.account(idOf(t, a.Member.ID)).Tier)

	part := s.giveBackAll(sale.ID)
	part.ReturnAmount = 4_000
	s.approved(part)
	s.later(time.Second)
	require.Equal(t, "Gold", s.account(idOf(t, a.Member.ID)).Tier, "a part of it is still bought")
	s.approved(s.giveBackAll(sale.ID))
	s.later(time.Second)
	require.Empty(t, s.account(idOf(t, a.Member.ID)).Tier)
}

// What was returned whole is not the last purchase: 10 % and not 13 %.
func TestAReturnedPurchaseIsNotTheLastOne(t *testing.T) {
	s := openShop(t, wholeReturns)
	a := s.approved(s.member("+77010000001", ""))
	id := idOf(t, a.Member.ID)
	earns := func() int64 {
		return s.approved(s.sale(protocol.CallQuote, byPhone("+77010000001"), 10_000, 0)).Earned
	}
	first := s.approved(s.sale(protocol.CallAccrue, byPhone("+77010000001"), 10_000, 0))
	require.Equal(t, int64(1300), earns())
	s.approved(s.giveBackAll(first.ID))
	require.Equal(t, int64(1000), earns())
	require.Zero(t, s.account(id).LastPurchase)
	require.Zero(t, s.account(id).FirstPurchase)

	// Nine days after a purchase that stays, one is bought and given back: the
	// last purchase is nine days ago again.
	s.approved(s.sale(protocol.CallAccrue, byPhone("+77010000001"), 10_000, 0))
	s.later(9 * 24 * time.Hour)
	require.Equal(t, int64(1000), earns())
	second := s.approved(s.sale(protocol.CallAccrue, byPhone("+77010000001"), 10_000, 0))
	require.Equal(t, int64(1300), earns())
	undone := s.giveBackAll(second.ID)
	s.approved(undone)
	require.Equal(t, int64(1000), earns())
	require.Equal(t, uint32(1), s.account(id).Purchases)

	// The return is undone: it is bought after all.
	undo := s.till(protocol.CallReverse)
	undo.TargetKey = undone.Key
	s.approved(undo)
	require.Equal(t, int64(1300), earns())
	require.Equal(t, uint32(2), s.account(id).Purchases)
}

// Where a point is worth two units, the lines tell points and money as the
// receipt does, and add up to it in both.
func TestLinesTellPointsAndMoney(t *testing.T) {
	s := openShop(t, `
program: double
currency: KZT
timezone: Asia/Almaty
points: {value: 2}
redeem: {cap: 50}
`)
	s.enrol(7, "4000001", "", ledger.LotPart{Active: 1, Points: 100_000})
	r := s.sale(protocol.CallQuote, byCard("4000001"), 0, 3000)
	r.Lines, r.Total = []protocol.Line{{ID: "1", Quantity: 1000, Price: 10_000, Amount: 10_000}, {ID: "2", Quantity: 1000, Price: 5_000, Amount: 5_000}}, 15_000
	a := s.approved(r)
	require.Equal(t, []int64{3000, 6000}, []int64{a.Redeemed, a.RedeemedMoney})
	require.Equal(t, []int64{2000, 4000, 6000}, []int64{a.Lines[0].Points, a.Lines[0].Redeemed, a.Lines[0].Payable})
	require.Equal(t, []int64{1000, 2000, 3000}, []int64{a.Lines[1].Points, a.Lines[1].Redeemed, a.Lines[1].Payable})
}

// The largest basket under as many rules as a programme may have still fits
// into its record, and its whole return takes back all that it has counted and
// given.
func TestTheLargestBasketUnderTheMostRulesComesBackWhole(t *testing.T) {
	const most = 200
	var doc strings.Builder
	doc.WriteString("program: many\ncurrency: KZT\ntimezone: Asia/Almaty\nearn: {rules: [{name: base, give: {percent: 10}}]}\n" +
		"tiers: {by: lifetime, levels: [{name: Base}, {name: VIP, from: 1000000}]}\ndiscounts:\n  rules:\n")
	for i := range most {
		fmt.Fprintf(&doc, "    - {name: rule %d, goods: {category: [coffee, tea]}, give: {every: 6, percent: 100, across_receipts: true}}\n", i)
	}
	doc.WriteString("events:\n")
	for i := range most {
		fmt.Fprintf(&doc, "  - {name: event %d, event: bought, goods: {category: [coffee]}, give: {points: 1000, tier: VIP, for: 90d}}\n", i)
	}
	s := openShop(t, "")
	require.Equal(t, protocol.Approved, s.put("", doc.String()).Code)
	s.enrol(7, "4000001", "", ledger.LotPart{Active: 1, Points: 500})

	basket := func() protocol.Request {
		r := s.sale(protocol.CallAccrue, byCard("4000001"), 0, 0)
		for i := range protocol.MaxLines {
			r.Lines = append(r.Lines, protocol.Line{ID: strconv.Itoa(i + 1), Category: "coffee", Quantity: 2000, Price: 1000, Amount: 2000})
			r.Total += 2000
		}
		return r
	}
	// Two teas were bought before: what they have counted is there after the return, too.
	tea := basket()
	tea.Lines, tea.Total = tea.Lines[:1], 2000
	tea.Lines[0].Category = "tea"
	s.approved(tea)
	state := func() (ledger.Balance, []ledger.Count, ledger.Account) {
		a := s.account(7)
		return a.Balance(), s.counts(7), ledger.Account{
			Tier: a.Tier, TierUntil: a.TierUntil, Lifetime: a.Lifetime, Days: a.Days, Purchases: a.Purchases, Lots: a.Lots,
		}
	}
	balance, counts, account := state()
	require.NotEmpty(t, counts)

	s.later(time.Minute)
	sale := s.approved(basket())
	require.EqualValues(t, 1_000_000, sale.Total)
	// Of 2 + 1000 units 167 are free.
	require.EqualValues(t, 167_000, sale.Discount)
	whole := s.giveBackAll(sale.ID)
	back := s.approved(whole)
	require.EqualValues(t, 833_000, back.Payable)
	s.later(time.Second)
	after, left, now := state()
	require.Equal(t, balance, after)
	require.Equal(t, counts, left)
	require.Equal(t, account, now)

	// The return is undone, and all of it is there again; then it comes back after all.
	undo := s.till(protocol.CallReverse)
	undo.TargetKey = whole.Key
	s.approved(undo)
	again, _, _ := state()
	require.NotEqual(t, balance, again)
	s.approved(s.giveBackAll(sale.ID))
	s.later(time.Second)
	after, left, now = state()
	require.Equal(t, balance, after)
	require.Equal(t, counts, left)
	require.Equal(t, account, now)
	s.prove(t)
}
