package gateway

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"

	"tillgate/protocol"
	"tillgate/protocol/iso8583"
)

// promptSwitch answers at once, on the caller's goroutine.
type promptSwitch struct{}

func (promptSwitch) Submit(x *protocol.Exchange) {
	r := &x.Response
	r.Reset()
	r.Call, r.ID, r.Status, r.Created = x.Request.Call, "0A0000000001", "pending", true
	r.Total, r.Payable, r.HasBalance = x.Request.Total, x.Request.Total, true
	x.Done(x)
}

func benchGateway(t testing.TB) *Gateway {
	g, err := New(testOptions(), Parts{Switch: promptSwitch{}})
	require.NoError(t, err)
	return g
}

// authorization is a request as fasthttp hands it to us.
func authorization() *fasthttp.RequestCtx {
	ctx := &fasthttp.RequestCtx{}
	r := &ctx.Request
	r.Header.SetMethod("POST")
	r.SetRequestURI("/v1/authorizations")
	r.Header.SetHost("shop")
	r.Header.SetContentType("application/json")
	r.Header.Set(keyHeader, "000123-1")
	r.SetBodyString(sale)
	return ctx
}

// What the edge itself allocates for an authorization over HTTP, beside
// fasthttp: the bound is what a later change has to explain.
func TestAnAuthorizationAllocatesLittle(t *testing.T) {
	g := benchGateway(t)
	ctx := authorization()
	allocs := testing.AllocsPerRun(500, func() {
		g.http.handle(ctx)
		require.Equal(t, 201, ctx.Response.StatusCode())
		ctx.Response.Reset()
	})
	if !underRace { // its pools forget on purpose
		require.LessOrEqual(t, allocs, 4.0)
	}
}

func BenchmarkHTTPAuthorize(b *testing.B) {
	g := benchGateway(b)
	ctx := authorization()
	b.ReportAllocs()
	for b.Loop() {
		g.http.handle(ctx)
		ctx.Response.Reset()
	}
}

// BenchmarkISOAuthorize takes a message from its frame to its answer's bytes.
func BenchmarkISOAuthorize(b *testing.B) {
	g := benchGateway(b)
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	c := newISOConn(g.iso[0], here)
	m := iso8583.NewMessage(c.edge.codec)
	require.NoError(b, m.SetMTI("0100"))
	fields := holdFields(1)
	for i := 0; i < len(fields); i += 2 {
		require.NoError(b, m.Set(fields[i].(int), fields[i+1].(string)))
	}
	frame := iso8583.Frame{Message: c.edge.codec.AppendMessage(nil, m)}
	scratch := iso8583.NewMessage(c.edge.codec)
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		c.handle(frame)
		out = c.encode(out[:0], scratch, c.ready[0])
		c.ready = c.ready[:0]
	}
}
