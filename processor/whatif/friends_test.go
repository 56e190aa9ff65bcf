package whatif_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/protocol"
)

// TestNobodyIsRewardedForOnesOwnPurchases: Timur has invited Raushan and she
// Aigul; then Raushan's account goes to Aigul, who buys for 1000 before and after.
// As it was, so under the same programme: 5 % to the next above and 2 % to the
// one after, Timur's 5 % when he is the next.
func TestNobodyIsRewardedForOnesOwnPurchases(t *testing.T) {
	document := inForce["friends"]
	s := openShop(t, document)
	timur := s.enrol("")
	raushan := s.invite("", timur)
	aigul := s.invite("", raushan)
	s.must(s.sale(protocol.CallAccrue, aigul, 0, line("1", "coffee", 100_000)))
	merge := s.request(protocol.CallMerge)
	merge.Target, merge.Into = raushan, aigul
	s.delivered()
	s.must(merge)
	s.delivered()
	s.must(s.sale(protocol.CallAccrue, aigul, 0, line("1", "coffee", 100_000)))
	s.later(time.Second)
	w := s.replay(document, time.Time{})
	require.EqualValues(t, 4400+5000+2000+5000, w.Real.Rewards)
	require.Equal(t, w.Real, w.Draft)
}
