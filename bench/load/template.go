package load

import (
	"bytes"
	"fmt"
)

// Template is a request whose changing parts have a fixed width, so that
// making one is a copy and a few digits.
type Template struct {
	text  []byte
	holes []hole
}

type hole struct {
	at, width int
	fill      func(dst []byte, n uint64)
}

// NewTemplate is a template of a request that is complete.
func NewTemplate(text []byte) *Template { return &Template{text: text} }

// Number makes the one place where mark stands the number that value gives,
// in decimal, filled up with zeros on the left and cut to the mark's width.
func (t *Template) Number(mark string, value func(n uint64) uint64) error {
	return t.Text(mark, func(dst []byte, n uint64) {
		v := value(n)
		for i := len(dst) - 1; i >= 0; i-- {
			dst[i] = '0' + byte(v%10)
			v /= 10
		}
	})
}

// Text makes the one place where mark stands whatever fill writes into it.
func (t *Template) Text(mark string, fill func(dst []byte, n uint64)) error {
	at := bytes.Index(t.text, []byte(mark))
	if at < 0 || mark == "" || bytes.Contains(t.text[at+1:], []byte(mark)) {
		return fmt.Errorf("%q does not stand exactly once in the template", mark)
	}
	t.holes = append(t.holes, hole{at, len(mark), fill})
	return nil
}

// Append appends the n-th request.
func (t *Template) Append(dst []byte, n uint64) []byte {
	start := len(dst)
	dst = append(dst, t.text...)
	for _, h := range t.holes {
		h.fill(dst[start+h.at:start+h.at+h.width], n)
	}
	return dst
}
