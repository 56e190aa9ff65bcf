package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/config"
	"tillgate/ledger"
	"tillgate/protocol/iso8583"
)

// ownTestServer is the whole server without PostgreSQL, on free ports.
func ownTestServer(t *testing.T, change ...func(*config.Config)) *server {
	t.Helper()
	conf := config.Default()
	conf.Data, conf.Dev = t.TempDir(), true
	for _, f := range change {
		f(conf)
	}
	conf.Gateway.HTTP.Listen, conf.Gateway.ISO.Listen = "127.0.0.1:0", "127.0.0.1:0"
	s, err := newServer(conf, slog.New(slog.DiscardHandler), func(string, string, ...any) {})
	require.NoError(t, err)
	s.database = nil
	s.reconciler.Await(false)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			require.NoError(t, err)
		case <-time.After(20 * time.Second):
			t.Error("the server did not stop within 20 seconds")
		}
	})
	return s
}

// post sends a request and returns status, headers and body.
func post(t *testing.T, s *server, path, key, body string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequest("POST", "http://"+s.gateway.HTTPAddr()+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, resp.Header, string(raw)
}

const purchase = `{"terminal":"T0001","store":"S01","member":{"phone":"+77011234567"},"basket":{"total":130000}}`

// Both edges share one space of keys, and a repeat gets the same bytes.
func TestTheSameKeyGetsTheSameBytes(t *testing.T) {
	s := ownTestServer(t)
	status, _, first := post(t, s, "/v1/authorizations", "k-1", purchase)
	require.Equal(t, 201, status, first)
	status, header, again := post(t, s, "/v1/authorizations", "k-1", purchase)
	require.Equal(t, 201, status)
	require.Equal(t, first, again)
	require.Equal(t, "true", header.Get("Idempotent-Replayed"))
	status, _, body := post(t, s, "/v1/authorizations", "k-1", strings.Replace(purchase, "130000", "130001", 1))
	require.Equal(t, 409, status, body)

	c := &till{tillLine: &tillLine{address: s.gateway.ISOAddrs()[0], timeout: 10 * time.Second},
		terminal: "T0001", store: "S01", currency: "398", clock: time.Now, state: &tillState{Shift: 1, Sales: map[string]tillSale{}}}
	defer c.close()
	_, err := c.authorize(&tillFlags{phone: "+77011234567", total: "1300", key: "k-1"}, "")
	require.ErrorContains(t, err, "declined 94", "the key is taken, whichever edge it came by")
}

// A request in flight with the same key is waited for: however many come at
// once, one is booked.
func TestManyAtOnceBookOnce(t *testing.T) {
	s := ownTestServer(t)
	const n = 32
	bodies := make(chan string, n)
	for range n {
		go func() {
			_, _, body := post(t, s, "/v1/accruals", "same", strings.Replace(purchase, `"store"`, `"receipt":{"number":"1","shift":"1"},"store"`, 1))
			bodies <- body
		}()
	}
	first := <-bodies
	for range n - 1 {
		require.Equal(t, first, <-bodies)
	}
	require.Contains(t, first, `"balance":{"available":13000,`)
}

// Whatever is malformed changes nothing, on either edge: not a record is
// written.
func TestMalformedInputChangesNothing(t *testing.T) {
	s := ownTestServer(t)
	status, _, body := post(t, s, "/v1/authorizations", "before", purchase)
	require.Equal(t, 201, status, body)
	records := s.ledger.Stats().Records

	line := `{"id":"1","quantity":"1","price":100,"amount":100}`
	for name, bad := range map[string]string{
		"unknown field":      strings.Replace(purchase, "store", "stroe", 1),
		"half a body":        purchase[:40],
		"not JSON":           "MTI 0100",
		"invalid UTF-8":      strings.Replace(purchase, "S01", "\xc3\x28", 1),
		"no member":          strings.Replace(purchase, `"member":{"phone":"+77011234567"},`, "", 1),
		"bad phone":          strings.Replace(purchase, "+77011234567", "12", 1),
		"time of no month":   strings.Replace(purchase, `"store"`, `"at":"2026-13-45T00:00:00Z","store"`, 1),
		"duplicate line ids": strings.Replace(purchase, `"total":130000`, `"lines":[`+line+`,`+line+`]`, 1),
		"too many lines":     strings.Replace(purchase, `"total":130000`, `"lines":[`+strings.Repeat(line+",", 1000)+line+`]`, 1),
		"a number too large": strings.Replace(purchase, "130000", "99999999999999999999999", 1),
		"nested too deeply":  strings.Repeat("[", 5000),
		"duplicate field":    strings.Replace(purchase, `"store"`, `"terminal":"T2","store"`, 1),
		"nothing at all":     "",
		"text after the end": purchase + "{}",
		"total of no amount": strings.Replace(purchase, "130000", `"many"`, 1),
		"null":               strings.Replace(purchase, "130000", "null", 1),
	} {
		status, _, body := post(t, s, "/v1/authorizations", "bad", bad)
		require.Equal(t, 400, status, "%s: %s", name, body)
		require.Contains(t, body, `"code":"invalid_request"`, name)
	}
	codec := iso8583.NewCodec(iso8583.Profile{})
	good := iso8583.NewMessage(codec)
	require.NoError(t, setAll(good, "0100", map[int]string{3: "000000", 4: "130000", 11: "000001", 41: "T0001", 42: "S01", 48: "01004PHON02012+77011234567"}))
	message := string(codec.AppendMessage(nil, good))
	for name, bad := range map[string]string{
		"cut off":              message[:len(message)-5],
		"trailing bytes":       message + "x",
		"letters in an amount": strings.Replace(message, "000000130000", "00000013OOOO", 1),
		"bitmaps for ever":     "0100" + strings.Repeat("\xff", 4000),
		"invalid UTF-8":        strings.Replace(message, "S01", "\xff\xfe1", 1),
		"nothing but noise":    strings.Repeat("noise ", 100),
	} {
		conn, err := net.Dial("tcp", s.gateway.ISOAddrs()[0])
		require.NoError(t, err)
		require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
		_, err = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(bad))), bad...))
		require.NoError(t, err)
		reader := iso8583.NewReader(conn, iso8583.Framing{})
		require.NoError(t, reader.Fill(), name)
		frame, ok, err := reader.Next()
		require.NoError(t, err)
		require.True(t, ok)
		m := iso8583.NewMessage(codec)
		require.True(t, codec.Decode(frame.Message, m).OK())
		require.Equal(t, "30", m.Text(39), name)
		require.NoError(t, conn.Close())
	}
	require.Equal(t, records, s.ledger.Stats().Records, "not a record was written")

	// Sums that cannot be are declines: remembered, without any effect.
	for i, bad := range []string{`{"total":0}`, `{"total":-100}`, `{"total":5,"lines":[` + line + `]}`, `{"total":9223372036854775807}`} {
		status, _, body := post(t, s, "/v1/accruals", fmt.Sprint("sum", i), strings.Replace(purchase, `{"total":130000}`, bad, 1))
		require.Equal(t, 422, status, body)
		require.Contains(t, body, `"iso":"13"`)
	}
	status, _, body = post(t, s, "/v1/quote", "", purchase)
	require.Equal(t, 200, status)
	require.Contains(t, body, `"balance":{"available":0,"held":0,"pending":0,"deficit":0}`)
}

// The metrics of the whole server can be gathered, and say nothing about
// anybody.
func TestMetricsOfTheWholeServer(t *testing.T) {
	s := ownTestServer(t)
	post(t, s, "/v1/authorizations", "k", purchase)
	families, err := s.registry.Gather()
	require.NoError(t, err)
	names := map[string]bool{}
	for _, f := range families {
		names[f.GetName()] = true
		require.NotContains(t, f.String(), "77011234567")
		require.NotContains(t, f.String(), "T0001")
	}
	for _, name := range []string{"tillgate_requests_total", "tillgate_ledger_records_total", "tillgate_ledger_l0_sublevels", "go_goroutines"} {
		require.True(t, names[name], name)
	}
}

// A ledger that can't go on has nothing to tell of its store, and is asked
// nevertheless.
func TestMetricsWithoutAStore(t *testing.T) {
	for _, c := range ledgerCounters {
		require.Zero(t, c.value(&ledger.Stats{}), c.desc.String())
	}
}
