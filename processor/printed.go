package processor

import (
	"tillgate/ledger"
	"tillgate/processor/program"
)

// print replaces a hold's figures by those that the receipt shows. What is
// earned stays the hold's. A difference is booked as printed, because that is
// what the buyer has paid and the fiscal receipt says, and flagged for the
// office.
func (t *Task) print(op *ledger.Operation) {
	r := t.request()
	if r.HasBasket && r.Total != 0 && r.Total != op.Total {
		op.Flags = append(op.Flags, flagTotalDiffers)
	}
	if r.Printed.HasRedeemed && r.Printed.Redeemed < op.Points {
		op.Flags = append(op.Flags, flagRedeemedDiffers)
		t.printRedeemed(op, r.Printed.Redeemed)
	}
	if r.Printed.HasPayable && r.Printed.Payable != op.Payable {
		op.Flags = append(op.Flags, flagPayableDiffers)
		printPayable(op, r.Printed.Payable)
	}
}

// aboveHold reports whether the receipt shows more than was held: more points,
// or more money than is left of the held receipt beside the points shown.
func (t *Task) aboveHold() (points, money bool) {
	p := &t.request().Printed
	if p.HasRedeemed && p.Redeemed > t.other.Points {
		return true, false
	}
	most := t.other.Payable
	if p.HasRedeemed {
		most += t.other.Redeemed - min(t.version.Program.Money(p.Redeemed), t.other.Redeemed)
	}
	return false, p.HasPayable && p.Payable > most
}

// printRedeemed books fewer points than were held: each line's share shrinks
// in proportion, and money takes its place.
func (t *Task) printRedeemed(op *ledger.Operation, points int64) {
	money := min(t.version.Program.Money(points), op.Redeemed)
	op.Payable += op.Redeemed - money
	op.Points, op.Redeemed = points, money
	n := len(op.Lines)
	if n == 0 {
		return
	}
	weights, out := make([]int64, n), make([]int64, n)
	for i := range op.Lines {
		weights[i] = op.Lines[i].Redeemed
	}
	program.Spread(money, weights, weights, out)
	for i := range op.Lines {
		op.Lines[i].Redeemed = out[i]
		weights[i] = op.Lines[i].Points
	}
	program.Spread(points, weights, weights, out)
	for i := range op.Lines {
		op.Lines[i].Points = out[i]
	}
}

// printPayable books another sum of money than was fixed: lines and total
// follow in proportion to what they were, so that they still add up.
func printPayable(op *ledger.Operation, payable int64) {
	op.Payable = payable
	op.Total = op.Discount + op.Redeemed + payable
	n := len(op.Lines)
	if n == 0 {
		return
	}
	weights, out := make([]int64, n), make([]int64, n)
	var all int64
	for i := range op.Lines {
		l := &op.Lines[i]
		weights[i] = l.Amount - l.Discount - l.Redeemed
		all += weights[i]
	}
	if all == 0 {
		weights[0] = 1
	}
	program.Spread(payable, weights, nil, out)
	for i := range op.Lines {
		l := &op.Lines[i]
		l.Amount = l.Discount + l.Redeemed + out[i]
	}
}
