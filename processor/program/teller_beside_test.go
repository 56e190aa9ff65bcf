package program

import (
	"fmt"
	"slices"
	"strconv"
)

// above reads who stands above the member: "invited 3" is three levels.
func (t *teller) above(f *Facts, said string) {
	n, err := strconv.Atoi(said)
	must(err)
	f.Above = n
}

// keep puts an approved purchase's counters into the member's account, as the
// books do ("counting").
func (t *teller) keep() {
	if !t.counting || !t.d.Code.OK() {
		return
	}
	f := &t.facts
	f.FirstPurchase = false
	for _, ch := range t.d.Counts {
		if c := f.find(ch.Key, ch.Bucket); c != nil {
			c.Value += ch.Value
			continue
		}
		f.Counts = append(f.Counts, ch.Count)
		slices.SortFunc(f.Counts, func(a, b Count) int {
			if a.Key != b.Key {
				return map[bool]int{true: -1, false: 1}[a.Key < b.Key]
			}
			return int(a.Bucket - b.Bucket)
		})
	}
}

// beside tells what a decision does beside its figures: rewards for those
// above, flags, and what is counted for all.
func (t *teller) beside() (out []string) {
	d := &t.d
	for _, w := range d.Rewards {
		s := fmt.Sprintf("brings level %d %s as %s", w.Level, money(w.Lot.Points), w.Rule)
		if w.Lot.Active != t.at || w.Lot.Expires != 0 {
			s += " " + t.span(w.Lot.Active, w.Lot.Expires)
		}
		out = append(out, s)
	}
	for _, f := range d.Flags {
		out = append(out, "flag "+f)
	}
	for _, w := range d.Watches {
		s := fmt.Sprintf("counts %d for the %s's %s, of %d", d.Counts[w.Count].Value, w.Subject, w.Rule, w.Limit)
		if w.Block {
			s += ", then blocks it until " + t.clock(w.Until)
		}
		out = append(out, s)
	}
	return out
}
