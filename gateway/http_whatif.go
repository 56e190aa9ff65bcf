package gateway

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"tillgate/protocol"
)

// sign is how often a replay that is under way shows that it is alive: with a
// space, which JSON allows in front of a document. It keeps proxies from giving
// up, and it is how the server notices that the client has gone.
const sign = time.Second

// whatIf replays a draft. It may take minutes, and its answer has no first
// byte before the last record is read: what is wrong with the request, and
// what goes wrong within a second, is an answer with its status; later the
// connection is cut off, as it is with exports.
func (h *httpEdge) whatIf(ctx *fasthttp.RequestCtx, who *credential, start time.Time) {
	r, out := &protocol.Request{}, &protocol.Response{Call: protocol.CallWhatIf}
	bad := protocol.DecodeJSON(protocol.CallWhatIf, ctx.Request.Body(), r)
	if bad == nil {
		r.Caller = who.caller
		bad = readQuery(ctx.QueryArgs(), r)
	}
	if bad == nil && h.gw.parts.WhatIf == nil {
		bad = &protocol.Refusal{Code: protocol.Unavailable, Detail: "drafts can't be replayed at the moment"}
	}
	if bad != nil {
		h.refuseAs(ctx, protocol.CallWhatIf, bad)
		return
	}
	run := h.gw.parts.WhatIf.Begin(r, out)
	if run == nil {
		h.render(ctx, nil, out)
		h.meters.done(protocol.EdgeHTTP, protocol.CallWhatIf, out, start)
		return
	}
	h.long(ctx, h.startReplay(ctx.Conn(), run, out), start)
}

// campaign answers a call about segments, grants or reminders: it may have to
// read a merchant's whole history, and to wait for the projection before. While
// it waits nothing is sent, because what comes of it is not known.
func (h *httpEdge) campaign(ctx *fasthttp.RequestCtx, call protocol.Call, target string, who *credential, start time.Time) {
	r, out := &protocol.Request{Call: call, Caller: who.caller}, &protocol.Response{Call: call}
	r.Target = strings.Clone(target)
	bad := readQuery(ctx.QueryArgs(), r)
	if bad == nil && h.gw.parts.Office == nil {
		bad = &protocol.Refusal{Code: protocol.Unavailable, Detail: "no reporting database is configured"}
	}
	if bad != nil {
		h.refuseAs(ctx, call, bad)
		return
	}
	s := h.startReplay(ctx.Conn(), h.gw.parts.Office.Begin(r, out), out)
	for waiting := true; waiting; {
		select {
		case <-s.begun:
			waiting = false
		case <-s.ended:
			waiting = false
		case <-time.After(sign):
			if h.gw.stopping.Load() {
				s.cancel()
			}
		}
	}
	h.long(ctx, s, start)
}

// long sends the answer of what may take a while. What goes wrong within a
// second is an answer with its status.
func (h *httpEdge) long(ctx *fasthttp.RequestCtx, s *replayStream, start time.Time) {
	// s.out is the replay's until it has ended: before, all that is known is that
	// it goes well.
	told := &protocol.Response{Call: s.call, Code: protocol.Approved}
	select {
	case <-s.ended:
		if s.err != nil {
			h.refuse(ctx, s.call, protocol.Unavailable, "", "it ended early; try again")
			return
		}
		told = s.out
		h.render(ctx, nil, told)
	case <-time.After(sign):
		head := &ctx.Response.Header
		head.Set(fasthttp.HeaderCacheControl, "no-store")
		head.SetContentType(told.ContentType())
		ctx.Response.SetBodyStream(s, -1)
	}
	h.meters.done(protocol.EdgeHTTP, s.call, told, start)
}

// errLate cuts an answer off that has turned out to be a problem when its status
// was sent.
var errLate = errors.New("the answer is a problem, and its status was sent before")

// replayStream is the body of a long answer: spaces until it is done, then the
// report.
type replayStream struct {
	gw      *Gateway
	call    protocol.Call
	begun   chan struct{} // closed when it has told of progress for the first time
	ended   chan struct{} // closed when the replay has returned; err and out are its then
	err     error
	out     *protocol.Response
	body    []byte // the rest of the report
	shown   bool   // the report has been rendered
	cancel  context.CancelFunc
	conn    net.Conn
	timeout time.Duration
}

func (h *httpEdge) startReplay(conn net.Conn, run func(context.Context, func(done, total int64)) error, out *protocol.Response) *replayStream {
	ctx, cancel := context.WithCancel(context.Background())
	s := &replayStream{
		gw: h.gw, call: out.Call, begun: make(chan struct{}), ended: make(chan struct{}), out: out, cancel: cancel, conn: conn, timeout: h.options.WriteTimeout,
	}
	go func() {
		defer close(s.ended)
		defer cancel()
		var once sync.Once
		if s.err = run(ctx, func(int64, int64) { once.Do(func() { close(s.begun) }) }); s.err != nil {
			h.log.Warn("a long answer ended early", "call", s.out.Call.String(), "error", s.err)
		}
	}()
	return s
}

// Read is called when the piece before has gone out. A server that stops ends
// the replay: the client can ask again.
func (s *replayStream) Read(p []byte) (int, error) {
	if err := s.conn.SetWriteDeadline(time.Now().Add(s.timeout)); err != nil {
		return 0, err
	}
	if !s.shown {
		wait := time.NewTimer(sign)
		defer wait.Stop()
		select {
		case <-wait.C:
			if s.gw.stopping.Load() {
				s.cancel()
			}
			return copy(p, " "), nil
		case <-s.ended:
		}
		if s.err == nil && s.out.IsProblem() {
			s.err = errLate
		}
		if s.err != nil {
			return 0, s.err
		}
		s.body, s.shown = protocol.AppendJSON(nil, s.out), true
	}
	n := copy(p, s.body)
	if s.body = s.body[n:]; n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Close is called when the answer is out or the client has gone: nobody waits
// for the replay any more.
func (s *replayStream) Close() error {
	s.cancel()
	return nil
}
