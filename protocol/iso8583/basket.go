package iso8583

import (
	"bytes"
	"errors"
	"strconv"

	"tillgate/protocol"
)

// columns of a line of DE62: id|sku|category|brand|quantity|price|amount.
const (
	columnID = iota
	columnSKU
	columnCategory
	columnBrand
	columnQuantity
	columnPrice
	columnAmount
	columnCount
)

var errSeparator = errors.New("a value of DE62 may not hold | ; or :")

// AppendBasket appends lines in the form of DE62. Values that hold a separator
// are refused, since the other side would read something else.
func AppendBasket(dst []byte, lines []protocol.Line) ([]byte, error) {
	for i := range lines {
		l := &lines[i]
		if separates(l.ID) || separates(l.SKU) || separates(l.Category) || separates(l.Brand) {
			return dst, errSeparator
		}
		if i > 0 {
			dst = append(dst, ';')
		}
		for _, text := range [...]string{l.ID, l.SKU, l.Category, l.Brand} {
			dst = append(append(dst, text...), '|')
		}
		dst = append(AppendQuantity(dst, l.Quantity), '|')
		dst = append(strconv.AppendInt(dst, l.Price, 10), '|')
		dst = strconv.AppendInt(dst, l.Amount, 10)
	}
	return dst, nil
}

// AppendReturnLines appends what comes back in the form of DE62: id and
// quantity, the other columns empty.
func AppendReturnLines(dst []byte, lines []protocol.ReturnLine) ([]byte, error) {
	for i, l := range lines {
		if separates(l.ID) {
			return dst, errSeparator
		}
		if i > 0 {
			dst = append(dst, ';')
		}
		dst = append(append(dst, l.ID...), "||||"...)
		if l.Quantity != 0 {
			dst = AppendQuantity(dst, l.Quantity)
		}
		dst = append(dst, "||"...)
	}
	return dst, nil
}

// AppendQuantity appends thousandths as a decimal without needless zeros.
func AppendQuantity(dst []byte, thousandths int64) []byte {
	dst = strconv.AppendInt(dst, thousandths/1000, 10)
	part := thousandths % 1000
	if part <= 0 {
		return dst
	}
	dst = append(dst, '.', '0'+byte(part/100), '0'+byte(part/10%10), '0'+byte(part%10))
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	return dst
}

// row is one line of DE62, cut into columns.
type row [columnCount][]byte

// rows reads DE62 line by line.
type rows struct {
	left  []byte
	count int
	row   row
	why   Reason // what is wrong with the basket so far
	ended bool
}

// next cuts the next line into r.row. It is false after the last line and at
// the first malformed one, which r.why tells apart.
func (r *rows) next() bool {
	if r.ended || r.why != Fine {
		return false
	}
	if r.count == protocol.MaxLines {
		r.why = TooMany
		return false
	}
	r.count++
	line := r.left
	if end := bytes.IndexByte(line, ';'); end >= 0 {
		line, r.left = line[:end], line[end+1:]
	} else {
		r.ended = true
	}
	if !r.row.cut(line) {
		r.why = BadContent
	}
	return r.why == Fine
}

// cut splits a line into exactly seven columns, of which the id is not empty.
func (r *row) cut(line []byte) bool {
	column, start := 0, 0
	for i, c := range line {
		switch {
		case c == '|':
			if column == columnAmount {
				return false
			}
			r[column] = line[start:i]
			column, start = column+1, i+1
		case c == ':' || c < ' ' || c == 0x7f:
			return false
		}
	}
	r[columnAmount] = line[start:]
	return column == columnAmount && len(r[columnID]) > 0
}

// parseQuantity reads a decimal with up to three places into thousandths.
// Signs, exponents, bare points and more than 12 digits before the point are
// refused.
func parseQuantity(b []byte) (thousandths int64, ok bool) {
	whole, part, pointed := bytes.Cut(b, []byte{'.'})
	units, ok := parseDigits(whole, 12)
	if !ok {
		return 0, false
	}
	if !pointed {
		return units * 1000, true
	}
	fraction, ok := parseDigits(part, 3)
	if !ok {
		return 0, false
	}
	for range 3 - len(part) {
		fraction *= 10
	}
	return units*1000 + fraction, true
}

// parseDigits reads 1 to most digits; most is at most 18, so that nothing
// overflows.
func parseDigits(b []byte, most int) (n int64, ok bool) {
	if len(b) == 0 || len(b) > most {
		return 0, false
	}
	for _, c := range b {
		if c-'0' > 9 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}
