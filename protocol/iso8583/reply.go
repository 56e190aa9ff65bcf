package iso8583

import (
	"bytes"

	"tillgate/protocol"
)

// Reply is an answer as a client reads it. Sums are minor units.
type Reply struct {
	MTI, Code, Terminal, STAN string // what it is matched by, and DE39
	RRN, Approval, Help       string // DE37, DE38, DE44
	Hold                      string // DE48 05: the hold's id
	Results                   Results
	HasResults                bool
	Balance                   protocol.Balance // Available is less the deficit, as DE54 tells it
	HasBalance                bool
	Totals                    protocol.ShiftTotals // of the host, when Code is 95
	Slip                      []string
}

// Results is DE61 as a client reads it.
type Results struct {
	Earned, Redeemed, Payable, Discount, MaxPoints int64
	Tier, Active, Expires                          string
	Lines                                          []protocol.LineResult // of DE61 08 and, going on, DE62
}

// Reply reads an answer that was decoded without a fault. A fault names the
// field whose sub-format is broken.
func (m *Message) Reply() (Reply, Fault) {
	r := Reply{
		MTI: m.MTI(), Code: m.Text(39), Terminal: m.Text(41), STAN: m.Text(11),
		RRN: m.Text(37), Approval: m.Text(38), Help: m.Text(44),
	}
	for data := m.Get(48); len(data) > 0; {
		tag, value, rest, ok := NextTLV(data)
		if !ok {
			return r, Fault{48, BadContent}
		}
		if tag == TagHold {
			r.Hold = string(value)
		}
		data = rest
	}
	if fault := r.results(m); !fault.OK() {
		return r, fault
	}
	if data := m.Get(54); len(data) > 0 {
		if r.Balance, r.HasBalance = parseBalances(data); !r.HasBalance {
			return r, Fault{54, BadContent}
		}
	}
	r.totals(m)
	if slip := m.Get(63); len(slip) > 0 {
		for line := range bytes.SplitSeq(slip, []byte{'\n'}) {
			r.Slip = append(r.Slip, string(line))
		}
	}
	return r, Fault{}
}

// results reads DE61, and the lines that go on in DE62.
func (r *Reply) results(m *Message) Fault {
	for data := m.Get(61); len(data) > 0; {
		tag, value, rest, ok := NextTLV(data)
		if !ok {
			return Fault{61, BadContent}
		}
		r.HasResults = true
		switch tag {
		case TagEarned:
			r.Results.Earned, ok = parseDigits(value, 18)
		case TagRedeemed:
			r.Results.Redeemed, ok = parseDigits(value, 18)
		case TagPayable:
			r.Results.Payable, ok = parseDigits(value, 18)
		case TagDiscount:
			r.Results.Discount, ok = parseDigits(value, 18)
		case TagMaxPoints:
			r.Results.MaxPoints, ok = parseDigits(value, 18)
		case TagTier:
			r.Results.Tier = string(value)
		case TagActive:
			r.Results.Active = string(value)
		case TagExpires:
			r.Results.Expires = string(value)
		case TagLines:
			r.Results.Lines, ok = parseLineResults(r.Results.Lines, value)
		}
		if !ok {
			return Fault{61, BadContent}
		}
		data = rest
	}
	if more := m.Get(62); len(more) > 0 {
		var ok bool
		if r.Results.Lines, ok = parseLineResults(r.Results.Lines, more); !ok {
			return Fault{62, BadContent}
		}
	}
	return Fault{}
}

// parseLineResults reads id:discount:redeemed:earned, separated by semicolons.
func parseLineResults(lines []protocol.LineResult, data []byte) ([]protocol.LineResult, bool) {
	for entry := range bytes.SplitSeq(data, []byte{';'}) {
		parts := bytes.Split(entry, []byte{':'})
		if len(parts) != 4 || len(parts[0]) == 0 || len(lines) == protocol.MaxLines {
			return lines, false
		}
		l := protocol.LineResult{ID: string(parts[0])}
		for i, to := range [...]*int64{&l.Discount, &l.Redeemed, &l.Earned} {
			var ok bool
			if *to, ok = parseDigits(parts[i+1], 18); !ok {
				return lines, false
			}
		}
		lines = append(lines, l)
	}
	return lines, true
}

// balanceLen is one amount of DE54: account type, amount type, currency, sign,
// 12 digits.
const balanceLen = 20

// parseBalances reads the amount types that this package writes; others are
// passed over.
func parseBalances(data []byte) (b protocol.Balance, ok bool) {
	if len(data)%balanceLen != 0 {
		return b, false
	}
	for ; len(data) > 0; data = data[balanceLen:] {
		amount, ok := parseDigits(data[8:balanceLen], 12)
		if !ok || data[7] != 'C' && data[7] != 'D' {
			return b, false
		}
		if data[7] == 'D' {
			amount = -amount
		}
		switch string(data[2:4]) {
		case "02":
			b.Available = amount
		case "91":
			b.Held = amount
		case "92":
			b.Pending = amount
		}
	}
	if b.Available < 0 {
		b.Deficit = -b.Available
	}
	return b, true
}

// totals reads the host's totals; they are fixed fields of digits, which
// decoding has checked.
func (r *Reply) totals(m *Message) {
	t := &r.Totals
	for _, part := range [...]struct {
		field int
		to    *int64
	}{
		{74, &t.SalesCount}, {86, &t.Sales}, {75, &t.ReturnsCount}, {87, &t.Returns},
		{76, &t.RedeemedCount}, {88, &t.Redeemed}, {77, &t.GivenBackCount}, {89, &t.GivenBack},
	} {
		*part.to, _ = parseDigits(m.Get(part.field), 16)
	}
	if net := m.Get(97); len(net) > 0 {
		t.Net, _ = parseDigits(net[1:], 16)
		if net[0] == 'D' {
			t.Net = -t.Net
		}
	}
}
