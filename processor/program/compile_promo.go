package program

import "strings"

// Bounds of promo codes: what a customer may be asked to type (the protocol's
// bound), and numbers that no campaign reaches.
const (
	maxCode = 32
	maxUses = 1_000_000_000
)

// promoCodes reads the codes and series of coupons.
func (c *compiler) promoCodes(o object) {
	list := o.list("promo_codes")
	if len(list) > maxRules {
		c.fail("promo_codes", "a programme has up to %d codes; make a series of coupons of codes that give the same", maxRules)
		return
	}
	c.p.promoCodes = map[string]int{}
	c.section = sectionPromo
	for i, n := range list {
		path := item("promo_codes", i)
		b, ok := c.object(path, n, "code", "serial", "source", "partner", "when", "goods", "give", "lot",
			"per_member", "limit", "from", "until")
		if ok {
			c.promoEntry(path, b)
		}
	}
}

func (c *compiler) promoEntry(path string, b object) {
	e := promo{source: b.text("source"), partner: b.text("partner"), tier: -1, goods: all}
	at := len(c.p.promos)
	switch b.one("code", "serial") {
	case "code":
		e.name = b.text("code")
		c.promoName(b.at("code"), e.name, at)
	case "serial":
		e.name, e.serial = b.text("serial"), true
		if _, taken := c.p.PromoNamed(e.name, true); taken {
			c.fail(b.at("serial"), "the series %q stands twice; names must differ", e.name)
		}
		c.p.series = append(c.p.series, at)
	}
	e.when = c.when(b.at("when"), b.get("when"), false)
	e.perMember, _ = b.decimal("per_member", 0, 1, maxUses)
	e.limit, _ = b.decimal("limit", 0, 1, maxUses)
	for _, day := range []struct {
		key string
		to  *int32
	}{{"from", &e.from}, {"until", &e.until}} {
		if n := b.get(day.key); n != nil {
			*day.to = int32(c.date(b.at(day.key), n))
		}
	}
	if e.from != 0 && e.until != 0 && e.from > e.until {
		c.fail(b.at("until"), "the last day is before the first, so it can never be used; exchange them")
	}
	if c.p.dated && e.until != 0 && c.p.effective >= (int64(e.until)+2)*daySeconds*second {
		c.fail(b.at("until"), "its last day is over in every time zone when the programme comes into force (effective_from), so it can never be used; correct one of the two")
	}
	e.goods = c.goods(b.at("goods"), b.get("goods"))
	if lot := b.get("lot"); lot != nil {
		e.own, e.lotAfter, e.lotLife = c.giftLot(b.at("lot"), lot)
	}
	if b.has("give") {
		c.promoGives(b, &e)
	}
	if b.has("goods") && !e.cuts() && len(c.problems) == 0 {
		c.fail(b.at("goods"), "`goods` goes with a discount; leave it out")
	}
	if b.has("lot") && e.points == 0 && len(c.problems) == 0 {
		c.fail(b.at("lot"), "`lot` goes with points; leave it out")
	}
	c.p.promos = append(c.p.promos, e)
	c.promoPaths = append(c.promoPaths, path)
}

// promoName holds a code to what people can type, and to be the only one.
func (c *compiler) promoName(path, code string, at int) {
	if len(code) > maxCode || strings.ContainsAny(code, " \t") {
		c.fail(path, "a code has up to %d bytes and no spaces: customers type it", maxCode)
	}
	if _, taken := c.p.promoCodes[foldCode(code)]; taken {
		c.fail(path, "the code %q stands twice (capital and small letters are the same here); codes must differ", code)
	}
	c.p.promoCodes[foldCode(code)] = at
}

// promoGives reads what a code gives.
func (c *compiler) promoGives(b object, e *promo) {
	give, ok := c.object(b.at("give"), b.get("give"), "points", "discount", "tier", "for")
	if !ok {
		return
	}
	what := give.one("points", "discount", "tier")
	if give.has("for") && what != "tier" {
		c.fail(give.at("for"), "`for` goes with `tier`; leave it out")
	}
	switch what {
	case "points":
		e.points, _ = give.decimal("points", 2, 1, maxPoints)
	case "discount":
		c.promoDiscount(give, e)
	case "tier":
		name := give.text("tier")
		if e.tier = c.p.tiers.find(name); e.tier < 0 {
			c.fail(give.at("tier"), "there is no level %q under `tiers`; add it, or correct the name", name)
		}
		if e.tierFor = give.term("for", maxLife); e.tierFor.Zero() {
			c.fail(give.path, "say how long the tier is kept: for: 90d")
		}
	}
}

func (c *compiler) promoDiscount(give object, e *promo) {
	d, ok := c.object(give.at("discount"), give.get("discount"), "percent", "minus")
	if !ok {
		return
	}
	if d.one("percent", "minus") == "minus" {
		e.minus, _ = d.money("minus", 1)
	} else if e.rate = d.percent("percent"); e.rate == 0 {
		c.fail(d.path, "a discount of nothing; say how much")
	}
}

// giftLot reads the terms of a gift; what is left out is the programme's.
func (c *compiler) giftLot(path string, n *node) (own bool, after, life Term) {
	b, ok := c.object(path, n, "active_after", "expires_after")
	if !ok {
		return false, Term{}, Term{}
	}
	after, life = c.p.lots.ActiveAfter, c.p.lots.ExpiresAfter
	if b.has("active_after") {
		after = b.term("active_after", maxWindow)
	}
	if b.has("expires_after") {
		life = c.life(b)
	}
	return true, after, life
}

// promoCondition reads `promo_code`: names of codes or series.
func (c *compiler) promoCondition(o object, reporting bool) check {
	out := check{kind: factPromo, because: "no promo code that it asks for can be used"}
	if reporting { // what a member came with may be gone from the document
		out.names = c.folded(o.names("promo_code"))
		return out
	}
	if c.section == sectionPromo {
		c.fail(o.at("promo_code"), "a code does not ask for codes; leave it out")
		return out
	}
	for _, name := range o.names("promo_code").list {
		at, ok := c.p.promoCodes[foldCode(name)]
		if !ok {
			at, ok = c.p.PromoNamed(name, true)
		}
		if !ok {
			c.fail(o.at("promo_code"), "there is no code or series %q under `promo_codes`; add it, or correct the name", name)
			continue
		}
		c.p.promos[at].asked = true
		out.codes = append(out.codes, int32(at))
	}
	return out
}

// uselessCodes refuses codes that give nothing and that no rule asks for.
func (c *compiler) uselessCodes() {
	for i := range c.p.promos {
		e := &c.p.promos[i]
		if e.points == 0 && !e.cuts() && e.tier < 0 && !e.asked && len(c.problems) == 0 {
			c.fail(c.promoPaths[i], "it gives nothing and no rule asks for it; say what it gives: give: {points: 100}, or name it in a rule: when: {promo_code: [%s]}", e.name)
		}
	}
}
