package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"time"

	"github.com/valyala/fasthttp"

	"tillgate/protocol"
)

// httpEdge is the HTTP listener. A request's way through it:
//
//	route → key → role → media type → idempotency key
//	→ a place in the gate → decode → place of the key → switch → answer
//
// Everything up to the gate costs no memory and touches no state, so refusing
// is always cheaper than asking. Whether a well-formed request makes sense is
// the switch's to say: some of those refusals are remembered under its key.
type httpEdge struct {
	gw        *Gateway
	options   HTTPOptions
	gate      *gate
	meters    *meters
	admission *admission
	server    *fasthttp.Server
	exports   chan struct{}
	uploads   uploads
	metrics   fasthttp.RequestHandler
	log       *slog.Logger
}

func newHTTPEdge(g *Gateway) *httpEdge {
	h := &httpEdge{gw: g, options: g.options.HTTP, gate: &g.gate, meters: g.meters,
		exports: make(chan struct{}, g.options.HTTP.Exports), log: g.log}
	h.uploads.limit, h.uploads.until = g.options.HTTP.Uploads, map[*fasthttp.RequestHeader]int64{}
	h.admission = newAdmission(h.options.Connections, h.options.PerAddress, func(why string) {
		h.meters.refused.WithLabelValues(edgeNames[protocol.EdgeHTTP], why).Inc()
	})
	h.server = &fasthttp.Server{
		Handler:            h.handle,
		ErrorHandler:       h.broken,
		HeaderReceived:     h.headers,
		MaxRequestBodySize: h.options.MaxBody,
		ReadBufferSize:     h.options.MaxHeader,
		WriteBufferSize:    8 << 10,
		ReadTimeout:        h.options.ReadTimeout,
		WriteTimeout:       h.options.WriteTimeout,
		IdleTimeout:        h.options.IdleTimeout,
		// The admission counts connections; one worker each is enough.
		Concurrency:                  h.options.Connections + 1,
		Name:                         "tillgate",
		NoDefaultContentType:         true,
		DisablePreParseMultipartForm: true, // a form is a body like any other, and refused
		CloseOnShutdown:              true,
		SecureErrorLogMessage:        true,
		Logger:                       silent{}, // its messages quote what clients send
	}
	return h
}

// silent takes the place of fasthttp's logger: its messages may quote headers,
// and what they tell is counted by the meters.
type silent struct{}

func (silent) Printf(string, ...any) {}

// listen binds the address, within the admission and under TLS if asked for.
func (h *httpEdge) listen() (net.Listener, error) {
	conf, err := h.gw.certify("http.tls", h.options.TLS)
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", h.options.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for HTTP: %w", err)
	}
	return secure(&boundedListener{Listener: ln, admission: h.admission}, conf), nil
}

// stop lets answers in flight go out and closes all connections.
func (h *httpEdge) stop(ctx context.Context) error { return h.server.ShutdownWithContext(ctx) }

// handle serves one request. A panic is our fault: it costs this request an
// answer 500 and the log a stack, not every till its connection.
func (h *httpEdge) handle(ctx *fasthttp.RequestCtx) {
	start := time.Now()
	if head := &ctx.Request.Header; h.uploads.keep(head) {
		defer h.uploads.give(head)
	}
	defer func() {
		if p := recover(); p != nil {
			h.log.Error("a request made the HTTP edge panic", "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			h.refuse(ctx, protocol.CallUnknown, protocol.Internal, "", "")
		}
	}()
	if field, detail := ambiguous(ctx.Request.Header.RawHeaders()); detail != "" {
		// Two readers of such a request may disagree where it ends; nothing
		// that follows on this connection can be trusted.
		ctx.SetConnectionClose()
		h.refuse(ctx, protocol.CallUnknown, protocol.InvalidRequest, field, detail)
		return
	}
	h.dispatch(ctx, start)
}

// broken answers what fasthttp could not read as a request. The connection
// ends after it. The error's text is not shown: it may quote the request.
func (h *httpEdge) broken(ctx *fasthttp.RequestCtx, err error) {
	linger(ctx.Conn())
	if head := &ctx.Request.Header; h.uploads.keep(head) {
		defer h.uploads.give(head)
	}
	why := endMalformed
	code, detail := protocol.InvalidRequest, "the request is not well-formed HTTP/1.1"
	var small *fasthttp.ErrSmallBuffer
	var timeout net.Error
	switch {
	case isErr(err, fasthttp.ErrBodyTooLarge):
		code, detail = h.tooLarge(&ctx.Request.Header)
	case asErr(err, &small):
		code, detail = protocol.TooLarge, fmt.Sprintf("request line and headers have at most %d bytes together", h.options.MaxHeader)
	case asErr(err, &timeout) && timeout.Timeout():
		why, detail = endTimeout, "the request did not come in whole in time"
	}
	h.meters.ended.WithLabelValues(edgeNames[protocol.EdgeHTTP], why).Inc()
	h.refuse(ctx, protocol.CallUnknown, code, "", detail)
}

// tooLarge says why a body was not read: it is larger than the call's may be,
// or as many large ones as may be are under way.
func (h *httpEdge) tooLarge(head *fasthttp.RequestHeader) (protocol.Code, string) {
	limit := h.options.MaxBody
	switch {
	case h.uploads.keep(head):
		limit = h.options.MaxUpload
	case h.mayUpload(head) && head.ContentLength() <= h.options.MaxUpload:
		return protocol.Overloaded, "as many large directories as may be are being read; try again"
	}
	return protocol.TooLarge, fmt.Sprintf("a body of this call has at most %d bytes", limit)
}
