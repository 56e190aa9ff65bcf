package load

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"tillgate/protocol/iso8583"
)

// ISO is a [Wire] of ISO-8583 messages in the default dialect: ASCII fields,
// binary bitmap, two bytes of length. Requests are told apart by their STAN,
// so no more than a million of one connection may be in flight.
type ISO struct {
	// Message appends the n-th message, whose DE11 is n modulo a million.
	Message func(dst []byte, n uint64) []byte

	codec *iso8583.Codec
	m     *iso8583.Message
	frame []byte
	last  uint64
}

// Append appends a message with its length.
func (i *ISO) Append(dst []byte, n uint64) []byte {
	at := len(dst)
	dst = i.Message(append(dst, 0, 0), n)
	binary.BigEndian.PutUint16(dst[at:], uint16(len(dst)-at-2))
	return dst
}

// Read reads one answer and finds its request by DE11.
func (i *ISO) Read(r *bufio.Reader) (uint64, Outcome, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, 0, err
	}
	n := int(binary.BigEndian.Uint16(head[:]))
	if cap(i.frame) < n {
		i.frame = make([]byte, n)
	}
	i.frame = i.frame[:n]
	if _, err := io.ReadFull(r, i.frame); err != nil {
		return 0, 0, err
	}
	if i.codec == nil {
		i.codec = iso8583.NewCodec(iso8583.Profile{})
		i.m = iso8583.NewMessage(i.codec)
	}
	if fault := i.codec.Decode(i.frame, i.m); !fault.OK() {
		return 0, 0, fault
	}
	var stan uint64
	for _, c := range i.m.Get(11) {
		stan = stan*10 + uint64(c-'0')
	}
	switch code := i.m.Get(39); string(code) {
	case "":
		return i.number(stan), Approved, nil // an echo of the request
	case "00", "10":
		return i.number(stan), Approved, nil
	case "91", "96":
		return i.number(stan), Shed, nil
	default:
		if len(code) != 2 {
			return 0, 0, fmt.Errorf("DE39 of %d bytes", len(code))
		}
		return i.number(stan), Declined, nil
	}
}

// stans is how many STANs there are.
const stans = 1_000_000

// number is the request of a STAN: the one nearest to the newest that was
// answered.
func (i *ISO) number(stan uint64) uint64 {
	n := i.last/stans*stans + stan
	switch {
	case n+stans/2 < i.last:
		n += stans
	case n > i.last+stans/2 && n >= stans:
		n -= stans
	}
	i.last = max(i.last, n)
	return n
}
