package ledger

import "encoding/binary"

// Keyspaces: the first byte of every key. What belongs to a partition has it
// next, as two big-endian bytes, so that a partition is a few ranges.
const (
	spaceJournal   byte = 'j' // partition 2, sequence 8 → 'J'
	spaceAccount   byte = 'a' // partition 2, account 8 → 'A'
	spaceSale      byte = 's' // partition 2, sequence 8 → 'S'
	spaceDups      byte = 'd' // day 4, key 16 → 'D'
	spaceReceipts  byte = 'r' // key 16 → 'R'
	spaceShift     byte = 'b' // key 16, operation 8 → 'B'
	spaceLink      byte = 'i' // key 16 → 'I'
	spaceProfile   byte = 'p' // account 8 → 'P'
	spaceParked    byte = 'z' // operation 8 → 'Z'
	spaceCode      byte = 'k' // partition 2, code 16 → 'K'
	spaceCodeOf    byte = 'c' // partition 2, account 8 → the 16 bytes of its code
	spaceTransfer  byte = 'o' // partition 2, sequence 8, index 2 → 'O'
	spaceDue       byte = 'q' // partition 2, second 8, account 8 → nothing
	spaceWatermark byte = 'w' // receiver 2, source 2 → 'W'
	spaceProgram   byte = 'g' // merchant length 1, merchant, version 4 → 'G'
	spaceDirectory byte = 'y' // kind 1, merchant length 1, merchant, row id → the caller's
	spaceSealed    byte = 'e' // kind 1, merchant length 1, merchant, row id → 'Y'
	spaceMeta      byte = 'x' // name → the caller's
	spaceShared    byte = 'n' // partition 2, last day 4, counter 8 → 'C'
	spaceAudit     byte = 'h' // number 8 → 'H'
	spaceBase      byte = 'f' // partition 2 → 'F'; nothing → 'U'
)

// maxKey is the longest key of a fixed length; such keys fit a [smallKey].
const maxKey = 28

func appendPartition(dst []byte, space byte, partition int) []byte {
	return append(dst, space, byte(partition>>8), byte(partition))
}

func journalKey(dst []byte, id OpID) []byte {
	return binary.BigEndian.AppendUint64(appendPartition(dst, spaceJournal, id.Partition()), id.Sequence())
}

func accountKey(dst []byte, partition int, id AccountID) []byte {
	return binary.BigEndian.AppendUint64(appendPartition(dst, spaceAccount, partition), uint64(id))
}

func saleKey(dst []byte, id OpID) []byte {
	return binary.BigEndian.AppendUint64(appendPartition(dst, spaceSale, id.Partition()), id.Sequence())
}

func hashKey(dst []byte, space byte, k Key) []byte {
	return append(append(dst, space), k[:]...)
}

func shiftEntryKey(dst []byte, k Key, id OpID) []byte {
	return binary.BigEndian.AppendUint64(hashKey(dst, spaceShift, k), uint64(id))
}

func profileKey(dst []byte, id AccountID) []byte {
	return binary.BigEndian.AppendUint64(append(dst, spaceProfile), uint64(id))
}

func parkedKey(dst []byte, id OpID) []byte {
	return binary.BigEndian.AppendUint64(append(dst, spaceParked), uint64(id))
}

func codeKey(dst []byte, partition int, k Key) []byte {
	return append(appendPartition(dst, spaceCode, partition), k[:]...)
}

func codeOfKey(dst []byte, partition int, id AccountID) []byte {
	return binary.BigEndian.AppendUint64(appendPartition(dst, spaceCodeOf, partition), uint64(id))
}

func transferKey(dst []byte, id OpID, index uint16) []byte {
	dst = binary.BigEndian.AppendUint64(appendPartition(dst, spaceTransfer, id.Partition()), id.Sequence())
	return binary.BigEndian.AppendUint16(dst, index)
}

func dueKey(dst []byte, partition int, second int64, id AccountID) []byte {
	dst = binary.BigEndian.AppendUint64(appendPartition(dst, spaceDue, partition), uint64(second))
	return binary.BigEndian.AppendUint64(dst, uint64(id))
}

func watermarkKey(dst []byte, receiver, source int) []byte {
	return binary.BigEndian.AppendUint16(appendPartition(dst, spaceWatermark, receiver), uint16(source))
}

func programPrefix(dst []byte, merchant string) []byte {
	return append(append(dst, spaceProgram, byte(len(merchant))), merchant...)
}

func directoryPrefix(dst []byte, kind byte, merchant string) []byte {
	return append(append(dst, spaceDirectory, kind, byte(len(merchant))), merchant...)
}

func sealedPrefix(dst []byte, kind byte, merchant string) []byte {
	return append(append(dst, spaceSealed, kind, byte(len(merchant))), merchant...)
}

func metaKey(dst []byte, name string) []byte {
	return append(append(dst, spaceMeta), name...)
}

// after is the first key behind all that begin with prefix. No keyspace is
// 0xff, so there always is one.
func after(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] != 0xff {
			end[i]++
			return end[:i+1]
		}
	}
	return nil
}

// smallKey is a key of fixed length as a comparable value.
type smallKey struct {
	n byte
	b [maxKey]byte
}

func small(key []byte) (k smallKey) {
	k.n = byte(copy(k.b[:], key))
	return k
}
