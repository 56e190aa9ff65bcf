package protocol

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// anything reads any value that our bodies may be made of, so that the
// scanner can be held to encoding/json on all of them: objects with free
// names, lists, texts, whole numbers, booleans, null.
func (s *scanner) anything() any {
	switch c := s.peek(); {
	case s.bad != nil:
		return nil
	case c == '{':
		got := map[string]any{}
		o := s.object(nil, 0)
		for name, ok := s.freeField(&o); ok; name, ok = s.freeField(&o) {
			if _, twice := got[name]; twice {
				s.refuse(InvalidRequest, "the field stands twice")
				return nil
			}
			got[strings.Clone(name)] = s.anything()
		}
		return got
	case c == '[':
		got := []any{}
		a := s.array(math.MaxInt)
		for s.element(&a) {
			got = append(got, s.anything())
		}
		return got
	case c == '"':
		return strings.Clone(s.text())
	case c == 't' || c == 'f':
		return s.boolean()
	case c == 'n':
		if s.null() {
			return nil
		}
		s.mismatch("null")
		return nil
	default:
		return json.Number(itoa(s.integer()))
	}
}

func itoa(n int64) string { b, _ := json.Marshal(n); return string(b) }

// scanAll scans a whole document.
func scanAll(doc []byte) (any, *Refusal) {
	s := scanner{buf: bytes.Clone(doc)}
	v := s.anything()
	s.end()
	return v, s.bad
}

// oracle reads a document with encoding/json and then refuses by hand what we
// refuse beyond it. It is slow and simple on purpose.
func oracle(doc []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	v, err := oracleValue(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("trailing bytes")
	}
	return v, nil
}

func oracleValue(d *json.Decoder, depth int) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch x := token.(type) {
	case json.Delim:
		if depth == MaxDepth {
			return nil, errors.New("too deep")
		}
		if x == '{' {
			return oracleObject(d, depth+1)
		}
		return oracleList(d, depth+1)
	case json.Number:
		n, err := x.Int64()
		if err != nil || n == math.MinInt64 {
			return nil, errors.New("no whole number of 64 bits")
		}
		return json.Number(itoa(n)), nil
	case string:
		return x, oracleText(x)
	}
	return token, nil
}

func oracleText(x string) error {
	if len(x) > MaxText {
		return errors.New("too long")
	}
	for _, c := range x {
		if c < ' ' || c == 0x7f {
			return errors.New("control character")
		}
	}
	return nil
}

func oracleObject(d *json.Decoder, depth int) (any, error) {
	got := map[string]any{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		name := token.(string)
		if _, twice := got[name]; twice || len(name) > maxFieldName || oracleText(name) != nil {
			return nil, errors.New("bad name")
		}
		if got[name], err = oracleValue(d, depth); err != nil {
			return nil, err
		}
	}
	_, err := d.Token()
	return got, err
}

func oracleList(d *json.Decoder, depth int) (any, error) {
	got := []any{}
	for d.More() {
		v, err := oracleValue(d, depth)
		if err != nil {
			return nil, err
		}
		got = append(got, v)
	}
	_, err := d.Token()
	return got, err
}

// scannerSeeds are documents on both sides of every rule.
var scannerSeeds = []string{
	`{}`, `[]`, `{"a":1}`, `{"a":{"b":[1,-2,"x",true,false,null]}}`, ` { "a" : [ ] } `, `"\u0041\u00e9\ud83d\ude00\"\\\/"`,
	`{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"a":1,}`, `[1,]`, `[,1]`, `{,}`, `{"a"}`, `{"a" 1}`, `{a:1}`, `[1 2]`, `{"a":1 "b":2}`,
	`01`, `-`, `-0`, `1.0`, `1e2`, `1E2`, `9223372036854775807`, `9223372036854775808`, `-9223372036854775807`, `-9223372036854775808`,
	`99999999999999999999999`, `"\ud800"`, `"\udc00\ud800"`, `"\ud800\u0041"`, `"\ud800x"`, `"\u00"`, `"\u00g0"`, `"\x"`, `"\u0000"`, `"\n"`, "\"\n\"", "\"\x00\"", "\"\x7f\"",
	"\"\xff\"", "\"\xc3\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\ufeff{}", `{} {}`, `{}x`, `tru`, `truex`, `nul`, `"abc`, `"abc\`, `"abc\u`, `{"a`, `{"a":`, `[`, ``, ` `,
	strings.Repeat("[", 16) + strings.Repeat("]", 16), strings.Repeat("[", 17) + strings.Repeat("]", 17), strings.Repeat("[", 100000),
	`"` + strings.Repeat("x", MaxText) + `"`, `"` + strings.Repeat("x", MaxText+1) + `"`, `{"` + strings.Repeat("x", 65) + `":1}`, "'a'", "/**/{}", "NaN", "+1", ".5", "0x1",
}

// holdToOracle compares the scanner's verdict and values with the oracle's.
// encoding/json repairs what we refuse: invalid UTF-8 and lone surrogates, so
// those are excused where the document has one.
func holdToOracle(t *testing.T, doc []byte) {
	got, refusal := scanAll(doc)
	want, err := oracle(doc)
	if refusal != nil {
		if err == nil {
			repaired := !utf8.Valid(doc) || bytes.Contains(bytes.ToLower(doc), []byte(`\ud`))
			require.True(t, repaired, "%q: we say %v, encoding/json reads %v", doc, refusal, want)
		}
		return
	}
	require.NoError(t, err, "%q", doc)
	require.Equal(t, want, got, "%q", doc)
	require.True(t, json.Valid(doc), "%q", doc)
}

func TestTheScannerAgreesWithEncodingJSON(t *testing.T) {
	for _, doc := range scannerSeeds {
		holdToOracle(t, []byte(doc))
	}
}

func FuzzScanner(f *testing.F) {
	for _, doc := range scannerSeeds {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) { holdToOracle(t, doc) })
}

// TestTextsAreViewsOfTheBody says where texts live: in the request's buffer,
// not in the caller's body, whether they had escapes or not.
func TestTextsAreViewsOfTheBody(t *testing.T) {
	body := []byte(`{"terminal":"T1","store":"S\u00e9\ud83d\ude00\/","member":{"card":"2200001"},"basket":{"total":1}}`)
	r := &Request{}
	require.Nil(t, DecodeJSON(CallQuote, body, r))
	for i := range body {
		body[i] = 'x'
	}
	require.Equal(t, "T1", r.Terminal)
	require.Equal(t, "Sé😀/", r.Store)
	copy(r.Buffer, bytes.Repeat([]byte{'y'}, len(r.Buffer)))
	require.Equal(t, "yy", r.Terminal, "the text points into the buffer")
	require.Equal(t, strings.Repeat("y", len("Sé😀/")), r.Store)
}

// TestTheBodyIsKeptBehindWhatTheBufferHas: an edge may have put a header's
// text into the buffer before.
func TestTheBodyIsKeptBehindWhatTheBufferHas(t *testing.T) {
	r := &Request{Buffer: []byte("key")}
	require.Nil(t, DecodeJSON(CallMemberEvent, []byte(`{"event":"x"}`), r))
	require.Equal(t, "key", string(r.Buffer[:3]))
	require.Equal(t, "x", r.Event)
}
