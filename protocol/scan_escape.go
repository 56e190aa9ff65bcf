package protocol

import (
	"unicode/utf16"
	"unicode/utf8"
)

// escaped goes on with a text whose first escape stands at i, and unescapes
// it in place: what is written never passes what is read, because every
// escape is at least as long as the character it stands for.
func (s *scanner) escaped(start, i int) string {
	w := i
	for i < len(s.buf) {
		c := s.buf[i]
		switch {
		case c == '"':
			s.pos = i + 1
			return s.finish(start, w, true)
		case c < ' ' || c == 0x7f:
			s.refuse(InvalidRequest, "control characters are refused in texts")
			return ""
		case c != '\\':
			s.buf[w] = c
			w++
			i++
			continue
		}
		r, size := s.escape(i)
		if s.bad != nil {
			return ""
		}
		w += utf8.EncodeRune(s.buf[w:], r)
		i += size
	}
	s.pos = i
	s.malformed("the body ends within a text")
	return ""
}

// escape reads the escape at i and returns its character and its length.
func (s *scanner) escape(i int) (rune, int) {
	if i+1 >= len(s.buf) {
		s.pos = len(s.buf)
		s.malformed("the body ends within a text")
		return 0, 0
	}
	switch c := s.buf[i+1]; c {
	case '"', '\\', '/':
		return rune(c), 2
	case 'b', 'f', 'n', 'r', 't':
		s.refuse(InvalidRequest, "control characters are refused in texts")
		return 0, 0
	case 'u':
		return s.unicode(i)
	}
	s.pos = i
	s.malformed("there is no such escape in JSON")
	return 0, 0
}

// unicode reads \uXXXX at i, with its second half where it is a surrogate.
func (s *scanner) unicode(i int) (rune, int) {
	r, ok := s.hex4(i + 2)
	size := 6
	if ok && utf16.IsSurrogate(r) {
		low, second := rune(-1), false
		if i+7 < len(s.buf) && s.buf[i+6] == '\\' && s.buf[i+7] == 'u' {
			low, second = s.hex4(i + 8)
		}
		if r = utf16.DecodeRune(r, low); !second || r == utf8.RuneError {
			s.refuse(InvalidRequest, "half of a surrogate pair is no character")
			return 0, 0
		}
		size = 12
	}
	switch {
	case !ok:
		s.pos = i
		s.malformed("\\u takes four hexadecimal digits")
		return 0, 0
	case r < ' ' || r == 0x7f:
		s.refuse(InvalidRequest, "control characters are refused in texts")
		return 0, 0
	}
	return r, size
}

// hex4 reads four hexadecimal digits at i.
func (s *scanner) hex4(i int) (rune, bool) {
	if i+4 > len(s.buf) {
		return 0, false
	}
	var r rune
	for _, c := range s.buf[i : i+4] {
		switch {
		case digit(c):
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
