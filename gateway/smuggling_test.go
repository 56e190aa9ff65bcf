package gateway

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/protocol"
)

// hidden is a request that nobody with a right to has sent: it stands in the
// bytes of another one, and gets through if the server is deceived about where
// that one ends.
const hidden = "POST /v1/authorizations/0A0000000001/void HTTP/1.1\r\nHost: x\r\nIdempotency-Key: hidden\r\n\r\n"

// chunked is a whole body in chunks, of the sizes as a client writes them.
func chunked(size, body string) string { return size + "\r\n" + body + "\r\n0\r\n\r\n" }

// Requests of which two readers - a proxy and this server - may disagree where
// they end or what they ask: each is refused with 400, the connection ends, and
// nothing behind it is read as a request.
func TestRequestsThatHideOthers(t *testing.T) {
	e := start(t)
	length := fmt.Sprintf("Content-Length: %d\r\n", len(sale))
	size := fmt.Sprintf("%x", len(sale))
	quote := func(headers, body string) string {
		return "POST /v1/quote HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + headers + "\r\n" + body
	}
	for name, raw := range map[string]string{
		"length and chunks":                 quote(length+"Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
		"chunks and length":                 quote("Transfer-Encoding: chunked\r\n"+length, "0\r\n\r\n"),
		"length and chunks, space":          quote(length+"Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
		"length and chunks, tab":            quote(length+"Transfer-Encoding\t: chunked\r\n", "0\r\n\r\n"),
		"length and chunks, folded":         quote(length+"Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"),
		"length and chunks behind a feed":   quote(length+"X: y\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
		"length and chunks behind a return": quote(length+"X: y\rTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
		"an unknown coding":                 quote("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
		"no coding":                         quote("Transfer-Encoding: identity\r\n", "0\r\n\r\n"),
		"two codings":                       quote("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
		"chunks and then another":           quote("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"),
		"the coding twice":                  quote("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"),
		"chunks in 1.0":                     strings.Replace(quote("Transfer-Encoding: chunked\r\n", chunked(size, sale)), "HTTP/1.1", "HTTP/1.0", 1),
		"two lengths":                       quote(length+"Content-Length: 0\r\n", sale),
		"the same length twice":             quote(length+length, sale),
		"a list of lengths":                 quote(strings.Replace(length, "\r\n", ", 0\r\n", 1), sale),
		"a signed length":                   quote("Content-Length: +"+length[16:], sale),
		"a length in hex":                   quote("Content-Length: 0x"+size+"\r\n", sale),
		"an empty length":                   quote("Content-Length: \r\n", ""),
		"a length with a space in it":       quote("Content-Length: 1 0\r\n", "0123456789"),
		"space before the colon":            quote("Content-Length : 0\r\n", ""),
		"a folded header":                   quote("X: y\r\n z: 1\r\n"+length, sale),
		"a folded header before any other":  "POST /v1/quote HTTP/1.1\r\n X: y\r\nHost: x\r\n" + length + "\r\n" + sale,
		"a header without a name":           quote(": y\r\n"+length, sale),
		"a line that is no header":          quote("anything\r\n"+length, sale),
		"a zero byte in a header":           quote("X: \x00\r\n"+length, sale),
		"a return in a header":              quote("X: a\rb\r\n"+length, sale),
		"a signed chunk":                    quote("Transfer-Encoding: chunked\r\n", chunked("+"+size, sale)),
		"a chunk size that is none":         quote("Transfer-Encoding: chunked\r\n", chunked("0x"+size, sale)),
		"a chunk of too many digits":        quote("Transfer-Encoding: chunked\r\n", chunked("ffffffffffffffff"+size, sale)),
		"a chunk longer than it says":       quote("Transfer-Encoding: chunked\r\n", chunked("5", sale)),
		"a chunk's line with a feed alone":  quote("Transfer-Encoding: chunked\r\n", size+"\n"+sale+"\r\n0\r\n\r\n"),
		"a chunk that ends with a feed":     quote("Transfer-Encoding: chunked\r\n", size+"\r\n"+sale+"\n0\r\n\r\n"),
		"an extended chunk with a feed":     quote("Transfer-Encoding: chunked\r\n", size+";a\n"+sale+"\r\n0\r\n\r\n"),
		"two hosts":                         "GET /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
		"no host":                           "GET /healthz HTTP/1.1\r\n\r\n",
		"no version":                        "GET /healthz\r\nHost: x\r\n\r\n",
		"a version that is none":            "GET /healthz HTTP/x.1\r\nHost: x\r\n\r\n",
		"the coding twice alike":            quote("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", chunked(size, sale)),
		"feeds alone":                       strings.ReplaceAll(quote(length, ""), "\r", "") + sale,
		"one feed alone":                    quote("X: y\n"+length, sale),
		"a feed alone at the end":           strings.TrimSuffix(quote(length, ""), "\r\n") + "\n" + sale,
		"space in the path":                 "GET /health z HTTP/1.1\r\nHost: x\r\n\r\n",
		"a method that is none":             "GE\x01T /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			c := (&edge{t: t}).raw(e.HTTPAddr(), raw+hidden)
			all := closed(t, c)
			require.Equal(t, 1, strings.Count(string(all), "HTTP/1.1 "), "one answer: %q", all)
			require.True(t, strings.HasPrefix(string(all), "HTTP/1.1 400 "), "%q", all)
		})
	}
	for _, call := range e.fake.calls() {
		require.NotEqual(t, protocol.CallVoid, call, "a hidden request got through")
	}
	require.Empty(t, e.fake.calls(), "not even the outer request was understood in one way")
	require.Equal(t, 200, e.do("GET", "/healthz", "").status)
}

// What is unusual and has one meaning only is understood, and the next request
// on the connection is the next one.
func TestUnusualRequestsOfOneMeaning(t *testing.T) {
	e := start(t)
	head := "POST /v1/quote HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	size := fmt.Sprintf("%X", len(sale))
	for name, raw := range map[string]string{
		"chunks":                            head + "Transfer-Encoding: chunked\r\n\r\n" + chunked(size, sale),
		"the coding's case":                 head + "transfer-encoding: Chunked\r\n\r\n" + chunked(strings.ToLower(size), sale),
		"extended chunks":                   head + "Transfer-Encoding: chunked\r\n\r\n" + chunked(size+";name=value", sale),
		"zeros before the size":             head + "Transfer-Encoding: chunked\r\n\r\n" + chunked("000"+size, sale),
		"absolute form":                     strings.Replace(head, "/v1/quote", "http://x/v1/quote", 1) + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(sale), sale),
		"another name in the absolute form": strings.Replace(head, "/v1/quote", "http://y/v1/quote", 1) + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(sale), sale),
		"blanks at the end":                 head + fmt.Sprintf("Content-Length: %d  \r\n\r\n%s", len(sale), sale),
	} {
		t.Run(name, func(t *testing.T) {
			c := (&edge{t: t}).raw(e.HTTPAddr(), raw+"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
			require.NoError(t, c.SetDeadline(time.Now().Add(10*time.Second)))
			in := bufio.NewReader(c)
			for i, call := range []string{"the quote", "what follows"} {
				resp, err := http.ReadResponse(in, nil)
				require.NoError(t, err, call)
				body, err := io.ReadAll(resp.Body)
				require.NoError(t, err, call)
				require.Equal(t, 200, resp.StatusCode, "%s: %s", call, body)
				require.Equal(t, i == 1, strings.Contains(string(body), "ok") || strings.Contains(string(body), "alive"), "%s: %s", call, body)
			}
			require.NoError(t, c.Close())
		})
	}
	require.Len(t, e.fake.calls(), 7)
}

// A path that another reader may have taken for another call is none; an
// escaped letter is the letter.
func TestPathsOfOneMeaning(t *testing.T) {
	e := start(t)
	for path, want := range map[string]int{
		"/healthz": 200, "/%68ealthz": 200, "http://x/healthz": 200, "/healthz?": 200,
		"//healthz": 404, "/./healthz": 404, "/v1/../healthz": 404, "/v1/%2e%2e/healthz": 404, "/%2fhealthz": 404,
		"/healthz/": 404, "/healthz/.": 404, "/v1/..%2Fhealthz": 404, "/%zzhealthz": 404, "/%2568ealthz": 404,
		"/v1/members/1%2F../balance": 404,
	} {
		resp, err := http.ReadResponse(bufio.NewReader(e.raw(e.HTTPAddr(), "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n")), nil)
		require.NoError(t, err, path)
		require.Equal(t, want, resp.StatusCode, path)
		require.NoError(t, resp.Body.Close())
	}
}

func FuzzAmbiguous(f *testing.F) {
	f.Add([]byte("Host: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"))
	f.Add([]byte("content-length: 5\n\n\r\ntransfer-encoding : x"))
	f.Add([]byte("Host: x\r\n y: z\r\n\r\n"))
	f.Add([]byte("Host: x\r\nContent-Length: 5\r\n\r\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, detail := ambiguous(raw)
		lower := bytes.ToLower(raw)
		if detail != "" {
			return
		}
		require.False(t, bytes.Contains(lower, []byte("\ncontent-length:")) && bytes.Contains(lower, []byte("\ntransfer-encoding:")))
		require.NotContains(t, string(raw), "\n ")
		require.Equal(t, bytes.Count(raw, []byte("\n")), bytes.Count(raw, []byte("\r\n")))
	})
}
