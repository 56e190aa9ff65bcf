package program

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestTiersStandBesideEachOther: what a member has of three tiers that are bought
// and returned on one day, in any order, is what each of them would give alone:
// so many terms from that day, and the highest in force counts.
func TestTiersStandBesideEachOther(t *testing.T) {
	p, problems := Compile([]byte(`
program: passes
currency: KZT
timezone: Asia/Almaty
tiers: {levels: [{name: Base}, {name: Silver, from: 1000}, {name: Gold, from: 2000}, {name: VIP, from: 3000}]}
earn: {rules: [{name: base, give: {percent: 1}}]}
events:
  - {event: bought, name: silver, goods: {sku: [S]}, give: {tier: Silver, for: 45d}}
  - {event: bought, name: gold, goods: {sku: [G]}, give: {tier: Gold, for: 90d}}
  - {event: bought, name: vip, goods: {sku: [V]}, give: {tier: VIP, for: 30d}}
`))
	require.Empty(t, problems)
	terms := map[string]int32{"Silver": 45, "Gold": 90, "VIP": 30}
	now := time.Date(2026, time.March, 2, 12, 0, 0, 0, p.zone).UnixNano()
	days := Almanac{zone: p.zone}
	end := func(tier string, units int64) int64 { // 24:00 of the last day
		return days.start(days.dayOf(now) + terms[tier]*int32(units) + 1)
	}
	rapid.Check(t, func(rt *rapid.T) {
		var is Assigned
		kept, units := map[uint64]Count{}, map[string]int64{}
		keptUntil := func(key uint64) int64 { return kept[key].At }
		inForce := func(moment int64) string {
			best := -1
			if is.inForce(moment) {
				best = p.tiers.find(is.Tier)
			}
			for k := range p.tiers.levels {
				if c := kept[p.tiers.levels[k].floor]; c.Value != 0 && c.At > moment {
					best = max(best, k)
				}
			}
			return p.tiers.levels[max(best, 0)].name
		}
		for range rapid.IntRange(1, 24).Draw(rt, "deeds") {
			e := &p.events.list[rapid.IntRange(0, 2).Draw(rt, "tier")]
			name := p.tiers.levels[e.tier].name
			n := int64(rapid.IntRange(1, 2).Draw(rt, "units"))
			if back := min(n, units[name]); back > 0 && rapid.Bool().Draw(rt, "return") {
				n = -back
			}
			units[name] += n
			var below CountChange
			var changed bool
			if is, below, changed = p.Bought(is, keptUntil, e.key, n, now, now); changed {
				require.True(rt, below.Set)
				if kept[below.Key] = below.Count; below.Value == 0 {
					delete(kept, below.Key)
				}
			}
			for tier := range terms {
				for n := range units[tier] + 2 {
					for _, moment := range []int64{now, end(tier, n) - 1, end(tier, n)} {
						want := "Base"
						for _, higher := range []string{"Silver", "Gold", "VIP"} {
							if units[higher] > 0 && end(higher, units[higher]) > moment {
								want = higher
							}
						}
						require.Equal(rt, want, inForce(moment), "units %v, at %d", units, moment)
					}
				}
			}
		}
	})
}
