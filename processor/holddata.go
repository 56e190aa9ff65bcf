package processor

import (
	"encoding/binary"
	"errors"

	"tillgate/ledger"
	"tillgate/protocol"
)

// holdData is what a hold's record keeps beside its figures (Operation.Data of
// authorizations, amendments, accruals and redemptions), version 1:
//
//	offset  size  what
//	0       1     1
//	1       1     how the member was named (protocol.IdentifierKind)
//	2       1     1: may spend by id
//	3       …     number of further earned lots, uvarint, at most 64; each:
//	              active, expires and points as varints, 1 byte own
//
// The further lots are those of rules with a term of their own; the sale's own
// lot is the operation's EarnedLot. Where there is something of it, what the
// decision said follows them, and the version has the bit saidFollows.
type holdData struct {
	kind      protocol.IdentifierKind
	spendByID bool
	more      []ledger.LotPart
	said      remarks
}

const (
	holdDataVersion = 1
	saidFollows     = 0x10
	maxMoreLots     = 64
)

var errHoldData = errors.New("a hold's record has data that can't be read")

func appendHoldData(dst []byte, h *holdData) []byte {
	version := byte(holdDataVersion)
	if !h.said.empty() {
		version |= saidFollows
	}
	dst = append(dst, version, byte(h.kind), boolByte(h.spendByID))
	dst = binary.AppendUvarint(dst, uint64(len(h.more)))
	for _, l := range h.more {
		dst = binary.AppendVarint(dst, l.Active)
		dst = binary.AppendVarint(dst, l.Expires)
		dst = binary.AppendVarint(dst, l.Points)
		dst = append(dst, boolByte(l.Own))
	}
	if !h.said.empty() {
		dst = appendRemarks(dst, &h.said)
	}
	return dst
}

// decodeHoldData reads data into h, using the room of its list.
func decodeHoldData(data []byte, h *holdData) error {
	h.more = h.more[:0]
	h.said.reset()
	if len(data) < 4 || data[0]&^saidFollows != holdDataVersion {
		return errHoldData
	}
	h.kind, h.spendByID = protocol.IdentifierKind(data[1]), data[2] == 1
	follows := data[0]&saidFollows != 0
	n, used := binary.Uvarint(data[3:])
	if used <= 0 || n > maxMoreLots {
		return errHoldData
	}
	data = data[3+used:]
	for range n {
		var l ledger.LotPart
		for _, v := range []*int64{&l.Active, &l.Expires, &l.Points} {
			x, used := binary.Varint(data)
			if used <= 0 {
				return errHoldData
			}
			*v, data = x, data[used:]
		}
		if len(data) == 0 || l.Points < 0 {
			return errHoldData
		}
		l.Own, data = data[0] == 1, data[1:]
		h.more = append(h.more, l)
	}
	if follows {
		return decodeRemarks(data, &h.said)
	}
	if len(data) != 0 {
		return errHoldData
	}
	return nil
}

func boolByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}
