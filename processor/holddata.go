package processor

import (
	"encoding/binary"
	"errors"

	"tillgate/ledger"
	"tillgate/protocol"
)

// holdData is what a hold's record keeps beside its figures (Operation.Data of
// authorizations, amendments, accruals and redemptions, and of registrations
// with a promo code), version 1:
//
//	offset  size  what
//	0       1     1
//	1       1     how the member was named (protocol.IdentifierKind)
//	2       1     1: may spend by id
//	        …     with the bit cardFollows: the card that was shown, as
//	              program.Facts.Card, 8 bytes, big-endian, and its type:
//	              length, uvarint, at most 64, and bytes
//	        …     with the bit paidFollows: the store's group as the request
//	              said it, length, uvarint, at most 64, and bytes; by what it is
//	              paid: number, uvarint, at most 16, and each as the group
//	        …     number of further earned lots, uvarint, at most 64; each:
//	              active, expires and points as varints, 1 byte own
//
// The further lots are those of rules with a term of their own; the sale's own
// lot is the operation's EarnedLot. Where there is something of it, what the
// decision said follows them, and the version has the bit saidFollows.
type holdData struct {
	kind      protocol.IdentifierKind
	spendByID bool
	card      uint64
	cardType  string
	group     string   // the store's, as the request said it
	tenders   []string // by what it is paid
	more      []ledger.LotPart
	said      remarks
}

const (
	holdDataVersion = 1
	saidFollows     = 0x10
	cardFollows     = 0x20
	paidFollows     = 0x40
	maxMoreLots     = 64
	maxCardType     = 64
	maxHoldWord     = 64
)

var errHoldData = errors.New("a hold's record has data that can't be read")

func appendHoldData(dst []byte, h *holdData) []byte {
	version := byte(holdDataVersion)
	if !h.said.empty() {
		version |= saidFollows
	}
	carded := h.card != 0 || h.cardType != ""
	if carded {
		version |= cardFollows
	}
	paid := h.group != "" || len(h.tenders) > 0
	if paid {
		version |= paidFollows
	}
	dst = append(dst, version, byte(h.kind), boolByte(h.spendByID))
	if carded {
		dst = binary.BigEndian.AppendUint64(dst, h.card)
		kind := h.cardType[:min(len(h.cardType), maxCardType)]
		dst = append(binary.AppendUvarint(dst, uint64(len(kind))), kind...)
	}
	if paid {
		dst = appendText(dst, h.group[:min(len(h.group), maxHoldWord)])
		dst = binary.AppendUvarint(dst, uint64(len(h.tenders)))
		for _, name := range h.tenders {
			dst = appendText(dst, name[:min(len(name), maxHoldWord)])
		}
	}
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
	h.card, h.cardType, h.group, h.tenders = 0, "", "", h.tenders[:0]
	if len(data) < 4 || data[0]&^(saidFollows|cardFollows|paidFollows) != holdDataVersion {
		return errHoldData
	}
	h.kind, h.spendByID = protocol.IdentifierKind(data[1]), data[2] == 1
	follows, carded, paid := data[0]&saidFollows != 0, data[0]&cardFollows != 0, data[0]&paidFollows != 0
	if data = data[3:]; carded {
		if data = h.takeCard(data); data == nil {
			return errHoldData
		}
	}
	if paid {
		if data = h.takePaid(data); data == nil {
			return errHoldData
		}
	}
	n, used := binary.Uvarint(data)
	if used <= 0 || n > maxMoreLots {
		return errHoldData
	}
	data = data[used:]
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

// takeCard reads the card and returns what follows it; nil if it can't be
// read.
func (h *holdData) takeCard(data []byte) []byte {
	if len(data) < 9 {
		return nil
	}
	h.card, data = binary.BigEndian.Uint64(data), data[8:]
	n, used := binary.Uvarint(data)
	if used <= 0 || n > maxCardType || uint64(len(data)-used) < n {
		return nil
	}
	h.cardType = string(data[used : used+int(n)])
	return data[used+int(n):]
}

// takePaid reads the group and the tenders and returns what follows them; nil
// if they can't be read.
func (h *holdData) takePaid(data []byte) []byte {
	word := func(to *string) bool {
		n, used := binary.Uvarint(data)
		if used <= 0 || n > maxHoldWord || uint64(len(data)-used) < n {
			return false
		}
		*to, data = string(data[used:used+int(n)]), data[used+int(n):]
		return true
	}
	if !word(&h.group) {
		return nil
	}
	n, used := binary.Uvarint(data)
	if used <= 0 || n > protocol.MaxPayments {
		return nil
	}
	data = data[used:]
	for range n {
		var name string
		if !word(&name) {
			return nil
		}
		h.tenders = append(h.tenders, name)
	}
	if data == nil {
		return []byte{}
	}
	return data
}

func boolByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}
