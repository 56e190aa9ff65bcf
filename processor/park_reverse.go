package processor

import (
	"slices"

	"tillgate/ledger"
	"tillgate/protocol"
)

// What waits for the office, or what it has decided, is undone when the till
// reverses its transaction.

// reverseParked takes a message that waits for the office back, or undoes
// what the office has booked of it.
func (t *Task) reverseParked(tx *ledger.Tx) error {
	waits, err := tx.Parked(t.otherID)
	if err != nil {
		return err
	}
	hold := t.other.Parent
	busy, booked, err := t.farOf(tx)
	switch {
	case err != nil:
		return err
	case busy:
		t.refuse(protocol.Unavailable, "", "the office decides about it at this moment; try again")
		return nil
	case waits != nil && booked != 0:
		t.refuse(protocol.Unavailable, "", "the office has booked it, but the server stopped before it was noted; try again when the office has")
		return nil
	case waits != nil && hold != 0:
		return t.reverseWaiting(tx, hold)
	case waits != nil:
		if err := t.dropParked(tx, t.otherID, 0); err != nil {
			return err
		}
		return t.undone(tx)
	case slices.Contains(t.other.Flags, flagSecondPerson):
		return t.decline(tx, protocol.NotFound, "", "an adjustment that has been decided can't be reversed")
	case hold != 0:
		t.otherID = hold
		return t.reverseHoldOf(tx)
	case booked != 0 && booked.Partition(t.s.partitions) != tx.Partition():
		t.redirect = booked
		return nil
	case booked == 0 && t.parkedAccount(tx) == 0:
		return t.undone(tx) // booked for nobody: the office has rejected it
	case booked == 0:
		booked = t.other.Account
	}
	a, err := tx.Account(booked)
	if err != nil {
		return err
	}
	sale, far, err := t.bookedBy(tx, a.Last)
	switch {
	case err != nil:
		return err
	case far:
		return t.decline(tx, protocol.OutsideTimeWindow, "", "what the office decided lies too far back to be undone")
	case sale == 0:
		return t.undone(tx)
	}
	if a.Into != 0 && !t.heir.known {
		t.seeHeir(a)
		return nil
	}
	t.otherID = sale
	return t.reverseSale(tx, ledger.KindAccrue)
}

// reverseHoldOf undoes the transaction of a parked confirm that the office has
// decided about: its sale, if that was booked from this very message. Another may
// have told of the same confirm.
func (t *Task) reverseHoldOf(tx *ledger.Tx) error {
	t.who.account = t.other.Account
	if t.parkedAccount(tx) == 0 {
		return t.undone(tx)
	}
	sale, err := tx.Sale(t.otherID)
	if err != nil {
		return err
	}
	if sale != nil && sale.Status == ledger.SaleConfirmed {
		found, err := tx.Operation(sale.Record, &t.side)
		if err != nil {
			return err
		}
		t.target.byID = t.target.byID || found && t.side.Target == t.target.op
	}
	return t.reverseHold(tx)
}

// bookedBy looks for the accrual that the office has booked of the parked message
// in t.other; 0 if it has rejected it. It is known by the message's receipt
// number; one without, or whose number has been used too often since, is looked for
// among the account's records since, up to maxWalk of them. far says that it lies
// too far back to be known.
func (t *Task) bookedBy(tx *ledger.Tx, last ledger.OpID) (sale ledger.OpID, far bool, err error) {
	parked, o := t.otherID, &t.other
	is := func() bool { return t.side.Kind == ledger.KindAccrue && t.side.Target == parked }
	if o.Receipt != "" && o.Terminal != "" {
		known, err := tx.Receipts(t.s.receiptKey(o.Merchant, o.Store, o.Terminal, o.Receipt))
		if err != nil {
			return 0, false, err
		}
		for i := range known {
			e := &known[i]
			if e.Mark || e.Time < o.Time-clocksApart || e.Op.Partition() != tx.Partition() {
				continue
			}
			found, err := tx.Operation(e.Op, &t.side)
			if err != nil || found && is() {
				return e.Op, false, err
			}
			far = far || !found
		}
		if far || len(known) < ledger.MaxReceipts {
			return 0, far, nil
		}
	}
	for range maxWalk {
		if last == 0 || last.Partition() != tx.Partition() || last == parked {
			return 0, false, nil
		}
		found, err := tx.Operation(last, &t.side)
		switch {
		case err != nil || !found:
			return 0, err == nil, err
		case is():
			return last, false, nil
		case t.side.Time < o.Time-clocksApart:
			return 0, false, nil // nothing was parked yet
		}
		last = t.side.Prev
	}
	return 0, true, nil
}

// reverseWaiting undoes a transaction whose confirm waits for the office: none
// of the messages that have told of it is booked any more, and its hold is ended,
// so that no later one can be.
func (t *Task) reverseWaiting(tx *ledger.Tx, hold ledger.OpID) error {
	dropped, err := t.dropWaiting(tx, hold)
	if err != nil {
		return err
	}
	if dropped == 0 || t.parkedAccount(tx) == 0 {
		return t.undone(tx)
	}
	t.otherID = hold
	t.who.account = t.other.Account
	return t.reverseHold(tx)
}

// dropWaiting drops all messages about a hold that wait for the office, and
// returns how many there were.
func (t *Task) dropWaiting(tx *ledger.Tx, hold ledger.OpID) (int, error) {
	waiting, err := tx.Waiting(hold)
	if err != nil {
		return 0, err
	}
	for _, id := range waiting {
		if err := t.dropParked(tx, id, hold); err != nil {
			return 0, err
		}
	}
	return len(waiting), nil
}

// dropParked records that a parked message is not to be booked any more.
func (t *Task) dropParked(tx *ledger.Tx, id, parent ledger.OpID) error {
	t.stamp(&t.side, ledger.KindResolve)
	t.side.Target, t.side.Parent = id, parent
	t.side.Receipt, t.side.Shift = "", ""
	t.side.Status, t.side.Detail = "rejected", "the till has reversed it"
	t.side.Account = t.parkedAccount(tx)
	_, err := tx.Append(&t.side)
	return err
}

// parkedAccount is the account of the parked record, if it is of this
// partition.
func (t *Task) parkedAccount(tx *ledger.Tx) ledger.AccountID {
	if t.other.Account != 0 && t.other.Account.Partition(t.s.partitions) == tx.Partition() {
		return t.other.Account
	}
	return 0
}
