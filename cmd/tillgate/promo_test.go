package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/protocol/iso8583"
)

// TestPromoCodesAtBothEdges: an office makes coupons, a till takes one over
// HTTP and another by ISO 8583, and neither works twice.
func TestPromoCodesAtBothEdges(t *testing.T) {
	s := ownTestServer(t)
	status, answer := call(t, s, "PUT", "/v1/program", `{"program":"p","currency":"KZT",
		"promo_codes":[{"serial":"march","give":{"discount":{"percent":10}}},{"code":"HELLO","source":"street","give":{"points":5},"per_member":1}]}`)
	require.Equal(t, 200, status, "%v", answer)
	status, _, body := post(t, s, "/v1/program/coupons", "batch", `{"serial":"march","count":3}`)
	require.Equal(t, 201, status, body)
	var batch struct{ Codes []string }
	require.NoError(t, json.Unmarshal([]byte(body), &batch))
	require.Len(t, batch.Codes, 3)
	_, header, again := post(t, s, "/v1/program/coupons", "batch", `{"serial":"march","count":3}`)
	require.Equal(t, body, again)
	require.Equal(t, "true", header.Get("Idempotent-Replayed"))
	status, _, body = post(t, s, "/v1/program/coupons", "many", `{"serial":"march","count":10001}`)
	require.Equal(t, 400, status, body)
	status, _, body = post(t, s, "/v1/program/coupons", "none", `{"serial":"april","count":1}`)
	require.Equal(t, 404, status, body)

	status, _, body = post(t, s, "/v1/members", "m", `{"phone":"+77011234567","promo_code":"hello"}`)
	require.Equal(t, 201, status, body)
	require.Contains(t, body, `"rules":[{"rule":"HELLO","points":500}]`)
	sale := fmt.Sprintf(`{"terminal":"T0001","store":"S01","member":{"phone":"+77011234567"},"promo_codes":[%q,"HELLO"],"explain":true,
		"basket":{"lines":[{"id":"a","quantity":"1","price":20000,"amount":20000},{"id":"b","quantity":"1","price":10000,"amount":10000}]}}`, batch.Codes[0])
	status, _, body = post(t, s, "/v1/authorizations", "sale", sale)
	require.Equal(t, 201, status, body)
	require.Contains(t, body, `"rules":[{"rule":"march","points":0,"discount":3000,"lines":[{"id":"a","discount":2000},{"id":"b","discount":1000}]}],`+
		`"promo":[{"code":"`+batch.Codes[0]+`","points":0,"discount":3000},{"code":"HELLO","points":0,"refused":"used_by_member"}],`+
		`"skipped":[{"rule":"HELLO","because":"the member has used it before"}]`)
	_, _, again = post(t, s, "/v1/authorizations", "sale", sale)
	require.Equal(t, body, again)

	pay := func(stan, code string) map[int]string {
		return isoSale(t, s, map[int]string{3: "000000", 4: "10000", 11: stan, 41: "T0001", 42: "S01",
			48: fmt.Sprintf("01004PHON02012+7701123456707%03d%s", len(code), code)})
	}
	old := pay("000011", batch.Codes[0])
	require.Equal(t, "00", old[39])
	require.Contains(t, old[61], "0300510000", "it was used before: the whole sum is payable")
	require.Contains(t, pay("000012", batch.Codes[1])[61], "030049000", "a tenth off")
}

// isoSale sends a 0200 and returns the answer's fields.
func isoSale(t *testing.T, s *server, fields map[int]string) map[int]string {
	t.Helper()
	codec := iso8583.NewCodec(iso8583.Profile{})
	m := iso8583.NewMessage(codec)
	require.NoError(t, setAll(m, "0200", fields))
	conn, err := net.Dial("tcp", s.gateway.ISOAddrs()[0])
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	message := codec.AppendMessage(nil, m)
	_, err = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...))
	require.NoError(t, err)
	reader := iso8583.NewReader(conn, iso8583.Framing{})
	require.NoError(t, reader.Fill())
	answer, ok, err := reader.Next()
	require.NoError(t, err)
	require.True(t, ok)
	got := iso8583.NewMessage(codec)
	require.True(t, codec.Decode(answer.Message, got).OK())
	return map[int]string{39: got.Text(39), 61: got.Text(61)}
}
