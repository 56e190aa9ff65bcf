package processor

import (
	"errors"

	"tillgate/ledger"
	"tillgate/processor/program"
	"tillgate/protocol"
)

var (
	_ = serve(protocol.CallAccrue, plan{
		kind: ledger.KindAccrue, keyed: true,
		claim: (*Task).claimSale, route: (*Task).identify, decide: (*Task).accrue, complete: (*Task).tellSale,
	})
	_ = serve(protocol.CallRedeem, plan{
		kind: ledger.KindRedeem, keyed: true,
		claim: (*Task).claimSale, route: (*Task).identify, decide: (*Task).redeem, complete: (*Task).tellSale,
	})
)

var errNoProgram = errors.New("the programme of a booked sale is gone")

// accrue books a purchase that only earns, or a receipt of a till that was cut
// off, which may also have taken points.
func (t *Task) accrue(tx *ledger.Tx) error {
	return t.sellNow(tx, ledger.KindAccrue, func(f *program.Facts) { f.NoRedeem = !t.tookOffline() })
}

// tookOffline reports whether an offline receipt says that points were taken.
func (t *Task) tookOffline() bool {
	r := t.request()
	return r.Offline && r.Redeem.Mode != protocol.RedeemNone
}

// redeem books a purchase that is paid with points, in one step. It earns what
// the programme gives on the part paid in money.
func (t *Task) redeem(tx *ledger.Tx) error {
	return t.sellNow(tx, ledger.KindRedeem, nil)
}

// sellNow judges a purchase and books it at once.
func (t *Task) sellNow(tx *ledger.Tx, kind ledger.Kind, narrow func(*program.Facts)) error {
	ok, err := t.judge(tx, narrow)
	if !ok {
		return err
	}
	if err := t.enrol(tx); err != nil {
		return err
	}
	var a *ledger.Account
	if !t.who.fresh {
		if a, err = tx.Account(t.who.account); err != nil {
			return err
		}
	}
	op := &t.op
	t.stamp(op, kind)
	op.Target = t.parked
	t.figures(op)
	if r := t.request(); r.Offline && r.Printed.HasPayable && r.Printed.Payable != op.Total-op.Redeemed {
		op.Flags = append(op.Flags, flagPayableDiffers)
	}
	op.Registered = t.facts.Registered
	op.Status = ledger.SaleConfirmed.String()
	op.Extend = t.decision.ExtendTo
	t.purse.load(a, tx.Now())
	var missing int64
	if op.Pins, missing = t.purse.spend(t.decision.Redeemed, op.Pins); missing > 0 {
		// The goods are gone: only an offline receipt takes what isn't there.
		t.purse.owe(missing)
		op.Flags = append(op.Flags, flagDeficit)
	}
	t.purse.extend(op.Extend, op.Pins)
	t.sell(op, a)
	if err := t.watch(tx, op, nil); err != nil {
		return err
	}
	return t.record(tx)
}
