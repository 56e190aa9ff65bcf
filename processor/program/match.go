package program

import (
	"slices"

	"tillgate/protocol"
)

// judge is one evaluation in progress. It lives in the Decision, so that its
// slices are used again by the next.
type judge struct {
	p    *Program
	f    *Facts
	r    *protocol.Request
	d    *Decision
	at   int64
	now  int64
	days Almanac // of the store
	home Almanac // of the programme: months of tiers, dated events

	local     moment
	localDone bool
	spans     [2]span // the day and the hour of now, where they are known
	tier      int     // level, −1 for none
	sum       int64   // what `receipt:` looks at just now

	lines     []protocol.Line
	anonymous [1]protocol.Line

	sets   []bitset // all lines, those that each selector picks, and one for use by hand
	more   []uint64 // their words beyond the first
	picked bitset   // the selectors that pick a line

	slab []int64 // the per-line slices below are cut from it
	// Per line: net is what remains of the amount after discounts, room what
	// discounts may still take, base what earns, money what points pay.
	net, room, cut, money, base, earned []int64
	weights, caps, out                  []int64
	units                               []int64  // whole ones, 0 of a weighed line
	factors                             []uint64 // of multiply
	win, row                            []int64  // of discounts, in parts of rateUnit: the winner's figure on each line, and one rule's
	figure                              []u128   // of a discount, multiplied
	figures                             []u128   // of earning: rows of a figure for each line
	matched                             []int    // rules whose conditions hold, by number
	rates                               []uint64 // of each matched
	rests                               []uint64 // scratch of spread
	won                                 []bool   // of each matched: it counts on some line, or on the receipt
	wins                                []int    // of each matched: lines it has won
	place                               []int    // of each rule of the section: its place in matched + 1
	rivals                              []int    // the places in matched of the rules of one group
	best                                []int    // winner of each line, its place in matched + 1
	gains                               []int64  // of each rule of the section
	runs, group                         []unitRun
	parts, taken                        []int64
	pieces                              []protocol.Piece
	codes                               []promoState // of the request's promo codes
	nth                                 []int        // rules about N-th units whose conditions hold
	given                               []givenUnit  // what those across receipts make free
	asking                              int          // the rule being looked back on, its place in firsts + 1
	registers                           bool         // no purchase: a registration
	shown                               []protocol.RuleLine
	cutLines                            [][]protocol.RuleLine // of each discount, with Explain
}

// resize gives a slice of n zeros that reuses s.
func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	s = s[:n]
	clear(s)
	return s
}

// next lengthens a list by an empty item, to be filled in place: a composite
// value that is appended is made elsewhere first, and reading it back before it
// has been written costs more than all else about it.
func next[T any](list *[]T) *T {
	n := len(*list)
	if n == cap(*list) {
		*list = slices.Grow(*list, 1)
	}
	*list = (*list)[:n+1]
	one := &(*list)[n]
	*one = *new(T)
	return one
}

// sized gives a slice of n items that reuses s; they hold anything.
func sized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// pick finds, for each selector, the lines that it picks.
func (j *judge) pick() {
	x := &j.p.index
	j.sets = resize(j.sets, 1+len(j.p.selectors)+1)
	if words := moreWords(len(j.lines)); words > 0 {
		j.more = resize(j.more, len(j.sets)*words)
		for k := range j.sets {
			j.sets[k].more = j.more[k*words:][:words]
		}
	}
	j.picked.more = resize(j.picked.more, len(x.every.more))
	j.sets[0].fill(len(j.lines))
	sets := j.sets[1:]
	for i := range j.lines {
		x.pick(&j.lines[i], &j.picked)
		for sel := range j.picked.each {
			sets[sel].add(i)
		}
	}
}

// on is the set of the lines that a selector picks.
func (j *judge) on(sel int) *bitset { return &j.sets[1+sel] }

// limited is the set of the lines that `never` or a ceiling is about. It is there
// until the next.
func (j *judge) limited(never int, ceilings []ceiling) *bitset {
	u := &j.sets[len(j.sets)-1]
	u.first = 0
	clear(u.more)
	if never != all {
		u.widen(j.on(never))
	}
	for k := range ceilings {
		u.widen(j.on(ceilings[k].goods))
	}
	return u
}

var noLines bitset

// banned is on for `never`, where no selector means no line.
func (j *judge) banned(sel int) *bitset {
	if sel == all {
		return &noLines
	}
	return j.on(sel)
}

// absent reports whether a selector picks no line of the receipt.
func (j *judge) absent(sel int) bool { return sel != all && j.on(sel).empty() }

// unitPrice is the price that price bands look at: the line's own, else its
// amount by its quantity, rounded down.
func unitPrice(l *protocol.Line) int64 {
	if l.Price > 0 || l.Quantity <= 0 {
		return max(l.Price, 0)
	}
	return Proportion(1000, max(l.Quantity, 1000), l.Amount)
}

// wholeUnits is the number of units of a whole-quantity line, 0 for a weighed
// one. A line without a quantity is one unit.
func wholeUnits(l *protocol.Line) int64 {
	if l.Quantity == 0 {
		return 1
	}
	if l.Quantity%1000 != 0 {
		return 0
	}
	return l.Quantity / 1000
}

// Why a rule does nothing, though its conditions hold.
const (
	becauseGoods = "the receipt has none of its goods"
	becauseLess  = "other rules give more on its lines, or nothing is left to give"
)

// applies reports whether a rule's conditions hold and the receipt has any of
// its goods. With Explain, what doesn't hold is noted.
func (j *judge) applies(when *cond, goods int, rule string) bool {
	if when != nil && !j.holds(when, rule) {
		return false
	}
	if j.absent(goods) {
		j.skip(rule, becauseGoods)
		return false
	}
	j.opens(when)
	return true
}

// matches notes that the conditions of rule k of the section hold.
func (j *judge) matches(k int) {
	j.matched = append(j.matched, k)
	j.place[k] = len(j.matched)
}

// compete finds those of a group's rules whose conditions hold.
func (j *judge) compete(group []int) {
	j.rivals = j.rivals[:0]
	for _, k := range group {
		if at := j.place[k]; at > 0 {
			j.rivals = append(j.rivals, at-1)
		}
	}
}

// skip notes, with Explain, why a rule does nothing.
func (j *judge) skip(rule, because string) {
	if j.r.Explain {
		j.d.Skipped = append(j.d.Skipped, protocol.Skipped{Rule: rule, Because: because})
	}
}

// holds reports whether all conditions hold. With Explain, the first that
// doesn't is noted under the rule's name.
func (j *judge) holds(c *cond, rule string) bool {
	if c == nil {
		return true
	}
	for i := range c.checks {
		if !j.check(&c.checks[i]) {
			if rule != "" {
				j.skip(rule, c.checks[i].because)
			}
			return false
		}
	}
	return true
}

func (j *judge) check(c *check) bool {
	switch c.kind {
	case factTier:
		return j.tier >= 0 && c.levels>>j.tier&1 == 1
	case factCardType:
		return j.f.Present && c.names.has(j.f.CardType)
	case factChannel:
		return c.names.has(j.r.Channel)
	case factStore:
		return c.names.has(j.r.Store)
	case factStoreGroup:
		return c.names.has(j.storeGroup())
	case factPartner:
		return c.names.has(j.f.Partner)
	case factCashier:
		return c.names.has(j.r.Cashier)
	case factTender:
		return j.tendered(&c.names)
	case factTag:
		return j.f.Present && c.names.hasAny(j.f.Tags)
	case factReceipt:
		return j.sum >= c.from && j.sum < c.to
	case factReceiptHas:
		return j.receiptHas(c)
	case factPromo:
		return j.carried(c.codes)
	case factWeekdays, factHours, factBetween, factBirthday:
		return j.checkCalendar(c)
	}
	return j.f.Present && j.checkHistory(c)
}

// storeGroup is the directory's, else what the till says.
func (j *judge) storeGroup() string {
	if j.f.StoreGroup != "" {
		return j.f.StoreGroup
	}
	return j.r.StoreGroup
}

func (j *judge) tendered(names *set) bool {
	for i := range j.r.Payments {
		if names.has(j.r.Payments[i].Tender) {
			return true
		}
	}
	return false
}

// receiptHas counts what the selector picks: any line if no quantity is
// asked for.
func (j *judge) receiptHas(c *check) bool {
	var have int64
	for i := range j.on(c.goods).each {
		have += max(j.lines[i].Quantity, 1)
		if j.lines[i].Quantity == 0 {
			have += 999 // without a quantity: one unit
		}
	}
	return have > 0 && have >= c.quantity
}

func (j *judge) checkCalendar(c *check) bool {
	if !j.localDone {
		j.local, j.localDone = j.days.moment(j.at), true
	}
	m := &j.local
	switch c.kind {
	case factWeekdays:
		return c.weekdays>>m.weekday&1 == 1
	case factHours:
		if c.from < c.to {
			return int64(m.minute) >= c.from && int64(m.minute) < c.to
		}
		return int64(m.minute) >= c.from || int64(m.minute) < c.to
	case factBetween:
		return int64(m.day) >= c.from && int64(m.day) <= c.to
	}
	return j.f.Present && birthdayNear(m.day, j.f.BirthMonth, j.f.BirthDay, int32(c.from), int32(c.to))
}

// birthdayNear reports whether a day lies in [birthday − before, birthday +
// after] of this year's, the last year's or the next year's birthday. 29
// February counts as the 28th, in every year.
func birthdayNear(day int32, month, dom uint8, before, after int32) bool {
	if month == 0 || dom == 0 {
		return false
	}
	year, _, _ := civil(day)
	since := day - birthdayOf(year, month, dom)
	switch {
	case since >= -before && since <= after:
		return true
	case since >= 365-before: // far enough into the year for the next one
		return day >= birthdayOf(year+1, month, dom)-before
	case since <= after-365:
		return day <= birthdayOf(year-1, month, dom)+after
	}
	return false
}

func (j *judge) checkHistory(c *check) bool {
	switch c.kind {
	case factLastWithin:
		return j.f.LastPurchase != 0 && j.f.LastPurchase >= c.within.since(j.at, &j.days)
	case factLastBefore:
		return j.f.LastPurchase != 0 && j.f.LastPurchase < c.within.since(j.at, &j.days)
	case factFirst:
		return j.f.FirstPurchase == c.want
	case factSpent:
		sum := j.spent(c)
		return sum > c.from || sum == c.from && !c.above
	case factBought:
		return j.boughtWithin(c)
	case factSinceFirst:
		return j.sinceFirst(c)
	case factSinceReached:
		return j.sinceReached(c)
	}
	return false
}

// spent sums what was paid on the days of a window that ends at the server's
// time, perhaps at some stores only.
func (j *judge) spent(c *check) int64 {
	from := j.days.add(c.within, j.days.dayOf(j.now), -1)
	if len(c.places) == 0 {
		return j.f.spentFrom(from)
	}
	var sum int64
	for _, key := range c.places {
		sum += j.f.countedFrom(key, from)
	}
	return sum
}
