package processor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/protocol"
)

// parkedOffline is an advice with a receipt, of a card that nobody has: it waits
// for the office.
func (s *shop) parkedOffline(card string, receipt protocol.Receipt) (*protocol.Response, protocol.Request) {
	s.t.Helper()
	r := s.sale(protocol.CallAccrue, byCard(card), 100_000, 0)
	r.ISO.Advice, r.Receipt = true, receipt
	r.At = protocol.Time{Unix: s.clock.Load(), Set: true}
	res := s.approved(r)
	require.Equal(s.t, "parked", res.Status)
	return res, r
}

// TestAMarkOfToday counts beside yesterday's of the same number, in the same shift
// or in another: what waits under it is not booked.
func TestAMarkOfToday(t *testing.T) {
	for _, shifts := range [][3]string{{"", "", ""}, {"1", "1", "1"}, {"45", "46", "46"}} {
		s := openShop(t, small)
		m := s.approved(s.member("+77010000001", ""))
		receipt := func(shift string) protocol.Receipt { return protocol.Receipt{Number: "000777", Shift: shift} }
		require.Equal(t, "marked", s.receiptReversed(receipt(shifts[0])).Status)
		s.later(24 * time.Hour)
		parked, _ := s.parkedOffline("4999900", receipt(shifts[1]))
		require.Equal(t, "marked", s.receiptReversed(receipt(shifts[2])).Status)
		s.approved(s.giveCard(m.Member.ID, "4999900"))
		require.Equal(t, protocol.NotFound, s.decided(parked.ID, "book").Code)
		require.Zero(t, s.balance(idOf(t, m.Member.ID)))
		requireSound(t, s)
	}
}

// TestAMarkOfAnotherShift leaves the one alone that the number has in its own: what
// comes after its own reversal is declined.
func TestAMarkOfAnotherShift(t *testing.T) {
	for _, second := range []string{"45", "46"} {
		s := openShop(t, small)
		s.enrol(7, "4000001", "")
		require.Equal(t, "marked", s.receiptReversed(protocol.Receipt{Number: "000777", Shift: "45"}).Status)
		if second == "45" {
			s.later(24 * time.Hour)
		}
		require.Equal(t, "marked", s.receiptReversed(protocol.Receipt{Number: "000777", Shift: second}).Status)
		r := s.sale(protocol.CallAccrue, byCard("4000001"), 100_000, 0)
		r.ISO.Advice, r.Receipt = true, protocol.Receipt{Number: "000777", Shift: "45"}
		r.At = protocol.Time{Unix: s.clock.Load(), Set: true}
		require.Equal(t, protocol.ReversedBefore, s.ask(r).Code, "the second mark in shift %s", second)
		require.Zero(t, s.balance(7))
	}
}
