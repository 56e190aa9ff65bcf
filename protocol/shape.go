package protocol

import (
	"strings"
	"time"
	"unicode/utf8"
)

// base32 is Crockford's alphabet, in which our ids are printed.
const base32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// Lengths of printed ids: an operation's is 2 characters of its partition and
// 10 of its sequence (it must fit DE37), a member's is 64 bits.
const (
	OperationIDLength = 12
	MemberIDLength    = 13
)

// ParseTime reads RFC 3339 strictly: capital T and Z, an offset always, at
// most nine digits of fraction, years 2000 to 2100 (what int64 nanoseconds
// and every till's clock can hold), offsets to ±14:00 (no zone lies beyond).
// Leap seconds are refused: no receipt is printed in one.
func ParseTime(t string) (Time, bool) {
	if len(t) < len("2006-01-02T15:04:05Z") || t[10] != 'T' || t[13] != ':' || t[16] != ':' {
		return Time{}, false
	}
	year, month, day, ok := parseDate(t[:10])
	hour, ok1 := digits(t[11:13])
	minute, ok2 := digits(t[14:16])
	second, ok3 := digits(t[17:19])
	if !ok || !ok1 || !ok2 || !ok3 || year < 2000 || year > 2100 || hour > 23 || minute > 59 || second > 59 {
		return Time{}, false
	}
	nanos, rest, ok := parseFraction(t[19:])
	if !ok {
		return Time{}, false
	}
	offset, ok := parseOffset(rest)
	if !ok {
		return Time{}, false
	}
	at := time.Date(year, time.Month(month), day, hour, minute, second, nanos, time.UTC)
	return Time{Unix: at.UnixNano() - int64(offset)*int64(time.Second), Offset: int32(offset), Set: true}, true
}

// parseDate reads YYYY-MM-DD, a day that exists.
func parseDate(t string) (year, month, day int, ok bool) {
	if len(t) != 10 || t[4] != '-' || t[7] != '-' {
		return 0, 0, 0, false
	}
	year, ok1 := digits(t[:4])
	month, ok2 := digits(t[5:7])
	day, ok3 := digits(t[8:])
	if !ok1 || !ok2 || !ok3 || month < 1 || month > 12 || day < 1 {
		return 0, 0, 0, false
	}
	last := time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
	return year, month, day, day <= last
}

// parseFraction reads the part of a second, if there is one, in nanoseconds.
func parseFraction(t string) (nanos int, rest string, ok bool) {
	if t[0] != '.' {
		return 0, t, true
	}
	i, unit := 1, int(time.Second)
	for ; i < len(t) && digit(t[i]) && i <= 9; i++ {
		unit /= 10
		nanos += int(t[i]-'0') * unit
	}
	return nanos, t[i:], i > 1
}

// parseOffset reads Z or ±HH:MM in seconds east of UTC.
func parseOffset(t string) (int, bool) {
	if t == "Z" {
		return 0, true
	}
	if len(t) != 6 || (t[0] != '+' && t[0] != '-') || t[3] != ':' {
		return 0, false
	}
	h, ok1 := digits(t[1:3])
	m, ok2 := digits(t[4:])
	seconds := h*3600 + m*60
	if !ok1 || !ok2 || m > 59 || seconds > 14*3600 {
		return 0, false
	}
	if t[0] == '-' {
		seconds = -seconds
	}
	return seconds, true
}

// digits reads a short run of digits.
func digits(t string) (int, bool) {
	n := 0
	for i := range len(t) {
		if !digit(t[i]) {
			return 0, false
		}
		n = n*10 + int(t[i]-'0')
	}
	return n, true
}

// ParseQuantity reads a decimal string of at most three places ("0.345") in
// thousandths. At most nine digits stand before the point, so that it always
// fits; whether it is zero or too large is Validate's to say.
func ParseQuantity(t string) (int64, bool) {
	whole, fraction, point := strings.Cut(t, ".")
	if len(whole) == 0 || len(whole) > 9 || (len(whole) > 1 && whole[0] == '0') {
		return 0, false
	}
	if point && (len(fraction) == 0 || len(fraction) > 3) {
		return 0, false
	}
	n, ok1 := digits(whole)
	f, ok2 := digits(fraction)
	for i := len(fraction); i < 3; i++ {
		f *= 10
	}
	return int64(n)*1000 + int64(f), ok1 && ok2
}

// printable reports whether a text may be shown, printed and exported: valid
// UTF-8 without control characters, line or paragraph separators, and
// without the characters that turn the direction of what follows (a slip
// must not read other than it is stored).
func printable(t string) bool {
	for i := 0; i < len(t); {
		if c := t[i]; c < utf8.RuneSelf {
			if c < ' ' || c == 0x7f {
				return false
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(t[i:])
		switch {
		case r == utf8.RuneError && size == 1,
			r >= 0x80 && r < 0xa0, // C1
			r == 0x2028, r == 0x2029,
			r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return false
		}
		i += size
	}
	return true
}

// visible reports whether a text is visible ASCII without spaces.
func visible(t string) bool {
	for i := range len(t) {
		if t[i] <= ' ' || t[i] > '~' {
			return false
		}
	}
	return true
}

// ValidKey reports whether an idempotency key has its shape: 1 to 64 visible
// ASCII characters.
func ValidKey(key string) bool { return key != "" && len(key) <= 64 && visible(key) }

// ValidPhone reports whether a phone number is written in E.164: a plus, then
// 8 to 15 digits of which the first is no zero. Tills that print spaces and
// brackets normalise before they send: what is stored is what was sent, so
// that a number has one spelling.
func ValidPhone(t string) bool {
	if len(t) < 9 || len(t) > 16 || t[0] != '+' || t[1] == '0' {
		return false
	}
	_, ok := digits(t[1:])
	return ok
}

// ValidEmail reports whether a text can be an address: one @ with up to 64
// bytes before it and a name with a dot behind it, no spaces, 254 bytes
// (RFC 5321's path) in all. Whether it exists only a letter can tell.
func ValidEmail(t string) bool {
	local, domain, ok := strings.Cut(t, "@")
	if !ok || len(t) > 254 || local == "" || len(local) > 64 || !printable(t) {
		return false
	}
	if strings.ContainsAny(t, " ,;<>()[]\"\\") || strings.Contains(domain, "@") {
		return false
	}
	dot := strings.LastIndexByte(domain, '.')
	return dot > 0 && dot < len(domain)-1 && domain[0] != '.' && !strings.Contains(domain, "..")
}

// ValidCard reports whether a text can be a card number: 4 to 32 letters,
// digits, dots, dashes, underscores, ASCII, so that it stands in a URL and on
// a barcode as it is.
func ValidCard(t string) bool {
	if len(t) < 4 || len(t) > 32 {
		return false
	}
	for i := range len(t) {
		c := t[i]
		if !digit(c) && (c|0x20 < 'a' || c|0x20 > 'z') && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// MaskCard is a card's number as people are shown it, behind dst: four stars and
// its last four characters, of a number with fewer than twelve the last third,
// so that it stays unknown. Spaces and dashes don't count, small letters are capitals.
func MaskCard(dst []byte, number string) []byte {
	n, skip := 0, 0
	for i := range len(number) {
		if counts(number[i]) {
			n++
		}
	}
	dst, skip = append(dst, "****"...), n-min(4, n/3)
	for i := range len(number) {
		c := number[i]
		switch {
		case !counts(c):
		case skip > 0:
			skip--
		case c >= 'a' && c <= 'z':
			dst = append(dst, c-'a'+'A')
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// counts reports whether a character is part of a card's number, and not only
// written into it.
func counts(c byte) bool { return c != ' ' && c != '-' }

// ValidCode reports whether a text has the shape of a one-time code: six
// digits.
func ValidCode(t string) bool {
	_, ok := digits(t)
	return ok && len(t) == 6
}

// ValidMemberID reports whether a text is a printed member id.
func ValidMemberID(t string) bool { return len(t) == MemberIDLength && crockford(t) }

// ValidOperationID reports whether a text is a printed operation id.
func ValidOperationID(t string) bool { return len(t) == OperationIDLength && crockford(t) }

func crockford(t string) bool {
	for i := range len(t) {
		if strings.IndexByte(base32, t[i]) < 0 {
			return false
		}
	}
	return true
}
