package ledger

import (
	"errors"
	"fmt"
)

// catchUp records what an account owes by now; without a waker its dated events
// are left for later.
func (tx *Tx) catchUp(h *hot, waker *Waker) error {
	for due(&h.Account, tx.now, &tx.s.owed, waker != nil) {
		event := tx.s.owed.Kind == KindEvent
		if event {
			if err := tx.dated(h, *waker); err != nil {
				return &undecidedError{err}
			}
		}
		if _, err := tx.append(&tx.s.owed); err != nil {
			var refused *RefusedError
			if event && errors.As(err, &refused) {
				return &undecidedError{err}
			}
			return err
		}
		tx.s.l.stats.dues.Add(1)
	}
	return nil
}

// undecidedError is why a dated event can't be recorded.
type undecidedError struct{ cause error }

func (e *undecidedError) Error() string { return e.cause.Error() }
func (e *undecidedError) Unwrap() error { return e.cause }

// recipient is the account to which something comes; nil if it doesn't exist. A
// dated event of its that can't be recorded is left for later, for whoever asks for
// the account itself: what comes to others must not wait for it.
func (tx *Tx) recipient(id AccountID) (*hot, error) {
	h, err := tx.account(id)
	var undecided *undecidedError
	if !errors.As(err, &undecided) {
		return h, err
	}
	if h, err = tx.load(id); err != nil {
		return nil, err
	}
	return h, tx.catchUp(h, nil)
}

// A Waker says what becomes of an account whose Wake has come: it fills the
// effects of the due record, and the next Wake. It must be pure given the
// account, the programme in force at op.Due and the member's profile, and must
// not append.
type Waker func(tx *Tx, a *Account, op *Operation) error

// OnWake sets who decides about dated events. Until it is called they wait.
func (l *Ledger) OnWake(w Waker) {
	l.waker.Store(&w)
	l.wakeCourier()
}

// awake reports whether what falls due may be recorded: whoever decides about
// dated events is there, or nobody will be.
func (l *Ledger) awake() bool { return !l.o.AwaitWaker || l.waker.Load() != nil }

// dated asks the programme what an event with a date gives.
func (tx *Tx) dated(h *hot, wake Waker) error {
	op := &tx.s.owed
	if err := wake(tx, &h.Account, op); err != nil {
		return fmt.Errorf("account %s: an event that is due: %w", h.ID, err)
	}
	if op.Wake == 0 || op.Wake != WakeNever && op.Wake <= op.Due {
		return refuse(op, "an event that was due at %d is due again at %d", op.Due, op.Wake)
	}
	return nil
}
