package project

import (
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"errors"
	"hash"
	"slices"

	"tillgate/ledger"
)

// window is what has been received of a partition since its last seal: it is
// computed here over the received bytes, with no help of the ledger, and
// compared when the ledger's own seal comes.
type window struct {
	first uint64
	legs  [ledger.LegCount]int64
	hash  hash.Hash // SHA-256, begun with the last seal's hash; nil before the first record
}

// Verdicts on a sealed window.
const (
	VerdictEqual = "equal"
	VerdictRange = "range" // other records than the ledger sealed
	VerdictSums  = "sums"
	VerdictHash  = "hash"
)

// begin opens the next window behind a seal.
func (w *window) begin(first uint64, sealed [32]byte) {
	*w = window{first: first, hash: sha256.New()}
	w.hash.Write(sealed[:])
}

// add takes a record in, as ledger.Window says: its length as four bytes,
// big-endian, and its bytes.
func (w *window) add(op *ledger.Operation, record []byte) {
	if w.hash == nil {
		w.begin(op.ID.Sequence(), [32]byte{})
	}
	var n [4]byte
	binary.BigEndian.PutUint32(n[:], uint32(len(record)))
	w.hash.Write(n[:])
	w.hash.Write(record)
	for i, v := range op.Legs {
		w.legs[i] += v
	}
}

func openWindow(op *ledger.Operation) (*ledger.Window, error) {
	var sealed ledger.Window
	err := ledger.DecodeWindow(op.Data, &sealed)
	return &sealed, err
}

// judge compares the ledger's seal with what was received, and opens the next
// window.
func (w *window) judge(op *ledger.Operation, sealed *ledger.Window) string {
	verdict := VerdictEqual
	switch {
	case w.hash == nil || sealed.First != w.first || sealed.Last != op.ID.Sequence()-1:
		verdict = VerdictRange
	case sealed.Legs != w.legs:
		verdict = VerdictSums
	case !slices.Equal(w.hash.Sum(nil), sealed.Hash[:]):
		verdict = VerdictHash
	}
	w.begin(op.ID.Sequence(), sealed.Hash)
	return verdict
}

func windowRow(t *copyTable, op *ledger.Operation, sealed *ledger.Window, verdict string) {
	t.begin()
	t.opID(op.ID)
	t.integer(int32(op.ID.Partition()))
	t.bigint(int64(sealed.First))
	t.bigint(int64(sealed.Last))
	t.bigint(int64(sealed.Count()))
	t.bigints(sealed.Legs[:])
	t.bytea(sealed.Hash[:])
	t.text(verdict)
	t.timestamp(op.Time)
	t.end()
}

// The open window is kept with the position as: version (1 byte, 1), first (8
// bytes), the sums (8 each, in the chart's order), the state of SHA-256 as
// crypto/sha256 marshals it. Nothing is kept before the first record.
const windowVersion = 1

var errWindow = errors.New("the open window is not in a format of this version")

func (w *window) save() []byte {
	if w.hash == nil {
		return []byte{}
	}
	b := binary.BigEndian.AppendUint64([]byte{windowVersion}, w.first)
	for _, v := range w.legs {
		b = binary.BigEndian.AppendUint64(b, uint64(v))
	}
	b, err := w.hash.(encoding.BinaryAppender).AppendBinary(b)
	if err != nil {
		panic(err) // crypto/sha256 documents that it has none
	}
	return b
}

func (w *window) load(b []byte) error {
	if len(b) == 0 {
		*w = window{}
		return nil
	}
	const head = 1 + 8 + 8*int(ledger.LegCount)
	if b[0] != windowVersion || len(b) < head {
		return errWindow
	}
	*w = window{first: binary.BigEndian.Uint64(b[1:]), hash: sha256.New()}
	for i := range w.legs {
		w.legs[i] = int64(binary.BigEndian.Uint64(b[9+8*i:]))
	}
	return w.hash.(encoding.BinaryUnmarshaler).UnmarshalBinary(b[head:])
}
