package processor

import (
	"tillgate/ledger"
	"tillgate/processor/program"
	"tillgate/protocol"
)

// What a return takes of a line follows one curve: the money and points paid
// for it that have come back so far, m of net, fix every other figure as the
// proportion m ÷ net of the line's own, rounded down. A return moves m
// forward and takes the difference. So the figures never run backwards, and
// when m reaches net the parts add up to the line, to the minor unit.

// taking is what a return takes: of a line, or of the sale.
type taking = ledger.LineBack

// net is what was paid for a line, in money and points.
func net(l *ledger.SaleLine) int64 { return l.Amount - l.Discount }

// netBack is what has come back of it.
func netBack(l *ledger.SaleLine) int64 { return l.Back.Payable + l.Back.Redeemed }

// lineWhole are a line's own figures.
func lineWhole(l *ledger.SaleLine) taking {
	return taking{
		Quantity: l.Quantity, Payable: l.Amount - l.Discount - l.Redeemed, Redeemed: l.Redeemed,
		Points: l.Points, Earned: l.Earned, Discount: l.Discount, Amount: l.Amount,
	}
}

// saleWhole are the sale's own figures.
func saleWhole(s *ledger.Sale) taking {
	return taking{
		Payable: s.Payable, Redeemed: s.Redeemed, Points: s.Points,
		Earned: s.Earned, Discount: s.Discount, Amount: s.Total,
	}
}

// along is what moving from what is back to m of whole takes; the quantity
// is the caller's. For what cost nothing the quantity moves instead of m.
//
// When a return in the middle was undone, what is back lies off the curve: the
// figures then move towards it as far as they can without running backwards.
func along(whole, back taking, m, of, quantity int64) taking {
	step := m - back.Payable - back.Redeemed
	if of == 0 {
		m, of, step = back.Quantity+quantity, whole.Quantity, 0
	}
	toward := func(whole, back, least int64) int64 {
		return min(max(program.Proportion(m, of, whole)-back, least, 0), whole-back)
	}
	p := taking{
		Quantity: quantity,
		Redeemed: toward(whole.Redeemed, back.Redeemed, step-(whole.Payable-back.Payable)),
		Earned:   toward(whole.Earned, back.Earned, 0),
		Discount: toward(whole.Discount, back.Discount, 0),
	}
	p.Redeemed = min(p.Redeemed, step)
	p.Payable = step - p.Redeemed
	p.Points = max(program.Proportion(back.Redeemed+p.Redeemed, whole.Redeemed, whole.Points)-back.Points, 0)
	p.Amount = p.Payable + p.Redeemed + p.Discount
	return p
}

// takeLine adds what a return takes of a line to the record.
func takeLine(op *ledger.Operation, l *ledger.SaleLine, p taking) {
	if p == (taking{}) {
		return
	}
	op.Lines = append(op.Lines, ledger.Line{
		ID: l.ID, SKU: l.SKU, Category: l.Category, Price: l.Price, Quantity: p.Quantity,
		Amount: p.Amount, Discount: p.Discount, Redeemed: p.Redeemed, Points: p.Points, Earned: p.Earned,
	})
	op.Payable += p.Payable
	op.Redeemed += p.Redeemed
	op.Points += p.Points
	op.Earned += p.Earned
	op.Discount += p.Discount
	op.Total += p.Amount
}

// shareLines takes lines by quantity.
func shareLines(s *ledger.Sale, r *protocol.Request, op *ledger.Operation) (code protocol.Code, field, detail string) {
	for i := range r.ReturnLines {
		want := &r.ReturnLines[i]
		l := findLine(s, want.ID)
		if l == nil {
			return protocol.NotFound, "lines", "the sale has no such line"
		}
		left := l.Quantity - l.Back.Quantity
		quantity := want.Quantity
		if quantity == 0 {
			quantity = left
		}
		if quantity > left || left == 0 {
			return protocol.ReturnExceedsSale, "lines", "more of a line is returned than is left of it"
		}
		takeLine(op, l, lineShare(l, quantity))
	}
	takeRest(s, op)
	return protocol.Approved, "", ""
}

func findLine(s *ledger.Sale, id string) *ledger.SaleLine {
	for i := range s.Lines {
		if s.Lines[i].ID == id {
			return &s.Lines[i]
		}
	}
	return nil
}

// lineShare is what a quantity of a line brings back. The last units bring
// all that is left.
func lineShare(l *ledger.SaleLine, quantity int64) taking {
	of, done := net(l), netBack(l)
	after := l.Back.Quantity + quantity
	step := program.Proportion(after, l.Quantity, of) - program.Proportion(l.Back.Quantity, l.Quantity, of)
	m := min(done+step, of)
	if after == l.Quantity {
		m = of
	}
	return along(lineWhole(l), l.Back, m, of, quantity)
}

// shareAmount takes a sum of money and points, over all lines in proportion
// to what is left of them.
func shareAmount(s *ledger.Sale, amount int64, op *ledger.Operation) {
	if len(s.Lines) > 0 {
		weights, out := make([]int64, len(s.Lines)), make([]int64, len(s.Lines))
		for i := range s.Lines {
			weights[i] = net(&s.Lines[i]) - netBack(&s.Lines[i])
		}
		program.Spread(amount, weights, weights, out)
		for i := range s.Lines {
			l := &s.Lines[i]
			takeLine(op, l, along(lineWhole(l), l.Back, netBack(l)+out[i], net(l), 0))
		}
		takeRest(s, op)
		return
	}
	p := along(saleWhole(s), s.Back, s.Back.Payable+s.Back.Redeemed+amount, s.Payable+s.Redeemed, 0)
	takeSale(op, p)
}

// shareAll takes everything that is left.
func shareAll(s *ledger.Sale, op *ledger.Operation) {
	for i := range s.Lines {
		l := &s.Lines[i]
		takeLine(op, l, remainder(lineWhole(l), l.Back))
	}
	p := remainder(saleWhole(s), s.Back)
	op.Payable, op.Redeemed, op.Points, op.Earned, op.Discount, op.Total = 0, 0, 0, 0, 0, 0
	takeSale(op, p)
}

func remainder(whole, back taking) taking {
	return taking{
		Quantity: whole.Quantity - back.Quantity, Payable: whole.Payable - back.Payable,
		Redeemed: whole.Redeemed - back.Redeemed, Points: whole.Points - back.Points,
		Earned: whole.Earned - back.Earned, Discount: whole.Discount - back.Discount,
		Amount: whole.Amount - back.Amount,
	}
}

func takeSale(op *ledger.Operation, p taking) {
	op.Payable += p.Payable
	op.Redeemed += p.Redeemed
	op.Points += p.Points
	op.Earned += p.Earned
	op.Discount += p.Discount
	op.Total += p.Amount
}

// takeRest takes the share of what was earned for the receipt and not for a
// line.
func takeRest(s *ledger.Sale, op *ledger.Operation) {
	extra, extraBack := s.Earned, s.Back.Earned
	for i := range s.Lines {
		extra -= s.Lines[i].Earned
		extraBack -= s.Lines[i].Back.Earned
	}
	if extra <= 0 {
		return
	}
	done := s.Back.Payable + s.Back.Redeemed + op.Payable + op.Redeemed
	op.Earned += max(program.Proportion(done, s.Payable+s.Redeemed, extra)-extraBack, 0)
}
