package gateway

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/protocol"
)

// assortment is a body of n products, some 150 bytes each.
func assortment(n int) string {
	var b strings.Builder
	b.WriteString(`{"products":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"sku":"%013d","name":"Product number %d, \u0436","category":"category %d","brand":"brand %d","tags":["t%d"],"price":%d}`,
			i, i, i%200, i%500, i%10, 100+i)
	}
	b.WriteString(`]}`)
	return b.String()
}

// office lets a marketing and a till key in.
func office(o *Options, _ *Parts) (marketing, till string) {
	for _, k := range []struct {
		role   string
		secret *string
	}{{"marketing", &marketing}, {"till", &till}} {
		secret, hash := NewKey()
		*k.secret = secret
		o.Keys = append(o.Keys, Key{Name: k.role, Hash: hash, Role: k.role})
	}
	return marketing, till
}

// tooLarge sends a body that is refused by its headers: the answer is 413, or
// the connection has ended before the client, which is still writing, could
// read it.
func (e *edge) tooLarge(path, body, key string) {
	e.t.Helper()
	r, err := http.NewRequest("PUT", "http://"+e.HTTPAddr()+path, strings.NewReader(body))
	require.NoError(e.t, err)
	r.Header.Set("Content-Type", "application/json")
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	client := http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		ended := errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
		require.True(e.t, ended, "%v", err)
		return
	}
	require.Equal(e.t, 413, resp.StatusCode)
	require.NoError(e.t, resp.Body.Close())
}

func TestADirectoryMayBeLargerThanAReceipt(t *testing.T) {
	var marketing, till string
	e := start(t, func(o *Options, p *Parts) { marketing, till = office(o, p) })
	rows := make(chan int, 1)
	e.fake.decide = func(x *protocol.Exchange) {
		last := x.Request.Products[len(x.Request.Products)-1]
		if last.Name == fmt.Sprintf("Product number %d, ж", len(x.Request.Products)-1) {
			rows <- len(x.Request.Products)
		}
	}
	body := assortment(20_000)
	require.Greater(t, len(body), 2<<20)
	a := e.do("PUT", "/v1/products", body, "Authorization", "Bearer "+marketing)
	require.Equal(t, 200, a.status, a.body)
	require.Equal(t, 20_000, <-rows)

	// Nobody else sends megabytes, and no other call takes them.
	e.tooLarge("/v1/products", body, till)
	e.tooLarge("/v1/products", body, "")
	e.tooLarge("/v1/program", body, marketing)
	require.Zero(t, e.http.uploads.taken.Load(), "every place has been given back")

	// A row that is wrong is named by its index.
	a = e.do("PUT", "/v1/products", strings.Replace(body, `"sku":"0000000009999"`, `"sku":7`, 1), "Authorization", "Bearer "+marketing)
	require.Equal(t, 400, a.status)
	require.Equal(t, "products[9999].sku", a.field(t, "field"))
}

func TestADirectoryHasABoundToo(t *testing.T) {
	e := start(t, func(o *Options, _ *Parts) { o.HTTP.MaxUpload = 1 << 20 })
	head := "PUT /v1/products HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	c := e.raw(e.HTTPAddr(), head+"Content-Length: 2000000\r\n\r\n{")
	resp, body := readResponse(t, c)
	require.Equal(t, 413, resp.StatusCode)
	require.Contains(t, body, "1048576")
	c = e.raw(e.HTTPAddr(), head+"Transfer-Encoding: chunked\r\n\r\n")
	for range 20 {
		io.WriteString(c, "10000\r\n"+strings.Repeat("x", 0x10000)+"\r\n") // the server may have closed already
	}
	resp, _ = readResponse(t, c)
	require.Equal(t, 413, resp.StatusCode)
	require.Zero(t, e.http.uploads.taken.Load())
}

// TestFewDirectoriesAreReadAtATime: more are told to come again, and one whose
// client has gone away keeps its place no longer than a body may take.
func TestFewDirectoriesAreReadAtATime(t *testing.T) {
	e := start(t, func(o *Options, _ *Parts) { o.HTTP.Uploads, o.HTTP.UploadTimeout = 2, 2*time.Second })
	body := assortment(4000)
	var slow []net.Conn
	for range 2 {
		c := e.raw(e.HTTPAddr(), fmt.Sprintf("PUT /v1/products HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body[:100]))
		slow = append(slow, c)
	}
	require.Eventually(t, func() bool { return e.http.uploads.taken.Load() == 2 }, 2*time.Second, time.Millisecond)
	a := e.do("PUT", "/v1/products", body)
	require.Equal(t, 503, a.status, a.body)
	require.Equal(t, "1", a.header.Get("Retry-After"))
	require.Equal(t, 200, e.do("PUT", "/v1/products", assortment(100)).status, "a small one needs no place")
	require.Equal(t, 200, e.authorize("k").status, "tills are served all the same")

	_, err := io.WriteString(slow[0], body[100:])
	require.NoError(t, err)
	resp, _ := readResponse(t, slow[0])
	require.Equal(t, 200, resp.StatusCode)
	require.Equal(t, 200, e.do("PUT", "/v1/products", body).status)

	slow[1].Close()
	require.Eventually(t, func() bool { return e.do("PUT", "/v1/products", body).status == 200 }, 10*time.Second, 50*time.Millisecond)
}

func TestPagesOfADirectory(t *testing.T) {
	e := start(t)
	seen := make(chan protocol.Request, 1)
	e.fake.decide = func(x *protocol.Exchange) {
		r := x.Request
		r.Cursor = strings.Clone(r.Cursor)
		seen <- r
	}
	require.Equal(t, 200, e.do("GET", "/v1/products?after=a%20%26%20%D0%B6&limit=7", "").status)
	r := <-seen
	require.Equal(t, "a & ж", r.Cursor)
	require.Equal(t, 7, r.Limit)
	require.Equal(t, 400, e.do("GET", "/v1/products?cursor=1", "").status)
	require.Equal(t, 400, e.do("GET", "/v1/products?limit=501", "").status)
}
