package program

import (
	"math/big"

	"tillgate/protocol"
)

// room is what discounts may still take of a line.
func (t *twin) room(i int) int64 {
	l := &t.r.Lines[i]
	if t.p.cutNever != nil && t.p.cutNever.picks(l) {
		return 0
	}
	most := l.Amount
	for _, c := range t.p.cutCeilings {
		if c.goods.picks(l) {
			most = min(most, floorOf(percentOf(l.Amount, c.percent)))
		}
	}
	return most - t.res.cut[i]
}

func zeros(n int) []*big.Rat {
	out := make([]*big.Rat, n)
	for i := range out {
		out[i] = new(big.Rat)
	}
	return out
}

// cutRow is what one rule would give on each line, and which lines it matches.
func (t *twin) cutRow(r *tRule) ([]*big.Rat, []bool) {
	n := len(t.r.Lines)
	row, matches := zeros(n), make([]bool, n)
	for i := range row {
		l := &t.r.Lines[i]
		if !r.goods.picks(l) {
			continue
		}
		matches[i] = true
		switch r.kind {
		case "percent":
			row[i] = percentOf(t.net[i], r.percent)
		case "per line":
			row[i] = rat(r.sum, 1)
		case "per unit":
			row[i] = rat(r.sum*wholeOf(l), 1)
			matches[i] = wholeOf(l) > 0
		case "price":
			if d := subr(rat(t.net[i], 1), rat(r.sum*l.Quantity, 1000)); d.Sign() > 0 {
				row[i] = d
			}
		}
	}
	switch r.kind {
	case "take", "every":
		t.unitRow(r, row)
	case "across":
		t.acrossRow(r, row)
	case "bundle":
		t.bundleRow(r, row)
	}
	for i := range row {
		if row[i] = minr(row[i], rat(t.net[i], 1)); t.room(i) == 0 {
			row[i] = new(big.Rat)
		}
		if r.kind == "take" || r.kind == "every" || r.kind == "across" || r.kind == "bundle" || r.kind == "per unit" {
			matches[i] = row[i].Sign() > 0
		}
	}
	return row, matches
}

func (t *twin) unitRow(r *tRule, row []*big.Rat) {
	units := t.unitsOf(r.goods, func(i int) bool { return t.room(i) > 0 })
	free, percent := r.take-r.pay, int64(10_000)
	if r.kind == "every" {
		free, percent = 1, r.percent
	}
	for len(units) >= int(r.take) {
		group := units[:r.take]
		units = units[r.take:]
		var off, value int64
		perLine := map[int]int64{}
		for k, u := range group {
			value += u.price
			perLine[u.line] += u.price
			if k >= int(r.take-free) {
				off += u.price
			}
		}
		if value == 0 {
			continue
		}
		// Spread in millionths of the minor unit, over the
		// runs of units as they lie: a line's units of one price together.
		var weights []*big.Rat
		var lines []int
		for k, u := range group {
			if k > 0 && group[k-1] == u {
				weights[len(weights)-1] = addr(weights[len(weights)-1], rat(u.price, 1))
				continue
			}
			weights = append(weights, rat(u.price, 1))
			lines = append(lines, u.line)
		}
		if len(lines) == 1 {
			row[lines[0]] = addr(row[lines[0]], percentOf(off, percent))
			continue
		}
		for k, v := range tSpread(off*percent*100, weights, nil) {
			row[lines[k]] = addr(row[lines[k]], rat(v, 1_000_000))
		}
	}
}

// bundleRow tries one set more and one set more, until a part is missing.
func (t *twin) bundleRow(r *tRule, row []*big.Rat) {
	for sets := int64(1); ; sets++ {
		next := zeros(len(row))
		taken := map[int]int64{}
		for _, p := range r.parts {
			want := p.quantity * sets
			var skip = map[int]int64{}
			for l, n := range taken {
				skip[l] = n
			}
			for _, u := range t.unitsOf(p.goods, func(i int) bool { return p.percent == 0 || t.room(i) > 0 }) {
				if want == 0 {
					break
				}
				if skip[u.line] > 0 {
					skip[u.line]--
					continue
				}
				next[u.line] = addr(next[u.line], percentOf(u.price, p.percent))
				taken[u.line]++
				want--
			}
			if want > 0 {
				return
			}
		}
		copy(row, next)
	}
}

// factorOf is the product of the multipliers that match a line.
func (t *twin) factorOf(rules []tRule, sum int64, i int) *big.Rat {
	f := rat(1, 1)
	for _, r := range rules {
		if r.kind == "multiply" && r.when.holds(t.r, sum) && r.goods.picks(&t.r.Lines[i]) {
			f = mulr(f, rat(r.factor, 100))
		}
	}
	return f
}

func (t *twin) discounts() {
	total := totalOf(t.net)
	for _, group := range groupsOf(t.p.cuts) {
		t.cutGroup(group, total)
	}
}

// contest gives each line to the rule that wins it, and says what it gives.
func contest(rows [][]*big.Rat, matches [][]bool, priority bool) {
	if len(rows) == 0 {
		return
	}
	for i := range rows[0] {
		best := -1
		for k := range rows {
			if !matches[k][i] {
				continue
			}
			if best < 0 || !priority && rows[k][i].Cmp(rows[best][i]) > 0 {
				best = k
			}
		}
		for k := range rows {
			if k != best {
				rows[k][i] = new(big.Rat)
			}
		}
	}
}

func (t *twin) cutGroup(group []tRule, total int64) {
	priority := t.p.conflict == "priority"
	var rules, receipts []tRule
	var rows [][]*big.Rat
	var matches [][]bool
	first := "" // the kind of the first rule that gives anything
	for _, r := range group {
		if !r.when.holds(t.r, total) {
			continue
		}
		if r.kind == "per receipt" {
			if first == "" && t.minus(&r) > 0 {
				first = r.name
			}
			receipts = append(receipts, r)
			continue
		}
		row, m := t.cutRow(&r)
		rules, rows, matches = append(rules, r), append(rows, row), append(matches, m)
		contest(rows, matches, priority)
		if first == "" && sumOf(rows[len(rows)-1]).Sign() > 0 {
			first = "lines"
		}
	}
	lines := new(big.Rat)
	for _, row := range rows {
		lines = addr(lines, sumOf(row))
	}
	winner, most := -1, lines
	for k := range receipts {
		give := rat(t.minus(&receipts[k]), 1)
		if priority && receipts[k].name == first || !priority && give.Cmp(most) > 0 {
			winner, most = k, give
		}
	}
	if winner >= 0 {
		t.takeMinus(&receipts[winner])
		return
	}
	for k := range rules {
		t.takeRow(&rules[k], rows[k], total)
	}
}

// minus is what a sum per receipt can take.
func (t *twin) minus(r *tRule) int64 {
	var room int64
	for i := range t.r.Lines {
		if r.goods.picks(&t.r.Lines[i]) {
			room += t.room(i)
		}
	}
	return min(room, r.sum)
}

func (t *twin) takeMinus(r *tRule) {
	weights, caps := zeros(len(t.net)), make([]int64, len(t.net))
	for i := range t.net {
		if r.goods.picks(&t.r.Lines[i]) && t.room(i) > 0 {
			weights[i], caps[i] = rat(t.net[i], 1), t.room(i)
		}
	}
	t.take(r.name, t.minus(r), tSpread(t.minus(r), weights, caps))
}

func (t *twin) takeRow(r *tRule, row []*big.Rat, total int64) {
	for i := range row {
		if r.kind == "percent" || r.kind == "per line" || r.kind == "per unit" {
			row[i] = mulr(row[i], t.factorOf(t.p.cuts, total, i))
		}
		row[i] = minr(row[i], rat(t.room(i), 1))
	}
	money := floorOf(sumOf(row))
	if money > 0 {
		t.take(r.name, money, tSpread(money, row, nil))
	}
}

func (t *twin) take(name string, money int64, shares []int64) {
	t.res.discount += money
	t.res.rules["off "+name] += money
	for i, v := range shares {
		t.res.cut[i] += v
		t.net[i] -= v
	}
}

func (t *twin) redeem(available int64) {
	p, sum := t.p, totalOf(t.net)
	caps, weights := make([]int64, len(t.net)), zeros(len(t.net))
	base := sum
	if p.eligible {
		base = 0
	}
	for i := range t.net {
		l := &t.r.Lines[i]
		if p.redeemNever != nil && p.redeemNever.picks(l) {
			continue
		}
		if p.eligible {
			base += t.net[i]
		}
		caps[i] = t.net[i]
		for _, c := range p.caps {
			if c.goods != nil && c.goods.picks(l) && c.when.holds(t.r, sum) {
				caps[i] = floorOf(percentOf(t.net[i], c.percent))
				break
			}
		}
		if caps[i] = max(min(caps[i], t.net[i]-p.floor), 0); caps[i] > 0 {
			weights[i] = rat(t.net[i], 1)
		}
	}
	share := p.cap
	for _, c := range p.caps {
		if c.goods == nil && c.when.holds(t.r, sum) {
			share = c.percent
			break
		}
	}
	most := min(floorOf(percentOf(base, share)), totalOf(caps))
	allowed := floorOf(rat(most*10_000, p.value))
	limit := min(allowed, available)
	t.res.max = p.price(p.money(limit))
	want := t.r.Redeem
	take := int64(0)
	switch {
	case want.Mode == protocol.RedeemNone:
	case want.Mode == protocol.RedeemMax:
		take = limit
	case want.Points <= limit:
		take = want.Points
	case want.Partial:
		t.res.code, take = protocol.Partial, limit
	case want.Points > allowed:
		t.res.code = protocol.RedeemNotAllowed
		return
	default:
		t.res.code = protocol.InsufficientPoints
		return
	}
	t.res.money = p.money(take)
	t.res.redeemed = p.price(t.res.money)
	if want.Mode == protocol.RedeemPoints && t.res.redeemed < want.Points {
		t.res.code = protocol.Partial
		if !want.Partial { // exactly so many buy nothing more than fewer
			t.res.code, t.res.max = protocol.RedeemNotAllowed, t.res.redeemed
			t.res.money, t.res.redeemed = 0, 0
			return
		}
	}
	t.res.paid = tSpread(t.res.money, weights, caps)
}

// money is what points pay; price the least points that pay it.
func (p *tProgram) money(points int64) int64 { return floorOf(rat(points*p.value, 10_000)) }

func (p *tProgram) price(money int64) int64 {
	points := floorOf(rat(money*10_000, p.value))
	for p.money(points) < money {
		points++
	}
	return points
}
