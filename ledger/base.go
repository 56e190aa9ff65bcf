package ledger

import "encoding/binary"

// base is where a partition's kept journal begins, and what was dropped before
// it adds up to: with it the chain of windows and the books stay provable.
//
//	'F' base        first, sales, windows, legs, hash 32
//	'U' duplicates  first day kept, as UTC day number
type base struct {
	// first is the sequence of the first record kept: 1, or the record of a
	// window, whose predecessors have all been dropped.
	first uint64
	// sales is the sequence of the first sale kept, not below first.
	sales   uint64
	windows uint64          // windows whose records have been dropped
	legs    [LegCount]int64 // Σ over the dropped records
	hash    [32]byte        // of the last dropped window; the record first carries it
}

const (
	baseVersion    = 1
	dupBaseVersion = 1
)

// baseKey is where the base of a partition lies; there is none before the
// first drop.
func baseKey(dst []byte, partition int) []byte {
	return binary.BigEndian.AppendUint16(append(dst, spaceBase), uint16(partition))
}

func dupBaseKey(dst []byte) []byte { return append(dst, spaceBase) }

func baseFields(c *coder, b *base) {
	c.uvarint(&b.first)
	c.uvarint(&b.sales)
	c.uvarint(&b.windows)
	legsItem(c, &b.legs)
	c.raw(b.hash[:])
	c.need(b.first > 0 && b.sales >= b.first)
}

func appendBase(dst []byte, b *base) []byte {
	c := writer(dst, tagBase, baseVersion)
	baseFields(c, b)
	return c.finish()
}

func decodeBase(rec []byte, b *base) error {
	c, err := reader(rec, tagBase, baseVersion)
	if err != nil {
		return err
	}
	baseFields(c, b)
	return c.end()
}

func appendDupBase(dst []byte, day *int32) []byte {
	c := writer(dst, tagDupBase, dupBaseVersion)
	c.int32(day)
	return c.finish()
}

func decodeDupBase(rec []byte, day *int32) error {
	c, err := reader(rec, tagDupBase, dupBaseVersion)
	if err != nil {
		return err
	}
	c.int32(day)
	c.need(*day >= 0)
	return c.end()
}
