package processor

import (
	"time"

	"tillgate/protocol"
)

// moment is when a request happens.
type moment struct {
	now    int64 // the ledger's time, unix ns
	at     int64 // the business date by which it is decided, unix ns
	offset int32 // seconds east of UTC in which at is told
	moved  bool  // at was too far off and is the server's
	early  bool  // at is older than the programme's backdate, or in the future
	zone   *time.Location
}

// warnMoved is the warning of an answer that was decided by the server's time.
const warnMoved = "the request's time is more than five minutes off: it was decided by the server's time"

// moment says by which time the request is decided. An online request's own
// time counts while it is near the server's: a till's clock must not buy happy
// hours. An offline receipt or an advice follows its own time within the
// programme's backdate. A quote follows whatever it is asked for.
func (t *Task) moment(now int64) moment {
	r := t.request()
	m := moment{now: now, at: now, zone: t.zone()}
	asked, offset, set := t.asked(now, m.zone)
	m.offset = offset
	if !set {
		return m
	}
	skew := int64(t.s.o.ClockSkew)
	switch {
	case r.Call == protocol.CallQuote:
		m.at = asked
	case r.Offline || r.ISO.Advice:
		m.at = asked
		m.early = asked > now+skew || asked < now-t.s.programs.backdate(r.Caller.Merchant, now)
	case asked > now+skew || asked < now-skew:
		m.moved = true
	default:
		m.at = asked
	}
	return m
}

// asked is the time that the request itself tells: RFC 3339 in JSON, the local
// time of DE12 and DE13 on the ISO edge.
func (t *Task) asked(now int64, zone *time.Location) (at int64, offset int32, set bool) {
	r := t.request()
	if r.At.Set {
		return r.At.Unix, r.At.Offset, true
	}
	if at, ok := localTime(r.ISO.LocalDate, r.ISO.LocalTime, now, zone); ok {
		return at, offsetAt(at, zone), true
	}
	return now, offsetAt(now, zone), false
}

// zone is the time zone of the request's store.
func (t *Task) zone() *time.Location { return t.zoneOf(t.request().Store) }

// zoneOf is a store's time zone, else the programme's, else the default.
func (t *Task) zoneOf(store string) *time.Location {
	merchant := t.request().Caller.Merchant
	if z := t.s.directories.of(merchant).zone(store); z != nil {
		return z
	}
	if z := t.s.programs.zone(merchant); z != nil {
		return z
	}
	return t.s.o.Zone
}

// localTime reads DE13 (MMDD) and DE12 (hhmmss) in the year that brings them
// nearest to now.
func localTime(date, clock string, now int64, zone *time.Location) (int64, bool) {
	month, ok1 := twoDigits(date, 0)
	day, ok2 := twoDigits(date, 2)
	hour, ok3 := twoDigits(clock, 0)
	minute, ok4 := twoDigits(clock, 2)
	second, ok5 := twoDigits(clock, 4)
	if !(ok1 && ok2 && ok3 && ok4 && ok5) || len(date) != 4 || len(clock) != 6 {
		return 0, false
	}
	if month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	year := time.Unix(0, now).In(zone).Year()
	var best int64
	for i, y := range [...]int{year, year - 1, year + 1} {
		at := time.Date(y, time.Month(month), day, hour, minute, second, 0, zone)
		if at.Day() != day {
			continue // 29 February of another year
		}
		n := at.UnixNano()
		if i == 0 || best == 0 || distance(n, now) < distance(best, now) {
			best = n
		}
	}
	return best, best != 0
}

func distance(a, b int64) int64 {
	if a > b {
		return a - b
	}
	return b - a
}

func twoDigits(s string, i int) (int, bool) {
	if len(s) < i+2 || s[i] < '0' || s[i] > '9' || s[i+1] < '0' || s[i+1] > '9' {
		return 0, false
	}
	return int(s[i]-'0')*10 + int(s[i+1]-'0'), true
}

// offsetAt is the zone's distance from UTC at a moment, in seconds.
func offsetAt(at int64, zone *time.Location) int32 {
	_, o := time.Unix(0, at).In(zone).Zone()
	return int32(o)
}

// otherMonth reports whether two moments lie in different local months: what
// happened in one and is booked in another is late for the closed month.
func otherMonth(at, booked int64, zone *time.Location) bool {
	y1, m1, _ := time.Unix(0, at).In(zone).Date()
	y2, m2, _ := time.Unix(0, booked).In(zone).Date()
	return y1 != y2 || m1 != m2
}
