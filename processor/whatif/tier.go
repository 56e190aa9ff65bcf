package whatif

import (
	"slices"

	"tillgate/ledger"
	"tillgate/processor/program"
)

// The tier that promo codes gave with a purchase, when the purchase comes late
// or comes back: as in the switch, by the codes of the draft.

// dropTier takes out of what a sale promises the tier of a code that was used
// up: what the other codes give is left.
func (r *replay) dropTier(b *beside, code [2]uint64) {
	n := len(b.tiers)
	b.tiers = slices.DeleteFunc(b.tiers, func(t codeTier) bool { return t.code == code })
	if len(b.tiers) == n {
		return
	}
	var left program.Assigned
	for _, t := range b.tiers {
		left = r.q.Draft.Assign(left, t.gives, r.op.Time)
	}
	b.grant, b.grantUntil = left.Tier, left.Until
}

// endGranted ends the tier that a promo code gave with a sale of which nothing
// is left, if the member has it still as it was given.
func (r *replay) endGranted(a *ledger.Account, s *sale) {
	b, mine := &s.beside, &r.mine
	if mine.Grant != "" || a.Tier == "" || b.grant != a.Tier || b.grantUntil != a.TierUntil {
		return
	}
	if slices.ContainsFunc(b.tiers, func(t codeTier) bool { return t.gives.Tier == a.Tier }) {
		mine.Grant, mine.GrantUntil = a.Tier, r.op.Time
	}
}

// grantAgain promises again the tier that the codes of a sale gave, when it is
// booked again, unless others have used the code up since.
func (r *replay) grantAgain(s *sale) {
	b := &s.beside
	for _, t := range b.tiers {
		lost := false
		r.usedUp(func(_ string, keys [2]uint64) { lost = lost || keys == t.code })
		if !lost && t.gives.Tier == b.grant {
			r.mine.Grant, r.mine.GrantUntil = b.grant, b.grantUntil
		}
	}
}
