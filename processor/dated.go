package processor

import (
	"slices"

	"tillgate/ledger"
	"tillgate/processor/program"
	"tillgate/protocol"
)

// Events with a date: a birthday, an absence. The account's Wake is the first
// moment at which one may fall due; the ledger asks then (wake), whether
// somebody asks for the account, its sweeper comes by, or the server was down
// on the day: the record is dated at the moment itself.

// What a record of kind event says about an account whose dates were looked
// at: nothing was due (the ledger's own word), or a date was set.
const (
	statusLooked    = "looked"
	statusScheduled = "scheduled"
)

// waking is what one look at an account needs.
type waking struct {
	facts    program.Facts
	decision program.Decision
	days     program.Almanac
	request  protocol.Request
	purse    purse
}

// wake is the ledger's [ledger.Waker].
func (s *Switch) wake(tx *ledger.Tx, a *ledger.Account, op *ledger.Operation) error {
	v, ok := s.programs.at(a.Merchant, op.Due)
	if !ok || a.Erased || a.Into != 0 {
		return nil // it stays WakeNever
	}
	w := s.wakings.Get().(*waking)
	defer s.wakings.Put(w)
	if err := s.tellAbout(tx, a, &w.facts, op.Due); err != nil {
		return err
	}
	op.Program = v.Number
	program.Fall(v.Program, &w.facts, &w.request, min(a.Wake, op.Due), op.Due, &w.decision)
	when := moment{now: op.Due, at: op.Due, zone: v.Program.Zone()}
	op.Offset = offsetAt(op.Due, when.zone)
	if len(w.decision.Rules) > 0 {
		op.Status, op.Detail = "given", w.decision.Rules[0].Rule
	}
	w.purse.load(a, op.Due)
	give(op, &w.decision, when, &w.days, &w.purse)
	op.Wake = s.nextWake(a.Merchant, &w.facts, op.Due)
	return nil
}

// tellAbout fills the facts about an account outside of a request.
func (s *Switch) tellAbout(tx *ledger.Tx, a *ledger.Account, f *program.Facts, now int64) error {
	*f = program.Facts{Present: true, Now: now, Days: f.Days[:0], Counts: f.Counts[:0]}
	tellSums(f, a)
	p, err := personOf(tx, a.ID)
	if err == nil {
		p.tell(f)
	}
	return err
}

// nextWake is the first moment after another at which a dated event may fall
// due, under the versions that are in force from there on; ledger.WakeNever if
// there is none.
func (s *Switch) nextWake(merchant string, f *program.Facts, after int64) int64 {
	next := int64(0)
	all := s.programs.of(merchant).All()
	for i := len(all) - 1; i >= 0; i-- {
		from := all[i].From()
		if all[i].Program.Dated() {
			if at := all[i].Program.NextDate(f, max(after, from-1)); at != 0 && (next == 0 || at < next) {
				next = at
			}
		}
		if from <= after {
			break // those before it are over
		}
	}
	if next == 0 {
		return ledger.WakeNever
	}
	return next
}

// dated reports whether a merchant has events with dates, now or to come.
func (s *Switch) dated(merchant string, now int64) bool {
	all := s.programs.of(merchant).All()
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Program.Dated() {
			return true
		}
		if all[i].From() <= now {
			return false
		}
	}
	return false
}

// wakeAfterSale schedules the end of an absence that begins with a sale, if
// nothing is scheduled before it: a date that has become too early does no
// harm, the look finds nothing and sets the next.
func (t *Task) wakeAfterSale(op *ledger.Operation, a *ledger.Account) {
	if !t.s.dated(op.Merchant, t.when.now) {
		return
	}
	t.wakeBefore(op, a, &program.Facts{LastPurchase: max(a.LastPurchase, op.At)})
}

// wakeBefore schedules the next date that the facts have, if nothing is
// scheduled before it: a is the account before the record.
func (t *Task) wakeBefore(op *ledger.Operation, a *ledger.Account, f *program.Facts) {
	next := t.s.nextWake(op.Merchant, f, t.when.now)
	if next != ledger.WakeNever && (a.Wake == 0 || next < a.Wake) {
		op.Wake = next
	}
}

// wakeAfterReturn schedules the end of an absence when the newest purchase
// changes by what comes back, or is booked again: a is the account before it.
// The date may lie before the one that is scheduled, where the older purchase was
// booked later, or the account was looked at in between.
func (t *Task) wakeAfterReturn(op *ledger.Operation, a *ledger.Account) error {
	if !t.s.dated(op.Merchant, t.when.now) {
		return nil
	}
	after := ledger.Account{
		ID: a.ID, Purchases: a.Purchases, FirstPurchase: a.FirstPurchase, LastPurchase: a.LastPurchase,
		Lifetime: a.Lifetime, Days: slices.Clone(a.Days),
	}
	if err := ledger.Apply(&after, &ledger.Operation{
		Kind: op.Kind, Undoes: op.Undoes, Account: a.ID, Time: op.Time, At: op.At, Offset: op.Offset,
		Spent: op.Spent, Purchase: op.Purchase,
	}); err != nil {
		return err
	}
	var f program.Facts
	tellSums(&f, a) // with what has been given before
	f.LastPurchase = after.LastPurchase
	t.wakeBefore(op, a, &f)
	return nil
}

// schedule fills the Wake of a record after which the account is known as the
// facts say.
func (t *Task) schedule(op *ledger.Operation, f *program.Facts, was int64) {
	if !t.s.dated(op.Merchant, t.when.now) {
		return
	}
	next := t.s.nextWake(op.Merchant, f, t.when.now)
	if next != was && !(next == ledger.WakeNever && was == 0) {
		op.Wake = next
	}
}

// reschedule fills the Wake of a record that changes the member's profile.
func (t *Task) reschedule(op *ledger.Operation, a *ledger.Account, p *profile) {
	f := program.Facts{Days: t.facts.Days[:0], Counts: t.facts.Counts[:0]}
	tellSums(&f, a)
	p.person().tell(&f)
	t.facts.Days, t.facts.Counts = f.Days, f.Counts
	t.schedule(op, &f, a.Wake)
}
