package processor

import (
	"strconv"

	"tillgate/ledger"
	"tillgate/protocol"
)

// maxSlip is the most lines that a slip has.
const maxSlip = 7

// slip collects the lines of a slip in one piece of memory.
type slip struct {
	text [320]byte
	n    int
	ends [maxSlip]int
	list int
}

func (s *slip) line(what string, points int64) {
	b := append(s.text[:s.n], what...)
	b = appendDecimal(b, points)
	s.end(len(b))
}

// some adds a line if there is something to tell.
func (s *slip) some(what string, points int64) {
	if points != 0 {
		s.line(what, points)
	}
}

func (s *slip) end(n int) {
	s.n = n
	s.ends[s.list] = n
	s.list++
}

// renderSlip makes the lines for the buyer's slip: short, and only what
// concerns points.
func renderSlip(op *ledger.Operation, r *protocol.Response) {
	if op.Account == 0 {
		return
	}
	var s slip
	switch op.Kind {
	case ledger.KindReturn, ledger.KindReverse:
		s.back(op)
	case ledger.KindVoid, ledger.KindExpire:
		s.some("Points released: ", op.Points)
	case ledger.KindPark:
		r.Slip = append(r.Slip, "Points will be booked later")
		return
	default:
		s.some("Points spent: ", op.Points)
		s.some("Points earned: ", op.Earned)
		s.some("Gifts: ", gifts(op))
	}
	after := balanceAfter(op)
	s.line("Points available: ", after.Available)
	s.some("Points pending: ", after.Pending)
	s.some("Points owed: ", -after.Deficit)
	text, from := string(s.text[:s.n]), 0
	for _, to := range s.ends[:s.list] {
		r.Slip = append(r.Slip, text[from:to])
		from = to
	}
}

// back tells what a return or reversal moves. What a return's reversal books
// again, and that points had expired, is told since version 2.
func (s *slip) back(op *ledger.Operation) {
	lapsed := op.Legs[ledger.LegExpired]
	if op.Render < 2 {
		lapsed = 0
	} else if op.Undoes == ledger.KindReturn {
		s.some("Points spent again: ", op.Points+min(lapsed, 0))
		s.some("Points earned again: ", op.Earned)
		s.some("Gifts given again: ", gifts(op))
		return
	}
	lapsed = max(lapsed, 0)
	s.some("Points given back: ", op.Points-lapsed)
	s.some("Points that had expired: ", lapsed)
	s.some("Points taken back: ", op.Earned)
	s.some("Gifts taken back: ", gifts(op))
}

// gifts are the points that events and promo codes give beside the purchase's.
func gifts(op *ledger.Operation) (points int64) {
	for i := range op.Gifts {
		points += op.Gifts[i].Part.Points
	}
	return points
}

// decimal writes minor units with two places.
func decimal(n int64) string { return string(appendDecimal(nil, n)) }

func appendDecimal(b []byte, n int64) []byte {
	u := uint64(n)
	if n < 0 {
		b = append(b, '-')
		u = -u
	}
	b = strconv.AppendUint(b, u/100, 10)
	return append(b, '.', byte('0'+u/10%10), byte('0'+u%10))
}
