package iso8583

import "time"

// times reads DE7, DE12 and DE13. None of them holds a year. DE7 (GMT) is
// taken in the year that puts it nearest to the server's clock, DE12 and DE13
// (the store's local time) in the year nearest to DE7, or to the clock where
// there is no DE7. So a message of 31 December that comes in on 1 January
// stays in its year.
func (r *mapper) times(in Inbound) {
	near := in.Now
	if sent := r.Get(7); len(sent) > 0 {
		moment, ok := nearest(in.Now, time.UTC, sent[:4], sent[4:])
		if !ok {
			r.refuse(7, OutOfRange)
			return
		}
		near = moment
	}
	clock, date := r.Get(12), r.Get(13)
	if len(clock) == 0 && len(date) == 0 {
		return
	}
	r.need(12, 13)
	if len(clock) == 0 || len(date) == 0 {
		return
	}
	if _, _, _, ok := clockOf(clock); !ok {
		r.refuse(12, OutOfRange)
		return
	}
	local := time.UTC
	if in.Zone != nil {
		if zone := in.Zone(r.req.Terminal, r.req.Store); zone != nil {
			local = zone
		}
	}
	moment, ok := nearest(near, local, date, clock)
	if !ok {
		r.refuse(13, OutOfRange)
		return
	}
	_, offset := moment.Zone()
	r.req.At.Unix, r.req.At.Offset, r.req.At.Set = moment.UnixNano(), int32(offset), true
}

// nearest is MMDD and hhmmss in the year that puts it nearest to a moment. A
// 29 February is looked for among the years around that have one.
func nearest(to time.Time, zone *time.Location, date, clock []byte) (best time.Time, ok bool) {
	month, day := two(date), two(date[2:])
	hour, minute, second, fine := clockOf(clock)
	if !fine || month < 1 || month > 12 || day < 1 {
		return best, false
	}
	year := to.In(zone).Year()
	for _, y := range [...]int{year, year - 1, year + 1} {
		if day > daysIn(y, month) {
			continue
		}
		t := time.Date(y, time.Month(month), day, hour, minute, second, 0, zone)
		away := t.Sub(to).Abs()
		if !ok || away < best.Sub(to).Abs() {
			best, ok = t, true
		}
		if away < halfYear {
			break // no other year can be nearer
		}
	}
	return best, ok
}

// halfYear is less than half of the shortest year, by more than a zone's
// offset can change.
const halfYear = 180 * 24 * time.Hour

func daysIn(year, month int) int {
	if month == 2 && (year%4 != 0 || year%100 == 0 && year%400 != 0) {
		return 28
	}
	return [...]int{31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}[month-1]
}

// clockOf reads hhmmss.
func clockOf(b []byte) (hour, minute, second int, ok bool) {
	hour, minute, second = two(b), two(b[2:]), two(b[4:])
	return hour, minute, second, hour < 24 && minute < 60 && second < 60
}

func two(b []byte) int { return int(b[0]-'0')*10 + int(b[1]-'0') }
