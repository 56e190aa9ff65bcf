package ledger

import (
	"slices"
)

// MaxRecord bounds a journal record: a basket of 500 lines with every field
// full takes 200 KiB.
const MaxRecord = 1 << 20

// staged is a write beside the journal record.
type staged struct {
	key      smallKey
	from, to int // of tx.stage; to < 0: delete
}

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
	tx.staged, tx.stage = tx.staged[:0], tx.stage[:0]
	if err := tx.derive(op); err != nil {
		tx.s.hot.give(next)
		return 0, err
	}
	s := tx.s
	s.buf = AppendOperation(s.buf[:0], op)
	if len(s.buf) > MaxRecord {
		s.hot.give(next)
		return 0, refuse(op, "its record takes %d bytes, more than %d", len(s.buf), MaxRecord)
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
	if op.Due != 0 {
		load = tx.load // it is what load owes
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
	// A transfer that is booked or passed on is checked where it is decided.
	if op.Kind != KindPostIn && op.Legs[LegTransit] != sent {
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
		op.Spent.Spent != 0 || op.Purchase || len(op.Sums) > 0
	if touches && op.Account == 0 {
		return refuse(op, "it changes an account and names none")
	}
	if op.Declined() && (touches || len(op.Transfers) > 0 || op.Legs != [LegCount]int64{}) {
		return refuse(op, "a decline has effects")
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
	if !h.dirty {
		h.dirty = true
		s.dirty = append(s.dirty, h)
	}
}

// derive stages what is written beside the journal record.
func (tx *Tx) derive(op *Operation) error {
	if err := tx.deriveSale(op); err != nil {
		return err
	}
	for i := range op.Dups {
		if err := tx.deriveDup(op, &op.Dups[i]); err != nil {
			return err
		}
	}
	if err := tx.deriveReceipt(op); err != nil {
		return err
	}
	if key, entry, ok := shiftOf(tx.s.l, op); ok {
		tx.stageStart(shiftEntryKey(tx.s.kbuf[:0], key, op.ID))
		tx.stage = appendShift(tx.stage, &entry)
		tx.stageEnd()
	}
	if err := tx.deriveParked(op); err != nil {
		return err
	}
	for i := range op.Transfers {
		tx.stageStart(transferKey(tx.s.kbuf[:0], op.ID, uint16(i)))
		tx.stage = appendTransfer(tx.stage, &op.Transfers[i])
		tx.stageEnd()
	}
	return nil
}

func (tx *Tx) stageStart(key []byte) {
	tx.staged = append(tx.staged, staged{key: small(key), from: len(tx.stage)})
}

func (tx *Tx) stageEnd() { tx.staged[len(tx.staged)-1].to = len(tx.stage) }

func (tx *Tx) flushStage() {
	for i := range tx.staged {
		w := &tx.staged[i]
		key := append(tx.s.kbuf[:0], w.key.b[:w.key.n]...)
		if w.to < 0 {
			tx.s.delete(key)
			continue
		}
		tx.s.set(key, tx.stage[w.from:w.to])
	}
}

func (tx *Tx) deriveSale(op *Operation) error {
	id := saleOf(op)
	if id == 0 {
		return nil
	}
	if id.Partition() != tx.p.id {
		return refuse(op, "its sale %s is of another partition", id)
	}
	s := tx.s
	s.sale = Sale{Lines: s.sale.Lines[:0], Pins: s.sale.Pins[:0], Restored: s.sale.Restored[:0]}
	// A hold that ends here has no sale yet, and a new operation neither.
	if id != op.ID && op.Drop != id {
		if _, err := s.loadSale(id, &s.sale); err != nil {
			return err
		}
	}
	if err := applySale(&s.sale, op); err != nil {
		return err
	}
	if s.sale.ID != 0 {
		tx.stageStart(saleKey(s.kbuf[:0], id))
		tx.stage = appendSale(tx.stage, &s.sale)
		tx.stageEnd()
	}
	return nil
}

// deriveDup adds the request to those remembered under its key; one that is
// there already learns under which DE7 it came.
func (tx *Tx) deriveDup(op *Operation, ref *DupRef) error {
	s := tx.s
	ref.Entry.Time = op.Time
	ref.Entry.Op = op.ID
	if ref.Entry.Mark {
		ref.Entry.Op = 0
	}
	s.dups = s.dups[:0]
	if !tx.isKnown || tx.known != ref.Key {
		rec, ok, err := s.get(hashKey(s.kbuf[:0], spaceDups, ref.Key))
		if err != nil {
			return err
		}
		if ok {
			if s.dups, err = decodeDups(rec, s.dups); err != nil {
				return err
			}
		}
	}
	entries := mergeDup(tx.fresh(s.dups), &ref.Entry)
	s.dups = entries
	if len(entries) > s.l.o.MaxDups {
		s.l.stats.dupsRejected.Add(1)
		return ErrDupsFull
	}
	tx.isKnown = false
	tx.stageStart(hashKey(s.kbuf[:0], spaceDups, ref.Key))
	tx.stage = appendDups(tx.stage, entries)
	tx.stageEnd()
	return nil
}

func mergeDup(entries []DupEntry, e *DupEntry) []DupEntry {
	for i := range entries {
		old := &entries[i]
		if old.Disc != e.Disc || old.Mark != e.Mark || old.Class != e.Class {
			continue
		}
		if e.Mark && !slices.Equal(old.Sent, e.Sent) {
			continue // marks of two messages
		}
		sent := old.Sent
		*old = *e
		old.Sent = sent
		for _, de7 := range e.Sent {
			if !slices.Contains(old.Sent, de7) {
				old.Sent = append(old.Sent, de7)
			}
		}
		return entries
	}
	return append(entries, *e)
}

// receiptOf names the operation that a receipt number stands for; 0 for none.
func receiptOf(op *Operation) OpID {
	if op.Receipt == "" || op.Terminal == "" || op.Declined() {
		return 0
	}
	switch op.Kind {
	case KindAuthorize, KindAmend:
		return op.Hold
	case KindConfirm:
		return op.Parent
	case KindAccrue, KindRedeem, KindReturn:
		return op.ID
	}
	return 0
}

// maxReceipts bounds the operations kept under one receipt number of a
// terminal: a till that counts from one every day fills three years.
const maxReceipts = 1024

func (tx *Tx) deriveReceipt(op *Operation) error {
	entry := ReceiptEntry{Shift: op.Shift, Op: receiptOf(op), Time: op.Time}
	entry.Mark = op.Kind == KindMark && op.Receipt != "" && op.Terminal != ""
	if entry.Op == 0 && !entry.Mark {
		return nil
	}
	s := tx.s
	key := s.l.ReceiptKey(op.Merchant, op.Store, op.Terminal, op.Receipt)
	known, err := tx.Receipts(key)
	if err != nil {
		return err
	}
	for i := range known {
		if old := &known[i]; old.Op == entry.Op && old.Mark == entry.Mark {
			if old.Shift == entry.Shift {
				return nil
			}
			known = slices.Delete(known, i, i+1)
			break
		}
	}
	if len(known) >= maxReceipts {
		known = slices.Delete(known, 0, len(known)-maxReceipts+1)
	}
	known = append(known, entry)
	s.seen = known
	tx.stageStart(hashKey(s.kbuf[:0], spaceReceipts, key))
	tx.stage = appendReceipts(tx.stage, known)
	tx.stageEnd()
	return nil
}

// shiftOf is the operation's entry in its till's shift, if it belongs there.
func shiftOf(l *Ledger, op *Operation) (Key, ShiftEntry, bool) {
	if op.Shift == "" || op.Terminal == "" || op.Declined() && op.Kind != KindShift {
		return Key{}, ShiftEntry{}, false
	}
	e := ShiftEntry{
		Op: op.ID, Sale: saleOf(op), Kind: op.Kind, Undoes: op.Undoes, Time: op.Time, At: op.At,
		Receipt: op.Receipt, Status: op.Status, Flags: op.Flags,
		Total: op.Total, Discount: op.Discount, Redeemed: op.Redeemed, Payable: op.Payable,
		Points: op.Points, Earned: op.Earned,
	}
	switch op.Kind {
	case KindAuthorize:
		e.Sale = op.ID // a receipt that was printed and never confirmed differs
	case KindAmend:
		e.Sale = op.Parent
	}
	switch op.Kind {
	case KindAuthorize, KindAmend, KindConfirm, KindAccrue, KindRedeem, KindReturn, KindReverse, KindShift, KindPark, KindResolve:
		return l.ShiftKey(op.Merchant, op.Store, op.Terminal, op.Shift), e, true
	}
	return Key{}, ShiftEntry{}, false
}

func (tx *Tx) deriveParked(op *Operation) error {
	if op.Declined() {
		return nil
	}
	switch op.Kind {
	case KindPark:
		p := parkedOf(op)
		tx.stageStart(parkedKey(tx.s.kbuf[:0], op.ID))
		tx.stage = appendParked(tx.stage, &p)
		tx.stageEnd()
	case KindResolve:
		if op.Target.Partition() != tx.p.id {
			return refuse(op, "the parked message %s is of another partition", op.Target)
		}
		_, ok, err := tx.s.get(parkedKey(tx.s.kbuf[:0], op.Target))
		if err != nil {
			return err
		}
		if !ok {
			return refuse(op, "%s is not parked", op.Target)
		}
		tx.stageStart(parkedKey(tx.s.kbuf[:0], op.Target))
		tx.staged[len(tx.staged)-1].to = -1
	}
	return nil
}

func parkedOf(op *Operation) Parked {
	return Parked{
		ID: op.ID, Account: op.Account, Parent: op.Parent, Time: op.Time, At: op.At,
		Merchant: op.Merchant, Terminal: op.Terminal, Store: op.Store, Receipt: op.Receipt,
		Shift: op.Shift, Detail: op.Detail,
		Total: op.Total, Redeemed: op.Redeemed, Payable: op.Payable,
	}
}
