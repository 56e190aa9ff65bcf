package program

import (
	"strings"
	"time"
)

// reporting reads the sections that the reconciler works with: reminders,
// segments and grants to them.
func (c *compiler) reporting(o object) {
	c.reminders(o.list("remind"))
	c.segmentList(o.list("segments"))
	c.grantList(o.list("grants"))
}

// maxReminders bounds the terms of reminders: each makes one for every lapse.
const maxReminders = 8

func (c *compiler) reminders(list []*node) {
	if len(list) > maxReminders {
		c.fail("remind", "up to %d reminders before a lapse; leave some out", maxReminders)
		return
	}
	seen := map[Term]bool{}
	for i, n := range list {
		path := item("remind", i)
		b, ok := c.object(path, n, "before_expiry")
		if !ok {
			continue
		}
		before := b.term("before_expiry", maxWindow)
		switch {
		case before.Zero():
			c.fail(b.at("before_expiry"), "say how long before: 7d")
		case seen[before]:
			c.fail(b.at("before_expiry"), "this term stands twice; leave one out")
		default:
			c.p.remind = append(c.p.remind, reminder{before, b.get("before_expiry").text})
		}
		seen[before] = true
	}
}

// segmentWords are conditions that a segment can't have: it is about members,
// and no receipt is there.
var segmentWords = []string{"channel", "store", "store_group", "partner", "cashier", "tender", "receipt", "receipt_has"}

func (c *compiler) segmentList(list []*node) {
	if len(list) > maxRules {
		c.fail("segments", "up to %d segments; leave some out", maxRules)
		return
	}
	for i, n := range list {
		path := item("segments", i)
		b, ok := c.object(path, n, "name", "color", "when")
		if !ok {
			continue
		}
		s := Segment{name: b.text("name"), color: b.text("color")}
		if s.name == "" || c.p.segment(s.name) != nil {
			c.fail(b.at("name"), "give each segment a name of its own")
		}
		c.addressable(b.at("name"), s.name)
		if when := b.get("when"); when == nil || when.kind == nodeMap && len(when.keys) == 0 {
			c.fail(path, "say who belongs to it: when: {last_purchase_before: 30d}")
		} else {
			c.segmentWhen(b.at("when"), when, &s)
		}
		c.p.segments = append(c.p.segments, s)
	}
}

// addressable refuses names that can't stand in an address.
func (c *compiler) addressable(path, name string) {
	if strings.ContainsAny(name, "/\\") || name == "." || name == ".." {
		c.fail(path, "the name stands in addresses; write it without a stroke")
	}
}

func (c *compiler) segmentWhen(path string, n *node, s *Segment) {
	for _, name := range segmentWords {
		if n.kind == nodeMap && (object{&c.reader, path, n}).has(name) {
			c.fail(child(path, name), "a segment is about members and sees no receipt; ask with spent: {within: 90d, from: 1, at: {store: …}} or bought: {…} for what they have bought and where")
		}
	}
	c.reads = s
	s.when = c.when(path, n, true)
	c.reads = nil
	if s.when == nil {
		return
	}
	for i := range s.when.checks {
		switch s.when.checks[i].kind {
		case factBirthday, factTag, factCardType, factPromo:
			s.profile = true
		}
	}
}

// lookUp adds what a segment asks of PostgreSQL and returns its place + 1.
func (c *compiler) lookUp(l look) int {
	c.reads.looks = append(c.reads.looks, l)
	return len(c.reads.looks)
}

func (c *compiler) grantList(list []*node) {
	if len(list) > maxRules {
		c.fail("grants", "up to %d grants; leave out those that are over", maxRules)
		return
	}
	for i, n := range list {
		path := item("grants", i)
		b, ok := c.object(path, n, "name", "segment", "at", "every", "until", "give", "lot", "reason")
		if !ok {
			continue
		}
		g := c.grant(b)
		if c.p.Grant(g.name) != nil {
			c.fail(path, "two grants have the name %q; give each a name of its own: name: …", g.name)
		}
		c.addressable(b.at("name"), g.name)
		c.p.grants = append(c.p.grants, g)
	}
}

func (c *compiler) grant(b object) Grant {
	g := Grant{segment: b.text("segment"), reason: b.text("reason"), zone: c.p.zone}
	if c.p.segment(g.segment) == nil {
		c.fail(b.at("segment"), "there is no segment of this name under `segments`")
	}
	if at := b.get("at"); at == nil {
		c.fail(b.path, "say when: at: \"2027-03-08T10:00:00+05:00\"")
	} else {
		g.at = c.timestamp(b.at("at"), at)
		g.at -= g.at % second // fractions would say nothing
	}
	if g.name = b.text("name"); !b.has("name") {
		// Two of one day need names; else the day tells them apart.
		g.name = g.segment + " " + time.Unix(0, g.at).In(c.p.zone).Format(time.DateOnly)
	}
	if g.reason == "" {
		g.reason = g.name
	}
	c.schedule(b, &g)
	if give, ok := c.object(b.at("give"), b.get("give"), "points"); ok {
		if g.points, ok = give.decimal("points", 2, 1, maxPoints); !ok {
			c.fail(give.path, "say how many points")
		}
	}
	g.lotAfter, g.lotLife = c.p.lots.ActiveAfter, c.p.lots.ExpiresAfter
	if lot := b.get("lot"); lot != nil {
		g.own, g.lotAfter, g.lotLife = c.giftLot(b.at("lot"), lot)
	}
	return g
}

// schedule reads when a grant comes again.
func (c *compiler) schedule(b object, g *Grant) {
	if b.has("every") {
		g.every = b.term("every", maxWindow, Days, Months, Years)
		g.text = b.get("every").text
		if g.every.Zero() && g.every.calendar() {
			c.fail(b.at("every"), "write how far its moments lie apart, at least 1d: 7d, 1mo, 1y; for once leave it out")
		}
	}
	n := b.get("until")
	if n == nil {
		return
	}
	last := c.date(b.at("until"), n)
	switch g.until = clockTime(int32(last)+1, 0, c.p.zone); {
	case !b.has("every"):
		c.fail(b.at("until"), "`until` ends what comes again; say how often: every: 1mo, or leave it out")
	case g.until <= g.at && g.at != 0:
		c.fail(b.at("until"), "it ends before it begins, so this can never come; exchange the dates")
	}
}
