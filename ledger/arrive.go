package ledger

import (
	"fmt"
	"slices"
)

// What becomes of a transfer when it arrives.

// FlagForgiven stands in the flags of a record that has not booked as a
// deficit what was to be taken back and was not there: the programme forgives
// it.
const FlagForgiven = "deficit_forgiven"

// forgivenDays is how long an account remembers what was forgiven of a sale:
// as long as sums are kept.
const forgivenDays = 400

// forgivenKey is the counter of what was forgiven of a sale's reward,
// hundredths of a point.
func forgivenKey(sale OpID) uint64 { return scatter(uint64(sale) ^ 0xf09617e2) }

// An Arrival says what a transfer with a [Standing] does to the tier of the
// account that gets it: it fills Grant and GrantUntil of the record that books
// it, and may add counters. It must be pure given the account, the transfer,
// the programmes and the ledger's time, and must not append.
type Arrival func(tx *Tx, a *Account, t *Transfer, op *Operation) error

// OnArrival sets who decides about tiers that arrive. It is called before
// OnWake; without it tiers stay where they were.
func (l *Ledger) OnArrival(f Arrival) { l.arrival.Store(&f) }

// settles reports whether an arrival may do something to the account's
// standing: what that is the programme has said, and the record alone tells.
func settles(a *Account, t *Transfer) bool { return a.Into == 0 && t.Standing != Standing{} }

// arriveAt asks the programme what an arrival does to the member's tier.
func (tx *Tx) arriveAt(a *Account, t *Transfer, op *Operation) error {
	decide := tx.s.l.arrival.Load()
	if decide == nil || !settles(a, t) {
		return nil
	}
	if err := (*decide)(tx, a, t, op); err != nil {
		return fmt.Errorf("account %s: a tier that arrives: %w", a.ID, err)
	}
	return nil
}

// postIn decides how an arriving transfer is booked to the account: points
// that arrive repay what is owed first; points that are taken come from their
// own lot, then from what is pending, then from what is available, and the
// rest is owed (L5, F5) or forgiven. An account that was merged passes
// everything on, and a reward for a member who was erased is nobody's: it goes
// back to where rewards come from. It is pure: what is active is told by op's
// Time, because the account may have lain idle since Through.
func postIn(a *Account, t *Transfer, op *Operation) {
	if a.Into != 0 {
		onward := *t
		onward.To = a.Into
		op.Transfers = append(op.Transfers, onward)
		op.Into = a.Into
		return
	}
	if t.Rule != "" {
		points := sum(t.Parts)
		if a.Erased {
			op.Legs[LegTransit], op.Legs[LegReferral] = -points, points
			return
		}
		op.Rules = append(op.Rules, Rule{Name: t.Rule, Points: points})
	}
	op.Sums = append(op.Sums, t.Spent...)
	op.Counts = append(op.Counts, t.Counts...)
	op.Bought = t.Bought
	if (t.Bought.Purchases > 0 || t.Standing.Whole) && (a.Wake == 0 || a.Wake > op.Time) {
		// An absence may begin with what came along, or with what is the last
		// purchase again: the programme looks at once and sets the date. Not where
		// an event is overdue that could not be decided: it must not be lost, and
		// the programme looks then.
		op.Wake = op.Time
	}
	if t.Standing.Whole {
		op.Purchase, op.Offset = true, t.Standing.Offset
	}
	in := arriving{op: op, lots: slices.Clone(a.Lots), deficit: a.Deficit}
	for _, p := range t.Parts {
		op.Legs[LegTransit] -= p.Points
		if p.Points < 0 {
			in.takeBack(t, p)
		} else {
			in.give(p, stillForgiven(a, t))
		}
	}
	op.Owed = in.deficit - a.Deficit
	in.remember(t)
}

// Arrive makes a copy of an account ([Account.Clone]) what it is once a transfer
// has arrived at a moment, unix ns; a tier that comes along is not settled. An
// error says that it would be parked.
func Arrive(a *Account, t *Transfer, now int64) error {
	op := Operation{Kind: KindPostIn, Account: a.ID, Time: max(now, a.Through)} // another shard's time may be ahead
	postIn(a, t, &op)
	return Apply(a, &op)
}

// arriving is an arrival as it is decided, part by part.
type arriving struct {
	op       *Operation
	lots     []LotPart // as they are after the parts so far
	deficit  int64
	forgiven int64 // points that were not taken; less than 0: that are not given again
}

// move changes a lot.
func (in *arriving) move(l LotPart) {
	in.op.Lots = append(in.op.Lots, l)
	addPart(&in.lots, l)
}

// give books points that arrive; what is still forgiven of the sale that they
// are for is not given again, and what is owed is repaid.
func (in *arriving) give(p LotPart, forgiven int64) {
	if n := min(forgiven+in.forgiven, p.Points); n > 0 {
		in.forgiven -= n
		in.op.Legs[LegReferral] += n
		p.Points -= n
	}
	if p.Active <= in.op.Time && in.deficit < 0 {
		repaid := min(-in.deficit, p.Points)
		in.deficit += repaid
		p.Points -= repaid
	}
	if p.Points > 0 {
		in.move(p)
	}
}

// takeBack takes -p.Points from the account's lots.
func (in *arriving) takeBack(t *Transfer, p LotPart) {
	want := -p.Points
	takes := []func(l LotPart) bool{
		func(l LotPart) bool { return l.SameLot(p) },
		func(l LotPart) bool { return !l.SameLot(p) && l.Active > in.op.Time },
		func(l LotPart) bool { return !l.SameLot(p) && l.Active <= in.op.Time },
	}
	for _, from := range takes {
		for _, l := range slices.Clone(in.lots) {
			if want == 0 || !from(l) {
				continue
			}
			taken := min(want, l.Points)
			want -= taken
			l.Points = -taken
			in.move(l)
		}
	}
	if want == 0 || !t.Forgive {
		in.deficit -= want
		return
	}
	leg := LegIssued
	if t.Rule != "" {
		leg = LegReferral
		in.forgiven += want
	}
	in.op.Legs[leg] -= want
	if !slices.Contains(in.op.Flags, FlagForgiven) {
		in.op.Flags = append(in.op.Flags, FlagForgiven)
	}
}

// stillForgiven is what was forgiven of the sale that a transfer is for.
func stillForgiven(a *Account, t *Transfer) int64 {
	if t.Sale == 0 {
		return 0
	}
	key := forgivenKey(t.Sale)
	for i := range a.Counts {
		if a.Counts[i].Key == key {
			return a.Counts[i].Value
		}
	}
	return 0
}

// remember counts what was forgiven of a sale, so that undoing its return does
// not give it a second time.
func (in *arriving) remember(t *Transfer) {
	if t.Sale == 0 || in.forgiven == 0 {
		return
	}
	in.op.Counts = append(in.op.Counts, CountChange{Count: Count{
		Key: forgivenKey(t.Sale), Value: in.forgiven, Until: dayOf(in.op.Time) + forgivenDays,
	}})
}
