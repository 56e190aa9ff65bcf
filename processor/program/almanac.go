package program

import "time"

// An Almanac answers about the days of one zone and remembers its answers: most
// receipts ask about the same few days, and asking the zone is what costs.
// The zero value is ready. It is not for several goroutines at once.
type Almanac struct {
	zone *time.Location

	// The day asked for last lies in [from, to). Days on which clocks change
	// are not remembered, so that it is one of 24 hours.
	day      int32
	from, to int64

	starts [64]struct {
		day int32
		at  int64 // 0: not known
	}
	sums [8]struct { // of terms of months and years
		term      Term // of 0 s: not known
		from, sum int32
		sign      int32
	}
}

// in turns to a zone.
func (a *Almanac) in(zone *time.Location) {
	if a.zone != zone {
		*a = Almanac{zone: zone}
	}
}

// DayStart is the first moment of the local day in which a moment lies, both
// unix ns.
func (a *Almanac) DayStart(at int64, zone *time.Location) int64 {
	a.in(zone)
	return a.start(a.dayOf(at))
}

// start is dayStart.
func (a *Almanac) start(day int32) int64 {
	s := &a.starts[uint32(day)%uint32(len(a.starts))]
	if s.day != day || s.at == 0 {
		s.day, s.at = day, dayStart(day, a.zone)
	}
	return s.at
}

// add is Term.addTo.
func (a *Almanac) add(t Term, day, sign int32) int32 {
	if t.Unit == Days {
		return day + sign*t.N
	}
	s := &a.sums[uint32(t.N*sign)%uint32(len(a.sums))]
	if s.term != t || s.from != day || s.sign != sign {
		s.term, s.from, s.sign, s.sum = t, day, sign, t.addTo(day, sign)
	}
	return s.sum
}

// dayOf is LocalDay.
func (a *Almanac) dayOf(at int64) int32 {
	if at >= a.from && at < a.to {
		return a.day
	}
	day := LocalDay(at, a.zone)
	if from, to := a.start(day), a.start(day+1); to-from == daySeconds*second {
		a.day, a.from, a.to = day, from, to
	}
	return day
}

// moment is what calendar rules ask of a time.
type moment struct {
	day     int32 // local, since 1970-01-01
	minute  int32 // of the local day
	weekday uint8 // 0 is Monday
}

// moment takes a time apart.
func (a *Almanac) moment(at int64) moment {
	day := a.dayOf(at)
	m := moment{day: day, weekday: weekdayOf(int64(day))}
	if at >= a.from && at < a.to {
		m.minute = int32((at - a.from) / (60 * second))
		return m
	}
	sec := floorDiv(at, second)
	m.minute = int32((sec + offset(sec, a.zone) - int64(day)*daySeconds) / 60)
	return m
}
