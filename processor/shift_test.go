package processor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/protocol"
)

// closing is a shift's close with the till's totals.
func (s *shop) closing(totals protocol.ShiftTotals) protocol.Request {
	r := s.till(protocol.CallCloseShift)
	r.Cashier, r.Channel = "", ""
	r.Receipt.Shift, r.Totals = "45", totals
	return r
}

// receipt makes the request one of shift 45.
func inShift(r protocol.Request, number string) protocol.Request {
	r.Receipt = protocol.Receipt{Number: number, Shift: "45"}
	return r
}

func TestCloseShift(t *testing.T) {
	s := openShop(t, small)
	s.enrol(7, "4000001", "", ledger.LotPart{Points: 50000})
	confirm := func(id, number string) protocol.Request {
		r := inShift(s.till(protocol.CallConfirm), number)
		r.Target = id
		return r
	}

	// One sale with points, one without, a part of the first comes back.
	one := s.ask(inShift(s.sale(protocol.CallAuthorize, byCard("4000001"), 20000, 10000), "1"))
	require.Equal(t, protocol.Approved, one.Code, one.Detail)
	require.Equal(t, protocol.Approved, s.ask(confirm(one.ID, "1")).Code)
	require.Equal(t, protocol.Approved, s.ask(inShift(s.sale(protocol.CallAccrue, byCard("4000001"), 5000, 0), "2")).Code)
	back := s.till(protocol.CallReturn)
	back.Target, back.ReturnAmount = one.ID, 4000
	require.Equal(t, protocol.Approved, s.ask(back).Code)
	// What is authorized and voided counts nothing.
	void := s.ask(inShift(s.sale(protocol.CallAuthorize, byCard("4000001"), 900, 0), "4"))
	r := s.till(protocol.CallVoid)
	r.Target = void.ID
	require.Equal(t, protocol.Approved, s.ask(r).Code)

	host := protocol.ShiftTotals{
		SalesCount: 2, Sales: 25000, ReturnsCount: 1, Returns: 4000,
		RedeemedCount: 1, Redeemed: 10000, GivenBackCount: 1, GivenBack: 2000, Net: 25000 - 4000 - 10000 + 2000,
	}

	t.Run("equal totals close it", func(t *testing.T) {
		request := s.closing(host)
		answer := s.ask(request)
		require.Equal(t, protocol.Approved, answer.Code, answer.Detail)
		require.True(t, answer.Matched)
		require.Equal(t, `{"matched":true}`, wire(answer))

		again := s.ask(request)
		require.True(t, again.Replayed)
		require.Equal(t, wire(answer), wire(again))
	})

	t.Run("a late advice opens it again", func(t *testing.T) {
		s.later(time.Minute)
		late := inShift(s.sale(protocol.CallAccrue, byCard("4000001"), 700, 0), "5")
		late.Offline = true
		late.At = protocol.Time{Unix: morning.UnixNano(), Offset: 5 * 3600, Set: true}
		require.Equal(t, protocol.Approved, s.ask(late).Code)
		answer := s.ask(s.closing(host))
		require.Equal(t, protocol.TotalsDiffer, answer.Code)
		host.SalesCount, host.Sales, host.Net = 3, 25700, host.Net+700
		require.Equal(t, host, answer.Totals)
		require.True(t, s.ask(s.closing(host)).Matched)
	})

	t.Run("different totals leave it open and say where", func(t *testing.T) {
		held := s.ask(inShift(s.sale(protocol.CallAuthorize, byCard("4000001"), 1100, 0), "6"))
		require.Equal(t, protocol.Approved, held.Code)
		till := host
		till.SalesCount, till.Sales, till.Net = 4, host.Sales+1100, host.Net+1100
		request := s.closing(till)
		answer := s.ask(request)
		require.Equal(t, protocol.TotalsDiffer, answer.Code)
		require.False(t, answer.Matched)
		require.Equal(t, host, answer.Totals)
		require.Equal(t, protocol.Difference{
			Receipt: "6", Operation: held.ID, Status: "pending", Because: "its total is just the difference", Total: 1100,
		}, answer.Differences[0])
		require.Equal(t, wire(answer), wire(s.ask(request)), "a repeat gets the same bytes")

		// The confirm comes after all: now they are equal.
		require.Equal(t, protocol.Approved, s.ask(confirm(held.ID, "6")).Code)
		require.True(t, s.ask(s.closing(till)).Matched)
	})

	t.Run("another terminal's shift is another one", func(t *testing.T) {
		r := s.closing(protocol.ShiftTotals{})
		r.Terminal = "T2"
		require.True(t, s.ask(r).Matched)
	})
}
