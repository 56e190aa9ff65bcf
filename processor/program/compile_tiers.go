package program

import (
	"fmt"
	"strconv"
)

// tiers reads the levels; overlapping ones are refused.
func (c *compiler) tiers(o object) {
	n := o.get("tiers")
	if n == nil {
		return
	}
	b, _ := c.object("tiers", n, "by", "window", "recalculate", "levels")
	t := &c.p.tiers
	t.by = tierBy(b.choice("by", "lifetime", "window", "single"))
	switch {
	case t.by == byWindow && !b.has("window"):
		c.fail("tiers.window", "say over which time the sum goes: window: 90d")
	case t.by == byWindow:
		if t.window = b.term("window", maxWindow, Days, Months, Years); t.window.Zero() && len(c.problems) == 0 {
			c.fail("tiers.window", "a window of no time holds today alone; write a longer one")
		}
	case b.has("window"):
		c.fail("tiers.window", "a window belongs to `by: window`; leave it out")
	}
	t.monthly = b.choice("recalculate", "always", "monthly") == 1
	list := b.list("levels")
	if len(list) == 0 || len(list) > maxLevels {
		c.fail("tiers.levels", "list 1 to %d levels, the lowest first", maxLevels)
		return
	}
	for i, l := range list {
		c.level(item("tiers.levels", i), l)
	}
	if t.monthly {
		t.month = CountKey("tier month", strconv.Itoa(int(t.by)), fmt.Sprint(t.window))
	}
}

// maxLevels is how many tiers a programme may have: conditions keep a bit for
// each.
const maxLevels = 32

func (c *compiler) level(path string, n *node) {
	b, ok := c.object(path, n, "name", "from", "above")
	if !ok {
		return
	}
	l := level{name: b.text("name")}
	if !b.has("name") {
		c.fail(path, "give the level a name")
	}
	if b.has("from") && b.has("above") {
		c.fail(path, "`from` and `above` exclude each other; keep one")
	}
	l.threshold, _ = b.money("from", 0)
	if v, ok := b.money("above", 0); ok {
		l.threshold, l.exclusive = v, true
	}
	l.floor = CountKey("assigned", l.name)
	t := &c.p.tiers
	if t.by == bySingle && l.least() > 0 {
		l.key = CountKey("receipt reaches", strconv.FormatInt(l.least(), 10))
	}
	if t.find(l.name) >= 0 {
		c.fail(path, "the level %q stands twice; names must differ", l.name)
	}
	if k := len(t.levels); k > 0 {
		if last := &t.levels[k-1]; l.least() <= last.least() {
			c.fail(path, "levels overlap: it must begin above the level before it (%s)", last.name)
		}
	}
	t.levels = append(t.levels, l)
}
