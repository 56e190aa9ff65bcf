package protocol

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// tenLines is an authorization of ten lines, as a supermarket's till sends.
func tenLines() []byte {
	lines := make([]string, 10)
	for i := range lines {
		lines[i] = fmt.Sprintf(`{"id":"%d","sku":"46010%d","name":"Product number %d","category":"coffee","brand":"Brand","supplier":"Supplier",`+
			`"tags":["hot","new"],"quantity":"1.500","price":70000,"amount":105000}`, i+1, i, i)
	}
	return []byte(`{"terminal":"T0001","store":"S01","cashier":"C7","channel":"store","receipt":{"number":"000123","shift":"45"},` +
		`"at":"2026-11-20T12:31:05+05:00","member":{"phone":"+77011234567"},"basket":{"lines":[` + strings.Join(lines, ",") + `]},` +
		`"payments":[{"tender":"card","amount":650000}],"redeem":{"points":65000},"promo_codes":["SUMMER"],"hold_seconds":900}`)
}

func tenLinesAnswer(t testing.TB) *Response {
	r := authorized(t)
	for i := len(r.Lines); i < 10; i++ {
		r.Lines = append(r.Lines, LineResult{ID: fmt.Sprint(i + 1), Amount: 105000, Payable: 105000, Earned: 10500})
	}
	return r
}

// TestASaleAllocatesNothing: decoding, validating, matching the route and
// rendering, once the buffers have grown.
func TestASaleAllocatesNothing(t *testing.T) {
	body, r, answer, out := tenLines(), &Request{}, tenLinesAnswer(t), []byte(nil)
	allocations := testing.AllocsPerRun(200, func() {
		r.Reset()
		route, _, _ := MatchRoute("POST", "/v1/authorizations")
		if refusal := DecodeJSON(route.Call, body, r); refusal != nil {
			panic(refusal)
		}
		if code, field, _ := Validate(r); code != Approved {
			panic(field)
		}
		out = AppendJSON(out[:0], answer)
	})
	require.Zero(t, allocations)
	require.Len(t, r.Lines, 10)
}

func BenchmarkDecodeTenLines(b *testing.B) {
	body, r := tenLines(), &Request{}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		r.Reset()
		if refusal := DecodeJSON(CallAuthorize, body, r); refusal != nil {
			b.Fatal(refusal)
		}
	}
}

// BenchmarkDecodeTenLinesStandard is the same body through encoding/json into
// a map: what the library costs without being strict.
func BenchmarkDecodeTenLinesStandard(b *testing.B) {
	body := tenLines()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		var v map[string]any
		if err := json.Unmarshal(body, &v); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkValidateTenLines(b *testing.B) {
	r := &Request{}
	if refusal := DecodeJSON(CallAuthorize, tenLines(), r); refusal != nil {
		b.Fatal(refusal)
	}
	b.ReportAllocs()
	for b.Loop() {
		if code, _, _ := Validate(r); code != Approved {
			b.Fatal(code)
		}
	}
}

func BenchmarkEncodeTenLines(b *testing.B) {
	answer, out := tenLinesAnswer(b), []byte(nil)
	b.ReportAllocs()
	for b.Loop() {
		out = AppendJSON(out[:0], answer)
	}
	b.SetBytes(int64(len(out)))
}

func BenchmarkMatchRoute(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, _, outcome := MatchRoute("POST", "/v1/authorizations/0A00000000J7/confirm"); outcome != Approved {
			b.Fatal(outcome)
		}
	}
}

// TestRefusingIsCheap: whatever a sender fills 256 KiB with, reading ends at
// the first fault and a refusal costs a handful of small allocations, in a
// request whose buffer has grown before.
func TestRefusingIsCheap(t *testing.T) {
	fill := func(start, unit string) []byte {
		return []byte((start + strings.Repeat(unit, MaxBody/len(unit)+1))[:MaxBody])
	}
	for name, body := range map[string][]byte{
		"nesting":          fill(`{"basket":`, `[`),
		"objects":          fill(``, `{"a":`),
		"one long text":    fill(`{"terminal":"`, `x`),
		"one long escape":  fill(`{"terminal":"`, `\u00e9`),
		"one long name":    fill(`{"`, `x`),
		"one long number":  fill(`{"basket":{"total":`, `9`),
		"white space":      fill(`{`, ` `),
		"unknown fields":   fill(`{`, `"a":1,`),
		"empty lines":      fill(`{"basket":{"lines":[`, `{},`),
		"many promo codes": fill(`{"promo_codes":[`, `"A",`),
		"NUL":              fill(``, "\x00"),
	} {
		t.Run(name, func(t *testing.T) {
			r := &Request{Buffer: make([]byte, 0, MaxBody)}
			allocations := testing.AllocsPerRun(5, func() {
				r.Reset()
				if DecodeJSON(CallAuthorize, body, r) == nil {
					panic("it decoded")
				}
			})
			require.Less(t, allocations, 32.0)
			require.LessOrEqual(t, cap(r.Buffer), MaxBody)
		})
	}
}
