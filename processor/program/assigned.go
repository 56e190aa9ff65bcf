package program

// Assigned is a tier that a member has been given, by hand or for something
// bought: a floor until it ends. The zero value is none.
type Assigned struct {
	Tier  string
	Until int64 // unix ns; 0: without an end
}

func (a Assigned) inForce(now int64) bool {
	return a.Tier != "" && (a.Until == 0 || a.Until > now)
}

// Assign is what is left of two assignments, for an account has one: the higher
// tier, of one tier the later end.
func (p *Program) Assign(a, b Assigned, now int64) Assigned {
	switch {
	case !b.inForce(now) || p.tiers.find(b.Tier) < 0:
		return a
	case !a.inForce(now):
		return b
	}
	switch x, y := p.tiers.find(a.Tier), p.tiers.find(b.Tier); {
	case y > x:
		return b
	case y < x || a.Until == 0:
		return a
	case b.Until == 0 || b.Until > a.Until:
		return b
	}
	return a
}

// Replaced keeps an assignment that a higher tier takes the place of and that
// lasts longer: a counter with its end, which is a floor as well. False if there
// is nothing to keep.
func (p *Program) Replaced(was, is Assigned, now int64) (CountChange, bool) {
	if !was.inForce(now) || was.Tier == is.Tier || is.Until == 0 || was.Until != 0 && was.Until <= is.Until {
		return CountChange{}, false
	}
	floor, ok := p.Floor(was)
	return CountChange{Count: floor, Set: true}, ok
}

// Floor is the counter that keeps an assignment beside another; false if the
// programme has no such tier.
func (p *Program) Floor(a Assigned) (Count, bool) {
	at := p.tiers.find(a.Tier)
	if at < 0 {
		return Count{}, false
	}
	floor := Count{Key: p.tiers.levels[at].floor, Value: 1, At: never}
	if a.Until != 0 {
		floor.At, floor.Until = a.Until, LocalDay(a.Until, p.zone)+2
	}
	return floor, true
}

// Join is what is left of two members' assignments when they become one member:
// the higher tier, of one tier the later end. What stands below it is kept as a
// floor if it lasts longer, or is of the same tier: a return may cut short the
// one and must not touch the other.
func (p *Program) Join(a, b Assigned, now int64) (is Assigned, keep CountChange, kept bool) {
	switch {
	case !b.inForce(now):
		return a, CountChange{}, false
	case !a.inForce(now):
		return b, CountChange{}, false
	}
	is, other := p.Assign(a, b, now), b
	if is == b {
		other = a
	}
	if other.Tier == is.Tier {
		floor, ok := p.Floor(other)
		return is, CountChange{Count: floor, Set: true}, ok
	}
	keep, kept = p.Replaced(other, is, now)
	return is, keep, kept
}

// BuysTiers reports whether counters of purchases may stand for tiers
// ([Program.Bought]).
func (p *Program) BuysTiers() bool { return p.events.tiers }

// Bought is what becomes of the member's assigned tier when a counter changes:
// one that stands for units of a tier that were bought, or come back (fewer
// than 0). Others change nothing. at is the purchase's moment, unix ns.
//
// The units of one tier follow each other, also what was assigned by hand: each
// lasts its term from the end of the one before. While a higher tier is
// assigned, a lower one that is bought has no effect.
func (p *Program) Bought(a Assigned, key uint64, units, at, now int64) Assigned {
	for k := range p.events.list {
		e := &p.events.list[k]
		if e.key != key || e.tier < 0 || e.kind != onFirst && e.kind != onBought {
			continue
		}
		switch {
		case units > 0:
			return p.prolong(a, e, units, clampMoment(at), now)
		case units < 0:
			return p.shorten(a, e, -units, clampMoment(at), now)
		}
		return a // a counter that another sale has now
	}
	return a
}

func (p *Program) prolong(a Assigned, e *event, units, at, now int64) Assigned {
	name := p.tiers.levels[e.tier].name
	held := a.inForce(now)
	if held && (p.tiers.find(a.Tier) > e.tier || a.Tier == name && a.Until == 0) {
		return a
	}
	if e.term.Zero() {
		return Assigned{Tier: name}
	}
	days := almanac{zone: p.zone}
	if !held || a.Tier != name {
		a = Assigned{name, e.term.until(at, &days)}
		units--
	}
	for ; units > 0 && a.Until < maxMoment; units-- {
		a.Until = e.term.further(a.Until, 1, &days)
	}
	return a
}

// shorten takes terms off the end. Of a tier that began with the purchase
// nothing is left, not even the day itself.
func (p *Program) shorten(a Assigned, e *event, units, at, now int64) Assigned {
	if !a.inForce(now) || a.Tier != p.tiers.levels[e.tier].name {
		return a
	}
	days := almanac{zone: p.zone}
	if a.Until == 0 {
		if e.term.Zero() {
			a.Until = now
		}
		return a
	}
	for ; units > 0 && a.Until > now; units-- {
		a.Until = e.term.further(a.Until, -1, &days)
	}
	if a.Until <= max(now, days.start(days.dayOf(at)+1)) {
		a.Until = now
	}
	return a
}

// further moves the end of something by the term: exact for s, m, h; else to
// 24:00 of the local day so much later or, with sign −1, earlier.
func (t Term) further(end int64, sign int32, a *almanac) int64 {
	if !t.calendar() {
		return end + int64(sign)*int64(t.exact())
	}
	return a.start(t.addTo(a.dayOf(end-1), sign) + 1)
}
