package trial

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"tillgate/bench/load"
	"tillgate/protocol"
	"tillgate/protocol/iso8583"
)

// What is bought in every purchase: two lines of 1,300.00 in all, a part of
// which is paid with 100.00 points.
const (
	total    = 130_000
	redeemed = 10_000
	basket   = `{"lines":[` +
		`{"id":"1","sku":"4601","category":"coffee","quantity":"1","price":70000,"amount":70000},` +
		`{"id":"2","sku":"4602","category":"pastry","quantity":"2","price":30000,"amount":60000}]}`
)

var lines = []protocol.Line{
	{ID: "1", SKU: "4601", Category: "coffee", Quantity: 1000, Price: 70_000, Amount: 70_000},
	{ID: "2", SKU: "4602", Category: "pastry", Quantity: 2000, Price: 30_000, Amount: 60_000},
}

// Programme is what is published before the run. Holds outlive it: what expires
// by itself would be no entry of the bench's books.
const Programme = `program: bench
currency: KZT
earn: {rules: [{name: base, give: {percent: 10}}]}
redeem: {cap: 50}
holds: {default: 24h}
`

// points are what every member has at the beginning: nobody runs out of them.
const points = 1_000_000_000

// firstCard is the first of the members' card numbers.
const firstCard = 7701_0000_0000_0000

// cardOf is a member's card number.
func cardOf(member int) uint64 { return firstCard + uint64(member) }

// Marks in templates, where numbers and ids are put in.
const (
	cardMark = "5555555555555555"
	keyMark  = "888888888888"
	// DE7, DE11, DE12 and DE13, which stand one after the other.
	timeMark = "1231235958" + "654321" + "235959" + "1231"
)

// HTTP makes the bytes of requests over HTTP. The key is unique by the run, the
// connection and the number.
func httpTemplate(path, body string, run, connection int) (*load.Template, error) {
	text := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: tillgate\r\nContent-Type: application/json\r\n"+
		"Idempotency-Key: %d-%d-%s\r\nContent-Length: %d\r\n\r\n%s", path, run, connection, keyMark, len(body), body)
	t := load.NewTemplate([]byte(text))
	return t, t.Number(keyMark, func(n uint64) uint64 { return n })
}

// terminal is a name of eight characters: each connection of each run is a
// till of its own.
func terminal(run, connection int) string {
	return fmt.Sprintf("%c%03d%04d", 'A'+run/1000%26, run%1000, connection)
}

// httpAuthorize holds points of the members that card gives.
func httpAuthorize(run, connection int, card func(n uint64) uint64) (*load.Template, error) {
	t, err := httpTemplate("/v1/authorizations", `{"terminal":"`+terminal(run, connection)+`","store":"S01","member":{"card":"`+cardMark+
		`"},"basket":`+basket+`,"redeem":{"points":`+strconv.Itoa(redeemed)+`}}`, run, connection)
	return t, errors.Join(err, t.Number(cardMark, card))
}

// isoMessage makes a message whose time and STAN are those of each request.
func isoMessage(mti string, run, connection int, fill func(m *iso8583.Message, tlv *iso8583.TLVs) error) (*load.Template, error) {
	c := iso8583.NewCodec(iso8583.Profile{})
	m := iso8583.NewMessage(c)
	err := m.SetMTI(mti)
	for field, value := range map[int]string{
		3: "000000", 7: timeMark[:10], 11: timeMark[10:16], 12: timeMark[16:22], 13: timeMark[22:],
		41: terminal(run, connection), 42: "S01", 49: "398",
	} {
		err = errors.Join(err, m.Set(field, value))
	}
	var tlv iso8583.TLVs
	err = errors.Join(err, fill(m, &tlv))
	t := load.NewTemplate(c.AppendMessage(nil, m))
	return t, errors.Join(err, t.Text(timeMark, load.Clock(time.Now().UTC())))
}

// isoAuthorize holds points of the members that card gives.
func isoAuthorize(run, connection int, card func(n uint64) uint64) (*load.Template, error) {
	t, err := isoMessage("0100", run, connection, func(m *iso8583.Message, tlv *iso8583.TLVs) error {
		tlv.Add(iso8583.TagIdentifierKind, "CARD").Add(iso8583.TagIdentifier, cardMark).Add(iso8583.TagRedeem, strconv.Itoa(redeemed))
		return errors.Join(m.SetInt(4, total), m.SetBasket(lines), tlv.Into(m, 48))
	})
	return t, errors.Join(err, t.Number(cardMark, card))
}

// isoVoid releases the holds whose ids hold writes.
func isoVoid(run, connection int, hold func(dst []byte, n uint64)) (*load.Template, error) {
	const mark = "HOLDHOLDHOLD"
	t, err := isoMessage("0400", run, connection, func(m *iso8583.Message, _ *iso8583.TLVs) error {
		return m.Set(37, mark)
	})
	return t, errors.Join(err, t.Text(mark, hold))
}
