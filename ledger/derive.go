package ledger

import "slices"

// staged is a write beside the journal record.
type staged struct {
	key      smallKey
	from, to int // of tx.stage; to < 0: delete
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
	s.sale = Sale{
		Lines: s.sale.Lines[:0], Pins: s.sale.Pins[:0], Restored: s.sale.Restored[:0],
		Counts: s.sale.Counts[:0], Gifts: s.sale.Gifts[:0], Rewards: s.sale.Rewards[:0],
	}
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
	case KindAccrue, KindRedeem:
		return op.ID // a return names its sale's receipt and is no other
	}
	return 0
}

// MaxReceipts bounds the operations kept under one receipt number of a
// terminal: a till that counts from one every day fills three years.
const MaxReceipts = 1024

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
		old := &known[i]
		if old.Op != entry.Op || old.Mark != entry.Mark || entry.Mark && old.Shift != entry.Shift {
			continue // a mark of another shift is another receipt's
		}
		if !entry.Mark && old.Shift == entry.Shift {
			return nil
		}
		known = slices.Delete(known, i, i+1) // a mark's number is used again: the newer one counts
		break
	}
	if len(known) >= MaxReceipts {
		known = slices.Delete(known, 0, len(known)-MaxReceipts+1)
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
		tx.p.noteParked(op.Parent, op.ID)
		tx.stageStart(parkedKey(tx.s.kbuf[:0], op.ID))
		tx.stage = appendParked(tx.stage, &p)
		tx.stageEnd()
	case KindResolve:
		if op.Target.Partition() != tx.p.id {
			return refuse(op, "the parked message %s is of another partition", op.Target)
		}
		waits, err := tx.Parked(op.Target)
		if err != nil {
			return err
		}
		if waits == nil {
			return refuse(op, "%s is not parked", op.Target)
		}
		if err := checkUnpark(op, waits); err != nil {
			return err
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
		Total: op.Total, Redeemed: op.Redeemed, Payable: op.Payable, Points: op.Points,
	}
}

// checkUnpark holds the end of a parked transfer to its points: they leave
// transit as a whole, or the office has decided about something else.
func checkUnpark(op *Operation, p *Parked) error {
	if out := op.Legs[LegTransit]; out != 0 && out != -p.Points {
		return refuse(op, "it takes %d points out of transit, %d were parked", -out, p.Points)
	}
	return nil
}
