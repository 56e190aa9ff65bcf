package program

import (
	"cmp"
	"slices"
)

// unitRun is a number of units of one line that cost the same.
type unitRun struct {
	line  int
	price int64 // of a unit, money
	count int64
}

// unitsOf lists the units of the whole-quantity lines that a selector picks
// (only those that may still lose something, if open), the dearest first,
// equals by line number. A line whose amount its units
// don't divide has units of two prices, as its fiscal pieces have.
func (j *judge) unitsOf(sel int, open bool, runs []unitRun) []unitRun {
	for i := range j.on(sel).each {
		units := j.units[i]
		if units == 0 || open && j.room[i] == 0 {
			continue
		}
		price, more := j.net[i], int64(0)
		if units > 1 {
			price, more = price/units, price%units
		}
		if more > 0 {
			runs = append(runs, unitRun{i, price + 1, more})
		}
		runs = append(runs, unitRun{i, price, units - more})
	}
	if len(runs) > fewRuns {
		slices.SortStableFunc(runs, func(a, b unitRun) int { return cmp.Compare(b.price, a.price) })
		return runs
	}
	for at := 1; at < len(runs); at++ {
		run, to := runs[at], at
		for ; to > 0 && runs[to-1].price < run.price; to-- {
			runs[to] = runs[to-1]
		}
		runs[to] = run
	}
	return runs
}

// fewRuns are sorted by inserting them: calling a function to compare two costs
// more than that.
const fewRuns = 12

// countUnits is how many units a selector picks.
func (j *judge) countUnits(sel int) int64 {
	var have int64
	for i := range j.on(sel).each {
		have += j.units[i]
	}
	return have
}

// unitFigures is M for N and "every N-th": the units stand in consecutive
// groups, in each the cheapest are discounted, and the discount is spread over
// the group's units, so that returning one of them is fair. It returns the
// figures of the lines, nil for none.
func (j *judge) unitFigures(r *discountRule) []int64 {
	if j.countUnits(r.goods) < r.take {
		return nil
	}
	row := j.emptyRow()
	j.runs = j.unitsOf(r.goods, true, j.runs[:0])
	j.group = j.group[:0]
	var have int64 // units in the group so far
	for k := range j.runs {
		run := j.runs[k]
		if have == 0 {
			whole := run.count / r.take
			row[run.line] += run.price * int64(r.rate) * whole * r.free
			run.count -= whole * r.take
		}
		for run.count > 0 {
			n := min(run.count, r.take-have)
			j.group = append(j.group, unitRun{run.line, run.price, n})
			run.count -= n
			if have += n; have < r.take {
				continue
			}
			j.groupFigures(r, row)
			j.group, have = j.group[:0], 0
			whole := run.count / r.take
			row[run.line] += run.price * int64(r.rate) * whole * r.free
			run.count -= whole * r.take
		}
	}
	return row
}

// groupFigures discounts the cheapest units of one complete group and spreads
// the discount over all of it, by price.
func (j *judge) groupFigures(r *discountRule, row []int64) {
	var off, value int64
	free := r.free
	for k := len(j.group) - 1; k >= 0; k-- {
		g := &j.group[k]
		n := min(free, g.count)
		off += n * g.price
		free -= n
		value += g.count * g.price
	}
	if value == 0 {
		return
	}
	n := len(j.group)
	j.parts = resize(j.parts, 2*n)
	weights, out := j.parts[:n], j.parts[n:]
	for k := range j.group {
		weights[k] = j.group[k].count * j.group[k].price
	}
	// off ≤ MaxAmount and rate ≤ 10^6, so the product fits.
	Spread(off*int64(r.rate), weights, nil, out)
	for k := range j.group {
		line := j.group[k].line
		row[line] += out[k]
	}
}

// bundleFigures discounts the parts of as many complete sets as the receipt
// holds. Each part takes the dearest units that no part before it has taken. It
// returns the figures of the lines, nil for none.
func (j *judge) bundleFigures(r *discountRule) []int64 {
	most := int64(maxUnits * MaxLines)
	for k := range r.parts {
		most = min(most, j.countUnits(r.parts[k].goods)/r.parts[k].quantity)
	}
	// The parts seldom want the same units: then there are as many sets as each
	// part by itself has.
	if most == 0 {
		return nil
	}
	if row := j.emptyRow(); j.takeBundle(r, most, row) {
		return row
	}
	sets := j.bundleSets(r, most-1)
	if sets == 0 {
		return nil
	}
	row := j.emptyRow()
	j.takeBundle(r, sets, row)
	return row
}

// bundleSets is the largest number of sets, high at most, that can be put
// together.
func (j *judge) bundleSets(r *discountRule, high int64) int64 {
	low := int64(0)
	for low < high {
		mid := (low + high + 1) / 2
		if j.takeBundle(r, mid, nil) {
			low = mid
		} else {
			high = mid - 1
		}
	}
	return low
}

// takeBundle takes the units of a number of sets and reports whether they are
// there; with a row it notes what each line loses.
func (j *judge) takeBundle(r *discountRule, sets int64, row []int64) bool {
	j.taken = resize(j.taken, len(j.lines))
	for k := range r.parts {
		part := &r.parts[k]
		want := part.quantity * sets
		j.runs = j.unitsOf(part.goods, part.rate > 0, j.runs[:0])
		j.parts = append(j.parts[:0], j.taken...)
		for _, run := range j.runs {
			gone := min(j.parts[run.line], run.count) // by the parts before
			j.parts[run.line] -= gone
			n := min(want, run.count-gone)
			if n == 0 {
				continue
			}
			if row != nil {
				row[run.line] += run.price * int64(part.rate) * n
			}
			j.taken[run.line] += n
			want -= n
		}
		if want > 0 {
			return false
		}
	}
	return true
}
