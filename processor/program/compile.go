package program

import (
	"strings"
	"time"

	"tillgate/protocol"
)

// maxRules is the largest number of rules of a section, and of entries of any
// other list of rules: it bounds what one receipt costs.
const maxRules = 200

// Compile turns a document, YAML 1.2 or JSON, into a programme, or into the
// problems that its writer has to solve, each with the path of its key and a
// sentence that says what to do. The program is nil if there are problems.
//
// What the document may say but this version can't do is a problem too; it is
// never left out in silence. Segments, grants and reminders are the
// reconciler's to carry out.
func Compile(doc []byte) (*Program, []protocol.Problem) {
	root, err := parse(doc)
	if err != nil {
		return nil, []protocol.Problem{{Message: err.Error()}}
	}
	c := &compiler{p: &Program{zone: time.UTC}, seen: map[string]int{}}
	if root.kind != nodeMap {
		c.fail("", "the document is a block of keys; begin with `program: NAME`")
		return nil, c.problems
	}
	c.document(root)
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	c.p.index = newIndex(c.p.selectors)
	return c.p, nil
}

// compiler builds a programme while it reads the document.
type compiler struct {
	reader
	p    *Program
	seen map[string]int // selectors by what they say, so that equal ones are asked once
	says []string       // of each selector: what it says

	section    section  // whose rules are being read
	promoPaths []string // of each entry of promo_codes
	looks      []lookBack
	reads      *Segment // whose conditions are being read; nil outside of segments
}

func (c *compiler) document(root *node) {
	o, _ := c.object("", root, "program", "effective_from", "currency", "timezone", "points", "tiers", "lots",
		"earn", "events", "discounts", "redeem", "referral", "promo_codes", "guard", "remind", "segments",
		"grants", "holds", "backdate")
	c.head(o)
	c.points(o)
	c.lots(o)
	c.tiers(o)
	c.promoCodes(o)
	c.section = sectionDiscounts
	c.discounts(o)
	c.section = sectionRedeem
	c.redeem(o)
	c.section = sectionEarn
	c.earn(o)
	c.section = sectionOther
	c.events(o)
	c.holds(o)
	c.referral(o)
	c.guard(o)
	c.reporting(o)
	c.resolveLooks()
	c.uselessCodes()
	c.ownNames()
}

func (c *compiler) head(o object) {
	if c.p.name = o.text("program"); !o.has("program") {
		c.fail("program", "give the programme a name")
	}
	if c.p.currency = o.text("currency"); currencies[c.p.currency] == "" {
		c.fail("currency", "name the currency by its ISO 4217 code, as KZT or RUB")
	}
	if o.has("timezone") {
		c.timezone(o.text("timezone"))
	}
	if n := o.get("effective_from"); n != nil {
		c.p.effective, c.p.dated = c.timestamp("effective_from", n), true
	}
}

// timezone takes a name of the IANA database. Names that depend on the machine
// are refused: a decision must not.
func (c *compiler) timezone(name string) {
	zone, err := time.LoadLocation(name)
	if name == "" || name == "Local" || err != nil {
		c.fail("timezone", "name a zone of the IANA database, as Asia/Almaty or Europe/Moscow")
		return
	}
	c.p.zone = zone
}

func (c *compiler) timestamp(path string, n *node) int64 {
	t, err := time.Parse(time.RFC3339, n.text)
	if n.kind != nodeText || err != nil {
		c.fail(path, "write a time with its offset, as 2026-12-01T00:00:00+05:00")
		return 0
	}
	if t.Year() < 1971 || t.Year() > 2099 {
		c.fail(path, "the time is out of range: write a year from 1971 to 2099")
		return 0
	}
	return t.UnixNano()
}

// points reads how points are counted.
func (c *compiler) points(o object) {
	c.p.value, c.p.round = valueUnit, 1
	n := o.get("points")
	if n == nil {
		return
	}
	b, _ := c.object("points", n, "value", "round", "mode")
	if v, ok := b.decimal("value", 4, 1, 10_000*valueUnit); ok {
		c.p.value = v
	}
	if v, ok := b.decimal("round", 2, 1, 10_000); ok {
		c.p.round = v
	}
	c.p.halfUp = b.choice("mode", "down", "half_up") == 1
}

// lots reads the life of points.
func (c *compiler) lots(o object) {
	n := o.get("lots")
	if n == nil {
		return
	}
	b, _ := c.object("lots", n, "active_after", "expires_after", "extend_on_purchase", "grace_on_return", "deficit")
	l := &c.p.lots
	l.ActiveAfter = b.term("active_after", maxWindow)
	l.ExpiresAfter = c.life(b)
	l.ExtendOnPurchase = b.term("extend_on_purchase", maxLife)
	l.GraceOnReturn = b.term("grace_on_return", maxLife)
	for _, t := range []*Term{&l.ActiveAfter, &l.ExpiresAfter, &l.ExtendOnPurchase, &l.GraceOnReturn} {
		if t.Zero() {
			*t = Term{} // 0d says what an absent key says
		}
	}
	l.Deficit = DeficitPolicy(b.choice("deficit", "allow", "forgive"))
	if !l.ExtendOnPurchase.Zero() && l.ExpiresAfter.Zero() {
		c.fail("lots.extend_on_purchase", "points that never expire can't be extended; set expires_after, or leave this out")
	}
}

// life is expires_after: a term of zero would burn points as they are given.
func (c *compiler) life(b object) Term {
	t := b.term("expires_after", maxLife)
	if n := b.get("expires_after"); n != nil && t.Zero() && termForm.MatchString(n.text) && strings.Trim(n.text, "0smhdy") == "" {
		c.fail(b.at("expires_after"), "points would be gone as they are given; for points that don't expire leave the key out")
	}
	return t
}

// holds reads the life of holds and how old a receipt may be.
func (c *compiler) holds(o object) {
	p := c.p
	usual, longest := Term{15, Minutes}, Term{24, Hours}
	if n := o.get("holds"); n != nil {
		b, _ := c.object("holds", n, "default", "max", "late_confirm")
		if b.has("default") {
			usual = b.term("default", maxHold, Seconds, Minutes, Hours, Days)
		}
		if b.has("max") {
			longest = b.term("max", maxHold, Seconds, Minutes, Hours, Days)
		} else if usual.exact() > longest.exact() {
			longest = usual
		}
		p.late = LatePolicy(b.choice("late_confirm", "deficit", "park"))
	}
	p.holdDefault, p.holdMax = int64(usual.exact()/time.Second), int64(longest.exact()/time.Second)
	switch {
	case len(c.problems) > 0:
	case p.holdDefault == 0:
		c.fail("holds.default", "a hold of no time would end before its answer; write at least 1s")
	case p.holdMax < p.holdDefault:
		c.fail("holds.max", "the longest hold is shorter than the default; raise it")
	}
	p.backdate = 72 * time.Hour
	if o.has("backdate") {
		p.backdate = o.term("backdate", maxWindow, Seconds, Minutes, Hours, Days).exact()
	}
}

// maxHold is the longest hold in days: answers are remembered as long.
const maxHold = 90
