package program

// guardKinds are the counts that have a name of their own, and for whom they
// may be kept; the first is the default.
var guardKinds = []struct {
	name string
	what watched
	per  []Subject
}{
	{"members_per_terminal", watchMembers, []Subject{PerTerminal}},
	{"returns_without_sale", watchReturns, []Subject{PerTerminal, PerCashier, PerStore}},
	{"own_card", watchOwnCard, []Subject{PerCashier}},
}

// guard reads what is watched.
func (c *compiler) guard(o object) {
	list := o.list("guard")
	if len(list) > maxRules {
		c.fail("guard", "up to %d rules", maxRules)
		return
	}
	names := map[string]bool{}
	for i, n := range list {
		path := item("guard", i)
		b, ok := c.object(path, n, "name", "kind", "per", "operations", "sum", "redeemed", "count", "within", "then")
		if !ok {
			continue
		}
		r := guardRule{name: b.text("name")}
		if r.name == "" || names[r.name] {
			c.fail(b.at("name"), "give each rule a name of its own: flags and warnings show it")
		}
		names[r.name] = true
		r.key = CountKey("guard", r.name)
		if b.has("kind") {
			c.guardKind(b, &r)
		} else {
			c.guardLimit(b, &r)
		}
		r.hour = b.choice("within", "day", "hour") == 1
		c.guardThen(b, &r)
		g := &c.p.guard
		g.rules = append(g.rules, r)
		g.needs.Card = g.needs.Card || r.per == PerCard
		g.needs.OwnCard = g.needs.OwnCard || r.what == watchOwnCard
		g.needs.Returns = g.needs.Returns || r.what == watchReturns
	}
}

// guardLimit reads a rule that counts purchases, money or points.
func (c *compiler) guardLimit(b object, r *guardRule) {
	if !b.has("per") {
		c.fail(b.path, "say for whom it counts: per: member, card, terminal, cashier or store")
	}
	r.per = Subject(b.choice("per", subjects[:]...))
	if b.has("count") {
		c.fail(b.at("count"), "`count` belongs to a `kind`; write operations, sum or redeemed")
	}
	switch b.one("operations", "sum", "redeemed") {
	case "operations":
		r.limit, _ = b.decimal("operations", 0, 0, maxGuardCount)
	case "sum":
		r.what = watchSum
		r.limit, _ = b.money("sum", 0)
	case "redeemed":
		r.what = watchRedeemed
		r.limit, _ = b.decimal("redeemed", 2, 0, MaxAmount)
	}
}

// maxGuardCount is the highest count that a rule may call normal.
const maxGuardCount = 1_000_000

// guardKind reads a rule with a kind of its own.
func (c *compiler) guardKind(b object, r *guardRule) {
	var words []string
	for i := range guardKinds {
		words = append(words, guardKinds[i].name)
	}
	k := &guardKinds[b.choice("kind", words...)]
	r.what, r.per = k.what, k.per[0]
	for _, key := range []string{"operations", "sum", "redeemed"} {
		if b.has(key) {
			c.fail(b.at(key), "a rule with a `kind` has its limit in `count`")
		}
	}
	switch {
	case b.has("count"):
		r.limit, _ = b.decimal("count", 0, 0, maxGuardCount)
	case k.what != watchOwnCard: // of which none is normal
		c.fail(b.path, "say how many are normal: count: 30")
	}
	if !b.has("per") {
		return
	}
	var allowed []string
	for _, per := range k.per {
		allowed = append(allowed, subjects[per])
	}
	r.per = k.per[b.choice("per", allowed...)]
}

// guardThen reads what follows. What is shared by all accounts can't decline:
// a till would be refused for what others do at the same moment.
func (c *compiler) guardThen(b object, r *guardRule) {
	r.then = b.choice("then", "flag", "decline", "block")
	own := r.per <= PerCard
	switch {
	case r.then == thenDecline && !own:
		c.fail(b.at("then"), "a limit per %s can only flag; write `then: flag`, or count per member or card", subjects[r.per])
	case r.then == thenBlock && (own || r.per == PerStore):
		c.fail(b.at("then"), "only a terminal or a cashier can be blocked; write `then: flag`, or count per terminal or cashier")
	}
}
