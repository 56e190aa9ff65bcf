package program

import "strconv"

// discounts reads the section of the same name.
func (c *compiler) discounts(o object) {
	d := &c.p.discounts
	d.never = all
	n := o.get("discounts")
	if n == nil {
		return
	}
	b, ok := c.object("discounts", n, "conflict", "never", "ceilings", "rules")
	if !ok {
		return
	}
	d.present = true
	d.priority = b.choice("conflict", "largest", "priority") == 1
	d.never = c.never(b)
	d.ceilings = c.ceilings(b)
	var g groups
	heads := c.ruleList(b, []string{"name", "when", "goods", "give", "group"},
		[]string{"percent", "minus", "per", "take", "pay", "every", "across_receipts", "price", "bundle", "multiply"})
	for i := range heads {
		c.neverMatches(&heads[i], d.never)
		r := c.discountRule(&heads[i])
		if r.kind != cutMultiply {
			g.enter(&heads[i], r.kind == cutPerReceipt, i)
		} else if heads[i].group != "" {
			c.fail(heads[i].body.at("group"), "multiply competes with nothing; leave the group out")
		}
		d.rules = append(d.rules, r)
	}
	d.groups = g.rules
	var factors [][2]uint64
	for i := range d.rules {
		if r := &d.rules[i]; r.kind == cutMultiply {
			factors = append(factors, [2]uint64{r.num, r.den})
		}
	}
	c.multiplies("discounts.rules", factors)
}

func (c *compiler) discountRule(h *ruleHead) discountRule {
	r := discountRule{name: h.name, when: h.when, goods: h.goods, num: 1, den: 1}
	give := h.give
	what := ""
	if give.has("every") {
		what = "every" // it stands with percent
	} else {
		what = give.one("percent", "minus", "take", "price", "bundle", "multiply")
	}
	c.companions(give, what)
	switch what {
	case "percent":
		r.kind, r.rate = cutPercent, give.percent("percent")
	case "minus":
		r.minus, _ = give.money("minus", 1)
		r.kind = []discountKind{cutPerReceipt, cutPerLine, cutPerUnit}[give.choice("per", "receipt", "line", "unit")]
	case "take":
		c.takePay(give, &r)
	case "every":
		c.every(give, &r)
	case "price":
		r.kind = cutPrice
		r.price, _ = give.money("price", 0)
	case "bundle":
		c.bundle(h, give, &r)
	case "multiply":
		r.kind = cutMultiply
		r.num, r.den = c.factor(give)
	}
	return r
}

// companions refuses keys of `give` that don't belong to what is given.
func (c *compiler) companions(give object, what string) {
	allowed := map[string][]string{
		"percent": {"percent"}, "minus": {"minus", "per"}, "take": {"take", "pay"}, "price": {"price"},
		"every": {"every", "percent", "across_receipts"}, "bundle": {"bundle"}, "multiply": {"multiply"},
	}[what]
next:
	for i := range give.n.keys {
		name := give.n.keys[i].name
		for _, a := range allowed {
			if a == name {
				continue next
			}
		}
		for _, known := range []string{"per", "pay", "across_receipts", "percent", "minus", "take", "price", "bundle", "multiply"} {
			if known == name && what != "" {
				c.fail(give.at(name), "`%s` doesn't go with `%s`; leave it out", name, what)
			}
		}
	}
}

func (c *compiler) takePay(give object, r *discountRule) {
	r.kind, r.rate = cutUnits, rateUnit
	r.take = give.count("take", 2)
	pay := give.count("pay", 1)
	if !give.has("pay") || r.take > 0 && pay >= r.take {
		c.fail(give.at("pay"), "say how many of the units are paid, fewer than are taken: take: 4, pay: 3")
	}
	r.free = r.take - pay
	r.gives = offOne(r)
}

// offOne says for hints what a complete group of units brings.
func offOne(r *discountRule) string {
	switch {
	case r.rate < rateUnit:
		return unscaled(int64(r.rate), 4) + " % off one"
	case r.free > 1:
		return strconv.FormatInt(r.free, 10) + " are free"
	}
	return "one is free"
}

func (c *compiler) every(give object, r *discountRule) {
	r.kind, r.free = cutUnits, 1
	r.take = give.count("every", 2)
	r.rate = give.percent("percent")
	if !give.has("percent") {
		c.fail(give.path, "say what is taken off the unit: percent: 100 makes it free")
	}
	r.gives = offOne(r)
	if r.across = give.flag("across_receipts"); r.across {
		n := strconv.FormatInt(r.take, 10)
		r.key, r.given = CountKey("units", r.name, n), CountKey("free units", r.name, n)
	}
}

// maxParts bounds the parts of a bundle.
const maxParts = 10

func (c *compiler) bundle(h *ruleHead, give object, r *discountRule) {
	r.kind = cutBundle
	if h.goods != all {
		c.fail(h.body.at("goods"), "a bundle names the goods of each part; leave this out")
	}
	list := give.list("bundle")
	if len(list) < 2 || len(list) > maxParts {
		c.fail(give.at("bundle"), "a bundle has 2 to %d parts, each with its goods", maxParts)
		return
	}
	off := false
	for i, n := range list {
		path := item(give.at("bundle"), i)
		b, ok := c.object(path, n, "goods", "quantity", "percent")
		if !ok {
			continue
		}
		if !b.has("goods") {
			c.fail(path, "say which goods: goods: {sku: [A]}")
		}
		part := bundlePart{goods: c.goods(b.at("goods"), b.get("goods")), quantity: 1, rate: b.percent("percent")}
		if b.has("quantity") {
			part.quantity = b.count("quantity", 1)
		}
		off = off || part.rate > 0
		r.parts = append(r.parts, part)
	}
	if !off && len(r.parts) == len(list) {
		c.fail(give.at("bundle"), "no part has a discount; give one of them a percent")
	}
}
