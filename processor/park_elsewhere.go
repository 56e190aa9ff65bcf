package processor

import (
	"errors"

	"tillgate/ledger"
	"tillgate/protocol"
)

// A receipt is parked where nobody is known, and its member may turn out to be
// of another partition: a card that was issued later, a member who was merged.
// The office's decision then takes two steps. The receipt is booked where the
// member is; when that is on disk, it is noted at the parked record that it
// waits no longer. A link tells for whom it is booked, in the batch of the
// booking: if the server stops between the two, the office decides again, and
// only the note is made. Nobody else decides in between.

// far is the booking of a parked receipt in another partition.
type far struct {
	there bool // the task is on its way to book it
	done  bool // it is booked, and the task on its way back
	id    ledger.OpID
}

// errElsewhere is the account of another partition where a parked receipt is to
// be booked.
type errElsewhere ledger.AccountID

func (errElsewhere) Error() string { return "the member's account is of another partition" }

// farKey is the key of the link from a parked receipt to the account for which
// it is booked, where its record names another or none.
func (s *Switch) farKey(parked ledger.OpID) ledger.Key {
	return s.ledger.Hash("booked for", parked.String())
}

// farOf reports, of the parked record in t.other, whether another task is
// booking it in another partition, and the account for which it is booked: 0 if
// it isn't booked, or is booked for the account that it names itself.
func (t *Task) farOf(tx *ledger.Tx) (busy bool, booked ledger.AccountID, err error) {
	if t.far.id == 0 {
		if _, busy = t.s.deciding.Load(t.otherID); busy {
			return true, 0, nil
		}
	}
	link, err := tx.Link(t.s.farKey(t.otherID))
	if link != nil {
		booked = link.Account
	}
	return false, booked, err
}

// goFar sends the task to book the parked record in t.other where its member
// is. It runs on the shard of the parked record, like all that ask for farOf.
func (t *Task) goFar(account ledger.AccountID) {
	t.far = far{there: true, id: t.otherID}
	t.s.deciding.Store(t.otherID, nil)
	t.redirect = account
}

// leaveFar lets others decide again.
func (t *Task) leaveFar() {
	if t.far.id != 0 {
		t.s.deciding.Delete(t.far.id)
	}
}

// bookFar books the parked record in t.other where its member is, and sends the
// task back.
func (t *Task) bookFar(tx *ledger.Tx) error {
	err := t.bookParked(tx, &t.other, t.who.account)
	var no errNotBookable
	var elsewhere errElsewhere
	switch {
	case errors.As(err, &no):
		return t.decline(tx, protocol.NotFound, "", no.Error())
	case errors.As(err, &elsewhere):
		t.redirect = ledger.AccountID(elsewhere)
		return nil
	case err != nil:
		return err
	}
	t.far.there, t.far.done = false, true
	t.redirect = t.who.account
	return nil
}
