package program

// Conditions that look back on what a member has done since a rule asks for
// it: goods bought in a window, the first purchase of a rule, a sum reached.
// The account keeps a counter for each.

// boughtCounter counts what a member buys of some goods, in thousandths, in a
// counter for each local day.
type boughtCounter struct {
	goods int
	key   uint64
	keep  int32 // days for which a day's counter may matter, the longest window
}

// firstUse counts the purchases to which a rule applied: its conditions held
// and the receipt had its goods.
type firstUse struct {
	key   uint64
	when  *cond
	goods int
	cut   bool // a discount: its `receipt:` looks at the receipt before discounts
	again bool // an entry before it has the same counter
}

// reachedSum is a sum whose reaching is noted.
type reachedSum struct {
	sum int64
	key uint64
}

// boughtWithin reports whether the member has bought as much on the days of
// the window, which ends at the server's time. This receipt doesn't count.
func (j *judge) boughtWithin(c *check) bool {
	from := c.within.addTo(j.days.dayOf(j.now), -1)
	have := j.f.countedFrom(j.p.bought[c.ref].key, from)
	return have > 0 && have >= c.quantity
}

// sinceFirst reports whether the rule applied first within the window before
// this purchase, or now.
func (j *judge) sinceFirst(c *check) bool {
	u := &j.p.firsts[c.ref]
	if n := j.f.find(u.key, 0); n != nil && n.Value > 0 {
		return j.at < c.within.until(n.At, &j.days)
	}
	return j.appliesNow(c.ref)
}

// appliesNow reports whether a rule that others look back on applies to this
// receipt. A rule that looks back on itself applies for the first time if all
// else holds. (Longer circles are refused by Compile.)
func (j *judge) appliesNow(ref int) bool {
	if j.asking == ref+1 {
		return true
	}
	u := &j.p.firsts[ref]
	asking, sum := j.asking, j.sum
	j.asking = ref + 1
	if u.cut {
		j.sum = j.d.Total
	}
	ok := j.holds(u.when, "") && !j.absent(u.goods)
	j.asking, j.sum = asking, sum
	return ok
}

// sinceReached reports whether the member's lifetime sum has reached the
// condition's within the window before this purchase.
func (j *judge) sinceReached(c *check) bool {
	r := &j.p.reached[c.ref]
	n := j.f.find(r.key, 0)
	return n != nil && n.Value > 0 && j.f.Lifetime >= r.sum && j.at < c.within.until(n.At, &j.days)
}

// tally notes what the purchase adds to the member's counters: units of N-th
// rules, goods bought, rules that others look back on.
func (j *judge) tally() {
	if !j.f.Present {
		return
	}
	for _, k := range j.nth {
		if r := &j.p.discounts.rules[k]; r.across {
			j.countNth(r)
		}
	}
	for k := range j.p.bought {
		if b := &j.p.bought[k]; !j.absent(b.goods) {
			j.countGoods(b)
		}
	}
	for k := range j.p.firsts {
		u := &j.p.firsts[k]
		if !u.again && j.appliesNow(k) {
			j.d.Counts = append(j.d.Counts, CountChange{Count: Count{Key: u.key, Value: 1, At: j.at}})
		}
	}
}

// numbered is the number of a line as a counter's change names it: 0 where the
// receipt has no lines.
func (j *judge) numbered(i int) int {
	if len(j.r.Lines) == 0 {
		return 0
	}
	return i + 1
}

func (j *judge) countGoods(b *boughtCounter) {
	day := j.days.dayOf(j.at)
	for i := range j.on(b.goods).each {
		n := j.lines[i].Quantity
		if n == 0 {
			n = 1000
		}
		j.d.Counts = append(j.d.Counts, CountChange{
			Count: Count{Key: b.key, Bucket: day, Value: n, At: j.at, Until: day + b.keep},
			Line:  j.numbered(i),
		})
	}
}

// Reached adds to dst what is to be noted when a member's lifetime sum, minor
// units of money, goes from before to after with a purchase of the moment at,
// unix ns: the sums of `since_reached` that it reaches. It is for the record
// that books: a hold reaches nothing.
func (p *Program) Reached(dst []CountChange, before, after, at int64) []CountChange {
	for i := range p.reached {
		if r := &p.reached[i]; before < r.sum && after >= r.sum {
			dst = append(dst, CountChange{Count: Count{Key: r.key, Value: 1, At: at}, Set: true})
		}
	}
	return dst
}
