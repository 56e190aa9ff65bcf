package iso8583

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tillgate/protocol"
)

func TestTLV(t *testing.T) {
	data, err := AppendTLV(nil, TagIdentifierKind, "CARD")
	require.NoError(t, err)
	data, err = AppendTLV(data, TagPromo, "ЛЕТО")
	require.NoError(t, err)
	require.Equal(t, "01004CARD07008ЛЕТО", string(data), "the length is in bytes")

	tag, value, rest, ok := NextTLV(data)
	require.True(t, ok)
	require.Equal(t, TagIdentifierKind, tag)
	require.Equal(t, "CARD", string(value))
	tag, value, rest, ok = NextTLV(rest)
	require.True(t, ok)
	require.Equal(t, TagPromo, tag)
	require.Equal(t, "ЛЕТО", string(value))
	require.Empty(t, rest)

	for _, bad := range []string{"", "0", "01", "0100", "01001", "01002x", "01000", "00001x", "0a001x", "01 01x", "010-1x"} {
		_, _, _, ok := NextTLV([]byte(bad))
		require.False(t, ok, bad)
	}
	for _, bad := range []struct {
		tag   int
		value string
	}{{0, "x"}, {100, "x"}, {1, ""}, {1, strings.Repeat("x", 1000)}} {
		_, err := AppendTLV(nil, bad.tag, bad.value)
		require.Error(t, err)
	}
}

func TestTLVBuilder(t *testing.T) {
	m := NewMessage(NewCodec(Profile{}))
	require.NoError(t, new(TLVs).Add(TagCashier, "").Into(m, 48))
	require.False(t, m.Has(48))
	require.NoError(t, new(TLVs).Add(TagCashier, "C7").Add(TagChannel, "store").Into(m, 48))
	require.Equal(t, "08002C709005store", m.Text(48))
	require.Error(t, new(TLVs).Add(TagCashier, strings.Repeat("x", 1000)).Add(TagChannel, "store").Into(m, 48))
	require.Equal(t, Fault{48, TooLong}, new(TLVs).Add(TagCashier, strings.Repeat("x", 500)).Add(TagChannel, strings.Repeat("x", 500)).Into(m, 48))
}

func TestBasket(t *testing.T) {
	data, err := AppendBasket(nil, sampleLines)
	require.NoError(t, err)
	require.Equal(t, "1|4601|coffee||1|70000|70000;2|4602|pastry|Бим|2.345|30000|60000", string(data))
	data, err = AppendReturnLines(nil, []protocol.ReturnLine{{ID: "1"}, {ID: "2", Quantity: 500}})
	require.NoError(t, err)
	require.Equal(t, "1||||||;2||||0.5||", string(data))
	for _, bad := range []string{"a|b", "a;b", "a:b"} {
		for _, line := range []protocol.Line{{ID: bad}, {SKU: bad}, {Category: bad}, {Brand: bad}} {
			_, err := AppendBasket(nil, []protocol.Line{line})
			require.ErrorIs(t, err, errSeparator)
		}
		_, err := AppendReturnLines(nil, []protocol.ReturnLine{{ID: bad}})
		require.ErrorIs(t, err, errSeparator)
	}
}

func TestQuantity(t *testing.T) {
	for text, want := range map[string]int64{
		"1": 1000, "0.345": 345, "0.5": 500, "12.05": 12050, "1.000": 1000, "007": 7000, "999999999999": 999_999_999_999_000,
	} {
		got, ok := parseQuantity([]byte(text))
		require.True(t, ok, text)
		require.Equal(t, want, got, text)
	}
	for _, bad := range []string{"", ".", "1.", ".5", "1.2345", "-1", "+1", "1e3", "1,5", " 1", "1000000000000", "1.2.3", "٣"} {
		_, ok := parseQuantity([]byte(bad))
		require.False(t, ok, bad)
	}
	for want, n := range map[string]int64{"0": 0, "1": 1000, "0.3": 300, "0.345": 345, "0.005": 5, "12.05": 12050} {
		require.Equal(t, want, string(AppendQuantity(nil, n)))
	}
}

// FuzzTLV: what parses is written back byte for byte, and nothing is read
// twice.
func FuzzTLV(f *testing.F) {
	for _, s := range samples {
		m := NewMessage(NewCodec(Profile{}))
		s.build(f, m)
		f.Add(m.Get(48))
		f.Add(m.Get(61))
	}
	f.Add([]byte("080291:0:35000:3500;2:0:30000:3000"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var again []byte
		left := data
		for len(left) > 0 {
			tag, value, rest, ok := NextTLV(left)
			if !ok {
				break
			}
			require.Less(t, len(rest), len(left))
			var err error
			again, err = AppendTLV(again, tag, string(value))
			require.NoError(t, err)
			left = rest
		}
		require.Equal(t, string(data[:len(data)-len(left)]), string(again))
	})
}

// FuzzBasket: a basket that is read is the basket that is written back, but
// for zeros that mean nothing.
func FuzzBasket(f *testing.F) {
	data, _ := AppendBasket(nil, sampleLines)
	f.Add(data)
	f.Add([]byte("1||||0.345|100|34"))
	f.Add([]byte("1||||||;2||||0.5||"))
	f.Fuzz(func(t *testing.T, data []byte) {
		parse := func(data []byte) ([]protocol.Line, Reason) {
			req, list := new(protocol.Request), rows{left: data}
			for list.next() {
				list.why = saleLine(req, &list.row)
			}
			return req.Lines, list.why
		}
		lines, why := parse(data)
		require.LessOrEqual(t, len(lines), protocol.MaxLines)
		if why != Fine {
			return
		}
		written, err := AppendBasket(nil, lines)
		require.NoError(t, err)
		again, why := parse(written)
		require.Equal(t, Fine, why)
		require.Equal(t, lines, again)
	})
}

// FuzzReturnLines likewise.
func FuzzReturnLines(f *testing.F) {
	f.Add([]byte("1||||||;2||||0.5||"))
	f.Add([]byte("1|4601|coffee||1|70000|70000"))
	f.Fuzz(func(t *testing.T, data []byte) {
		parse := func(data []byte) ([]protocol.ReturnLine, Reason) {
			req, list := new(protocol.Request), rows{left: data}
			for list.next() {
				list.why = returnLine(req, &list.row)
			}
			return req.ReturnLines, list.why
		}
		lines, why := parse(data)
		if why != Fine {
			return
		}
		written, err := AppendReturnLines(nil, lines)
		require.NoError(t, err)
		again, why := parse(written)
		require.Equal(t, Fine, why)
		require.Equal(t, lines, again)
	})
}
