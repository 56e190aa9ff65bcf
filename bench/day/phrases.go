package day

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tillgate/bench/load"
	"tillgate/protocol"
	"tillgate/protocol/iso8583"
)

// Amounts of a basket's lines, minor units. All are multiples of 100.00, and a
// tenth of every basket is one of 1.00, so that 10 % of whatever is paid in
// money is a whole number of hundredths and every figure can be foretold.
func lineAmount(i int) int64 { return 30_000 + int64(i%5)*10_000 }

func basketTotal(lines int) (sum int64) {
	for i := range lines {
		sum += lineAmount(i)
	}
	return sum
}

// basketPoints are what is spent on a basket, if anything is: a tenth.
func basketPoints(total int64) int64 { return total / 10 }

// Marks in templates, where numbers and ids are put in.
const (
	cardMark = "5555555555555555"
	keyMark  = "888888888888" // the request's number
	pastMark = "777777777777" // the number of another, which it is about
	// DE11 and DE7 of the message that a reversal names.
	stanMark, sentMark = "707070", "0203040506"
	saleMark           = "0H0DH0DH0DH0" // a hold's or sale's id
	// DE7, DE11, DE12 and DE13, which stand one after the other.
	timeMark = "1231235958" + "654321" + "235959" + "1231"
)

// phrases are what a till can say: a template for each kind of request and
// size of basket.
type phrases struct {
	asked *asked // what is being written
	terse [actions]*load.Template
	long  [actions][]*load.Template // by basket; [1] of authorize: with points
	spend []*load.Template
}

// about says whether a request names its basket.
func about(k action) bool { return k == quote || k == authorize || k == accrue }

// speaker makes the template of a request: lines 0 for one that names no
// basket; points 0 for one that spends none.
type speaker func(k action, lines int, points int64) (*load.Template, error)

func newPhrases(s *Shop, terminal string, overISO bool) (*phrases, error) {
	p := &phrases{}
	speak := p.httpSpeaker(s, terminal)
	if overISO {
		speak = p.isoSpeaker(s, terminal)
	}
	var err error
	add := func(list *[]*load.Template, k action, lines int, points int64) {
		t, e := speak(k, lines, points)
		*list, err = append(*list, t), errors.Join(err, e)
	}
	for k := range actions {
		if !about(k) {
			var e error
			p.terse[k], e = speak(k, 0, 0)
			err = errors.Join(err, e)
			continue
		}
		for _, b := range s.Day.Baskets {
			add(&p.long[k], k, b.Lines, 0)
			if k == authorize {
				add(&p.spend, k, b.Lines, basketPoints(basketTotal(b.Lines)))
			}
		}
	}
	return p, err
}

// append writes the n-th request.
func (p *phrases) append(dst []byte, n uint64, a *asked) []byte {
	p.asked = a
	t := p.terse[a.kind]
	switch {
	case a.kind == authorize && a.points > 0:
		t = p.spend[a.basket]
	case about(a.kind):
		t = p.long[a.kind][a.basket]
	}
	return t.Append(dst, n)
}

// fill puts what every request may name into a template.
func (p *phrases) fill(t *load.Template, s *Shop, text string) (err error) {
	number := func(mark string, value func(n uint64) uint64) {
		if strings.Contains(text, mark) {
			err = errors.Join(err, t.Number(mark, value))
		}
	}
	number(cardMark, func(uint64) uint64 { return s.Card(p.asked.member) })
	number(keyMark, func(n uint64) uint64 { return n })
	number(pastMark, func(uint64) uint64 { return p.asked.first })
	number(stanMark, func(uint64) uint64 { return p.asked.first % load.STANs })
	if strings.Contains(text, saleMark) {
		err = errors.Join(err, t.Text(saleMark, func(dst []byte, _ uint64) { p.asked.sale.Text(dst) }))
	}
	return err
}

// httpSpeaker writes HTTP requests.
func (p *phrases) httpSpeaker(s *Shop, terminal string) speaker {
	where := `"terminal":"` + terminal + `","store":"S01"`
	return func(k action, lines int, points int64) (*load.Template, error) {
		path, body := "", ""
		switch k {
		case quote, authorize, accrue:
			path = map[action]string{quote: "/v1/quote", authorize: "/v1/authorizations", accrue: "/v1/accruals"}[k]
			body = `{` + where + `,"member":{"card":"` + cardMark + `"},"basket":{"lines":[` + jsonLines(lines) + `]}`
			if points > 0 {
				body += `,"redeem":{"points":` + strconv.FormatInt(points, 10) + `}`
			}
			body += "}"
		case confirm:
			path, body = "/v1/authorizations/"+saleMark+"/confirm", `{`+where+`,"receipt":{"number":"`+pastMark+`","shift":"1"}}`
		case void:
			path, body = "/v1/authorizations/"+saleMark+"/void", `{`+where+`}`
		case reverse:
			path, body = "/v1/reversals", `{`+where+`,"idempotency_key":"`+terminal+"-"+pastMark+`"}`
		case giveBack:
			path, body = "/v1/returns", `{`+where+`,"authorization":"`+saleMark+`"}`
		}
		text := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: tillgate\r\nContent-Type: application/json\r\n"+
			"Idempotency-Key: %s-%s\r\nContent-Length: %d\r\n\r\n%s", path, terminal, keyMark, len(body), body)
		t := load.NewTemplate([]byte(text))
		return t, p.fill(t, s, text)
	}
}

func jsonLines(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":"%d","sku":"%d","category":"%s","quantity":"1","price":%d,"amount":%d}`,
			i+1, 4601+i, category(i), lineAmount(i), lineAmount(i))
	}
	return b.String()
}

func category(i int) string { return []string{"coffee", "pastry", "bread", "tea", "cake"}[i%5] }

func isoLines(n int) (lines []protocol.Line) {
	for i := range n {
		lines = append(lines, protocol.Line{
			ID: strconv.Itoa(i + 1), SKU: strconv.Itoa(4601 + i), Category: category(i), Quantity: 1000,
			Price: lineAmount(i), Amount: lineAmount(i),
		})
	}
	return lines
}

// isoTypes are the MTI and the processing code of each kind.
var isoTypes = [actions]struct{ mti, processing string }{
	quote:     {"0100", "300000"}, // a balance: the nearest that the protocol has
	authorize: {"0100", "000000"},
	confirm:   {"0220", "000000"},
	void:      {"0400", "000000"},
	reverse:   {"0400", "000000"},
	accrue:    {"0200", "000000"},
	giveBack:  {"0200", "200000"},
}

// isoSpeaker writes messages of ISO 8583.
func (p *phrases) isoSpeaker(s *Shop, terminal string) speaker {
	begun := time.Now().UTC()
	return func(k action, lines int, points int64) (*load.Template, error) {
		c := iso8583.NewCodec(iso8583.Profile{})
		m := iso8583.NewMessage(c)
		err := m.SetMTI(isoTypes[k].mti)
		set := func(field int, value string) { err = errors.Join(err, m.Set(field, value)) }
		for field, value := range map[int]string{
			3: isoTypes[k].processing, 7: timeMark[:10], 11: timeMark[10:16], 12: timeMark[16:22], 13: timeMark[22:],
			41: terminal, 42: "S01", 49: "398",
		} {
			set(field, value)
		}
		var tlv iso8583.TLVs
		switch k {
		case quote, authorize, accrue:
			tlv.Add(iso8583.TagIdentifierKind, "CARD").Add(iso8583.TagIdentifier, cardMark)
			if points > 0 {
				tlv.Add(iso8583.TagRedeem, strconv.FormatInt(points, 10))
			}
			if k != quote {
				err = errors.Join(err, m.SetInt(4, basketTotal(lines)), m.SetBasket(isoLines(lines)))
			}
		case confirm:
			set(37, saleMark)
			set(60, "1")
			tlv.Add(iso8583.TagReceipt, pastMark)
		case void, giveBack:
			set(37, saleMark)
		case reverse:
			err = errors.Join(err, m.SetOriginal("0100", stanMark, sentMark))
		}
		if k != void && k != giveBack && k != reverse {
			err = errors.Join(err, tlv.Into(m, 48))
		}
		text := c.AppendMessage(nil, m)
		t := load.NewTemplate(text)
		err = errors.Join(err, t.Text(timeMark, load.Clock(begun)), p.fill(t, s, string(text)))
		if k == reverse {
			// By the number alone it could be an older one: a till that works for
			// hours uses its STANs again.
			past := load.Clock(begun)
			err = errors.Join(err, t.Text(sentMark, func(dst []byte, _ uint64) {
				var all [len(timeMark)]byte
				past(all[:], p.asked.first)
				copy(dst, all[:])
			}))
		}
		return t, err
	}
}
