package program

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tillgate/protocol"
)

// standingDoc has all that looks at a member's standing beside the rules.
const standingDoc = `
program: standing
currency: KZT
timezone: Asia/Almaty
tiers: {by: window, window: 6mo, recalculate: monthly, levels: [{name: Base}, {name: Gold, from: 1000}, {name: VIP, above: 100000}]}
lots: {expires_after: 3mo}
earn:
  rules:
    - {name: base, give: {percent: 10}}
    - {name: birthday, when: {birthday: {before: 3d, after: 3d}, tag: [friend]}, give: {percent: 20}}
discounts:
  rules:
    - {name: network, when: {spent: {within: 180d, above: 10, at: {store_group: [north]}}}, give: {percent: 5}}
events:
  - {event: first_purchase, give: {points: 50}}
  - {event: bought, goods: {category: [coffee]}, give: {points: 5, tier: VIP, for: 90d}, lot: {expires_after: 7d}}
  - {event: birthday, days_before: 3, give: {points: 300}}
`

// TestStandingAllocatesNothing: tiers, events and sums at stores cost a
// purchase no garbage, and neither does its booking.
func TestStandingAllocatesNothing(t *testing.T) {
	p, problems := Compile([]byte(standingDoc))
	require.Empty(t, problems)
	r, f, at := basket()
	r.Redeem = protocol.Redeem{}
	f.FirstPurchase, f.Tags, f.StoreGroup = true, []string{"friend"}, "north"
	sale := Sale{Paid: 100_000, Day: LocalDay(at, p.Zone()), Group: "north"}
	for _, ch := range p.Book(sale, p.Month(f, at, nil)) {
		f.Counts = booked(f.Counts, ch)
	}
	var d Decision
	var changes []CountChange
	decide := func() {
		Evaluate(p, f, r, at, &d)
		changes = p.Book(sale, p.Month(f, at, changes[:0]))
		p.Bought(Assigned{}, d.Counts[0].Key, 1, at, at)
	}
	decide()
	require.Equal(t, protocol.Approved, d.Code, d.Detail)
	require.Len(t, d.Gifts, 2)
	require.Zero(t, testing.AllocsPerRun(100, decide))
}
