package program

import (
	"slices"
	"strings"
)

// events reads what is given beside purchases' points.
func (c *compiler) events(o object) {
	list := o.list("events")
	if len(list) > maxRules {
		c.fail("events", "up to %d events; join some of their conditions", maxRules)
		return
	}
	names := map[string]bool{}
	for i, n := range list {
		path := item("events", i)
		b, ok := c.object(path, n, "event", "name", "when", "goods", "days_before", "after", "give", "lot", "repeat")
		if !ok {
			continue
		}
		e := c.event(b)
		if names[e.name] && e.name != "" {
			c.fail(path, "two events have the name %q; give each a name of its own: name: …", e.name)
		}
		names[e.name] = true
		r := &c.p.events
		r.list = append(r.list, e)
		r.purchase = r.purchase || e.kind == onFirst || e.kind == onBought
		r.dated = r.dated || e.kind == onBirthday || e.kind == onInactive
		r.tiers = r.tiers || e.tier >= 0 && (e.kind == onFirst || e.kind == onBought)
		c.p.profile = c.p.profile || e.kind == onBirthday
	}
}

func (c *compiler) event(b object) event {
	e := event{event: b.text("event"), goods: all, tier: -1}
	if !b.has("event") {
		c.fail(b.path, "say which event: registered, first_purchase, bought, birthday, inactive, or a name that a client posts")
	}
	if strings.ContainsAny(e.event, " \t\n") {
		c.fail(b.at("event"), "the name of an event has no spaces")
	}
	e.kind = eventNames[e.event]
	if e.name = b.text("name"); !b.has("name") {
		e.name = e.event
	}
	e.key = CountKey("event", e.event, e.name)
	c.eventKeys(b, &e)
	e.when = c.when(b.at("when"), b.get("when"), false)
	c.blind(b, e.kind)
	if !b.has("give") {
		c.fail(b.path, "say what the event gives: give: {points: 100}")
		return e
	}
	if give, ok := c.object(b.at("give"), b.get("give"), "points", "tier", "for"); ok {
		c.eventGives(give, &e)
	}
	e.lotAfter, e.lotLife = c.p.lots.ActiveAfter, c.p.lots.ExpiresAfter
	if n := b.get("lot"); n != nil {
		c.eventLot(b, n, &e)
	}
	return e
}

// eventKeys reads the keys that belong to one kind of event.
func (c *compiler) eventKeys(b object, e *event) {
	for _, k := range []struct {
		name string
		kind eventKind
		of   string
	}{
		{"days_before", onBirthday, "birthday"}, {"after", onInactive, "inactive"},
		{"goods", onBought, "bought"}, {"repeat", onCustom, "an event that a client posts"},
	} {
		if b.has(k.name) && e.kind != k.kind {
			c.fail(b.at(k.name), "`%s` goes with %s; leave it out", k.name, k.of)
		}
	}
	before, _ := b.decimal("days_before", 0, 0, maxBirthday)
	e.before = int32(before)
	e.after = b.term("after", maxWindow)
	e.goods = c.goods(b.at("goods"), b.get("goods"))
	e.repeat = b.flag("repeat")
	switch {
	case e.kind == onInactive && e.after.Zero():
		c.fail(b.at("after"), "say after how long without a purchase: after: 30d")
	case e.kind == onBought && !b.has("goods"):
		c.fail(b.path, "say which goods: goods: {sku: [VIP90]}")
	}
}

// receiptWords are conditions about a receipt, shopWords about where it is
// made.
var (
	receiptWords = []string{"tender", "card_type", "promo_code", "receipt", "receipt_has"}
	shopWords    = []string{"channel", "store", "store_group", "partner", "cashier"}
)

// blind refuses conditions that can't hold because there is no receipt.
func (c *compiler) blind(b object, kind eventKind) {
	n := b.get("when")
	if n == nil || n.kind != nodeMap || kind == onFirst || kind == onBought {
		return
	}
	for i := range n.keys {
		name := n.keys[i].name
		switch {
		case slices.Contains(receiptWords, name),
			slices.Contains(shopWords, name) && (kind == onBirthday || kind == onInactive):
			c.fail(child(b.at("when"), name), "this event comes without a receipt, so the condition can never match; leave it out")
		}
	}
}

func (c *compiler) eventGives(give object, e *event) {
	if !give.has("points") && !give.has("tier") {
		c.fail(give.path, "an event gives points, a tier, or both: give: {points: 100} or {tier: VIP, for: 90d}")
	}
	e.points, _ = give.decimal("points", 2, 1, maxPoints)
	if !give.has("tier") {
		if give.has("for") {
			c.fail(give.at("for"), "`for` says how long a tier lasts; points have a `lot`")
		}
		return
	}
	name := give.text("tier")
	if e.tier = c.p.tiers.find(name); e.tier < 0 {
		c.fail(give.at("tier"), "there is no level %q under `tiers`; add it, or correct the name", name)
	}
	if e.term = give.term("for", maxLife); give.has("for") && e.term.Zero() {
		c.fail(give.at("for"), "the tier would be gone as it is given; for one without an end leave the key out")
	}
}

func (c *compiler) eventLot(b object, n *node, e *event) {
	t, ok := c.object(b.at("lot"), n, "active_after", "expires_after")
	if !ok {
		return
	}
	if e.points == 0 {
		c.fail(t.path, "a lot is of points; leave it out")
	}
	e.own = true
	if t.has("active_after") {
		e.lotAfter = t.term("active_after", maxWindow)
	}
	if t.has("expires_after") {
		e.lotLife = c.life(t)
	}
}
