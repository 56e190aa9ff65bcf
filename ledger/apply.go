package ledger

import "strings"

// Apply makes the account what it is after op. It is pure: the same account
// and record always give the same account, so that replaying the journal
// gives the same bytes. Effects are taken in this order: identity, Extend,
// Drop, Lots, Hold, Owed, Spent and Purchase, tier, Into.
//
// A record that would take more than there is, or break another invariant,
// gets a [RefusedError]; the account is spoiled then, so apply to a copy.
func Apply(a *Account, op *Operation) error {
	lots := len(a.Lots)
	if err := applyIdentity(a, op); err != nil {
		return err
	}
	if err := applyPoints(a, op); err != nil {
		return err
	}
	applySums(a, op)
	applyStanding(a, op)
	a.Last = op.ID
	if len(a.Lots) > tidyLots {
		a.Lots = mergeOldest(a.Lots, a.Through)
	}
	if len(a.Lots) > MaxLots && len(a.Lots) > lots && givesPoints(op) {
		return refuse(op, "the account would have more than %d lots", MaxLots)
	}
	a.Scheduled = dueSecond(a)
	return nil
}

// givesPoints reports whether the operation brings points that were not the
// account's before. Only such a one may be refused for the number of lots:
// the end of a hold, a return, what falls due must always be booked.
func givesPoints(op *Operation) bool {
	return op.Drop == 0 && op.Due == 0 && op.Kind != KindReturn && op.Kind != KindReverse
}

func applyIdentity(a *Account, op *Operation) error {
	if op.Account == 0 {
		return refuse(op, "it names no account")
	}
	if op.Kind == KindEnrol {
		if a.ID != 0 {
			return ErrExists
		}
		a.ID, a.Created = op.Account, op.Time
		a.Merchant = strings.Clone(op.Merchant)
	}
	if a.ID != op.Account {
		return refuse(op, "it is about another account")
	}
	// A due record stands for the moment at which it fell due: what falls
	// due after it is still to come.
	through := op.Time
	if op.Due != 0 {
		through = op.Due
	}
	if through < a.Through {
		return refuse(op, "time goes back")
	}
	a.Through = through
	return nil
}

func applyPoints(a *Account, op *Operation) error {
	if op.Extend != 0 {
		a.Lots = extendLots(a.Lots, op.Extend)
	}
	if op.Drop != 0 && !dropHold(a, op.Drop) {
		return refuse(op, "the hold %s does not exist", op.Drop)
	}
	applyCounts(a, op)
	for _, part := range op.Lots {
		if !addPart(&a.Lots, part) {
			return refuse(op, "a lot does not have %d points", -part.Points)
		}
	}
	if op.Hold != 0 {
		if err := putHold(a, op); err != nil {
			return err
		}
	}
	a.Deficit += op.Owed
	if a.Deficit > 0 || a.Deficit < -MaxPoints {
		return refuse(op, "the deficit would be %d", a.Deficit)
	}
	return nil
}

func dropHold(a *Account, id OpID) bool {
	for i := range a.Holds {
		if a.Holds[i].ID == id {
			// The order is that of creation: it tells nothing, but bytes
			// must be the same in every replay. The emptied place keeps its
			// pins' room for the next hold.
			gone := a.Holds[i]
			for _, ch := range gone.Counts {
				if ch.Apart {
					continue
				}
				ch.Value = -ch.Value
				a.Counts = addCount(a.Counts, ch)
			}
			copy(a.Holds[i:], a.Holds[i+1:])
			a.Holds[len(a.Holds)-1] = Hold{Pins: gone.Pins[:0], Counts: gone.Counts[:0]}
			a.Holds = a.Holds[:len(a.Holds)-1]
			return true
		}
	}
	return false
}

func putHold(a *Account, op *Operation) error {
	if a.Hold(op.Hold) != nil {
		return refuse(op, "the hold %s exists", op.Hold)
	}
	if len(a.Holds) >= MaxHolds {
		return refuse(op, "the account would have more than %d holds", MaxHolds)
	}
	for _, p := range op.Pins {
		if p.Points <= 0 || p.Points > MaxPoints {
			return refuse(op, "a hold pins %d points of a lot", p.Points)
		}
	}
	n := len(a.Holds)
	if n < cap(a.Holds) {
		a.Holds = a.Holds[:n+1]
	} else {
		a.Holds = append(a.Holds, Hold{})
	}
	h := &a.Holds[n]
	h.ID, h.Op, h.Until = op.Hold, op.ID, op.HoldUntil
	h.Pins = append(h.Pins[:0], op.Pins...)
	h.Counts = append(h.Counts[:0], op.Counts...)
	return nil
}

func applySums(a *Account, op *Operation) {
	if op.Spent.Spent != 0 {
		a.Days = addDay(a.Days, op.Spent)
		a.Lifetime += op.Spent.Spent
	}
	for _, d := range op.Sums {
		a.Days = addDay(a.Days, d)
		a.Lifetime += d.Spent
	}
	if b := op.Bought; b.Purchases > 0 {
		a.Purchases += b.Purchases
		a.LastPurchase = max(a.LastPurchase, b.Last)
		if a.FirstPurchase == 0 || b.First < a.FirstPurchase {
			a.FirstPurchase = b.First
		}
	}
	switch {
	case !op.Purchase:
	case op.Kind == KindReverse && op.Undoes == KindReturn:
		bought(a, noon(op.Spent.Day, op)) // the return had counted it back
	case op.Kind == KindReverse || op.Kind == KindReturn || op.Kind == KindPostIn:
		countBack(a, op)
	default:
		bought(a, op.At)
	}
}

func bought(a *Account, at int64) {
	a.Purchases++
	a.LastPurchase = max(a.LastPurchase, at)
	if a.FirstPurchase == 0 || at < a.FirstPurchase {
		a.FirstPurchase = at
	}
}

// countBack counts a purchase back that was returned whole. It is not the last
// one any more: that was on the newest day with money left on it. Rules ask
// for the day, so its noon stands for the moment, which is not kept.
func countBack(a *Account, op *Operation) {
	if a.Purchases > 0 {
		a.Purchases--
	}
	if a.Purchases == 0 {
		a.LastPurchase, a.FirstPurchase = 0, 0
		return
	}
	if n := len(a.Days); n > 0 {
		at := noon(a.Days[n-1].Day, op)
		if at+12*60*minute <= a.LastPurchase { // of a later day
			a.LastPurchase = at
		}
	}
}

// noon is the middle of a day in the operation's own zone, unix ns.
func noon(day int32, op *Operation) int64 {
	return int64(day)*24*60*minute + 12*60*minute - int64(op.Offset)*minute/60
}

func applyStanding(a *Account, op *Operation) {
	if op.Declined() {
		return // it names no tier and must not take the one that is there
	}
	switch op.Kind {
	case KindEnrol, KindRegister:
		if op.Registered && !a.Registered {
			a.Registered, a.Joined = true, op.Time
		}
		if len(op.Upline) > 0 {
			a.Upline = append(a.Upline[:0], op.Upline...)
		}
	case KindErase:
		a.Erased = true
	case KindTier:
		a.Tier, a.TierUntil = strings.Clone(op.Tier), op.TierUntil
	case KindMerge:
		if op.Into != 0 {
			// The sums have gone along with the transfers.
			a.Into, a.Lifetime, a.Days, a.Counts = op.Into, 0, a.Days[:0], a.Counts[:0]
			a.Purchases, a.FirstPurchase, a.LastPurchase, a.Wake = 0, 0, 0, 0
		}
	}
	if op.Grant != "" && op.Hold == 0 { // a hold only promises it
		a.Tier, a.TierUntil = strings.Clone(op.Grant), op.GrantUntil
	}
	switch {
	case op.Wake == WakeNever:
		a.Wake = 0
	case op.Wake != 0:
		a.Wake = op.Wake
	}
}

// copyAccount makes dst equal to src, in the room that dst has. Nothing is
// shared but strings.
func copyAccount(dst, src *Account) {
	lots, holds, days := dst.Lots[:0], dst.Holds, dst.Days[:0]
	counts, upline := dst.Counts[:0], dst.Upline[:0]
	*dst = *src
	dst.Lots = append(lots, src.Lots...)
	dst.Days = append(days, src.Days...)
	dst.Counts = append(counts, src.Counts...)
	dst.Upline = append(upline, src.Upline...)
	if cap(holds) < len(src.Holds) {
		holds = make([]Hold, len(src.Holds))
	}
	dst.Holds = holds[:len(src.Holds)]
	for i := range src.Holds {
		pins, reserved := dst.Holds[i].Pins[:0], dst.Holds[i].Counts[:0]
		dst.Holds[i] = src.Holds[i]
		dst.Holds[i].Pins = append(pins, src.Holds[i].Pins...)
		dst.Holds[i].Counts = append(reserved, src.Holds[i].Counts...)
	}
}

// Clone is a copy that shares nothing with the account.
func (a *Account) Clone() *Account {
	c := new(Account)
	copyAccount(c, a)
	return c
}
