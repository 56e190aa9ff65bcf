package program

import (
	"math/big"
)

// earnRow is what one rule would give on each line, in points, and which lines
// it matches.
func (t *twin) earnRow(r *tRule, base []int64, percent int64) ([]*big.Rat, []bool) {
	row, matches := zeros(len(base)), make([]bool, len(base))
	for i := range base {
		l := &t.r.Lines[i]
		if !r.goods.picks(l) {
			continue
		}
		matches[i] = true
		switch r.kind {
		case "per line":
			row[i] = rat(r.sum, 1)
		case "per unit":
			row[i] = rat(r.sum*wholeOf(l), 1)
			matches[i] = wholeOf(l) > 0
		default:
			row[i] = percentOf(base[i], percent)
		}
	}
	return row, matches
}

// stepOf is the percent of a ladder for a receipt; false above its last step.
func (r *tRule) stepPercent(sum int64) (int64, bool) {
	if r.kind != "ladder" {
		return r.percent, true
	}
	for _, s := range r.steps {
		if s.limit == 0 || sum < s.limit || s.inclusive && sum == s.limit {
			return s.percent, true
		}
	}
	return 0, false
}

func (t *twin) earn() {
	p, sum := t.p, totalOf(t.net)
	if p.either && t.res.redeemed > 0 {
		return
	}
	n := len(t.net)
	base := make([]int64, n)
	for i := range base {
		base[i] = t.net[i] - t.res.paid[i]
		if p.gross {
			base[i] = t.r.Lines[i].Amount
		}
	}
	rows := map[string][]*big.Rat{}
	receipts := map[string]bool{}
	for _, group := range groupsOf(p.earns) {
		t.earnGroup(group, base, sum, rows, receipts)
	}
	for _, r := range p.earns {
		if r.kind == "add" && r.when.holds(t.r, sum) {
			rows[r.name], _ = t.earnRow(&r, base, r.percent)
		}
	}
	for _, r := range p.earns {
		for i := range rows[r.name] {
			rows[r.name][i] = mulr(rows[r.name][i], t.factorOf(p.earns, sum, i))
		}
	}
	for i := range base {
		t.limit(i, base, rows)
	}
	for _, r := range p.earns {
		t.give(&r, base, rows[r.name], receipts[r.name])
	}
}

func (t *twin) earnGroup(group []tRule, base []int64, sum int64, rows map[string][]*big.Rat, receipts map[string]bool) {
	p := t.p
	var rules, perReceipt []tRule
	var list [][]*big.Rat
	var matches [][]bool
	var inOrder []string // what matches, in document order: lines, or a rule per receipt
	for _, r := range group {
		if !r.when.holds(t.r, sum) {
			continue
		}
		if r.kind == "per receipt" {
			if t.anyEarning(r.goods) {
				perReceipt = append(perReceipt, r)
				inOrder = append(inOrder, r.name)
			}
			continue
		}
		percent, ok := r.stepPercent(sum)
		if !ok {
			continue
		}
		row, m := t.earnRow(&r, base, percent)
		rules, list, matches = append(rules, r), append(list, row), append(matches, m)
		if p.stack == "priority" && !p.onReceipt {
			contest(list, matches, true)
		}
		if sumOf(row).Sign() > 0 {
			inOrder = append(inOrder, "lines")
		}
	}
	switch {
	case p.stack == "sum":
	case p.onReceipt:
		t.onlyOne(rules, list, matches)
	default:
		contest(list, matches, p.stack == "priority")
	}
	lines := new(big.Rat)
	for _, row := range list {
		lines = addr(lines, sumOf(row))
	}
	winner, most := "", lines
	for _, r := range perReceipt {
		switch {
		case p.stack == "sum":
			receipts[r.name] = true
		case p.stack == "priority":
			if inOrder[0] == r.name {
				winner = r.name
			}
		case rat(r.sum, 1).Cmp(most) > 0:
			winner, most = r.name, rat(r.sum, 1)
		}
	}
	if winner != "" {
		receipts[winner] = true
		return
	}
	for k, r := range rules {
		rows[r.name] = list[k]
	}
}

// onlyOne leaves the rule that gives most on the receipt, or the first that
// matches any line.
func (t *twin) onlyOne(rules []tRule, list [][]*big.Rat, matches [][]bool) {
	best := -1
	for k := range rules {
		any := false
		for _, m := range matches[k] {
			any = any || m
		}
		if !any {
			continue
		}
		if best < 0 || t.p.stack == "max" && sumOf(list[k]).Cmp(sumOf(list[best])) > 0 {
			best = k
		}
	}
	for k := range rules {
		if k != best {
			copy(list[k], zeros(len(list[k])))
		}
	}
}

func (t *twin) anyEarning(g *tGoods) bool {
	for i := range t.r.Lines {
		if l := &t.r.Lines[i]; g.picks(l) && (t.p.earnNever == nil || !t.p.earnNever.picks(l)) {
			return true
		}
	}
	return false
}

// limit applies ceilings and never to one line: the rules that stand first
// keep theirs.
func (t *twin) limit(i int, base []int64, rows map[string][]*big.Rat) {
	l := &t.r.Lines[i]
	var left *big.Rat
	for _, c := range t.p.earnCeilings {
		if c.goods.picks(l) {
			if most := percentOf(base[i], c.percent); left == nil || most.Cmp(left) < 0 {
				left = most
			}
		}
	}
	if t.p.earnNever != nil && t.p.earnNever.picks(l) {
		left = new(big.Rat)
	}
	if left == nil {
		return
	}
	for _, r := range t.p.earns {
		if row := rows[r.name]; row != nil {
			row[i] = minr(row[i], left)
			left = subr(left, row[i])
		}
	}
}

// round is the programme's rounding of a rule's own figure, within its bound.
func (t *twin) round(v *big.Rat) int64 {
	steps := new(big.Rat).Quo(v, rat(t.p.round, 1))
	if t.p.halfUp {
		steps = addr(steps, rat(1, 2))
	}
	return min(floorOf(steps)*t.p.round, MaxAmount)
}

func (t *twin) give(r *tRule, base []int64, row []*big.Rat, receipt bool) {
	weights := row
	var points int64
	switch {
	case receipt:
		points = t.round(rat(r.sum, 1))
		weights = zeros(len(base))
		other := zeros(len(base))
		for i := range base {
			l := &t.r.Lines[i]
			if r.goods.picks(l) && (t.p.earnNever == nil || !t.p.earnNever.picks(l)) {
				weights[i], other[i] = rat(base[i], 1), rat(l.Amount, 1)
			}
		}
		if sumOf(weights).Sign() == 0 {
			weights = other
		}
	case row == nil || r.kind == "multiply":
		return
	default:
		points = t.round(sumOf(row))
	}
	if points == 0 {
		return
	}
	t.res.earned += points
	t.res.rules[r.name] += points
	for i, v := range tSpread(points, weights, nil) {
		t.res.got[i] += v
	}
}
