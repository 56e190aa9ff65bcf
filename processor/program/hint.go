package program

import "tillgate/protocol"

// hints says what is missing to the next free unit and the next tier; what the
// earning rules lack they have said themselves.
func (j *judge) hints() {
	for _, k := range j.nth {
		j.hintNth(&j.p.discounts.rules[k])
	}
	j.hintTier()
}

// hintLacks says what an earning rule lacks that doesn't apply, if it is one
// thing alone and one that the member can do something about: money on this
// receipt, money in a window (this purchase counted in), or to come again in
// time. Of the last one nothing is missing but the next purchase.
func (j *judge) hintLacks(r *earnRule) {
	if r.when == nil || !r.when.lacks || j.absent(r.goods) {
		return
	}
	var lack *check
	for i := range r.when.checks {
		c := &r.when.checks[i]
		switch {
		case j.check(c):
		case lack != nil:
			return
		default:
			lack = c
		}
	}
	if lack == nil {
		return
	}
	hint := protocol.Hint{Rule: r.name, Gives: r.gives}
	switch {
	case lack.kind == factReceipt && j.sum < lack.from:
		hint.Missing = lack.from - j.sum
	case lack.kind == factSpent && j.f.Present:
		d := j.d
		hint.Missing = lack.from - j.spent(lack) - (d.Total - d.Discount - d.RedeemedMoney)
		if lack.above {
			hint.Missing++
		}
		if len(lack.places) > 0 || hint.Missing <= 0 {
			return // it is reached with this purchase, or it turns on the store
		}
	case lack.kind == factLastWithin && j.f.Present && !j.f.NoEarn:
		hint.Gives = r.again
	default:
		return
	}
	j.d.Hints = append(j.d.Hints, hint)
}

// lackable reports whether the lack of a condition is worth a hint.
func lackable(c *check) bool {
	return c.kind == factReceipt && c.from > 0 || c.kind == factSpent || c.kind == factLastWithin
}

// tells says for hints what an earning rule gives.
func (r *earnRule) tells() string {
	switch r.kind {
	case earnPercent:
		return unscaled(int64(r.rate), 4) + " %"
	case earnAdd:
		return unscaled(int64(r.rate), 4) + " % more"
	case earnPerReceipt:
		return unscaled(r.points, 2) + " points"
	case earnPerLine:
		return unscaled(r.points, 2) + " points a line"
	case earnPerUnit:
		return unscaled(r.points, 2) + " points a unit"
	case earnMultiply:
		return "times " + unscaled(int64(r.num*100/r.den), 2)
	}
	return "more points"
}

// comeAgain is what a rule gives to who comes again in time, for hints; "" if it
// doesn't ask for that.
func (r *earnRule) comeAgain() string {
	if r.when == nil {
		return ""
	}
	for i := range r.when.checks {
		if c := &r.when.checks[i]; c.kind == factLastWithin {
			return r.gives + " on a purchase within " + unscaled(int64(c.within.N), 0) + unitNames[c.within.Unit]
		}
	}
	return ""
}
