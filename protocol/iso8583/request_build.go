package iso8583

import "tillgate/protocol"

// TLVs builds a DE48 or DE61. The first error stands and is returned by Into.
type TLVs struct {
	data []byte
	err  error
}

// Add appends a tag; an empty value adds nothing.
func (t *TLVs) Add(tag int, value string) *TLVs {
	if t.err == nil && value != "" {
		t.data, t.err = AppendTLV(t.data, tag, value)
	}
	return t
}

// Into sets the field of the message, unless nothing was added.
func (t *TLVs) Into(m *Message, field int) error {
	if t.err != nil || len(t.data) == 0 {
		return t.err
	}
	return m.Set(field, string(t.data))
}

// SetBasket sets DE62 to the lines of a receipt.
func (m *Message) SetBasket(lines []protocol.Line) error {
	data, err := AppendBasket(nil, lines)
	if err != nil {
		return err
	}
	return m.Set(62, string(data))
}

// SetReturnLines sets DE62 to what comes back.
func (m *Message) SetReturnLines(lines []protocol.ReturnLine) error {
	data, err := AppendReturnLines(nil, lines)
	if err != nil {
		return err
	}
	return m.Set(62, string(data))
}

// SetTotals sets the fields of a shift's totals: 74–77, 86–89 and 97. Counts
// have at most 10 digits, sums 16; none but the net amount is negative.
func (m *Message) SetTotals(t *protocol.ShiftTotals) error {
	for _, part := range [...]struct {
		field int
		value int64
	}{
		{74, t.SalesCount}, {86, t.Sales}, {75, t.ReturnsCount}, {87, t.Returns},
		{76, t.RedeemedCount}, {88, t.Redeemed}, {77, t.GivenBackCount}, {89, t.GivenBack},
	} {
		if err := m.SetInt(part.field, part.value); err != nil {
			return err
		}
	}
	return m.Set(97, string(appendNet(nil, t.Net)))
}

// SetOriginal sets DE90, which names the message that a reversal undoes. With
// an empty de7 any transmission time matches.
func (m *Message) SetOriginal(mti, stan, de7 string) error {
	if len(mti) != 4 || len(stan) != 6 || len(de7) != 10 && de7 != "" {
		return Fault{90, BadLength}
	}
	if de7 == "" {
		de7 = "0000000000"
	}
	return m.Set(90, mti+stan+de7+"0000000000000000000000")
}
