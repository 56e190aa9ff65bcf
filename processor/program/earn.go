package program

import "math"

// earn decides what the purchase earns: the contest of the rules on each line,
// then add_percent, multiply, ceilings and never; then each rule's own figure
// is rounded once and spread over its lines.
//
// Figures are kept whole until then, in parts of a point: one row for each
// rule whose conditions hold, with a figure for each line.
func (j *judge) earn() {
	e := &j.p.earn
	j.sum = j.d.Total - j.d.Discount
	if !e.present || !j.f.Present || j.f.NoEarn || j.d.Total == 0 ||
		j.p.redeem.either && j.d.Redeemed > 0 {
		return
	}
	base := j.base
	net, money := j.net[:len(base)], j.money[:len(base)]
	for i := range base {
		base[i] = net[i] - money[i]
		if e.gross {
			base[i] = j.lines[i].Amount
		}
	}
	j.matchEarn()
	j.figures = resize(j.figures, len(j.matched)*len(j.lines))
	j.won = resize(j.won, len(j.matched))
	for _, group := range e.groups {
		if j.compete(group); len(j.rivals) > 0 {
			j.earnGroup()
		}
	}
	j.addPercents()
	by := j.multiplyEarn()
	by = j.limitEarn(by)
	j.bookEarn(by)
}

// figuresOf is the row of the m-th matched rule.
func (j *judge) figuresOf(m int) []u128 {
	n := len(j.lines)
	return j.figures[m*n : (m+1)*n]
}

// matchEarn notes the rules whose conditions hold, and the rate of each.
func (j *judge) matchEarn() {
	e := &j.p.earn
	j.matched, j.rates, j.place = j.matched[:0], j.rates[:0], resize(j.place, len(e.rules))
	for k := range e.rules {
		r := &e.rules[k]
		if !j.applies(r.when, r.goods, r.name) {
			j.hintLacks(r)
			continue
		}
		rate := r.rate
		if r.kind == earnLadder {
			s := r.stepOf(j.sum)
			if s < 0 {
				j.skip(r.name, "the receipt is above the last step")
				continue
			}
			rate = r.steps[s].rate
			j.hint(r, s)
		}
		j.matches(k)
		j.rates = append(j.rates, rate)
	}
}

// stepOf is the step of a ladder on which a sum stands, −1 for none.
func (r *earnRule) stepOf(sum int64) int {
	for s := range r.steps {
		if r.steps[s].covers(sum) {
			return s
		}
	}
	return -1
}

// hint says what is missing to the ladder's next step.
func (j *judge) hint(r *earnRule, s int) {
	if s+1 < len(r.steps) && r.steps[s+1].rate > r.steps[s].rate {
		one := next(&j.d.Hints)
		one.Rule, one.Missing, one.Gives = r.name, r.steps[s].next()-j.sum, r.steps[s+1].gives
	}
}

// earnGroup lets the rivals compete.
func (j *judge) earnGroup() {
	e := &j.p.earn
	lone := e.stack == stackSum || e.onReceipt || len(j.rivals) == 1 // no contest on lines
	if !lone {
		j.best = resize(j.best, len(j.lines))
	}
	receipts := false
	for _, m := range j.rivals {
		r := &e.rules[j.matched[m]]
		if r.kind == earnPerReceipt {
			receipts = true
			continue
		}
		row, best, base, rate, any := j.figuresOf(m), j.best, j.base, j.rates[m], false
		for i := range j.on(r.goods).each {
			var v u128
			if r.kind == earnPerLine || r.kind == earnPerUnit {
				if v = j.earnPoints(r, i); v.zero() {
					continue
				}
			} else {
				v = mul64(uint64(base[i]), rate)
			}
			any = true
			if lone {
				row[i] = v
				continue
			}
			if b := best[i] - 1; b >= 0 { // 0 is nobody
				had := &j.figures[b*len(row)+i]
				if e.stack == stackPriority || !had.less(v) {
					continue
				}
				*had = u128{}
			}
			row[i], best[i] = v, m+1
		}
		j.won[m] = any
	}
	if e.onReceipt && e.stack != stackSum {
		j.oneForReceipt()
	}
	if receipts {
		j.perReceipt()
	}
}

// earnPoints is what a rule of points per line or per unit gives on a line of its
// goods; nothing on a weighed line that it would count units of.
func (j *judge) earnPoints(r *earnRule, i int) u128 {
	v := mul64(uint64(r.points), rateUnit)
	if r.kind == earnPerUnit {
		v = v.mul(uint64(j.units[i]))
	}
	return v
}

// oneForReceipt leaves one of the rivals for the whole receipt: with `priority`
// the first that matches any line, else the one that gives most.
func (j *judge) oneForReceipt() {
	e := &j.p.earn
	best, most := -1, u128{}
	for _, m := range j.rivals {
		if !e.rules[j.matched[m]].lineWise() || !j.won[m] {
			continue
		}
		sum := total(j.figuresOf(m))
		if best < 0 || e.stack == stackMax && most.less(sum) {
			best, most = m, sum
		}
	}
	for _, m := range j.rivals {
		if e.rules[j.matched[m]].lineWise() && m != best {
			clear(j.figuresOf(m))
		}
	}
}

// lineWise reports whether a rival competes on lines.
func (r *earnRule) lineWise() bool { return r.kind != earnPerReceipt }

// picksAny reports whether a selector picks a line that another doesn't ban.
func (j *judge) picksAny(sel, never int) bool {
	if never == all || j.absent(never) {
		return !j.absent(sel)
	}
	bans := j.on(never)
	for i := range j.on(sel).each {
		if !bans.has(i) {
			return true
		}
	}
	return false
}

// perReceipt lets points per receipt compete with their other rivals by total. A
// rule alone in its group wins.
func (j *judge) perReceipt() {
	e := &j.p.earn
	best, most := -1, u128{} // best −1: the rules on lines
	decided := false         // by priority
	for _, m := range j.rivals {
		r := &e.rules[j.matched[m]]
		switch {
		case r.lineWise():
			sum := total(j.figuresOf(m))
			most = most.add(sum)
			decided = decided || e.stack == stackPriority && best < 0 && !sum.zero()
		case !j.picksAny(r.goods, e.never):
			j.skip(r.name, becauseGoods)
		case e.stack == stackSum:
			j.won[m] = true
		case e.stack == stackPriority:
			if !decided {
				best, decided = m, true
			}
		}
	}
	if e.stack == stackMax {
		best = j.largestPerReceipt(most)
	}
	if best < 0 || e.stack == stackSum {
		return
	}
	for _, m := range j.rivals {
		if e.rules[j.matched[m]].lineWise() {
			clear(j.figuresOf(m))
		}
	}
	j.won[best] = true
}

// largestPerReceipt is the rival that gives more points per receipt than the
// others, and more than the rules on lines; −1 for none. The rules on lines win
// a draw, then the first in the document.
func (j *judge) largestPerReceipt(most u128) int {
	e := &j.p.earn
	best := -1
	for _, m := range j.rivals {
		r := &e.rules[j.matched[m]]
		if r.lineWise() || !j.picksAny(r.goods, e.never) {
			continue
		}
		if v := mul64(uint64(r.points), rateUnit); most.less(v) {
			best, most = m, v
		}
	}
	return best
}

func total(row []u128) u128 {
	var sum u128
	for _, v := range row {
		sum = sum.add(v)
	}
	return sum
}

// addPercents adds what add_percent gives, also where no rule matched.
func (j *judge) addPercents() {
	e := &j.p.earn
	for m, k := range j.matched {
		r := &e.rules[k]
		if r.kind != earnAdd {
			continue
		}
		row, base := j.figuresOf(m), j.base
		for i := range j.on(r.goods).each {
			row[i] = mul64(uint64(base[i]), r.rate)
		}
	}
}

// ratio is by what figures are still to be multiplied and divided.
type ratio struct{ num, den uint64 }

// multiplyEarn multiplies the figures by the factors of their lines, and returns
// by what all of them have to be multiplied and divided at the end. A multiplier
// about every line stays in there: it changes nobody's share of a rule's figure.
func (j *judge) multiplyEarn() ratio {
	e := &j.p.earn
	by := ratio{1, 1}
	j.factors = j.factors[:0]
	for _, k := range j.matched {
		if r := &e.rules[k]; r.kind == earnMultiply {
			by.den *= r.den
			if r.goods == all {
				by.num *= r.num
			} else {
				j.multiply(r.goods, r.num, r.den)
			}
		}
	}
	if len(j.factors) > 0 {
		j.scale(func(i int) uint64 { return j.factors[i] })
	}
	return by
}

// scale multiplies the figures of each line.
func (j *judge) scale(factor func(line int) uint64) {
	e := &j.p.earn
	for m, k := range j.matched {
		if kind := e.rules[k].kind; kind == earnMultiply || kind == earnPerReceipt {
			continue // its row is empty
		}
		row := j.figuresOf(m)
		for i := range j.on(e.rules[k].goods).each {
			row[i] = row[i].mul(factor(i))
		}
	}
}

// limitEarn cuts what a line's rules give together to the least of its
// ceilings, the last rules first, and to nothing on goods that never earn. It
// returns by what figures have to be multiplied and divided from there on.
func (j *judge) limitEarn(by ratio) ratio {
	e := &j.p.earn
	limited := j.limited(e.never, e.ceilings)
	if limited.empty() {
		return by
	}
	if by.num != 1 { // ceilings look at what is given in the end
		j.scale(func(int) uint64 { return by.num })
		by.num = 1
	}
	never := j.banned(e.never)
	for i := range limited.each {
		rate := uint64(math.MaxUint64)
		if never.has(i) {
			rate = 0
		}
		for k := range e.ceilings {
			if c := &e.ceilings[k]; j.on(c.goods).has(i) {
				rate = min(rate, c.rate)
			}
		}
		left := mul64(uint64(j.base[i]), rate).mul(by.den)
		for m := range j.matched {
			row := j.figuresOf(m)
			if left.less(row[i]) {
				row[i] = left
			}
			left = left.sub(row[i])
		}
	}
	return by
}

// bookEarn rounds each rule's own figure, once, and spreads it over its lines.
func (j *judge) bookEarn(by ratio) {
	e := &j.p.earn
	for m, k := range j.matched {
		r := &e.rules[k]
		var points int64
		switch r.kind {
		case earnPerReceipt:
			if j.won[m] {
				points = j.rounded(mul64(uint64(r.points), rateUnit), rateUnit)
				j.receiptWeights(r)
				spread(points, j.weights, nil, j.out, j.rests)
			}
		case earnMultiply:
			if j.multiplied(r) {
				next(&j.d.Rules).Rule = r.name
			}
			continue
		default:
			row := j.figuresOf(m)
			if one := j.on(r.goods).only(); one >= 0 {
				points = j.rounded(row[one].mul(by.num), rateUnit*by.den)
				clear(j.out)
				j.out[one] = points
			} else if sum := total(row); !sum.zero() {
				points = j.rounded(sum.mul(by.num), rateUnit*by.den)
				spreadExact(points, sum, row, j.out, j.rests)
			}
		}
		if points == 0 {
			j.skip(r.name, becauseLess)
			continue
		}
		earned := j.earned[:len(j.out)]
		for i, v := range j.out {
			earned[i] += v
		}
		j.d.Earned += points
		one := next(&j.d.Rules)
		one.Rule, one.Points, one.Lines = r.name, points, j.perLine(true)
		j.bookLot(r, points)
	}
}

// multiplied reports whether a multiplier had anything to multiply.
func (j *judge) multiplied(r *earnRule) bool {
	for at, v := range j.figures {
		if !v.zero() && j.on(r.goods).has(at%len(j.lines)) {
			return true
		}
	}
	return false
}

// rounded turns a figure in parts of a point into points, by the programme's
// rounding. No rule gives more than MaxAmount.
func (j *judge) rounded(sum u128, unit uint64) int64 {
	unit *= uint64(j.p.round)
	if j.p.halfUp {
		sum = sum.add(u128{lo: unit / 2})
	}
	q, _ := sum.div(unit)
	return int64(min(q*uint64(j.p.round), MaxAmount))
}

// receiptWeights are by what points per receipt are spread over the lines of
// the rule that earn: what they earn on, else what they cost.
func (j *judge) receiptWeights(r *earnRule) {
	paid, never := int64(0), j.banned(j.p.earn.never)
	weights, base := j.weights, j.base
	clear(weights)
	for i := range j.on(r.goods).each {
		if !never.has(i) {
			weights[i] = base[i]
			paid += base[i]
		}
	}
	if paid > 0 {
		return
	}
	for i := range j.on(r.goods).each {
		if !never.has(i) {
			j.weights[i] = max(j.lines[i].Amount, 1)
		}
	}
}

// bookLot adds points to the lot with the rule's dates. The programme's own
// lot stands first.
func (j *judge) bookLot(r *earnRule, points int64) {
	d := j.d
	var active, expires int64
	if r.own {
		active, expires = lotDates(r.lotAfter, r.lotLife, j.at, &j.days)
	} else {
		active, expires = j.ownDates()
	}
	for i := range d.Lots {
		l := &d.Lots[i]
		if l.Active == active && l.Expires == expires && l.Own == r.own {
			l.Points += points
			return
		}
	}
	lot := next(&d.Lots)
	if !r.own {
		copy(d.Lots[1:], d.Lots)
		lot = &d.Lots[0]
	}
	lot.Points, lot.Active, lot.Expires, lot.Own = points, active, expires, r.own
}

// ownDates are the dates of the programme's own lot, computed once.
func (j *judge) ownDates() (active, expires int64) {
	for i := range j.d.Lots {
		if l := &j.d.Lots[i]; !l.Own {
			return l.Active, l.Expires
		}
	}
	return lotDates(j.p.lots.ActiveAfter, j.p.lots.ExpiresAfter, j.at, &j.days)
}
