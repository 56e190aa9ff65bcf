package program

import "tillgate/protocol"

const becauseNobody = "its units are counted for a member, and none is named"

// countedUnits are the units of a receipt that an N-th rule counts: whole ones
// of its goods, but for those that discounts leave alone.
func (j *judge) countedUnits(r *discountRule) int64 {
	var n int64
	for i, units := range j.units {
		if units > 0 && j.picks(r.goods, i) && !j.banned(j.p.discounts.never, i) {
			n += units
		}
	}
	return n
}

// nthFigures is "every N-th unit" counted across receipts: with the counter at
// c, n units hold ⌊(c+n)÷N⌋ − ⌊c÷N⌋ free ones, which are the cheapest of the
// receipt, of equals the last. Their discount is their own: the other units of
// their dozen lie on other receipts.
func (j *judge) nthFigures(r *discountRule, row []u128) {
	c, n := j.f.counted(r.key, 0), j.countedUnits(r)
	free := (c+n)/r.take - c/r.take
	if free == 0 {
		return
	}
	j.runs = j.unitsOf(r.goods, true, j.runs[:0])
	for k := len(j.runs) - 1; k >= 0 && free > 0; k-- {
		run := &j.runs[k]
		off := min(free, run.count)
		row[run.line] = row[run.line].add(mul64(uint64(run.price), r.rate).mul(uint64(off)))
		free -= off
	}
}

// countNth adds the receipt's units to the rule's counter, line by line, so
// that a return takes its own back.
func (j *judge) countNth(r *discountRule) {
	for i, units := range j.units {
		if units > 0 && j.picks(r.goods, i) && !j.banned(j.p.discounts.never, i) {
			j.d.Counts = append(j.d.Counts, CountChange{
				Count: Count{Key: r.key, Value: units, At: j.at}, Line: j.numbered(i),
			})
		}
	}
}

// hintNth says how many units are missing to the next free one. Within one
// receipt there is nothing to say when the last group is complete: the next
// one begins from nothing.
func (j *judge) hintNth(r *discountRule) {
	have := int64(0)
	if r.across {
		have = j.f.counted(r.key, 0) + j.countedUnits(r)
	} else if have = j.countUnits(r.goods); have%r.take == 0 {
		return
	}
	j.d.Hints = append(j.d.Hints, protocol.Hint{Rule: r.name, Quantity: (r.take - have%r.take) * 1000, Gives: r.gives})
}

// hintTier says what is missing to the next tier when this purchase is booked;
// nothing if it reaches it.
func (j *judge) hintTier() {
	d := j.d
	if missing := d.NextMissing - (d.Total - d.Discount - d.RedeemedMoney); d.NextTier != "" && missing > 0 {
		d.Hints = append(d.Hints, protocol.Hint{Rule: "tiers", Missing: missing, Gives: d.NextTier})
	}
}
