package processor

import (
	"slices"

	"tillgate/ledger"
	"tillgate/processor/program"
	"tillgate/protocol"
)

// Events of a member that are no purchase and have no date: registration, and
// what clients tell of.

var _ = serve(protocol.CallMemberEvent, plan{
	kind: ledger.KindEvent, keyed: true, route: routeEvent, decide: decideEvent,
})

// ownEvents are those that the server itself knows of: nobody posts them.
var ownEvents = []string{"registered", "first_purchase", "birthday", "inactive", "bought"}

// routeEvent refuses events that are not the caller's to tell.
func routeEvent(t *Task) {
	if slices.Contains(ownEvents, t.request().Event) {
		t.refuse(protocol.InvalidRequest, "event", "the server notices this event by itself; it can't be posted")
		return
	}
	routeTarget(t)
}

// decideEvent notes an event of the member, and gives what the programme has
// for it.
func decideEvent(t *Task, tx *ledger.Tx) error {
	a, err := t.member(tx)
	if err != nil || t.redirect != 0 {
		return err
	}
	if t.refused() {
		return t.decline(tx, t.refusal.code, "", t.refusal.detail)
	}
	t.when = t.moment(tx.Now())
	t.stamp(&t.op, ledger.KindEvent)
	t.op.Status, t.op.Detail = "noted", t.request().Event
	t.op.Tier = t.s.tier(a, tx.Now())
	if !t.inForce() {
		return t.record(tx)
	}
	t.purse.load(a, tx.Now())
	t.know(a, protocol.ByID, false)
	if err := t.knowPerson(tx, a); err != nil {
		return err
	}
	t.happen(&t.op, t.request().Event)
	return t.record(tx)
}

// inForce takes the programme in force, for calls that do without one.
func (t *Task) inForce() bool {
	v, ok := t.s.programs.at(t.request().Caller.Merchant, t.when.at)
	t.version, t.op.Program = v, v.Number
	return ok
}

// happen fills a record with what an event gives, and the tier after it. The
// purse and the facts are the member's.
func (t *Task) happen(op *ledger.Operation, event string) {
	program.Happen(t.version.Program, event, &t.facts, t.request(), t.when.at, &t.decision)
	give(op, &t.decision, t.when, &t.days, &t.purse)
	if len(t.decision.Promo) > 0 {
		t.said.take(&t.decision, t.version.Program, t.facts.Promos, false)
		op.Data = appendHoldData(op.Data[:0], &holdData{said: t.said})
	}
	op.Warnings = append(op.Warnings, t.decision.Warnings...)
	op.Tier = t.decision.Tier
	if op.Grant != "" {
		t.facts.AssignedTier, t.facts.AssignedUntil = op.Grant, op.GrantUntil
		program.Happen(t.version.Program, "", &t.facts, t.request(), t.when.at, &t.decision)
		op.Tier = t.decision.Tier
	}
}

// welcome fills the record of a registration with what the programme gives for
// it, and with the date of the member's next event. a is the provisional
// account, nil for a new one; p the profile that it will have.
func (t *Task) welcome(tx *ledger.Tx, op *ledger.Operation, a *ledger.Account, p *profile) error {
	if !t.inForce() {
		return nil
	}
	was := int64(0)
	t.purse.load(a, t.when.now)
	t.know(a, protocol.ByID, false)
	t.facts.Registered, t.facts.Joined, t.facts.Above = true, t.when.now, len(op.Upline)
	p.person().tell(&t.facts)
	if a != nil {
		was = a.Wake
	}
	if err := t.sourceOf(tx, p); err != nil {
		return err
	}
	t.happen(op, "registered")
	for _, c := range op.Counts {
		if c.Set { // what was given just now is not due again
			t.facts.Counts = append(t.facts.Counts, program.Count(c.Count))
		}
	}
	slices.SortFunc(t.facts.Counts, compareCounts)
	t.schedule(op, &t.facts, was)
	return nil
}

func compareCounts(a, b program.Count) int {
	switch {
	case a.Key < b.Key || a.Key == b.Key && a.Bucket < b.Bucket:
		return -1
	case a.Key == b.Key && a.Bucket == b.Bucket:
		return 0
	}
	return 1
}
