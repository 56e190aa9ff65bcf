package ledger

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// The steps of a trace: each does to an account what the processor would.

func accrue(s *shop, tx *Tx, a *Account, x *action) error {
	op := x.op(KindAccrue, tx)
	x.basket(op, 0)
	op.earn(a, tx, x.lot(tx, 1+x.r.Int64N(5000)))
	op.Lines[0].Earned = op.Earned
	x.beside(op, tx, 0)
	op.give(a, tx)
	if x.r.IntN(4) == 0 {
		op.Extend = tx.Now() + int64(96*time.Hour)
	}
	spent(op, tx, 1)
	id, err := tx.Append(op)
	s.sales[x.id] = append(s.sales[x.id], id)
	return err
}

func authorize(s *shop, tx *Tx, a *Account, x *action) error {
	op := x.op(KindAuthorize, tx)
	op.Hold, op.HoldUntil, op.Status = HoldSelf, tx.Now()+int64(1+x.r.IntN(30))*minute, "pending"
	op.Pins = take(a, tx, x.r.Int64N(3000))
	op.Lots = negative(op.Pins)
	x.basket(op, sum(op.Pins))
	x.beside(op, tx, 0)
	_, err := tx.Append(op)
	return err
}

func amend(s *shop, tx *Tx, a *Account, x *action) error {
	if len(a.Holds) == 0 {
		return decline(s, tx, a, x)
	}
	h := a.Holds[x.r.IntN(len(a.Holds))]
	op := x.op(KindAmend, tx)
	op.Parent, op.Drop, op.Hold, op.HoldUntil = h.ID, h.ID, h.ID, h.Until
	op.Pins = append(op.Pins, h.Pins[:len(h.Pins)/2]...)
	op.Lots = append(slices.Clone(h.Pins), negative(op.Pins)...)
	x.basket(op, sum(op.Pins))
	op.Counts = slices.Clone(h.Counts[:min(1, len(h.Counts))])
	_, err := tx.Append(op)
	return err
}

func confirm(s *shop, tx *Tx, a *Account, x *action) error {
	if len(a.Holds) == 0 {
		return decline(s, tx, a, x)
	}
	h := a.Holds[x.r.IntN(len(a.Holds))]
	op := x.op(KindConfirm, tx)
	op.Parent, op.Drop = h.ID, h.ID
	left := h.Held()
	if x.r.IntN(2) == 0 {
		left /= 2
	}
	for _, p := range h.Pins {
		use := min(left, p.Points)
		left -= use
		released := p
		released.Points -= use
		op.Lots = append(op.Lots, released)
		if p.Points = use; use > 0 {
			op.Pins = append(op.Pins, p)
		}
	}
	op.earn(a, tx, x.lot(tx, 1+x.r.Int64N(500)))
	x.basket(op, sum(op.Pins))
	op.Lines[0].Earned = op.Earned
	op.Legs[LegRedeemed] = op.Points
	x.beside(op, tx, 1)
	op.Counts = append(op.Counts, h.Counts...)
	op.give(a, tx)
	spent(op, tx, 1)
	_, err := tx.Append(op)
	s.sales[x.id] = append(s.sales[x.id], h.ID)
	return err
}

func void(s *shop, tx *Tx, a *Account, x *action) error {
	if len(a.Holds) == 0 {
		return decline(s, tx, a, x)
	}
	h := a.Holds[0]
	op := x.op(KindVoid, tx)
	if x.r.IntN(2) == 0 {
		op.Kind, op.Undoes, op.Target = KindReverse, KindAuthorize, h.Op
	}
	op.Parent, op.Drop, op.Lots = h.ID, h.ID, slices.Clone(h.Pins)
	_, err := tx.Append(op)
	return err
}

// bookedSale is one of the account's sales that can be returned.
func (s *shop) bookedSale(tx *Tx, x *action) (*Sale, error) {
	ids := s.sales[x.id]
	if len(ids) == 0 {
		return nil, nil
	}
	sale, err := tx.Sale(ids[x.r.IntN(len(ids))])
	if err != nil || sale == nil || sale.Status != SaleConfirmed {
		return nil, err
	}
	if s.keep > 0 && sale.Booked < tx.Now()-s.keep {
		return nil, nil // nobody asks for it any more
	}
	return sale, nil
}

// takeEarned takes earned points back: from the lots, and the rest is owed.
func (op *Operation) takeEarned(a *Account, points int64) {
	op.Earned = points
	op.Legs[LegIssued] += points
	left := points
	for _, l := range a.Lots {
		if l.Points = min(left, l.Points); l.Points > 0 {
			left -= l.Points
			l.Points = -l.Points
			op.Lots = append(op.Lots, l)
		}
	}
	op.Owed = -left
}

// restore gives redeemed points back to the lots they came from.
func (op *Operation) restore(sale *Sale, points int64) {
	op.Points, op.Redeemed = points, points
	op.Legs[LegRedeemed] -= points
	for _, p := range sale.Pins {
		p.Points -= partOf(sale.Restored, p, 0)
		if p.Points = min(p.Points, points); p.Points > 0 {
			points -= p.Points
			op.Pins = append(op.Pins, p)
			op.Lots = append(op.Lots, p)
		}
	}
}

func giveBack(s *shop, tx *Tx, a *Account, x *action) error {
	sale, err := s.bookedSale(tx, x)
	if sale == nil || err != nil {
		return errors.Join(err, decline(s, tx, a, x))
	}
	i := x.r.IntN(len(sale.Lines))
	l := sale.Lines[i].Line
	if sale.Lines[i].Back != (LineBack{}) {
		return decline(s, tx, a, x)
	}
	op := x.op(KindReturn, tx)
	op.Parent, op.Receipt = sale.ID, fmt.Sprint("V", x.n)
	op.takeEarned(a, l.Earned)
	op.restore(sale, l.Points)
	op.Lines = []Line{l}
	op.Total, op.Discount = l.Amount, l.Discount
	op.Payable = l.Amount - l.Discount - l.Redeemed
	op.Spent = DaySum{Day: sale.Day, Spent: -op.Payable}
	op.takeCounts(sale, i+1)
	_, err = tx.Append(op)
	return err
}

func reverse(s *shop, tx *Tx, a *Account, x *action) error {
	sale, err := s.bookedSale(tx, x)
	if sale == nil || err != nil {
		return errors.Join(err, decline(s, tx, a, x))
	}
	op := x.op(KindReverse, tx)
	op.Parent, op.Undoes, op.Target = sale.ID, KindConfirm, sale.Record
	op.takeEarned(a, sale.Earned-sale.Back.Earned)
	op.restore(sale, sale.Points-sale.Back.Points)
	for _, l := range sale.Lines {
		if l.Back == (LineBack{}) {
			op.Lines = append(op.Lines, l.Line)
		}
	}
	op.Total, op.Discount, op.Payable = sale.Total-sale.Back.Amount, sale.Discount-sale.Back.Discount, sale.Payable-sale.Back.Payable
	op.Spent = DaySum{Day: sale.Day, Spent: -op.Payable}
	op.Purchase = true
	op.takeCounts(sale, 0)
	_, err = tx.Append(op)
	return err
}

func adjust(s *shop, tx *Tx, a *Account, x *action) error {
	op := x.op(KindAdjust, tx)
	op.Points, op.Detail = 1+x.r.Int64N(10000), "goodwill"
	op.Lots = []LotPart{x.lot(tx, op.Points)}
	op.Legs[LegAdjusted] = -op.Points
	_, err := tx.Append(op)
	return err
}

func decline(s *shop, tx *Tx, a *Account, x *action) error {
	op := x.op(KindAuthorize, tx)
	op.Code, op.Detail, op.Asked, op.MaxRedeem, op.Status = 12, "not enough points", 5000, 100, "declined"
	_, err := tx.Append(op)
	return err
}

// send posts points to another account, or takes back what it does not have.
func send(s *shop, tx *Tx, a *Account, x *action) error {
	op := x.op(KindPostOut, tx)
	to := s.ids[x.r.IntN(len(s.ids))]
	parts := take(a, tx, 1+x.r.Int64N(2000))
	if x.r.IntN(3) == 0 {
		back := x.lot(tx, 1+x.r.Int64N(300)) // a reward that is taken back
		op.Legs[LegReferral] += back.Points
		back.Points = -back.Points
		tr := Transfer{To: to, Parts: []LotPart{back}, Forgive: back.Points%2 == 0, Sale: NewOpID(tx.Partition(), 1), Rule: "referral"}
		if x.r.IntN(2) == 0 {
			tr.Standing = Standing{Back: true, Whole: true, Offset: 18000, Tier: "VIP", Until: tx.Now() + int64(time.Hour)}
		}
		op.Transfers = append(op.Transfers, tr)
		op.Legs[LegTransit] += back.Points
	}
	if len(parts) > 0 {
		op.Transfers = append(op.Transfers, Transfer{To: to, Parts: parts})
		op.Lots = negative(parts)
		op.Legs[LegTransit] += sum(parts)
	}
	_, err := tx.Append(op)
	return err
}

// merge moves everything of the account to one before it.
func merge(s *shop, tx *Tx, a *Account, x *action) error {
	at := slices.Index(s.ids, x.id)
	if at == 0 || len(a.Holds) > 0 || a.Deficit != 0 || x.r.IntN(3) > 0 {
		return decline(s, tx, a, x)
	}
	op := x.op(KindMerge, tx)
	op.Into = s.ids[x.r.IntN(at)]
	op.Lots = negative(a.Lots)
	op.Transfers = []Transfer{{To: op.Into, Parts: slices.Clone(a.Lots), Spent: slices.Clone(a.Days), Bought: Bought{a.Purchases, a.FirstPurchase, a.LastPurchase}, Standing: Standing{Tier: a.Tier, Until: a.TierUntil}}}
	for _, c := range a.Counts {
		op.Transfers[0].Counts = append(op.Transfers[0].Counts, CountChange{Count: c})
	}
	op.Legs[LegTransit] = sum(a.Lots)
	_, err := tx.Append(op)
	return err
}

func park(s *shop, tx *Tx, a *Account, x *action) error {
	op := x.op(KindPark, tx)
	op.Detail, op.Status, op.Data = "the hold is unknown", "parked", []byte("what it said")
	id, err := tx.Append(op)
	s.park[tx.Partition()] = append(s.park[tx.Partition()], id)
	return err
}

func resolve(s *shop, tx *Tx, a *Account, x *action) error {
	waiting := s.park[tx.Partition()]
	if len(waiting) == 0 {
		return decline(s, tx, a, x)
	}
	op := x.op(KindResolve, tx)
	op.Target = waiting[0]
	s.park[tx.Partition()] = waiting[1:]
	_, err := tx.Append(op)
	return err
}

func reversedFirst(s *shop, tx *Tx, a *Account, x *action) error {
	op := x.op(KindMark, tx)
	op.Account, op.Receipt = 0, fmt.Sprint("R9-", x.id)
	op.Dups[0].Entry = DupEntry{Mark: true, Class: "010", Sent: []string{"1120090000"}}
	_, err := tx.Append(op)
	return err
}

func plain(kind Kind) func(*shop, *Tx, *Account, *action) error {
	return func(s *shop, tx *Tx, a *Account, x *action) error {
		op := x.op(kind, tx)
		op.Registered = kind == KindRegister
		_, err := tx.Append(op)
		return err
	}
}

func tier(s *shop, tx *Tx, a *Account, x *action) error {
	op := x.op(KindTier, tx)
	op.Tier, op.TierUntil = "VIP", tx.Now()+int64(time.Hour)
	_, err := tx.Append(op)
	return err
}

func closeShift(s *shop, tx *Tx, a *Account, x *action) error {
	op := x.op(KindShift, tx)
	op.Account, op.Status, op.Code, op.Data = 0, "differs", 24, []byte{1}
	_, err := tx.Append(op)
	return err
}

func profile(s *shop, tx *Tx, a *Account, x *action) error {
	if err := tx.PutProfile(x.id, []byte(fmt.Sprintf(`{"n":%d}`, x.n))); err != nil {
		return err
	}
	return plain(KindProfile)(s, tx, a, x)
}

func issueCode(s *shop, tx *Tx, a *Account, x *action) error {
	if err := tx.PutCode(Key{3, byte(x.n)}, x.id, tx.Now()+5*minute); err != nil {
		return err
	}
	return plain(KindCode)(s, tx, a, x)
}

// repeat has seen a known request under another DE7.
func repeat(s *shop, tx *Tx, a *Account, x *action) error {
	key := Key{1, 1, 0, byte(x.id)}
	entries, err := tx.Dups(key)
	if err != nil || len(entries) == 0 {
		return errors.Join(err, decline(s, tx, a, x))
	}
	entries[0].Sent = append(entries[0].Sent, "1120090100")
	if err := tx.PutDups(key, entries); err != nil {
		return err
	}
	return plain(KindEvent)(s, tx, a, x)
}
