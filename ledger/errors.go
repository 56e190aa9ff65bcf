package ledger

import (
	"errors"
	"fmt"
)

var (
	// ErrOverloaded: the partition's queue is full or the disk is nearly
	// full. Nothing was done; the caller may try again later.
	ErrOverloaded = errors.New("ledger: overloaded")
	// ErrClosed: the ledger is closing or has failed.
	ErrClosed = errors.New("ledger: closed")
	// ErrExists: the account that is to be created exists.
	ErrExists = errors.New("ledger: the account exists")
	// ErrPartition: an account, sale or operation of another partition.
	ErrPartition = errors.New("ledger: belongs to another partition")
	// ErrDupsFull: more requests are remembered under one duplicate key than
	// MaxDups; a terminal that never changes its STAN, or an attack.
	ErrDupsFull = errors.New("ledger: too many requests under one duplicate key")
	// ErrNoAccount: an operation names an account that does not exist.
	ErrNoAccount = errors.New("ledger: no such account")
)

// RefusedError says why a record cannot be applied: it would break an
// invariant of the books. Nothing has changed.
type RefusedError struct {
	Op  OpID
	Why string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("ledger: operation %s refused: %s", e.Op, e.Why)
}

func refuse(op *Operation, format string, args ...any) error {
	return &RefusedError{Op: op.ID, Why: fmt.Sprintf(format, args...)}
}
