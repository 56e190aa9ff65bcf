package program

// reporting reads the sections that the reporting database works with. The
// document accepts them from the start; nothing here acts on them.
func (c *compiler) reporting(o object) {
	for i, n := range o.list("remind") {
		path := item("remind", i)
		if b, ok := c.object(path, n, "before_expiry"); ok && b.term("before_expiry", maxWindow).Zero() {
			c.fail(b.at("before_expiry"), "say how long before: 7d")
		}
	}
	names := map[string]bool{}
	for i, n := range o.list("segments") {
		path := item("segments", i)
		b, ok := c.object(path, n, "name", "color", "when")
		if !ok {
			continue
		}
		name := b.text("name")
		if name == "" || names[name] {
			c.fail(b.at("name"), "give each segment a name of its own")
		}
		names[name] = true
		b.text("color")
		if c.when(b.at("when"), b.get("when"), true); !b.has("when") {
			c.fail(path, "say who belongs to it: when: {last_purchase_before: 30d}")
		}
	}
	for i, n := range o.list("grants") {
		c.grant(item("grants", i), n, names)
	}
}

func (c *compiler) grant(path string, n *node, segments map[string]bool) {
	b, ok := c.object(path, n, "segment", "at", "give", "lot")
	if !ok {
		return
	}
	if name := b.text("segment"); !segments[name] {
		c.fail(b.at("segment"), "there is no segment of this name under `segments`")
	}
	if at := b.get("at"); at == nil {
		c.fail(path, "say when: at: \"2027-03-08T10:00:00+05:00\"")
	} else {
		c.timestamp(b.at("at"), at)
	}
	if give, ok := c.object(b.at("give"), b.get("give"), "points"); ok {
		if _, ok := give.decimal("points", 2, 1, maxPoints); !ok {
			c.fail(give.path, "say how many points")
		}
	}
	if lot := b.get("lot"); lot != nil {
		if t, ok := c.object(b.at("lot"), lot, "active_after", "expires_after"); ok {
			t.term("active_after", maxWindow)
			c.life(t)
		}
	}
}
