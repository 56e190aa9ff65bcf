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

// endGranted ends the tiers that promo codes gave with a sale of which nothing is
// left, if the member has them still as they were given.
func (r *replay) endGranted(a *ledger.Account, s *sale) {
	mine := &r.mine
	was := program.Assigned{Tier: a.Tier, Until: a.TierUntil}
	if mine.Grant != "" {
		was = program.Assigned{Tier: mine.Grant, Until: mine.GrantUntil}
	}
	now := was
	for _, t := range s.beside.tiers {
		is, below, changed := r.q.Draft.Ends(now, t.gives, r.kept(a), r.op.Time)
		if changed {
			mine.Counts = append(mine.Counts, countOf(below))
		}
		now = is
	}
	if now != was {
		mine.Grant, mine.GrantUntil = now.Tier, now.Until
	}
}

// grantAgain promises again the tiers that the codes of a sale gave, when it is
// booked again, unless others have used the code up since.
func (r *replay) grantAgain(s *sale) {
	var given program.Assigned
	for _, t := range s.beside.tiers {
		lost := false
		r.usedUp(func(_ string, keys [2]uint64) { lost = lost || keys == t.code })
		if !lost {
			given = r.q.Draft.Assign(given, t.gives, r.op.Time)
		}
	}
	r.mine.Grant, r.mine.GrantUntil = given.Tier, given.Until
}
