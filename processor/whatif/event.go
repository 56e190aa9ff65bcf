package whatif

import (
	"tillgate/ledger"
	"tillgate/processor/program"
	"tillgate/protocol"
)

// Events under the draft: a registration, what clients tell of, and those with
// a date. Each gives what the draft says, whatever it really gave.

// happen books a real record of an event, a registration for one, with what
// the draft gives for it.
func (r *replay) happen(m *member, event string) error {
	op := &r.op
	r.receipt(op, 0)
	r.know(m, op, 0)
	f := &r.facts
	r.tellPerson(f, m)
	f.Identified, f.SpendByID = protocol.ByID, false
	if op.Kind != ledger.KindEvent {
		f.Registered, f.Joined, f.Above = true, op.Time, len(op.Upline)
	}
	program.Happen(r.q.Draft, event, f, &r.request, op.At, &r.decision)
	mine := r.beside()
	mine.Counts, mine.Gifts, mine.Rules, mine.Rewards = mine.Counts[:0:0], nil, nil, nil
	mine.Wake, mine.Due = 0, 0
	return r.give(m.draft, op.At, op.Time)
}

// give books what a decision gives that is about no purchase: gifts, counters,
// a tier. r.mine is the record.
func (r *replay) give(a *ledger.Account, at, now int64) error {
	d, mine := &r.decision, &r.mine
	p := points{a: a, now: now}
	for _, x := range d.Rules {
		apply(&r.tally.rule(x.Rule).Draft, ledger.Rule{Name: x.Rule, Points: x.Points})
	}
	for _, c := range d.Counts {
		mine.Counts = append(mine.Counts, countOf(c))
	}
	for _, g := range d.Gifts {
		part := r.lotOf(g.Lot, at)
		r.tally.draft.Gifts += part.Points
		p.earn(part)
	}
	p.tidy()
	mine.Grant, mine.GrantUntil = d.Grant, d.GrantUntil
	return ledger.Apply(a, mine)
}

// fall gives what the draft's dated events give at a moment, and finds the
// next one.
func (r *replay) fall(m *member, at int64) error {
	a, f := m.draft, &r.facts
	r.dates(f, m, at)
	q := protocol.Request{}
	program.Fall(r.q.Draft, f, &q, min(a.Wake, at), at, &r.decision)
	mine := &r.mine
	*mine = ledger.Operation{
		Kind: ledger.KindEvent, Account: a.ID, Time: at, At: at, Due: at,
		Lots: mine.Lots[:0], Pins: mine.Pins[:0], Counts: mine.Counts[:0:0],
	}
	if err := r.give(a, at, at); err != nil {
		return err
	}
	r.schedule(m, at, false)
	return nil
}

// dates fills the facts that dated events ask for.
func (r *replay) dates(f *program.Facts, m *member, now int64) {
	*f = program.Facts{Present: true, Now: now, Zone: r.q.Draft.Zone(), Days: f.Days[:0], Counts: f.Counts[:0]}
	tellSums(f, m.draft)
	r.tellPerson(f, m)
}

// schedule notes when the draft wants to look at the account again: the first
// date of its events after a moment. With early a date that is there already and
// has become too early stays, because the purchase may come back.
func (r *replay) schedule(m *member, after int64, early bool) {
	if !r.q.Draft.Dated() {
		return
	}
	r.dates(&r.facts, m, after)
	next := r.q.Draft.NextDate(&r.facts, after)
	if was := m.draft.Wake; early && was > after && (next == 0 || was < next) {
		return
	}
	m.draft.Wake = next
}

// falls is what is done with what falls due under the draft.
func (r *replay) falls(m *member) falling {
	f := falling{lapsed: func(_, n int64) { r.tally.draft.Expired += n }}
	if r.q.Draft.Dated() {
		f.event = func(_ *ledger.Account, at int64) error { return r.fall(m, at) }
	}
	return f
}
