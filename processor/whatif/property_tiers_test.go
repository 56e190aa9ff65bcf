package whatif_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestTheSameTiersAreGiven: tiers by promo codes, by what is bought and by what
// clients tell of, one after the other and beside those given by hand; what has
// brought them comes back wholly and in parts, and is booked again. A replay
// under the programme that was in force gives and ends the same.
func TestTheSameTiersAreGiven(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		document, codes := tiersByCodes(rt)
		w := &week{rt: rt, shop: openShop(rt, document), codes: append(codes, "TEN"), events: []string{"review", "visit"}}
		w.agree(document)
	})
}

// tiersByCodes is a random programme in which everything may give a tier, and
// figures go by it.
func tiersByCodes(rt *rapid.T) (document string, codes []string) {
	of := func(what string, words ...string) string { return rapid.SampledFrom(words).Draw(rt, what) }
	tier := func() string { return of("tier", "Silver", "Gold") }
	var b strings.Builder
	fmt.Fprintf(&b, `program: tiers
currency: KZT
timezone: Asia/Almaty
tiers: {%s, levels: [{name: Base}, {name: Silver, from: %s}, {name: Gold, from: 6000}]}
lots: {expires_after: 9d%s}
earn:
  rules:
    - {name: base, give: {percent: 5}}
    - {name: silver, when: {tier: [Silver]}, give: {percent: 7}}
    - {name: gold, when: {tier: [Gold]}, give: {percent: 11}}
discounts: {rules: [{name: gold off, when: {tier: [Gold]}, give: {percent: 3}}]}
redeem: {with: [code, card], cap: 60, offline: {per_day: 100}}
promo_codes:
  - {code: TEN, give: {discount: {percent: 10}}, per_member: 2}
`,
		of("tiers by", "by: lifetime", "by: window, window: 5d", "by: window, window: 20d, recalculate: monthly", "by: single"),
		of("silver from", "700", "3000"), of("deficit", "", ", deficit: forgive"))
	for i := range rapid.IntRange(1, 4).Draw(rt, "codes") {
		codes = append(codes, fmt.Sprintf("UP%d", i))
		fmt.Fprintf(&b, "  - {code: UP%d, give: {tier: %s, for: %s}%s%s}\n", i, tier(), of("for", "2h", "1d", "3d", "20d"),
			of("times", "", "", ", per_member: 1", ", limit: 2", ", per_member: 2, limit: 3"),
			of("when", "", "", ", when: {receipt: {from: 300}}", ", when: {tier: [Base]}"))
	}
	b.WriteString("events:\n  - {event: visit, give: {points: 3}, repeat: true}\n")
	for _, event := range []string{"bought, goods: {category: [cake]}", "first_purchase", "registered", "review, repeat: true"} {
		if term := of("bought for", "no", "no", "", ", for: 2d", ", for: 6h", ", for: 15d"); term != "no" {
			fmt.Fprintf(&b, "  - {event: %s, give: {tier: %s%s}}\n", event, tier(), term)
		}
	}
	return b.String(), codes
}
