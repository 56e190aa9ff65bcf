package program

import (
	"fmt"
	"strconv"
	"strings"
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

// judgeLargest judges the largest basket: two coffees on every line.
func judgeLargest(t *testing.T, document string) (*Program, *Decision) {
	p, problems := Compile([]byte(document))
	require.Empty(t, problems)
	r, f, at := basket()
	r.Redeem, r.Lines, r.Total = protocol.Redeem{}, nil, 0
	for i := range MaxLines {
		r.Lines = append(r.Lines, protocol.Line{ID: strconv.Itoa(i + 1), Category: "coffee", Quantity: 2000, Price: 1000, Amount: 2000})
		r.Total += 2000
	}
	d := &Decision{}
	Evaluate(p, f, r, at, d)
	require.Equal(t, protocol.Approved, d.Code, d.Detail)
	return p, d
}

// TestWhatIsBoughtIsToldByLineAsLongAsThereIsRoom: the journal record has a
// bound, so the gifts and counters of a large basket under many events stand
// for the whole receipt beyond one.
func TestWhatIsBoughtIsToldByLineAsLongAsThereIsRoom(t *testing.T) {
	var doc strings.Builder
	doc.WriteString("program: many\ncurrency: KZT\ntimezone: Asia/Almaty\nearn: {rules: [{name: base, give: {percent: 10}}]}\n" +
		"tiers: {by: lifetime, levels: [{name: Base}, {name: VIP, from: 1000000}]}\nevents:\n")
	for i := range maxRules {
		fmt.Fprintf(&doc, "  - {name: event %d, event: bought, goods: {category: [coffee]}, give: {points: 1000, tier: VIP, for: 90d}}\n", i)
	}
	_, d := judgeLargest(t, doc.String())

	points, units := map[string]int64{}, map[uint64]int64{}
	apart := 0
	for _, g := range d.Gifts {
		points[g.Rule] += g.Lot.Points
		if g.Line > 0 {
			apart++
		}
	}
	for _, c := range d.Counts {
		units[c.Key] += c.Value
		if c.Line > 0 {
			apart++
		}
	}
	require.Equal(t, maxByLine, apart, "the first event's units and points, line by line")
	require.Less(t, len(d.Gifts)+len(d.Counts), maxByLine+2*maxRules)
	require.Len(t, points, maxRules)
	require.Len(t, units, maxRules)
	for name, n := range points {
		require.EqualValues(t, 100_000, n, name)
	}
	for key, n := range units {
		require.EqualValues(t, 2*MaxLines, n, key)
	}
}

// TestUnitsAreCountedByLineAsLongAsThereIsRoom: the same bound holds for units
// that are counted across receipts; what has no room stands for the whole
// receipt, and nothing is lost.
func TestUnitsAreCountedByLineAsLongAsThereIsRoom(t *testing.T) {
	var doc strings.Builder
	doc.WriteString("program: many\ncurrency: KZT\ntimezone: Asia/Almaty\ndiscounts:\n  rules:\n")
	for i := range maxRules {
		fmt.Fprintf(&doc, "    - {name: rule %d, goods: {category: [coffee]}, give: {every: 2, percent: 100, across_receipts: true}}\n", i)
	}
	p, d := judgeLargest(t, doc.String())
	require.EqualValues(t, MaxLines*1000, d.Discount, "every second unit is free once, whatever many rules say so")

	sums, apart := map[uint64]int64{}, 0
	for _, c := range d.Counts {
		sums[c.Key] += c.Value
		if c.Line > 0 {
			apart++
		}
	}
	require.Positive(t, apart, "the first rule's, line by line")
	require.LessOrEqual(t, apart, maxByLine)
	require.LessOrEqual(t, len(d.Counts), maxByLine+2*maxRules)
	require.Len(t, sums, 2*maxRules)
	for i := range maxRules {
		r := &p.discounts.rules[i]
		require.EqualValues(t, 2*MaxLines, sums[r.key], r.name)
		require.EqualValues(t, 1000*MaxLines, sums[r.given], r.name)
	}
}

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
		p.Bought(Assigned{}, nothingKept, d.Counts[0].Key, 1, at, at)
	}
	decide()
	require.Equal(t, protocol.Approved, d.Code, d.Detail)
	require.Len(t, d.Gifts, 2)
	require.Zero(t, testing.AllocsPerRun(100, decide))
}

// nothingKept: the member has no tier beside the one assigned.
func nothingKept(uint64) int64 { return 0 }
