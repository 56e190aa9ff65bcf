package processor

import (
	"encoding/binary"

	"tillgate/ledger"
	"tillgate/processor/program"
	"tillgate/protocol"
)

// remarks are what a sale's record keeps of a decision for its answer beside what
// the ledger knows of: what became of the promo codes, units in hints, and the
// explanation where the request asked for it. It follows the lots in the data
// of a hold or sale (see holdData):
//
//	promo codes: number, uvarint, at most 10; each:
//	  1 byte: 1 the entry is a series of coupons
//	  the entry's name, "" for a code that nobody knows: length, uvarint, and bytes
//	  the coupon's number, uvarint; points and money off, varints
//	  the tier, and why it was refused: as the name
//	hints that count units: number, uvarint; each: its place, thousandths, uvarints
//	1 byte: 1 if the explanation follows:
//	  for each of the record's rules the number of lines, uvarint; each: its
//	  number, uvarint, and figure, varint
//	  rules that did nothing: number, uvarint; each: its name, why
//
// Codes themselves are not kept: a coupon's is made again from its number, and
// what customers type may be anything.
type remarks struct {
	promos  []promoRemark
	units   []int64 // aligned with the record's hints; empty: none counts units
	explain bool
	shares  []protocol.RuleLine // of all rules, one after the other
	lines   []int               // of each rule: how many of the shares are its own
	skipped []protocol.Skipped
}

// promoRemark is what became of one promo code.
type promoRemark struct {
	name     string
	series   bool
	coupon   int64
	points   int64
	discount int64
	tier     string
	refused  string
}

// maxRemarks bounds the lists of an explanation: all rules of a programme, and
// all lines of a receipt for each.
const maxRemarks = 2000

func (s *remarks) empty() bool {
	return len(s.promos) == 0 && len(s.units) == 0 && !s.explain
}

// reset empties it and keeps the memory.
func (s *remarks) reset() {
	*s = remarks{promos: s.promos[:0], units: s.units[:0], shares: s.shares[:0], lines: s.lines[:0], skipped: s.skipped[:0]}
}

// take notes what a decision says. uses are the codes that it was about.
func (s *remarks) take(d *program.Decision, p *program.Program, uses []program.PromoUse, explain bool) {
	s.reset()
	for i := range d.Promo {
		r, u := &d.Promo[i], &uses[i]
		one := promoRemark{coupon: u.Coupon, points: r.Points, discount: r.Discount, tier: r.Tier, refused: r.Refused}
		if u.Refused != program.PromoUnknown {
			e := p.PromoEntry(u.Entry)
			one.name, one.series = e.Name, e.Series
		}
		s.promos = append(s.promos, one)
	}
	for i, h := range d.Hints {
		if h.Quantity != 0 && len(s.units) == 0 {
			for range i {
				s.units = append(s.units, 0)
			}
		}
		if h.Quantity != 0 || len(s.units) > 0 {
			s.units = append(s.units, h.Quantity)
		}
	}
	if s.explain = explain; !explain {
		return
	}
	for i := range d.Rules {
		s.shares = append(s.shares, d.Rules[i].Lines...)
		s.lines = append(s.lines, len(d.Rules[i].Lines))
	}
	s.skipped = append(s.skipped, d.Skipped...)
}

// render puts it into an answer whose rules, hints and lines stand.
func (s *remarks) render(op *ledger.Operation, r *protocol.Response) {
	for i, n := range s.units {
		if i < len(r.Hints) {
			r.Hints[i].Quantity = n
		}
	}
	if !s.explain {
		return
	}
	at := 0
	for i, n := range s.lines {
		if i < len(r.Rules) && n > 0 {
			r.Rules[i].Lines = s.shares[at : at+n : at+n]
			for k := range r.Rules[i].Lines {
				one := &r.Rules[i].Lines[k]
				if one.Line >= 1 && one.Line <= len(op.Lines) {
					one.ID = op.Lines[one.Line-1].ID
				}
				if r.Rules[i].Discount != 0 {
					one.Discount, one.Points = one.Points, 0
				}
			}
		}
		at += n
	}
	r.Skipped = append(r.Skipped, s.skipped...)
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func appendRemarks(dst []byte, s *remarks) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s.promos)))
	for i := range s.promos {
		p := &s.promos[i]
		dst = append(dst, boolByte(p.series))
		dst = appendText(dst, p.name)
		dst = binary.AppendUvarint(dst, uint64(p.coupon))
		dst = binary.AppendVarint(binary.AppendVarint(dst, p.points), p.discount)
		dst = appendText(appendText(dst, p.tier), p.refused)
	}
	n := 0
	for _, u := range s.units {
		if u != 0 {
			n++
		}
	}
	dst = binary.AppendUvarint(dst, uint64(n))
	for i, u := range s.units {
		if u != 0 {
			dst = binary.AppendUvarint(binary.AppendUvarint(dst, uint64(i)), uint64(u))
		}
	}
	dst = append(dst, boolByte(s.explain))
	if !s.explain {
		return dst
	}
	dst = binary.AppendUvarint(dst, uint64(len(s.lines)))
	at := 0
	for _, n := range s.lines {
		dst = binary.AppendUvarint(dst, uint64(n))
		for _, l := range s.shares[at : at+n] {
			dst = binary.AppendUvarint(dst, uint64(l.Line))
			dst = binary.AppendVarint(dst, l.Points+l.Discount)
		}
		at += n
	}
	dst = binary.AppendUvarint(dst, uint64(len(s.skipped)))
	for _, x := range s.skipped {
		dst = appendText(appendText(dst, x.Rule), x.Because)
	}
	return dst
}

// remarkReader reads what appendRemarks has written.
type remarkReader struct {
	data []byte
	bad  bool
}

func (r *remarkReader) number(most uint64) int {
	v, n := binary.Uvarint(r.data)
	if n <= 0 || v > most {
		r.bad = true
		return 0
	}
	r.data = r.data[n:]
	return int(v)
}

func (r *remarkReader) signed() int64 {
	v, n := binary.Varint(r.data)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.data = r.data[n:]
	return v
}

func (r *remarkReader) flag() bool {
	if len(r.data) == 0 || r.data[0] > 1 {
		r.bad = true
		return false
	}
	v := r.data[0] == 1
	r.data = r.data[1:]
	return v
}

func (r *remarkReader) text() string {
	n := r.number(uint64(len(r.data)))
	if r.bad || n > len(r.data) {
		r.bad = true
		return ""
	}
	s := string(r.data[:n])
	r.data = r.data[n:]
	return s
}

// decodeRemarks reads data into s, using the room of its lists.
func decodeRemarks(data []byte, s *remarks) error {
	s.reset()
	r := remarkReader{data: data}
	for n := r.number(protocol.MaxPromoCodes); n > 0 && !r.bad; n-- {
		p := promoRemark{series: r.flag(), name: r.text(), coupon: int64(r.number(program.MaxAmount))}
		p.points, p.discount = r.signed(), r.signed()
		p.tier, p.refused = r.text(), r.text()
		s.promos = append(s.promos, p)
	}
	for n := r.number(maxRemarks); n > 0 && !r.bad; n-- {
		at, units := r.number(maxRemarks), int64(r.number(program.MaxAmount))
		for len(s.units) <= at {
			s.units = append(s.units, 0)
		}
		s.units[at] = units
	}
	if s.explain = r.flag(); s.explain && !r.bad {
		for n := r.number(maxRemarks); n > 0 && !r.bad; n-- {
			lines := r.number(program.MaxLines)
			for range lines {
				if r.bad {
					break
				}
				s.shares = append(s.shares, protocol.RuleLine{Line: r.number(program.MaxLines), Points: r.signed()})
			}
			s.lines = append(s.lines, lines)
		}
		for n := r.number(maxRemarks); n > 0 && !r.bad; n-- {
			s.skipped = append(s.skipped, protocol.Skipped{Rule: r.text(), Because: r.text()})
		}
	}
	if r.bad || len(r.data) != 0 {
		return errHoldData
	}
	return nil
}
