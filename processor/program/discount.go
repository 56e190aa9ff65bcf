package program

import (
	"tillgate/protocol"
)

// discount lets the groups of discounts act, in document order, each on what
// the ones before it have left. Inside a group the rules compete on each line.
func (j *judge) discount() {
	c := &j.p.discounts
	j.sum = j.d.Total
	if !c.present {
		return
	}
	j.tight = false
	for i := range j.lines {
		j.room[i] = j.cuttable(i)
		j.tight = j.tight || j.room[i] < j.net[i]
	}
	j.matched = j.matched[:0]
	for k := range c.rules {
		if r := &c.rules[k]; j.holds(r.when, r.name) {
			j.matched = append(j.matched, k)
		}
	}
	j.gains = resize(j.gains, len(c.rules))
	j.figures = resize(j.figures, len(j.matched)*len(j.lines))
	den := j.cutFactors()
	for g := range c.groups {
		j.cutGroup(g, den)
	}
	for k, money := range j.gains {
		if money > 0 {
			j.d.Rules = append(j.d.Rules, protocol.RuleResult{Rule: c.rules[k].name, Discount: money})
		}
	}
}

// cuttable is what discounts may take of a line at most: all of it, the least
// of its ceilings, or nothing.
func (j *judge) cuttable(i int) int64 {
	c := &j.p.discounts
	if j.banned(c.never, i) {
		return 0
	}
	room := j.net[i]
	for k := range c.ceilings {
		if o := &c.ceilings[k]; j.picks(o.goods, i) {
			room = min(room, share64(j.lines[i].Amount, o.rate, rateUnit))
		}
	}
	return room
}

// cutFactors computes by what discounts are multiplied on each line, and by
// what the figures have to be divided at the end.
func (j *judge) cutFactors() uint64 {
	c := &j.p.discounts
	j.factors = j.factors[:0]
	den := uint64(1)
	for _, k := range j.matched {
		r := &c.rules[k]
		if r.kind != cutMultiply {
			continue
		}
		if len(j.factors) == 0 {
			j.factors = resize(j.factors, len(j.lines))
			for i := range j.factors {
				j.factors[i] = 1
			}
		}
		den *= r.den
		for i := range j.lines {
			if j.picks(r.goods, i) {
				j.factors[i] *= r.num
			} else {
				j.factors[i] *= r.den
			}
		}
	}
	return den
}

// cutGroup lets one group act.
func (j *judge) cutGroup(g int, den uint64) {
	c := &j.p.discounts
	j.best = resize(j.best, len(j.lines))
	receipts := false
	for m, k := range j.matched {
		r := &c.rules[k]
		if r.group != g || j.absent(r.goods) {
			continue
		}
		if r.kind == cutPerReceipt {
			receipts = true
			continue
		}
		row := j.row(m)
		j.cutFigures(r, row)
		for i := range row {
			if !j.cutMatches(r, row, i) {
				continue
			}
			b := j.best[i] - 1
			if b >= 0 && (c.priority || !j.row(b)[i].less(row[i])) {
				row[i] = u128{}
				continue
			}
			if b >= 0 {
				j.row(b)[i] = u128{}
			}
			j.best[i] = m + 1
		}
	}
	if receipts && j.minusReceipt(g) {
		return
	}
	for m, k := range j.matched {
		if c.rules[k].group == g && c.rules[k].kind != cutPerReceipt {
			j.bookCut(m, k, den)
		}
	}
}

// cutMatches reports whether a rule matches a line: by its goods, or, where it
// counts units, by giving something on it.
func (j *judge) cutMatches(r *discountRule, row []u128, i int) bool {
	switch r.kind {
	case cutUnits, cutBundle, cutPerUnit:
		return !row[i].zero()
	}
	return j.picks(r.goods, i)
}

// cutFigures fills a rule's row with what it gives on each line, in parts of
// the money unit, within what the line may lose.
func (j *judge) cutFigures(r *discountRule, row []u128) {
	switch r.kind {
	case cutUnits:
		j.unitFigures(r, row)
	case cutBundle:
		j.bundleFigures(r, row)
	default:
		for i := range row {
			if j.picks(r.goods, i) {
				row[i] = j.cutFigure(r, i)
			}
		}
	}
	if r.kind == cutPercent && !j.tight {
		return // a share of the line is never more than the line
	}
	for i := range row {
		if limit := mul64(uint64(j.room[i]), rateUnit); limit.less(row[i]) {
			row[i] = limit
		}
	}
}

// cutFigure is what a rule that looks at one line alone gives on it.
func (j *judge) cutFigure(r *discountRule, i int) u128 {
	l := &j.lines[i]
	switch r.kind {
	case cutPercent:
		return mul64(uint64(j.net[i]), r.rate)
	case cutPerLine:
		return mul64(uint64(r.minus), rateUnit)
	case cutPerUnit:
		return mul64(uint64(r.minus), rateUnit).mul(uint64(j.units[i]))
	case cutPrice:
		quantity := l.Quantity
		if quantity == 0 {
			quantity = 1000
		}
		now := mul64(uint64(j.net[i]), rateUnit)
		then := mul64(uint64(r.price), uint64(quantity)).mul(rateUnit / 1000)
		if then.less(now) {
			return now.sub(then)
		}
	}
	return u128{}
}

// bookCut multiplies a rule's figures, rounds their sum down, once, and
// spreads it over its lines.
func (j *judge) bookCut(m, k int, den uint64) {
	c := &j.p.discounts
	r := &c.rules[k]
	row := j.row(m)
	if len(j.factors) > 0 {
		for i := range row {
			by := den
			if r.multiplied() {
				by = j.factors[i]
			}
			row[i] = row[i].mul(by)
			if limit := mul64(uint64(j.room[i]), rateUnit).mul(den); limit.less(row[i]) {
				row[i] = limit
			}
		}
	}
	sum := total(row)
	if sum.zero() {
		return
	}
	money, _ := sum.div(rateUnit * den)
	spreadExact(int64(money), row, j.weights, j.out)
	j.takeOff(k, int64(money))
}

// multiplied reports whether `multiply` touches the rule: percentages and
// sums per line or unit.
func (r *discountRule) multiplied() bool {
	return r.kind == cutPercent || r.kind == cutPerLine || r.kind == cutPerUnit
}

// takeOff books a rule's discount, spread in out.
func (j *judge) takeOff(k int, money int64) {
	j.gains[k] += money
	j.d.Discount += money
	for i, v := range j.out {
		j.cut[i] += v
		j.net[i] -= v
		j.room[i] -= v
	}
}

// minusReceipt lets sums per receipt compete with the rest of their group by
// total and reports whether one of them has won; then it is booked.
func (j *judge) minusReceipt(g int) bool {
	c := &j.p.discounts
	var lines u128
	for m, k := range j.matched {
		if c.rules[k].group == g && c.rules[k].kind != cutPerReceipt {
			lines = lines.add(total(j.row(m)))
		}
	}
	best, most := -1, int64(0)
	for m, k := range j.matched {
		r := &c.rules[k]
		if r.group != g {
			continue
		}
		if r.kind != cutPerReceipt {
			if c.priority && !total(j.row(m)).zero() {
				break
			}
			continue
		}
		give := j.minusWithin(r)
		if give > most && (c.priority || lines.less(mul64(uint64(give), rateUnit))) {
			best, most = k, give
		}
		if c.priority && best >= 0 {
			break
		}
	}
	if best < 0 {
		return false
	}
	j.minusWithin(&c.rules[best])
	Spread(most, j.weights, j.room, j.out)
	j.takeOff(best, most)
	return true
}

// minusWithin is what a sum per receipt can take of the lines of its goods; it
// leaves their weights.
func (j *judge) minusWithin(r *discountRule) int64 {
	var room int64
	for i := range j.lines {
		j.weights[i] = 0
		if j.picks(r.goods, i) && j.room[i] > 0 {
			j.weights[i] = j.net[i]
			room += j.room[i]
		}
	}
	return min(r.minus, room)
}
