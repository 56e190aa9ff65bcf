package gateway

import (
	"bytes"
	"net/url"
	"strings"
	"time"
	"unsafe"

	"github.com/valyala/fasthttp"

	"tillgate/protocol"
)

// keyHeader is what a client names its request by.
const keyHeader = "Idempotency-Key"

// dispatch finds the route of a request, who is asking, and serves it.
func (h *httpEdge) dispatch(ctx *fasthttp.RequestCtx, start time.Time) {
	method, path := text(ctx.Method()), text(ctx.Path())
	if ctx.IsHead() {
		method = fasthttp.MethodGet // fasthttp leaves the body out
	}
	if !plainPath(ctx.URI().PathOriginal(), path) {
		path = ""
	}
	route, param, code := protocol.MatchRoute(method, path)
	if route == nil {
		h.noRoute(ctx, code, path)
		return
	}
	who, bad := h.authenticate(ctx, route)
	if bad == nil {
		bad = h.admissible(ctx, route)
	}
	if bad != nil {
		h.refuseAs(ctx, route.Call, bad)
		return
	}
	switch route.Call {
	case protocol.CallHealth, protocol.CallReady, protocol.CallMetrics, protocol.CallOpenAPI, protocol.CallProgramSchema:
		h.ops(ctx, route.Call)
	case protocol.CallExport:
		h.export(ctx, who, param)
	case protocol.CallReport:
		h.report(ctx, who, param)
	case protocol.CallSegmentMembers, protocol.CallRunMembers:
		h.file(ctx, who, route.Call, param)
	case protocol.CallWhatIf:
		h.whatIf(ctx, who, start)
	case protocol.CallListSegments, protocol.CallListGrants, protocol.CallPreviewGrant, protocol.CallListRuns, protocol.CallListReminders:
		h.campaign(ctx, route.Call, param, who, start)
	default:
		h.exchange(ctx, route, param, who, start)
	}
}

// plainPath reports whether a path says what it means: one with empty segments,
// dots or an escaped slash may have passed something that read another call in it.
func plainPath(sent []byte, path string) bool {
	if string(sent) == path {
		return true
	}
	meant, err := url.PathUnescape(string(sent))
	return err == nil && meant == path && strings.Count(meant, "/") == bytes.Count(sent, []byte{'/'})
}

// noRoute answers a path or method that the table does not have. OPTIONS is
// answered for every path there is.
func (h *httpEdge) noRoute(ctx *fasthttp.RequestCtx, code protocol.Code, path string) {
	allow := protocol.Allowed(path)
	if allow != "" {
		ctx.Response.Header.Set(fasthttp.HeaderAllow, allow+", OPTIONS")
	}
	if ctx.IsOptions() && allow != "" {
		ctx.SetStatusCode(fasthttp.StatusNoContent)
		return
	}
	detail := "there is no such call: see /openapi.yaml"
	if code == protocol.MethodNotAllowed {
		detail = "this path takes " + allow
	}
	h.refuse(ctx, protocol.CallUnknown, code, "", detail)
}

// authenticate says whose request it is and whether the key's role may make
// the call. Public calls need no key.
func (h *httpEdge) authenticate(ctx *fasthttp.RequestCtx, route *protocol.Route) (*credential, *protocol.Refusal) {
	if route.Roles.Has(protocol.RoleNone) {
		return nil, nil
	}
	keys := h.gw.access.Load().keys
	who := keys.open
	if who == nil {
		secret := bearer(ctx.Request.Header.Peek(fasthttp.HeaderAuthorization))
		if secret == nil {
			return nil, &protocol.Refusal{Code: protocol.Unauthorized, Detail: "an API key is wanted: Authorization: Bearer <key>"}
		}
		if who = keys.find(secret); who == nil {
			return nil, &protocol.Refusal{Code: protocol.Unauthorized, Detail: "the API key is not known"}
		}
	}
	if !route.Roles.Has(who.caller.Role) {
		return nil, &protocol.Refusal{Code: protocol.Forbidden, Detail: "the key's role may not make this call"}
	}
	return who, nil
}

// admissible checks what the headers say about body and key, before any of it
// is decoded.
func (h *httpEdge) admissible(ctx *fasthttp.RequestCtx, route *protocol.Route) *protocol.Refusal {
	header := &ctx.Request.Header
	if len(header.ContentEncoding()) > 0 {
		return &protocol.Refusal{Code: protocol.UnsupportedMediaType, Field: "Content-Encoding", Detail: "a body is sent as it is, not compressed"}
	}
	if route.Body == protocol.BodyNone && emptyObject(ctx.Request.Body()) {
		ctx.Request.ResetBody() // clients that always send JSON mean nothing by it
	}
	if bad := mediaType(route.Body, header.ContentType(), len(ctx.Request.Body())); bad != nil {
		return bad
	}
	key := header.Peek(keyHeader)
	if len(key) == 0 && !route.NeedsKey {
		return nil
	}
	if !protocol.ValidKey(text(key)) || len(header.PeekAll(keyHeader)) > 1 {
		return &protocol.Refusal{Code: protocol.InvalidRequest, Field: keyHeader,
			Detail: "this call takes an Idempotency-Key header: one, of 1 to 64 visible ASCII characters, the same in every repeat of the request"}
	}
	return nil
}

// emptyObject reports whether a body is {}.
func emptyObject(body []byte) bool {
	inner, ok := bytes.CutPrefix(bytes.TrimSpace(body), []byte("{"))
	inner, end := bytes.CutSuffix(inner, []byte("}"))
	return ok && end && len(bytes.TrimSpace(inner)) == 0
}

// mediaType holds a body to what the call takes.
func mediaType(body protocol.Body, sent []byte, length int) *protocol.Refusal {
	if length == 0 {
		return nil // what must have a body is refused by its decoder
	}
	kind, params, _ := bytes.Cut(sent, []byte{';'})
	kind = bytes.TrimSpace(kind)
	ok, want := false, ""
	switch body {
	case protocol.BodyNone:
		return &protocol.Refusal{Code: protocol.InvalidRequest, Detail: "this call takes no body"}
	case protocol.BodyDocument:
		ok, want = equalFold(kind, "application/yaml") || equalFold(kind, "application/json"), "application/yaml or application/json"
	default:
		ok, want = equalFold(kind, "application/json"), "application/json"
	}
	if ok && utf8Charset(params) {
		return nil
	}
	return &protocol.Refusal{Code: protocol.UnsupportedMediaType, Field: fasthttp.HeaderContentType, Detail: "the body must be " + want + ", in UTF-8"}
}

// utf8Charset accepts a media type's parameters: none, or UTF-8.
func utf8Charset(params []byte) bool {
	params = bytes.TrimSpace(params)
	if len(params) == 0 {
		return true
	}
	name, value, _ := bytes.Cut(params, []byte{'='})
	value = bytes.Trim(bytes.TrimSpace(value), `"`)
	return equalFold(bytes.TrimSpace(name), "charset") && equalFold(value, "utf-8")
}

func equalFold(b []byte, s string) bool { return len(b) == len(s) && bytes.EqualFold(b, []byte(s)) }

// exchange takes one request through the switch.
func (h *httpEdge) exchange(ctx *fasthttp.RequestCtx, route *protocol.Route, param string, who *credential, start time.Time) {
	if code := h.gate.enter(); !code.OK() {
		h.shed(ctx, route.Call, code)
		return
	}
	c := h.newCall()
	if bad := h.read(ctx, c, route, param, who); bad != nil {
		h.gate.leave()
		h.refuseAs(ctx, route.Call, bad)
		c.release()
		return
	}
	h.gw.submit(&c.Exchange)
	if !c.wait(h.gw.options.Limits.RequestTimeout) {
		h.refuse(ctx, route.Call, protocol.Unavailable, "", "the request has not been decided in time; repeat it with the same key to learn its outcome")
		return
	}
	h.answer(ctx, c)
	h.meters.done(protocol.EdgeHTTP, route.Call, &c.Response, start)
	c.release()
}

// submit hands an exchange to whom it belongs.
func (g *Gateway) submit(x *protocol.Exchange) {
	if x.Request.Call != protocol.CallCloseShift {
		g.parts.Switch.Submit(x)
		return
	}
	if g.parts.Office == nil {
		x.Response.Code = protocol.Unavailable
		x.Response.Detail = "shifts can't be matched at the moment"
		x.Done(x)
		return
	}
	g.parts.Office.CloseShift(x)
}

// shed refuses a request that has found no place.
func (h *httpEdge) shed(ctx *fasthttp.RequestCtx, call protocol.Call, code protocol.Code) {
	detail := "too many requests are in flight"
	if code == protocol.Unavailable {
		detail = "the server is stopping"
		ctx.SetConnectionClose()
	}
	h.meters.shed.WithLabelValues(edgeNames[protocol.EdgeHTTP], code.String()).Inc()
	h.refuse(ctx, call, code, "", detail)
}

// read turns the request into the call's. Everything it keeps is copied: the
// switch may hold the exchange for longer than fasthttp lends its buffers.
func (h *httpEdge) read(ctx *fasthttp.RequestCtx, c *call, route *protocol.Route, param string, who *credential) *protocol.Refusal {
	r := &c.Request
	if bad := h.decode(ctx, route.Call, r); bad != nil {
		return bad
	}
	r.Call, r.Edge, r.Caller, r.Origin = route.Call, protocol.EdgeHTTP, who.caller, origin(ctx.RemoteAddr())
	if param != "" {
		r.Target = keep(r, param)
	}
	if key := ctx.Request.Header.Peek(keyHeader); len(key) > 0 {
		r.Key = keep(r, text(key))
	}
	if match := ctx.Request.Header.Peek(fasthttp.HeaderIfMatch); len(match) > 0 {
		r.IfMatch = keep(r, text(match))
	}
	c.hash(ctx)
	if bad := readQuery(ctx.QueryArgs(), r); bad != nil {
		return bad
	}
	if bad := who.place(r); bad != nil {
		return bad
	}
	return nil
}

// decode reads the body. A large one is taken over from fasthttp instead of
// being copied: nothing else asks for it, since what takes large bodies has no
// duplicate key.
func (h *httpEdge) decode(ctx *fasthttp.RequestCtx, call protocol.Call, r *protocol.Request) *protocol.Refusal {
	if call.IsDirectory() && len(ctx.Request.Body()) > keepBuffer {
		return protocol.DecodeOwned(call, ctx.Request.SwapBody(nil), r)
	}
	return protocol.DecodeJSON(call, ctx.Request.Body(), r)
}

// hash covers what must be equal in a repeat: method, path and body.
func (c *call) hash(ctx *fasthttp.RequestCtx) {
	c.sha.Reset()
	c.sha.Write(ctx.Method())
	c.sha.Write([]byte{' '})
	c.sha.Write(ctx.Path())
	c.sha.Write([]byte{'\n'})
	c.sha.Write(ctx.Request.Body())
	copy(c.Request.Hash[:], c.sha.Sum(c.sum[:0]))
}

// keep copies a text into the request's own buffer.
func keep(r *protocol.Request, s string) string {
	start := len(r.Buffer)
	r.Buffer = append(r.Buffer, s...)
	return text(r.Buffer[start:])
}

// text views bytes as a string, which is as short-lived as they are.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// answer writes the exchange's response.
func (h *httpEdge) answer(ctx *fasthttp.RequestCtx, c *call) {
	r := &c.Response
	head := &ctx.Response.Header
	if r.Replayed {
		head.Set("Idempotent-Replayed", "true")
	}
	if c.Request.Call == protocol.CallGetProgram && r.ETag != "" && string(ctx.Request.Header.Peek(fasthttp.HeaderIfNoneMatch)) == r.ETag {
		head.Set(fasthttp.HeaderETag, r.ETag)
		ctx.SetStatusCode(fasthttp.StatusNotModified)
		return
	}
	if r.Created && c.Request.Call == protocol.CallAuthorize {
		head.Set(fasthttp.HeaderLocation, "/v1/authorizations/"+r.ID)
	}
	c.out = h.render(ctx, c.out[:0], r)
}

// render writes a response's status, headers and body, using out.
func (h *httpEdge) render(ctx *fasthttp.RequestCtx, out []byte, r *protocol.Response) []byte {
	head := &ctx.Response.Header
	head.Set(fasthttp.HeaderCacheControl, "no-store")
	if r.Code.Retryable() {
		head.Set(fasthttp.HeaderRetryAfter, "1")
	}
	if r.Code == protocol.Unauthorized {
		head.Set(fasthttp.HeaderWWWAuthenticate, `Bearer realm="tillgate"`)
	}
	if r.ETag != "" {
		head.Set(fasthttp.HeaderETag, r.ETag)
	}
	out = protocol.AppendJSON(out, r)
	ctx.SetStatusCode(r.HTTPStatus())
	head.SetContentType(r.ContentType())
	ctx.Response.SetBody(out) // a copy: out goes back to the pool before it is sent
	return out
}

// refuse answers a request that never reached the switch.
func (h *httpEdge) refuse(ctx *fasthttp.RequestCtx, call protocol.Call, code protocol.Code, field, detail string) {
	r := protocol.Response{Call: call, Code: code, Field: field, Detail: detail}
	h.render(ctx, nil, &r)
	h.meters.done(protocol.EdgeHTTP, call, &r, time.Time{})
}

func (h *httpEdge) refuseAs(ctx *fasthttp.RequestCtx, call protocol.Call, bad *protocol.Refusal) {
	h.refuse(ctx, call, bad.Code, bad.Field, bad.Detail)
}
