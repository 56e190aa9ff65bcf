package iso8583

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
)

// Message is one message: an MTI and values by field number. After Decode the
// values point into the frame (or, unpacked from BCD, into the message's own
// bytes): they are valid until the frame's bytes are reused. A Message is
// meant to be reused; it then allocates nothing. It is not safe for
// concurrent use.
//
// Values are as moov-io/iso8583 shows them: digits unpacked, a fixed text
// field without the spaces that fill it up.
type Message struct {
	codec     *Codec
	mti       [4]byte
	bits      [2]uint64 // field n is bit 64-n of word 0, or 128-n of word 1
	secondary bool      // the frame had a secondary bitmap, be it empty
	values    [slots][]byte
	own       []byte // values that were set or unpacked
}

// NewMessage is an empty message in the codec's dialect.
func NewMessage(c *Codec) *Message {
	return &Message{codec: c, own: make([]byte, 0, 512)}
}

// Reset empties the message and binds it to a codec; its memory is kept.
func (m *Message) Reset(c *Codec) {
	m.codec = c
	m.mti = [4]byte{}
	m.bits = [2]uint64{}
	m.secondary = false
	m.own = m.own[:0]
}

// MTI is the message type, "" when there is none.
func (m *Message) MTI() string {
	if m.mti[0] == 0 {
		return ""
	}
	return string(m.mti[:])
}

// SetMTI sets the message type: four digits.
func (m *Message) SetMTI(mti string) error {
	if len(mti) != 4 || !allDigits([]byte(mti)) {
		return Fault{0, BadMTI}
	}
	copy(m.mti[:], mti)
	return nil
}

// Has reports whether the field is present.
func (m *Message) Has(field int) bool {
	return field > 1 && field <= 128 && m.bits[(field-1)>>6]&bit(field) != 0
}

// Get is the field's value, nil when it is absent. The bytes belong to the
// message or its frame.
func (m *Message) Get(field int) []byte {
	if !m.Has(field) {
		return nil
	}
	return m.values[slotOf[field]]
}

// Text is Get as a string of its own, "" when the field is absent.
func (m *Message) Text(field int) string { return string(m.Get(field)) }

// Fields are the numbers of the fields present, ascending.
func (m *Message) Fields() []int {
	var list []int
	for word, set := range m.bits {
		for set != 0 {
			lead := bits.LeadingZeros64(set)
			set &^= 1 << 63 >> lead
			list = append(list, word*64+lead+1)
		}
	}
	return list
}

// Unset removes the field.
func (m *Message) Unset(field int) {
	if m.Has(field) {
		m.bits[(field-1)>>6] &^= bit(field)
	}
}

// Set gives the field a value, which is copied. Digits of a fixed field are
// filled up with zeros on the left; an empty value is present and empty. It
// refuses what Decode would refuse, with a Fault.
func (m *Message) Set(field int, value string) error {
	if m.codec == nil {
		return errors.New("iso8583: the message has no codec; use NewMessage")
	}
	if field < 2 || field > 128 || m.codec.ops[field].kind == 0 {
		return Fault{field, UnknownField}
	}
	op := &m.codec.ops[field]
	start := len(m.own)
	if op.digits == 0 && op.kind == Digits {
		for range int(op.length) - len(value) {
			m.own = append(m.own, '0')
		}
	}
	m.own = append(m.own, value...)
	set := m.own[start:len(m.own):len(m.own)]
	if op.digits == 0 && padded(op.kind) {
		set = trimSpaces(set)
	}
	if why := op.fits(set); why != Fine {
		m.own = m.own[:start]
		return Fault{field, why}
	}
	m.put(field, set)
	return nil
}

// SetInt sets a field of digits to a number that is not negative.
func (m *Message) SetInt(field int, n int64) error {
	if n < 0 {
		return fmt.Errorf("field %d: %w", field, Fault{field, NotDigits})
	}
	var digits [20]byte
	return m.Set(field, string(strconv.AppendInt(digits[:0], n, 10)))
}

// put records a value that is known to fit.
func (m *Message) put(field int, value []byte) {
	m.values[slotOf[field]] = value
	m.bits[(field-1)>>6] |= bit(field)
}

// bit is the field's bit in its word of the bitmap.
func bit(field int) uint64 { return 1 << (63 - uint(field-1)&63) }

// slotOf is a field's place in Message.values; fields that are not in the
// table share place 0, which is never read for them.
var slotOf = func() (slot [129]uint8) {
	for i := range table {
		slot[table[i].Number] = uint8(i)
	}
	return slot
}()

func allDigits(b []byte) bool {
	for _, c := range b {
		if c-'0' > 9 {
			return false
		}
	}
	return true
}

func trimSpaces(b []byte) []byte {
	for len(b) > 0 && b[len(b)-1] == ' ' {
		b = b[:len(b)-1]
	}
	return b
}
