package protocol

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// AppendJSON renders an answer to dst: the shape of its Call, or a problem
// (RFC 9457) where it is a decline. The order of the fields is fixed, so that
// the same Response gives the same bytes; that is what a repeat of a request
// relies on. It does not allocate beyond growing dst. A programme document is
// rendered as it was published, which may be YAML (see ContentType).
//
// Points and money are minor units. Moments that carry no offset of their own
// are written in that of r.At, which is the store's, else in UTC; fractions
// of a second are cut off.
func AppendJSON(dst []byte, r *Response) []byte {
	if r.IsProblem() {
		return appendProblem(dst, r)
	}
	e := encoder{dst: dst, start: len(dst), offset: r.At.Offset}
	switch r.Call {
	case CallQuote, CallAuthorize, CallGetAuthorization, CallAmend, CallConfirm, CallAccrue, CallRedeem:
		e.sale(r)
	case CallReturn:
		e.returned(r)
	case CallCreateMember, CallGetMember, CallPatchMember, CallLookupMember:
		e.member(r)
	case CallBalance:
		e.balanceOf(r)
	case CallOperations:
		e.operations(r)
	case CallReferral:
		e.referral(r)
	case CallIssueCode:
		e.oneTimeCode(r)
	case CallMemberEvent, CallAdjust:
		e.granted(r)
	case CallSetTier:
		e.tier(r)
	case CallAddCard, CallPatchCard, CallReplaceCard:
		e.cardOf(r)
	case CallCloseShift:
		e.shift(r)
	case CallListParked:
		e.parked(r)
	case CallListBlocks, CallPutBlock, CallDeleteBlock:
		e.blocks(r)
	case CallGetProgram:
		e.dst = append(e.dst, r.Document...)
	case CallPutProgram, CallRestoreProgram:
		e.published(r)
	case CallCheckProgram:
		e.checked(r)
	case CallWhatIf:
		e.whatIf(r.WhatIf)
	case CallListSegments, CallListGrants, CallPreviewGrant, CallListRuns, CallListReminders:
		e.campaign(r)
	case CallProgramVersions:
		e.versions(r)
	case CallProgramDiff:
		e.changes(r)
	case CallPutProducts, CallPutStores, CallPutCashiers, CallPutTemplates:
		e.merged(r)
	case CallListProducts, CallListStores, CallListCashiers, CallListTemplates:
		e.directory(r)
	case CallCardBatch:
		e.cardBatch(r)
	case CallCoupons:
		e.coupons(r)
	default: // void, reversal, erasure, merge, parked resolution
		e.outcome(r)
	}
	return e.dst
}

// IsProblem reports whether the answer is rendered as a problem document. A
// shift whose totals differ is none: it is a result.
func (r *Response) IsProblem() bool { return !r.Code.OK() && r.Code != TotalsDiffer }

// HTTPStatus is the answer's status: the outcome's, 201 where something was
// created, 202 where it was accepted for the office.
func (r *Response) HTTPStatus() int {
	switch {
	case r.Code.OK() && r.Accepted:
		return 202
	case r.Code.OK() && r.Created:
		return 201
	}
	return r.Code.HTTPStatus()
}

// ContentType is the media type of what AppendJSON renders.
func (r *Response) ContentType() string {
	switch {
	case r.IsProblem():
		return "application/problem+json"
	case r.Call == CallGetProgram && !jsonDocument(r.Document):
		return "application/yaml"
	}
	return "application/json"
}

// jsonDocument reports whether a document is an object in JSON rather than
// YAML.
func jsonDocument(doc []byte) bool {
	for _, c := range doc {
		switch c {
		case ' ', '\t', '\r', '\n':
		default:
			return c == '{'
		}
	}
	return false
}

// appendProblem renders a decline. `type` is a path of this server that never
// changes for a code; `iso` is the DE39 that a till would have got.
func appendProblem(dst []byte, r *Response) []byte {
	e := encoder{dst: dst, start: len(dst)}
	code := r.Code.String()
	e.open('{')
	e.key("type")
	e.dst = append(e.dst, `"/problems/`...)
	e.dst = append(e.dst, code...)
	e.dst = append(e.dst, '"')
	e.text("title", r.Code.Title())
	e.number("status", int64(r.Code.HTTPStatus()))
	e.text("code", code)
	detail := r.Detail
	if detail == "" {
		detail = r.Code.Title()
	}
	e.text("detail", detail)
	e.text("iso", r.Code.ISO())
	e.boolean("retryable", r.Code.Retryable())
	if r.Field != "" {
		e.text("field", r.Field)
	}
	if r.HasMaxPoints {
		e.number("max_points", r.MaxPoints)
	}
	if len(r.Problems) > 0 {
		e.problems(r.Problems)
	}
	if len(r.Warnings) > 0 {
		e.texts("warnings", r.Warnings)
	}
	e.close('}')
	return e.dst
}

// encoder appends JSON. Every method that takes a name writes one field.
type encoder struct {
	dst    []byte
	start  int   // where the document begins in dst
	offset int32 // seconds east of UTC in which moments without one are shown
}

// comma separates a field from the one before it, if there is one. A field
// always stands in an object, so something has been written.
func (e *encoder) comma() {
	switch e.dst[len(e.dst)-1] {
	case '{', '[':
	default:
		e.dst = append(e.dst, ',')
	}
}

// open begins an object that is the document or a list's entry, which a comma
// separates from the entry before it.
func (e *encoder) open(c byte) {
	if n := len(e.dst); n > e.start && e.dst[n-1] == '}' {
		e.dst = append(e.dst, ',')
	}
	e.dst = append(e.dst, c)
}

func (e *encoder) close(c byte) { e.dst = append(e.dst, c) }

// key writes a field's name, which is one of ours and needs no escapes.
func (e *encoder) key(name string) {
	e.comma()
	e.dst = append(e.dst, '"')
	e.dst = append(e.dst, name...)
	e.dst = append(e.dst, '"', ':')
}

// begin opens a field that is an object or an array.
func (e *encoder) begin(name string, c byte) {
	e.key(name)
	e.dst = append(e.dst, c)
}

func (e *encoder) number(name string, n int64) {
	e.key(name)
	e.dst = strconv.AppendInt(e.dst, n, 10)
}

func (e *encoder) boolean(name string, b bool) {
	e.key(name)
	e.dst = strconv.AppendBool(e.dst, b)
}

func (e *encoder) null(name string) {
	e.key(name)
	e.dst = append(e.dst, "null"...)
}

func (e *encoder) text(name, t string) {
	e.key(name)
	e.dst = appendText(e.dst, t)
}

// textOrNull writes null for a text that is not there.
func (e *encoder) textOrNull(name, t string) {
	if t == "" {
		e.null(name)
		return
	}
	e.text(name, t)
}

// pointerOrNull writes null for a text that was never sent or was cleared.
func (e *encoder) pointerOrNull(name string, t *string) {
	if t == nil {
		e.null(name)
		return
	}
	e.textOrNull(name, *t)
}

func (e *encoder) texts(name string, list []string) {
	e.begin(name, '[')
	for i, t := range list {
		if i > 0 {
			e.dst = append(e.dst, ',')
		}
		e.dst = appendText(e.dst, t)
	}
	e.close(']')
}

// raw writes what is JSON already, null for nothing.
func (e *encoder) raw(name string, json []byte) {
	if len(json) == 0 {
		e.null(name)
		return
	}
	e.key(name)
	e.dst = append(e.dst, json...)
}

// moment writes a time with the offset that it carries, null if not set.
func (e *encoder) moment(name string, t Time) {
	if !t.Set {
		e.null(name)
		return
	}
	e.key(name)
	e.dst = appendTime(e.dst, t.Unix, t.Offset)
}

// instant writes unix nanoseconds in the answer's offset, null for zero.
func (e *encoder) instant(name string, unix int64) {
	if unix == 0 {
		e.null(name)
		return
	}
	e.key(name)
	e.dst = appendTime(e.dst, unix, e.offset)
}

// quantity writes thousandths as a decimal text without trailing zeros.
func (e *encoder) quantity(name string, q int64) {
	e.key(name)
	e.dst = append(e.dst, '"')
	e.dst = appendQuantity(e.dst, q)
	e.dst = append(e.dst, '"')
}

// appendQuantity renders thousandths: 345 is 0.345, 2000 is 2.
func appendQuantity(dst []byte, q int64) []byte {
	if q < 0 {
		dst = append(dst, '-')
		q = -q
	}
	dst = strconv.AppendInt(dst, q/1000, 10)
	rest := q % 1000
	if rest == 0 {
		return dst
	}
	dst = append(dst, '.', byte('0'+rest/100))
	if rest %= 100; rest > 0 {
		dst = append(dst, byte('0'+rest/10))
		if rest %= 10; rest > 0 {
			dst = append(dst, byte('0'+rest))
		}
	}
	return dst
}

// appendTime renders RFC 3339 to the second, quoted.
func appendTime(dst []byte, unix int64, offset int32) []byte {
	t := time.Unix(0, unix+int64(offset)*int64(time.Second)).UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	dst = append(dst, '"')
	dst = appendTwo(dst, year/100)
	dst = append(appendTwo(dst, year%100), '-')
	dst = append(appendTwo(dst, int(month)), '-')
	dst = append(appendTwo(dst, day), 'T')
	dst = append(appendTwo(dst, hour), ':')
	dst = append(appendTwo(dst, minute), ':')
	dst = appendTwo(dst, second)
	if offset == 0 {
		return append(dst, 'Z', '"')
	}
	sign, east := byte('+'), int(offset)
	if east < 0 {
		sign, east = '-', -east
	}
	dst = append(dst, sign)
	dst = append(appendTwo(dst, east/3600), ':')
	dst = appendTwo(dst, east%3600/60)
	return append(dst, '"')
}

func appendTwo(dst []byte, n int) []byte {
	return append(dst, byte('0'+n/10%10), byte('0'+n%10))
}

const hexDigits = "0123456789abcdef"

// appendText renders a text as a JSON string. What comes through our decoders
// needs few escapes; bytes that are not UTF-8 become U+FFFD.
func appendText(dst []byte, t string) []byte {
	dst = append(dst, '"')
	plain := 0
	for i := 0; i < len(t); {
		c := t[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(t[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(append(dst, t[plain:i]...), "\ufffd"...)
				plain = i + 1
			}
			i += size
			continue
		}
		dst = append(dst, t[plain:i]...)
		if c == '"' || c == '\\' {
			dst = append(dst, '\\', c)
		} else {
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		plain = i
	}
	return append(append(dst, t[plain:]...), '"')
}
