package processor

import (
	"slices"

	"tillgate/ledger"
	"tillgate/processor/program"
)

// What a sale gets again beside its figures when a return of it is undone. What
// there is only once, or a limited number of times, may be another sale's by
// then: then this one does without (docs/decisions/0014).

// warnings of an undone return that can't give everything again.
const (
	warnFirstTaken = "the gift of the first purchase is another purchase's now"
	warnCodeTaken  = "a promo code is not used again: others have used it up"
)

// once is what a sale does not get again.
type once struct {
	keys  []uint64 // counters that another sale has now
	gifts []string // by their rules
	fixed bool     // the reward for the first purchase
}

// useAgain looks what of a sale that is booked again there is only once, and
// takes what is limited. a is the account before it. Gifts, rewards and counters
// of s become those of its own record: what it had lost by an earlier reversal
// may be free again.
func (t *Task) useAgain(tx *ledger.Tx, op *ledger.Operation, s *ledger.Sale, a *ledger.Account) (once, error) {
	var gone once
	sold := &t.side
	if err := read(tx, s.Record, sold); err != nil {
		return gone, err
	}
	s.Gifts, s.Rewards, s.Counts = sold.Gifts, sold.Rewards, sold.Counts
	t.firstAgain(op, s, a, &gone)
	if len(sold.Data) == 0 {
		return gone, nil
	}
	var h holdData
	if err := decodeHoldData(sold.Data, &h); err != nil {
		return gone, err
	}
	for i := range h.said.promos {
		if err := t.codeAgain(tx, op, s, a, &h.said.promos[i], &gone); err != nil {
			return gone, err
		}
	}
	if len(h.said.promos) > 0 {
		op.Data = appendHoldData(op.Data[:0], &holdData{said: remarks{promos: h.said.promos}})
	}
	return gone, nil
}

// firstAgain looks whether another purchase has had the gift or the reward of
// the first one since.
func (t *Task) firstAgain(op *ledger.Operation, s *ledger.Sale, a *ledger.Account, gone *once) {
	for i := range s.Counts {
		key := s.Counts[i].Key
		name, gift := t.version.Program.FirstGift(key)
		if !gift && !program.FirstReward(key) || countIn(a.Counts, key) == 0 {
			continue
		}
		gone.keys = append(gone.keys, key)
		if gift {
			gone.gifts = append(gone.gifts, name)
			op.Warnings = append(op.Warnings, warnFirstTaken)
			continue
		}
		gone.fixed = true
		for k := range s.Rewards {
			if w := &s.Rewards[k]; w.Fixed {
				gone.keys = append(gone.keys, brought(w.To)) // counted by its reward, not by the sale
			}
		}
	}
}

// codeAgain uses one of the sale's promo codes again. Where others have used it
// up meanwhile its points and tier are not given; a discount is on the printed
// receipt and stays, counted beyond the limit.
func (t *Task) codeAgain(tx *ledger.Tx, op *ledger.Operation, s *ledger.Sale, a *ledger.Account, k *promoRemark, gone *once) error {
	entry, ok := t.version.Program.PromoNamed(k.name, k.series)
	if !ok || k.refused != "" {
		return nil
	}
	e := t.version.Program.PromoEntry(entry)
	keys := [2]uint64{program.PromoKey(op.Merchant, e.Name, e.Series), program.CouponKey(op.Merchant, e.Name, k.coupon)}
	counted := slices.ContainsFunc(s.Counts, func(c ledger.CountChange) bool { return slices.Contains(keys[:], c.Key) })
	over := false
	if counted {
		var err error
		if over, err = t.usedUp(tx, op, a, e, k.coupon); err != nil {
			return err
		}
	}
	if !over {
		if given, ok := t.gaveTier(k, s.At); ok {
			is := t.version.Program.Assign(program.Assigned{Tier: op.Grant, Until: op.GrantUntil}, given, t.when.now)
			op.Grant, op.GrantUntil = is.Tier, is.Until
		}
		return nil
	}
	op.Flags = append(op.Flags, flagPromoExceeded)
	gone.gifts = append(gone.gifts, k.name)
	if k.points, k.tier = 0, ""; k.discount == 0 {
		k.refused = program.PromoUsedUp.String()
		gone.keys = append(gone.keys, keys[0], keys[1])
		op.Warnings = append(op.Warnings, warnCodeTaken)
	}
	return nil
}

// usedUp takes a use of a code that a sale had, and reports whether others have
// had the last one since.
func (t *Task) usedUp(tx *ledger.Tx, op *ledger.Operation, a *ledger.Account, e program.Promo, coupon int64) (over bool, err error) {
	key := program.PromoKey(op.Merchant, e.Name, e.Series)
	if e.PerMember > 0 && countIn(a.Counts, key) >= e.PerMember {
		return true, nil
	}
	left, err := t.takePromo(tx, e, coupon)
	return !left, err
}

// forget marks in the record what the sale has no more.
func (o *once) forget(op *ledger.Operation, s *ledger.Sale) {
	for i := range s.Counts {
		if ch := s.Counts[i]; slices.Contains(o.keys, ch.Key) {
			op.Counts = append(op.Counts, ledger.CountChange{
				Count: ledger.Count{Key: ch.Key, Bucket: ch.Bucket}, Gone: true, Shared: ch.Shared, Apart: ch.Apart,
			})
		}
	}
}

// giveBeside gives again what a return had taken beside the figures, and
// returns what is left of the points that it had taken in all (some may have
// been forgiven). What goes back only with the whole receipt is given when the
// sale was wholly back, whichever of its returns is undone first.
func (t *Task) giveBeside(op, from *ledger.Operation, s *ledger.Sale, gone *once, taken int64) int64 {
	again := regained(s, from)
	gone.forget(op, s)
	t.countAgain(op, from, s, gone, again)
	t.rewardAgain(op, from, s, again && !gone.fixed)
	had := int64(0) // points of gifts among those taken
	for i := range from.Gifts {
		had += min(from.Gifts[i].Part.Points, taken-had)
	}
	op.Legs[ledger.LegIssued] += had // below they are given, or not
	left := had
	for _, g := range s.Gifts {
		lost := int64(0) // by this return
		for i := range from.Gifts {
			if f := &from.Gifts[i]; f.Rule == g.Rule && f.Line == g.Line {
				lost = f.Part.Points
			}
		}
		forgiven := max(lost-left, 0)
		left -= lost - forgiven
		part := g.Part
		if lineOf(s, &g) != nil {
			part.Points = giftAgain(s, from, &g) - forgiven
			g.Part.Points = part.Points
		} else if part.Points -= forgiven; !again || slices.Contains(gone.gifts, g.Rule) {
			continue
		}
		if g.Part.Points > 0 {
			op.Gifts = append(op.Gifts, g)
		}
		if part.Points = max(part.Points, 0); part.Points > 0 {
			op.Legs[ledger.LegIssued] -= part.Points
			ledger.Given(t.took, part, t.purse.extends)
			t.purse.earn(part)
		}
	}
	return taken - had
}

// giftAgain is what a line's gift has again when a return is undone, along the
// curve by which it was taken: other returns may have come between.
func giftAgain(s *ledger.Sale, from *ledger.Operation, g *ledger.Gift) int64 {
	l := lineOf(s, g)
	gone := func(back taking, line taking) int64 {
		if !worth(s, back) {
			return g.Part.Points // it came back with all that was paid
		}
		return giftGone(l, line, g)
	}
	return gone(s.Back, l.Back) - gone(moved(s.Back, from, -1), lineAfter(l, from, -1))
}

// regained reports whether a sale of which nothing is left has something again
// when a return of it is undone.
func regained(s *ledger.Sale, from *ledger.Operation) bool {
	return !worth(s, s.Back) && worth(s, moved(s.Back, from, -1))
}

// countAgain counts again what a return has taken back, each counter along the
// curve by which it was taken: other returns may have come between.
func (t *Task) countAgain(op, from *ledger.Operation, s *ledger.Sale, gone *once, again bool) {
	left := s.Payable - s.Back.Payable
	for i := range s.Counts {
		ch := s.Counts[i]
		if ch.Set || broughtBy(s.Rewards, ch.Key) || slices.Contains(gone.keys, ch.Key) {
			continue
		}
		change, byMoney := t.version.Program.Recount(ch.Key, left, left+from.Payable)
		switch {
		case byMoney:
			ch.Value = change
		case ch.Line == 0 || int(ch.Line) > len(s.Lines):
			if !again {
				continue
			}
		default:
			l := &s.Lines[ch.Line-1]
			before := lineAfter(l, from, -1).Quantity
			gone := func(back taking, quantity int64) int64 {
				if !worth(s, back) {
					return ch.Value // it came back with all that was paid
				}
				return share(quantity, l.Quantity, ch.Value)
			}
			ch.Value = gone(s.Back, l.Back.Quantity) - gone(moved(s.Back, from, -1), before)
		}
		if ch.Line = 0; ch.Value != 0 {
			op.Counts = append(op.Counts, ch)
		}
	}
}

// rewardAgain gives again what a return has taken of the rewards.
func (t *Task) rewardAgain(op, from *ledger.Operation, s *ledger.Sale, again bool) {
	back := s.Back.Payable
	for i := range s.Rewards {
		w := s.Rewards[i]
		switch {
		case !w.Fixed:
			w.Part.Points = share(back, s.Payable, w.Part.Points) - share(back-from.Payable, s.Payable, w.Part.Points)
		case !again:
			continue
		}
		if w.Part.Points != 0 {
			op.Rewards = append(op.Rewards, w)
		}
	}
	reward(op, 1)
}
