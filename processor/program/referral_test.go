package program

import (
	"fmt"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tillgate/protocol"
)

// TestRewardsAreWhatTheTextSays: a level gets its percent of the money paid,
// rounded down by itself to what the programme counts in, computed here with
// fractions; the fixed reward comes once.
func TestRewardsAreWhatTheTextSays(t *testing.T) {
	var d Decision
	rapid.Check(t, func(t *rapid.T) {
		rates := rapid.SliceOfN(rapid.Int64Range(0, 10_000), 1, maxReferralLevels).Draw(t, "percent")
		round := rapid.SampledFrom([]int64{1, 10, 100}).Draw(t, "round")
		list := ""
		for _, r := range rates {
			list += fmt.Sprintf("%d.%02d, ", r/100, r%100)
		}
		doc := fmt.Sprintf("program: p\ncurrency: KZT\npoints: {round: %d.%02d}\nredeem: {line_floor: 0}\n"+
			"referral: {percent: [%s], first_purchase: 7}\n", round/100, round%100, list)
		p, problems := Compile([]byte(doc))
		require.Empty(t, problems, doc)

		above := rapid.IntRange(0, maxReferralLevels).Draw(t, "above")
		f := Facts{Present: true, Registered: true, Identified: protocol.ByCard, Above: above,
			FirstPurchase: rapid.Bool().Draw(t, "first"), Available: rapid.Int64Range(0, 1_000_000).Draw(t, "points")}
		r := &protocol.Request{HasBasket: true, Total: rapid.Int64Range(1, 10_000_000).Draw(t, "total")}
		r.Redeem.Mode = rapid.SampledFrom([]protocol.RedeemMode{protocol.RedeemNone, protocol.RedeemMax}).Draw(t, "redeem")
		Evaluate(p, &f, r, 0, &d)
		paid := r.Total
		if r.Redeem.Mode == protocol.RedeemMax {
			paid -= min(r.Total, f.Available)
		}
		require.Equal(t, paid, d.Payable)
		var want []Reward
		for i := range min(above, len(rates)) {
			steps := new(big.Int).Div(big.NewInt(paid*rates[i]), big.NewInt(10_000*round))
			if n := steps.Int64() * round; n > 0 {
				want = append(want, Reward{Level: i + 1, Rule: "referral", Lot: EarnedLot{Points: n}})
			}
		}
		if above > 0 && f.FirstPurchase {
			want = append(want, Reward{Level: 1, Rule: "referral_first_purchase", Lot: EarnedLot{Points: 700}, Fixed: true})
		}
		require.Empty(t, d.Rules, "the buyer is told nothing of it")
		require.Len(t, d.Rewards, len(want))
		for i := range want {
			require.Equal(t, want[i], d.Rewards[i])
		}
	})
}

// TestGuardAndReferralAllocateNothing: they are on the path of every receipt.
func TestGuardAndReferralAllocateNothing(t *testing.T) {
	p, problems := Compile([]byte(`
program: p
currency: KZT
timezone: Asia/Almaty
lots: {active_after: 14d, expires_after: 3mo}
referral: {percent: [10, 2, 1], first_purchase: 100}
guard:
  - {name: norm, per: member, operations: 0, within: day, then: flag}
  - {name: card, per: card, redeemed: 100, within: hour, then: flag}
  - {name: till, per: terminal, operations: 100, within: hour, then: block}
  - {name: farm, kind: members_per_terminal, count: 30, within: hour, then: flag}
  - {name: own, kind: own_card, then: block}
`))
	require.Empty(t, problems)
	f := Facts{Present: true, Registered: true, Identified: protocol.ByCard, Above: 3, FirstPurchase: true, Card: 5, OwnCard: true}
	r := &protocol.Request{HasBasket: true, Total: 100000, Terminal: "T1", Cashier: "C1"}
	var d Decision
	run := func() { Evaluate(p, &f, r, 1_800_000_000e9, &d) }
	run()
	require.Len(t, d.Rewards, 4)
	require.Equal(t, []string{"norm"}, d.Flags)
	require.Len(t, d.Watches, 3)
	require.Zero(t, testing.AllocsPerRun(200, run))
}
