package iso8583

import (
	"fmt"

	moov "github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/padding"
	"github.com/moov-io/iso8583/prefix"
)

// Kind is what a field's value is made of, in the notation of ISO 8583:1987.
type Kind uint8

const (
	Digits   Kind = iota + 1 // n: ASCII digits, or two digits a byte in a BCD profile
	Alnum                    // an: ASCII letters, digits and space
	Text                     // ans: UTF-8, the length in bytes
	SignedNo                 // x+n: "C" or "D" and digits
	Binary                   // b: bytes as they are
)

// String is the notation of the standard.
func (k Kind) String() string {
	return [...]string{"?", "n", "an", "ans", "x+n", "b"}[k]
}

// Form is how the length of a value is known. Its number is the count of the
// length's digits.
type Form uint8

const (
	Fixed   Form = 0
	LLVar   Form = 2
	LLLVar  Form = 3
	LLLLVar Form = 4
)

// Field is one row of the field table.
type Field struct {
	Number int
	Name   string
	Kind   Kind
	Form   Form
	Length int  // exact for Fixed, else the maximum; digits of n, bytes of the rest
	Long   int  // maximum with a four-digit length in a LongBasket profile; 0: no variant
	Secret bool // masked in every dump
	Unused bool // accepted because tills send it; takes part in the content hash only
}

// table is THE field table: what a message may hold. Lengths are those of
// ISO 8583:1987 but for DE53 (the number of the MAC key), DE60–63 (private
// use, as docs/iso8583.md defines them) and DE97. A field that is not here is refused.
var table = [...]Field{
	{Number: 2, Name: "Card number", Kind: Digits, Form: LLVar, Length: 19, Secret: true},
	{Number: 3, Name: "Processing code", Kind: Digits, Length: 6},
	{Number: 4, Name: "Amount", Kind: Digits, Length: 12},
	{Number: 7, Name: "Transmission time, GMT", Kind: Digits, Length: 10},
	{Number: 11, Name: "System trace audit number (STAN)", Kind: Digits, Length: 6},
	{Number: 12, Name: "Local time", Kind: Digits, Length: 6},
	{Number: 13, Name: "Local date", Kind: Digits, Length: 4},
	{Number: 14, Name: "Expiration date", Kind: Digits, Length: 4, Secret: true, Unused: true},
	{Number: 18, Name: "Merchant type", Kind: Digits, Length: 4, Unused: true},
	{Number: 22, Name: "Entry mode", Kind: Digits, Length: 3, Unused: true},
	{Number: 24, Name: "Network identifier", Kind: Digits, Length: 3, Unused: true},
	{Number: 25, Name: "Point of service condition", Kind: Digits, Length: 2, Unused: true},
	{Number: 32, Name: "Acquirer", Kind: Digits, Form: LLVar, Length: 11},
	{Number: 33, Name: "Forwarding institution", Kind: Digits, Form: LLVar, Length: 11, Unused: true},
	{Number: 37, Name: "Retrieval reference", Kind: Alnum, Length: 12},
	{Number: 38, Name: "Approval code", Kind: Alnum, Length: 6},
	{Number: 39, Name: "Answer", Kind: Alnum, Length: 2},
	{Number: 41, Name: "Terminal", Kind: Text, Length: 8},
	{Number: 42, Name: "Store", Kind: Text, Length: 15},
	{Number: 43, Name: "Store name and location", Kind: Text, Length: 40, Unused: true},
	{Number: 44, Name: "Additional response", Kind: Text, Form: LLVar, Length: 25},
	{Number: 48, Name: "Loyalty data", Kind: Text, Form: LLLVar, Length: 999},
	{Number: 49, Name: "Currency", Kind: Digits, Length: 3},
	{Number: 50, Name: "Currency of the totals", Kind: Digits, Length: 3},
	{Number: 53, Name: "MAC key number", Kind: Digits, Length: 16, Secret: true},
	{Number: 54, Name: "Balances", Kind: Alnum, Form: LLLVar, Length: 120},
	{Number: 60, Name: "Shift and batch", Kind: Text, Form: LLLVar, Length: 999},
	{Number: 61, Name: "Results", Kind: Text, Form: LLLVar, Length: 999},
	{Number: 62, Name: "Basket", Kind: Text, Form: LLLVar, Length: 999, Long: MaxFrame},
	{Number: 63, Name: "Slip text", Kind: Text, Form: LLLVar, Length: 999},
	{Number: 64, Name: "MAC", Kind: Binary, Length: 8, Secret: true},
	{Number: 70, Name: "Network management code", Kind: Digits, Length: 3},
	{Number: 74, Name: "Sales, number", Kind: Digits, Length: 10},
	{Number: 75, Name: "Returns, number", Kind: Digits, Length: 10},
	{Number: 76, Name: "Redemptions, number", Kind: Digits, Length: 10},
	{Number: 77, Name: "Points given back, number", Kind: Digits, Length: 10},
	{Number: 86, Name: "Sales, amount", Kind: Digits, Length: 16},
	{Number: 87, Name: "Returns, amount", Kind: Digits, Length: 16},
	{Number: 88, Name: "Redemptions, amount", Kind: Digits, Length: 16},
	{Number: 89, Name: "Points given back, amount", Kind: Digits, Length: 16},
	{Number: 90, Name: "Original data elements", Kind: Digits, Length: 42},
	{Number: 97, Name: "Net amount", Kind: SignedNo, Length: 17},
	{Number: 128, Name: "MAC", Kind: Binary, Length: 8, Secret: true},
}

// MaxFrame is the largest message in bytes, TPDU included, length header not.
// It holds a basket of some 250 described lines or 500 bare ones; a longer one
// is refused before it is read, so that a connection never costs more than
// its buffer.
const MaxFrame = 8 << 10

// slots is how many values a Message may hold.
const slots = len(table)

// Profile is a listener's dialect. The zero Profile is the default: ASCII
// fields, binary bitmap, two bytes of big-endian length, no TPDU.
type Profile struct {
	Framing    Framing
	BCD        bool // MTI, n fields and lengths are packed two digits a byte
	HexBitmap  bool // bitmaps are 16 hex digits instead of 8 bytes
	LongBasket bool // DE62 has a four-digit length
	KeyByDE7   bool // the duplicate key takes DE7 in place of DE12 and DE13
}

// form is the row's length in this profile.
func (p Profile) form(f *Field) (Form, int) {
	if p.LongBasket && f.Long > 0 {
		return LLLLVar, f.Long
	}
	return f.Form, f.Length
}

// MessageSpec is the table as moov-io/iso8583 reads it. It is the reference
// that the hot path's codec is held to, and what dumps are made with.
func (p Profile) MessageSpec() *moov.MessageSpec {
	fields := map[int]field.Field{
		0: field.NewString(p.spec(&Field{Name: "Message type", Kind: Digits, Length: 4})),
		1: field.NewBitmap(p.bitmapSpec()),
	}
	for i := range table {
		row := &table[i]
		if row.Kind == Binary {
			fields[row.Number] = field.NewBinary(p.spec(row))
			continue
		}
		fields[row.Number] = field.NewString(p.spec(row))
	}
	return &moov.MessageSpec{Name: "tillgate ISO 8583:1987", Fields: fields}
}

func (p Profile) bitmapSpec() *field.Spec {
	spec := &field.Spec{Length: 8, Description: "Bitmap", Enc: encoding.Binary, Pref: prefix.Binary.Fixed}
	if p.HexBitmap {
		spec.Enc, spec.Pref = encoding.BytesToASCIIHex, prefix.Hex.Fixed
	}
	return spec
}

// spec is one row as moov reads it. Digits are Strings there, because its
// Numeric drops leading zeros; Text is binary-encoded, because its ASCII
// encoding refuses UTF-8.
func (p Profile) spec(row *Field) *field.Spec {
	form, length := p.form(row)
	spec := &field.Spec{Length: length, Description: row.Name, Pref: p.prefix(form)}
	switch row.Kind {
	case Digits:
		spec.Enc = encoding.ASCII
		if p.BCD {
			spec.Enc = encoding.BCD
		}
	case SignedNo:
		spec.Enc = encoding.ASCII
		if p.BCD {
			spec.Enc = signedBCD{}
		}
	case Alnum:
		spec.Enc = encoding.ASCII
	default:
		spec.Enc = encoding.Binary
	}
	if form == Fixed && padded(row.Kind) {
		spec.Pad = padding.Right(' ')
	}
	return spec
}

func (p Profile) prefix(form Form) prefix.Prefixer {
	family := prefix.ASCII
	if p.BCD {
		family = prefix.BCD
	}
	switch form {
	case LLVar:
		return family.LL
	case LLLVar:
		return family.LLL
	case LLLLVar:
		return family.LLLL
	}
	return family.Fixed
}

// padded reports whether a fixed field of the kind is filled up with spaces
// on the right, which are not part of its value.
func padded(k Kind) bool { return k == Alnum || k == Text }

// signedBCD is moov's encoding of an x+n field in a BCD profile: the sign as
// an ASCII letter, then two digits a byte.
type signedBCD struct{}

func (signedBCD) Encode(data []byte) ([]byte, error) {
	if len(data) == 0 {
		return nil, fmt.Errorf("a signed amount has a sign")
	}
	packed, err := encoding.BCD.Encode(data[1:])
	if err != nil {
		return nil, err
	}
	return append([]byte{data[0]}, packed...), nil
}

func (signedBCD) Decode(data []byte, length int) ([]byte, int, error) {
	if len(data) == 0 || length == 0 {
		return nil, 0, fmt.Errorf("a signed amount has a sign")
	}
	digits, read, err := encoding.BCD.Decode(data[1:], length-1)
	if err != nil {
		return nil, 0, err
	}
	return append([]byte{data[0]}, digits...), read + 1, nil
}
