package processor

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/protocol"
)

// A number that no amount can be is declined, and the decline remembered, like
// any other amount that is not acceptable.
func TestPointsOutOfRangeAreDeclined(t *testing.T) {
	s := openShop(t, small)
	s.enrol(7, "4000001", "", ledger.LotPart{Active: 1, Points: 100000})
	for _, points := range []int64{math.MinInt64, -1, 0, protocol.MaxAmount + 1, math.MaxInt64} {
		for _, call := range []protocol.Call{protocol.CallAuthorize, protocol.CallRedeem} {
			r := s.sale(call, byCard("4000001"), 1000, 0)
			r.Redeem = protocol.Redeem{Mode: protocol.RedeemPoints, Points: points, Partial: true}
			first := s.ask(r)
			require.Equal(t, protocol.InvalidAmount, first.Code, points)
			require.Equal(t, "redeem.points", first.Field, points)
			again := s.ask(r)
			require.True(t, again.Replayed, points)
			require.Equal(t, wire(first), wire(again), points)
		}
	}
	require.EqualValues(t, 100000, s.account(7).Lots[0].Points)
}
