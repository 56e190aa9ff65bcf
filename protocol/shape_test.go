package protocol

import (
	"math/big"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestTimesAgreeWithTheStandardLibrary draws moments, writes them with the
// time package and reads them with ours, and back.
func TestTimesAgreeWithTheStandardLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		unix := rapid.Int64Range(time.Date(2000, 1, 2, 0, 0, 0, 0, time.UTC).Unix(), time.Date(2100, 12, 30, 0, 0, 0, 0, time.UTC).Unix()).Draw(t, "unix")
		nanos := rapid.Int64Range(0, 999_999_999).Draw(t, "nanos")
		minutes := rapid.IntRange(-14*60, 14*60).Draw(t, "offset")
		at := time.Unix(unix, nanos).In(time.FixedZone("", minutes*60))
		got, ok := ParseTime(at.Format(time.RFC3339Nano))
		require.True(t, ok)
		require.Equal(t, Time{Unix: at.UnixNano(), Offset: int32(minutes * 60), Set: true}, got)
		require.Equal(t, strconv.Quote(at.Format(time.RFC3339)), string(appendTime(nil, got.Unix, got.Offset)))
	})
}

func TestTimesThatAreNone(t *testing.T) {
	for _, text := range []string{
		"", "2026-11-20", "2026-11-20T12:31:05", "2026-11-20 12:31:05Z", "2026-11-20t12:31:05Z", "2026-11-20T12:31:05z",
		"2026-11-20T12:31:05.Z", "2026-11-20T12:31:05.1234567890Z", "2026-11-20T12:31:05,5Z", "2026-11-20T24:00:00Z", "2026-11-20T12:60:00Z",
		"2026-11-20T12:31:05+0500", "2026-11-20T12:31:05+05", "2026-11-20T12:31:05+05:60", "2026-11-20T12:31:05+14:01", "2026-11-20T12:31:05Zx",
		"2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z", "2025-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "20a6-01-01T00:00:00Z",
		"2026-11-20T12:31:05.", "+026-11-20T12:31:05Z",
	} {
		_, ok := ParseTime(text)
		require.False(t, ok, text)
	}
}

func TestQuantities(t *testing.T) {
	for text, want := range map[string]int64{"1": 1000, "0": 0, "0.345": 345, "12.5": 12500, "0.001": 1, "999999999": 999999999000} {
		got, ok := ParseQuantity(text)
		require.True(t, ok, text)
		require.Equal(t, want, got)
		require.Equal(t, text, string(appendQuantity(nil, got)))
	}
	for _, text := range []string{"", ".5", "5.", "1.2345", "-1", "+1", "01", "1e3", "1,5", " 1", "1000000000", "0x1", "1.2.3", "１"} {
		_, ok := ParseQuantity(text)
		require.False(t, ok, text)
	}
}

// TestLineValueIsExact holds the 128-bit product to big integers.
func TestLineValueIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		price := rapid.Int64Range(0, MaxAmount).Draw(t, "price")
		quantity := rapid.Int64Range(0, MaxQuantity).Draw(t, "quantity")
		want := new(big.Int).Mul(big.NewInt(price), big.NewInt(quantity))
		want.Add(want, big.NewInt(500)).Div(want, big.NewInt(1000))
		require.Equal(t, want.Int64(), LineValue(price, quantity))
	})
}

func TestACardIsMaskedButForItsEnd(t *testing.T) {
	for number, want := range map[string]string{
		"4000000000000001": "****0001", "4000-0000-0001": "****0001", "AB12345678C": "****78C",
		"ab-cd": "****D", "1234": "****4", "12-3456": "****56", "--1": "****",
	} {
		require.Equal(t, want, string(MaskCard(nil, number)))
	}
}

func TestShapes(t *testing.T) {
	for name, c := range map[string]struct {
		valid     func(string) bool
		good, bad []string
	}{
		"phone": {ValidPhone, []string{"+77011234567", "+12345678", "+123456789012345"},
			[]string{"", "+", "77011234567", "+0123456789", "+1234567", "+1234567890123456", "+7701123456a", "+7 7011234567"}},
		"email": {ValidEmail, []string{"a@b.cd", "o'neil+x@sub.example.com", "айгуль@пример.рф"},
			[]string{"", "a", "@b.cd", "a@", "a@b", "a@.cd", "a@b.", "a@b..cd", "a@b@c.de", "a b@c.de", strings.Repeat("x", 65) + "@b.cd", "a@" + strings.Repeat("x", 254) + ".cd"}},
		"card":      {ValidCard, []string{"1234", "AB-12.3_4", strings.Repeat("9", 32)}, []string{"", "123", strings.Repeat("9", 33), "12/4", "12 4", "12é4"}},
		"code":      {ValidCode, []string{"000000", "482913"}, []string{"", "48291", "4829133", "48291x"}},
		"key":       {ValidKey, []string{"a", strings.Repeat("k", 64), "~!"}, []string{"", strings.Repeat("k", 65), "a b", "é", "a\x7f"}},
		"member id": {ValidMemberID, []string{aMember}, []string{"", aSale, "5Z3H8Q2M4K7XI", "5z3h8q2m4k7xa"}},
		"sale id":   {ValidOperationID, []string{aSale}, []string{"", aMember, "0A00000000JU"}},
		"printable": {printable, []string{"", "Кофе ☕ ёлка", "a\u00a0b"}, []string{"\x00", "\x7f", "\u0080", "\u2028", "\u202e", "\u2066", "\xff"}},
	} {
		for _, text := range c.good {
			require.True(t, c.valid(text), "%s %q", name, text)
		}
		for _, text := range c.bad {
			require.False(t, c.valid(text), "%s %q", name, text)
		}
	}
}
