package iso8583

import (
	"fmt"
	"strconv"
)

// Tags of DE48, the loyalty data. Number 04 is not used.
const (
	TagIdentifierKind = 1  // PHON, CARD, CODE, MEMB or MAIL
	TagIdentifier     = 2  // personal data: masked in dumps
	TagRedeem         = 3  // points to redeem in minor units, or MAX
	TagHold           = 5  // a hold's id
	TagKey            = 6  // idempotency id, 1 to 64 visible characters
	TagPromo          = 7  // promo code; the only tag that repeats
	TagCashier        = 8  //
	TagChannel        = 9  //
	TagReceipt        = 10 // receipt number, or number/shift where the shift is not DE60's
	TagStoreGroup     = 11 //
	TagTender         = 12 // how the money part is paid
	TagPartial        = 13 // Y: fewer points are fine; N
)

// Tags of DE61, the results. Sums are minor units.
const (
	TagEarned    = 1
	TagRedeemed  = 2
	TagPayable   = 3
	TagDiscount  = 4
	TagTier      = 5
	TagActive    = 6 // of the earned points: YYYYMMDDThhmmss±hhmm
	TagExpires   = 7 // likewise
	TagLines     = 8 // per line id:discount:redeemed:earned, separated by ;
	TagMaxPoints = 9 // in a refused redemption: how many points would be allowed
)

// tlvHeader is the length of a TLV's tag (2 digits) and length (3 digits).
const tlvHeader = 5

// AppendTLV appends a tag (1 to 99) with its value: two digits of tag, three
// digits of length in bytes, the value. Empty values and values over 999 bytes
// are refused.
func AppendTLV(dst []byte, tag int, value string) ([]byte, error) {
	if tag < 1 || tag > 99 {
		return dst, fmt.Errorf("tag %d is not within 1 to 99", tag)
	}
	if len(value) == 0 || len(value) > 999 {
		return dst, fmt.Errorf("tag %02d: a value has 1 to 999 bytes, not %d", tag, len(value))
	}
	return append(appendTLVHeader(dst, tag, len(value)), value...), nil
}

func appendTLVHeader(dst []byte, tag, n int) []byte {
	return append(dst, '0'+byte(tag/10), '0'+byte(tag%10), '0'+byte(n/100), '0'+byte(n/10%10), '0'+byte(n%10))
}

// appendTLVInt appends a tag with a number.
func appendTLVInt(dst []byte, tag int, n int64) []byte {
	var digits [20]byte
	value := strconv.AppendInt(digits[:0], n, 10)
	return append(appendTLVHeader(dst, tag, len(value)), value...)
}

// NextTLV takes the first tag off data; ok is false when data is malformed: a
// tag that is not two digits, a length that is not three digits, is zero or
// goes over the end.
func NextTLV(data []byte) (tag int, value, rest []byte, ok bool) {
	if len(data) < tlvHeader || !allDigits(data[:tlvHeader]) {
		return 0, nil, nil, false
	}
	tag = int(data[0]-'0')*10 + int(data[1]-'0')
	n := int(data[2]-'0')*100 + int(data[3]-'0')*10 + int(data[4]-'0')
	if tag == 0 || n == 0 || len(data)-tlvHeader < n {
		return 0, nil, nil, false
	}
	return tag, data[tlvHeader : tlvHeader+n], data[tlvHeader+n:], true
}

// separates reports whether b holds a byte that the sub-formats of DE61 and
// DE62 use between values, and which can therefore not stand in one.
func separates(s string) bool {
	for i := range len(s) {
		if s[i] == '|' || s[i] == ';' || s[i] == ':' {
			return true
		}
	}
	return false
}

// visible reports whether the value has only printable characters: control
// characters in a name or a number have no meaning and only spoil logs.
func visible(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c == 0x7f {
			return false
		}
	}
	return true
}
