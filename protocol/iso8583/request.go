package iso8583

import (
	"crypto/sha256"
	"math/bits"
	"time"
	"unsafe"

	"tillgate/protocol"
)

// Inbound is what a message's meaning depends on beside its bytes.
type Inbound struct {
	// Now tells which year DE7 means: the one that puts it nearest.
	Now time.Time
	// Zone is the time zone of DE12 and DE13 for a store; nil is UTC. The
	// strings are valid during the call only.
	Zone func(terminal, store string) *time.Location
}

// Read decodes a frame and maps it into x.Request. After a fault x.Response is
// the refusal, and x.Request holds what the answer echoes. m is scratch. The
// frame's bytes may be reused afterwards. Caller is left for the gateway.
func (c *Codec) Read(frame []byte, m *Message, in Inbound, x *protocol.Exchange) Fault {
	fault := c.Decode(frame, m)
	if fault.OK() {
		fault = m.Request(in, &x.Request)
	} else {
		m.begin(&x.Request)
	}
	if !fault.OK() {
		fault.Refuse(&x.Response)
	}
	return fault
}

// mapper fills a request from a message. Its methods record the first fault
// and go on; what they read after it is not used.
type mapper struct {
	*Message
	req    *protocol.Request
	fault  Fault
	tender string // DE48 12
}

func (r *mapper) refuse(field int, why Reason) {
	if r.fault.OK() {
		r.fault = Fault{field, why}
	}
}

// need refuses a message without one of the fields.
func (r *mapper) need(fields ...int) {
	for _, field := range fields {
		if len(r.Get(field)) == 0 {
			r.refuse(field, Missing)
		}
	}
}

// text copies a value into the request's buffer, so that the frame is free.
func text(req *protocol.Request, value []byte) string {
	if len(value) == 0 {
		return ""
	}
	start := len(req.Buffer)
	req.Buffer = append(req.Buffer, value...)
	return unsafe.String(&req.Buffer[start], len(value)) // valid until Reset, as Request says
}

// begin resets the request and fills in what an answer echoes.
func (m *Message) begin(req *protocol.Request) {
	req.Reset()
	req.Edge = protocol.EdgeISO
	if m.mti[0] != 0 {
		req.ISO.MTI = text(req, m.mti[:])
	}
	for _, echo := range [...]struct {
		field int
		to    *string
	}{
		{3, &req.ISO.Processing}, {4, &req.ISO.DE4}, {7, &req.ISO.DE7}, {11, &req.ISO.STAN},
		{12, &req.ISO.LocalTime}, {13, &req.ISO.LocalDate}, {32, &req.ISO.DE32}, {37, &req.ISO.DE37},
		{41, &req.Terminal}, {42, &req.Store}, {49, &req.ISO.Currency}, {60, &req.ISO.DE60}, {70, &req.ISO.DE70},
	} {
		*echo.to = text(req, m.Get(echo.field))
	}
	req.ISO.ByDE7 = m.codec.profile.KeyByDE7
}

// Request maps a message that was decoded without a fault. A fault names the
// field that is missing, malformed or not supported; req then holds what the
// answer echoes.
//
// Checks of meaning that JSON bodies need as well (sums, limits, unique line
// ids, who is missing) are protocol.Validate's, for both edges.
func (m *Message) Request(in Inbound, req *protocol.Request) Fault {
	m.begin(req)
	r := mapper{Message: m, req: req}
	call, fault := m.call()
	if !fault.OK() {
		return fault
	}
	req.Call = call
	r.need(11, 41)
	if !visible(m.Get(41)) {
		r.refuse(41, BadContent)
	}
	if !visible(m.Get(42)) {
		r.refuse(42, BadContent)
	}
	r.times(in)
	r.shift()
	r.loyalty()
	r.results()
	r.body()
	if r.fault.OK() {
		req.Hash = m.hash(req)
	}
	return r.fault
}

// call is what MTI and processing code ask for.
func (m *Message) call() (protocol.Call, Fault) {
	if (m.mti[2]-'0')&1 == 1 {
		return 0, Fault{0, NotARequest}
	}
	if m.mti[3] > '1' { // 0 the message, 1 its repeat
		return 0, Fault{0, NotSupported}
	}
	switch string(m.mti[:3]) {
	case "010":
		return m.byProcessing(protocol.CallAuthorize, protocol.CallNone, protocol.CallNone, protocol.CallBalance)
	case "020":
		return m.byProcessing(protocol.CallAccrue, protocol.CallRedeem, protocol.CallReturn, protocol.CallNone)
	case "022":
		if m.names() {
			return m.byProcessing(protocol.CallConfirm, protocol.CallNone, protocol.CallNone, protocol.CallNone)
		}
		return m.byProcessing(protocol.CallAccrue, protocol.CallNone, protocol.CallNone, protocol.CallNone)
	case "040", "042":
		return protocol.CallReverse, Fault{}
	case "050", "052":
		return protocol.CallCloseShift, Fault{}
	case "080":
		return protocol.CallEcho, Fault{}
	}
	return 0, Fault{0, NotSupported}
}

// byProcessing chooses by the first two digits of DE3: 00 purchase, 17
// redemption, 20 return, 30 balance.
func (m *Message) byProcessing(purchase, redeem, back, balance protocol.Call) (call protocol.Call, fault Fault) {
	code := m.Get(3)
	if len(code) == 0 {
		return 0, Fault{3, Missing}
	}
	switch string(code[:2]) {
	case "00":
		call = purchase
	case "17":
		call = redeem
	case "20":
		call = back
	case "30":
		call = balance
	}
	if call == protocol.CallNone {
		return 0, Fault{3, NotSupported}
	}
	return call, Fault{}
}

// names reports whether the message names a transaction by DE37 or DE48 05.
func (m *Message) names() bool {
	if len(m.Get(37)) > 0 {
		return true
	}
	for data := m.Get(48); len(data) > 0; {
		tag, _, rest, ok := NextTLV(data)
		if !ok || tag == TagHold {
			return ok
		}
		data = rest
	}
	return false
}

// hash is over all that is equal in a repeat: class of the MTI and every field
// but 7, 53, 64 and 128, each with number and length. It is the first 16 bytes
// of SHA-256, so that nobody can make another content with an equal one.
func (m *Message) hash(req *protocol.Request) (sum [16]byte) {
	start := len(req.Buffer)
	content := append(req.Buffer, m.mti[:3]...)
	left := m.bits
	left[0] &^= bit(7) | bit(53) | bit(64)
	left[1] &^= bit(128)
	for word, set := range left {
		for set != 0 {
			lead := bits.LeadingZeros64(set)
			set &^= 1 << 63 >> lead
			n := word*64 + lead + 1
			value := m.values[slotOf[n]]
			content = append(content, byte(n), byte(len(value)>>8), byte(len(value)))
			content = append(content, value...)
		}
	}
	digest := sha256.Sum256(content[start:])
	req.Buffer = content[:start] // keeps the capacity, gives back the bytes
	return [16]byte(digest[:16])
}
