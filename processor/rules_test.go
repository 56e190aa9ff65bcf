package processor

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/protocol"
)

// Each rule that contributed is named with its own figure: a discount's is
// money off, all others are points. What is booked tells the same as a quote.
func TestRulesAreToldWithTheirFigures(t *testing.T) {
	s := openShop(t, small+"discounts: {rules: [{name: flat, give: {percent: 5}}]}\n")
	s.enrol(7, "4000001", "", ledger.LotPart{Active: 1, Points: 100000})
	want := []protocol.RuleResult{{Rule: "flat", Discount: 500}, {Rule: "base", Points: 950}}

	quote := s.sale(protocol.CallQuote, byCard("4000001"), 10000, 0)
	require.Equal(t, want, s.ask(quote).Rules)

	sale := s.sale(protocol.CallAuthorize, byCard("4000001"), 10000, 0)
	held := s.ask(sale)
	require.Equal(t, want, held.Rules)
	require.Equal(t, wire(held), wire(s.ask(sale)))
	confirm := s.till(protocol.CallConfirm)
	confirm.Target = held.ID
	require.Equal(t, want, s.ask(confirm).Rules)
}
