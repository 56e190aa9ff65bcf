package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/config"
	"tillgate/gateway"
	"tillgate/processor/program"
)

// mall is a server of two merchants: each has a marketing key, a till key, and
// a till at the ISO 8583 edge.
type mall struct {
	*server
	t       *testing.T
	secrets map[string]string
}

func openMall(t *testing.T) *mall {
	t.Helper()
	m := &mall{t: t, secrets: map[string]string{}}
	conf := config.Default()
	conf.Data = t.TempDir()
	conf.Gateway.HTTP.Listen, conf.Gateway.ISO.Listen = "127.0.0.1:0", "127.0.0.1:0"
	for _, merchant := range []string{"north", "south"} {
		for _, role := range []string{"marketing", "till"} {
			secret, hash := gateway.NewKey()
			name := merchant + "-" + role
			m.secrets[name] = secret
			conf.Gateway.Keys = append(conf.Gateway.Keys, gateway.Key{Name: name, Hash: hash, Role: role, Merchant: merchant})
		}
	}
	conf.Gateway.Terminals = []gateway.Terminal{
		{ID: "TN", Store: "SN", Merchant: "north"},
		{ID: "TS", Store: "SS", Merchant: "south"},
	}
	var err error
	m.server, err = newServer(conf, slog.New(slog.DiscardHandler), func(string, string, ...any) {})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			require.NoError(t, err)
		case <-time.After(20 * time.Second):
			t.Error("the server did not stop within 20 seconds")
		}
	})
	return m
}

// as makes a request under a key; without a name, without one.
func (m *mall) as(key, method, path, body string, header ...string) (int, http.Header, string) {
	m.t.Helper()
	req, err := http.NewRequest(method, "http://"+m.gateway.HTTPAddr()+path, strings.NewReader(body))
	require.NoError(m.t, err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+m.secrets[key])
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(m.t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(m.t, err)
	return resp.StatusCode, resp.Header, string(raw)
}

// publish puts a programme in force that earns a share.
func (m *mall) publish(merchant, percent string) (etag string) {
	m.t.Helper()
	doc := `{"program": "` + merchant + `", "currency": "KZT", "earn": {"rules": [{"name": "base", "give": {"percent": ` + percent + `}}]}}`
	status, header, body := m.as(merchant+"-marketing", "PUT", "/v1/program", doc)
	require.Equal(m.t, 200, status, body)
	return header.Get("ETag")
}

// sell accrues 100.00 by both edges and returns what the slips say.
func (m *mall) sell(merchant, key string) (overHTTP, overISO string) {
	m.t.Helper()
	status, _, body := m.as(merchant+"-till", "POST", "/v1/accruals",
		`{"terminal":"T9","store":"S9","member":{"phone":"+77011234567"},"basket":{"total":10000}}`, "Idempotency-Key", key)
	require.Equal(m.t, 200, status, body)
	at := strings.ToUpper(merchant[:1])
	// A message's time has whole seconds, and the programme follows it: the
	// till's clock is ahead, or the sale might be older than the publication.
	ahead := func() time.Time { return time.Now().Add(2 * time.Second) }
	c := &till{tillLine: &tillLine{address: m.gateway.ISOAddrs()[0], timeout: 10 * time.Second},
		terminal: "T" + at, store: "S" + at, currency: "398", clock: ahead, state: &tillState{Shift: 1, Sales: map[string]tillSale{}}}
	defer c.close()
	said, err := oneStep("000000")(c, &tillFlags{phone: "+77011234567", total: "100", key: key + "-iso"}, "")
	require.NoError(m.t, err)
	return body, said
}

// TestEachKeyItsMerchantsProgramme: two programmes in one server, each through
// both edges, and neither office sees the other's.
func TestEachKeyItsMerchantsProgramme(t *testing.T) {
	m := openMall(t)
	m.publish("north", "10")
	m.publish("south", "5")
	m.publish("south", "7")
	north, northISO := m.sell("north", "k1")
	south, southISO := m.sell("south", "k1")
	require.Contains(t, north, `"program_version":1`)
	require.Contains(t, north, `"earned":{"points":1000,`)
	require.Contains(t, south, `"program_version":2`)
	require.Contains(t, south, `"earned":{"points":700,`)
	require.Contains(t, northISO, "10.00")
	require.Contains(t, southISO, "7.00")
	// The same phone number is a member of each: the balances don't mix.
	require.Contains(t, north, `"balance":{"available":1000,`)
	require.Contains(t, south, `"balance":{"available":700,`)

	status, _, versions := m.as("north-marketing", "GET", "/v1/program/versions", "")
	require.Equal(t, 200, status)
	require.Equal(t, 1, strings.Count(versions, `"version":`))
	require.Contains(t, versions, `"program":"north"`)
	require.Contains(t, versions, `"published_by":"north-marketing","in_force":true`)
	status, _, body := m.as("north-marketing", "GET", "/v1/program?version=2", "")
	require.Equal(t, 404, status, body)
	status, _, body = m.as("north-till", "GET", "/v1/program/versions", "")
	require.Equal(t, 403, status, body)
}

// TestGoingBackOverTheWire: the versions of a programme, from a publication to
// the restoration of the one before it, as an office sees it.
func TestGoingBackOverTheWire(t *testing.T) {
	m := openMall(t)
	first := m.publish("south", "5")
	second := m.publish("south", "7")
	const key = "south-marketing"
	status, header, body := m.as(key, "GET", "/v1/program?version=1", "")
	require.Equal(t, 200, status)
	require.Equal(t, first, header.Get("ETag"))
	require.Equal(t, `{"program": "south", "currency": "KZT", "earn": {"rules": [{"name": "base", "give": {"percent": 5}}]}}`, body, "as published")
	status, _, _ = m.as(key, "GET", "/v1/program?version=1", "", "If-None-Match", first)
	require.Equal(t, 304, status)
	for _, bad := range []string{"version=0", "version=-1", "version=one", "version=1&version=2", "from=1"} {
		status, _, body = m.as(key, "GET", "/v1/program?"+bad, "")
		require.Equal(t, 400, status, body)
	}
	status, _, body = m.as(key, "GET", "/v1/program/versions/diff?from=1&to=2", "")
	require.Equal(t, 200, status)
	require.Equal(t, `{"from":1,"to":2,"differences":[{"path":"earn.rules[base].give.percent","before":5,"after":7}]}`, body)

	const restore = "/v1/program/versions/1/restore"
	status, _, body = m.as(key, "POST", restore, "")
	require.Equal(t, 400, status, "it takes a key")
	require.Contains(t, body, `"field":"Idempotency-Key"`)
	status, _, body = m.as(key, "POST", restore, "", "Idempotency-Key", "r0", "If-Match", first)
	require.Equal(t, 412, status, body)
	status, header, said := m.as(key, "POST", restore, "", "Idempotency-Key", "r1", "If-Match", second)
	require.Equal(t, 200, status, said)
	require.Contains(t, said, `{"version":3,"program":"south",`)
	etag := header.Get("ETag")
	status, header, body = m.as(key, "POST", restore, "", "Idempotency-Key", "r1", "If-Match", second)
	require.Equal(t, 200, status)
	require.Equal(t, said, body, "the same bytes again")
	require.Equal(t, "true", header.Get("Idempotent-Replayed"))
	require.Equal(t, etag, header.Get("ETag"))
	status, _, body = m.as(key, "POST", "/v1/program/versions/9/restore", "", "Idempotency-Key", "r9")
	require.Equal(t, 404, status, body)
	overHTTP, overISO := m.sell("south", "after")
	require.Contains(t, overHTTP, `"program_version":3`)
	require.Contains(t, overHTTP, `"earned":{"points":500,`)
	require.Contains(t, overISO, "5.00")

	// Anybody's editor may have the schema.
	status, header, body = m.as("", "GET", "/v1/program/schema", "")
	require.Equal(t, 200, status)
	require.Equal(t, "application/schema+json", header.Get("Content-Type"))
	require.True(t, bytes.Equal(program.Schema, []byte(body)))
}
