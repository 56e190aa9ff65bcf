package whatif

import (
	"context"
	"fmt"
	"slices"

	"tillgate/ledger"
	"tillgate/processor/program"
)

// Apart replays a draft and tells in what the accounts of members differ at the
// end from the real ones: figures may agree by luck, accounts hardly.
func Apart(journal Journal, shop Shop, q Query) (list []string, err error) {
	r := newReplay(journal, shop, q, 1<<20)
	_, err = r.run(context.Background(), func(context.Context, int64, int64) error {
		for id, m := range r.members {
			if m.draft == nil || m.real.Into != 0 {
				continue
			}
			apart, err := r.apart(m)
			if err != nil {
				return err
			}
			for _, what := range apart {
				list = append(list, fmt.Sprintf("%v: %s", id, what))
			}
		}
		return nil
	})
	return list, err
}

// apart brings both accounts of a member to the end of the period and compares
// them.
func (r *replay) apart(m *member) (list []string, err error) {
	if err := advance(&m.real, r.q.To-1, falling{lapsed: func(int64, int64) {}}); err != nil {
		return nil, err
	}
	if err := advance(m.draft, r.q.To-1, r.falls(m)); err != nil {
		return nil, err
	}
	a, b := &m.real, m.draft
	differ := func(what string, is, would any, same bool) {
		if !same {
			list = append(list, fmt.Sprintf("%s is %v, would be %v", what, is, would))
		}
	}
	differ("tier", a.Tier, b.Tier, a.Tier == b.Tier)
	differ("end of the tier", a.TierUntil, b.TierUntil, a.TierUntil == b.TierUntil)
	differ("lots", a.Lots, b.Lots, slices.Equal(a.Lots, b.Lots))
	differ("deficit", a.Deficit, b.Deficit, a.Deficit == b.Deficit)
	differ("lifetime", a.Lifetime, b.Lifetime, a.Lifetime == b.Lifetime)
	differ("days", a.Days, b.Days, slices.Equal(a.Days, b.Days))
	differ("purchases", a.Purchases, b.Purchases, a.Purchases == b.Purchases)
	differ("first purchase", a.FirstPurchase, b.FirstPurchase, a.FirstPurchase == b.FirstPurchase)
	differ("last purchase", a.LastPurchase, b.LastPurchase, a.LastPurchase == b.LastPurchase)
	for _, c := range a.Counts {
		if slices.Contains(b.Counts, c) {
			continue
		}
		if brought, err := r.brought(c.Key); err != nil {
			return nil, err
		} else if !brought {
			list = append(list, fmt.Sprintf("the counter %+v is not there", c))
		}
	}
	return list, nil
}

// brought reports whether a counter tells what a member has brought one of those
// above, which no rule asks for and a replay doesn't count.
func (r *replay) brought(key uint64) (found bool, err error) {
	for p := range r.journal.Partitions() {
		if err := r.journal.Accounts(p, func(id ledger.AccountID) bool {
			found = found || key == program.CountKey("referral brought", id.String())
			return !found
		}); err != nil {
			return false, err
		}
	}
	return found, nil
}
