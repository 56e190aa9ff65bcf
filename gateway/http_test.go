package gateway

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/protocol"
)

func TestARequestReachesTheSwitchWhole(t *testing.T) {
	e := start(t)
	var got protocol.Request
	e.fake.decide = func(x *protocol.Exchange) {
		got = x.Request
		got.Terminal, got.Key = strings.Clone(got.Terminal), strings.Clone(got.Key)
		x.Response.ID, x.Response.Status, x.Response.Created = "0A0000000001", "pending", true
		x.Response.Total = 130000
	}
	a := e.authorize("k-1")
	require.Equal(t, 201, a.status, a.body)
	require.Equal(t, "application/json", a.header.Get("Content-Type"))
	require.Equal(t, "/v1/authorizations/0A0000000001", a.header.Get("Location"))
	require.Equal(t, "no-store", a.header.Get("Cache-Control"))
	require.Equal(t, "0A0000000001", a.field(t, "id"))
	require.Equal(t, "T0001", got.Terminal)
	require.Equal(t, "k-1", got.Key)
	require.Equal(t, protocol.RoleAny, got.Caller.Role)
	require.EqualValues(t, 130000, got.Total)
	require.Empty(t, a.header.Get("Idempotent-Replayed"))
}

func TestTheHashCoversMethodPathAndBody(t *testing.T) {
	e := start(t)
	hashes := map[[16]byte]string{}
	e.fake.decide = func(x *protocol.Exchange) { hashes[x.Request.Hash] = x.Request.Target }
	send := func(path, body string) { e.do("POST", path, body, "Idempotency-Key", "k") }
	send("/v1/authorizations", sale)
	send("/v1/authorizations", sale)
	require.Len(t, hashes, 1, "a repeat has the same hash")
	send("/v1/accruals", sale)
	send("/v1/authorizations", strings.Replace(sale, "130000", "130001", 1))
	send("/v1/authorizations/0A0000000001/void", "")
	send("/v1/authorizations/0A0000000002/void", "")
	require.Len(t, hashes, 5)
}

// A call without a body takes an empty object for none, in a repeat too, and
// nothing else.
func TestAnEmptyObjectIsNoBody(t *testing.T) {
	e := start(t)
	hashes := map[[16]byte]bool{}
	e.fake.decide = func(x *protocol.Exchange) { hashes[x.Request.Hash] = true }
	for _, body := range []string{"", "{}", " { }\n"} {
		a := e.do("POST", "/v1/program/versions/1/restore", body, "Idempotency-Key", "k")
		require.Equal(t, 200, a.status, "%q: %s", body, a.body)
	}
	require.Len(t, hashes, 1)
	for _, body := range []string{`{"version":1}`, "[]", "{", "}", "{}{}"} {
		a := e.do("POST", "/v1/program/versions/1/restore", body, "Idempotency-Key", "k")
		require.Equal(t, 400, a.status, "%q: %s", body, a.body)
		require.Contains(t, a.body, "takes no body")
	}
}

func TestAReplaySaysSo(t *testing.T) {
	e := start(t)
	e.fake.decide = func(x *protocol.Exchange) { x.Response.Replayed = true }
	require.Equal(t, "true", e.authorize("k").header.Get("Idempotent-Replayed"))
}

func TestDeclinesAreProblems(t *testing.T) {
	e := start(t)
	for _, test := range []struct {
		code   protocol.Code
		status int
		iso    string
		retry  bool
	}{
		{protocol.InsufficientPoints, 402, "51", false},
		{protocol.RedeemNotAllowed, 422, "57", false},
		{protocol.CardBlocked, 403, "62", false},
		{protocol.IdempotencyConflict, 409, "94", false},
		{protocol.Overloaded, 503, "91", true},
		{protocol.Internal, 500, "96", true},
	} {
		e.fake.decide = func(x *protocol.Exchange) {
			x.Response.Code, x.Response.Detail = test.code, "why"
		}
		a := e.authorize("k")
		require.Equal(t, test.status, a.status)
		require.Equal(t, "application/problem+json", a.header.Get("Content-Type"))
		require.Equal(t, test.code.String(), a.field(t, "code"))
		require.Equal(t, test.iso, a.field(t, "iso"))
		require.Equal(t, test.retry, a.field(t, "retryable"))
		require.Equal(t, test.retry, a.header.Get("Retry-After") != "", "only what is retryable says when")
	}
}

// What is malformed is refused with the table's code and a sentence that helps.
func TestBadRequests(t *testing.T) {
	e := start(t)
	line := func(id string) string { return `{"id":"` + id + `","quantity":"1","price":100,"amount":100}` }
	basket := func(b string) string {
		return strings.Replace(sale, `{"total":130000}`, b, 1)
	}
	many := make([]string, 1000)
	for i := range many {
		many[i] = line(fmt.Sprint(i))
	}
	for name, test := range map[string]struct {
		method, path, body string
		headers            []string
		status             int
		code, field        string
	}{
		"no key":                  {path: "/v1/authorizations", body: sale, status: 400, code: "invalid_request", field: "Idempotency-Key"},
		"long key":                {path: "/v1/authorizations", body: sale, headers: []string{"Idempotency-Key", strings.Repeat("k", 65)}, status: 400, code: "invalid_request", field: "Idempotency-Key"},
		"key with a space":        {path: "/v1/authorizations", body: sale, headers: []string{"Idempotency-Key", "a b"}, status: 400, code: "invalid_request", field: "Idempotency-Key"},
		"unknown field":           {body: `{"tirminal":"T1"}`, status: 400, code: "invalid_request", field: "tirminal"},
		"not JSON":                {body: `{"terminal":`, status: 400, code: "invalid_request"},
		"two values":              {body: sale + sale, status: 400, code: "invalid_request"},
		"no body":                 {body: "", status: 400, code: "invalid_request"},
		"invalid UTF-8":           {body: strings.Replace(sale, "S01", "S\xff", 1), status: 400, code: "invalid_request", field: "store"},
		"amount of zero":          {body: basket(`{"total":0}`), status: 422, code: "invalid_amount"},
		"negative amount":         {body: basket(`{"total":-5}`), status: 422, code: "invalid_amount"},
		"sum that overflows":      {body: basket(`{"total":99999999999999999999}`), status: 400, code: "invalid_request"},
		"amount over all bounds":  {body: basket(`{"total":9223372036854775807}`), status: 422, code: "invalid_amount"},
		"lines don't add up":      {body: basket(`{"total":999,"lines":[` + line("1") + `]}`), status: 422, code: "invalid_amount"},
		"duplicate line ids":      {body: basket(`{"lines":[` + line("1") + `,` + line("1") + `]}`), status: 400, code: "invalid_request"},
		"1,000 lines":             {body: basket(`{"lines":[` + strings.Join(many, ",") + `]}`), status: 400, code: "invalid_request", field: "basket.lines"},
		"time out of range":       {body: strings.Replace(sale, `"store"`, `"at":"2026-13-01T00:00:00Z","store"`, 1), status: 400, code: "invalid_request", field: "at"},
		"two identifiers":         {body: strings.Replace(sale, `"phone":`, `"card":"1234567890","phone":`, 1), status: 400, code: "invalid_request"},
		"no such path":            {method: "GET", path: "/v1/nothing", status: 404, code: "not_found"},
		"no such path at all":     {method: "GET", path: "/", status: 404, code: "not_found"},
		"wrong method":            {method: "DELETE", path: "/v1/authorizations", status: 405, code: "method_not_allowed"},
		"body on GET":             {method: "GET", path: "/v1/parked", body: `{"a":1}`, status: 400, code: "invalid_request"},
		"form":                    {body: sale, headers: []string{"Idempotency-Key", "k", "Content-Type", "application/x-www-form-urlencoded"}, status: 415, code: "unsupported_media_type", field: "Content-Type"},
		"other charset":           {body: sale, headers: []string{"Idempotency-Key", "k", "Content-Type", "application/json; charset=koi8-r"}, status: 415, code: "unsupported_media_type", field: "Content-Type"},
		"compressed":              {body: sale, headers: []string{"Idempotency-Key", "k", "Content-Encoding", "gzip"}, status: 415, code: "unsupported_media_type", field: "Content-Encoding"},
		"unknown query parameter": {path: "/v1/authorizations?dry=1", body: sale, headers: []string{"Idempotency-Key", "k"}, status: 400, code: "invalid_request", field: "dry"},
		"limit of a page":         {method: "GET", path: "/v1/members/0000000000001/operations?limit=5000", status: 400, code: "invalid_request", field: "limit"},
		"parameter twice":         {method: "GET", path: "/v1/members/0000000000001/operations?limit=5&limit=6", status: 400, code: "invalid_request", field: "limit"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.method == "" {
				test.method = "POST"
			}
			if test.path == "" {
				test.path = "/v1/authorizations"
				if test.headers == nil {
					test.headers = []string{"Idempotency-Key", "k"}
				}
			}
			a := (&edge{Gateway: e.Gateway, t: t}).do(test.method, test.path, test.body, test.headers...)
			require.Equal(t, test.status, a.status, a.body)
			require.Equal(t, test.code, a.field(t, "code"))
			require.NotEmpty(t, a.field(t, "detail"), a.body)
			if test.field != "" {
				require.Equal(t, test.field, a.field(t, "field"), a.body)
			}
			require.Empty(t, a.header.Get("Retry-After"))
		})
	}
}

func TestContentTypesThatAreUnderstood(t *testing.T) {
	e := start(t)
	for _, kind := range []string{"application/json", "application/json; charset=utf-8", `Application/JSON;charset="UTF-8"`} {
		require.Equal(t, 200, e.do("POST", "/v1/authorizations", sale, "Idempotency-Key", "k", "Content-Type", kind).status, kind)
	}
}

func TestCallsThatChangeNothingNeedNoKey(t *testing.T) {
	e := start(t)
	require.Equal(t, 200, e.do("POST", "/v1/quote", sale).status)
	require.Equal(t, 200, e.do("POST", "/v1/members/lookup", `{"phone":"+77011234567"}`).status)
	require.Equal(t, 200, e.do("POST", "/v1/program/check", "program: x", "Content-Type", "application/yaml").status)
}

func TestAllowAndOptionsAndHead(t *testing.T) {
	e := start(t)
	a := e.do("PUT", "/v1/authorizations", "{}")
	require.Equal(t, 405, a.status)
	require.Equal(t, "POST, OPTIONS", a.header.Get("Allow"))
	a = e.do("OPTIONS", "/v1/members/0000000000001", "")
	require.Equal(t, 204, a.status)
	require.Equal(t, "GET, PATCH, DELETE, OPTIONS", a.header.Get("Allow"))
	a = e.do("HEAD", "/healthz", "")
	require.Equal(t, 200, a.status)
	require.Empty(t, a.body)
}

func TestABodyOverTheLimitIsRefusedUnread(t *testing.T) {
	e := start(t)
	big := strings.Replace(sale, "S01", strings.Repeat("S", 300<<10), 1)
	a := e.do("POST", "/v1/authorizations", big, "Idempotency-Key", "k")
	require.Equal(t, 413, a.status)
	require.Equal(t, "too_large", a.field(t, "code"))
	require.Equal(t, "30", a.field(t, "iso"))

	// A gigabyte is announced and a little of it sent: the refusal does not wait.
	c := e.raw(e.HTTPAddr(), "POST /v1/authorizations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1073741824\r\n\r\n{")
	resp, _ := readResponse(t, c)
	require.Equal(t, 413, resp.StatusCode)
	closed(t, c)

	// Chunks that never end are cut off at the limit.
	c = e.raw(e.HTTPAddr(), "POST /v1/authorizations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
	chunk := "10000\r\n" + strings.Repeat("x", 0x10000) + "\r\n"
	for range 6 {
		io.WriteString(c, chunk) // the server may have closed already
	}
	resp, _ = readResponse(t, c)
	require.Equal(t, 413, resp.StatusCode)
}

func TestHeadersOverTheLimit(t *testing.T) {
	e := start(t)
	c := e.raw(e.HTTPAddr(), "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: "+strings.Repeat("y", 20<<10)+"\r\n\r\n")
	resp, body := readResponse(t, c)
	require.Equal(t, 413, resp.StatusCode)
	require.Contains(t, body, "too_large")
}

func TestTwoLengthsEndTheConnection(t *testing.T) {
	e := start(t)
	for _, header := range []string{
		"Content-Length: 5\r\nTransfer-Encoding: chunked",
		"Transfer-Encoding: chunked\r\ncontent-length: 5",
		"Content-Length: 5\r\nTRANSFER-ENCODING: identity",
	} {
		c := e.raw(e.HTTPAddr(), "POST /v1/quote HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"+header+
			"\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
		resp, _ := readResponse(t, c)
		require.Equal(t, 400, resp.StatusCode, header)
		require.True(t, resp.Close, header)
		require.Empty(t, closed(t, c), "what follows is not answered")
	}
	require.Empty(t, e.fake.calls())
}

func TestMalformedHTTP(t *testing.T) {
	e := start(t)
	for name, bytes := range map[string]string{
		"no HTTP":            "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello, is this TLS?\r\n\r\n",
		"bad header":         "GET /healthz HTTP/1.1\r\nHost: x\r\nAuthorization Bearer\r\n\r\n",
		"space before colon": "GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length : 5\r\n\r\n",
		"two lengths":        "POST /v1/quote HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
		"negative length":    "POST /v1/quote HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
		"broken chunk":       "POST /v1/quote HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			c := (&edge{t: t}).raw(e.HTTPAddr(), bytes)
			resp, body := readResponse(t, c)
			require.Equal(t, 400, resp.StatusCode)
			require.Contains(t, body, "invalid_request")
			require.NotContains(t, body, "fasthttp", "nothing internal leaks")
			require.Empty(t, closed(t, c))
		})
	}
}

// A client that sends a byte now and then must not hold a connection.
func TestASlowRequestIsCutOff(t *testing.T) {
	e := start(t, func(o *Options, _ *Parts) { o.HTTP.ReadTimeout = 300 * time.Millisecond })
	c := e.raw(e.HTTPAddr(), "POST /v1/quote HTTP/1.1\r\nHost: x\r\nContent-Le")
	begun := time.Now()
	go func() {
		for {
			if _, err := io.WriteString(c, "n"); err != nil {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
	}()
	rest := closed(t, c)
	require.Less(t, time.Since(begun), 5*time.Second)
	require.Contains(t, string(rest), " 400 ")
}

func TestAnIdleConnectionIsClosed(t *testing.T) {
	e := start(t, func(o *Options, _ *Parts) { o.HTTP.IdleTimeout = 200 * time.Millisecond })
	c := e.raw(e.HTTPAddr(), "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
	resp, _ := readResponse(t, c)
	require.Equal(t, 200, resp.StatusCode)
	require.Empty(t, closed(t, c))
}

func TestLoadIsShed(t *testing.T) {
	e := start(t, func(o *Options, _ *Parts) { o.Limits.InFlight = 2 })
	e.fake.holdAll()
	answers := make(chan answer, 2)
	for i := range 2 {
		go func() { answers <- e.authorize(fmt.Sprint("k", i)) }()
	}
	<-e.fake.arrive
	<-e.fake.arrive
	a := e.authorize("k3")
	require.Equal(t, 503, a.status)
	require.Equal(t, "overloaded", a.field(t, "code"))
	require.Equal(t, "1", a.header.Get("Retry-After"))
	require.Equal(t, 200, e.do("GET", "/healthz", "").status, "health is not in the bound")
	e.fake.letGo()
	require.Equal(t, 200, (<-answers).status)
	require.Equal(t, 200, (<-answers).status)
	require.Equal(t, 200, e.authorize("k4").status, "the places are free again")
}

// A handler that gives up leaves the exchange alone until the switch is done
// with it.
func TestAnAnswerThatComesTooLate(t *testing.T) {
	e := start(t, func(o *Options, _ *Parts) { o.Limits.RequestTimeout = 50 * time.Millisecond })
	e.fake.holdAll()
	a := e.authorize("k")
	require.Equal(t, 503, a.status)
	require.Equal(t, "unavailable", a.field(t, "code"))
	require.EqualValues(t, 1, e.gate.flying.Load(), "it is still in flight")
	e.fake.mu.Lock()
	held := e.fake.held[0]
	e.fake.mu.Unlock()
	for range 50 { // other requests take other exchanges meanwhile
		e.do("POST", "/v1/nothing", "")
	}
	require.Equal(t, "T0001", held.Request.Terminal, "what the switch holds has not been reused")
	e.fake.letGo()
	eventually(t, "given back", func() bool { return e.gate.flying.Load() == 0 })
}

func TestConnectionsAreBounded(t *testing.T) {
	e := start(t, func(o *Options, _ *Parts) { o.HTTP.Connections, o.HTTP.PerAddress = 8, 3 })
	var open []net.Conn
	for range 3 {
		c := e.raw(e.HTTPAddr(), "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
		resp, _ := readResponse(t, c)
		require.Equal(t, 200, resp.StatusCode)
		open = append(open, c)
	}
	c := e.raw(e.HTTPAddr(), "")
	require.Empty(t, closed(t, c), "the fourth of an address is closed")
	open[0].Close()
	eventually(t, "let in again", func() bool {
		c, err := net.Dial("tcp", e.HTTPAddr())
		if err != nil {
			return false
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(time.Second))
		io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		raw, _ := io.ReadAll(c)
		return strings.Contains(string(raw), " 200 ")
	})
}

func TestInFlightAnswersGoOutWhenStopping(t *testing.T) {
	e := start(t)
	e.fake.holdAll()
	got := make(chan answer, 1)
	go func() { got <- e.authorize("k") }()
	<-e.fake.arrive
	// A connection that idles must not delay the stop.
	idle := e.raw(e.HTTPAddr(), "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
	readResponse(t, idle)
	e.stop()
	eventually(t, "deaf to new connections", func() bool {
		c, err := net.Dial("tcp", e.HTTPAddr())
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	require.False(t, e.ready().Ready)
	e.fake.letGo()
	a := <-got
	require.Equal(t, 200, a.status)
	err := <-e.stopped
	e.stopped <- err
	require.NoError(t, err)
}

func TestHealthReadinessAndDescription(t *testing.T) {
	ledger, database := error(nil), errors.New("is not reachable")
	e := start(t, func(_ *Options, p *Parts) {
		p.Checks = []Check{
			{Name: "ledger", Needed: true, Probe: func() error { return ledger }},
			{Name: "postgresql", Probe: func() error { return database }},
		}
	})
	require.Equal(t, 200, e.do("GET", "/healthz", "").status)
	a := e.do("GET", "/readyz", "")
	require.Equal(t, 200, a.status, "tills don't need PostgreSQL")
	require.Contains(t, a.body, `{"name":"postgresql","ok":false,"needed":false,"because":"is not reachable"}`)
	ledger = errors.New("is full")
	a = e.do("GET", "/readyz", "")
	require.Equal(t, 503, a.status)
	require.Contains(t, a.body, `"ready":false`)
	a = e.do("GET", "/openapi.yaml", "")
	require.Equal(t, 200, a.status)
	require.Contains(t, a.body, "openapi: 3")
}

func TestProgrammeETag(t *testing.T) {
	e := start(t)
	var match string
	e.fake.decide = func(x *protocol.Exchange) {
		match = strings.Clone(x.Request.IfMatch)
		x.Response.ETag, x.Response.Document = `"7"`, []byte("program: x\n")
	}
	a := e.do("GET", "/v1/program", "")
	require.Equal(t, "program: x\n", a.body)
	require.Equal(t, "application/yaml", a.header.Get("Content-Type"))
	require.Equal(t, `"7"`, a.header.Get("ETag"))
	require.Equal(t, 304, e.do("GET", "/v1/program", "", "If-None-Match", `"7"`).status)
	e.do("PUT", "/v1/program", "program: y\n", "Content-Type", "application/yaml", "If-Match", `"7"`)
	require.Equal(t, `"7"`, match)
}

func TestWithoutAnOffice(t *testing.T) {
	e := start(t)
	a := e.do("GET", "/v1/exports/operations?from=2026-11-01T00:00:00Z&to=2026-12-01T00:00:00Z", "")
	require.Equal(t, 503, a.status)
	a = e.do("POST", "/v1/shifts/close", `{"terminal":"T1","store":"S1","shift":"1","totals":{"sales":{"count":0,"total":0},"returns":{"count":0,"total":0},"redeemed":{"count":0,"total":0},"given_back":{"count":0,"total":0},"net":0}}`, "Idempotency-Key", "k")
	require.Equal(t, 503, a.status, a.body)
}

// A panic costs one request its answer and nothing else.
func TestAPanicIsOneRequestsFault(t *testing.T) {
	e := start(t, func(_ *Options, p *Parts) {
		p.Checks = []Check{{Name: "x", Probe: func() error { panic("+77011234567") }}}
	})
	a := e.do("GET", "/readyz", "")
	require.Equal(t, 500, a.status)
	require.Equal(t, 200, e.do("GET", "/healthz", "").status)
	require.NotContains(t, e.log.String(), "77011234567")
}
