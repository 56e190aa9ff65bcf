package whatif

import (
	"math"
	"slices"

	"tillgate/ledger"
)

// next is when the next thing of an account falls due: the end of a hold, the
// activation or expiry of lots, the end of a tier and, with dated, an event of
// the programme's.
func next(a *ledger.Account, dated bool) int64 {
	at := int64(math.MaxInt64)
	for i := range a.Holds {
		at = min(at, a.Holds[i].Until)
	}
	for i := range a.Lots {
		l := &a.Lots[i]
		if l.Active > a.Through {
			at = min(at, l.Active)
		}
		if l.Expires != 0 {
			at = min(at, l.Expires)
		}
	}
	if a.TierUntil != 0 {
		at = min(at, a.TierUntil)
	}
	if dated && a.Wake != 0 {
		at = min(at, a.Wake)
	}
	return max(at, a.Through)
}

// falling is what is told of what falls due.
type falling struct {
	lapsed func(at, points int64)                  // lots have ended
	event  func(a *ledger.Account, at int64) error // a dated event is due; nil leaves them for later
}

// advance lets everything happen to an account that fell due up to a moment,
// in the ledger's order: of things due at one moment holds end first, then
// lots activate, then lots lapse, then a tier ends, then comes what the
// programme has a date for. The ledger has a record for each of these; a
// draft's account has none, so it needs a clock of its own.
func advance(a *ledger.Account, to int64, f falling) error {
	if a.Into != 0 || a.ID == 0 {
		return nil
	}
	dated := f.event != nil && !a.Erased
	for at := next(a, dated); at <= to; at = next(a, dated) {
		if err := endHolds(a, at); err != nil {
			return err
		}
		activate(a, at)
		if n := lapse(a, at); n > 0 {
			f.lapsed(at, n)
		}
		if a.TierUntil != 0 && a.TierUntil <= at {
			a.Tier, a.TierUntil = "", 0
		}
		if dated && a.Wake != 0 && a.Wake <= at {
			if err := f.event(a, at); err != nil {
				return err
			}
		}
	}
	a.Through = max(a.Through, to)
	return nil
}

// endHolds ends the holds whose time has come.
func endHolds(a *ledger.Account, at int64) error {
	for i := 0; i < len(a.Holds); {
		if a.Holds[i].Until > at {
			i++
			continue
		}
		if err := endHold(a, i, at); err != nil {
			return err
		}
		points{a: a, now: at}.tidy()
	}
	return nil
}

// endHold ends one hold: what it pins goes back to the lots, and what it has
// reserved of counters is free again.
func endHold(a *ledger.Account, i int, at int64) error {
	h := &a.Holds[i]
	op := ledger.Operation{Kind: ledger.KindExpire, Account: a.ID, Time: at, Due: at, Parent: h.ID, Drop: h.ID}
	op.Lots = append(op.Lots, h.Pins...)
	return ledger.Apply(a, &op)
}

// activate makes the lots of one date spendable; what the member owes is taken
// from them first.
func activate(a *ledger.Account, at int64) {
	for i := range a.Lots {
		l := &a.Lots[i]
		if l.Active <= a.Through || l.Active > at || a.Deficit == 0 {
			continue
		}
		repaid := min(-a.Deficit, l.Points)
		a.Deficit += repaid
		l.Points -= repaid
	}
	a.Through = max(a.Through, at)
}

// lapse takes the lots away that end at a moment, and lots that are empty.
func lapse(a *ledger.Account, at int64) (n int64) {
	a.Lots = slices.DeleteFunc(a.Lots, func(l ledger.LotPart) bool {
		gone := l.Expires != 0 && l.Expires <= at
		if gone {
			n += l.Points
		}
		return gone || l.Points == 0
	})
	return n
}
