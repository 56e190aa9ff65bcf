package program

import "slices"

// IsMark reports whether a counter of the programme holds a mark, which a
// later one replaces (the year of the last birthday's gift, the purchase
// after which an absence was noticed, the moment at which a sum was reached, the
// end of an assigned tier),
// rather than a number of something. Two members' numbers add up in a merge;
// of two marks the later one counts.
func (p *Program) IsMark(key uint64) bool {
	return slices.ContainsFunc(p.tiers.levels, func(l level) bool { return l.floor == key }) ||
		slices.ContainsFunc(p.reached, func(r reachedSum) bool { return r.key == key }) ||
		slices.ContainsFunc(p.events.list, func(e event) bool {
			return e.key == key && (e.kind == onBirthday || e.kind == onInactive)
		})
}

// StaysBehind reports whether a counter means nothing to the account that takes
// over in a merge: the sum with which a month began is that of one member. The
// other's own note stays; without one, the joint sums of the days tell.
func (p *Program) StaysBehind(key uint64) bool {
	return p.tiers.monthly && p.tiers.month == key
}
