package iso8583

import (
	"strconv"
	"time"

	"tillgate/protocol"
)

// noCurrency is ISO 4217's number for "no currency": DE54 of an answer to a
// request without DE49.
const noCurrency = "999"

// AppendAnswer appends the answer's message (from the MTI on) to a request:
// signed where there is a key. m is scratch and may be the message that the
// request was read from.
//
// The bytes depend on the request's echoed fields and on the response alone.
// A repeat may carry another DE7 and another repeat digit, so neither is in an
// answer: the same response gives a repeat the same bytes (but for DE53 and
// the MAC, where the repeat was signed with another key). A value that does
// not fit its field is left out: an answer always goes out.
func (c *Codec) AppendAnswer(dst []byte, m *Message, req *protocol.Request, resp *protocol.Response, k *Key) []byte {
	m.Reset(c)
	answerMTI(&m.mti, req.ISO.MTI)
	m.fill(3, req.ISO.Processing)
	m.fill(4, req.ISO.DE4)
	m.fill(11, req.ISO.STAN)
	m.fill(12, req.ISO.LocalTime)
	m.fill(13, req.ISO.LocalDate)
	m.fill(32, req.ISO.DE32)
	m.fill(37, reference(req, resp))
	m.fill(39, resp.Code.ISO())
	m.fill(41, req.Terminal)
	m.fill(42, req.Store)
	m.fill(60, req.ISO.DE60)
	m.fill(70, req.ISO.DE70)
	if req.Call == protocol.CallCloseShift {
		m.fill(50, req.ISO.Currency)
	} else {
		m.fill(49, req.ISO.Currency)
	}
	if resp.Code.OK() {
		m.approval(req, resp)
	} else {
		m.decline(resp)
	}
	m.balances(req, resp)
	m.slip(resp)
	return c.AppendSigned(dst, m, k)
}

// answerMTI is the type of the answer: the function's digit plus one, the
// repeat digit zero. What is no request gets 0610, the administrative answer.
func answerMTI(to *[4]byte, mti string) {
	*to = [4]byte{'0', '6', '1', '0'}
	if len(mti) == 4 && (mti[2]-'0')&1 == 0 {
		*to = [4]byte{mti[0], mti[1], mti[2] + 1, '0'}
	}
}

// reference is DE37: the server's, else as it was sent.
func reference(req *protocol.Request, resp *protocol.Response) string {
	switch {
	case resp.RRN != "":
		return resp.RRN
	case resp.Code.OK() && resp.ID != "":
		return resp.ID
	}
	return req.ISO.DE37
}

// fill sets a field of an answer if there is a value and it fits.
func (m *Message) fill(field int, value string) {
	if value != "" {
		_ = m.Set(field, value) // a value that does not fit is left out, as AppendAnswer says
	}
}

// approval is what only an approved answer has.
func (m *Message) approval(req *protocol.Request, resp *protocol.Response) {
	m.fill(38, resp.Approval)
	call := resp.Call
	if call == protocol.CallNone {
		call = req.Call
	}
	switch call {
	case protocol.CallAuthorize:
		if resp.ID != "" {
			start := len(m.own)
			m.own = append(appendTLVHeader(m.own, TagHold, len(resp.ID)), resp.ID...)
			m.take(48, start)
		}
		m.results(resp)
	case protocol.CallAccrue, protocol.CallRedeem, protocol.CallReturn, protocol.CallConfirm, protocol.CallAmend, protocol.CallQuote:
		if !resp.Accepted { // what is parked has no figures yet
			m.results(resp)
		}
	}
}

// decline is what only a refusal has: DE44 is the refused field's number for
// a format error, else the code's name; the sentence for the cashier follows
// in DE63.
func (m *Message) decline(resp *protocol.Response) {
	help := resp.Code.String()
	if resp.Code.ISO() == protocol.InvalidRequest.ISO() {
		if number := fieldNumber(resp.Field); number != "" {
			help = number
		}
	}
	m.fill(44, help)
	if resp.HasMaxPoints {
		start := len(m.own)
		m.own = appendTLVInt(m.own, TagMaxPoints, max(resp.MaxPoints, 0))
		m.take(61, start)
	}
	if resp.Code == protocol.TotalsDiffer {
		m.totals(&resp.Totals)
	}
}

// take makes the own bytes from start on the field's value, if they fit.
func (m *Message) take(field, start int) {
	value := m.own[start:len(m.own):len(m.own)]
	if m.codec.ops[field].fits(value) != Fine {
		m.own = m.own[:start]
		return
	}
	m.put(field, value)
}

// putNumber sets a fixed field of digits; a number that is too large becomes
// all nines, which no till can take for a sum of its own.
func (m *Message) putNumber(field int, n int64, digits int) {
	start := len(m.own)
	m.own = appendPadded(m.own, n, digits)
	m.put(field, m.own[start:len(m.own):len(m.own)])
}

// appendPadded appends a number that is not negative with leading zeros.
func appendPadded(dst []byte, n int64, digits int) []byte {
	var buffer [20]byte
	text := strconv.AppendInt(buffer[:0], max(n, 0), 10)
	for i := range digits {
		switch {
		case len(text) > digits:
			dst = append(dst, '9')
		case i < digits-len(text):
			dst = append(dst, '0')
		default:
			return append(dst, text...)
		}
	}
	return dst
}

// results is DE61, and DE62 where the lines do not fit.
func (m *Message) results(resp *protocol.Response) {
	start := len(m.own)
	m.own = appendTLVInt(m.own, TagEarned, resp.Earned)
	m.own = appendTLVInt(m.own, TagRedeemed, resp.Redeemed)
	m.own = appendTLVInt(m.own, TagPayable, resp.Payable)
	m.own = appendTLVInt(m.own, TagDiscount, resp.Discount)
	if n := len(resp.Member.Tier); n > 0 && n <= 64 {
		m.own = appendTLVHeader(m.own, TagTier, n)
		for i := range n { // a tier may be called what it likes, a value of DE61 may not
			c := resp.Member.Tier[i]
			if separates(resp.Member.Tier[i : i+1]) {
				c = ' '
			}
			m.own = append(m.own, c)
		}
	}
	if len(resp.EarnedLots) > 0 {
		m.own = appendTime(m.own, TagActive, resp.EarnedLots[0].Active, resp.At.Offset)
		m.own = appendTime(m.own, TagExpires, resp.EarnedLots[0].Expires, resp.At.Offset)
	}
	rest, whole := m.lineResults(start, resp.Lines)
	m.take(61, start)
	if whole && len(rest) > 0 {
		m.longLines(rest)
	}
}

// appendTime appends a moment as YYYYMMDDThhmmss±hhmm; zero (at once, never)
// is left out.
func appendTime(dst []byte, tag int, unix int64, offset int32) []byte {
	if unix == 0 {
		return dst
	}
	local := time.Unix(0, unix).UTC().Add(time.Duration(offset) * time.Second)
	if local.Year() < 0 || local.Year() > 9999 {
		return dst
	}
	sign := byte('+')
	if offset < 0 {
		sign, offset = '-', -offset
	}
	dst = appendTLVHeader(dst, tag, len("YYYYMMDDThhmmss+hhmm"))
	dst = local.AppendFormat(dst, "20060102T150405")
	dst = append(dst, sign)
	dst = appendPadded(dst, int64(offset/3600), 2)
	return appendPadded(dst, int64(offset/60%60), 2)
}

// lineResults appends tag 08 with as many whole lines as DE61 takes, and
// returns the lines that are left. A till that got a part would print a wrong
// receipt, so it is all lines or none: where the rest will not fit DE62 either,
// or an id holds a separator (a hold that was made over HTTP), there is no 08
// and whole is false.
func (m *Message) lineResults(start int, lines []protocol.LineResult) (rest []protocol.LineResult, whole bool) {
	if len(lines) == 0 {
		return nil, true
	}
	header := len(m.own)
	m.own = append(m.own, "08000"...)
	body := len(m.own)
	taken := 0
	for i := range lines {
		if separates(lines[i].ID) {
			m.own = m.own[:header]
			return nil, false
		}
		before := len(m.own)
		m.own = appendLineResult(m.own, &lines[i], i > 0)
		if len(m.own)-start > 999 {
			m.own = m.own[:before]
			break
		}
		taken++
	}
	rest = lines[taken:]
	if taken == 0 || !m.fitsBasket(rest) {
		m.own = m.own[:header]
		return nil, false
	}
	n := len(m.own) - body
	m.own[header+2], m.own[header+3], m.own[header+4] = '0'+byte(n/100), '0'+byte(n/10%10), '0'+byte(n%10)
	return rest, true
}

// answerRoom is what the rest of an answer may take of a frame beside the
// lines in DE62: all its other fields at their longest.
const answerRoom = 4 << 10

// fitsBasket reports whether the lines can go into the answer's DE62.
func (m *Message) fitsBasket(lines []protocol.LineResult) bool {
	start, most := len(m.own), min(int(m.codec.ops[62].length), MaxFrame-answerRoom)
	defer func() { m.own = m.own[:start] }()
	for i := range lines {
		if separates(lines[i].ID) {
			return false
		}
		m.own = appendLineResult(m.own, &lines[i], i > 0)
		if len(m.own)-start > most {
			return false
		}
	}
	return true
}

// longLines puts lines that fitsBasket has measured into DE62.
func (m *Message) longLines(lines []protocol.LineResult) {
	start := len(m.own)
	for i := range lines {
		m.own = appendLineResult(m.own, &lines[i], i > 0)
	}
	m.take(62, start)
}

// appendLineResult appends id:discount:redeemed:earned.
func appendLineResult(dst []byte, l *protocol.LineResult, more bool) []byte {
	if more {
		dst = append(dst, ';')
	}
	dst = append(append(dst, l.ID...), ':')
	dst = append(strconv.AppendInt(dst, l.Discount, 10), ':')
	dst = append(strconv.AppendInt(dst, l.Redeemed, 10), ':')
	return strconv.AppendInt(dst, l.Earned, 10)
}

// balances is DE54: 20 characters for each amount type, in points. What the
// member owes is taken off the ledger's and the available balance, which may
// thus be a debit.
func (m *Message) balances(req *protocol.Request, resp *protocol.Response) {
	if !resp.HasBalance {
		return
	}
	currency := req.ISO.Currency
	if currency == "" {
		currency = noCurrency
	}
	b := &resp.Balance
	start := len(m.own)
	for _, part := range [...]struct {
		kind   string
		amount int64
	}{
		{"01", b.Available + b.Held - b.Deficit}, {"02", b.Available - b.Deficit}, {"91", b.Held}, {"92", b.Pending},
	} {
		sign, amount := byte('C'), part.amount
		if amount < 0 {
			sign, amount = 'D', -amount
		}
		m.own = append(append(append(append(m.own, "00"...), part.kind...), currency...), sign)
		m.own = appendPadded(m.own, amount, 12)
	}
	m.take(54, start)
}

// totals is the host's side of a shift that does not match.
func (m *Message) totals(t *protocol.ShiftTotals) {
	m.putNumber(74, t.SalesCount, 10)
	m.putNumber(75, t.ReturnsCount, 10)
	m.putNumber(76, t.RedeemedCount, 10)
	m.putNumber(77, t.GivenBackCount, 10)
	m.putNumber(86, t.Sales, 16)
	m.putNumber(87, t.Returns, 16)
	m.putNumber(88, t.Redeemed, 16)
	m.putNumber(89, t.GivenBack, 16)
	start := len(m.own)
	m.own = appendNet(m.own, t.Net)
	m.take(97, start)
}

// appendNet is DE97: C for a sum in the till's favour or D, and 16 digits.
func appendNet(dst []byte, net int64) []byte {
	sign := byte('C')
	if net < 0 {
		sign, net = 'D', -net
	}
	return appendPadded(append(dst, sign), net, 16)
}

// slip is DE63: the slip's lines, or a refusal's sentence, separated by line
// feeds. Lines that do not fit any more are left out whole.
func (m *Message) slip(resp *protocol.Response) {
	start := len(m.own)
	if !resp.Code.OK() {
		m.own = append(m.own, resp.Detail...)
	} else {
		for i, line := range resp.Slip {
			if len(m.own)-start+len(line)+1 > 999 {
				break
			}
			if i > 0 {
				m.own = append(m.own, '\n')
			}
			m.own = append(m.own, line...)
		}
	}
	if len(m.own) > start {
		m.take(63, start)
	}
}
