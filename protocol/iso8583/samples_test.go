package iso8583

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tillgate/protocol"
)

// profiles are the dialects every codec test runs through.
var profiles = map[string]Profile{
	"default":     {},
	"bcd":         {BCD: true, Framing: Framing{Length: LengthBCD, TPDU: true}},
	"hex":         {HexBitmap: true, Framing: Framing{Length: LengthASCII}},
	"long-basket": {LongBasket: true},
	"all":         {BCD: true, HexBitmap: true, LongBasket: true, Framing: Framing{TPDU: true}},
}

// sample is a real message of a till's day.
type sample struct {
	name  string
	build func(t testing.TB, m *Message)
}

// set fills a message from pairs of field and value.
func set(t testing.TB, m *Message, mti string, values map[int]string) {
	t.Helper()
	require.NoError(t, m.SetMTI(mti))
	for n, v := range values {
		require.NoError(t, m.Set(n, v), "field %d", n)
	}
}

// common are the fields that every message of the sample till has.
func common(more map[int]string) map[int]string {
	values := map[int]string{
		7: "1120073105", 11: "000017", 12: "123105", 13: "1120", 32: "9001",
		41: "T0001", 42: "S01", 49: "398",
	}
	for n, v := range more {
		values[n] = v
	}
	return values
}

func loyalty(t testing.TB, m *Message, pairs ...any) {
	t.Helper()
	var tlvs TLVs
	for i := 0; i < len(pairs); i += 2 {
		tlvs.Add(pairs[i].(int), pairs[i+1].(string))
	}
	require.NoError(t, tlvs.Into(m, 48))
}

var sampleLines = []protocol.Line{
	{ID: "1", SKU: "4601", Category: "coffee", Quantity: 1000, Price: 70000, Amount: 70000},
	{ID: "2", SKU: "4602", Category: "pastry", Brand: "Бим", Quantity: 2345, Price: 30000, Amount: 60000},
}

// samples holds at least one message of every MTI that docs/iso8583.md names.
var samples = []sample{
	{"0100 balance", func(t testing.TB, m *Message) {
		set(t, m, "0100", common(map[int]string{2: "4276000011112222", 3: "300000", 22: "021"}))
	}},
	{"0100 authorize", func(t testing.TB, m *Message) {
		set(t, m, "0100", common(map[int]string{3: "000000", 4: "130000", 60: "45/7"}))
		loyalty(t, m, TagIdentifierKind, "CODE", TagIdentifier, "123456", TagRedeem, "65000", TagCashier, "C7",
			TagReceipt, "000123", TagPromo, "SUMMER", TagPromo, "ЛЕТО", TagPartial, "Y", TagTender, "card")
		require.NoError(t, m.SetBasket(sampleLines))
	}},
	{"0110 authorize", func(t testing.TB, m *Message) {
		set(t, m, "0110", map[int]string{
			3: "000000", 4: "130000", 11: "000017", 12: "123105", 13: "1120", 32: "9001",
			37: "0A0000000017", 38: "A1B2C3", 39: "00", 41: "T0001", 42: "S01", 49: "398",
			54: "0001398C000000035000", 63: "Спасибо\n35.00",
		})
		loyalty(t, m, TagHold, "0A0000000017")
	}},
	{"0200 accrue", func(t testing.TB, m *Message) {
		set(t, m, "0200", common(map[int]string{3: "000000", 4: "50000"}))
		loyalty(t, m, TagIdentifierKind, "PHON", TagIdentifier, "+77011234567", TagKey, "k-1")
	}},
	{"0201 redeem repeated", func(t testing.TB, m *Message) {
		set(t, m, "0201", common(map[int]string{3: "170000", 4: "130000"}))
		loyalty(t, m, TagIdentifierKind, "CARD", TagIdentifier, "AB-77", TagRedeem, "MAX")
	}},
	{"0200 return", func(t testing.TB, m *Message) {
		set(t, m, "0200", common(map[int]string{3: "200000", 37: "0A0000000017"}))
		require.NoError(t, m.SetReturnLines([]protocol.ReturnLine{{ID: "1"}, {ID: "2", Quantity: 500}}))
	}},
	{"0220 confirm", func(t testing.TB, m *Message) {
		set(t, m, "0220", common(map[int]string{3: "000000", 4: "130000", 37: "0A0000000017", 60: "45"}))
		loyalty(t, m, TagReceipt, "000123")
		var printed TLVs
		require.NoError(t, printed.Add(TagRedeemed, "65000").Add(TagPayable, "65000").Into(m, 61))
	}},
	{"0221 offline accrual", func(t testing.TB, m *Message) {
		set(t, m, "0221", common(map[int]string{3: "000000", 4: "50000"}))
		loyalty(t, m, TagIdentifierKind, "MAIL", TagIdentifier, "a@b.kz", TagReceipt, "000124")
	}},
	{"0400 reversal", func(t testing.TB, m *Message) {
		set(t, m, "0400", common(nil))
		require.NoError(t, m.SetOriginal("0100", "000016", "1120073000"))
	}},
	{"0401 reversal repeated", func(t testing.TB, m *Message) {
		set(t, m, "0401", common(map[int]string{37: "0A0000000017"}))
	}},
	{"0420 reversal advice", func(t testing.TB, m *Message) {
		set(t, m, "0420", common(nil))
		require.NoError(t, m.SetOriginal("0201", "000016", ""))
	}},
	{"0421 reversal advice repeated", func(t testing.TB, m *Message) {
		set(t, m, "0421", common(map[int]string{37: "0A0000000017"}))
	}},
	{"0500 shift totals", shiftTotals("0500")},
	{"0501 shift totals repeated", shiftTotals("0501")},
	{"0520 shift totals advice", shiftTotals("0520")},
	{"0521 shift totals advice repeated", shiftTotals("0521")},
	{"0800 sign-on", network("0800", "001")},
	{"0800 sign-off", network("0800", "002")},
	{"0801 echo", network("0801", "301")},
	{"0800 cut-over", network("0800", "201")},
	{"0100 signed", func(t testing.TB, m *Message) {
		set(t, m, "0100", common(map[int]string{2: "4276", 3: "300000", 53: "0000000000000001", 64: "\x00\xff\x10\x80abcd"}))
	}},
	{"0500 signed", func(t testing.TB, m *Message) {
		shiftTotals("0500")(t, m)
		require.NoError(t, m.Set(128, "\x00\xff\x10\x80abcd"))
	}},
}

func shiftTotals(mti string) func(testing.TB, *Message) {
	return func(t testing.TB, m *Message) {
		set(t, m, mti, map[int]string{7: "1120180000", 11: "000099", 41: "T0001", 42: "S01", 50: "398", 60: "45"})
		require.NoError(t, m.SetTotals(&protocol.ShiftTotals{
			SalesCount: 12, Sales: 1_560_000, ReturnsCount: 1, Returns: 70_000,
			RedeemedCount: 3, Redeemed: 1_600_000, GivenBackCount: 1, GivenBack: 35_000, Net: -75_000,
		}))
	}
}

func network(mti, code string) func(testing.TB, *Message) {
	return func(t testing.TB, m *Message) {
		set(t, m, mti, map[int]string{7: "1120073105", 11: "000001", 41: "T0001", 70: code})
	}
}

// encoded is a sample in a profile's bytes.
func (s sample) encoded(t testing.TB, c *Codec) []byte {
	m := NewMessage(c)
	s.build(t, m)
	return c.AppendMessage(nil, m)
}
