package whatif_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/processor/whatif"
	"tillgate/protocol"
)

// current is the programme of a small bakery: a tenth of what is paid, points
// pay up to half, and they live for a month.
const current = `
program: bakery
currency: KZT
timezone: Asia/Almaty
lots: {expires_after: 1mo}
earn: {rules: [{name: base, give: {percent: 10}}]}
redeem: {with: [code, card], cap: 50}
`

// draft gives pastry more and the rest less, takes a tenth off cakes and lets
// points pay a fifth only.
const draft = `
program: new bakery
currency: KZT
timezone: Asia/Almaty
lots: {expires_after: 1mo}
earn:
  rules:
    - {name: base, give: {percent: 5}}
    - {name: pastry, goods: {category: [pastry]}, give: {percent: 20}}
discounts: {rules: [{name: cakes, goods: {category: [cake]}, give: {percent: 10}}]}
redeem: {with: [code, card], cap: 20}
`

// bakeryWeek is a week of two members, in money of 1.00 = 100:
//
//	        receipt                       as it is                draft
//	Aigul   Mon coffee 1000.00            earns 100.00            earns 50.00 (5 %)
//	        Tue pastry 400.00, 80 points  pays 80 points + 320,   wishes 80, may spend 20 % of 400 = 80,
//	                                      earns 32.00             has 50: pays 50 + 350, earns 70.00 (20 %)
//	        Wed the pastry comes back     80 back, 32 taken       50 back, 70 taken
//	Dana    Thu cake 2000.00              earns 200.00            10 % off: pays 1800, earns 90.00
//	        Fri coffee 100 and pastry 100 earns 20.00             earns 5 + 20 = 25.00
//
// At the end Aigul has 100 + 32 − 80 + 80 − 32 = 100.00 points; under the draft
// 50 + 70 − 50 + 50 − 70 = 50.00. Dana has 220.00; under the draft 115.00.
func bakeryWeek(t *testing.T) *shop {
	s := openShop(t, current)
	aigul, dana := s.enrol(""), s.enrol("")
	day := func() { s.later(24 * time.Hour) }
	s.must(s.sale(protocol.CallAccrue, aigul, 0, line("1", "coffee", 100_000)))
	day()
	hold := s.must(s.sale(protocol.CallAuthorize, aigul, 8_000, line("1", "pastry", 40_000)))
	confirm := s.request(protocol.CallConfirm)
	confirm.Target = hold.ID
	require.EqualValues(t, 3_200, s.must(confirm).Earned)
	day()
	back := s.request(protocol.CallReturn)
	back.Target = hold.ID
	require.EqualValues(t, 8_000, s.must(back).Redeemed)
	day()
	s.must(s.sale(protocol.CallAccrue, dana, 0, line("1", "cake", 200_000)))
	day()
	s.must(s.sale(protocol.CallAccrue, dana, 0, line("1", "coffee", 10_000), line("2", "pastry", 10_000)))
	s.later(time.Minute)
	return s
}

func TestABakerysWeek(t *testing.T) {
	s := bakeryWeek(t)
	w := s.replay(draft, time.Time{})
	require.Equal(t, "new bakery", w.Program)
	require.Equal(t, protocol.WhatIfFigures{
		// 1000 + 320 − 320 + 2000 + 200
		Payable: 320_000,
		// 100 + 32 − 32 + 200 + 20
		Earned:    32_000,
		Liability: 32_000, Worth: 32_000,
	}, w.Real)
	require.Equal(t, protocol.WhatIfFigures{
		// 1000 + 350 − 350 + 1800 + 200
		Payable:  300_000,
		Discount: 20_000, // 10 % of 2000
		// 50 + 70 − 70 + 90 + 25
		Earned:    16_500,
		Liability: 16_500, Worth: 16_500,
	}, w.Draft)
	// Of the four receipts: coffee 1000 is worse (50 for 100); pastry better (70
	// for 32); cake: 200 off and 90 for 200, better; the last better (25 for 20).
	require.Equal(t, protocol.WhatIfShares{Total: 4, Better: 3, Worse: 1}, w.Receipts)
	// Aigul ends with 50 for 100: worse. Dana: 200 off and 115 for 220: better.
	require.Equal(t, protocol.WhatIfShares{Total: 2, Better: 1, Worse: 1}, w.Members)
	require.Equal(t, []protocol.WhatIfRule{
		// as it is: 100 + 32 + 200 + 20; draft: 50 + 90 + 5
		{Rule: "base", Real: protocol.WhatIfRuleFigures{Receipts: 4, Points: 35_200}, Draft: protocol.WhatIfRuleFigures{Receipts: 3, Points: 14_500}},
		{Rule: "cakes", Draft: protocol.WhatIfRuleFigures{Receipts: 1, Discount: 20_000}},
		{Rule: "pastry", Draft: protocol.WhatIfRuleFigures{Receipts: 2, Points: 9_000}}, // 70 + 20
	}, w.Rules)
	require.Zero(t, w.Guessed)
	require.Empty(t, w.Unknown)
}

// TestTheWeekFromWednesday: what was booked before is as it was on both sides.
// Aigul had 100 + 32 − 80 = 52.00 points, and Tuesday's receipt comes back as
// it was: 80 back, 32 taken.
func TestTheWeekFromWednesday(t *testing.T) {
	s := bakeryWeek(t)
	w := s.replay(draft, monday.Add(36*time.Hour))
	require.Equal(t, protocol.WhatIfFigures{
		Payable: -32_000 + 220_000, Earned: -3_200 + 22_000, Redeemed: -8_000, RedeemedMoney: -8_000,
		Liability: 32_000, Worth: 32_000,
	}, w.Real)
	require.Equal(t, protocol.WhatIfFigures{
		Payable: -32_000 + 200_000, Earned: -3_200 + 11_500, Redeemed: -8_000, RedeemedMoney: -8_000,
		Discount: 20_000, Liability: 10_000 + 11_500, Worth: 21_500,
	}, w.Draft)
	require.EqualValues(t, 2, w.Receipts.Total)
	require.Equal(t, protocol.WhatIfShares{Total: 1, Better: 1}, w.Members, "Aigul bought nothing in the period")
}

// TestPointsLapseUnderTheDraft: a month later all has lapsed as it is; under a
// draft without a term nothing has.
func TestPointsLapseUnderTheDraft(t *testing.T) {
	s := bakeryWeek(t)
	s.later(60 * 24 * time.Hour)
	w := s.replay(`
program: for ever
currency: KZT
timezone: Asia/Almaty
points: {value: 2}
earn: {rules: [{name: base, give: {percent: 10}}]}
`, time.Time{})
	require.EqualValues(t, 32_000, w.Real.Expired)
	require.Zero(t, w.Real.Liability)
	require.Zero(t, w.Draft.Expired)
	// Nobody can spend under it: Tuesday's pastry is paid with 400 of money.
	// 100 + 40 − 40 + 200 + 20, each worth 2.
	require.EqualValues(t, 32_000, w.Draft.Liability)
	require.EqualValues(t, 64_000, w.Draft.Worth)
	require.EqualValues(t, 100_000+200_000+20_000, w.Draft.Payable)
	require.Zero(t, w.Draft.Redeemed)
}

// TestAWishIsWorthTheSameMoney: where a point is worth twice as much, half as
// many pay for what was paid with points.
func TestAWishIsWorthTheSameMoney(t *testing.T) {
	s := openShop(t, current)
	who := s.enrol("")
	s.must(s.sale(protocol.CallAccrue, who, 0, line("1", "coffee", 100_000)))
	s.must(s.sale(protocol.CallRedeem, who, 4_000, line("1", "coffee", 10_000)))
	s.later(time.Second)
	w := s.replay(`
program: dear points
currency: KZT
timezone: Asia/Almaty
points: {value: 2}
earn: {rules: [{name: base, give: {percent: 10}}]}
redeem: {with: [card], cap: 100}
`, time.Time{})
	require.EqualValues(t, 4_000, w.Real.RedeemedMoney)
	require.EqualValues(t, 4_000, w.Draft.RedeemedMoney)
	require.EqualValues(t, 2_000, w.Draft.Redeemed)
}

// TestSlicesMakeNoDifference: members in several passes give the same sums.
func TestSlicesMakeNoDifference(t *testing.T) {
	s := openShop(t, current)
	for range 20 {
		who := s.enrol("")
		s.must(s.sale(protocol.CallAccrue, who, 0, line("1", "cake", 100_000)))
		s.must(s.sale(protocol.CallRedeem, who, 1_000, line("1", "pastry", 10_000)))
	}
	s.later(time.Second)
	whole := s.replay(draft, time.Time{})
	require.EqualValues(t, 40, whole.Receipts.Total)
	for _, most := range []int{1, 3, 100} {
		require.Equal(t, whole, s.replayWith(whatif.Options{Members: most}, draft, time.Time{}))
	}
}

func TestWhatIsRefused(t *testing.T) {
	s := bakeryWeek(t)
	service := whatif.New(fleeting{s.ledger}, s.s, whatif.Options{Clock: s.clock.Load, Logger: slog.New(slog.DiscardHandler)})
	defer service.Close()
	var out protocol.Response
	require.Nil(t, service.Begin(asking("program: x"), &out))
	require.Equal(t, protocol.InvalidRequest, out.Code)
	require.NotEmpty(t, out.Problems)

	out = protocol.Response{}
	r := asking(draft)
	r.From = protocol.Time{Unix: s.clock.Load() + 1, Set: true}
	require.Nil(t, service.Begin(r, &out))
	require.Equal(t, "to", out.Field)
}

// TestOneAtATime: a second replay is told to come again; the first ends when
// its caller goes, and then there is room.
func TestOneAtATime(t *testing.T) {
	s := bakeryWeek(t)
	service := whatif.New(fleeting{s.ledger}, s.s, whatif.Options{Clock: s.clock.Load, Share: 50, Logger: slog.New(slog.DiscardHandler)})
	defer service.Close()
	var out, second protocol.Response
	run := service.Begin(asking(draft), &out)
	require.NotNil(t, run)
	require.Nil(t, service.Begin(asking(draft), &second))
	require.Equal(t, protocol.Overloaded, second.Code)
	require.True(t, second.Code.Retryable())

	ctx, cancel := context.WithCancel(context.Background())
	var steps atomic.Int64
	err := run(ctx, func(int64, int64) { steps.Add(1); cancel() })
	require.ErrorIs(t, err, context.Canceled)
	require.EqualValues(t, 1, steps.Load(), "it ends with the burst in which the caller went")
	require.Nil(t, out.WhatIf)

	run = service.Begin(asking(draft), &out)
	require.NotNil(t, run)
	done, total := int64(0), int64(1)
	require.NoError(t, run(context.Background(), func(d, t int64) { done, total = d, t }))
	require.Equal(t, total, done, "progress ends at all there is")
	require.EqualValues(t, 4, out.WhatIf.Receipts.Total)
}

func TestWhatTheBooksDontTell(t *testing.T) {
	s := openShop(t, "")
	w := s.replay(`
program: curious
currency: KZT
timezone: Asia/Almaty
earn:
  never: {brand: [acme]}
  rules:
    - {name: cash, when: {tender: [cash], store_group: [north]}, give: {percent: 10}}
    - {name: hot, goods: {tag: [hot], category: [coffee]}, give: {percent: 10}}
redeem: {caps: [{when: {card_type: [gold]}, cap: 100}]}
`, time.Time{})
	var paths []string
	for _, p := range w.Unknown {
		paths = append(paths, p.Path)
		require.NotEmpty(t, p.Message)
	}
	require.Equal(t, []string{
		"earn.never.brand", "earn.rules[0].when.tender", "earn.rules[0].when.store_group",
		"earn.rules[1].goods.tag", "redeem.caps[0].when.card_type",
	}, paths)
}
