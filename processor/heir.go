package processor

import (
	"encoding/binary"

	"tillgate/ledger"
)

// A sale of a member who was merged comes back at the old account, and its
// points are moved at the one that lives on, which may be in another partition
// and hears of it later. Whoever returns goods wants to know what they own: so
// the account that lives on is looked at first, and the record tells the balance
// that it has once the return has arrived.

// heir is the account that lives on of a merged one.
type heir struct {
	looks   bool             // the task is on its way to look at it
	known   bool             // it has looked
	account *ledger.Account  // a copy; nil for a sale whose account is its own
	back    ledger.AccountID // whose sale it is about: where the task goes back to
}

// heirData begins the Data of a return or reversal that carries a balance. It
// is none of holdData's versions.
const heirData = 2

// away sends the task to the account that lives on, if the record that the
// request is about belongs to a merged one and it has not been there.
func (t *Task) away(tx *ledger.Tx) (bool, error) {
	id := t.other.Account
	if t.heir.known || t.otherID == 0 || id == 0 || id.Partition(t.s.partitions) != tx.Partition() {
		return false, nil
	}
	a, err := tx.Account(id)
	if err != nil || a == nil || a.Into == 0 {
		return false, err
	}
	t.seeHeir(a)
	return true, nil
}

// seeHeir sends the task to the account that lives on of a merged one.
func (t *Task) seeHeir(a *ledger.Account) {
	t.heir.looks, t.heir.back, t.redirect = true, a.ID, a.Into
}

// look keeps what the account that lives on is, and goes back.
func (t *Task) look(tx *ledger.Tx) error {
	a, err := tx.Account(t.who.account)
	switch {
	case err != nil:
		return err
	case a != nil && a.Into != 0:
		t.redirect = a.Into
		return nil
	case a != nil:
		t.heir.account = a.Clone()
	}
	t.heir.looks, t.heir.known = false, true
	t.redirect = t.heir.back
	return nil
}

// tellHeir puts the balance into op that the account has once the transfer has
// arrived. One that can't be booked there is the office's, and tells none.
func (t *Task) tellHeir(op *ledger.Operation, tr *ledger.Transfer) {
	a := t.heir.account
	if a == nil || ledger.Arrive(a, tr, t.when.now) != nil {
		return
	}
	b := a.Balance()
	op.Data = append(op.Data[:0], heirData)
	for _, n := range [...]int64{b.Available, b.Pending, b.Held, b.Deficit} {
		op.Data = binary.AppendVarint(op.Data, n)
	}
}

// balanceAfter is the balance that an answer tells: that of the account that
// lives on, where the record carries it. Since version 2 it leaves out what has
// come back to lots that have ended: the next record lets it lapse.
func balanceAfter(op *ledger.Operation) ledger.Balance {
	if b, ok := heirBalance(op); ok {
		return b
	}
	b := op.After
	if op.Render >= 2 {
		for i := range op.Lots {
			if l := &op.Lots[i]; l.Points > 0 && l.Expires != 0 && l.Expires <= op.Time {
				b.Available -= l.Points
			}
		}
	}
	return b
}

func heirBalance(op *ledger.Operation) (b ledger.Balance, ok bool) {
	if op.Kind != ledger.KindReturn && op.Kind != ledger.KindReverse || len(op.Data) == 0 || op.Data[0] != heirData {
		return b, false
	}
	data := op.Data[1:]
	for _, n := range [...]*int64{&b.Available, &b.Pending, &b.Held, &b.Deficit} {
		v, size := binary.Varint(data)
		if size <= 0 {
			return ledger.Balance{}, false
		}
		*n, data = v, data[size:]
	}
	return b, true
}
