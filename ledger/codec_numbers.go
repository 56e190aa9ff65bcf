package ledger

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// Numbers of a record: varints, and how they are read in one go.

func (c *coder) uvarint(v *uint64) {
	if !c.reading {
		c.buf = binary.AppendUvarint(c.buf, *v)
		return
	}
	*v = c.number()
}

func (c *coder) int64(v *int64) {
	if !c.reading {
		c.buf = binary.AppendUvarint(c.buf, uint64(*v)<<1^uint64(*v>>63))
		return
	}
	u := c.number()
	*v = int64(u>>1) ^ -int64(u&1)
}

// int64s is int64 for numbers that lie one after the other: most have one byte,
// and are read without a call.
func (c *coder) int64s(to ...*int64) {
	if !c.reading {
		for _, v := range to {
			c.int64(v)
		}
		return
	}
	buf, pos := c.buf, c.pos
	for _, v := range to {
		var u uint64
		if pos < len(buf) && buf[pos] < 0x80 {
			u = uint64(buf[pos])
			pos++
		} else {
			c.pos = pos
			u = c.number()
			pos = c.pos
		}
		*v = int64(u>>1) ^ -int64(u&1)
	}
	c.pos = pos
}

// number reads a varint. Those of up to eight bytes that don't stand at a
// record's very end are read in one go: the bytes' sevens of bits are drawn
// together by twos, fours and eights.
func (c *coder) number() uint64 {
	const more = 0x8080808080808080
	if pos := c.pos; pos <= len(c.buf)-8 {
		x := binary.LittleEndian.Uint64(c.buf[pos : pos+8])
		if x&0x80 == 0 {
			c.pos = pos + 1
			return x & 0x7f
		}
		if last := ^x & more; last != 0 {
			n := uint(bits.TrailingZeros64(last))/8 + 1
			x &= last ^ (last - 1) // up to the first byte that is the last
			if x>>((n-1)*8&63) == 0 {
				c.fail("a malformed number") // longer than needed
				return 0
			}
			c.pos = pos + int(n)
			x = x&0x007f007f007f007f | x&0x7f007f007f007f00>>1
			x = x&0x00003fff00003fff | x&0x3fff00003fff0000>>2
			return x&0x000000000fffffff | x&0x0fffffff00000000>>4
		}
	}
	return c.longNumber()
}

// longNumber is number for varints of more than eight bytes, and at the end.
func (c *coder) longNumber() uint64 {
	x, n := binary.Uvarint(c.buf[c.pos:])
	if n <= 0 || n > 1 && c.buf[c.pos+n-1] == 0 {
		c.fail("a malformed number")
		return 0
	}
	c.pos += n
	return x
}

func (c *coder) int32(v *int32) {
	x := int64(*v)
	c.int64(&x)
	if x < math.MinInt32 || x > math.MaxInt32 {
		c.fail("a number out of range")
		x = 0
	}
	*v = int32(x)
}

func (c *coder) uint32(v *uint32) {
	x := uint64(*v)
	c.uvarint(&x)
	if x > math.MaxUint32 {
		c.fail("a number out of range")
		x = 0
	}
	*v = uint32(x)
}
