package processor

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"

	"tillgate/ledger"
	"tillgate/processor/program"
	"tillgate/protocol"
)

// Card templates: how the numbers of new cards are made. A number is what the
// pattern says, with digits drawn for every # and the check digit for C.

const (
	minFreeDigits = 6  // fewer could be tried out at a till
	maxFreeDigits = 18 // what 64 bits hold
	// longestValid is the longest validity: longer than any card lives.
	longestValid = 100
)

// cardTemplate is a template that is understood.
type cardTemplate struct {
	protocol.CardTemplate
	pattern string // without what is for the eye
	free    int
	valid   program.Term // zero: for ever
}

// stripPattern leaves out what is for the eye.
func stripPattern(p string) string { return strings.NewReplacer(" ", "", "-", "").Replace(p) }

// newCardTemplate reads a template. The error is an errRow.
func newCardTemplate(e protocol.CardTemplate) (*cardTemplate, error) {
	c := &cardTemplate{CardTemplate: e, pattern: stripPattern(e.Pattern)}
	c.free = strings.Count(c.pattern, "#")
	bad := func(detail string) error { return errRow{field: "pattern", detail: detail} }
	switch {
	case c.pattern == "":
		return nil, bad("the field is missing")
	case strings.Trim(c.pattern, "0123456789#C") != "" || !protocol.ValidCard(strings.ReplaceAll(c.pattern, "#", "0")):
		return nil, bad("has 4 to 32 digits, # for a digit that is drawn and C for the check digit; spaces and dashes are for the eye")
	case strings.Count(c.pattern, "C") != 1:
		return nil, bad("has one C, the check digit")
	case c.free < minFreeDigits || c.free > maxFreeDigits:
		return nil, bad("has 6 to 18 #: with fewer, numbers could be guessed")
	}
	if e.Valid == "" {
		return c, nil
	}
	term, ok := program.ParseTerm(e.Valid)
	most := map[program.Unit]int32{program.Days: 366 * longestValid, program.Months: 12 * longestValid, program.Years: longestValid}[term.Unit]
	if !ok || term.Zero() || term.N > most {
		return nil, errRow{field: "valid", detail: "write a term of days, months or years, like 90d, 18mo or 3y; at most 100 years"}
	}
	c.valid = term
	return c, nil
}

// expires is when a card of the template ends that becomes a member's at a
// moment; 0 for never.
func (c *cardTemplate) expires(at int64, zone *time.Location) int64 {
	if c == nil || c.valid.Zero() {
		return 0
	}
	return c.valid.Until(at, zone)
}

// matches reports whether a number has the template's shape: its length and
// its digits. The check digit is another question.
func (c *cardTemplate) matches(number string) bool {
	if len(number) != len(c.pattern) {
		return false
	}
	for i := range len(number) {
		if number[i] < '0' || number[i] > '9' {
			return false
		}
		if p := c.pattern[i]; p != '#' && p != 'C' && p != number[i] {
			return false
		}
	}
	return true
}

// fill is the number whose free digits are those of v, which is below
// 10^free.
func fillPattern(pattern, check string, v uint64) string {
	number := []byte(pattern)
	c := 0
	for i := len(number) - 1; i >= 0; i-- {
		switch number[i] {
		case '#':
			number[i] = byte('0' + v%10)
			v /= 10
		case 'C':
			c = i
		}
	}
	// Every weight maps the ten digits onto ten sums, so one of them fits.
	for number[c] = '0'; !checks(check, number); number[c]++ {
	}
	return string(number)
}

// checks reports whether a number's digits add up to a multiple of ten, as the
// check digit makes them.
//
// Luhn (ISO/IEC 7812-1, annex B) doubles every second digit from the right
// and takes the sum of the double's digits. GS1 (General Specifications, 7.9)
// takes every second digit from the right three times.
func checks[T string | []byte](check string, number T) bool {
	sum := 0
	for i := range len(number) {
		d := int(number[len(number)-1-i] - '0')
		switch {
		case i%2 == 0:
		case check == protocol.CheckGS1:
			d *= 3
		default:
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// templateOf finds the template that a number was made by. A number that has
// the shape of templates and the check digit of none is mistyped: known then
// says that some have its shape.
func (d *directory) templateOf(number string) (found *cardTemplate, known bool) {
	for _, c := range d.templates {
		if !c.matches(number) {
			continue
		}
		known = true
		if checks(c.Check, number) && (found == nil || c.ID < found.ID) {
			found = c
		}
	}
	return found, known
}

func (m *rowMerge) template(e *protocol.CardTemplate) (row ledger.DirectoryRow, err error) {
	row.ID = strings.Clone(e.ID)
	if e.Deleted {
		delete(m.next.templates, row.ID)
		return row, nil
	}
	var old protocol.CardTemplate
	if was := m.next.templates[e.ID]; was != nil {
		old = was.CardTemplate
	}
	merged := protocol.CardTemplate{
		ID:      row.ID,
		Pattern: strings.Clone(said(e.Pattern, old.Pattern, false)),
		Check:   strings.Clone(orElse(said(e.Check, old.Check, e.Cleared.Has(protocol.TemplateCheck)), protocol.CheckLuhn)),
		Type:    strings.Clone(said(e.Type, old.Type, e.Cleared.Has(protocol.TemplateType))),
		Valid:   strings.Clone(said(e.Valid, old.Valid, e.Cleared.Has(protocol.TemplateValid))),
	}
	c, err := newCardTemplate(merged)
	if err != nil {
		return row, err
	}
	m.next.templates[row.ID] = c
	row.Data = encodeTemplate(&merged)
	return row, nil
}

// cardDraw is what a record keeps of numbers that were drawn. The numbers are
// made of it by a keyed hash, as one-time codes are: nobody can guess them,
// nothing stores them, and a repeat of the call tells them again.
type cardDraw struct {
	template, pattern, check string
	nonce                    string // random
	count                    int    // numbers
	skipped                  []int  // draws that were left out, ascending: the numbers existed
}

// number is the i-th draw.
func (s *Switch) drawNumber(merchant string, d *cardDraw, i int) string {
	key := s.ledger.Hash("draw card", merchant, d.nonce, strconv.Itoa(i))
	n := uint64(1)
	for range strings.Count(d.pattern, "#") {
		n *= 10
	}
	// The modulo's bias is below n/2¹²⁸.
	v := bits.Rem64(binary.BigEndian.Uint64(key[:8]), binary.BigEndian.Uint64(key[8:]), n)
	return fillPattern(d.pattern, d.check, v)
}

// drawnNumbers are the numbers of a record, in the order of their draws.
func (s *Switch) drawnNumbers(merchant string, d *cardDraw) []string {
	list := make([]string, 0, d.count)
	for i := 0; len(list) < d.count; i++ {
		if _, left := slices.BinarySearch(d.skipped, i); !left {
			list = append(list, s.drawNumber(merchant, d, i))
		}
	}
	return list
}

// cardRecord is what a card's record keeps for its answer.
type cardRecord struct {
	state   uint8
	expires int64
	kind    string // the card's type
	draw    cardDraw
}

// cardRecordVersion begins the data of a card's record. Before it the data
// was the state's number, which is small, and the type.
const cardRecordVersion = 0x82

func (c *cardRecord) append(dst []byte) []byte {
	dst = append(dst[:0], cardRecordVersion, c.state)
	dst = binary.AppendVarint(dst, c.expires)
	d := &c.draw
	dst = appendTexts(dst, c.kind, d.template, d.pattern, d.check, d.nonce)
	dst = binary.AppendUvarint(dst, uint64(d.count))
	dst = binary.AppendUvarint(dst, uint64(len(d.skipped)))
	for _, i := range d.skipped {
		dst = binary.AppendUvarint(dst, uint64(i))
	}
	return dst
}

// decodeCard reads what append has written, and what was written before.
func decodeCard(data []byte) (c cardRecord, err error) {
	switch {
	case len(data) == 0:
		return c, nil
	case data[0] <= ledger.CardCompleted:
		return cardRecord{state: data[0], kind: string(data[1:])}, nil
	case data[0] != cardRecordVersion || len(data) < 2:
		return c, fmt.Errorf("%w: a card's record begins with %#x", errRowBytes, data[0])
	}
	c.state = data[1]
	expires, n := binary.Varint(data[2:])
	if n <= 0 {
		return c, errRowBytes
	}
	c.expires = expires
	r := rowOf{left: data[2+n:]}
	d := &c.draw
	c.kind, d.template, d.pattern, d.check, d.nonce = r.text(), r.text(), r.text(), r.text(), r.text()
	count, skipped := r.number(), r.number()
	if count > protocol.MaxCardBatch || skipped > uint64(len(r.left)) {
		return c, errRowBytes
	}
	d.count = int(count)
	for range skipped {
		d.skipped = append(d.skipped, int(min(r.number(), maxDraws)))
	}
	return c, r.end()
}

// view is the card as its answer shows it, without a number.
func (c *cardRecord) view() protocol.CardView {
	return protocol.CardView{Type: c.kind, State: cardStateName(c.state), Expires: c.expires}
}
