package processor

import (
	"encoding/binary"
	"errors"

	"tillgate/ledger"
	"tillgate/processor/program"
	"tillgate/protocol"
)

// Making of coupons: a batch is a range of numbers of its series. Their codes
// are computed (promo.go), so that the record of the range is all that is kept.

var _ = serve(protocol.CallCoupons, plan{
	kind: ledger.KindCode, keyed: true, decide: (*Task).makeCoupons, complete: (*Task).tellCoupons,
})

var errCoupons = errors.New("a record of coupons has data that can't be read")

// couponRange is which coupons of a series a record has made (Operation.Data;
// the series is Operation.Detail): the first number and how many, uvarints.
func couponRange(data []byte) (first, count int64, err error) {
	a, n := binary.Uvarint(data)
	if n <= 0 {
		return 0, 0, errCoupons
	}
	b, m := binary.Uvarint(data[n:])
	if m <= 0 || n+m != len(data) || a == 0 || a > maxCoupons || b > protocol.MaxCoupons {
		return 0, 0, errCoupons
	}
	return int64(a), int64(b), nil
}

// makeCoupons records that the next numbers of a series are given out. They
// are counted over all partitions, so that two batches never share one.
func (t *Task) makeCoupons(tx *ledger.Tx) error {
	r := t.request()
	t.when = t.moment(tx.Now())
	if !t.hasSeries(r.Series) {
		return t.decline(tx, protocol.NotFound, "serial", "the programme has no such series under promo_codes")
	}
	key := program.CountKey("coupons made", r.Caller.Merchant, r.Series)
	last, ok, err := tx.Take(key, 0, r.Count, maxCoupons)
	if err != nil {
		return err
	}
	if !ok {
		return t.decline(tx, protocol.LimitExceededCount, "count", "the series has no more numbers left; begin another one")
	}
	op := &t.op
	t.stamp(op, ledger.KindCode)
	op.Status, op.Detail = "issued", r.Series
	op.Data = binary.AppendUvarint(binary.AppendUvarint(op.Data, uint64(last-r.Count+1)), uint64(r.Count))
	op.Counts = append(op.Counts, ledger.CountChange{
		Count: ledger.Count{Key: key, Value: r.Count}, Shared: true, Apart: true,
	})
	return t.record(tx)
}

// hasSeries reports whether the newest programme or the one in force has a
// series: coupons are printed before it begins.
func (t *Task) hasSeries(name string) bool {
	versions := t.s.programs.of(t.request().Caller.Merchant)
	if v, ok := versions.At(t.when.now); ok {
		if _, ok := v.Program.PromoNamed(name, true); ok {
			return true
		}
	}
	all := versions.All()
	if len(all) == 0 {
		return false
	}
	_, ok := all[len(all)-1].Program.PromoNamed(name, true)
	return ok
}

// tellCoupons puts the codes into the answer, for a repeat the same again.
func (t *Task) tellCoupons() {
	op, out := &t.op, t.response()
	first, count, err := couponRange(op.Data)
	if err != nil {
		t.s.o.Logger.Error("a record of coupons can't be read", "cause", err)
		return
	}
	out.Call, out.ID, out.Count, out.Series = protocol.CallCoupons, op.ID.String(), count, op.Detail
	out.Numbers = make([]string, 0, count)
	for n := first; n < first+count; n++ {
		out.Numbers = append(out.Numbers, t.s.couponCode(op.Merchant, op.Detail, n))
	}
}
