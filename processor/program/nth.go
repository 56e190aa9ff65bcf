package program

const becauseNobody = "its units are counted for a member, and none is named"

// countedUnits are the units of a receipt that an N-th rule counts: whole ones
// of its goods, but for those that discounts leave alone.
func (j *judge) countedUnits(r *discountRule) int64 {
	var n int64
	never := j.banned(j.p.discounts.never)
	for i := range j.on(r.goods).each {
		if !never.has(i) {
			n += j.units[i]
		}
	}
	return n
}

// nthFigures is "every N-th unit" counted across receipts. Two counters of the
// member go by it: units c, and how much of free units there was, in
// thousandths, because the discount of a line is spread over its units and parts
// of it come back. Of c + n units ⌊(c+n)÷N⌋ are to be free; what was given
// before, rounded to whole units, is taken off. So who returns a paid unit and
// buys another gets no second free one, and what a hold that was given up has
// kept from those after it is made up for. The free ones are the cheapest of the
// receipt, of equals the last. Their discount is their own: the other units of
// their dozen lie on other receipts. It returns the figures of the lines, nil for
// none.
func (j *judge) nthFigures(r *discountRule) []int64 {
	free := (j.f.counted(r.key, 0)+j.countedUnits(r))/r.take - j.givenUnits(r)
	if free <= 0 {
		return nil
	}
	row := j.emptyRow()
	j.runs = j.unitsOf(r.goods, true, j.runs[:0])
	for k := len(j.runs) - 1; k >= 0 && free > 0; k-- {
		run := &j.runs[k]
		off := min(free, run.count)
		row[run.line] += run.price * int64(r.rate) * off
		j.given = append(j.given, givenUnit{key: r.given, line: run.line, units: off})
		free -= off
	}
	return row
}

// givenUnits is how many free units a member has had of an N-th rule.
func (j *judge) givenUnits(r *discountRule) int64 { return (j.f.counted(r.given, 0) + 500) / 1000 }

// givenUnit is a number of a line's units that an N-th rule makes free.
type givenUnit struct {
	key   uint64
	line  int
	units int64
}

// countNth adds the receipt's units to the rule's counters: line by line, so
// that a return takes its own back, as long as there is room for that.
func (j *judge) countNth(r *discountRule) {
	units := Count{Key: r.key, At: j.at}
	apart := j.byLine()
	never := j.banned(j.p.discounts.never)
	for i := range j.on(r.goods).each {
		if n := j.units[i]; n > 0 && !never.has(i) {
			j.countLine(&units, n, i, apart)
		}
	}
	j.countRest(&units)
	free := Count{Key: r.given}
	apart = j.byLine()
	for _, g := range j.given {
		if g.key == r.given {
			j.countLine(&free, 1000*g.units, g.line, apart)
		}
	}
	j.countRest(&free)
}

// countLine counts n of line i, or adds them to what is counted for the whole
// receipt.
func (j *judge) countLine(whole *Count, n int64, i int, apart bool) {
	if !apart {
		whole.Value += n
		return
	}
	one := next(&j.d.Counts)
	one.Key, one.At, one.Value, one.Line = whole.Key, whole.At, n, i+1
}

// countRest counts what stands for the whole receipt: it goes back with all of
// it.
func (j *judge) countRest(whole *Count) {
	if whole.Value > 0 {
		j.d.Counts = append(j.d.Counts, CountChange{Count: *whole})
	}
}

// hintNth says how many units are missing to the next free one. Within one
// receipt there is nothing to say when the last group is complete: the next
// one begins from nothing.
func (j *judge) hintNth(r *discountRule) {
	var missing int64
	if r.across {
		had := j.givenUnits(r)
		for _, g := range j.given {
			if g.key == r.given {
				had += g.units
			}
		}
		missing = max((had+1)*r.take-j.f.counted(r.key, 0)-j.countedUnits(r), 1)
	} else if have := j.countUnits(r.goods); have%r.take == 0 {
		return
	} else {
		missing = r.take - have%r.take
	}
	one := next(&j.d.Hints)
	one.Rule, one.Quantity, one.Gives = r.name, missing*1000, r.gives
}

// hintTier says what is missing to the next tier when this purchase is booked;
// nothing if it reaches it.
func (j *judge) hintTier() {
	d := j.d
	if missing := d.NextMissing - (d.Total - d.Discount - d.RedeemedMoney); d.NextTier != "" && missing > 0 {
		one := next(&d.Hints)
		one.Rule, one.Missing, one.Gives = "tiers", missing, d.NextTier
	}
}
