package program

// ownNames refuses names under which tillgate books figures of its own: in
// reports, and where a past receipt is judged again, nobody could tell them from
// a rule's. Those of referral are free where nothing is booked under them.
func (c *compiler) ownNames() {
	if len(c.problems) > 0 {
		return // the lists may lack what was refused, and places would be wrong
	}
	p := c.p
	taken := map[string]bool{
		RulePrinted:   true,
		RewardPercent: len(p.referral.rates) > 0,
		RewardFirst:   p.referral.first > 0,
		GiftWelcome:   p.referral.welcome > 0,
	}
	ask := func(list string, i int, key, name string) {
		if taken[name] {
			c.fail(child(item(list, i), key), "figures of tillgate's own are booked under the name %q; choose another", name)
		}
	}
	for i := range p.earn.rules {
		ask("earn.rules", i, "name", p.earn.rules[i].name)
	}
	for i := range p.discounts.rules {
		ask("discounts.rules", i, "name", p.discounts.rules[i].name)
	}
	for i := range p.promos {
		if e := &p.promos[i]; e.serial {
			ask("promo_codes", i, "serial", e.name)
		} else {
			ask("promo_codes", i, "code", e.name)
		}
	}
	for i := range p.events.list {
		e := &p.events.list[i]
		key := "name"
		if e.name == e.event {
			key = "event"
		}
		ask("events", i, key, e.name)
	}
	for i := range p.guard.rules {
		ask("guard", i, "name", p.guard.rules[i].name)
	}
}
