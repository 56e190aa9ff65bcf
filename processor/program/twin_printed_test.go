package program

import (
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tillgate/protocol"
)

// TestPrintedSumsAreBooked: what a till that was cut off has printed is what the
// buyer has paid, whatever the programme's discounts are.
func TestPrintedSumsAreBooked(t *testing.T) {
	var d Decision
	rapid.Check(t, func(t *rapid.T) {
		model := drawProgram(t)
		p, doc := model.compile(t)
		r := drawReceipt(t)
		r.Offline, r.Redeem = true, protocol.Redeem{}
		f := Facts{Present: true, Registered: true, Identified: protocol.ByCard, NoRedeem: true}
		model.counted(&f)
		var total int64
		var weights []*big.Rat
		var caps []int64
		for _, l := range r.Lines {
			total += l.Amount
			weights, caps = append(weights, rat(l.Amount, 1)), append(caps, l.Amount)
		}
		r.Printed = protocol.Printed{HasPayable: true, Payable: rapid.Int64Range(0, total).Draw(t, "printed")}
		Evaluate(p, &f, r, 0, &d)
		require.Equal(t, protocol.Approved, d.Code, doc)
		require.Equal(t, r.Printed.Payable, d.Payable)
		require.Equal(t, total-r.Printed.Payable, d.Discount)
		require.Equal(t, tSpread(d.Discount, weights, caps), told(&d, len(r.Lines)).cut)
		require.Equal(t, protocol.RuleResult{Rule: RulePrinted, Discount: d.Discount}, d.Rules[0])
		checkPromises(t, p, &f, r, &d)

		r.Printed.Payable = total + 1
		Evaluate(p, &f, r, 0, &d)
		require.Equal(t, protocol.InvalidAmount, d.Code)
		f.Agreed = true
		Evaluate(p, &f, r, 0, &d)
		require.Equal(t, protocol.Approved, d.Code)
		require.Equal(t, total, d.Payable, "the office books it as what was rung up")
	})
}

// TestPrintedPointsStand: what a till that was cut off has taken off by itself
// takes nothing off what points may pay, and the two never meet on a line.
func TestPrintedPointsStand(t *testing.T) {
	var d Decision
	rapid.Check(t, func(t *rapid.T) {
		model := drawProgram(t)
		p, doc := model.compile(t)
		r := drawReceipt(t)
		f := Facts{Present: true, Registered: true, Identified: protocol.ByCard, Agreed: true}
		model.counted(&f)
		r.Offline, r.Redeem = true, protocol.Redeem{Mode: protocol.RedeemPoints, Points: 4*r.Total + 4} // above any cap
		r.Printed = protocol.Printed{HasPayable: true, Payable: r.Total}
		Evaluate(p, &f, r, 0, &d)
		require.Equal(t, protocol.RedeemNotAllowed, d.Code)
		most := d.MaxRedeem

		points := rapid.Int64Range(1, most+2).Draw(t, "taken")
		money := p.Money(points)
		r.Redeem.Points, r.Printed.Payable = points, max(r.Total-money, 0)
		Evaluate(p, &f, r, 0, &d)
		code := d.Code
		require.Equal(t, points <= most && p.Price(money) == points, code.OK(), "%d of %d\n%s", points, most, doc)
		paid := told(&d, len(r.Lines)).paid

		r.Printed.Payable = rapid.Int64Range(0, r.Printed.Payable).Draw(t, "printed")
		Evaluate(p, &f, r, 0, &d)
		require.Equal(t, code, d.Code, doc)
		if !code.OK() {
			return
		}
		require.Equal(t, []int64{points, money, r.Printed.Payable, r.Total - money - r.Printed.Payable},
			[]int64{d.Redeemed, d.RedeemedMoney, d.Payable, d.Discount})
		var weights []*big.Rat
		var caps []int64
		for i, l := range r.Lines {
			weights, caps = append(weights, rat(l.Amount, 1)), append(caps, l.Amount-paid[i])
			require.GreaterOrEqual(t, d.Lines[i].Payable, int64(0))
		}
		now := told(&d, len(r.Lines))
		require.Equal(t, paid, now.paid, "the points lie as they would without it")
		require.Equal(t, tSpread(d.Discount, weights, caps), now.cut)
	})
}
