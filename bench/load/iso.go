package load

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"tillgate/protocol/iso8583"
)

// ISO is a [Wire] of ISO-8583 messages in the default dialect: ASCII fields,
// binary bitmap, two bytes of length. Answers are told apart by DE11, which
// must be the request's number modulo [STANs].
type ISO struct {
	// Request appends the n-th message, without its length.
	Request func(dst []byte, n uint64) []byte
	// Answered gets the answer to the n-th request, lent until it returns.
	Answered func(n uint64, m *iso8583.Message)

	codec *iso8583.Codec
	m     *iso8583.Message
	frame []byte
	last  uint64
}

// Append appends a message with its length.
func (i *ISO) Append(dst []byte, n uint64) []byte {
	at := len(dst)
	dst = i.Request(append(dst, 0, 0), n)
	binary.BigEndian.PutUint16(dst[at:], uint16(len(dst)-at-2))
	return dst
}

// Read reads one answer and finds its request by DE11. A message without DE39
// is an echo of the request, and as good as approved.
func (i *ISO) Read(r *bufio.Reader) (uint64, Outcome, error) {
	head, err := r.Peek(2)
	if err != nil {
		return 0, 0, err
	}
	size := int(binary.BigEndian.Uint16(head))
	i.frame = append(i.frame[:0], make([]byte, size+2)...)
	if _, err := io.ReadFull(r, i.frame); err != nil {
		return 0, 0, err
	}
	if i.codec == nil {
		i.codec = iso8583.NewCodec(iso8583.Profile{})
		i.m = iso8583.NewMessage(i.codec)
	}
	if fault := i.codec.Decode(i.frame[2:], i.m); !fault.OK() {
		return 0, 0, fault
	}
	var stan uint64
	for _, c := range i.m.Get(11) {
		stan = stan*10 + uint64(c-'0')
	}
	n := i.number(stan)
	outcome := Declined
	switch code := i.m.Get(39); string(code) {
	case "", "00", "10":
		outcome = Approved
	case "91", "96":
		outcome = Shed
	default:
		if len(code) != 2 {
			return 0, 0, fmt.Errorf("DE39 of %d bytes", len(code))
		}
	}
	if i.Answered != nil {
		i.Answered(n, i.m)
	}
	return n, outcome, nil
}

// Frame is the newest answer as it came, without its length; valid until the
// next Read.
func (i *ISO) Frame() []byte { return i.frame[2:] }

// STANs is how many there are: DE11 has six digits.
const STANs = 1_000_000

// number is the request of a STAN: the one nearest to the newest that was
// answered.
func (i *ISO) number(stan uint64) uint64 {
	n := i.last/STANs*STANs + stan
	switch {
	case n+STANs/2 < i.last:
		n += STANs
	case n > i.last+STANs/2 && n >= STANs:
		n -= STANs
	}
	i.last = max(i.last, n)
	return n
}
