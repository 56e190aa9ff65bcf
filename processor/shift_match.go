package processor

import (
	"slices"
	"strings"

	"tillgate/ledger"
	"tillgate/protocol"
)

// Matching a till's shift, as a pure function of what the ledger has collected
// under the shift and what the till says.

// shiftTotals adds up the host's totals of a shift.
//
// Sales are receipts booked, after discounts (money + points); returns are
// what was returned of them or undone by a reversal; redeemed and given back
// are their points in money. A reversal of a return takes the return back. What
// was only held, voided or parked is in none of them.
func shiftTotals(entries []ledger.ShiftEntry) protocol.ShiftTotals {
	var s protocol.ShiftTotals
	for i := range entries {
		e := &entries[i]
		switch kind, sign := booking(e); kind {
		case bookedSale:
			s.SalesCount++
			s.Sales += e.Payable + e.Redeemed
			if e.Redeemed != 0 {
				s.RedeemedCount++
				s.Redeemed += e.Redeemed
			}
		case bookedReturn:
			s.ReturnsCount += sign
			s.Returns += sign * (e.Payable + e.Redeemed)
			if e.Redeemed != 0 {
				s.GivenBackCount += sign
				s.GivenBack += sign * e.Redeemed
			}
		}
	}
	s.Net = s.Sales - s.Returns - s.Redeemed + s.GivenBack
	return s
}

type bookedAs uint8

const (
	bookedNothing bookedAs = iota
	bookedSale
	bookedReturn
)

// booking says how an operation counts; sign is -1 where it takes a return
// back. A reversal of what was returned whole before moves nothing.
func booking(e *ledger.ShiftEntry) (as bookedAs, sign int64) {
	switch e.Kind {
	case ledger.KindConfirm, ledger.KindAccrue, ledger.KindRedeem:
		return bookedSale, 1
	case ledger.KindReturn:
		return bookedReturn, 1
	case ledger.KindReverse:
		switch e.Undoes {
		case ledger.KindConfirm, ledger.KindAccrue, ledger.KindRedeem:
			if e.Total != 0 {
				return bookedReturn, 1
			}
		case ledger.KindReturn:
			return bookedReturn, -1
		}
	}
	return bookedNothing, 0
}

// shiftReceipt is what became of one receipt of the shift.
type shiftReceipt struct {
	diff   protocol.Difference
	weight int // how likely it explains a difference, 0 most
	order  int
	booked bool
}

// Reasons why a receipt may differ, the likeliest first.
const (
	differsByAmount = iota
	differsParked
	differsPrinted
	differsPending
	differsExpired
	differsReversed
	differsVoided
	differsNot
)

var differsBecause = [...]string{
	differsByAmount: "its total is just the difference",
	differsParked:   "its message could not be booked and waits for the office",
	differsPrinted:  "the figures as printed differ from those that were agreed",
	differsPending:  "it is held, but was neither confirmed nor voided",
	differsExpired:  "its hold ended before a confirm came",
	differsReversed: "it was reversed",
	differsVoided:   "it was voided",
}

// shiftDifferences lists the receipts that may explain why the totals differ,
// the likeliest first, and how many more there are. open tells whether a parked
// message still waits, and status what has become of a held sale.
func shiftDifferences(entries []ledger.ShiftEntry, till, host *protocol.ShiftTotals,
	open func(ledger.OpID) bool, status func(ledger.OpID) ledger.SaleStatus) (list []protocol.Difference, more int) {
	receipts := shiftReceipts(entries, open, status)
	gap := till.Sales - host.Sales
	for _, r := range receipts {
		if r.booked && gap < 0 && r.diff.Total == -gap || !r.booked && gap > 0 && r.diff.Total == gap {
			r.weight = differsByAmount
		}
	}
	receipts = slices.DeleteFunc(receipts, func(r *shiftReceipt) bool { return r.weight == differsNot })
	slices.SortStableFunc(receipts, func(a, b *shiftReceipt) int {
		if a.weight != b.weight {
			return a.weight - b.weight
		}
		return a.order - b.order
	})
	for _, r := range receipts {
		if len(list) == protocol.MaxDifferences {
			return list, len(receipts) - len(list)
		}
		if r.diff.Because == "" || r.weight == differsByAmount {
			r.diff.Because = differsBecause[r.weight]
		}
		list = append(list, r.diff)
	}
	return list, 0
}

// shiftReceipts follows each sale of the shift through its operations.
func shiftReceipts(entries []ledger.ShiftEntry, open func(ledger.OpID) bool, status func(ledger.OpID) ledger.SaleStatus) []*shiftReceipt {
	var all []*shiftReceipt
	of := map[ledger.OpID]*shiftReceipt{}
	for i := range entries {
		e := &entries[i]
		id := e.Sale
		if id == 0 {
			id = e.Op
		}
		r := of[id]
		if r == nil {
			r = &shiftReceipt{weight: differsNot, order: len(all)}
			r.diff.Operation = id.String()
			of[id], all = r, append(all, r)
		}
		r.take(e, open, status)
	}
	return all
}

// take makes the receipt what it is after the operation.
func (r *shiftReceipt) take(e *ledger.ShiftEntry, open func(ledger.OpID) bool, status func(ledger.OpID) ledger.SaleStatus) {
	if e.Receipt != "" {
		r.diff.Receipt = strings.Clone(e.Receipt)
	}
	figures := func() { r.diff.Total, r.diff.Redeemed = e.Payable+e.Redeemed, e.Redeemed }
	switch e.Kind {
	case ledger.KindAuthorize, ledger.KindAmend:
		figures()
		state := status(e.Sale)
		r.diff.Status = state.String()
		switch state {
		case ledger.SalePending:
			r.weight = differsPending
		case ledger.SaleExpired:
			r.weight = differsExpired
		case ledger.SaleVoided:
			r.weight = differsVoided
		}
	case ledger.KindConfirm, ledger.KindAccrue, ledger.KindRedeem:
		figures()
		r.booked, r.weight, r.diff.Status = true, differsNot, ledger.SaleConfirmed.String()
		if len(e.Flags) > 0 {
			r.weight, r.diff.Because = differsPrinted, strings.Join(e.Flags, ", ")
		}
	case ledger.KindVoid:
		r.weight, r.diff.Status = differsVoided, ledger.SaleVoided.String()
	case ledger.KindReverse:
		r.weight, r.diff.Status = differsReversed, ledger.SaleReversed.String()
		if e.Undoes == ledger.KindReturn {
			r.diff.Status = ledger.SaleConfirmed.String()
		}
	case ledger.KindPark:
		if open(e.Op) {
			figures()
			r.weight, r.diff.Status = differsParked, ledger.SaleParked.String()
		}
	}
}
