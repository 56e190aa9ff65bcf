package program

import "slices"

// priced decides what the receipt gets cheaper by and what points pay of it. It
// reports whether the decision stands.
func (j *judge) priced() bool {
	if j.r.Offline && j.r.Printed.HasPayable {
		return j.asPrinted()
	}
	j.discount()
	return j.redeemed()
}

// discount lets the groups of discounts act, in document order, each on what
// the ones before it have left. Inside a group the rules compete on each line.
func (j *judge) discount() {
	c := &j.p.discounts
	j.sum = j.d.Total
	byCode := j.promoCuts()
	if !c.present && !byCode {
		return
	}
	j.cuttable()
	if c.present {
		j.discountByRule()
	}
	if byCode {
		j.discountByCode()
	}
}

// matchDiscounts notes the rules that take part.
func (j *judge) matchDiscounts() {
	c := &j.p.discounts
	j.matched, j.place = j.matched[:0], resize(j.place, len(c.rules))
	for k := range c.rules {
		r := &c.rules[k]
		if !j.applies(r.when, r.goods, r.name) {
			continue
		}
		if r.across && !j.f.Present {
			j.skip(r.name, becauseNobody)
			continue
		}
		if r.kind == cutUnits {
			j.nth = append(j.nth, k)
		}
		j.matches(k)
	}
}

// discountByRule lets the programme's own groups act.
func (j *judge) discountByRule() {
	c := &j.p.discounts
	j.matchDiscounts()
	if j.r.Explain {
		j.cutLines = resize(j.cutLines, len(c.rules))
	}
	j.gains = resize(j.gains, len(c.rules))
	j.best, j.figure = sized(j.best, len(j.lines)), sized(j.figure, len(j.lines))
	j.win, j.row = sized(j.win, len(j.lines)), sized(j.row, len(j.lines))
	den := j.cutFactors()
	for _, group := range c.groups {
		if j.compete(group); len(j.rivals) > 0 {
			j.cutGroup(den)
		}
	}
	for _, k := range j.matched {
		r := &c.rules[k]
		switch {
		case j.gains[k] > 0:
			one := next(&j.d.Rules)
			one.Rule, one.Discount = r.name, j.gains[k]
			if j.r.Explain {
				one.Lines = j.cutLines[k]
			}
		case r.kind != cutMultiply:
			j.skip(r.name, becauseLess)
		}
	}
}

// cuttable finds what discounts may take of each line at most: all of it, the
// least of its ceilings, or nothing.
func (j *judge) cuttable() {
	c := &j.p.discounts
	copy(j.room, j.net)
	for k := range c.ceilings {
		o := &c.ceilings[k]
		for i := range j.on(o.goods).each {
			j.room[i] = min(j.room[i], share64(j.lines[i].Amount, o.rate, rateUnit))
		}
	}
	for i := range j.banned(c.never).each {
		j.room[i] = 0
	}
}

// cutFactors computes by what discounts are multiplied on each line, and by
// what the figures have to be divided at the end.
func (j *judge) cutFactors() uint64 {
	c := &j.p.discounts
	j.factors = j.factors[:0]
	den := uint64(1)
	for _, k := range j.matched {
		r := &c.rules[k]
		if r.kind == cutMultiply {
			den *= r.den
			j.multiply(r.goods, r.num, r.den)
		}
	}
	return den
}

// multiply enters a multiplier into the factors of the lines, which have the
// denominators of all multipliers in common.
func (j *judge) multiply(goods int, num, den uint64) {
	if len(j.factors) == 0 {
		j.factors = resize(j.factors, len(j.lines))
		for i := range j.factors {
			j.factors[i] = 1
		}
	}
	on := j.on(goods)
	for i := range j.factors {
		if on.has(i) {
			j.factors[i] *= num
		} else {
			j.factors[i] *= den
		}
	}
}

// cutGroup lets the rivals act: a contest on each line, then its winners.
func (j *judge) cutGroup(den uint64) {
	c := &j.p.discounts
	clear(j.best)
	receipts := false
	for _, m := range j.rivals {
		r := &c.rules[j.matched[m]]
		switch r.kind {
		case cutPerReceipt:
			receipts = true
		case cutUnits:
			if r.across {
				j.contendAll(m, j.nthFigures(r))
			} else {
				j.contendAll(m, j.unitFigures(r))
			}
		case cutBundle:
			j.contendAll(m, j.bundleFigures(r))
		case cutPercent:
			net := j.net
			for i := range j.on(r.goods).each {
				j.contend(m, i, net[i]*int64(r.rate))
			}
		default:
			for i := range j.on(r.goods).each {
				if r.kind != cutPerUnit || j.units[i] > 0 {
					j.contend(m, i, j.cutFigure(r, i))
				}
			}
		}
	}
	if receipts && j.minusReceipt() {
		return
	}
	j.wins = resize(j.wins, len(j.matched))
	for _, b := range j.best {
		if b > 0 {
			j.wins[b-1]++
		}
	}
	for _, m := range j.rivals {
		if j.wins[m] > 0 {
			j.bookCut(m, j.matched[m], den)
		}
	}
}

// emptyRow is room for the figures of one rule, all zero.
func (j *judge) emptyRow() []int64 {
	clear(j.row)
	return j.row
}

// contendAll enters a rule that counts units on the lines on which it gives
// anything: row has its figures, and is nil if there are none.
func (j *judge) contendAll(m int, row []int64) {
	for i, v := range row {
		if v > 0 {
			j.contend(m, i, v)
		}
	}
}

// contend enters what a rule gives on a line, within what is left of its price:
// the largest wins, or with `priority` the first. Ceilings come later, but a line
// that may lose no more is given nothing. A word is enough: what rules
// give on the lines of a receipt is at most MaxAmount × rateUnit, 10¹⁸.
func (j *judge) contend(m, i int, v int64) {
	if v = min(v, j.net[i]*rateUnit); j.room[i] == 0 {
		v = 0
	}
	if j.best[i] == 0 || !j.p.discounts.priority && j.win[i] < v {
		j.win[i], j.best[i] = v, m+1 // where nobody has won, win holds anything
	}
}

// cutFigure is what a rule that looks at one line alone gives on it, but for
// percentages.
func (j *judge) cutFigure(r *discountRule, i int) int64 {
	l := &j.lines[i]
	switch r.kind {
	case cutPerLine:
		return r.minus * rateUnit
	case cutPerUnit:
		return min(r.minus*j.units[i], MaxAmount) * rateUnit // no line may lose more
	case cutPrice:
		quantity := l.Quantity
		if quantity == 0 {
			quantity = 1000
		}
		now := mul64(uint64(j.net[i]), rateUnit)
		then := mul64(uint64(r.price), uint64(quantity)).mul(rateUnit / 1000)
		if then.less(now) {
			return int64(now.sub(then).lo)
		}
	}
	return 0
}

// bookCut rounds what a rule has won down, once, and spreads it over its
// lines.
func (j *judge) bookCut(m, k int, den uint64) {
	if j.wins[m] == 1 && !j.r.Explain {
		j.bookLine(k, slices.Index(j.best, m+1), den)
		return
	}
	money := int64(0)
	if len(j.factors) == 0 {
		money = j.shareWon(m)
	} else {
		money = j.shareMultiplied(m, k, den)
	}
	if money > 0 {
		j.takeOff(k, money)
	}
}

// shareWon spreads in out what a rule has won, and returns it. What rules have won
// on a receipt fits a word, as [judge.contend] says.
func (j *judge) shareWon(m int) int64 {
	best := j.best
	win, room, parts, out := j.win[:len(best)], j.room[:len(best)], j.rests[:len(best)], j.out[:len(best)]
	var sum int64
	for i, b := range best {
		v := int64(0)
		if b == m+1 {
			v = min(win[i], room[i]*rateUnit)
		}
		out[i], parts[i] = 0, uint64(v)
		sum += v
	}
	money := sum / rateUnit
	if money > 0 {
		share(money, uint64(sum), parts, out)
	}
	return money
}

// shareMultiplied is shareWon where a multiplier is in force.
func (j *judge) shareMultiplied(m, k int, den uint64) int64 {
	var sum u128
	r, figure := &j.p.discounts.rules[k], j.figure[:len(j.best)]
	for i, b := range j.best {
		figure[i] = u128{}
		if b == m+1 {
			figure[i] = j.multiplyCut(r, i, den)
			sum = sum.add(figure[i])
		}
	}
	money, _ := sum.div(rateUnit * den)
	if money > 0 {
		spreadExact(int64(money), sum, figure, j.out, j.rests)
	}
	return int64(money)
}

// bookLine is bookCut for the usual rule: one that has won a single line.
func (j *judge) bookLine(k, i int, den uint64) {
	q, _ := j.multiplyCut(&j.p.discounts.rules[k], i, den).div(rateUnit * den)
	money := int64(q)
	j.gains[k] += money
	j.d.Discount += money
	j.cut[i] += money
	j.net[i] -= money
	j.room[i] -= money
}

// multiplyCut is what a rule has won on a line, multiplied, within what the
// line may lose.
func (j *judge) multiplyCut(r *discountRule, i int, den uint64) u128 {
	if len(j.factors) == 0 {
		return u128{lo: uint64(min(j.win[i], j.room[i]*rateUnit))}
	}
	v := u128{lo: uint64(j.win[i])}
	by := den
	if r.multiplied() {
		by = j.factors[i]
	}
	v = v.mul(by)
	if limit := mul64(uint64(j.room[i]), rateUnit).mul(den); limit.less(v) {
		return limit
	}
	return v
}

// multiplied reports whether `multiply` touches the rule: percentages and
// sums per line or unit.
func (r *discountRule) multiplied() bool {
	return r.kind == cutPercent || r.kind == cutPerLine || r.kind == cutPerUnit
}

// takeOff books a rule's discount, spread in out.
func (j *judge) takeOff(k int, money int64) {
	j.gains[k] += money
	if j.r.Explain {
		j.cutLines[k] = j.perLine(false)
	}
	j.lower(money)
}

// lower takes a discount, spread in out, off the lines.
func (j *judge) lower(money int64) {
	j.d.Discount += money
	out := j.out
	cut, net, room := j.cut[:len(out)], j.net[:len(out)], j.room[:len(out)]
	for i, v := range out {
		cut[i] += v
		net[i] -= v
		room[i] -= v
	}
}

// minusReceipt lets sums per receipt compete with their other rivals by total
// and reports whether one of them has won; then it is booked. The rules on lines
// win a draw.
func (j *judge) minusReceipt() bool {
	c := &j.p.discounts
	best, most, receipts, lines := -1, int64(0), 0, int64(0)
	for i, b := range j.best {
		if b > 0 {
			lines += j.win[i]
		}
	}
	for _, m := range j.rivals {
		k := j.matched[m]
		r := &c.rules[k]
		if r.kind != cutPerReceipt {
			if c.priority && j.wonAny(m) {
				break
			}
			continue
		}
		receipts++
		give := j.minusWithin(r.minus, r.goods)
		if give > most && (c.priority || lines < give*rateUnit) {
			best, most = k, give
		}
		if c.priority && best >= 0 {
			break
		}
	}
	if best < 0 {
		return false
	}
	if receipts > 1 {
		j.minusWithin(c.rules[best].minus, c.rules[best].goods) // its weights again
	}
	spread(most, j.weights, j.room, j.out, j.rests)
	j.takeOff(best, most)
	return true
}

// wonAny reports whether a rule gives anything on a line it has won.
func (j *judge) wonAny(m int) bool {
	for i, b := range j.best {
		if b == m+1 && j.win[i] > 0 {
			return true
		}
	}
	return false
}

// minusWithin is what of a sum per receipt can be taken of the lines of its
// goods; it leaves their weights.
func (j *judge) minusWithin(minus int64, goods int) int64 {
	var room int64
	clear(j.weights)
	for i := range j.on(goods).each {
		if j.room[i] > 0 {
			j.weights[i] = j.net[i]
			room += j.room[i]
		}
	}
	return min(minus, room)
}
