package processor

import (
	"slices"

	"tillgate/ledger"
	"tillgate/processor/program"
)

// What a booking does to the member's standing: counters that go by the money
// paid, the sum with which the month began, a tier that was bought, and the
// date of the next event.

// stand fills what a booked sale does to the standing of its member; a is the
// account before it, nil for a member who is made with it.
func (t *Task) stand(op *ledger.Operation, a *ledger.Account) {
	if a == nil {
		a = &t.nobody
	}
	p := t.version.Program
	t.counted(op, p.Book(t.saleOf(op), t.changes[:0]))
	t.counted(op, p.Reached(t.changes[:0], a.Lifetime, a.Lifetime+op.Payable, op.At))
	t.month(op, a)
	t.assign(op, a, op.At)
	t.wakeAfterSale(op, a)
}

// dropTaken takes out of a hold's figures the gift or reward of a first purchase that
// another purchase has had since the hold ended: it is there once.
func (t *Task) dropTaken(op *ledger.Operation, a *ledger.Account) {
	for i := len(op.Counts) - 1; i >= 0; i-- {
		key := op.Counts[i].Key
		name, once := t.version.Program.FirstGift(key)
		if !(once || program.FirstReward(key)) || !slices.ContainsFunc(a.Counts, func(c ledger.Count) bool { return c.Key == key }) {
			continue
		}
		op.Counts = slices.Delete(op.Counts, i, i+1)
		op.Gifts = slices.DeleteFunc(op.Gifts, func(g ledger.Gift) bool { return g.Rule == name })
		op.Rules = slices.DeleteFunc(op.Rules, func(r ledger.Rule) bool { return r.Name == name })
		if !once {
			op.Rewards = slices.DeleteFunc(op.Rewards, func(w ledger.Reward) bool { return w.Fixed })
		}
	}
}

// saleOf is a booked sale as its counters see it.
func (t *Task) saleOf(op *ledger.Operation) program.Sale {
	s := program.Sale{Paid: op.Payable, Day: op.Spent.Day, Store: op.Store, Group: t.request().StoreGroup}
	if row := t.s.directories.of(op.Merchant).stores[op.Store]; row != nil {
		s.Group, s.Partner = row.Group, row.Partner
	}
	return s
}

// counted adds changes of counters to a record.
func (t *Task) counted(op *ledger.Operation, changes []program.CountChange) {
	for _, c := range changes {
		op.Counts = append(op.Counts, countOf(c))
	}
	t.changes = changes[:0]
}

func countOf(c program.CountChange) ledger.CountChange {
	return ledger.CountChange{Count: ledger.Count(c.Count), Set: c.Set, Shared: c.Shared, Apart: c.Apart, Line: uint16(c.Line)}
}

// month notes the sum with which the month began, in the first record of a
// month that changes it, where the tiers in force now ask for it.
func (t *Task) month(op *ledger.Operation, a *ledger.Account) {
	v, ok := t.s.programs.at(op.Merchant, t.when.now)
	if !ok || !v.Program.Monthly() {
		return
	}
	f := program.Facts{Days: t.facts.Days[:0], Counts: t.facts.Counts[:0]}
	tellSums(&f, a)
	t.facts.Days, t.facts.Counts = f.Days, f.Counts
	t.counted(op, v.Program.Month(&f, t.when.now, t.changes[:0]))
}

// assign fills the tier that a record assigns: what it was promised (a promo
// code), then what its counters say was bought or came back. at is the
// purchase's moment.
func (t *Task) assign(op *ledger.Operation, a *ledger.Account, at int64) {
	p := t.version.Program
	if op.Grant == "" && !p.BuysTiers() {
		return
	}
	was, promised := program.Assigned{Tier: a.Tier, Until: a.TierUntil}, program.Assigned{Tier: op.Grant, Until: op.GrantUntil}
	kept := keptBy(op, a.Counts)
	now := p.Assign(was, promised, t.when.now)
	keep := func(below program.CountChange, changed bool) {
		if changed {
			op.Counts = append(op.Counts, countOf(below))
		}
	}
	keep(p.Replaced(was, now, kept, t.when.now))
	keep(p.Replaced(promised, now, kept, t.when.now))
	for i := range op.Counts {
		if ch := &op.Counts[i]; !ch.Set {
			is, below, changed := p.Bought(now, kept, ch.Key, ch.Value, at, t.when.now)
			keep(below, changed)
			now = is
		}
	}
	op.Grant, op.GrantUntil = "", 0
	if now != was {
		op.Grant, op.GrantUntil = now.Tier, now.Until
	}
}

// keptBy tells until when tiers are kept beside the assigned one: by what op
// changes already, else by an account's counters.
func keptBy(op *ledger.Operation, counts []ledger.Count) program.Kept {
	return func(key uint64) int64 { return ledger.Marked(key, op.Counts, counts) }
}

// give fills a record with what a decision gives that is about no purchase:
// gifts, counters, a tier. The purse has the account's points.
func give(op *ledger.Operation, d *program.Decision, when moment, days *program.Almanac, p *purse) {
	for _, x := range d.Rules {
		op.Rules = append(op.Rules, ledger.Rule{Name: x.Rule, Points: x.Points})
	}
	for _, c := range d.Counts {
		op.Counts = append(op.Counts, countOf(c))
	}
	for _, g := range d.Gifts {
		part := lotOf(g.Lot, when, days)
		op.Gifts = append(op.Gifts, ledger.Gift{Rule: g.Rule, Part: part})
		op.Points += part.Points
		op.Legs[ledger.LegIssued] -= part.Points
		p.earn(part)
	}
	p.settle(op)
	op.Grant, op.GrantUntil = d.Grant, d.GrantUntil
}
