package program

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tillgate/protocol"
)

// TestTwin lets the evaluator and its twin judge random receipts by random
// programmes: they agree to the minor unit, and every decision keeps the
// promises that answers make.
func TestTwin(t *testing.T) {
	var d Decision
	rapid.Check(t, func(t *rapid.T) {
		model := drawProgram(t)
		p, doc := model.compile(t)
		for range 4 {
			r := drawReceipt(t)
			f := Facts{Present: true, Registered: true, Identified: protocol.ByCard,
				Available: rapid.Int64Range(0, 500_000).Draw(t, "available")}
			model.counted(&f)
			Evaluate(p, &f, r, 0, &d)
			slow := &twin{p: model, r: r}
			want := slow.judge(f.Available)
			require.Equal(t, want, told(&d, len(r.Lines)), "%s\n%+v", doc, r.Lines)
			checkPromises(t, p, &f, r, &d)
		}
	})
}

// compile compiles the model without the caps that can never be used: they are
// refused, which is tested elsewhere.
func (p *tProgram) compile(t *rapid.T) (*Program, string) {
	for {
		doc := p.document()
		out, problems := Compile([]byte(doc))
		at := slices.IndexFunc(problems, func(x protocol.Problem) bool { return strings.HasPrefix(x.Path, "redeem.caps[") })
		if at < 0 {
			require.Empty(t, problems, doc)
			return out, doc
		}
		k, err := strconv.Atoi(strings.TrimPrefix(problems[at].Path, "redeem.caps[")[:1])
		require.NoError(t, err)
		p.caps = slices.Delete(p.caps, k, k+1)
	}
}

// told is a decision in the twin's words.
func told(d *Decision, n int) tResult {
	res := tResult{
		code: d.Code, discount: d.Discount, redeemed: d.Redeemed, money: d.RedeemedMoney,
		earned: d.Earned, max: d.MaxRedeem,
		promo: toldCodes(d.Promo),
		cut:   make([]int64, n), paid: make([]int64, n), got: make([]int64, n), rules: map[string]int64{},
	}
	j := &d.scratch.judge
	for i := range n {
		res.cut[i] = j.cut[i]
	}
	for i := range d.Lines {
		res.paid[i], res.got[i] = d.Lines[i].Redeemed, d.Lines[i].Earned
	}
	for _, r := range d.Rules {
		switch {
		case r.Discount != 0:
			res.rules["off "+r.Rule] += r.Discount
		case r.Points != 0:
			res.rules[r.Rule] += r.Points
		}
	}
	return res
}

// checkPromises holds a decision to what an answer promises.
func checkPromises(t *rapid.T, p *Program, f *Facts, r *protocol.Request, d *Decision) {
	if !d.Code.OK() {
		require.Zero(t, d.Redeemed)
		require.Zero(t, d.Earned)
		return
	}
	var amount, discount, redeemed, payable, earned, points, ruled, lots int64
	for i, l := range d.Lines {
		for _, v := range []int64{l.Discount, l.Redeemed, l.Payable, l.Earned, d.LinePoints[i]} {
			require.GreaterOrEqual(t, v, int64(0))
		}
		require.Equal(t, l.Amount, l.Discount+l.Redeemed+l.Payable)
		if l.Redeemed > 0 {
			require.GreaterOrEqual(t, l.Payable, p.redeem.floor)
		}
		var pieces, units int64
		for _, one := range l.Pieces {
			pieces += one.Price * one.Quantity / 1000
			units += one.Quantity
		}
		if l.Pieces != nil {
			require.Equal(t, l.Payable, pieces)
			require.Equal(t, l.Quantity, units)
		}
		amount += l.Amount
		discount += l.Discount
		redeemed += l.Redeemed
		payable += l.Payable
		earned += l.Earned
		points += d.LinePoints[i]
	}
	for _, one := range d.Rules {
		ruled += one.Points
	}
	for _, one := range d.Lots {
		require.Positive(t, one.Points)
		lots += one.Points
	}
	require.Equal(t, []int64{d.Total, d.Discount, d.RedeemedMoney, d.Payable, d.Earned, d.Redeemed, d.Earned, d.Earned},
		[]int64{amount, discount, redeemed, payable, earned, points, ruled, lots})
	require.LessOrEqual(t, d.Redeemed, d.MaxRedeem)
	require.LessOrEqual(t, d.Redeemed, f.Available)
}

var (
	drawCategories = []string{"coffee", "cake", "shoes"}
	drawTags       = []string{"", "", "sale"}
)

func drawGoods(t *rapid.T, often int) *tGoods {
	if rapid.IntRange(0, 9).Draw(t, "goods") >= often {
		return nil
	}
	g := &tGoods{}
	switch rapid.IntRange(0, 3).Draw(t, "selector") {
	case 0:
		g.tag = "sale"
	case 1:
		g.from = rapid.Int64Range(0, 20_000).Draw(t, "from")
		g.below = g.from + rapid.Int64Range(1, 20_000).Draw(t, "below")
	default:
		g.categories = []string{rapid.SampledFrom(drawCategories).Draw(t, "category")}
		if rapid.Bool().Draw(t, "another") {
			g.categories = append(g.categories, "cake")
		}
	}
	return g
}

func drawWhen(t *rapid.T) *tWhen {
	switch rapid.IntRange(0, 5).Draw(t, "when") {
	case 0:
		return &tWhen{channel: "online"}
	case 1:
		from := rapid.Int64Range(0, 50_000).Draw(t, "receipt from")
		return &tWhen{from: from, below: from + rapid.Int64Range(1, 100_000).Draw(t, "receipt below")}
	}
	return nil
}

func drawPercent(t *rapid.T) int64 {
	return rapid.OneOf(rapid.Map(rapid.Int64Range(0, 20), func(v int64) int64 { return v * 100 }),
		rapid.Int64Range(0, 10_000)).Draw(t, "percent")
}

func drawGroup(t *rapid.T) string {
	return rapid.SampledFrom([]string{"", "", "", "a", "b"}).Draw(t, "group")
}

func drawCut(t *rapid.T, k int) tRule {
	r := tRule{
		name: fmt.Sprint("cut ", k), when: drawWhen(t), goods: drawGoods(t, 6), group: drawGroup(t),
		kind:    rapid.SampledFrom([]string{"percent", "percent", "per receipt", "per line", "per unit", "price", "take", "every", "across", "bundle", "multiply"}).Draw(t, "kind"),
		percent: drawPercent(t), sum: rapid.Int64Range(1, 20_000).Draw(t, "sum"),
		take: rapid.Int64Range(2, 5).Draw(t, "take"), factor: rapid.Int64Range(1, 300).Draw(t, "factor"),
	}
	r.pay = rapid.Int64Range(1, r.take-1).Draw(t, "pay")
	r.bought = rapid.Int64Range(0, 9).Draw(t, "bought")
	r.given = max(0, r.bought/r.take*1000+rapid.SampledFrom([]int64{0, 0, 0, 499, 500, 1000, 1700, -499, -501, -1000}).Draw(t, "given"))
	switch r.kind {
	case "bundle":
		r.goods = nil
		for range rapid.IntRange(2, 3).Draw(t, "parts") {
			r.parts = append(r.parts, tPart{&tGoods{categories: []string{rapid.SampledFrom(drawCategories).Draw(t, "category")}},
				rapid.Int64Range(1, 3).Draw(t, "quantity"), max(drawPercent(t), 1)})
		}
		if rapid.Bool().Draw(t, "free") {
			r.parts[0].percent = 0
		}
	case "multiply":
		r.group = ""
	}
	return r
}

func drawEarn(t *rapid.T, k int) tRule {
	r := tRule{
		name: fmt.Sprint("earn ", k), when: drawWhen(t), goods: drawGoods(t, 5), group: drawGroup(t),
		kind:    rapid.SampledFrom([]string{"percent", "percent", "ladder", "per receipt", "per line", "per unit", "add", "multiply"}).Draw(t, "kind"),
		percent: drawPercent(t), sum: rapid.Int64Range(1, 5000).Draw(t, "sum"), factor: rapid.Int64Range(1, 300).Draw(t, "factor"),
	}
	if r.kind == "add" || r.kind == "multiply" {
		r.group = ""
	}
	if r.kind == "ladder" {
		limit := int64(0)
		for range rapid.IntRange(1, 3).Draw(t, "steps") {
			limit += rapid.Int64Range(2, 60_000).Draw(t, "limit")
			r.steps = append(r.steps, tStep{limit, rapid.Bool().Draw(t, "inclusive"), drawPercent(t)})
		}
		if rapid.Bool().Draw(t, "rest") {
			r.steps = append(r.steps, tStep{percent: drawPercent(t)})
		}
	}
	return r
}

func drawProgram(t *rapid.T) *tProgram {
	p := &tProgram{
		value:    rapid.SampledFrom([]int64{10_000, 10_000, 5000, 20_000, 3333}).Draw(t, "value"),
		round:    rapid.SampledFrom([]int64{1, 1, 100, 50}).Draw(t, "round"),
		halfUp:   rapid.Bool().Draw(t, "half up"),
		conflict: rapid.SampledFrom([]string{"largest", "priority"}).Draw(t, "conflict"),
		gross:    rapid.Bool().Draw(t, "gross"), onReceipt: rapid.Bool().Draw(t, "on receipt"),
		stack:    rapid.SampledFrom([]string{"max", "sum", "priority"}).Draw(t, "stack"),
		cutNever: drawGoods(t, 2), earnNever: drawGoods(t, 2), redeemNever: drawGoods(t, 2),
		either: rapid.Bool().Draw(t, "either"), eligible: rapid.Bool().Draw(t, "eligible"),
		cap: drawPercent(t) * 2 % 10_001, floor: rapid.Int64Range(0, 100).Draw(t, "floor"),
	}
	for k := range rapid.IntRange(0, 4).Draw(t, "cuts") {
		p.cuts = append(p.cuts, drawCut(t, k))
	}
	for k := range rapid.IntRange(0, 4).Draw(t, "earns") {
		p.earns = append(p.earns, drawEarn(t, k))
	}
	for range rapid.IntRange(0, 2).Draw(t, "ceilings") {
		if g := drawGoods(t, 10); rapid.Bool().Draw(t, "of discounts") {
			p.cutCeilings = append(p.cutCeilings, tCeiling{g, drawPercent(t)})
		} else {
			p.earnCeilings = append(p.earnCeilings, tCeiling{g, drawPercent(t)})
		}
	}
	for range rapid.IntRange(0, 3).Draw(t, "caps") {
		c := tCap{drawWhen(t), drawGoods(t, 5), drawPercent(t)}
		if c.when != nil || c.goods != nil {
			p.caps = append(p.caps, c)
		}
	}
	for range rapid.IntRange(0, 3).Draw(t, "codes") {
		p.codes = append(p.codes, drawCode(t))
	}
	p.reachable()
	return p
}

// reachable drops the goods of rules that a `never` would make unreachable:
// such documents are refused, which is tested elsewhere.
func (p *tProgram) reachable() {
	for i := range p.cuts {
		if p.cutNever != nil {
			p.cuts[i].goods = nil
		}
	}
	for i := range p.earns {
		if p.earnNever != nil {
			p.earns[i].goods = nil
		}
	}
}

func drawReceipt(t *rapid.T) *protocol.Request {
	r := &protocol.Request{Channel: rapid.SampledFrom([]string{"store", "online"}).Draw(t, "channel")}
	for i := range rapid.IntRange(1, 6).Draw(t, "lines") {
		l := protocol.Line{
			ID: strconv.Itoa(i), Category: rapid.SampledFrom(drawCategories).Draw(t, "category"),
			Quantity: rapid.OneOf(rapid.Just[int64](1000), rapid.Map(rapid.Int64Range(1, 9), func(v int64) int64 { return v * 1000 }), rapid.Int64Range(1, 3000)).Draw(t, "quantity"),
			Price:    rapid.OneOf(rapid.Int64Range(1, 40_000), rapid.Int64Range(1, 40_000), rapid.Int64Range(1, 10_000_000_000)).Draw(t, "price"),
		}
		if tag := rapid.SampledFrom(drawTags).Draw(t, "tag"); tag != "" {
			l.Tags = []string{tag}
		}
		l.Amount = max(1, l.Price*l.Quantity/1000-rapid.SampledFrom([]int64{0, 0, 1, 7}).Draw(t, "till's discount"))
		r.Lines = append(r.Lines, l)
		r.Total += l.Amount
	}
	switch rapid.IntRange(0, 3).Draw(t, "redeem") {
	case 1:
		r.Redeem.Mode = protocol.RedeemMax
	case 2, 3:
		r.Redeem = protocol.Redeem{Mode: protocol.RedeemPoints, Points: rapid.Int64Range(1, 100_000).Draw(t, "points"),
			Partial: rapid.Bool().Draw(t, "partial")}
	}
	return r
}

// The rest writes the model as the document that people would write.

func hundredth(v int64) string { return unscaled(v, 2) }

func (g *tGoods) document() string {
	var keys []string
	if len(g.categories) > 0 {
		keys = append(keys, "category: ["+strings.Join(g.categories, ", ")+"]")
	}
	if g.tag != "" {
		keys = append(keys, "tag: ["+g.tag+"]")
	}
	if g.below > 0 {
		keys = append(keys, "price: {from: "+hundredth(g.from)+", below: "+hundredth(g.below)+"}")
	}
	return "{" + strings.Join(keys, ", ") + "}"
}

func (w *tWhen) document() string {
	if w.channel != "" {
		return "{channel: [" + w.channel + "]}"
	}
	return "{receipt: {from: " + hundredth(w.from) + ", below: " + hundredth(w.below) + "}}"
}

func (r *tRule) give() string {
	switch r.kind {
	case "per receipt", "per line", "per unit":
		word := "points"
		if strings.HasPrefix(r.name, "cut") {
			word = "minus"
		}
		return fmt.Sprintf("{%s: %s, per: %s}", word, hundredth(r.sum), strings.TrimPrefix(r.kind, "per "))
	case "price":
		return "{price: " + hundredth(r.sum) + "}"
	case "take":
		return fmt.Sprintf("{take: %d, pay: %d}", r.take, r.pay)
	case "every":
		return fmt.Sprintf("{every: %d, percent: %s}", r.take, hundredth(r.percent))
	case "across":
		return fmt.Sprintf("{every: %d, percent: %s, across_receipts: true}", r.take, hundredth(r.percent))
	case "multiply":
		return "{multiply: " + hundredth(r.factor) + "}"
	case "add":
		return "{add_percent: " + hundredth(r.percent) + "}"
	case "bundle":
		var parts []string
		for _, p := range r.parts {
			parts = append(parts, fmt.Sprintf("{goods: %s, quantity: %d, percent: %s}", p.goods.document(), p.quantity, hundredth(p.percent)))
		}
		return "{bundle: [" + strings.Join(parts, ", ") + "]}"
	case "ladder":
		var steps []string
		for _, s := range r.steps {
			limit := ""
			if s.limit > 0 {
				limit = map[bool]string{true: "up_to", false: "below"}[s.inclusive] + ": " + hundredth(s.limit) + ", "
			}
			steps = append(steps, "{"+limit+"percent: "+hundredth(s.percent)+"}")
		}
		return "{ladder: [" + strings.Join(steps, ", ") + "]}"
	}
	return "{percent: " + hundredth(r.percent) + "}"
}

func writeRules(w *strings.Builder, rules []tRule, never *tGoods, ceilings []tCeiling) {
	if never != nil {
		fmt.Fprintf(w, "  never: %s\n", never.document())
	}
	w.WriteString("  ceilings:\n")
	for _, c := range ceilings {
		fmt.Fprintf(w, "    - {goods: %s, percent: %s}\n", c.goods.document(), hundredth(c.percent))
	}
	if len(ceilings) == 0 {
		w.WriteString("    []\n")
	}
	w.WriteString("  rules:\n")
	for _, r := range rules {
		fmt.Fprintf(w, "    - name: %s\n      give: %s\n", r.name, r.give())
		if r.when != nil {
			fmt.Fprintf(w, "      when: %s\n", r.when.document())
		}
		if r.goods != nil {
			fmt.Fprintf(w, "      goods: %s\n", r.goods.document())
		}
		if r.group != "" {
			fmt.Fprintf(w, "      group: %s\n", r.group)
		}
	}
	if len(rules) == 0 {
		w.WriteString("    []\n")
	}
}

func (p *tProgram) document() string {
	var w strings.Builder
	word := func(yes bool, a, b string) string { return map[bool]string{true: a, false: b}[yes] }
	fmt.Fprintf(&w, "program: random\ncurrency: KZT\npoints: {value: %s, round: %s, mode: %s}\n",
		unscaled(p.value, 4), hundredth(p.round), word(p.halfUp, "half_up", "down"))
	fmt.Fprintf(&w, "discounts:\n  conflict: %s\n", p.conflict)
	writeRules(&w, p.cuts, p.cutNever, p.cutCeilings)
	fmt.Fprintf(&w, "earn:\n  base: %s\n  stack: %s\n  stack_on: %s\n", word(p.gross, "gross", "paid"), p.stack, word(p.onReceipt, "receipt", "line"))
	writeRules(&w, p.earns, p.earnNever, p.earnCeilings)
	fmt.Fprintf(&w, "redeem:\n  mode: %s\n  cap: %s\n  cap_of: %s\n  line_floor: %s\n",
		word(p.either, "either", "together"), hundredth(p.cap), word(p.eligible, "eligible", "receipt"), hundredth(p.floor))
	if p.redeemNever != nil {
		fmt.Fprintf(&w, "  never: %s\n", p.redeemNever.document())
	}
	if len(p.caps) > 0 {
		w.WriteString("  caps:\n")
	}
	for _, c := range p.caps {
		var keys []string
		if c.when != nil {
			keys = append(keys, "when: "+c.when.document())
		}
		if c.goods != nil {
			keys = append(keys, "goods: "+c.goods.document())
		}
		fmt.Fprintf(&w, "    - {%s, cap: %s}\n", strings.Join(keys, ", "), hundredth(c.percent))
	}
	p.writeCodes(&w)
	return w.String()
}
