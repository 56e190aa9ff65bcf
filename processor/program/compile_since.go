package program

import (
	"strings"

	"tillgate/protocol"
)

// section is a part of the document whose rules are being read: a rule may
// look back on rules of its own section, and of those that act before it.
type section uint8

const (
	sectionOther section = iota
	sectionPromo
	sectionDiscounts
	sectionRedeem
	sectionEarn
)

// maxBought is how many different goods `bought` may ask for: the account
// keeps a counter a day for each.
const maxBought = 8

// boughtCondition reads what the member must have bought before.
func (c *compiler) boughtCondition(path string, n *node, reporting bool) (check, bool) {
	o, ok := c.object(path, n, "goods", "within", "quantity")
	if !ok {
		return check{}, false
	}
	if !o.has("goods") {
		c.fail(path, "say what must have been bought: goods: {category: [tea]}")
	}
	if !o.has("within") {
		c.fail(path, "say over which time: within: 30d")
	}
	out := check{
		kind: factBought, within: c.window(o, "within", Days, Months, Years),
		because: "the member has not bought that much of the goods in the window",
	}
	if v, ok := o.decimal("quantity", 3, 1, maxUnits*1000); ok {
		out.quantity = v
	}
	if reporting {
		s, ok := c.selector(o.at("goods"), o.get("goods"))
		out.look = c.lookUp(look{kind: protocol.LookBought, within: out.within, goods: s})
		return out, ok
	}
	goods := c.goods(o.at("goods"), o.get("goods"))
	if goods == all {
		return out, false
	}
	// A day's counter matters until the window has left the day in every zone.
	keep := int32(out.within.longest()/daySeconds) + 2
	for i := range c.p.bought {
		if b := &c.p.bought[i]; b.goods == goods {
			b.keep, out.ref = max(b.keep, keep), i
			return out, true
		}
	}
	if len(c.p.bought) == maxBought {
		c.fail(path, "up to %d different goods can be asked for with `bought`, because every member's account counts each of them by day; join some (a common tag in the product directory), or ask for the same goods in several rules", maxBought)
		return out, false
	}
	out.ref = len(c.p.bought)
	c.p.bought = append(c.p.bought, boughtCounter{goods: goods, key: CountKey("bought", c.says[goods]), keep: keep})
	return out, true
}

// lookBack is a rule that others look back on, before it is known which it is.
type lookBack struct {
	path, rule string
	asks       section
}

// sinceFirstCondition reads a look back on a rule's first purchase. Which rule
// that is turns out when all are read.
func (c *compiler) sinceFirstCondition(path string, n *node, reporting bool) (check, bool) {
	o, ok := c.object(path, n, "rule", "within")
	if !ok {
		return check{}, false
	}
	back := lookBack{path: o.at("rule"), rule: o.text("rule"), asks: c.section}
	if !o.has("rule") {
		c.fail(path, "say which rule's first purchase is meant: rule: NAME")
	}
	out := check{kind: factSinceFirst, within: c.sinceWithin(path, o), because: "the rule's first purchase is longer ago, or has not come yet"}
	if reporting {
		out.look = c.lookUp(look{kind: protocol.LookFirst, rule: back.rule})
		return out, true
	}
	for i := range c.looks {
		if c.looks[i].rule == back.rule && c.looks[i].asks == back.asks {
			out.ref = i
			return out, true
		}
	}
	out.ref = len(c.looks)
	c.looks = append(c.looks, back)
	return out, true
}

// sinceReachedCondition reads a look back on when a sum was reached.
func (c *compiler) sinceReachedCondition(path string, n *node, reporting bool) (check, bool) {
	o, ok := c.object(path, n, "sum", "within")
	if !ok {
		return check{}, false
	}
	sum, _ := o.money("sum", 1)
	if !o.has("sum") {
		c.fail(path, "say which sum: sum: 10000")
	}
	out := check{kind: factSinceReached, within: c.sinceWithin(path, o), because: "the sum has not been reached, or was longer ago"}
	if reporting {
		out.from, out.look = sum, c.lookUp(look{kind: protocol.LookReached, sum: sum})
		return out, true
	}
	for i := range c.p.reached {
		if c.p.reached[i].sum == sum {
			out.ref = i
			return out, true
		}
	}
	out.ref = len(c.p.reached)
	c.p.reached = append(c.p.reached, reachedSum{sum: sum, key: CountKey("reached", unscaled(sum, 2))})
	return out, true
}

// sinceWithin is how long a condition holds from its moment on.
func (c *compiler) sinceWithin(path string, o object) Term {
	t := o.term("within", maxLife)
	if n := o.get("within"); n == nil || t.Zero() && termForm.MatchString(n.text) && strings.Trim(n.text, "0smhdy") == "" {
		c.fail(path, "say for how long: within: 30d")
	}
	return t
}

// resolveLooks finds the rules that others look back on: of the asking rule's
// own section first, then of the discounts, which act before it.
func (c *compiler) resolveLooks() {
	for _, l := range c.looks {
		u, ok := firstUse{}, false
		if l.asks != sectionDiscounts && l.asks != sectionPromo && l.asks != sectionRedeem {
			for k := range c.p.earn.rules {
				if r := &c.p.earn.rules[k]; r.name == l.rule {
					u, ok = firstUse{key: CountKey("first", "earn", r.name), when: r.when, goods: r.goods}, true
				}
			}
		}
		for k := range c.p.discounts.rules {
			if r := &c.p.discounts.rules[k]; r.name == l.rule && !ok {
				u, ok = firstUse{key: CountKey("first", "discount", r.name), when: r.when, goods: r.goods, cut: true}, true
			}
		}
		if !ok && len(c.problems) == 0 {
			c.fail(l.path, "there is no such rule to look back on: a rule can look back on rules of its own section, and on discounts; correct the name")
		}
		for i := range c.p.firsts {
			u.again = u.again || c.p.firsts[i].key == u.key
		}
		c.p.firsts = append(c.p.firsts, u)
	}
	for i := range c.p.firsts {
		if len(c.problems) == 0 && c.circular(i, i, 0) {
			c.fail(c.looks[i].path, "the rules look back on each other in a circle, so none would ever begin; let one of them begin by other conditions")
		}
	}
}

// circular reports whether looking back from a rule leads to another one's
// look back on goal. A rule's look back on itself is none.
func (c *compiler) circular(goal, at, depth int) bool {
	if depth > len(c.p.firsts) {
		return true
	}
	u := &c.p.firsts[at]
	if u.when == nil {
		return false
	}
	for i := range u.when.checks {
		k := &u.when.checks[i]
		if k.kind != factSinceFirst || c.p.firsts[k.ref].key == u.key {
			continue
		}
		if c.p.firsts[k.ref].key == c.p.firsts[goal].key || c.circular(goal, k.ref, depth+1) {
			return true
		}
	}
	return false
}

// neverSince refuses conditions that look back, beside one on the first
