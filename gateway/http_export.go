package gateway

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"tillgate/protocol"
)

// mediaTypes are the formats of an export or a report.
var mediaTypes = map[string]string{
	"json": "application/json",
	"csv":  "text/csv; charset=utf-8",
	"xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

// export streams a file for finance. It is written as it is read: nothing of
// it is held but a buffer, however long it gets. A fault after the first byte
// cuts the connection off before the last chunk, so that the client knows
// that it has not got everything.
func (h *httpEdge) export(ctx *fasthttp.RequestCtx, who *credential, name string) {
	var r protocol.Request
	r.Call, r.Format = protocol.CallExport, "csv"
	bad := known("export", name, protocol.Exports)
	if bad == nil {
		bad = h.period(ctx, &r)
	}
	if bad != nil {
		h.refuseAs(ctx, protocol.CallExport, bad)
		return
	}
	if r.Target = strings.Clone(name); name != "operations" {
		r.Caller = who.caller
		h.stream(ctx, &r, name, func(to context.Context, w io.Writer) error { return h.gw.parts.Office.File(to, w, &r) })
		return
	}
	merchant, from, to := who.caller.Merchant, time.Unix(0, r.From.Unix), time.Unix(0, r.To.Unix)
	h.stream(ctx, &r, name, func(ctx context.Context, w io.Writer) error {
		return h.gw.parts.Office.Export(ctx, w, merchant, from, to, r.Format)
	})
}

// report streams a report, as JSON if nothing else is asked for.
func (h *httpEdge) report(ctx *fasthttp.RequestCtx, who *credential, name string) {
	r := protocol.Request{Call: protocol.CallReport, Caller: who.caller, Format: "json", Target: strings.Clone(name)}
	bad := known("report", name, protocol.Reports)
	if bad == nil {
		bad = h.period(ctx, &r)
	}
	if bad != nil {
		h.refuseAs(ctx, protocol.CallReport, bad)
		return
	}
	h.stream(ctx, &r, r.Target, func(to context.Context, w io.Writer) error { return h.gw.parts.Office.File(to, w, &r) })
}

// file streams another file of the office's: CSV, or what the query asks for.
func (h *httpEdge) file(ctx *fasthttp.RequestCtx, who *credential, call protocol.Call, target string) {
	r := protocol.Request{Call: call, Caller: who.caller, Format: "csv", Target: strings.Clone(target)}
	bad := readQuery(ctx.QueryArgs(), &r)
	if bad == nil && h.gw.parts.Office == nil {
		bad = &protocol.Refusal{Code: protocol.Unavailable, Detail: "no reporting database is configured"}
	}
	if bad != nil {
		h.refuseAs(ctx, call, bad)
		return
	}
	h.stream(ctx, &r, "members", func(to context.Context, w io.Writer) error { return h.gw.parts.Office.File(to, w, &r) })
}

// stream sends a file as it is written. It has a place among the exports.
func (h *httpEdge) stream(ctx *fasthttp.RequestCtx, r *protocol.Request, name string, write func(context.Context, io.Writer) error) {
	select {
	case h.exports <- struct{}{}:
	default:
		h.meters.shed.WithLabelValues(edgeNames[protocol.EdgeHTTP], protocol.Overloaded.String()).Inc()
		h.refuse(ctx, r.Call, protocol.Overloaded, "", "as many exports as may be are under way")
		return
	}
	stream := h.startExport(ctx.Conn(), write)
	if err := stream.begin(); err != nil {
		_ = stream.Close() // there is nothing to send
		var bad *protocol.Refusal
		if errors.As(err, &bad) {
			h.refuseAs(ctx, r.Call, bad)
			return
		}
		h.log.Warn("an export failed before its first byte", "error", err)
		h.refuse(ctx, r.Call, protocol.Unavailable, "", reason(err))
		return
	}
	head := &ctx.Response.Header
	head.Set(fasthttp.HeaderCacheControl, "no-store")
	head.SetContentType(mediaTypes[r.Format])
	if r.Format != "json" {
		head.Set(fasthttp.HeaderContentDisposition, `attachment; filename="`+name+`.`+r.Format+`"`)
	}
	ctx.Response.SetBodyStream(stream, -1)
	h.meters.done(protocol.EdgeHTTP, r.Call, &protocol.Response{Code: protocol.Approved}, time.Time{})
}

// reason is what the caller may know of a failure: the sentence of an error
// that has one for callers, else a general one.
func reason(err error) string {
	var told interface{ Reason() string }
	if errors.As(err, &told) {
		return told.Reason()
	}
	return "the reporting database can't be reached at the moment; tills are served all the same"
}

// known refuses a name of a file that isn't there.
func known(what, name string, all []string) *protocol.Refusal {
	if slices.Contains(all, name) {
		return nil
	}
	last := len(all) - 1
	return &protocol.Refusal{Code: protocol.NoSuchCall, Detail: "there is no such " + what + ": there are " +
		strings.Join(all[:last], ", ") + " and " + all[last]}
}

// period reads the query of an export or a report: its time must be said.
func (h *httpEdge) period(ctx *fasthttp.RequestCtx, r *protocol.Request) *protocol.Refusal {
	if bad := readQuery(ctx.QueryArgs(), r); bad != nil {
		return bad
	}
	switch {
	case !r.From.Set:
		return &protocol.Refusal{Code: protocol.InvalidRequest, Field: "from", Detail: "the first moment is wanted, like 2026-11-01T00:00:00+05:00"}
	case !r.To.Set:
		return &protocol.Refusal{Code: protocol.InvalidRequest, Field: "to", Detail: "the moment after the last is wanted, like 2026-12-01T00:00:00+05:00"}
	case r.To.Unix <= r.From.Unix:
		return &protocol.Refusal{Code: protocol.InvalidRequest, Field: "to", Detail: "must be after from"}
	case h.gw.parts.Office == nil:
		return &protocol.Refusal{Code: protocol.Unavailable, Detail: "no reporting database is configured"}
	}
	return nil
}

// exportStream is the body of an export: the reading end of a pipe that the
// office writes to. fasthttp reads it while it sends, and closes it when the
// client has gone.
type exportStream struct {
	source  *bufio.Reader
	pipe    *io.PipeReader
	cancel  context.CancelFunc
	conn    net.Conn
	timeout time.Duration
}

func (h *httpEdge) startExport(conn net.Conn, write func(context.Context, io.Writer) error) *exportStream {
	out, in := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer func() { <-h.exports }()
		defer cancel()
		in.CloseWithError(write(ctx, in))
	}()
	return &exportStream{source: bufio.NewReaderSize(out, 64<<10), pipe: out, cancel: cancel, conn: conn, timeout: h.options.WriteTimeout}
}

// begin waits for the first byte: until then a fault can be an answer. An
// export without any byte is a fault, since each has a heading.
func (s *exportStream) begin() error {
	_, err := s.source.Peek(1)
	return err
}

// Read is called when the piece before has gone out, so each piece gets the
// write timeout anew: a long export is no fault, a client that stops reading is.
func (s *exportStream) Read(p []byte) (int, error) {
	s.conn.SetWriteDeadline(time.Now().Add(s.timeout))
	return s.source.Read(p)
}

// Close tells the office that nobody reads any more.
func (s *exportStream) Close() error {
	s.cancel()
	return s.pipe.Close()
}
