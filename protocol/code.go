// Package protocol is what is said on the wire: one Request and one Response
// for both edges, the decline table, the strict JSON codec and the OpenAPI
// description. It imports nothing of tillgate.
package protocol

// Code is the outcome of a request as every edge sees it: one closed list,
// ordered as in the decline table of docs/protocol.md. A decline is a
// result, not a Go error.
type Code uint8

const (
	Approved Code = iota
	Partial
	InvalidRequest
	InvalidAmount
	Unauthorized
	Forbidden
	MemberNotFound
	CardNotFound
	CardBlocked
	CardExpired
	IdentificationTooWeak
	CodeInvalid
	InsufficientPoints
	RedeemNotAllowed
	CodeAttemptsExceeded
	LimitExceededAmount
	LimitExceededCount
	NotFound
	AlreadyVoided
	AlreadyConfirmed
	AlreadyExists
	HoldExpired
	ReversedBefore
	OutsideTimeWindow
	TotalsDiffer
	ReturnExceedsSale
	IdempotencyConflict
	Overloaded
	Unavailable
	Internal
	TooLarge
	MethodNotAllowed
	UnsupportedMediaType
	NoSuchCall
	PreconditionFailed
	ReferrerNotAllowed
	codeCount
)

// codeRow is one line of the decline table.
type codeRow struct {
	name      string // the problem's `code`, empty for approvals
	iso       string // DE39
	status    int    // HTTP status
	title     string // the problem's `title`: a fixed short sentence
	retryable bool   // the same request may succeed later unchanged
	kept      bool   // remembered under the request's duplicate key
}

// codes is the decline table: the only place where an outcome is turned into
// a wire code.
var codes = [codeCount]codeRow{
	Approved:              {"", "00", 200, "Approved", false, true},
	Partial:               {"", "10", 200, "Approved in part", false, true},
	InvalidRequest:        {"invalid_request", "30", 400, "The request is malformed", false, false},
	InvalidAmount:         {"invalid_amount", "13", 422, "An amount is not acceptable", false, true},
	Unauthorized:          {"unauthorized", "63", 401, "The caller is not known", false, false},
	Forbidden:             {"forbidden", "58", 403, "The caller may not do this", false, false},
	MemberNotFound:        {"member_not_found", "14", 404, "No such member", false, true},
	CardNotFound:          {"card_not_found", "14", 404, "No such card", false, true},
	CardBlocked:           {"card_blocked", "62", 403, "The card is blocked", false, true},
	CardExpired:           {"card_expired", "54", 403, "The card has expired", false, true},
	IdentificationTooWeak: {"identification_too_weak", "55", 403, "This identification cannot spend points", false, true},
	CodeInvalid:           {"code_invalid", "55", 403, "The one-time code is wrong or has ended", false, true},
	InsufficientPoints:    {"insufficient_points", "51", 402, "Not enough points", false, true},
	RedeemNotAllowed:      {"redeem_not_allowed", "57", 422, "The programme does not allow these points here", false, true},
	CodeAttemptsExceeded:  {"code_attempts_exceeded", "75", 403, "Too many wrong codes", false, true},
	LimitExceededAmount:   {"limit_exceeded", "61", 403, "An amount limit is reached", false, true},
	LimitExceededCount:    {"limit_exceeded", "65", 403, "A count limit is reached", false, true},
	NotFound:              {"not_found", "25", 404, "The original was not found", false, true},
	AlreadyVoided:         {"already_voided", "12", 409, "It has been voided", false, true},
	AlreadyConfirmed:      {"already_confirmed", "12", 409, "It has been confirmed", false, true},
	AlreadyExists:         {"already_exists", "12", 409, "It exists already", false, true},
	HoldExpired:           {"hold_expired", "12", 409, "The hold has expired", false, true},
	ReversedBefore:        {"reversed_before", "68", 409, "It was reversed before it came", false, true},
	OutsideTimeWindow:     {"outside_time_window", "12", 422, "The receipt's time is out of range", false, true},
	TotalsDiffer:          {"totals_differ", "95", 200, "The shift's totals differ", false, true},
	ReturnExceedsSale:     {"return_exceeds_sale", "13", 422, "More is returned than was sold", false, true},
	IdempotencyConflict:   {"idempotency_conflict", "94", 409, "The key belongs to another request", false, false},
	Overloaded:            {"overloaded", "91", 503, "The server sheds load", true, false},
	Unavailable:           {"unavailable", "91", 503, "The service is not available", true, false},
	Internal:              {"internal", "96", 500, "The server failed", true, false},
	TooLarge:              {"too_large", "30", 413, "The request is too large", false, false},
	MethodNotAllowed:      {"method_not_allowed", "30", 405, "The method is not allowed here", false, false},
	UnsupportedMediaType:  {"unsupported_media_type", "30", 415, "The media type is not supported", false, false},
	NoSuchCall:            {"not_found", "25", 404, "There is no such call", false, false},
	PreconditionFailed:    {"precondition_failed", "12", 412, "The document has changed meanwhile", false, false},
	ReferrerNotAllowed:    {"referrer_not_allowed", "57", 422, "The referrer is not allowed", false, true},
}

// String is the problem's `code`; "approved" and "partial" for approvals.
func (c Code) String() string {
	switch {
	case c == Approved:
		return "approved"
	case c == Partial:
		return "partial"
	case c < codeCount:
		return codes[c].name
	}
	return "internal"
}

// OK reports whether the outcome is an approval, in full or in part.
func (c Code) OK() bool { return c == Approved || c == Partial }

// ISO is the outcome's DE39.
func (c Code) ISO() string { return codes[c.bounded()].iso }

// HTTPStatus is the outcome's status; calls that create something answer 201
// for Approved by themselves.
func (c Code) HTTPStatus() int { return codes[c.bounded()].status }

// Title is the fixed short sentence of the problem.
func (c Code) Title() string { return codes[c.bounded()].title }

// Retryable reports whether the unchanged request may succeed later. Such
// answers carry Retry-After and are never remembered.
func (c Code) Retryable() bool { return codes[c.bounded()].retryable }

// Remembered reports whether the outcome is kept under the request's
// duplicate key, so that a repeat gets the same bytes.
func (c Code) Remembered() bool { return codes[c.bounded()].kept }

func (c Code) bounded() Code {
	if c >= codeCount {
		return Internal
	}
	return c
}
