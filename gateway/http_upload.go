package gateway

import (
	"bytes"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"tillgate/protocol"
)

// Uploads: directories come in bodies that are far larger than a receipt's. A
// body is read whole before it is decoded, so memory is bounded by letting few
// of them in at a time, and only from callers who may make the call at all.

// uploads counts the large bodies that are being read or served. A place is
// taken when the headers have come and is known by them; it goes back when the
// request has been answered. Where the client goes away while its body is
// read nobody says so: such a place is free again when the time to read it has
// passed.
type uploads struct {
	limit int
	taken atomic.Int32 // so that ordinary requests need not take the lock
	mu    sync.Mutex
	until map[*fasthttp.RequestHeader]int64 // unix ns
}

// take takes a place for a body that has come in whole by a moment.
func (u *uploads) take(head *fasthttp.RequestHeader, now, until int64) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	for h, end := range u.until {
		if end < now || h == head { // an earlier request of the same connection
			delete(u.until, h)
		}
	}
	ok := len(u.until) < u.limit
	if ok {
		u.until[head] = until
	}
	u.taken.Store(int32(len(u.until)))
	return ok
}

// keep keeps a place for as long as its request is served. It reports whether
// there is one.
func (u *uploads) keep(head *fasthttp.RequestHeader) bool {
	if u.taken.Load() == 0 {
		return false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	_, has := u.until[head]
	if has {
		u.until[head] = math.MaxInt64
	}
	return has
}

// give gives a place back.
func (u *uploads) give(head *fasthttp.RequestHeader) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.until, head)
	u.taken.Store(int32(len(u.until)))
}

// headers decides, before the body is read, how large it may be and how long
// it may take.
func (h *httpEdge) headers(head *fasthttp.RequestHeader) fasthttp.RequestConfig {
	if n := head.ContentLength(); n >= 0 && n <= h.options.MaxBody || !h.mayUpload(head) {
		return fasthttp.RequestConfig{} // as for everybody
	}
	now := time.Now()
	if !h.uploads.take(head, now.UnixNano(), now.Add(h.options.UploadTimeout).UnixNano()) {
		return fasthttp.RequestConfig{}
	}
	return fasthttp.RequestConfig{MaxRequestBodySize: h.options.MaxUpload, ReadTimeout: h.options.UploadTimeout}
}

// mayUpload reports whether the headers are those of a directory call by a
// caller who may make it.
func (h *httpEdge) mayUpload(head *fasthttp.RequestHeader) bool {
	if !head.IsPut() {
		return false
	}
	path, _, _ := bytes.Cut(head.RequestURI(), []byte{'?'})
	route, _, _ := protocol.MatchRoute(fasthttp.MethodPut, text(path))
	if route == nil || !route.Call.IsDirectory() {
		return false
	}
	keys := h.gw.access.Load().keys
	who := keys.open
	if who == nil {
		if secret := bearer(head.Peek(fasthttp.HeaderAuthorization)); secret != nil {
			who = keys.find(secret)
		}
	}
	return who != nil && route.Roles.Has(who.caller.Role)
}
