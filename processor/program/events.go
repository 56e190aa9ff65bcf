package program

import "tillgate/protocol"

// eventKind is when an event happens.
type eventKind uint8

const (
	onCustom     eventKind = iota // somebody tells of it
	onRegistered                  // the member registers
	onFirst                       // with the first purchase
	onBought                      // with a purchase of some goods
	onBirthday                    // at 00:00 of a day, in the programme's zone
	onInactive                    // likewise
)

// eventNames are the events that the server notices by itself.
var eventNames = map[string]eventKind{
	"registered": onRegistered, "first_purchase": onFirst, "bought": onBought,
	"birthday": onBirthday, "inactive": onInactive,
}

// event is an entry of `events`: a gift, a tier or both.
type event struct {
	event    string
	name     string
	kind     eventKind
	when     *cond
	goods    int
	before   int32 // onBirthday: days
	after    Term  // onInactive
	repeat   bool  // onCustom
	points   int64
	own      bool // has a lot of its own
	lotAfter Term
	lotLife  Term
	tier     int    // level, −1 for none
	term     Term   // of the tier; zero: without end
	key      uint64 // of the counter that says what was given
}

type eventRules struct {
	list     []event
	purchase bool // some come with purchases
	dated    bool // some have a date
	tiers    bool // purchases buy tiers
}

// Dated reports whether events of the programme have dates: then accounts are
// looked at when [Program.NextDate] has come.
func (p *Program) Dated() bool { return p.events.dated }

// NeedsProfile reports whether rules ask for what is personal:
// Facts.BirthMonth, BirthDay and Tags.
func (p *Program) NeedsProfile() bool { return p.profile }

// FirstGift names the event of the first purchase whose gift a counter
// reserves; false for other counters.
func (p *Program) FirstGift(key uint64) (name string, ok bool) {
	for k := range p.events.list {
		if e := &p.events.list[k]; e.kind == onFirst && e.key == key {
			return e.name, true
		}
	}
	return "", false
}

// gift gives an event's points and, but for purchases, its tier: what is
// bought is counted, and assigned when the purchase is booked
// ([Program.Bought]).
func (j *judge) gift(e *event, days *Almanac) {
	d := j.d
	if e.points > 0 {
		lot := EarnedLot{Points: e.points, Own: e.own}
		lot.Active, lot.Expires = lotDates(e.lotAfter, e.lotLife, j.at, days)
		d.Gifts = append(d.Gifts, Gift{Rule: e.name, Lot: lot})
	}
	d.Rules = append(d.Rules, protocol.RuleResult{Rule: e.name, Points: e.points})
	if e.tier >= 0 && e.kind != onFirst && e.kind != onBought {
		was := j.granted()
		given, below, changed := j.p.units(was, j.kept, e, 1, j.at, j.now)
		if changed {
			d.Counts = append(d.Counts, below)
		}
		if given != was {
			d.Grant, d.GrantUntil = given.Tier, given.Until
		}
	}
}

// granted is the tier that is assigned with what the decision gives so far.
func (j *judge) granted() Assigned {
	if j.d.Grant != "" {
		return Assigned{j.d.Grant, j.d.GrantUntil}
	}
	return Assigned{j.f.AssignedTier, j.f.AssignedUntil}
}

// kept is [Kept] by the decision and the account's counters.
func (j *judge) kept(key uint64) int64 {
	for k := len(j.d.Counts) - 1; k >= 0; k-- {
		if c := &j.d.Counts[k]; c.Set && c.Key == key {
			return c.At
		}
	}
	return j.f.Kept(key)
}

// count changes a counter for the whole receipt; line counts from 1.
func (j *judge) count(key uint64, n int64, line int) {
	j.d.Counts = append(j.d.Counts, CountChange{Count: Count{Key: key, Value: n}, Line: line})
}

// Why an event gives nothing.
const (
	becauseNotFirst = "it is not the member's first purchase"
	becauseReserved = "another purchase that is under way has it"
	becauseGiven    = "it has been given before"
)

// purchaseEvents gives what comes with a purchase: a first purchase's gift, of
// which the hold reserves the only one, and what goods bring.
func (j *judge) purchaseEvents() {
	if !j.p.events.purchase || !j.f.Present || j.f.NoEarn || j.d.Total == 0 {
		return
	}
	for k := range j.p.events.list {
		switch e := &j.p.events.list[k]; e.kind {
		case onFirst:
			if j.mayBeFirst(e) && j.holds(e.when, e.name) {
				j.opens(e.when)
				j.count(e.key, 1, 0)
				j.gift(e, &j.days)
			}
		case onBought:
			if j.applies(e.when, e.goods, e.name) {
				j.countBought(e)
				apart := j.byLine()
				j.gift(e, &j.days)
				if apart {
					j.divide(e)
				}
			}
		}
	}
}

func (j *judge) mayBeFirst(e *event) bool {
	if !j.f.FirstPurchase {
		j.skip(e.name, becauseNotFirst)
		return false
	}
	if j.f.counted(e.key, 0) > 0 {
		j.skip(e.name, becauseReserved)
		return false
	}
	return true
}

// maxByLine bounds the counters and gifts that a decision tells line by line:
// two events' for every line of the largest basket. Each is an entry of the
// journal record and of the sale, whose size has a bound.
const maxByLine = 2 * MaxLines

// byLine says whether what an event counts or gives is told line by line. A
// receipt without lines has one, and what has no room any more stands for the
// whole receipt: it goes back with all of it.
func (j *judge) byLine() bool {
	return len(j.r.Lines) > 0 && len(j.d.Counts)+len(j.d.Gifts)+len(j.lines) <= maxByLine
}

// countBought counts the units that buy a tier, by line: a return of a line
// gives them back.
func (j *judge) countBought(e *event) {
	if e.tier < 0 {
		return
	}
	apart, units := j.byLine(), int64(0)
	for i := range j.on(e.goods).each {
		if apart {
			j.count(e.key, max(j.units[i], 1), i+1)
		} else {
			units += max(j.units[i], 1)
		}
	}
	if units > 0 {
		j.count(e.key, units, 0)
	}
}

// divide spreads the gift that has just been given over the lines that have
// brought it, by what they cost: of equals if they cost nothing. So a return of
// one of them takes its part back, and a return of anything else none.
func (j *judge) divide(e *event) {
	if e.points == 0 {
		return
	}
	cost := int64(0)
	clear(j.weights)
	for i := range j.on(e.goods).each {
		j.weights[i] = j.net[i]
		cost += j.net[i]
	}
	if cost == 0 {
		for i := range j.on(e.goods).each {
			j.weights[i] = 1
		}
	}
	d := j.d
	whole := d.Gifts[len(d.Gifts)-1]
	d.Gifts = d.Gifts[:len(d.Gifts)-1]
	spread(whole.Lot.Points, j.weights, nil, j.out, j.rests)
	for i := range j.lines {
		if j.out[i] > 0 {
			part := whole
			part.Lot.Points, part.Line = j.out[i], i+1
			d.Gifts = append(d.Gifts, part)
		}
	}
}

// Happen says what an event gives that is no purchase: "registered" (with the
// promo code of the registration), or one that somebody tells of. Its gifts, counters and tier stand in d, and the tier
// in force before it. Conditions about a receipt see an empty one.
func Happen(p *Program, what string, f *Facts, r *protocol.Request, at int64, d *Decision) {
	j := d.outside(p, f, r, at)
	defer j.end()
	if what == "registered" {
		j.registered()
		j.registers = true
		j.promos()
		j.redeemCodes()
		return
	}
	for k := range p.events.list {
		e := &p.events.list[k]
		if e.kind != onCustom || e.event != what || !j.holds(e.when, e.name) {
			continue
		}
		if !e.repeat {
			if j.f.counted(e.key, 0) > 0 {
				j.skip(e.name, becauseGiven)
				continue
			}
			j.count(e.key, 1, 0)
		}
		j.gift(e, &j.home)
	}
}

// outside begins a decision about something that is no purchase.
func (d *Decision) outside(p *Program, f *Facts, r *protocol.Request, at int64) *judge {
	d.Reset()
	j := &d.scratch.judge
	j.begin(p, f, r, clampMoment(at), d)
	j.measure()
	j.pick()
	j.tierNow()
	return j
}

// registered gives what a registration brings: the welcome of who was invited,
// the events of that name, and the birthday's if the member comes between its day and the birthday.
func (j *judge) registered() {
	j.welcome()
	today := j.home.dayOf(j.at)
	for k := range j.p.events.list {
		switch e := &j.p.events.list[k]; e.kind {
		case onRegistered:
			if j.holds(e.when, e.name) {
				j.gift(e, &j.home)
			}
		case onBirthday:
			e.birthdays(j.f, today, func(year, day int32) {
				if day-e.before <= today && today <= day {
					j.birthday(e, year)
				}
			})
		}
	}
}

// Fall says what dated events give whose moments lie in [from, to]; it is
// decided as of to.
func Fall(p *Program, f *Facts, r *protocol.Request, from, to int64, d *Decision) {
	j := d.outside(p, f, r, to)
	defer j.end()
	for k := range p.events.list {
		switch e := &p.events.list[k]; e.kind {
		case onBirthday:
			e.birthdays(f, j.home.dayOf(from), func(year, day int32) {
				if at := j.home.start(day - e.before); from <= at && at <= to {
					j.birthday(e, year)
				}
			})
		case onInactive:
			if at := e.absence(f, &j.home); at != 0 && from <= at && at <= to && j.holds(e.when, e.name) {
				j.note(e, 1, f.LastPurchase)
				j.gift(e, &j.home)
			}
		}
	}
}

// note sets the counter that keeps an event from happening twice.
func (j *judge) note(e *event, value, at int64) {
	j.d.Counts = append(j.d.Counts, CountChange{Set: true, Count: Count{Key: e.key, Value: value, At: at}})
}

// birthday gives the gift of a year, once: its counter is the last year that
// had one.
func (j *judge) birthday(e *event, year int32) {
	if j.holds(e.when, e.name) {
		j.note(e, int64(year), 0)
		j.gift(e, &j.home)
	}
}

// birthdays calls fn for the birthdays around a day that have had no gift, in
// order, with their years and days.
func (e *event) birthdays(f *Facts, around int32, fn func(year, day int32)) {
	if f.BirthMonth == 0 || f.BirthDay == 0 {
		return
	}
	given := f.counted(e.key, 0)
	now, _, _ := civil(around)
	for year := now - 1; year <= now+2; year++ {
		if int64(year) > given {
			fn(year, birthdayOf(year, f.BirthMonth, f.BirthDay))
		}
	}
}

// birthdayOf is the day of a year's birthday: 29 February counts as the 28th.
func birthdayOf(year int32, month, dom uint8) int32 {
	if month == 2 && dom == 29 {
		dom = 28
	}
	return dayNumber(year, month, dom)
}

// absence is the moment at which the member has been away for the event's term;
// 0 if there is no purchase, or this absence has had its gift. An absence is
// told by the local day of its purchase: of one that is the last again, because
// a newer one came back, the account knows no more than the day.
func (e *event) absence(f *Facts, days *Almanac) int64 {
	if f.LastPurchase == 0 {
		return 0
	}
	if c := f.find(e.key, 0); c != nil && days.dayOf(c.At) == days.dayOf(f.LastPurchase) {
		return 0
	}
	return e.after.from(f.LastPurchase, days)
}

// NextDate is the first moment after another, unix ns, at which a dated event
// of the programme falls due for a member; 0 if there is none. It is that or
// earlier if the facts change by then.
func (p *Program) NextDate(f *Facts, after int64) int64 {
	days := Almanac{zone: p.zone}
	next := int64(never)
	meet := func(at int64) {
		if at > after {
			next = min(next, at)
		}
	}
	for k := range p.events.list {
		switch e := &p.events.list[k]; e.kind {
		case onBirthday:
			e.birthdays(f, days.dayOf(after), func(_, day int32) { meet(days.start(day - e.before)) })
		case onInactive:
			meet(e.absence(f, &days))
		}
	}
	if next == never {
		return 0
	}
	return next
}
