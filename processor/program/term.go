package program

import (
	"math"
	"time"
)

// Unit is the unit of a term.
type Unit uint8

const (
	Seconds Unit = iota
	Minutes
	Hours
	Days
	Months
	Years
)

// unitNames are the units as the document writes them.
var unitNames = [...]string{Seconds: "s", Minutes: "m", Hours: "h", Days: "d", Months: "mo", Years: "y"}

// Term is a length of time as the document writes it: 30s 15m 24h 14d 3mo 1y.
// Seconds, minutes and hours are exact; days, months and years go by local
// days. The zero Term is "at once".
type Term struct {
	N    int32
	Unit Unit
}

// Zero reports whether the term is no time at all.
func (t Term) Zero() bool { return t.N == 0 }

// calendar reports whether the term goes by local days.
func (t Term) calendar() bool { return t.Unit >= Days }

// exact is the term as a duration; days count 24 hours. It is for terms that
// the programme's calendar doesn't touch: holds and backdating.
func (t Term) exact() time.Duration {
	switch t.Unit {
	case Seconds:
		return time.Duration(t.N) * time.Second
	case Minutes:
		return time.Duration(t.N) * time.Minute
	case Hours:
		return time.Duration(t.N) * time.Hour
	}
	return time.Duration(t.N) * 24 * time.Hour
}

// addTo is the local day that lies the term after (sign 1) or before (−1) the
// given one. A month that lacks the day gives its last: 31 January and 1mo is
// 28 or 29 February.
func (t Term) addTo(day int32, sign int32) int32 {
	if t.Unit == Days {
		return day + sign*t.N
	}
	months := t.N
	if t.Unit == Years {
		months *= 12
	}
	y, m, d := civil(day)
	n := y*12 + int32(m) - 1 + sign*months
	y, m = n/12, uint8(n%12)+1
	return dayNumber(y, m, min(d, monthDays(y, m)))
}

// from is the moment from which something that begins the term after at is
// there: exact for s, m, h; else 00:00 of the local day.
func (t Term) from(at int64, a *Almanac) int64 {
	switch {
	case t.N == 0:
		return at
	case !t.calendar():
		return at + int64(t.exact())
	}
	return a.start(a.add(t, a.dayOf(at), 1))
}

// until is the moment at which something that lives for the term from at ends
// (it is there before that moment, and no longer at it): exact for s, m, h;
// else 24:00 of the local day.
func (t Term) until(at int64, a *Almanac) int64 {
	switch {
	case t.N == 0:
		return at
	case !t.calendar():
		return at + int64(t.exact())
	}
	return a.start(a.add(t, a.dayOf(at), 1) + 1)
}

// since is the first moment of a window of the term that ends at at: exact for
// s, m, h; else 00:00 of the local day.
func (t Term) since(at int64, a *Almanac) int64 {
	if !t.calendar() {
		return at - int64(t.exact())
	}
	return a.start(a.add(t, a.dayOf(at), -1))
}

const (
	daySeconds = 86400
	second     = int64(time.Second)
)

// offset is the zone's distance from UTC in seconds at a moment given in unix
// seconds.
func offset(sec int64, zone *time.Location) int64 {
	_, o := time.Unix(sec, 0).In(zone).Zone()
	return int64(o)
}

// LocalDay is the local day of a moment, in days since 1970-01-01.
func LocalDay(at int64, zone *time.Location) int32 {
	sec := floorDiv(at, second)
	return int32(floorDiv(sec+offset(sec, zone), daySeconds))
}

// dayStart is the first moment of a local day. Where clocks skip midnight that
// is the moment of the change; where they repeat it, the first of the two.
func dayStart(day int32, zone *time.Location) int64 { return clockTime(day, 0, zone) }

// clockTime is the moment at which clocks show a time of a local day, seconds
// after its midnight. Where they skip it, that is the moment of the change;
// where they show it twice, the first of the two.
func clockTime(day int32, sec int64, zone *time.Location) int64 {
	utc := int64(day)*daySeconds + sec
	// No zone changes its offset twice within six hours, so what was in force
	// six hours before decides whether there is a change near this time.
	before := offset(utc-offset(utc, zone)-6*3600, zone)
	t := utc - before
	after := offset(t, zone)
	if after == before {
		return t * second
	}
	if u := utc - after; offset(u, zone) == after {
		return u * second
	}
	start, _ := time.Unix(t, 0).In(zone).ZoneBounds()
	return start.UnixNano()
}

// civil turns days since 1970-01-01 into a date of the proleptic Gregorian
// calendar. Years are counted from 1 March, so that a leap day is a year's
// last; 146097 days are 400 years.
func civil(day int32) (year int32, month, dom uint8) {
	n := int64(day) + 719468 // days since 0000-03-01
	era := floorDiv(n, 146097)
	doe := n - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	m := (5*doy + 2) / 153 // months since March
	dom = uint8(doy - (153*m+2)/5 + 1)
	year = int32(era*400 + yoe)
	if m < 10 {
		return year, uint8(m + 3), dom
	}
	return year + 1, uint8(m - 9), dom
}

// dayNumber is the inverse of civil.
func dayNumber(year int32, month, dom uint8) int32 {
	y, m := int64(year), int64(month)
	if m <= 2 {
		y, m = y-1, m+12
	}
	era := floorDiv(y, 400)
	yoe := y - era*400
	doy := (153*(m-3)+2)/5 + int64(dom) - 1
	return int32(era*146097 + yoe*365 + yoe/4 - yoe/100 + doy - 719468)
}

func leap(year int32) bool {
	return year%4 == 0 && (year%100 != 0 || year%400 == 0)
}

// monthDays is the number of days of a month.
func monthDays(year int32, month uint8) uint8 {
	switch month {
	case 2:
		if leap(year) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func floorMod(a, b int64) int64 { return a - floorDiv(a, b)*b }

// Moments that are judged lie between these: far enough for any receipt, near
// enough that no term overflows a nanosecond clock.
const (
	minMoment = int64(0)
	maxMoment = 4_102_444_800 * int64(time.Second) // 2100-01-01
)

func clampMoment(at int64) int64 { return max(minMoment, min(at, maxMoment)) }

// never is later than any moment of this package.
const never = math.MaxInt64
