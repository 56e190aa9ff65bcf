package processor

import (
	"fmt"
	"slices"

	"tillgate/ledger"
	"tillgate/protocol"
)

// A shift's close compares the till's totals with the ledger's. Equal totals
// close the shift; different ones leave it open and list the receipts that may
// explain it. Either is a record, so that a repeat gets the same answer and
// reports know. Nothing refuses what comes later: an operation booked after the
// close opens the shift again by being there, and the next close counts it.
var _ = serve(protocol.CallCloseShift, plan{
	kind: ledger.KindShift, keyed: true, route: (*Task).matchShift, decide: (*Task).closeShift,
})

// maxShiftEntries bounds the operations of one shift that are matched: a till
// makes a few thousand a day; one that never changes its shift's number is
// told to.
const maxShiftEntries = 100_000

// matchShift reads the shift and compares, on the caller's goroutine: a shift
// may have thousands of operations, and the event loop must not wait for them.
// The record that tells of them is synced after them.
func (t *Task) matchShift() {
	r := t.request()
	if t.version, _ = t.s.programs.at(r.Caller.Merchant, t.came); t.otherMoney() {
		t.refuseMoney("50")
		return
	}
	key := t.s.ledger.ShiftKey(r.Caller.Merchant, r.Store, r.Terminal, r.Receipt.Shift)
	t.partition = key.Partition(t.s.partitions)
	var entries []ledger.ShiftEntry
	err := t.s.ledger.Shift(key, func(e *ledger.ShiftEntry) bool {
		one := *e
		one.Flags = slices.Clone(e.Flags)
		entries = append(entries, one)
		return len(entries) <= maxShiftEntries
	})
	if err != nil {
		t.internal("a shift can't be read", err)
		return
	}
	if len(entries) > maxShiftEntries {
		t.refuse(protocol.LimitExceededCount, "shift", fmt.Sprintf("the shift has more than %d operations: begin a new one every day", maxShiftEntries))
		return
	}
	result := protocol.ShiftResult{Till: r.Totals, Host: shiftTotals(entries)}
	result.Matched = result.Till == result.Host
	if !result.Matched {
		result.Differences, result.More = shiftDifferences(entries, &result.Till, &result.Host, t.waits, t.becameOf)
	}
	if t.op.Data, err = protocol.AppendShiftResult(nil, &result); err != nil {
		t.internal("a shift's result can't be written", err)
	}
	t.op.Code = uint8(protocol.Approved) // the task may have recorded a decline before
	if !result.Matched {
		t.op.Code = uint8(protocol.TotalsDiffer)
	}
}

// waits reports whether a parked message still waits for the office.
func (t *Task) waits(id ledger.OpID) bool {
	p, err := t.s.ledger.Parked(id)
	return err == nil && p != nil
}

// becameOf is the state of a held sale.
func (t *Task) becameOf(id ledger.OpID) ledger.SaleStatus {
	s, err := t.s.ledger.Sale(id)
	if err != nil || s == nil {
		return ledger.SalePending
	}
	return s.Status
}

// closeShift records the outcome.
func (t *Task) closeShift(tx *ledger.Tx) error {
	code, data := t.op.Code, t.op.Data
	t.when = t.moment(tx.Now())
	t.stamp(&t.op, ledger.KindShift)
	t.op.Account = 0
	t.op.Code, t.op.Data = code, data
	t.op.Status = "closed"
	if code != 0 {
		t.op.Status = "open"
	}
	return t.record(tx)
}

// renderShift makes the answer to a shift's close from its record.
func renderShift(op *ledger.Operation, r *protocol.Response) {
	var result protocol.ShiftResult
	if err := protocol.DecodeShiftResult(op.Data, &result); err != nil {
		r.Code, r.Detail = protocol.Internal, "the shift's record can't be read"
		return
	}
	identify(op, r)
	r.Call, r.Status, r.Time = protocol.CallCloseShift, op.Status, op.Time
	r.Matched = result.Matched
	r.Totals = result.Host
	r.Differences = result.Differences
	if result.More > 0 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("%d more receipts differ", result.More))
	}
}
