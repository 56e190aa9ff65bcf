package program

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tillgate/protocol"
)

// tBuy is one purchase of a member's life, as the twin remembers all of them.
type tBuy struct {
	at       int64
	day      int // days since the beginning; the zone is UTC
	tea      int64
	promo    bool
	paid     int64
	lifetime int64 // before it
}

// tLife answers the conditions that look back by looking through everything.
type tLife struct {
	within, quantity, sum int64
	list                  []tBuy
}

func (l *tLife) bought(now *tBuy) bool {
	var have int64
	for _, b := range l.list {
		if b.day >= now.day-int(l.within) {
			have += b.tea
		}
	}
	return have > 0 && have >= l.quantity
}

// sinceFirst: the first purchase of promo goods, perhaps this one, lies no more
// days back than the window.
func (l *tLife) sinceFirst(now *tBuy) bool {
	for _, b := range append(l.list, *now) {
		if b.promo {
			return now.day-b.day <= int(l.within)
		}
	}
	return false
}

// sinceReached: the purchase with which the sum was reached lies no more days
// back than the window; this one doesn't count.
func (l *tLife) sinceReached(now *tBuy) bool {
	for _, b := range l.list {
		if b.lifetime < l.sum && b.lifetime+b.paid >= l.sum {
			return now.day-b.day <= int(l.within)
		}
	}
	return false
}

// TestTwinOfALife plays random lives: what the counters say is what looking
// through all purchases says.
func TestTwinOfALife(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := &tLife{
			within: rapid.Int64Range(1, 9).Draw(t, "within"), quantity: rapid.Int64Range(1, 6000).Draw(t, "quantity"),
			sum: rapid.Int64Range(1, 100_000).Draw(t, "sum"),
		}
		doc := fmt.Sprintf(`
program: life
currency: KZT
earn:
  stack: sum
  rules:
    - {name: bought, when: {bought: {goods: {category: [tea]}, within: %dd, quantity: %s}}, give: {points: 1}}
    - {name: first, goods: {category: [promo]}, give: {points: 1}}
    - {name: since, when: {since_first: {rule: first, within: %dd}}, give: {points: 1}}
    - {name: reached, when: {since_reached: {sum: %s, within: %dd}}, give: {points: 1}}
`, l.within, unscaled(l.quantity, 3), l.within, unscaled(l.sum, 2), l.within)
		p, problems := Compile([]byte(doc))
		require.Empty(t, problems)
		tell := &teller{p: p}
		tell.facts = Facts{Present: true, Registered: true}
		start := time.Date(2026, 2, 20, 0, 0, 0, 0, time.UTC)
		var at time.Duration
		for range rapid.IntRange(1, 25).Draw(t, "purchases") {
			at += time.Duration(rapid.Int64Range(1, int64(4*24*time.Hour)).Draw(t, "later"))
			now := tBuy{at: start.Add(at).UnixNano(), day: int(at / (24 * time.Hour)), lifetime: tell.facts.Lifetime}
			r := &protocol.Request{}
			for k := range rapid.IntRange(1, 3).Draw(t, "lines") {
				line := protocol.Line{
					ID: fmt.Sprint(k), Category: rapid.SampledFrom([]string{"tea", "promo", "cake"}).Draw(t, "category"),
					Quantity: rapid.Int64Range(1, 3000).Draw(t, "quantity"), Amount: rapid.Int64Range(1, 10_000).Draw(t, "amount"),
				}
				if line.Category == "tea" {
					now.tea += line.Quantity
				}
				now.promo = now.promo || line.Category == "promo"
				now.paid += line.Amount
				r.Lines = append(r.Lines, line)
			}
			Evaluate(p, &tell.facts, r, now.at, &tell.d)
			got := map[string]bool{}
			for _, one := range tell.d.Rules {
				got[one.Rule] = true
			}
			require.Equal(t, l.bought(&now), got["bought"], "bought: %+v after %+v", now, l.list)
			require.Equal(t, l.sinceFirst(&now), got["since"], "since: %+v after %+v", now, l.list)
			require.Equal(t, l.sinceReached(&now), got["reached"], "reached: %+v after %+v", now, l.list)
			if rapid.Bool().Draw(t, "is booked") {
				tell.at = now.at
				tell.books()
				l.list = append(l.list, now)
			}
		}
	})
}
