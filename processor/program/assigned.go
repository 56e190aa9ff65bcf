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

// Kept tells until when (unix ns) a member has a tier beside the one assigned,
// by its counter's key ([Program.Floor]); 0: they haven't.
type Kept func(key uint64) int64

// Replaced keeps an assignment that a higher tier takes the place of: a counter
// with its end, which is a floor as well, because it may outlast the higher one,
// whose end may come sooner with a return. False if there is nothing to keep.
func (p *Program) Replaced(was, is Assigned, kept Kept, now int64) (CountChange, bool) {
	if !was.inForce(now) || p.tiers.find(was.Tier) >= p.tiers.find(is.Tier) {
		return CountChange{}, false
	}
	floor, ok := p.Floor(was)
	if !ok || floor.At <= kept(floor.Key) {
		return CountChange{}, false
	}
	return CountChange{Count: floor, Set: true}, true
}

// ByHand appends what the office's assignment of a tier changes beside it. A lower
// tier is kept and a higher one is over. The assigned one is kept as well: what is
// bought after it goes on from its end, and whatever comes back of that ends
// before it does.
func (p *Program) ByHand(was, is Assigned, kept Kept, now int64, changes []CountChange) []CountChange {
	if keep, ok := p.Replaced(was, is, kept, now); ok {
		changes = append(changes, keep)
	}
	floor, ok := p.Floor(is)
	if !ok {
		return changes
	}
	changes = append(changes, CountChange{Count: floor, Set: true})
	for k := p.tiers.find(is.Tier) + 1; k < len(p.tiers.levels); k++ {
		if key := p.tiers.levels[k].floor; kept(key) != 0 {
			changes = append(changes, CountChange{Count: Count{Key: key}, Set: true})
		}
	}
	return changes
}

// Ends is what becomes of the member's assigned tier when what has given one
// comes back: that tier is over, if it stands as it was given. below is the
// counter that has kept it.
func (p *Program) Ends(a, given Assigned, kept Kept, now int64) (is Assigned, below CountChange, changed bool) {
	if !given.inForce(now) {
		return a, below, false
	}
	if a == given {
		a.Until = now
		return a, below, false
	}
	floor, ok := p.Floor(given)
	if !ok || kept(floor.Key) != floor.At {
		return a, below, false
	}
	floor.Value = 0
	return a, CountChange{Count: floor, Set: true}, true
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
// the higher tier, of one tier the later end. What stands below it, or is of the
// same tier, is kept as a floor: a return may cut short the one and must not
// touch the other.
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
	keep, kept = p.Replaced(other, is, func(uint64) int64 { return 0 }, now)
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
// assigned, those of a lower one count beside it, from their own day, and go on
// there when it has ended. below is the counter that keeps a tier so
// ([Program.Floor]): one that has changed there, or one that a higher tier takes
// the place of.
func (p *Program) Bought(a Assigned, kept Kept, key uint64, units, at, now int64) (is Assigned, below CountChange, changed bool) {
	if e := p.events.ofTier(key); e != nil && units != 0 { // of 0: a counter that another sale has now
		return p.units(a, kept, e, units, at, now)
	}
	return a, below, false
}

// units is [Program.Bought] by the event that gives the tier.
func (p *Program) units(a Assigned, kept Kept, e *event, units, at, now int64) (is Assigned, below CountChange, changed bool) {
	level := &p.tiers.levels[e.tier]
	end := kept(level.floor)
	was, assigned := a, a.inForce(now) && a.Tier == level.name && (a.Until == 0 || a.Until >= end)
	if !assigned {
		was = Assigned{}
		if end > now {
			was = Assigned{Tier: level.name, Until: end}
			if end == never {
				was.Until = 0
			}
		}
	}
	if units > 0 {
		is = p.prolong(was, e, units, clampMoment(at), now)
	} else {
		is = p.shorten(was, e, -units, clampMoment(at), now)
		if days := (Almanac{zone: p.zone}); assigned && is.inForce(now) && is.Until != 0 &&
			days.dayOf(is.Until-1) <= days.dayOf(end-1) {
			is.Until = now // what is left of it was assigned by hand, and is kept to the second
		}
	}
	higher := a.inForce(now) && p.tiers.find(a.Tier) > e.tier
	switch {
	case assigned:
		return is, below, false
	case units > 0 && !higher && was.Tier == "":
		below, changed = p.Replaced(a, is, kept, now)
		return is, below, changed
	case is == was:
		return a, below, false
	}
	below.Count, _ = p.Floor(is)
	below.Set = true
	if !is.inForce(now) {
		below.Value = 0 // it is over
	}
	return a, below, true
}

// Lasts reports whether a unit of a tier that was bought at a moment, unix ns,
// gives it still, by a counter's key and as far as the unit's own term goes.
func (p *Program) Lasts(key uint64, at, now int64) bool {
	e := p.events.ofTier(key)
	days := Almanac{zone: p.zone}
	return e != nil && (e.term.Zero() || e.term.until(clampMoment(at), &days) > now)
}

// ofTier is the event that counts units of a tier under a key; nil for none.
func (e *eventRules) ofTier(key uint64) *event {
	for k := range e.list {
		if one := &e.list[k]; one.key == key && one.tier >= 0 && (one.kind == onFirst || one.kind == onBought) {
			return one
		}
	}
	return nil
}

// prolong adds terms to the end of an assignment of the event's tier, or begins
// one.
func (p *Program) prolong(a Assigned, e *event, units, at, now int64) Assigned {
	name := p.tiers.levels[e.tier].name
	held := a.inForce(now)
	if held && a.Until == 0 {
		return a
	}
	if e.term.Zero() {
		return Assigned{Tier: name}
	}
	days := Almanac{zone: p.zone}
	if !held {
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
	if !a.inForce(now) {
		return a
	}
	days := Almanac{zone: p.zone}
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
func (t Term) further(end int64, sign int32, a *Almanac) int64 {
	if !t.calendar() {
		return end + int64(sign)*int64(t.exact())
	}
	return a.start(t.addTo(a.dayOf(end-1), sign) + 1)
}
