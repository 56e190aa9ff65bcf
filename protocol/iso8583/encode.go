package iso8583

import (
	"encoding/binary"
	"math/bits"
)

// AppendMessage appends the message's bytes, from the MTI on. A message's
// values were checked as they were set or decoded, so that nothing can fail
// here. The secondary bitmap stands only where a field needs it.
func (c *Codec) AppendMessage(dst []byte, m *Message) []byte {
	if c.profile.BCD {
		dst = append(dst, m.mti[0]<<4|m.mti[1]&15, m.mti[2]<<4|m.mti[3]&15)
	} else {
		dst = append(dst, m.mti[:]...)
	}
	if m.bits[1] != 0 {
		dst = c.appendBitmap(dst, m.bits[0]|1<<63)
		dst = c.appendBitmap(dst, m.bits[1])
	} else {
		dst = c.appendBitmap(dst, m.bits[0])
	}
	for word, set := range m.bits {
		for set != 0 {
			lead := bits.LeadingZeros64(set)
			set &^= 1 << 63 >> lead
			n := word*64 + lead + 1
			dst = c.ops[n].append(dst, m.values[slotOf[n]])
		}
	}
	return dst
}

func (c *Codec) appendBitmap(dst []byte, word uint64) []byte {
	if !c.profile.HexBitmap {
		return binary.BigEndian.AppendUint64(dst, word)
	}
	const digits = "0123456789ABCDEF"
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, digits[word>>shift&15])
	}
	return dst
}

// append is one field: length, value, padding.
func (o *op) append(dst, value []byte) []byte {
	if o.digits > 0 {
		dst = o.appendLength(dst, len(value))
	}
	if o.bcd && o.kind == SignedNo {
		return packDigits(append(dst, value[0]), value[1:])
	}
	if o.bcd && o.kind == Digits {
		return packDigits(dst, value)
	}
	dst = append(dst, value...)
	if o.digits == 0 {
		for range int(o.length) - len(value) {
			dst = append(dst, ' ')
		}
	}
	return dst
}

func (o *op) appendLength(dst []byte, n int) []byte {
	if o.bcd {
		if o.digits > 2 {
			dst = append(dst, byte(n/1000)<<4|byte(n/100%10))
		}
		return append(dst, byte(n/10%10)<<4|byte(n%10))
	}
	for unit := [...]int{0, 0, 10, 100, 1000}[o.digits]; unit > 0; unit /= 10 {
		dst = append(dst, '0'+byte(n/unit%10))
	}
	return dst
}

// packDigits packs two digits a byte, an odd count behind a zero.
func packDigits(dst, digits []byte) []byte {
	if len(digits)&1 == 1 {
		dst = append(dst, digits[0]&15)
		digits = digits[1:]
	}
	for i := 0; i < len(digits); i += 2 {
		dst = append(dst, digits[i]<<4|digits[i+1]&15)
	}
	return dst
}
