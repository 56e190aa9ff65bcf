package processor

import (
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
