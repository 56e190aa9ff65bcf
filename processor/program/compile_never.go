package program

import "reflect"

// What can never match is refused: somebody has meant something else by it.

// contradictions refuses conditions that can't hold together.
func (c *compiler) contradictions(path string, w *cond) {
	var within, before *check
	first := false
	for i := range w.checks {
		one := &w.checks[i]
		switch one.kind {
		case factLastWithin:
			within = one
		case factLastBefore:
			before = one
		case factFirst:
			first = one.want
		}
	}
	if first && (within != nil || before != nil) || neverSince(w) {
		c.fail(path, "a first purchase has none before it, so this can never match; keep one of the conditions")
	}
	if !someDay(w) {
		c.fail(path, "none of these days lies between the two dates, so this can never match; widen the dates, or name other days")
	}
	if within != nil && before != nil && within.within.longest() <= before.within.longest() {
		c.fail(path, "no purchase is both as near and as far, so this can never match; make last_purchase_within the longer term")
	}
}

// purchase.
func neverSince(w *cond) bool {
	first, back := false, false
	for i := range w.checks {
		switch c := &w.checks[i]; c.kind {
		case factFirst:
			first = c.want
		case factBought, factSinceReached:
			back = true
		case factSpent:
			back = back || c.above || c.from > 0
		}
	}
	return first && back
}

// neverMatches refuses a rule whose goods the section leaves alone.
func (c *compiler) neverMatches(h *ruleHead, never int) {
	if h.body.r != nil && c.leftAlone(h.goods, never) {
		c.fail(h.body.at("goods"), "all of these goods are under `never`, so the rule can never match; take them out of one of the two")
	}
}

// leftAlone reports whether all of some goods are among those that a section
// leaves alone.
func (c *compiler) leftAlone(goods, never int) bool {
	return never != all && goods != all && c.within(&c.p.selectors[goods], &c.p.selectors[never])
}

// within reports whether everything that one selector picks is picked by the
// other. It may miss some such pairs, and never claims a wrong one.
func (c *compiler) within(inner, outer *selector) bool {
	if outer.priced && !(inner.priced && inner.priceFrom >= outer.priceFrom && inner.priceBelow <= outer.priceBelow) {
		return false
	}
	pairs := [][2]*set{
		{&inner.sku, &outer.sku}, {&inner.category, &outer.category}, {&inner.brand, &outer.brand},
		{&inner.supplier, &outer.supplier}, {&inner.tag, &outer.tag},
	}
	for _, p := range pairs {
		if p[1].empty() {
			continue
		}
		if p[0].empty() {
			return false
		}
		for _, name := range p[0].list {
			if !p[1].has(name) {
				return false
			}
		}
	}
	return true
}

// someDay reports whether a day of the dates that conditions name is one of the
// weekdays that they name.
func someDay(w *cond) bool {
	var days, dates *check
	for i := range w.checks {
		switch one := &w.checks[i]; one.kind {
		case factWeekdays:
			days = one
		case factBetween:
			dates = one
		}
	}
	if days == nil || dates == nil || days.weekdays == 0 || dates.from > dates.to {
		return true // or refused already
	}
	for day := dates.from; day <= min(dates.to, dates.from+6); day++ {
		if days.weekdays&(1<<weekdayOf(day)) != 0 {
			return true
		}
	}
	return false
}

// weekdayOf is the place of a day's name in dayNames. 1970-01-01 was a Thursday.
func weekdayOf(day int64) uint8 { return uint8(floorMod(day+3, 7)) }

// spendCapNever refuses a cap that is never used: `never` leaves its goods
// alone, or one before it matches whenever it does.
func (c *compiler) spendCapNever(b object, one *spendCap) {
	if c.leftAlone(one.goods, c.p.redeem.never) {
		c.fail(b.at("goods"), "all of these goods are under `never`, so the cap can never be used; take them out of one of the two")
	}
	if len(c.problems) > 0 {
		return // what can't be read says nothing
	}
	for i := range c.p.redeem.caps {
		first := &c.p.redeem.caps[i]
		if (first.goods == all) != (one.goods == all) || !implied(first.when, one.when) {
			continue
		}
		if first.goods == all || c.within(&c.p.selectors[one.goods], &c.p.selectors[first.goods]) {
			c.fail(b.path, "%s matches whenever this does and comes first, so this can never be used; move it up, or take it out", first.name)
			return
		}
	}
}

// implied reports whether conditions hold whenever others do. It may miss some
// such pairs, and never claims a wrong one.
func implied(cond, by *cond) bool {
	if cond == nil {
		return true
	}
	if by == nil {
		return false
	}
	for i := range cond.checks {
		found := false
		for k := range by.checks {
			found = found || cond.checks[i].impliedBy(by.checks[k])
		}
		if !found {
			return false
		}
	}
	return true
}

func (c check) impliedBy(by check) bool {
	if c.kind != by.kind {
		return false
	}
	if c.names.empty() || by.names.empty() {
		c.because, by.because = "", ""
		switch c.kind {
		case factTier:
			return by.levels&^c.levels == 0
		case factWeekdays:
			return by.weekdays&^c.weekdays == 0
		case factReceipt:
			return c.from <= by.from && by.to <= c.to
		}
		return reflect.DeepEqual(c, by)
	}
	for _, name := range by.names.list {
		if !c.names.has(name) {
			return false
		}
	}
	return true
}
