package program

import (
	"strconv"
	"time"
)

// ParseTerm reads a term as the document writes it, like 30s 15m 24h 14d 3mo
// 1y. False if it is none.
func ParseTerm(text string) (Term, bool) {
	m := termForm.FindStringSubmatch(text)
	if m == nil {
		return Term{}, false
	}
	v, _ := strconv.Atoi(m[1]) // the form allows few digits
	t := Term{N: int32(v)}
	for i, u := range unitNames {
		if u == m[2] {
			t.Unit = Unit(i)
		}
	}
	return t, true
}

// Until is the moment, unix ns, at which something that lives for the term
// from at ends: exact for s, m, h; else 24:00 of the local day.
func (t Term) Until(at int64, zone *time.Location) int64 {
	return t.until(clampMoment(at), &Almanac{zone: zone})
}
