package iso8583

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// Codec reads and writes messages of one profile. It is compiled from the
// field table once, is immutable and may be shared by all connections.
type Codec struct {
	profile Profile
	ops     [129]op // by field number; kind 0: not in the table
}

// op is how one field is read and written.
type op struct {
	kind   Kind
	digits uint8  // of the length; 0: fixed
	length uint16 // exact or largest
	bcd    bool   // the profile packs numbers
}

// NewCodec compiles the field table for a profile.
func NewCodec(p Profile) *Codec {
	c := &Codec{profile: p}
	for i := range table {
		row := &table[i]
		form, length := p.form(row)
		c.ops[row.Number] = op{kind: row.Kind, digits: uint8(form), length: uint16(length), bcd: p.BCD}
	}
	return c
}

// Profile is what the codec was compiled for.
func (c *Codec) Profile() Profile { return c.profile }

// Decode reads one message: the bytes after length and TPDU. m then points
// into the frame. Time and memory are linear in the frame, which is at most
// MaxFrame; nothing is allocated once m has grown to its size.
//
// After a fault m holds every field that could be read, so that the refusal
// can be matched to its request: a field with a wrong character is left out
// and reading goes on after it; only where the end of a field can't be known
// does it stop. The fault is the first one.
func (c *Codec) Decode(frame []byte, m *Message) Fault {
	m.Reset(c)
	if len(frame) > MaxFrame {
		return Fault{0, FrameTooLong}
	}
	wire, pos, fault := c.header(frame, m)
	if !fault.OK() {
		return fault
	}
	last := 1
	for word := range wire {
		for set := wire[word]; set != 0; {
			lead := bits.LeadingZeros64(set)
			set &^= 1 << 63 >> lead
			last = word*64 + lead + 1
			o := &c.ops[last]
			value, next, why := o.read(frame, pos, m)
			if why == Fine {
				m.put(last, value)
			} else if fault.OK() {
				fault = Fault{last, why}
			}
			if why.structural() {
				return fault
			}
			pos = next
		}
	}
	if pos != len(frame) && fault.OK() {
		fault = Fault{last, Trailing}
	}
	return fault
}

// header reads MTI and bitmaps and returns the bits of the fields that follow.
func (c *Codec) header(frame []byte, m *Message) (wire [2]uint64, pos int, fault Fault) {
	if pos = c.mti(frame, m); pos == 0 {
		return wire, 0, Fault{0, BadMTI}
	}
	for word := range wire {
		var ok bool
		if wire[word], pos, ok = c.bitmap(frame, pos); !ok {
			return wire, 0, Fault{1, BadBitmap}
		}
		if wire[word]>>63 == 0 {
			break
		}
		wire[word] &^= 1 << 63
		if word == 1 {
			return wire, 0, Fault{65, Chained}
		}
		m.secondary = true
	}
	return wire, pos, Fault{}
}

// mti reads the message type; 0 is a failure.
func (c *Codec) mti(frame []byte, m *Message) (pos int) {
	var mti [4]byte
	if c.profile.BCD {
		if len(frame) < 2 {
			return 0
		}
		mti = [4]byte{'0' + frame[0]>>4, '0' + frame[0]&15, '0' + frame[1]>>4, '0' + frame[1]&15}
		pos = 2
	} else {
		if len(frame) < 4 {
			return 0
		}
		mti, pos = [4]byte(frame), 4
	}
	if !allDigits(mti[:]) {
		return 0
	}
	m.mti = mti
	return pos
}

// bitmap reads 64 bits.
func (c *Codec) bitmap(frame []byte, pos int) (word uint64, next int, ok bool) {
	if !c.profile.HexBitmap {
		if len(frame)-pos < 8 {
			return 0, 0, false
		}
		return binary.BigEndian.Uint64(frame[pos:]), pos + 8, true
	}
	if len(frame)-pos < 16 {
		return 0, 0, false
	}
	for _, c := range frame[pos : pos+16] {
		nibble := unhex(c)
		if nibble > 15 {
			return 0, 0, false
		}
		word = word<<4 | uint64(nibble)
	}
	return word, pos + 16, true
}

// unhex is the value of a hex digit in either case, 255 for anything else.
func unhex(c byte) byte {
	switch {
	case c-'0' <= 9:
		return c - '0'
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 255
}

// read is one field at pos: its value and where the next field begins. next
// is good unless the reason is structural.
func (o *op) read(frame []byte, pos int, m *Message) (value []byte, next int, why Reason) {
	if o.kind == 0 {
		return nil, 0, UnknownField
	}
	size := int(o.length)
	if o.digits > 0 {
		if size, pos, why = o.readLength(frame, pos); why != Fine {
			return nil, 0, why
		}
	}
	width := o.width(size)
	if len(frame)-pos < width {
		return nil, 0, Truncated
	}
	next = pos + width
	value = frame[pos:next:next]
	if o.bcd && (o.kind == Digits || o.kind == SignedNo) {
		if value, why = o.unpack(value, size, m); why != Fine {
			return nil, next, why
		}
	} else if o.digits == 0 && padded(o.kind) {
		value = trimSpaces(value)
	}
	return value, next, o.content(value)
}

// readLength is the length of a variable field, and where its value begins.
func (o *op) readLength(frame []byte, pos int) (size, next int, why Reason) {
	if o.bcd {
		width := (int(o.digits) + 1) / 2
		if len(frame)-pos < width {
			return 0, 0, Truncated
		}
		for _, b := range frame[pos : pos+width] {
			if b>>4 > 9 || b&15 > 9 {
				return 0, 0, BadLength
			}
			size = size*100 + int(b>>4)*10 + int(b&15)
		}
		if o.digits == 3 && size > 999 { // the unused half byte
			return 0, 0, BadLength
		}
		next = pos + width
	} else {
		next = pos + int(o.digits)
		if len(frame) < next {
			return 0, 0, Truncated
		}
		for _, c := range frame[pos:next] {
			if c-'0' > 9 {
				return 0, 0, BadLength
			}
			size = size*10 + int(c-'0')
		}
	}
	if size > int(o.length) {
		return 0, 0, TooLong
	}
	return size, next, Fine
}

// width is how many bytes a value of the size takes in the frame.
func (o *op) width(size int) int {
	switch {
	case o.bcd && o.kind == Digits:
		return (size + 1) / 2
	case o.bcd && o.kind == SignedNo:
		return 1 + size/2
	}
	return size
}

// unpack turns packed digits into ASCII ones in the message's own bytes. An
// odd count of digits has a zero before it.
func (o *op) unpack(packed []byte, size int, m *Message) ([]byte, Reason) {
	start := len(m.own)
	if o.kind == SignedNo {
		m.own = append(m.own, packed[0])
		packed, size = packed[1:], size-1
	}
	if size&1 == 1 {
		if packed[0]>>4 != 0 {
			return nil, BadPadding
		}
		if packed[0] > 9 {
			return nil, NotDigits
		}
		m.own = append(m.own, '0'+packed[0])
		packed = packed[1:]
	}
	for _, b := range packed {
		if b>>4 > 9 || b&15 > 9 {
			return nil, NotDigits
		}
		m.own = append(m.own, '0'+b>>4, '0'+b&15)
	}
	return m.own[start:len(m.own):len(m.own)], Fine
}

// content checks the characters of a value against the field's kind.
func (o *op) content(value []byte) Reason {
	switch o.kind {
	case Digits:
		if !allDigits(value) {
			return NotDigits
		}
	case Alnum:
		for _, c := range value {
			if c != ' ' && c-'0' > 9 && c|0x20-'a' > 25 {
				return NotAlnum
			}
		}
	case Text:
		if !utf8.Valid(value) {
			return NotText
		}
	case SignedNo:
		if value[0] != 'C' && value[0] != 'D' {
			return BadSign
		}
		if !allDigits(value[1:]) {
			return NotDigits
		}
	}
	return Fine
}

// fits is content and length of a value that is to be sent.
func (o *op) fits(value []byte) Reason {
	if len(value) > int(o.length) {
		return TooLong
	}
	if o.digits == 0 && !padded(o.kind) && len(value) != int(o.length) {
		return BadLength
	}
	return o.content(value)
}
