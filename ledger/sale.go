package ledger

import "slices"

// codePartial is the highest code that approves: 0 is approved and 1 approved
// in part, in the numbers of the protocol's decline table.
const codePartial = 1

// Declined reports whether the operation was answered with a decline: it is
// remembered and has no effects.
func (op *Operation) Declined() bool { return op.Code > codePartial }

// saleOf names the sale whose state the operation changes; 0 for none.
func saleOf(op *Operation) OpID {
	if op.Declined() {
		return 0
	}
	switch op.Kind {
	case KindAccrue, KindRedeem:
		return op.ID
	case KindConfirm, KindVoid, KindExpire, KindReturn:
		return op.Parent
	case KindReverse:
		switch op.Undoes {
		case KindAuthorize, KindAmend, KindConfirm, KindAccrue, KindRedeem, KindReturn:
			return op.Parent
		}
	case KindPark, KindResolve:
		if op.Parent.Partition() == op.ID.Partition() {
			return op.Parent
		}
	}
	return 0
}

// applySale makes the sale what it is after op; s.ID is 0 if there was none,
// and stays 0 if there is none after it. It is pure. Returns above the sale,
// a second confirm and the like get a [RefusedError]; the sale is spoiled
// then. Its strings are those of op.
func applySale(s *Sale, op *Operation) error {
	switch op.Kind {
	case KindAccrue, KindRedeem, KindConfirm:
		return bookSale(s, op)
	case KindVoid, KindExpire:
		if s.ID != 0 {
			return refuse(op, "the hold has ended: it is %s", s.Status)
		}
		endHold(s, op)
	case KindReturn:
		if s.Status != SaleConfirmed {
			return refuse(op, "only a booked sale can be returned")
		}
		return takeFromSale(s, op, 1)
	case KindReverse:
		return reverseSale(s, op)
	case KindPark:
		if s.Status == SaleExpired {
			s.Status = SaleParked
		}
	case KindResolve:
		if s.Status == SaleParked {
			s.Status = SaleExpired
		}
	}
	return nil
}

func bookSale(s *Sale, op *Operation) error {
	switch {
	case s.ID == 0:
	case s.Status == SaleExpired, s.Status == SaleParked:
	case s.Status == SaleVoided && op.Target != 0: // the office has decided so
	default:
		return refuse(op, "the sale is %s", s.Status)
	}
	id := op.ID
	if op.Kind == KindConfirm {
		id = op.Parent
	}
	*s = Sale{
		ID: id, Account: op.Account, Status: SaleConfirmed, Record: op.ID,
		Booked: op.Time, At: op.At, Program: op.Program,
		Terminal: op.Terminal, Store: op.Store, Receipt: op.Receipt, Shift: op.Shift,
		Total: op.Total, Discount: op.Discount, Redeemed: op.Redeemed, Payable: op.Payable,
		Points: op.Points, Earned: op.Earned,
		Lines: s.Lines[:0], Pins: append(s.Pins[:0], op.Pins...), Restored: s.Restored[:0],
		EarnedLot: op.EarnedLot, Day: op.Spent.Day,
		Counts: append(s.Counts[:0], op.Counts...), Gifts: append(s.Gifts[:0], op.Gifts...), Rewards: append(s.Rewards[:0], op.Rewards...),
	}
	for _, l := range op.Lines {
		s.Lines = append(s.Lines, SaleLine{Line: l})
	}
	return nil
}

// endHold makes the sale of an authorization that ended without being booked.
func endHold(s *Sale, op *Operation) {
	if s.ID == 0 {
		*s = Sale{ID: op.Parent, Account: op.Account, Record: op.Figures, At: op.At, Program: op.Program}
	}
	s.Booked = op.Time
	s.Status = SaleVoided
	if op.Kind == KindExpire {
		s.Status = SaleExpired
	}
}

func reverseSale(s *Sale, op *Operation) error {
	switch op.Undoes {
	case KindAuthorize, KindAmend:
		if s.ID != 0 && s.Status != SaleExpired && s.Status != SaleParked {
			return refuse(op, "the authorization is %s", s.Status)
		}
		endHold(s, op)
		return nil
	case KindReturn:
		if s.Status != SaleConfirmed {
			return refuse(op, "only a booked sale has returns")
		}
		s.keep(op)
		return takeFromSale(s, op, -1)
	default:
		if s.Status != SaleConfirmed {
			return refuse(op, "only a booked sale can be reversed")
		}
		s.Status = SaleReversed
		return takeFromSale(s, op, 1)
	}
}

// keep makes what a sale has done beside its figures what it has again when a
// return is undone: of what there is only once another sale may have had it
// since, or have given it back.
func (s *Sale) keep(op *Operation) {
	for i := range op.Counts {
		ch := op.Counts[i]
		at := slices.IndexFunc(s.Counts, func(c CountChange) bool { return c.Key == ch.Key && c.Bucket == ch.Bucket })
		switch {
		case ch.Gone:
			s.Counts = slices.DeleteFunc(s.Counts, func(c CountChange) bool { return c.Key == ch.Key && c.Bucket == ch.Bucket })
		case at < 0 && op.Purchase && !ch.Set:
			s.Counts = append(s.Counts, ch)
		}
	}
	if !op.Purchase {
		return
	}
	s.Gifts = slices.DeleteFunc(s.Gifts, func(g Gift) bool { return g.Line == 0 })
	for _, g := range op.Gifts {
		if g.Line == 0 {
			s.Gifts = append(s.Gifts, g) // those of lines the sale has for good
		}
	}
	s.Rewards = slices.DeleteFunc(s.Rewards, func(r Reward) bool { return r.Fixed })
	for _, r := range op.Rewards {
		if r.Fixed {
			s.Rewards = append(s.Rewards, r)
		}
	}
}

// takeFromSale adds what op takes back to the sale's sums, or with sign -1
// gives it again. No sum may leave the range from nothing to the sale's own.
func takeFromSale(s *Sale, op *Operation, sign int64) error {
	whole := LineBack{
		Payable: s.Payable, Redeemed: s.Redeemed, Points: s.Points,
		Earned: s.Earned, Discount: s.Discount, Amount: s.Total,
	}
	if !s.Back.add(LineBack{
		Payable: op.Payable, Redeemed: op.Redeemed, Points: op.Points,
		Earned: op.Earned, Discount: op.Discount, Amount: op.Total,
	}, sign, whole) {
		return refuse(op, "more would be returned than was sold")
	}
	for i := range op.Lines {
		if !takeFromLine(s, &op.Lines[i], sign) {
			return refuse(op, "more of line %q would be returned than was sold", op.Lines[i].ID)
		}
	}
	for _, p := range op.Pins {
		if !restorePin(s, p, sign) {
			return refuse(op, "more points would go back to a lot than came from it")
		}
	}
	return nil
}

func takeFromLine(s *Sale, l *Line, sign int64) bool {
	for i := range s.Lines {
		if own := &s.Lines[i]; own.ID == l.ID {
			return own.Back.add(back(l), sign, back(&own.Line))
		}
	}
	return false
}

func back(l *Line) LineBack {
	return LineBack{
		Quantity: l.Quantity, Payable: l.Amount - l.Discount - l.Redeemed, Redeemed: l.Redeemed,
		Points: l.Points, Earned: l.Earned, Discount: l.Discount, Amount: l.Amount,
	}
}

// add adds or takes away each sum and reports whether all stay within whole.
func (b *LineBack) add(d LineBack, sign int64, whole LineBack) bool {
	ok := true
	one := func(sum *int64, part, limit int64) {
		*sum += sign * part
		ok = ok && part >= 0 && *sum >= 0 && *sum <= limit
	}
	one(&b.Quantity, d.Quantity, whole.Quantity)
	one(&b.Payable, d.Payable, whole.Payable)
	one(&b.Redeemed, d.Redeemed, whole.Redeemed)
	one(&b.Points, d.Points, whole.Points)
	one(&b.Earned, d.Earned, whole.Earned)
	one(&b.Discount, d.Discount, whole.Discount)
	one(&b.Amount, d.Amount, whole.Amount)
	return ok
}

func restorePin(s *Sale, p LotPart, sign int64) bool {
	if p.Points < 0 {
		return false
	}
	p.Points *= sign
	if !addPart(&s.Restored, p) {
		return false
	}
	var had, restored int64
	for _, q := range s.Pins {
		if q.SameLot(p) {
			had += q.Points
		}
	}
	for _, q := range s.Restored {
		if q.SameLot(p) {
			restored = q.Points
		}
	}
	return restored <= had
}
