package whatif_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/protocol"
)

// Codes that give points as it is, and a tier under the draft.
const (
	pointsByCode = `
program: points by code
currency: KZT
timezone: Asia/Almaty
earn: {rules: [{name: base, give: {percent: 10}}]}
promo_codes: [{code: GOLD, give: {points: 50}}]
`
	tierByCode = `
program: a tier by code
currency: KZT
timezone: Asia/Almaty
tiers: {levels: [{name: Base}, {name: Gold, from: 100000}]}
earn:
  rules:
    - {name: base, give: {percent: 10}}
    - {name: gold, when: {tier: [Gold]}, give: {percent: 20}}
promo_codes: [{code: GOLD, give: {tier: Gold, for: 30d}}]
`
)

// TestATierByACodeEndsWithTheReturn is four days of three members who type GOLD
// on Monday, in money of 1.00 = 100:
//
//	        receipt                            as it is            draft
//	Aigul   Mon coffee 1000, GOLD              earns 100, gets 50  earns 100, is Gold
//	        Tue pastry 400                     earns 40            earns 80 (20 %)
//	        Wed Monday's receipt comes back    150 taken           100 taken, Gold no more
//	        Thu coffee 500                     earns 50            earns 50
//	Berik   Mon coffee 1000, GOLD              earns 100, gets 50  earns 100, is Gold
//	        Wed the pastry of 400 comes back   40 taken            40 taken, Gold still
//	        Thu coffee 500                     earns 50            earns 100
//	Dana    Mon coffee 1000, GOLD              earns 100, gets 50  earns 100, is Gold
//	        Tue it comes back                  150 taken           100 taken, Gold no more
//	        Wed that was a mistake             150 given           100 given, Gold again
//	        Thu coffee 500                     earns 50            earns 100
func TestATierByACodeEndsWithTheReturn(t *testing.T) {
	s := openShop(t, pointsByCode)
	aigul, berik, dana := s.enrol(""), s.enrol(""), s.enrol("")
	buy := func(who string, lines ...protocol.Line) string {
		return s.must(s.sale(protocol.CallAccrue, who, 0, lines...)).ID
	}
	gold := func(who string) string {
		r := s.sale(protocol.CallAccrue, who, 0, line("1", "coffee", 60_000), line("2", "pastry", 40_000))
		r.PromoCodes = []string{"GOLD"}
		return s.must(r).ID
	}
	back := func(sale string, lines ...protocol.ReturnLine) string {
		r := s.request(protocol.CallReturn)
		r.Target, r.ReturnLines = sale, lines
		s.must(r)
		return r.Key
	}

	ofAigul, ofBerik, ofDana := gold(aigul), gold(berik), gold(dana)
	s.later(24 * time.Hour)
	buy(aigul, line("1", "pastry", 40_000))
	mistake := back(ofDana)
	s.later(24 * time.Hour)
	back(ofAigul)
	back(ofBerik, protocol.ReturnLine{ID: "2", Quantity: 1000})
	undo := s.request(protocol.CallReverse)
	undo.TargetKey = mistake
	s.must(undo)
	s.later(24 * time.Hour)
	for _, who := range []string{aigul, berik, dana} {
		buy(who, line("1", "coffee", 50_000))
	}
	s.later(time.Second)

	w := s.replay(tierByCode, time.Time{})
	// 400 + 500, 600 + 500, 1000 + 500
	require.Equal(t, protocol.WhatIfFigures{
		Payable: 350_000, Earned: 35_000,
		Gifts:     10_000, // Berik's and Dana's
		Liability: 45_000, Worth: 45_000,
	}, w.Real)
	require.Equal(t, protocol.WhatIfFigures{
		Payable: 350_000,
		// 80 + 50, 60 + 100, 100 + 100
		Earned:    49_000,
		Liability: 49_000, Worth: 49_000,
	}, w.Draft)
	require.Zero(t, w.Guessed)
}

// TestATierFromBeforeThePeriodEndsToo: the code was typed before the period and
// gave its tier really; what comes back within takes it.
func TestATierFromBeforeThePeriodEndsToo(t *testing.T) {
	s := openShop(t, tierByCode)
	who := s.enrol("")
	r := s.sale(protocol.CallAccrue, who, 0, line("1", "coffee", 100_000))
	r.PromoCodes = []string{"gold"}
	sale := s.must(r).ID
	s.later(24 * time.Hour)
	from := time.Unix(0, s.clock.Load())
	back := s.request(protocol.CallReturn)
	back.Target = sale
	s.must(back)
	s.later(time.Hour)
	s.must(s.sale(protocol.CallAccrue, who, 0, line("1", "coffee", 50_000)))
	s.later(time.Second)
	w := s.replay(tierByCode, from)
	require.EqualValues(t, -10_000+5_000, w.Real.Earned)
	require.Equal(t, w.Real, w.Draft)
}

// TestACodeAtTheRegistration: who comes with a code gets what the draft gives
// for it.
func TestACodeAtTheRegistration(t *testing.T) {
	s := openShop(t, pointsByCode)
	who := s.enrol("GOLD")
	s.enrol("nonsense")
	s.must(s.sale(protocol.CallAccrue, who, 0, line("1", "coffee", 100_000)))
	s.later(time.Second)
	w := s.replay(tierByCode, time.Time{})
	require.EqualValues(t, 5_000, w.Real.Gifts)
	require.EqualValues(t, 10_000, w.Real.Earned)
	require.Zero(t, w.Draft.Gifts)
	require.EqualValues(t, 20_000, w.Draft.Earned, "Gold from the registration on")
	require.Equal(t, s.replay(pointsByCode, time.Time{}).Real, w.Real)
}

// TestALateCodeThatOthersHaveUsedUp: of two codes on a hold that is confirmed
// late another member has had the one; the other gives its tier under the draft,
// too. Aigul is Silver then and Berik Gold.
func TestALateCodeThatOthersHaveUsedUp(t *testing.T) {
	const twoTiers = `
program: two tiers
currency: KZT
timezone: Asia/Almaty
tiers: {levels: [{name: Base}, {name: Silver, from: 50000}, {name: Gold, from: 100000}]}
earn:
  rules:
    - {name: base, give: {percent: 10}}
    - {name: silver, when: {tier: [Silver]}, give: {percent: 15}}
    - {name: gold, when: {tier: [Gold]}, give: {percent: 20}}
promo_codes:
  - {code: GOLD, give: {tier: Gold, for: 30d}, limit: 1}
  - {code: SILVER, give: {tier: Silver, for: 90d}}
`
	s := openShop(t, twoTiers)
	aigul, berik := s.enrol(""), s.enrol("")
	r := s.sale(protocol.CallAuthorize, aigul, 0, line("1", "coffee", 100_000))
	r.PromoCodes = []string{"GOLD", "SILVER"}
	hold := s.must(r).ID
	s.later(24 * time.Hour)
	s.settle(aigul)
	r = s.sale(protocol.CallAccrue, berik, 0, line("1", "coffee", 100_000))
	r.PromoCodes = []string{"GOLD"}
	s.must(r)
	confirm := s.request(protocol.CallConfirm)
	confirm.Target = hold
	s.must(confirm)
	for _, who := range []string{aigul, berik} {
		s.must(s.sale(protocol.CallAccrue, who, 0, line("1", "coffee", 10_000)))
	}
	s.later(time.Second)
	w := s.replay(twoTiers, time.Time{})
	require.EqualValues(t, 10_000+10_000+1_500+2_000, w.Real.Earned)
	require.Equal(t, w.Real, w.Draft)
}
