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
		claim: (*Task).claimSale, route: (*Task).identify, decide: (*Task).accrue, complete: (*Task).tellPromos,
	})
	_ = serve(protocol.CallRedeem, plan{
		kind: ledger.KindRedeem, keyed: true,
		claim: (*Task).claimSale, route: (*Task).identify, decide: (*Task).redeem, complete: (*Task).tellPromos,
	})
)

var errNoProgram = errors.New("the programme of a booked sale is gone")

// accrue books a purchase that only earns.
func (t *Task) accrue(tx *ledger.Tx) error {
	return t.sellNow(tx, ledger.KindAccrue, func(f *program.Facts) { f.NoRedeem = true })
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
	op.Registered = t.facts.Registered
	op.Status = ledger.SaleConfirmed.String()
	op.Extend = t.decision.ExtendTo
	t.purse.load(a, tx.Now(), op.Extend)
	op.Pins, _ = t.purse.spend(t.decision.Redeemed, op.Pins)
	t.sell(op, a)
	if err := t.watch(tx, op, nil); err != nil {
		return err
	}
	return t.record(tx)
}
