package program

import "time"

// Grant is an entry of `grants`: points for the members of a segment, once or
// at moments that come again.
type Grant struct {
	name, segment, reason string
	at                    int64 // unix ns: the first moment
	every                 Term  // zero: once
	text                  string
	until                 int64 // unix ns: no moment at or after it; 0: no end
	points                int64 // hundredths, for each member
	own                   bool  // has a lot of its own
	lotAfter, lotLife     Term
	zone                  *time.Location
}

// Name is what the grant is known by: with its moments it says what a member
// has had, in every version of the programme.
func (g *Grant) Name() string { return g.name }

// Segment is the name of the segment whose members get it.
func (g *Grant) Segment() string { return g.segment }

// Reason is the sentence that stands in the members' history.
func (g *Grant) Reason() string { return g.reason }

// At is the first moment, unix ns.
func (g *Grant) At() int64 { return g.at }

// Every is how far its moments lie apart, as the document writes it; "" for
// once.
func (g *Grant) Every() string { return g.text }

// Until is the first moment after its end, unix ns; 0 for no end.
func (g *Grant) Until() int64 { return g.until }

// Points are what each member gets, hundredths.
func (g *Grant) Points() int64 { return g.points }

// Lot is the lot that a member gets at a moment, unix ns. Own says that it has
// a term of its own.
func (g *Grant) Lot(at int64) EarnedLot {
	lot := EarnedLot{Points: g.points, Own: g.own}
	lot.Active, lot.Expires = lotDates(g.lotAfter, g.lotLife, clampMoment(at), &Almanac{zone: g.zone})
	return lot
}

// Newest is the newest moment of the grant in (after, upTo], unix ns; 0 for
// none.
//
// The first moment is `at` itself. Those that follow have its time of day by
// the clocks of the programme's zone, on the day that lies so many terms after
// the first one's: from 31 January monthly it is the last day of each month
// that has no 31st. Where clocks skip the time it is the moment of the change,
// where they show it twice the first of the two.
func (g *Grant) Newest(after, upTo int64) int64 {
	k := g.steps(upTo)
	for k > 0 && g.moment(k) > upTo {
		k--
	}
	at := g.moment(k)
	if g.until != 0 {
		for k > 0 && at >= g.until {
			k--
			at = g.moment(k)
		}
	}
	if at > upTo || at <= after {
		return 0
	}
	return at
}

// Next is the first moment of the grant after another, unix ns; 0 for none.
func (g *Grant) Next(after int64) int64 {
	if g.at > after {
		return g.at
	}
	if g.every.Zero() {
		return 0
	}
	k := max(g.steps(after)-1, 0)
	for g.moment(k) <= after {
		k++
	}
	if at := g.moment(k); g.until == 0 || at < g.until {
		return at
	}
	return 0
}

// Has reports whether a moment is one of the grant's.
func (g *Grant) Has(at int64) bool { return g.Newest(at-1, at) == at }

// steps is a number of terms after the first moment that reaches another or
// goes one beyond it; 0 for a grant that comes once.
func (g *Grant) steps(to int64) int32 {
	if g.every.Zero() || to <= g.at {
		return 0
	}
	first, last := LocalDay(g.at, g.zone), LocalDay(clampMoment(to), g.zone)
	if g.every.Unit == Days {
		return (last-first)/g.every.N + 1
	}
	y1, m1, _ := civil(first)
	y2, m2, _ := civil(last)
	months := g.every.N
	if g.every.Unit == Years {
		months *= 12
	}
	return ((y2-y1)*12+int32(m2)-int32(m1))/months + 1
}

// moment is the k-th moment after the first.
func (g *Grant) moment(k int32) int64 {
	if k == 0 {
		return g.at
	}
	first := LocalDay(g.at, g.zone)
	sec := floorDiv(g.at, second)
	clock := sec + offset(sec, g.zone) - int64(first)*daySeconds
	day := Term{g.every.N * k, g.every.Unit}.addTo(first, 1)
	return clockTime(day, clock, g.zone)
}

// Grants are the programme's grants, in the order of the document.
func (p *Program) Grants() []Grant { return p.grants }

// Grant finds a grant by its name; nil if there is none.
func (p *Program) Grant(name string) *Grant {
	for i := range p.grants {
		if p.grants[i].name == name {
			return &p.grants[i]
		}
	}
	return nil
}

// GrantKey is the counter by which an account knows that it has had a moment,
// unix ns, of a grant.
func GrantKey(name string, at int64) uint64 {
	return CountKey("grant", name, time.Unix(0, at).UTC().Format(time.RFC3339))
}

// reminder is an entry of `remind`.
type reminder struct {
	before Term
	text   string
}

// Reminders are how many terms of reminders the programme has.
func (p *Program) Reminders() int { return len(p.remind) }

// Reminder is what term k, as the document writes it, reminds of at a moment:
// points that lapse before until, both unix ns. Terms in days go by the
// programme's calendar: with 7d, what lapses on a day is told of from 00:00 of
// the seventh day before it.
func (p *Program) Reminder(k int, now int64) (before string, until int64) {
	r := &p.remind[k]
	now = clampMoment(now)
	if !r.before.calendar() {
		return r.text, now + int64(r.before.exact()) + 1
	}
	today := LocalDay(now, p.zone)
	day := r.before.addTo(today, 1)
	for r.before.addTo(day, -1) <= today {
		day++
	}
	return r.text, dayStart(day, p.zone)
}
