package processor

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tillgate/protocol"
)

// TestAnAmendedHoldUsesARepeatedCodeOnce: what stood twice is used once, also
// after the basket has changed.
func TestAnAmendedHoldUsesARepeatedCodeOnce(t *testing.T) {
	s := openShop(t, "")
	require.Equal(t, protocol.Approved, s.put("", `
program: codes
currency: KZT
timezone: Asia/Almaty
earn: {rules: [{name: base, give: {percent: 7}}]}
promo_codes:
  - {code: MORE, give: {points: 1}}
`).Code)
	s.enrol(7, "4000001", "")
	buy := s.sale(protocol.CallAuthorize, byCard("4000001"), 10000, 0)
	buy.PromoCodes = []string{"MORE", "more"}
	held := s.approved(buy)
	require.Len(t, held.Promo, 2)
	require.Equal(t, "repeated", held.Promo[1].Refused)
	amend := s.sale(protocol.CallAmend, protocol.Identifier{}, 20000, 0)
	amend.Target = held.ID
	again := s.approved(amend)
	require.Len(t, again.Promo, 2)
	require.EqualValues(t, 100, again.Promo[0].Points)
	require.Equal(t, "repeated", again.Promo[1].Refused)
	require.Zero(t, again.Promo[1].Points)
}
