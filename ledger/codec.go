package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync"
)

// Every record begins with the same two bytes:
//
//	offset  size  what
//	0       1     kind of the record (tag…)
//	1       1     version of its layout, from 1
//
// A reader that meets a version it does not know stops with a
// [VersionError]; it never guesses. Golden files in testdata keep the bytes
// of every version ever written.
const (
	tagOperation byte = 'J'
	tagAccount   byte = 'A'
	tagSale      byte = 'S'
	tagDups      byte = 'D'
	tagReceipts  byte = 'R'
	tagShift     byte = 'B'
	tagLink      byte = 'I'
	tagProfile   byte = 'P'
	tagParked    byte = 'Z'
	tagCode      byte = 'K'
	tagTransfer  byte = 'O'
	tagWatermark byte = 'W'
	tagProgram   byte = 'G'
	tagMeta      byte = 'X'
	tagWindow    byte = 'N'
	tagShared    byte = 'C'
	tagAudit     byte = 'H'
	tagSealed    byte = 'Y'
	tagBase      byte = 'F'
	tagDupBase   byte = 'U'
)

// VersionError says that a record was written by another program version
// than this one, or is no record of the kind that was expected. Nothing can
// be concluded from its bytes.
type VersionError struct {
	Want, Tag, Version byte
}

func (e *VersionError) Error() string {
	if e.Want != e.Tag {
		return fmt.Sprintf("ledger: a record of kind %q was expected, this one begins with %#x", e.Want, e.Tag)
	}
	return fmt.Sprintf("ledger: record of kind %q has version %d, which this program does not know; use the program that wrote it, or a newer one", e.Tag, e.Version)
}

// ErrCorrupt is what every decoder answers for bytes that no encoder of this
// package has written.
var ErrCorrupt = errors.New("ledger: corrupt record")

// A coder writes a record or reads one: a layout is described once, by a
// function that visits its fields in order, so that both directions can't
// part. Numbers are unsigned or zigzag varints unless "fixed", which is
// big-endian; strings and lists have their length in front.
//
// A record has one encoding only: a reader refuses varints that are longer
// than needed, fields that are marked as present and empty, and bytes after
// the end. What decodes therefore encodes to the same bytes.
type coder struct {
	buf     []byte
	text    string // the record as a string: what is read shares it, one allocation in all
	pos     int
	reading bool
	mask    uint64 // presence of optional fields; of a record being read, those to come
	bit     uint   // of a record being written: the next optional field
	err     error
}

// coders keeps coders: their visits by way of functions would otherwise cost
// an allocation for each record.
var coders = sync.Pool{New: func() any { return new(coder) }}

// writer begins a record that is appended to dst; finish ends it.
func writer(dst []byte, tag, version byte) *coder {
	c := coders.Get().(*coder)
	*c = coder{buf: append(dst, tag, version)}
	return c
}

func (c *coder) finish() []byte {
	buf := c.buf
	*c = coder{}
	coders.Put(c)
	return buf
}

// checkHeader holds a record to the kind and version that are expected.
func checkHeader(rec []byte, tag, version byte) error {
	if len(rec) < 2 {
		return fmt.Errorf("%w: shorter than its header", ErrCorrupt)
	}
	if rec[0] != tag || rec[1] != version {
		return &VersionError{Want: tag, Tag: rec[0], Version: rec[1]}
	}
	return nil
}

// reader begins to read a record; end ends it.
func reader(rec []byte, tag, version byte) (*coder, error) {
	return readerOf(rec, string(rec), tag, version)
}

// readerOf is reader with the record's text, which what is read shares.
func readerOf(rec []byte, text string, tag, version byte) (*coder, error) {
	if err := checkHeader(rec, tag, version); err != nil {
		return nil, err
	}
	c := coders.Get().(*coder)
	*c = coder{buf: rec, text: text, pos: 2, reading: true}
	return c, nil
}

// end finishes reading: nothing may be left.
func (c *coder) end() error {
	if c.err == nil && c.pos != len(c.buf) {
		c.fail("bytes after its end")
	}
	err := c.err
	*c = coder{}
	coders.Put(c)
	return err
}

func (c *coder) fail(why string) {
	if c.err == nil {
		c.err = fmt.Errorf("%w: %s at byte %d", ErrCorrupt, why, c.pos)
	}
	c.pos, c.mask = len(c.buf), 0
}

// has visits the presence of an optional field: present tells a writer
// whether the field has a value, and a reader is told by the mask.
func (c *coder) has(present bool) bool {
	if c.reading {
		is := c.mask&1 != 0 // a failure among the fields leaves none present
		c.mask >>= 1
		return is
	}
	if present {
		c.mask |= 1 << (c.bit & 63)
	}
	c.bit++
	return present
}

// need refuses an optional field that was marked as present and is empty.
func (c *coder) need(nonzero bool) {
	if !nonzero && c.reading && c.err == nil {
		c.fail("a field that is present and empty")
	}
}

func (c *coder) byte(v *byte) {
	if !c.reading {
		c.buf = append(c.buf, *v)
		return
	}
	if c.pos >= len(c.buf) {
		c.fail("cut short")
		*v = 0
		return
	}
	*v = c.buf[c.pos]
	c.pos++
}

func (c *coder) bool(v *bool) {
	var b byte
	if *v {
		b = 1
	}
	c.byte(&b)
	if b > 1 {
		c.fail("a malformed flag")
	}
	*v = b == 1
}

// fixed visits eight big-endian bytes.
func (c *coder) fixed(v *uint64) {
	if !c.reading {
		c.buf = binary.BigEndian.AppendUint64(c.buf, *v)
		return
	}
	if len(c.buf)-c.pos < 8 {
		c.fail("cut short")
		*v = 0
		return
	}
	*v = binary.BigEndian.Uint64(c.buf[c.pos:])
	c.pos += 8
}

func (c *coder) time(v *int64) {
	u := uint64(*v)
	c.fixed(&u)
	*v = int64(u)
}

// moment visits a time, unix ns, that is most often a whole second: those are
// counted in seconds and take five bytes. It is never before 1970.
func (c *coder) moment(v *int64) {
	const second = 1_000_000_000
	if !c.reading {
		u := uint64(*v)<<1 | 1
		if *v%second == 0 {
			u = uint64(*v/second) << 1
		}
		c.uvarint(&u)
		return
	}
	u := c.number()
	if u&1 == 0 {
		if u>>1 > math.MaxInt64/second {
			c.fail("a time out of range")
			u = 0
		}
		*v = int64(u>>1) * second
		return
	}
	*v = int64(u >> 1)
	if *v%second == 0 {
		c.fail("a whole second that is not written as one")
	}
}

func (c *coder) op(v *OpID)           { c.fixed((*uint64)(v)) }
func (c *coder) account(v *AccountID) { c.fixed((*uint64)(v)) }

func (c *coder) raw(v []byte) {
	if !c.reading {
		c.buf = append(c.buf, v...)
		return
	}
	if len(c.buf)-c.pos < len(v) {
		c.fail("cut short")
		return
	}
	copy(v, c.buf[c.pos:])
	c.pos += len(v)
}

// length visits a length or count of things that take at least min bytes
// each, so that no record makes a reader allocate more than its own size.
func (c *coder) length(n, min int) int {
	u := uint64(n)
	c.uvarint(&u)
	// Multiplied only when it can't overflow: a division costs more than all else
	// here.
	left := uint64(len(c.buf) - c.pos)
	if c.reading && (u > left || u*uint64(min) > left) {
		c.fail("a length beyond its end")
		return 0
	}
	return int(u)
}

func (c *coder) string(v *string) {
	if c.reading && c.pos < len(c.buf) {
		// Most strings are short, and are read without a call.
		from := c.pos + 1
		if n := c.buf[c.pos]; n < 0x80 && int(n) <= len(c.text)-from {
			c.pos = from + int(n)
			*v = c.text[from:c.pos]
			return
		}
	}
	n := c.length(len(*v), 1)
	if !c.reading {
		c.buf = append(c.buf, *v...)
		return
	}
	*v = c.text[c.pos : c.pos+n]
	c.pos += n
}

// bytes visits a byte string; a reader copies it.
func (c *coder) bytes(v *[]byte) {
	n := c.length(len(*v), 1)
	if !c.reading {
		c.buf = append(c.buf, *v...)
		return
	}
	*v = append((*v)[:0], c.buf[c.pos:c.pos+n]...)
	c.pos += n
}

// items visits a list of things that take at least min bytes each. A reader
// uses the room that the list already has.
func items[T any](c *coder, s *[]T, min int, visit func(*coder, *T)) {
	n := c.length(len(*s), min)
	if c.reading {
		*s = resize(*s, n)
	}
	for i := range *s {
		visit(c, &(*s)[i])
	}
}

func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// Optional fields: present in the record only when they are not zero.

func (c *coder) optInt(v *int64) {
	if c.has(*v != 0) {
		c.int64(v)
		c.need(*v != 0)
	} else if c.reading {
		*v = 0
	}
}

func (c *coder) optInt32(v *int32) {
	if c.has(*v != 0) {
		c.int32(v)
		c.need(*v != 0)
	} else if c.reading {
		*v = 0
	}
}

func (c *coder) optUint32(v *uint32) {
	if c.has(*v != 0) {
		c.uint32(v)
		c.need(*v != 0)
	} else if c.reading {
		*v = 0
	}
}

func (c *coder) optTime(v *int64) {
	if c.has(*v != 0) {
		c.time(v)
		c.need(*v != 0)
	} else if c.reading {
		*v = 0
	}
}

func (c *coder) optOp(v *OpID) {
	if c.has(*v != 0) {
		c.op(v)
		c.need(*v != 0)
	} else if c.reading {
		*v = 0
	}
}

func (c *coder) optAccount(v *AccountID) {
	if c.has(*v != 0) {
		c.account(v)
		c.need(*v != 0)
	} else if c.reading {
		*v = 0
	}
}

func (c *coder) optString(v *string) {
	if c.has(*v != "") {
		c.string(v)
		c.need(*v != "")
	} else if c.reading {
		*v = ""
	}
}

func (c *coder) optBytes(v *[]byte) {
	if c.has(len(*v) != 0) {
		c.bytes(v)
		c.need(len(*v) != 0)
	} else if c.reading {
		*v = (*v)[:0]
	}
}

func optList[T any](c *coder, s *[]T, min int, visit func(*coder, *T)) {
	if c.has(len(*s) != 0) {
		items(c, s, min, visit)
		c.need(len(*s) != 0)
	} else if c.reading {
		*s = (*s)[:0]
	}
}

func stringItem(c *coder, s *string) { c.string(s) }

func partItem(c *coder, p *LotPart) {
	c.moment(&p.Active)
	c.moment(&p.Expires)
	c.int64(&p.Points)
	c.bool(&p.Own)
}

func daySumItem(c *coder, d *DaySum) {
	c.int32(&d.Day)
	c.int64(&d.Spent)
}

const (
	partMin   = 4 // bytes that a part takes at least
	daySumMin = 2
)
