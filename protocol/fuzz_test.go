package protocol

import (
	"encoding/json"
	"reflect"
	"testing"
	"unicode/utf8"
)

// FuzzDecodeJSON sends anything to every call. Whatever decodes is valid JSON
// (or nothing, where a body may be absent), holds no text that is not UTF-8,
// and can be validated; whatever is refused says why, boundedly.
func FuzzDecodeJSON(f *testing.F) {
	for call, body := range examples(f) {
		f.Add(uint8(call), body)
	}
	for _, doc := range scannerSeeds {
		f.Add(uint8(CallAuthorize), []byte(doc))
	}
	f.Add(uint8(CallAuthorize), read(f, "authorize.json"))
	f.Add(uint8(CallVoid), []byte(nil))
	f.Add(uint8(CallPutProgram), []byte("program: x"))
	f.Fuzz(func(t *testing.T, call uint8, body []byte) {
		c := Call(call)
		r := &Request{}
		refusal := DecodeJSON(c, body, r)
		if refusal != nil {
			if refusal.Code == Approved || refusal.Detail == "" || len(refusal.Detail) > 400 || len(refusal.Field) > 16*(maxFieldName+8) {
				t.Fatalf("%q: a refusal that does not help: %+v", body, refusal)
			}
			if !utf8.ValidString(refusal.Field) {
				t.Fatalf("%q: the field is not UTF-8", body)
			}
			return
		}
		if bodyOf(c) != BodyDocument && len(body) > 0 && !json.Valid(body) && !blank(body) {
			t.Fatalf("%q decodes but is not JSON", body)
		}
		r.Buffer, r.Document = nil, nil
		everyText(reflect.ValueOf(r).Elem(), func(text string) {
			if !utf8.ValidString(text) || len(text) > MaxText {
				t.Fatalf("%q: text %q", body, text)
			}
		})
		if len(r.Lines) > MaxLines || len(r.Payments) > MaxPayments || len(r.PromoCodes) > MaxPromoCodes {
			t.Fatalf("%q: a list beyond its bound", body)
		}
		if code, _, detail := Validate(r); code != Approved && (code.OK() || detail == "") {
			t.Fatalf("%q: %v without a word", body, code)
		}
	})
}

func blank(body []byte) bool {
	for _, c := range body {
		if c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return false
		}
	}
	return true
}

// everyText visits every text of a value.
func everyText(v reflect.Value, see func(string)) {
	switch v.Kind() {
	case reflect.String:
		see(v.String())
	case reflect.Pointer:
		if !v.IsNil() {
			everyText(v.Elem(), see)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			everyText(v.Field(i), see)
		}
	case reflect.Slice:
		for i := range v.Len() {
			everyText(v.Index(i), see)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			everyText(k, see)
		}
	}
}

// FuzzAppendText renders any text: the result is JSON that reads back as the
// text, with what was no UTF-8 replaced.
func FuzzAppendText(f *testing.F) {
	for _, text := range []string{"", "Latte", `"\/`, "\x00\x1f\n", "é😀\u2028", "\xff\xfe", "a\xc3"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var got string
		if err := json.Unmarshal(appendText(nil, text), &got); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if want := string([]rune(text)); got != want {
			t.Fatalf("%q reads back as %q", text, got)
		}
	})
}
