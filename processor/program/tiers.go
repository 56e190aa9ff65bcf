package program

// tierBy is what the levels are compared with.
type tierBy uint8

const (
	byLifetime tierBy = iota // all the money paid so far
	byWindow                 // the money paid on the days of a window
	bySingle                 // the largest receipt
)

// level is a tier. A threshold of 0 that isn't exclusive is everybody's.
type level struct {
	name      string
	threshold int64
	exclusive bool   // above: the sum itself doesn't count
	key       uint64 // bySingle: the counter of receipts that reach it; 0 for everybody's
	floor     uint64 // the counter that keeps an assignment which a higher tier has replaced
}

// least is the smallest sum that reaches the level.
func (l *level) least() int64 {
	if l.exclusive {
		return l.threshold + 1
	}
	return l.threshold
}

func (l *level) reached(sum int64) bool { return sum >= l.least() }

// tiers are reached by a sum of money paid. Tiers by single receipts keep one
// counter for each level, of the receipts whose money reaches it: that is
// bounded, and stays exact when receipts come back in parts.
type tiers struct {
	levels []level
	by     tierBy
	window Term
	// monthly says that what counts is the sum as of the last 1st, 00:00 in the
	// programme's zone. month is the counter that keeps it: the first booking
	// of a month notes the sum before it (one more, because a counter of
	// nothing is gone) with the month's beginning as its date.
	monthly bool
	month   uint64
}

func (t *tiers) find(name string) int {
	for i := range t.levels {
		if t.levels[i].name == name {
			return i
		}
	}
	return -1
}

// at is the highest level that a sum reaches; −1 for none.
func (t *tiers) at(sum int64) int {
	at := -1
	for i := range t.levels {
		if t.levels[i].reached(sum) {
			at = i
		}
	}
	return at
}

// largest is the sum of the highest level that a single receipt has reached.
func (t *tiers) largest(f *Facts) int64 {
	var sum int64
	for i := range t.levels {
		if l := &t.levels[i]; l.key != 0 && f.counted(l.key, 0) > 0 {
			sum = max(sum, l.least())
		}
	}
	return sum
}

// sum is what levels are compared with on a local day.
func (t *tiers) sum(f *Facts, today int32) int64 {
	switch t.by {
	case byWindow:
		return f.spentFrom(t.window.addTo(today, -1))
	case bySingle:
		return t.largest(f)
	}
	return f.Lifetime
}

// sumOf is the sum as of the beginning of a month, which is local day first and
// the moment start: as the month's first booking has noted it. If the note is
// an older month's, nothing was booked in this one and it is what the sum is
// still; without a note (nobody has asked yet) it is what the days before the
// month add up to.
func (t *tiers) sumOf(f *Facts, first int32, start int64) int64 {
	c := f.find(t.month, 0)
	switch {
	case c != nil && c.At == start:
		return c.Value - 1
	case c != nil && c.At < start && f.LastPurchase < start, t.by == bySingle:
		return t.sum(f, first)
	case t.by == byWindow:
		return f.spentFrom(t.window.addTo(first, -1)) - f.spentFrom(first)
	}
	return f.Lifetime - f.spentFrom(first)
}

// firstOfMonth is the 1st of a day's month.
func firstOfMonth(day int32) int32 {
	_, _, dom := civil(day)
	return day - int32(dom) + 1
}

// spentFrom sums what was paid from a local day on.
func (f *Facts) spentFrom(day int32) (sum int64) {
	for i := len(f.Days) - 1; i >= 0 && f.Days[i].Day >= day; i-- {
		sum += f.Days[i].Spent
	}
	return sum
}

// tierNow finds the tier in force: what the sum gives, and not below what was
// assigned.
func (j *judge) tierNow() {
	t := &j.p.tiers
	j.tier = -1
	if !j.f.Present || len(t.levels) == 0 {
		return
	}
	sum := t.sum(j.f, j.days.dayOf(j.now))
	counts := sum
	if t.monthly {
		first := firstOfMonth(j.home.dayOf(j.now))
		counts = t.sumOf(j.f, first, j.home.start(first))
	}
	j.tier = t.at(counts)
	if a := (Assigned{j.f.AssignedTier, j.f.AssignedUntil}); a.inForce(j.now) {
		j.tier = max(j.tier, t.find(a.Tier))
	}
	for i := j.tier + 1; i < len(t.levels) && len(j.f.Counts) > 0; i++ {
		if c := j.f.find(t.levels[i].floor, 0); c != nil && c.At > j.now {
			j.tier = i
		}
	}
	if j.tier >= 0 {
		j.d.Tier = t.levels[j.tier].name
	}
	if next := j.tier + 1; next < len(t.levels) {
		j.d.NextTier, j.d.NextMissing = t.levels[next].name, t.missing(next, sum)
	}
}

// missing is the money that reaches a level: with tiers by single receipts it
// is what one receipt has to come to.
func (t *tiers) missing(level int, sum int64) int64 {
	least := t.levels[level].least()
	switch {
	case sum >= least:
		return 0 // reached, and counts from the next 1st on
	case t.by == bySingle:
		return least
	}
	return least - sum
}

// Monthly reports whether bookings note the sums of a month's beginning
// ([Program.Month]).
func (p *Program) Monthly() bool { return p.tiers.monthly }

// Month notes the sum with which a month began, if now's is not noted yet: it
// belongs into each record that changes the member's sums, with the facts as
// they are before it.
func (p *Program) Month(f *Facts, now int64, changes []CountChange) []CountChange {
	t := &p.tiers
	if !t.monthly {
		return changes
	}
	first := firstOfMonth(LocalDay(now, p.zone))
	start := dayStart(first, p.zone)
	if c := f.find(t.month, 0); c != nil && c.At == start {
		return changes
	}
	return append(changes, CountChange{Set: true, Count: Count{
		Key: t.month, Value: 1 + max(t.sumOf(f, first, start), 0), At: start,
		Until: first + maxWindow,
	}})
}

// place is a store, or what several stores have in common, at which conditions
// ask for sums. A sale there counts what was paid by its local day.
type place struct {
	kind string // store_group, store or partner
	name string
	key  uint64
	days int32 // how long a day's sum matters
}

// Sale is what a booked sale is to the counters that go by money.
type Sale struct {
	Paid                  int64 // in money
	Day                   int32 // local day for which the money counts
	Store, Group, Partner string
}

// Book appends the counters that go by the money paid: receipts that reach a
// level, sums at some stores. They are booked with the sale and not reserved by
// its hold: what is not paid yet has reached nothing.
func (p *Program) Book(s Sale, changes []CountChange) []CountChange {
	if s.Paid <= 0 {
		return changes
	}
	for i := range p.tiers.levels {
		if l := &p.tiers.levels[i]; l.key != 0 && l.reached(s.Paid) {
			changes = append(changes, CountChange{Count: Count{Key: l.key, Value: 1}})
		}
	}
	for i := range p.places {
		at := &p.places[i]
		if at.name == at.of(&s) && at.name != "" {
			changes = append(changes, CountChange{Count: Count{
				Key: at.key, Bucket: s.Day, Value: s.Paid, Until: s.Day + at.days,
			}})
		}
	}
	return changes
}

func (at *place) of(s *Sale) string {
	switch at.kind {
	case "store":
		return s.Store
	case "partner":
		return s.Partner
	}
	return s.Group
}

// Recount is how one of [Program.Book]'s counters changes when what is left of
// the sale's money goes from before to after; false for counters that go by
// something else.
func (p *Program) Recount(key uint64, before, after int64) (change int64, ok bool) {
	for i := range p.tiers.levels {
		if l := &p.tiers.levels[i]; l.key == key && key != 0 {
			return reaches(l, after) - reaches(l, before), true
		}
	}
	for i := range p.places {
		if p.places[i].key == key {
			return after - before, true
		}
	}
	return 0, false
}

func reaches(l *level, sum int64) int64 {
	if l.reached(sum) {
		return 1
	}
	return 0
}
