package program

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"tillgate/protocol"
)

// TestReceiptsOutOfBounds: an evaluator trusts nothing, whoever has checked
// before it.
func TestReceiptsOutOfBounds(t *testing.T) {
	p := sampleProgram(t)
	line := func(amount, quantity int64) []protocol.Line {
		return []protocol.Line{{ID: "1", Amount: amount, Quantity: quantity}}
	}
	var d Decision
	for name, c := range map[string]struct {
		r    protocol.Request
		want protocol.Code
	}{
		"negative amount":      {protocol.Request{Lines: line(-1, 1000)}, protocol.InvalidAmount},
		"negative total":       {protocol.Request{Total: -1}, protocol.InvalidAmount},
		"negative quantity":    {protocol.Request{Lines: line(1, -1)}, protocol.InvalidAmount},
		"immense quantity":     {protocol.Request{Lines: line(1, 1<<62)}, protocol.InvalidAmount},
		"immense amount":       {protocol.Request{Lines: line(1<<62, 1000)}, protocol.InvalidAmount},
		"immense total":        {protocol.Request{Lines: append(line(MaxAmount, 1000), line(MaxAmount, 1000)...)}, protocol.InvalidAmount},
		"another total":        {protocol.Request{Total: 5, Lines: line(4, 1000)}, protocol.InvalidAmount},
		"too many lines":       {protocol.Request{Lines: make([]protocol.Line, MaxLines+1)}, protocol.InvalidRequest},
		"no basket at all":     {protocol.Request{}, protocol.Approved},
		"a line of nothing":    {protocol.Request{Lines: line(0, 0)}, protocol.Approved},
		"the largest receipt":  {protocol.Request{Total: MaxAmount}, protocol.Approved},
		"the largest quantity": {protocol.Request{Lines: line(MaxAmount, maxUnits*1000)}, protocol.Approved},
	} {
		f := Facts{Present: true, Registered: true, Identified: protocol.ByCard, Available: 1 << 62}
		Evaluate(p, &f, &c.r, -5, &d)
		require.Equal(t, c.want, d.Code, name)
		if !d.Code.OK() {
			require.NotEmpty(t, d.Detail, name)
			require.Zero(t, d.Earned+d.Redeemed, name)
		}
		c.r.Redeem.Mode = protocol.RedeemMax
		Evaluate(p, &f, &c.r, 1<<62, &d)
		require.Equal(t, c.want, d.Code, name)
		require.GreaterOrEqual(t, d.Payable, int64(0), name)
	}
}

// TestLargest: the largest receipt under the most generous programme stays
// within bounds and adds up.
func TestLargest(t *testing.T) {
	doc := `{"program": "p", "currency": "KZT", "points": {"round": 100, "mode": "half_up"},
		"lots": {"active_after": "400d", "expires_after": "99y"},
		"earn": {"stack": "sum", "rules": [
			{"name": "m1", "give": {"multiply": 3.16}}, {"name": "m2", "give": {"multiply": 3.16}},
			{"name": "m3", "give": {"multiply": 3.16}}, {"name": "m4", "give": {"multiply": 3.16}},
			{"name": "unit", "give": {"points": 1000000, "per": "unit"}}`
	for i := range 150 {
		doc += fmt.Sprintf(`,{"name": "r%d", "give": {"percent": 99.9999}}`, i)
	}
	p, problems := Compile([]byte(doc + "]}}"))
	require.Empty(t, problems)
	r := &protocol.Request{}
	for i := range MaxLines {
		r.Lines = append(r.Lines, protocol.Line{ID: strconv.Itoa(i), Quantity: maxUnits * 1000, Amount: MaxAmount / MaxLines})
	}
	f := Facts{Present: true}
	var d Decision
	Evaluate(p, &f, r, maxMoment, &d)
	require.Equal(t, protocol.Approved, d.Code)
	require.Equal(t, 151*int64(MaxAmount), d.Earned, "no rule gives more than the largest amount")
	var sum int64
	for i := range d.Lines {
		require.GreaterOrEqual(t, d.Lines[i].Earned, int64(0))
		sum += d.Lines[i].Earned
	}
	require.Equal(t, d.Earned, sum)
	require.Greater(t, d.Lots[0].Expires, d.Lots[0].Active)
}

// TestReused: a decision that has judged anything else says the same.
func TestReused(t *testing.T) {
	r, f, at := basket()
	var used, fresh Decision
	for _, p := range []*Program{fullProgram(t), sampleProgram(t), fullProgram(t)} {
		Evaluate(p, f, r, at, &used)
		fresh = Decision{}
		Evaluate(p, f, r, at, &fresh)
		used.scratch, fresh.scratch = scratch{}, scratch{}
		require.Equal(t, fresh.Lines, used.Lines)
		require.Equal(t, fresh.Rules, used.Rules)
		require.Equal(t, fresh.Lots, used.Lots)
		require.Equal(t, fresh.Earned, used.Earned)
	}
}

// TestLargestDiscounts: what takes most of a line that is as large as lines may
// be takes it to the kopeck, whatever kind of rule it is.
func TestLargestDiscounts(t *testing.T) {
	// A million units: one costs 9,999.99, the others 10,000.00.
	r := &protocol.Request{Lines: []protocol.Line{{ID: "1", SKU: "A", Quantity: maxUnits * 1000, Amount: MaxAmount}}}
	for give, want := range map[string]int64{
		`"percent": 100`:                           MaxAmount,
		`"percent": 99.9999`:                       999_998_999_999, // less 1,000,000.999999, rounded down
		`"minus": 9999999999.99, "per": "line"`:    MaxAmount,
		`"minus": 9999999999.99, "per": "unit"`:    MaxAmount,
		`"minus": 100000, "per": "unit"`:           MaxAmount,
		`"minus": 9999.99, "per": "unit"`:          MaxAmount - 999_999,
		`"minus": 9999999999.99, "per": "receipt"`: MaxAmount,
		`"price": 0`:                               MaxAmount,
		`"take": 2, "pay": 1`:                      499_999_999_999, // 499,999 at 10,000.00, one at 9,999.99
		`"every": 2, "percent": 100`:               499_999_999_999,
		`"bundle": [{"goods": {"sku": ["A"]}, "quantity": 1, "percent": 100}, {"goods": {"sku": ["A"]}, "quantity": 1, "percent": 100}]`: MaxAmount,
	} {
		p, problems := Compile([]byte(`{"program": "p", "currency": "KZT", "discounts": {"rules": [{"name": "r", "give": {` + give + `}}]}}`))
		require.Empty(t, problems, give)
		var d Decision
		Evaluate(p, &Facts{}, r, 1, &d)
		require.Equal(t, protocol.Approved, d.Code, give)
		require.Equal(t, want, d.Discount, give)
		require.Equal(t, MaxAmount-want, d.Payable, give)
	}
}
