package ledger

import "math"

const (
	second = 1_000_000_000
	minute = 60 * second
	never  = math.MaxInt64
)

// nextDue is when the next thing of the account falls due: the end of a hold,
// the activation or expiry of lots, the end of a tier that was assigned by
// hand and, with dated, an event of the programme's. Never earlier than
// Through; never if there is nothing.
func nextDue(a *Account, dated bool) int64 {
	next := int64(never)
	for i := range a.Holds {
		next = min(next, a.Holds[i].Until)
	}
	for i := range a.Lots {
		l := &a.Lots[i]
		if l.Active > a.Through {
			next = min(next, l.Active)
		}
		if l.Expires != 0 {
			next = min(next, l.Expires)
		}
	}
	if until := tierEnds(a); until != 0 {
		next = min(next, until)
	}
	if dated && a.Wake != 0 {
		next = min(next, a.Wake)
	}
	return max(next, a.Through)
}

// tierEnds is the end of the tier that the member was assigned, 0 for none. Of
// a member who was merged it is only remembered, for what still comes back of
// old sales: the tier lives on elsewhere.
func tierEnds(a *Account) int64 {
	if a.Into != 0 {
		return 0
	}
	return a.TierUntil
}

// dueSecond is the second of the due index under which the account belongs: by
// its beginning something has fallen due. 0 for nothing.
func dueSecond(a *Account) int64 {
	next := nextDue(a, true)
	if next == never {
		return 0
	}
	return (next-1)/second + 1
}

// due decides the next record that the account owes up to now, or reports
// that there is none. It is pure. Of things due at one moment a hold ends
// first, then lots activate, then lots lapse, then a tier ends, then comes what
// the programme has a date for: each record has its own Due, so that the books
// do not depend on when somebody looked. What a dated event gives is the
// programme's to say ([Ledger.OnWake]): due only clears the date. Without
// dated such events are left for later.
func due(a *Account, now int64, op *Operation, dated bool) bool {
	at := nextDue(a, dated)
	if at > now {
		return false
	}
	resetOperation(op)
	op.Account, op.Merchant, op.At, op.Due = a.ID, a.Merchant, at, at
	switch {
	case dueHold(a, at, op):
	case dueActivation(a, at, op):
	case dueLapse(a, at, op):
	case tierEnds(a) != 0 && a.TierUntil <= at:
		op.Kind, op.Status = KindTier, "ended" // Tier "": the assignment is over
	default:
		op.Kind, op.Status, op.Wake = KindEvent, "looked", WakeNever
	}
	return true
}

func dueHold(a *Account, at int64, op *Operation) bool {
	for i := range a.Holds {
		h := &a.Holds[i]
		if h.Until <= at {
			op.Kind, op.Status = KindExpire, SaleExpired.String()
			op.Parent, op.Drop = h.ID, h.ID
			op.Points = h.Held()
			unpin(a, h, at, op)
			return true
		}
	}
	return false
}

// unpin gives what a hold pins back to its lots. What may be spent of it
// repays first what the member owes.
func unpin(a *Account, h *Hold, at int64, op *Operation) {
	owed := -a.Deficit
	for _, p := range h.Pins {
		if p.Active <= at && (p.Expires == 0 || p.Expires > at) {
			n := min(owed, p.Points)
			owed -= n
			op.Owed += n
			p.Points -= n
		}
		if p.Points > 0 {
			op.Lots = append(op.Lots, p)
		}
	}
}

// dueActivation activates all lots of one date; what the member owes is taken
// from them first.
func dueActivation(a *Account, at int64, op *Operation) bool {
	owed := -a.Deficit
	for _, l := range a.Lots {
		if l.Active <= a.Through || l.Active > at {
			continue
		}
		op.Kind, op.Status = KindActivate, "activated"
		op.Points += l.Points
		if repaid := min(owed, l.Points); repaid > 0 {
			owed -= repaid
			op.Owed += repaid
			l.Points = -repaid
			op.Lots = append(op.Lots, l)
		}
	}
	return op.Kind == KindActivate
}

func dueLapse(a *Account, at int64, op *Operation) bool {
	for _, l := range a.Lots {
		if l.Expires == 0 || l.Expires > at {
			break // they are ordered by expiry
		}
		op.Kind, op.Status = KindLapse, "lapsed"
		op.Points += l.Points
		op.Legs[LegExpired] += l.Points
		l.Points = -l.Points
		op.Lots = append(op.Lots, l)
	}
	return op.Kind == KindLapse
}

// resetOperation empties op and keeps the room of its lists.
func resetOperation(op *Operation) {
	*op = Operation{
		Dups: op.Dups[:0], Lines: op.Lines[:0], Rules: op.Rules[:0], Hints: op.Hints[:0],
		Warnings: op.Warnings[:0], Flags: op.Flags[:0], Lots: op.Lots[:0], Pins: op.Pins[:0],
		Transfers: op.Transfers[:0], Sums: op.Sums[:0], Data: op.Data[:0],
		Counts: op.Counts[:0], Gifts: op.Gifts[:0], Rewards: op.Rewards[:0], Upline: op.Upline[:0],
	}
}
