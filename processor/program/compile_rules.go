package program

import (
	"fmt"
)

// ruleHead is what every rule has.
type ruleHead struct {
	path  string
	name  string
	when  *cond
	goods int
	give  object
	group string
	body  object
}

// ruleList reads the heads of a section's rules.
func (c *compiler) ruleList(section object, keys []string, giveKeys []string) []ruleHead {
	list := section.list("rules")
	path := section.at("rules")
	if len(list) > maxRules {
		c.fail(path, "a section has up to %d rules; join rules that differ only in their goods", maxRules)
		return nil
	}
	names := map[string]bool{}
	var out []ruleHead
	for i, n := range list {
		h := ruleHead{path: item(path, i)}
		o, ok := c.object(h.path, n, keys...)
		if !ok {
			continue
		}
		if h.name = o.text("name"); !o.has("name") {
			c.fail(h.path, "give the rule a name; slips and reports show it")
		} else if names[h.name] {
			c.fail(o.at("name"), "the rule %q stands twice; names must differ", h.name)
		}
		names[h.name] = true
		h.body, h.group = o, o.text("group")
		h.when = c.when(o.at("when"), o.get("when"), false)
		h.goods = c.goods(o.at("goods"), o.get("goods"))
		if !o.has("give") {
			c.fail(h.path, "say what the rule gives: give: {percent: 5}")
			continue
		}
		if h.give, ok = c.object(o.at("give"), o.get("give"), giveKeys...); ok {
			out = append(out, h)
		}
	}
	return out
}

// groups are the groups of a section in the order in which they appear: the
// rules of each, by number.
type groups struct {
	names map[string]int
	rules [][]int
}

// enter lets a rule compete in its group: that of the document, else all
// without one are in one. Sums and points per receipt compete only where the
// document says so, and stand alone otherwise.
func (g *groups) enter(h *ruleHead, perReceipt bool, rule int) {
	name := h.group
	if name == "" && perReceipt {
		name = "\x00" + h.path
	}
	n, ok := g.names[name]
	if !ok {
		if g.names == nil {
			g.names = map[string]int{}
		}
		n = len(g.rules)
		g.names[name], g.rules = n, append(g.rules, nil)
	}
	g.rules[n] = append(g.rules[n], rule)
}

// ceilings reads the ceilings of a section, in parts of rateUnit.
func (c *compiler) ceilings(o object) []ceiling {
	list := o.list("ceilings")
	if len(list) > maxRules {
		c.fail(o.at("ceilings"), "up to %d ceilings; join some of their goods", maxRules)
		return nil
	}
	var out []ceiling
	for i, n := range list {
		path := item(o.at("ceilings"), i)
		b, ok := c.object(path, n, "goods", "percent")
		if !ok {
			continue
		}
		for _, k := range []string{"goods", "percent"} {
			if !b.has(k) {
				c.fail(path, "a ceiling needs %s", k)
			}
		}
		out = append(out, ceiling{goods: c.goods(b.at("goods"), b.get("goods")), rate: b.percent("percent")})
	}
	return out
}

// never reads the goods that a section leaves alone.
func (c *compiler) never(o object) int { return c.goods(o.at("never"), o.get("never")) }

// Bounds of `multiply`, so that a figure never needs more than 127 bits.
const (
	maxMultiplies = 4
	maxFactor     = 10_000 // ×100, with two digits after the point
	maxProduct    = 10_000_000_000
)

// factor reads multiply: a reduced fraction.
func (c *compiler) factor(o object) (num, den uint64) {
	v, ok := o.decimal("multiply", 2, 1, maxFactor)
	if !ok {
		return 1, 1
	}
	num, den = uint64(v), 100
	for _, prime := range []uint64{2, 2, 5, 5} {
		if num%prime == 0 && den%prime == 0 {
			num, den = num/prime, den/prime
		}
	}
	return num, den
}

// multiplies bounds the multipliers of a section together.
func (c *compiler) multiplies(path string, factors [][2]uint64) {
	product := uint64(1)
	for _, f := range factors {
		product *= max(f[0], f[1])
		if product > maxProduct {
			break
		}
	}
	if len(factors) > maxMultiplies || product > maxProduct {
		c.fail(path, "too many or too large multipliers: up to %d rules with `multiply`, together not above 100", maxMultiplies)
	}
}

// earn reads the earning rules.
func (c *compiler) earn(o object) {
	e := &c.p.earn
	e.never = all
	n := o.get("earn")
	if n == nil {
		return
	}
	b, ok := c.object("earn", n, "base", "stack", "stack_on", "never", "ceilings", "rules")
	if !ok {
		return
	}
	e.present = true
	e.gross = b.choice("base", "paid", "gross") == 1
	e.stack = stacking(b.choice("stack", "max", "sum", "priority"))
	e.onReceipt = b.choice("stack_on", "line", "receipt") == 1
	e.never = c.never(b)
	e.ceilings = c.ceilings(b)
	var g groups
	heads := c.ruleList(b, []string{"name", "when", "goods", "give", "group", "lot"},
		[]string{"percent", "ladder", "points", "per", "add_percent", "multiply"})
	for i := range heads {
		c.neverMatches(&heads[i], e.never)
		r := c.earnRule(&heads[i])
		if r.competes() {
			g.enter(&heads[i], r.kind == earnPerReceipt, i)
		} else if heads[i].group != "" {
			c.fail(heads[i].body.at("group"), "add_percent and multiply compete with nothing; leave the group out")
		}
		e.rules = append(e.rules, r)
	}
	e.groups = g.rules
	var factors [][2]uint64
	for i := range e.rules {
		if r := &e.rules[i]; r.kind == earnMultiply {
			factors = append(factors, [2]uint64{r.num, r.den})
		}
	}
	c.multiplies("earn.rules", factors)
}

func (c *compiler) earnRule(h *ruleHead) earnRule {
	r := earnRule{name: h.name, when: h.when, goods: h.goods, num: 1, den: 1}
	give := h.give
	what := give.one("percent", "ladder", "points", "add_percent", "multiply")
	if give.has("per") && what != "points" {
		c.fail(give.at("per"), "`per` goes with `points`")
	}
	switch what {
	case "percent":
		r.rate, r.kind = give.percent("percent"), earnPercent
	case "ladder":
		r.steps, r.kind = c.ladder(give), earnLadder
	case "points":
		r.points, _ = give.decimal("points", 2, 1, maxPoints)
		r.kind = []earnKind{earnPerReceipt, earnPerLine, earnPerUnit}[give.choice("per", "receipt", "line", "unit")]
	case "add_percent":
		r.rate, r.kind = give.percent("add_percent"), earnAdd
	case "multiply":
		r.kind = earnMultiply
		r.num, r.den = c.factor(give)
	}
	if n := h.body.get("lot"); n != nil {
		c.ownLot(h, n, &r)
	}
	r.gives = r.tells()
	r.again = r.comeAgain()
	return r
}

// ownLot reads a rule's own terms; what is left out is the programme's.
func (c *compiler) ownLot(h *ruleHead, n *node, r *earnRule) {
	b, ok := c.object(h.body.at("lot"), n, "active_after", "expires_after")
	if !ok {
		return
	}
	if r.kind == earnMultiply {
		c.fail(b.path, "multiply gives no points of its own; leave the lot out")
	}
	r.own, r.lotAfter, r.lotLife = true, c.p.lots.ActiveAfter, c.p.lots.ExpiresAfter
	if b.has("active_after") {
		r.lotAfter = b.term("active_after", maxWindow)
	}
	if b.has("expires_after") {
		r.lotLife = c.life(b)
	}
}

// ladder reads steps in ascending order; overlapping ones are refused.
func (c *compiler) ladder(give object) []step {
	list := give.list("ladder")
	path := give.at("ladder")
	if len(list) == 0 || len(list) > maxRules {
		c.fail(path, "a ladder has 1 to %d steps, as [{below: 1000, percent: 5}, {percent: 10}]", maxRules)
		return nil
	}
	var out []step
	for i, n := range list {
		at := item(path, i)
		b, ok := c.object(at, n, "below", "up_to", "percent")
		if !ok {
			continue
		}
		if !b.has("percent") {
			c.fail(at, "a step needs percent")
		}
		s := step{limit: never, rate: b.percent("percent")}
		s.gives = unscaled(int64(s.rate), 4) + " %"
		if b.has("below") && b.has("up_to") {
			c.fail(at, "`below` and `up_to` exclude each other; keep one")
		}
		if v, ok := b.money("below", 1); ok {
			s.limit = v
		}
		if v, ok := b.money("up_to", 0); ok {
			s.limit, s.inclusive = v, true
		}
		if k := len(out); k > 0 && s.next() <= out[k-1].next() {
			c.fail(at, "steps overlap: it must end above the step before it (%s)", stepEnd(&out[k-1]))
		}
		out = append(out, s)
	}
	return out
}

func stepEnd(s *step) string {
	if s.limit == never {
		return "which is the rest already"
	}
	return fmt.Sprintf("which ends at %s", unscaled(s.limit, 2))
}
