package program

// redeem reads what may be paid with points.
func (c *compiler) redeem(o object) {
	r := &c.p.redeem
	r.never = all
	n := o.get("redeem")
	if n == nil {
		return
	}
	b, ok := c.object("redeem", n, "with", "mode", "cap", "cap_of", "caps", "never", "line_floor", "offline")
	if !ok {
		return
	}
	r.present, r.card, r.code, r.cap, r.floor = true, true, true, rateUnit, 1
	if b.has("with") {
		c.identification(b)
	}
	r.either = b.choice("mode", "together", "either") == 1
	if b.has("cap") {
		r.cap = b.percent("cap")
	}
	r.eligible = b.choice("cap_of", "receipt", "eligible") == 1
	r.never = c.never(b)
	if v, ok := b.money("line_floor", 0); ok {
		r.floor = v
	}
	c.offline(b)
	list := b.list("caps")
	if len(list) > maxRules {
		c.fail("redeem.caps", "up to %d caps; join some of their goods", maxRules)
		return
	}
	for i, n := range list {
		c.spendCap(item("redeem.caps", i), n)
	}
}

// identification reads the kinds that may spend. A phone number or an e-mail
// address is known to too many to be one.
func (c *compiler) identification(b object) {
	r := &c.p.redeem
	r.card, r.code = false, false
	for i, n := range b.list("with") {
		switch n.text {
		case "card":
			r.card = true
		case "code":
			r.code = true
		case "id": // always, under a checkout key, and never without one
		default:
			c.fail(item("redeem.with", i), "choose from code, card and id; a phone number or e-mail only names a member, and then earns only")
		}
	}
}

// offline reads how many points may be spent at a till that is cut off. The
// bound per day is a must: a till can print any number of receipts meanwhile.
func (c *compiler) offline(b object) {
	n := b.get("offline")
	if n == nil {
		return
	}
	o, ok := c.object(b.at("offline"), n, "per_receipt", "per_day")
	if !ok {
		return
	}
	l := &c.p.redeem.offline
	if !o.has("per_day") {
		c.fail(o.path, "say how many points a member may spend in a day while tills are cut off: per_day: 1000")
		return
	}
	if l.perDay, ok = o.decimal("per_day", 2, 1, MaxAmount); !ok {
		return
	}
	l.perReceipt = l.perDay
	if !o.has("per_receipt") {
		return
	}
	if l.perReceipt, ok = o.decimal("per_receipt", 2, 1, MaxAmount); ok && l.perReceipt > l.perDay {
		c.fail(o.at("per_receipt"), "no receipt gets past per_day; lower this or raise that")
	}
}

func (c *compiler) spendCap(path string, n *node) {
	b, ok := c.object(path, n, "when", "goods", "cap")
	if !ok {
		return
	}
	if !b.has("cap") {
		c.fail(path, "say which share: cap: 10")
	}
	if !b.has("when") && !b.has("goods") {
		c.fail(path, "it would always be used instead of redeem.cap; change that, or add when or goods")
	}
	one := spendCap{
		name:  path,
		when:  c.when(b.at("when"), b.get("when"), false),
		goods: c.goods(b.at("goods"), b.get("goods")),
		rate:  b.percent("cap"),
	}
	c.spendCapNever(b, &one)
	c.p.redeem.caps = append(c.p.redeem.caps, one)
}
