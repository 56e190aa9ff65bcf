package program

import (
	"math/big"
	"sort"

	"tillgate/protocol"
)

// The twin is a second evaluator, slow and obvious, written from the text of
// docs/programme.md with fractions of any size and no thought of speed. It
// judges a model of a programme that is also written out as a document, so the
// reading of the document is held to the text as well.

type tGoods struct {
	categories  []string
	tag         string
	from, below int64 // of the unit's price; below 0: no band
}

type tWhen struct {
	channel     string
	from, below int64 // of the receipt; below 0: any
}

type tPart struct {
	goods    *tGoods
	quantity int64
	percent  int64
}

type tStep struct {
	limit     int64 // 0: the rest
	inclusive bool
	percent   int64
}

// tRule is a rule of either section; percent is in hundredths of a percent,
// factor in hundredths, sums in minor units.
type tRule struct {
	name, kind, group string
	when              *tWhen
	goods             *tGoods
	percent, factor   int64
	sum               int64
	take, pay, bought int64 // bought before, of what counts across receipts
	given             int64 // and made free, in thousandths
	steps             []tStep
	parts             []tPart
}

type tCeiling struct {
	goods   *tGoods
	percent int64
}

type tCap struct {
	when    *tWhen
	goods   *tGoods
	percent int64
}

type tProgram struct {
	value, round int64 // of a point in ten-thousandths; points in hundredths
	halfUp       bool

	conflict         string
	cutNever         *tGoods
	cutCeilings      []tCeiling
	cuts             []tRule
	gross, onReceipt bool
	stack            string
	earnNever        *tGoods
	earnCeilings     []tCeiling
	earns            []tRule
	either, eligible bool
	cap, floor       int64
	caps             []tCap
	redeemNever      *tGoods
	codes            []tCode
}

type tResult struct {
	code                              protocol.Code
	discount, redeemed, money, earned int64
	max                               int64
	cut, paid, got                    []int64
	rules                             map[string]int64 // discounts in money, earnings in points
	promo                             []string
}

func rat(a int64, b int64) *big.Rat               { return big.NewRat(a, b) }
func mulr(a *big.Rat, b *big.Rat) *big.Rat        { return new(big.Rat).Mul(a, b) }
func addr(a *big.Rat, b *big.Rat) *big.Rat        { return new(big.Rat).Add(a, b) }
func subr(a *big.Rat, b *big.Rat) *big.Rat        { return new(big.Rat).Sub(a, b) }
func minr(a *big.Rat, b *big.Rat) *big.Rat        { return map[bool]*big.Rat{true: a, false: b}[a.Cmp(b) < 0] }
func percentOf(sum int64, percent int64) *big.Rat { return rat(sum*percent, 10_000) }

func floorOf(r *big.Rat) int64 { return new(big.Int).Div(r.Num(), r.Denom()).Int64() }

func sumOf(row []*big.Rat) *big.Rat {
	s := new(big.Rat)
	for _, v := range row {
		s = addr(s, v)
	}
	return s
}

// tSpread is the sentence about spreading, step by step.
func tSpread(sum int64, weights []*big.Rat, caps []int64) []int64 {
	out := make([]int64, len(weights))
	open := map[int]bool{}
	for i := range weights {
		open[i] = weights[i].Sign() > 0
	}
	for {
		total := new(big.Rat)
		for i := range weights {
			if open[i] {
				total = addr(total, weights[i])
			}
		}
		if total.Sign() == 0 {
			return out
		}
		share := func(i int) *big.Rat { return new(big.Rat).Quo(mulr(rat(sum, 1), weights[i]), total) }
		var over []int
		for i := range weights {
			if caps != nil && open[i] && share(i).Cmp(rat(caps[i], 1)) > 0 {
				over = append(over, i)
			}
		}
		if len(over) > 0 {
			for _, i := range over {
				out[i], open[i] = caps[i], false
			}
			for _, i := range over {
				sum -= caps[i]
			}
			continue
		}
		var order []int
		rest := sum
		for i := range weights {
			if open[i] {
				out[i] = floorOf(share(i))
				rest -= out[i]
				order = append(order, i)
			}
		}
		remainder := func(i int) *big.Rat { return subr(share(i), rat(floorOf(share(i)), 1)) }
		sort.SliceStable(order, func(a, b int) bool { return remainder(order[a]).Cmp(remainder(order[b])) > 0 })
		for _, i := range order[:rest] {
			out[i]++
		}
		return out
	}
}

func (g *tGoods) picks(l *protocol.Line) bool {
	if g == nil {
		return true
	}
	if len(g.categories) > 0 {
		found := false
		for _, c := range g.categories {
			found = found || c == l.Category
		}
		if !found {
			return false
		}
	}
	if g.tag != "" {
		found := false
		for _, t := range l.Tags {
			found = found || t == g.tag
		}
		if !found {
			return false
		}
	}
	return g.below == 0 || l.Price >= g.from && l.Price < g.below
}

func (w *tWhen) holds(r *protocol.Request, sum int64) bool {
	return w == nil || (w.channel == "" || w.channel == r.Channel) && (w.below == 0 || sum >= w.from && sum < w.below)
}

// twin judges a receipt of the model; every line has an amount above nothing.
type twin struct {
	p   *tProgram
	r   *protocol.Request
	net []int64
	res tResult
}

func (t *twin) judge(available int64) tResult {
	n := len(t.r.Lines)
	t.res = tResult{cut: make([]int64, n), paid: make([]int64, n), got: make([]int64, n), rules: map[string]int64{}}
	for _, l := range t.r.Lines {
		t.net = append(t.net, l.Amount)
	}
	t.discounts()
	t.codes()
	if t.redeem(available); t.res.code.OK() {
		t.earn()
	} else {
		t.res.promo = nil // a decline uses none
	}
	return t.res
}

// total of a list of sums.
func totalOf(list []int64) int64 {
	var s int64
	for _, v := range list {
		s += v
	}
	return s
}

// groupsOf puts rules into their groups, in document order. A rule per receipt
// without a group is a group of its own; add and multiply are in none.
func groupsOf(rules []tRule) [][]tRule {
	var names []string
	byName := map[string][]tRule{}
	for _, r := range rules {
		name := "group " + r.group
		switch {
		case r.kind == "add" || r.kind == "multiply":
			continue
		case r.group == "" && (r.kind == "per receipt"):
			name = "alone " + r.name
		}
		if byName[name] == nil {
			names = append(names, name)
		}
		byName[name] = append(byName[name], r)
	}
	var out [][]tRule
	for _, n := range names {
		out = append(out, byName[n])
	}
	return out
}

// wholeOf is the number of units of a line, nothing for a weighed one.
func wholeOf(l *protocol.Line) int64 {
	if l.Quantity%1000 != 0 {
		return 0
	}
	return l.Quantity / 1000
}

// tUnit is one single unit.
type tUnit struct {
	line  int
	price int64
}

// unitsOf lays every unit on the counter, the dearest first.
func (t *twin) unitsOf(g *tGoods, may func(i int) bool) []tUnit {
	var out []tUnit
	for i := range t.r.Lines {
		l := &t.r.Lines[i]
		n := wholeOf(l)
		if n == 0 || !g.picks(l) || !may(i) {
			continue
		}
		for k := range n {
			price := t.net[i] / n
			if k < t.net[i]%n {
				price++
			}
			out = append(out, tUnit{i, price})
		}
	}
	sort.SliceStable(out, func(a, b int) bool { return out[a].price > out[b].price })
	return out
}
