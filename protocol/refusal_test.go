package protocol

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// sale is a good authorization with one of its parts exchanged.
func sale(t testing.TB, from, to string) string {
	t.Helper()
	const good = `{"terminal":"T1","store":"S1","cashier":"C1","channel":"store","receipt":{"number":"7","shift":"1"},` +
		`"at":"2026-11-20T12:31:05+05:00","member":{"phone":"+77011234567"},"basket":{"total":300,"lines":[` +
		`{"id":"1","quantity":"1","price":100,"amount":100},{"id":"2","quantity":"2","price":100,"amount":200}]},` +
		`"payments":[{"tender":"card","amount":200}],"redeem":{"points":100},"promo_codes":["A"],"hold_seconds":60}`
	require.Contains(t, good, from)
	return strings.Replace(good, from, to, 1)
}

// verdict decodes and validates, as the edge does.
func verdict(call Call, body string) *Refusal {
	r := &Request{}
	if refusal := DecodeJSON(call, []byte(body), r); refusal != nil {
		return refusal
	}
	if route := RouteOf(call); route != nil && strings.Contains(route.Path, "{") {
		r.Target = aMember
	}
	if code, field, detail := Validate(r); code != Approved {
		return &Refusal{code, field, detail}
	}
	return nil
}

// TestWhatASaleIsRefusedFor is the list of what bad input gets on the
// checkout's calls: the code, the field that is named, and a word of the
// sentence.
func TestWhatASaleIsRefusedFor(t *testing.T) {
	for _, c := range []struct {
		name, from, to string
		code           Code
		field, says    string
	}{
		// Form.
		{"no JSON", `{"terminal"`, `<xml>`, InvalidRequest, "", "not JSON at byte 1"},
		{"unknown field", `"store":`, `"shop":`, InvalidRequest, "shop", "no such field"},
		{"unknown field in a line", `{"id":"2",`, `{"id":"2","colour":"red",`, InvalidRequest, "basket.lines[1].colour", "no such field"},
		{"unknown field in a member", `"phone":`, `"fone":`, InvalidRequest, "member.fone", "no such field"},
		{"duplicate field", `"store":"S1"`, `"store":"S1","store":"S1"`, InvalidRequest, "store", "twice"},
		{"duplicate field, escaped", `"store":"S1"`, `"store":"S1","\u0073tore":"S1"`, InvalidRequest, "store", "twice"},
		{"null", `"store":"S1"`, `"store":null`, InvalidRequest, "store", "leave the field out"},
		{"a number for a text", `"store":"S1"`, `"store":1`, InvalidRequest, "store", "a text"},
		{"a text for a number", `"total":300`, `"total":"300"`, InvalidRequest, "basket.total", "whole number"},
		{"a fraction", `"total":300`, `"total":300.0`, InvalidRequest, "basket.total", "fraction"},
		{"an exponent", `"total":300`, `"total":3e2`, InvalidRequest, "basket.total", "exponent"},
		{"a leading zero", `"total":300`, `"total":0300`, InvalidRequest, "basket.total", "not a number"},
		{"an overflow", `"total":300`, `"total":9223372036854775808`, InvalidRequest, "basket.total", "64 bits"},
		{"invalid UTF-8", `"T1"`, "\"T\xff\"", InvalidRequest, "terminal", "UTF-8"},
		{"an overlong NUL", `"T1"`, "\"\xc0\x80\"", InvalidRequest, "terminal", "UTF-8"},
		{"a lone surrogate", `"T1"`, `"\ud800"`, InvalidRequest, "terminal", "surrogate"},
		{"NUL", `"T1"`, `"T\u0000"`, InvalidRequest, "terminal", "control"},
		{"a line break", `"T1"`, `"T\n1"`, InvalidRequest, "terminal", "control"},
		{"a C1 control", `"T1"`, `"T\u0085"`, InvalidRequest, "terminal", "shown"},
		{"text that turns around", `"T1"`, `"T\u202e1"`, InvalidRequest, "terminal", "shown"},
		{"trailing bytes", `"hold_seconds":60}`, `"hold_seconds":60}}`, InvalidRequest, "", "after the end"},
		{"a trailing comma", `"hold_seconds":60}`, `"hold_seconds":60,}`, InvalidRequest, "", "name is missing"},
		{"half a body", `"promo_codes":["A"],"hold_seconds":60}`, `"promo_codes":["A`, InvalidRequest, "promo_codes[0]", "ends"},
		{"nesting", `["A"]`, strings.Repeat("[", 100000), InvalidRequest, "promo_codes[0]", "a text"},
		{"an endless text", `"T1"`, `"` + strings.Repeat("x", 2000) + `"`, InvalidRequest, "terminal", "1024"},
		{"a long terminal", `"T1"`, `"` + strings.Repeat("x", 33) + `"`, InvalidRequest, "terminal", "32 bytes"},
		{"a space around", `"T1"`, `"T1 "`, InvalidRequest, "terminal", "space"},
		{"a long unknown name", `"store":`, `"` + strings.Repeat("x", 500) + `":`, InvalidRequest, "", "64 bytes"},
		// Times.
		{"no offset", `05+05:00`, `05`, InvalidRequest, "at", "offset"},
		{"year 1999", `"2026-`, `"1999-`, InvalidRequest, "at", "2000 to 2100"},
		{"year 2101", `"2026-`, `"2101-`, InvalidRequest, "at", "2000 to 2100"},
		{"no such day", `11-20T`, `02-30T`, InvalidRequest, "at", "RFC 3339"},
		{"a leap second", `31:05`, `31:60`, InvalidRequest, "at", "RFC 3339"},
		{"an offset of 15 hours", `+05:00`, `+15:00`, InvalidRequest, "at", "RFC 3339"},
		// Who.
		{"no member", `"member":{"phone":"+77011234567"},`, ``, InvalidRequest, "member", "exactly one"},
		{"an empty member", `{"phone":"+77011234567"}`, `{}`, InvalidRequest, "member", "exactly one"},
		{"two members", `{"phone":"+77011234567"}`, `{"phone":"+77011234567","card":"1234"}`, InvalidRequest, "member.card", "second"},
		{"a national number", `"+77011234567"`, `"87011234567"`, InvalidRequest, "member.phone", "E.164"},
		{"a printed number", `"+77011234567"`, `"+7 701 123"`, InvalidRequest, "member.phone", "E.164"},
		{"a short code", `"phone":"+77011234567"`, `"code":"12345"`, InvalidRequest, "member.code", "six digits"},
		{"a strange card", `"phone":"+77011234567"`, `"card":"12 34"`, InvalidRequest, "member.card", "card number"},
		{"no address", `"phone":"+77011234567"`, `"email":"a@b"`, InvalidRequest, "member.email", "e-mail"},
		{"no id", `"phone":"+77011234567"`, `"id":"42"`, InvalidRequest, "member.id", "13 characters"},
		// Basket.
		{"a total of zero", `"total":300`, `"total":0`, InvalidAmount, "basket.total", "more than zero"},
		{"a negative total", `"total":300`, `"total":-300`, InvalidAmount, "basket.total", "more than zero"},
		{"a total beyond DE4", `"total":300`, `"total":1000000000000`, InvalidAmount, "basket.total", "999999999999"},
		{"a total that is not the sum", `"total":300`, `"total":301`, InvalidAmount, "basket.total", "sum of the lines"},
		{"a negative line", `"amount":100}`, `"amount":-100}`, InvalidAmount, "basket.lines[0].amount", "negative"},
		{"a line above its price", `"price":100,"amount":200`, `"price":99,"amount":200`, InvalidAmount, "basket.lines[1].amount", "price × quantity"},
		{"a line beyond DE4", `"price":100,"amount":100`, `"price":1000000000000,"amount":100`, InvalidAmount, "basket.lines[0].price", "999999999999"},
		{"quantity zero", `"quantity":"1"`, `"quantity":"0.000"`, InvalidAmount, "basket.lines[0].quantity", "more than zero"},
		{"a million and one", `"quantity":"1"`, `"quantity":"1000001"`, InvalidAmount, "basket.lines[0].quantity", "1000000"},
		{"quantity as a number", `"quantity":"1"`, `"quantity":1`, InvalidRequest, "basket.lines[0].quantity", "decimal text"},
		{"four places", `"quantity":"1"`, `"quantity":"0.3456"`, InvalidRequest, "basket.lines[0].quantity", "three places"},
		{"a negative quantity", `"quantity":"1"`, `"quantity":"-1"`, InvalidRequest, "basket.lines[0].quantity", "three places"},
		{"a line without an id", `{"id":"1",`, `{`, InvalidRequest, "basket.lines[0].id", "missing"},
		{"a line without an amount", `,"amount":100}`, `}`, InvalidRequest, "basket.lines[0].amount", "missing"},
		{"a line with a separator", `{"id":"1",`, `{"id":"1;2",`, InvalidRequest, "basket.lines[0].id", "none of"},
		{"line ids twice", `{"id":"2",`, `{"id":"1",`, InvalidRequest, "basket.lines[1].id", "same id"},
		// The rest.
		{"a payment of zero", `"amount":200}],"redeem"`, `"amount":0}],"redeem"`, InvalidAmount, "payments[0].amount", "more than zero"},
		{"a payment by nothing", `"tender":"card"`, `"tender":""`, InvalidRequest, "payments[0].tender", "missing"},
		{"no points", `{"points":100}`, `{"points":0}`, InvalidAmount, "redeem.points", "more than zero"},
		{"negative points", `{"points":100}`, `{"points":-1}`, InvalidAmount, "redeem.points", "more than zero"},
		{"points and max", `{"points":100}`, `{"points":100,"max":true}`, InvalidRequest, "redeem.max", "alone"},
		{"an empty wish", `{"points":100}`, `{}`, InvalidRequest, "redeem", "neither"},
		{"not max", `{"points":100}`, `{"max":false}`, InvalidRequest, "redeem", "neither"},
		{"part of nothing", `{"points":100}`, `{"partial":true}`, InvalidRequest, "redeem", "neither"},
		{"eleven promo codes", `["A"]`, `["1","2","3","4","5","6","7","8","9","10","11"]`, InvalidRequest, "promo_codes", "10 entries"},
		{"an empty promo code", `["A"]`, `["A",""]`, InvalidRequest, "promo_codes[1]", "missing"},
		{"no time to hold", `"hold_seconds":60`, `"hold_seconds":0`, InvalidRequest, "hold_seconds", "second"},
		{"a year to hold", `"hold_seconds":60`, `"hold_seconds":31536000`, InvalidRequest, "hold_seconds", "30 days"},
	} {
		t.Run(c.name, func(t *testing.T) {
			requireRefusal(t, verdict(CallAuthorize, sale(t, c.from, c.to)), c.code, c.field, c.says)
		})
	}
	require.Nil(t, verdict(CallAuthorize, sale(t, "T1", "T1")))
}

func requireRefusal(t *testing.T, got *Refusal, code Code, field, says string) {
	t.Helper()
	require.NotNil(t, got, "nothing was refused")
	require.Equal(t, code, got.Code, got.Error())
	require.Equal(t, field, got.Field, got.Error())
	require.Contains(t, got.Detail, says)
}

// manyLines is a list of n lines of 1 each.
func manyLines(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(`{"id":"%d","quantity":"1","price":1,"amount":1}`, i)
	}
	return "[" + strings.Join(list, ",") + "]"
}

// TestBaskets are baskets as a whole, good and bad.
func TestBaskets(t *testing.T) {
	same := strings.Replace(manyLines(500), `"id":"499"`, `"id":"17"`, 1)
	const most = `{"id":"%d","quantity":"1","price":999999999999,"amount":999999999999}`
	for _, c := range []struct {
		name, basket string
		code         Code
		field, says  string
	}{
		{"500 lines", `{"lines":` + manyLines(500) + `}`, Approved, "", ""},
		{"500 lines and their sum", `{"lines":` + manyLines(500) + `,"total":500}`, Approved, "", ""},
		{"501 lines", `{"lines":` + manyLines(501) + `}`, InvalidRequest, "basket.lines", "500"},
		{"1000 lines", `{"lines":` + manyLines(1000) + `}`, InvalidRequest, "basket.lines", "500"},
		{"the 500th line has the id of the 18th", `{"lines":` + same + `}`, InvalidRequest, "basket.lines[499].id", "same id"},
		{"a total", `{"total":1}`, Approved, "", ""},
		{"nothing", `{}`, InvalidRequest, "basket", "lines or a total"},
		{"no lines", `{"lines":[]}`, InvalidRequest, "basket.lines", "empty"},
		{"no lines and a total", `{"lines":[],"total":5}`, InvalidRequest, "basket.lines", "empty"},
		{"a gift among the lines", `{"lines":[{"id":"1","quantity":"1","price":0,"amount":0},{"id":"2","quantity":"1","price":5,"amount":5}]}`, Approved, "", ""},
		{"a gift alone", `{"lines":[{"id":"1","quantity":"1","price":5,"amount":0}]}`, InvalidAmount, "basket.total", "more than zero"},
		{"a line that is half a minor unit dearer, rounded up", `{"lines":[{"id":"1","quantity":"0.345","price":100,"amount":35}]}`, Approved, "", ""},
		{"a line above that", `{"lines":[{"id":"1","quantity":"0.345","price":100,"amount":36}]}`, InvalidAmount, "basket.lines[0].amount", "price"},
		{"lines whose sum passes DE4", `{"lines":[` + fmt.Sprintf(most, 1) + "," + fmt.Sprintf(most, 2) + `]}`, InvalidAmount, "basket.total", "999999999999"},
		{"lines whose sum overflows", `{"lines":[{"id":"1","quantity":"1","price":1,"amount":9223372036854775807},{"id":"2","quantity":"1","price":1,"amount":9223372036854775807}]}`,
			InvalidAmount, "basket.lines[0].amount", "999999999999"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := verdict(CallQuote, `{"member":{"card":"2200001"},"basket":`+c.basket+`}`)
			if c.code == Approved {
				require.Nil(t, got)
				return
			}
			requireRefusal(t, got, c.code, c.field, c.says)
		})
	}
}

// TestWhatTheOtherCallsAreRefusedFor: one line a rule.
func TestWhatTheOtherCallsAreRefusedFor(t *testing.T) {
	const basket = `"member":{"card":"2200001"},"basket":{"total":1}`
	for _, c := range []struct {
		call        Call
		body        string
		code        Code
		field, says string
	}{
		{CallQuote, `{` + basket + `,"offline":true}`, InvalidRequest, "offline", "no such field"},
		{CallQuote, `{"member":{"card":"2200001"}}`, InvalidRequest, "basket", "missing"},
		{CallQuote, ``, InvalidRequest, "", "too early"},
		{CallAccrue, `{` + basket + `,"redeem":{"points":1}}`, InvalidRequest, "redeem", "unless it is offline"},
		{CallAccrue, `{` + basket + `,"redeem":{"points":1},"offline":false}`, InvalidRequest, "redeem", "unless it is offline"},
		{CallAccrue, `{` + basket + `,"redeem":{"max":true},"offline":true,"at":"2026-11-20T12:00:00Z"}`, InvalidRequest, "redeem", "how many points"},
		{CallAccrue, `{` + basket + `,"redeem":{"points":1,"partial":true},"offline":true,"at":"2026-11-20T12:00:00Z"}`, InvalidRequest, "redeem", "how many points"},
		{CallAccrue, `{` + basket + `,"redeem":{"points":1},"offline":true}`, InvalidRequest, "at", "when it was"},
		{CallRedeem, `{` + basket + `,"redeem":{"points":1},"offline":true}`, InvalidRequest, "offline", "no such field"},
		{CallAccrue, `{` + basket + `,"hold_seconds":1}`, InvalidRequest, "hold_seconds", "no such field"},
		{CallAccrue, `{` + basket + `,"offline":true}`, InvalidRequest, "at", "when it was"},
		{CallRedeem, `{` + basket + `}`, InvalidRequest, "redeem", "missing"},
		{CallAmend, `{"redeem":{"max":true}}`, InvalidRequest, "basket", "missing"},
		{CallConfirm, `{"redeemed":-1}`, InvalidAmount, "redeemed", "negative"},
		{CallConfirm, `{"payable":1000000000000}`, InvalidAmount, "payable", "999999999999"},
		{CallConfirm, `{"receipt":{"shift":"1"}}`, InvalidRequest, "receipt.number", "missing"},
		{CallConfirm, `{"basket":{"total":1}}`, InvalidRequest, "basket", "no such field"},
		{CallReverse, `{}`, InvalidRequest, "idempotency_key", "named by"},
		{CallReverse, `{"idempotency_key":"a b"}`, InvalidRequest, "idempotency_key", "visible"},
		{CallReverse, `{"idempotency_key":"a","receipt":{"number":"1"}}`, InvalidRequest, "receipt", "both"},
		{CallReverse, `{"receipt":{"number":"1"},"terminal":"T"}`, InvalidRequest, "store", "missing"},
		{CallReturn, `{"amount":5}`, InvalidRequest, "authorization", "named by"},
		{CallReturn, `{"receipt":{"number":"1"},"store":"S"}`, InvalidRequest, "terminal", "missing"},
		{CallReturn, `{"authorization":"0A00000000J7","receipt":{"number":"1"}}`, InvalidRequest, "receipt", "both"},
		{CallReturn, `{"authorization":"0A00000000J7","amount":0}`, InvalidAmount, "amount", "more than zero"},
		{CallReturn, `{"authorization":"0A00000000J7","amount":1,"lines":[{"id":"1"}]}`, InvalidRequest, "amount", "both"},
		{CallReturn, `{"authorization":"0A00000000J7","lines":[]}`, InvalidRequest, "lines", "empty"},
		{CallReturn, `{"authorization":"0A00000000J7","lines":[{"quantity":"1"}]}`, InvalidRequest, "lines[0].id", "missing"},
		{CallReturn, `{"authorization":"0A00000000J7","lines":[{"id":"1","quantity":"0"}]}`, InvalidAmount, "lines[0].quantity", "more than zero"},
		{CallReturn, `{"authorization":"0A00000000J7","lines":[{"id":"1"},{"id":"1"}]}`, InvalidRequest, "lines[1].id", "same id"},
		{CallCreateMember, `{"name":"A"}`, InvalidRequest, "phone", "phone or an email"},
		{CallCreateMember, `{"phone":null}`, InvalidRequest, "phone", "leave the field out"},
		{CallCreateMember, `{"phone":"+77011234567","birthday":"1990-02-30"}`, InvalidRequest, "birthday", "YYYY-MM-DD"},
		{CallCreateMember, `{"phone":"+77011234567","birthday":"1890-02-20"}`, InvalidRequest, "birthday", "1900"},
		{CallCreateMember, `{"phone":"+77011234567","referrer":{"card":"1234"}}`, InvalidRequest, "referrer.card", "no such field"},
		{CallCreateMember, `{"phone":"+77011234567","referrer":{"phone":"1"}}`, InvalidRequest, "referrer.phone", "E.164"},
		{CallCreateMember, `{"phone":"+77011234567","consent":{"a":true,"a":true}}`, InvalidRequest, "consent.a", "twice"},
		{CallCreateMember, `{"phone":"+77011234567","consent":{"a":"yes"}}`, InvalidRequest, "consent.a", "true or false"},
		{CallPatchMember, `{}`, InvalidRequest, "", "nothing to change"},
		{CallPatchMember, `{"referrer":{"code":"A"}}`, InvalidRequest, "referrer", "no such field"},
		{CallPatchMember, `{"email":"a@b@c.d"}`, InvalidRequest, "email", "e-mail"},
		{CallLookupMember, `{}`, InvalidRequest, "", "exactly one"},
		{CallLookupMember, `{"phone":"+77011234567","email":"a@b.cd"}`, InvalidRequest, "email", "second"},
		{CallLookupMember, `{"phone":"8701"}`, InvalidRequest, "phone", "E.164"},
		{CallMemberEvent, `{}`, InvalidRequest, "event", "missing"},
		{CallMemberEvent, `{"event":""}`, InvalidRequest, "event", "missing"},
		{CallMemberEvent, `{"event":"a b"}`, InvalidRequest, "event", "visible"},
		{CallPutBlock, `{"terminal":"T1","cashier":"C7","reason":"r"}`, InvalidRequest, "terminal", "either"},
		{CallPutBlock, `{"reason":"r"}`, InvalidRequest, "terminal", "either"},
		{CallPutBlock, `{"terminal":"T1"}`, InvalidRequest, "reason", "missing"},
		{CallPutBlock, `{"terminal":"T1","reason":"r","store":"S1"}`, InvalidRequest, "store", "no such field"},
		{CallSetTier, `{"tier":"VIP"}`, InvalidRequest, "until", "missing"},
		{CallMerge, `{"into":"x"}`, InvalidRequest, "into", "member's id"},
		{CallMerge, `{"into":"` + aMember + `"}`, InvalidRequest, "into", "itself"},
		{CallAdjust, `{"points":0,"reason":"r"}`, InvalidAmount, "points", "zero"},
		{CallAdjust, `{"points":-1000000000000,"reason":"r"}`, InvalidAmount, "points", "999999999999"},
		{CallAdjust, `{"points":5}`, InvalidRequest, "reason", "missing"},
		{CallAdjust, `{"points":5,"reason":"` + strings.Repeat("x", 257) + `"}`, InvalidRequest, "reason", "256"},
		{CallAddCard, `{"type":"gold"}`, InvalidRequest, "number", "missing"},
		{CallPatchCard, `{}`, InvalidRequest, "", "nothing to change"},
		{CallPatchCard, `{"state":"lost"}`, InvalidRequest, "state", "one of"},
		{CallPatchCard, `{"number":"1234"}`, InvalidRequest, "number", "no such field"},
		{CallReplaceCard, `{"number":"1"}`, InvalidRequest, "number", "card number"},
		{CallCloseShift, `{"terminal":"T","store":"S","shift":"1"}`, InvalidRequest, "totals", "missing"},
		{CallCloseShift, `{"terminal":"T","store":"S","shift":"1","totals":{"net":0}}`, InvalidRequest, "totals.sales", "missing"},
		{CallCloseShift, `{"terminal":"T","store":"S","shift":"1","totals":{"sales":{"count":-1,"total":0},"returns":{"count":0,"total":0},` +
			`"redeemed":{"count":0,"total":0},"given_back":{"count":0,"total":0},"net":0}}`, InvalidAmount, "totals.sales.count", "no sign"},
		{CallResolveParked, `{"action":"forget","reason":"r"}`, InvalidRequest, "action", "book or reject"},
		{CallResolveParked, `{"action":"book"}`, InvalidRequest, "reason", "missing"},
		{CallPutStores, `{"stores":[{"id":"S1","timezone":"Mars/Olympus"}]}`, InvalidRequest, "stores[0].timezone", "IANA"},
		{CallPutStores, `{"stores":[{"id":"S1"},{"id":"S1"}]}`, InvalidRequest, "stores[1].id", "same"},
		{CallPutProducts, `{"products":[{"name":"x"}]}`, InvalidRequest, "products[0].sku", "missing"},
		{CallPutProducts, `{"products":[{"sku":"1","tags":[""]}]}`, InvalidRequest, "products[0].tags", "empty"},
		{CallPutCashiers, `{"cashiers":[{"id":"C","card":"?"}]}`, InvalidRequest, "cashiers[0].card", "card number"},
		{CallPutCashiers, `{"stores":[]}`, InvalidRequest, "stores", "no such field"},
		{CallGetMember, `{}`, InvalidRequest, "", "takes no body"},
	} {
		t.Run(c.call.String()+" "+c.field+" "+c.says, func(t *testing.T) {
			requireRefusal(t, verdict(c.call, c.body), c.code, c.field, c.says)
		})
	}
}

// TestABodyMayBeAbsent where the call says enough by itself.
func TestABodyMayBeAbsent(t *testing.T) {
	for _, call := range []Call{CallConfirm, CallVoid, CallIssueCode, CallGetMember} {
		require.Nil(t, verdict(call, ""), call.String())
		require.Nil(t, verdict(call, " \n"), call.String())
	}
	require.Nil(t, verdict(CallVoid, "{}"))
}

// TestATooLargeBodyIsRefusedUnread: its code is 413's.
func TestATooLargeBodyIsRefusedUnread(t *testing.T) {
	r := &Request{}
	refusal := DecodeJSON(CallPutProgram, make([]byte, MaxBody+1), r)
	require.Equal(t, TooLarge, refusal.Code)
	require.Empty(t, r.Buffer)
	require.Nil(t, DecodeJSON(CallPutProgram, make([]byte, MaxBody), r))
	require.Len(t, r.Document, MaxBody)
}
