package processor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/protocol"
)

// TestAMergeSchedulesTheAbsence: the purchases that came along may be followed
// by an absence, though the member who took over has never bought.
func TestAMergeSchedulesTheAbsence(t *testing.T) {
	s := openShop(t, "")
	require.Equal(t, protocol.Approved, s.put("", `
program: absences
currency: KZT
timezone: Asia/Almaty
earn: {rules: [{name: base, give: {percent: 10}}]}
events:
  - {event: first_purchase, give: {points: 50}}
  - {event: inactive, after: 30d, give: {points: 2}}
`).Code)
	a := s.approved(s.member("+77010000001", ""))
	b := s.approved(s.member("+77010000002", ""))
	s.approved(s.sale(protocol.CallAccrue, byPhone("+77010000001"), 10000, 0))
	s.mergedInto(a.Member.ID, b.Member.ID, func(a ledger.Account) bool { return a.Purchases == 1 })
	acc := s.account(idOf(t, b.Member.ID))
	before := acc.Balance().Available
	s.later(40 * 24 * time.Hour)
	require.EqualValues(t, 6000, before)
	got := s.account(idOf(t, b.Member.ID))
	require.Equal(t, before+200, got.Balance().Available)
}

// TestTheSlipTellsOfGifts: a till that shows nothing but the slip (DE63) tells
// of them, too, and of what a return takes back.
func TestTheSlipTellsOfGifts(t *testing.T) {
	s := openShop(t, `
program: gifts
currency: KZT
timezone: Asia/Almaty
earn: {rules: [{name: base, give: {percent: 10}}]}
events: [{event: first_purchase, give: {points: 50}}]
`)
	s.enrol(7, "4000001", "")
	sale := s.approved(s.sale(protocol.CallAccrue, byCard("4000001"), 10000, 0))
	require.Equal(t, []string{"Points earned: 10.00", "Gifts: 50.00", "Points available: 60.00"}, sale.Slip)
	back := s.till(protocol.CallReturn)
	back.Target = sale.ID
	require.Equal(t, []string{"Points taken back: 10.00", "Gifts taken back: 50.00", "Points available: 0.00"}, s.approved(back).Slip)
	undo := s.till(protocol.CallReverse)
	undo.TargetKey = back.Key
	require.Equal(t, []string{"Points earned again: 10.00", "Gifts given again: 50.00", "Points available: 60.00"}, s.approved(undo).Slip)
}

// TestABalanceLeavesOutWhatHasEnded: points that a hold has kept beyond their end
// are gone when it lets go of them, and the answer says so, not only the next one.
func TestABalanceLeavesOutWhatHasEnded(t *testing.T) {
	s := openShop(t, `
program: short
currency: KZT
timezone: Asia/Almaty
lots: {expires_after: 10d}
earn: {rules: [{name: base, give: {percent: 10}}]}
redeem: {with: [card], cap: 50}
holds: {default: 15m, max: 5d}
`)
	s.enrol(7, "4000001", "")
	s.approved(s.sale(protocol.CallAccrue, byCard("4000001"), 100000, 0))
	s.clock.Add(int64(8 * 24 * time.Hour))
	hold := func() string {
		r := s.sale(protocol.CallAuthorize, byCard("4000001"), 10000, 4000)
		r.HoldSeconds = 4 * 24 * 3600
		return s.approved(r).ID
	}
	void, confirm := s.till(protocol.CallVoid), s.till(protocol.CallConfirm)
	void.Target, confirm.Target = hold(), hold()
	confirm.Printed.HasRedeemed, confirm.Printed.Redeemed = true, 1000
	confirm.Printed.HasPayable, confirm.Printed.Payable = true, 9000
	s.clock.Add(int64(3 * 24 * time.Hour)) // 20.00 have lapsed, 80.00 are held
	balance := s.till(protocol.CallBalance)
	balance.Member = byCard("4000001")
	require.Zero(t, s.approved(balance).Balance.Available)

	released := s.approved(void)
	require.Zero(t, released.Balance.Available)
	require.Equal(t, []string{"Points released: 40.00", "Points available: 0.00"}, released.Slip)
	require.Equal(t, rendered(released), rendered(s.approved(void)), "a repeat says the same")
	require.Zero(t, s.approved(balance).Balance.Available)

	booked := s.approved(confirm)
	require.EqualValues(t, 600, booked.Balance.Available, "what it has earned; 30.00 have ended")
	require.EqualValues(t, 600, s.approved(balance).Balance.Available)
}

// TestTheSlipTellsWhatHasExpired: of points that come back to a lot that has
// ended the buyer gets none, and is told so; nor is a reversal of that return
// said to take them.
func TestTheSlipTellsWhatHasExpired(t *testing.T) {
	s := openShop(t, `
program: short
currency: KZT
timezone: Asia/Almaty
lots: {expires_after: 10d}
earn: {rules: [{name: base, give: {percent: 10}}]}
redeem: {with: [card], cap: 50}
`)
	s.enrol(7, "4000001", "")
	s.approved(s.sale(protocol.CallAccrue, byCard("4000001"), 100000, 0))
	s.clock.Add(int64(8 * 24 * time.Hour))
	sale := s.approved(s.sale(protocol.CallRedeem, byCard("4000001"), 20000, 10000))
	s.clock.Add(int64(4 * 24 * time.Hour))
	back := s.till(protocol.CallReturn)
	back.Target, back.ReturnAmount = sale.ID, 8000
	require.Equal(t, []string{"Points that had expired: 40.00", "Points taken back: 4.00", "Points available: 6.00"}, s.approved(back).Slip)
	undo := s.till(protocol.CallReverse)
	undo.TargetKey = back.Key
	require.Equal(t, []string{"Points earned again: 4.00", "Points available: 10.00"}, s.approved(undo).Slip)
}
