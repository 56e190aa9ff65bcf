package processor

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/protocol"
)

// A key's scope is the body's terminal, else the hold's, else none. What the
// exchange before was about, whose scratch space a request gets, is none.
func TestScopeIsNotInheritedFromTheExchangeBefore(t *testing.T) {
	s := openShop(t, small)
	s.enrol(7, "4000001", "", ledger.LotPart{Active: 1, Points: 100000})

	confirm := func() {
		c := s.till(protocol.CallConfirm)
		c.Target = s.ask(s.sale(protocol.CallAuthorize, byCard("4000001"), 1000, 0)).ID
		require.Equal(t, protocol.Approved, s.ask(c).Code)
	}
	nowhere := func(call protocol.Call, total int64) protocol.Request {
		r := s.sale(call, byCard("4000001"), total, 0)
		r.Terminal, r.Store = "", ""
		return r
	}
	for range 20 {
		sale := nowhere(protocol.CallAccrue, 5000)
		first := s.ask(sale)
		require.Equal(t, protocol.Approved, first.Code, first.Detail)
		confirm()
		again := s.ask(sale)
		require.True(t, again.Replayed)
		require.Equal(t, wire(first), wire(again))

		confirm()
		other := nowhere(protocol.CallAccrue, 6000)
		other.Key = sale.Key
		require.Equal(t, protocol.IdempotencyConflict, s.ask(other).Code)

		confirm()
		back := nowhere(protocol.CallReverse, 0)
		back.Member, back.HasBasket, back.TargetKey = protocol.Identifier{}, false, sale.Key
		require.Equal(t, "reversed", s.ask(back).Status)
	}
}
