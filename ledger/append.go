package ledger

import (
	"slices"
)

// MaxRecord bounds a journal record: a basket of 500 lines with every field
// full takes 200 KiB.
const MaxRecord = 1 << 20

// Append records op: it gives it its ID, Time and Prev, computes the account's
// legs and After, checks the books, and writes the journal record and
// everything derived from it (sale, duplicates, receipt, shift, parked
// message, outgoing transfers) into the drain's batch. Strings of op may point
// into the request.
//
// Refused with a [RefusedError], and then nothing has changed: legs that do
// not add up to zero, a lot or a deficit that would leave its range, a return
// above its sale, effects of a decline, figures beyond MaxPoints.
func (tx *Tx) Append(op *Operation) (OpID, error) {
	switch op.Kind {
	case KindExpire, KindActivate, KindLapse, KindPostIn, KindWindow:
		return 0, refuse(op, "the ledger itself decides records of kind %d", op.Kind)
	}
	op.Due = 0
	return tx.append(op)
}

func (tx *Tx) append(op *Operation) (OpID, error) {
	h, err := tx.subject(op)
	if err != nil {
		return 0, err
	}
	tx.stampOperation(op)
	next, err := tx.applied(op, h)
	if err != nil {
		return 0, err
	}
	tx.staged, tx.stage, tx.net = tx.staged[:0], tx.stage[:0], tx.net[:0]
	err = tx.derive(op)
	if err == nil {
		err = tx.deriveShared(op, h)
	}
	if err != nil {
		tx.s.hot.give(next)
		return 0, err
	}
	s := tx.s
	s.buf = AppendOperation(s.buf[:0], op)
	if len(s.buf) > MaxRecord {
		s.hot.give(next)
		return 0, refuse(op, "its record takes %d bytes, more than %d", len(s.buf), MaxRecord)
	}
	if err := tx.countShared(); err != nil {
		s.hot.give(next)
		return 0, err
	}
	// Nothing can be refused from here on.
	at := tx.put(op)
	tx.records = append(tx.records, gathered{sealEntry{op.ID.Sequence(), op.Time, op.Legs}, at})
	tx.flushStage()
	if next != nil {
		tx.install(h, next)
	}
	return op.ID, nil
}

// subject finds the account that op is about; nil for one that is created or
// for none.
func (tx *Tx) subject(op *Operation) (*hot, error) {
	if op.Kind == KindNone || op.Kind >= kindCount {
		return nil, refuse(op, "kind %d is unknown", op.Kind)
	}
	if op.Account == 0 {
		return nil, nil
	}
	load := tx.account
	if op.Due != 0 || op.Kind == KindPostIn {
		load = tx.load // it is what load owes, or its recipient has recorded what it can
	}
	h, err := load(op.Account)
	switch {
	case err != nil:
		return nil, err
	case h == nil && op.Kind != KindEnrol:
		return nil, ErrNoAccount
	case h != nil && op.Kind == KindEnrol:
		return nil, ErrExists
	}
	return h, nil
}

// stampOperation gives op its place in the journal.
func (tx *Tx) stampOperation(op *Operation) {
	op.ID = NewOpID(tx.p.id, tx.p.seq+1)
	op.Time = tx.now
	if op.Hold == HoldSelf {
		op.Hold = op.ID
	}
}

// applied applies op to a copy of the account and completes the record. It
// answers nil for an operation that is about no account.
func (tx *Tx) applied(op *Operation, h *hot) (*Account, error) {
	for leg := LegAvailable; leg <= LegDeficit; leg++ {
		op.Legs[leg] = 0
	}
	op.Prev, op.After, op.Figures = 0, Balance{}, 0
	if err := checkOperation(op); err != nil {
		return nil, err
	}
	if op.Account == 0 {
		return nil, checkLegs(op)
	}
	next := tx.s.hot.borrow()
	var before Balance
	if h == nil {
		copyAccount(next, &Account{})
	} else {
		copyAccount(next, &h.Account)
		before = h.Balance()
		op.Prev = h.Last
	}
	err := tx.endsHold(op, h)
	if err == nil {
		err = Apply(next, op)
	}
	if err == nil {
		op.After = next.Balance()
		op.setLegs(before, op.After)
		err = checkLegs(op)
	}
	if err != nil {
		tx.s.hot.give(next)
		return nil, err
	}
	return next, nil
}

// endsHold completes a record that ends a hold and checks it against the hold.
func (tx *Tx) endsHold(op *Operation, h *hot) error {
	if op.Drop == 0 || h == nil {
		return nil
	}
	hold := h.Hold(op.Drop)
	if hold == nil {
		return refuse(op, "the hold %s does not exist", op.Drop)
	}
	op.Figures = hold.Op
	return checkCapture(op, hold)
}

// checkCapture holds the record that ends a hold to captured + released =
// held: a confirm captures parts of what is pinned (with the ends to which the
// purchase extends lots) and redeems just them; any other end captures
// nothing. What is not captured is released, because legs add up to zero.
func checkCapture(op *Operation, h *Hold) error {
	captured := int64(0)
	if op.Kind == KindConfirm {
		captured = sum(op.Pins)
		for _, p := range op.Pins {
			if p.Points <= 0 || partOf(op.Pins, p, 0) > partOf(h.Pins, p, op.Extend) {
				return refuse(op, "it captures points that the hold %s has not pinned", h.ID)
			}
		}
		if op.Points != captured {
			return refuse(op, "it redeems %d points and captures %d", op.Points, captured)
		}
	}
	if op.Legs[LegRedeemed] != captured {
		return refuse(op, "it captures %d points and its legs redeem %d", captured, op.Legs[LegRedeemed])
	}
	return nil
}

// partOf sums what parts have of one lot, after a purchase has moved the ends
// of lots without a term of their own to extend; 0 for none.
func partOf(parts []LotPart, lot LotPart, extend int64) (points int64) {
	for _, p := range parts {
		if !p.Own && p.Expires != 0 && p.Expires < extend {
			p.Expires = extend
		}
		if p.SameLot(lot) {
			points += p.Points
		}
	}
	return points
}

// setLegs sets the account's legs: the difference of its balances.
func (op *Operation) setLegs(before, after Balance) {
	op.Legs[LegAvailable] = after.Available - before.Available
	op.Legs[LegPending] = after.Pending - before.Pending
	op.Legs[LegHeld] = after.Held - before.Held
	op.Legs[LegDeficit] = after.Deficit - before.Deficit
}

// checkLegs holds the record to double entry.
func checkLegs(op *Operation) error {
	var total, sent int64
	for _, v := range op.Legs {
		total += v
	}
	if total != 0 {
		return refuse(op, "its legs add up to %d instead of 0", total)
	}
	for i := range op.Transfers {
		sent += sum(op.Transfers[i].Parts)
	}
	// A transfer that is booked or passed on, and one that the office gives up
	// (checkUnpark), are checked where they are decided.
	if op.Kind != KindPostIn && op.Kind != KindResolve && op.Legs[LegTransit] != sent {
		return refuse(op, "%d points leave in transfers, %d in its legs", sent, op.Legs[LegTransit])
	}
	return nil
}

// checkOperation refuses what no decider may mean.
func checkOperation(op *Operation) error {
	for i := range op.Legs {
		if outside(op.Legs[i]) {
			return refuse(op, "a leg of %d is out of range", op.Legs[i])
		}
	}
	for _, v := range [...]int64{
		op.Total, op.Discount, op.Redeemed, op.Payable, op.Points, op.Earned,
		op.MaxRedeem, op.Asked, op.Owed, op.Spent.Spent, op.EarnedLot.Points,
	} {
		if outside(v) {
			return refuse(op, "a figure of %d is out of range", v)
		}
	}
	if op.EarnedLot.Active < 0 || op.EarnedLot.Expires < 0 {
		return refuse(op, "its lot has dates before 1970")
	}
	for i := range op.Gifts {
		if p := &op.Gifts[i].Part; p.Points <= 0 || outside(p.Points) || p.Active < 0 || p.Expires < 0 {
			return refuse(op, "a gift of %d points is out of range", p.Points)
		}
		if line := int(op.Gifts[i].Line); line > len(op.Lines) && op.Kind != KindReturn && op.Kind != KindReverse {
			return refuse(op, "a gift belongs to line %d", line)
		}
	}
	for i := range op.Rewards {
		if r := &op.Rewards[i]; r.To == 0 || r.Part.Points <= 0 || outside(r.Part.Points) || r.Part.Active < 0 || r.Part.Expires < 0 {
			return refuse(op, "a reward of %d points is out of range", r.Part.Points)
		}
	}
	for _, parts := range [...][]LotPart{op.Lots, op.Pins} {
		for _, p := range parts {
			if outside(p.Points) || p.Active < 0 || p.Expires < 0 {
				return refuse(op, "a part of %d points is out of range", p.Points)
			}
		}
	}
	return checkEffects(op)
}

func checkEffects(op *Operation) error {
	if len(op.Transfers) > 1<<16-1 {
		return refuse(op, "it has %d transfers", len(op.Transfers))
	}
	for i := range op.Transfers {
		if op.Transfers[i].To == 0 {
			return refuse(op, "a transfer goes to nobody")
		}
		for _, p := range op.Transfers[i].Parts {
			if p.Points == 0 || outside(p.Points) || p.Active < 0 || p.Expires < 0 {
				return refuse(op, "a transfer of %d points is out of range", p.Points)
			}
		}
	}
	touches := op.Drop != 0 || op.Hold != 0 || len(op.Lots) > 0 || op.Owed != 0 || op.Extend != 0 ||
		op.Spent.Spent != 0 || op.Purchase || len(op.Sums) > 0 ||
		countsOwn(op) || op.Grant != "" || op.Wake != 0 || op.Bought != Bought{}
	if touches && op.Account == 0 {
		return refuse(op, "it changes an account and names none")
	}
	if op.Declined() && (touches || len(op.Transfers) > 0 || op.Legs != [LegCount]int64{}) {
		return refuse(op, "a decline has effects")
	}
	if len(op.Upline) > MaxUpline {
		return refuse(op, "%d members are above it", len(op.Upline))
	}
	if err := checkCounts(op); err != nil {
		return err
	}
	if op.Hold != 0 && op.HoldUntil <= op.Time {
		return refuse(op, "its hold has ended before it begins")
	}
	for i := range op.Dups {
		for j := range i {
			if op.Dups[i].Key == op.Dups[j].Key {
				return refuse(op, "it is remembered twice under one key")
			}
		}
	}
	if op.Hold == 0 && op.Kind == KindAuthorize && !op.Declined() {
		return refuse(op, "an authorization puts no hold")
	}
	return nil
}

func outside(v int64) bool { return v > MaxPoints || v < -MaxPoints }

// put writes the journal record, which is in s.buf, and moves the sequence.
func (tx *Tx) put(op *Operation) span {
	s := tx.s
	s.set(journalKey(s.kbuf[:0], op.ID), s.buf)
	tx.p.seq = op.ID.Sequence()
	tx.mail = tx.mail || len(op.Transfers) > 0
	return span{s.drain.batch.Len() - len(s.buf), len(s.buf)}
}

// write encodes and writes a record that has nothing beside it.
func (tx *Tx) write(op *Operation) span {
	tx.s.buf = AppendOperation(tx.s.buf[:0], op)
	return tx.put(op)
}

// install makes next the account's state; the first time in a task the old
// state is kept for a rollback.
func (tx *Tx) install(h *hot, next *Account) {
	s := tx.s
	if h == nil {
		h = &hot{}
		h.Account, *next = *next, Account{}
		s.hot.give(next)
		s.hot.put(h)
		tx.undo = append(tx.undo, undo{h: h})
		h.dirty = true
		s.dirty = append(s.dirty, h)
		return
	}
	h.Account, *next = *next, h.Account
	if slices.ContainsFunc(tx.undo, func(u undo) bool { return u.h == h }) {
		s.hot.give(next)
	} else {
		tx.undo = append(tx.undo, undo{h: h, was: next, dirty: h.dirty})
	}
	tx.touch(h)
}

// touch has an account written at the end of the drain.
func (tx *Tx) touch(h *hot) {
	if !h.dirty {
		h.dirty = true
		tx.s.dirty = append(tx.s.dirty, h)
	}
}
