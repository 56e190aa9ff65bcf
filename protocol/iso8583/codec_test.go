package iso8583

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"

	moov "github.com/moov-io/iso8583"
	"github.com/stretchr/testify/require"

	"tillgate/protocol"
)

// TestRefusedFrames: what is wrong, in which field, and what of the message is
// still known for the answer.
func TestRefusedFrames(t *testing.T) {
	c := NewCodec(Profile{})
	authorize := sampleNamed(t, "0100 authorize").encoded(t, c)
	echo := sampleNamed(t, "0801 echo").encoded(t, c)
	at := func(frame []byte, text string) int {
		i := bytes.Index(frame, []byte(text))
		require.Positive(t, i, text)
		return i
	}
	with := func(frame []byte, i int, b ...byte) []byte {
		changed := bytes.Clone(frame)
		copy(changed[i:], b)
		return changed
	}
	for _, tc := range []struct {
		name       string
		frame      []byte
		want       Fault
		unreadable bool
		known      []int // fields that are there all the same
	}{
		{"nothing", nil, Fault{0, BadMTI}, true, nil},
		{"three bytes", []byte("010"), Fault{0, BadMTI}, true, nil},
		{"a letter in the MTI", with(echo, 1, 'x'), Fault{0, BadMTI}, true, nil},
		{"an HTTP request", []byte("GET / HTTP/1.1\r\n\r\n"), Fault{0, BadMTI}, true, nil},
		{"half a bitmap", echo[:9], Fault{1, BadBitmap}, true, nil},
		{"half a secondary bitmap", echo[:17], Fault{1, BadBitmap}, true, nil},
		{"a third bitmap", with(echo, 12, 0x80), Fault{65, Chained}, true, nil},
		{"bytes after the end", append(bytes.Clone(echo), 0), Fault{70, Trailing}, false, []int{7, 11, 41, 70}},
		{"a field we don't know", with(authorize, 4, authorize[4]|0x08), Fault{5, UnknownField}, false, []int{3, 4}},
		{"a letter in DE4", with(authorize, at(authorize, "000000130000"), 'x'), Fault{4, NotDigits}, false, []int{3, 7, 11, 41, 62}},
		{"letters in DE4 and DE49", with(with(authorize, at(authorize, "000000130000"), 'x'), at(authorize, "398"), 'y'), Fault{4, NotDigits}, false, []int{3, 7, 11, 41, 62}},
		{"a letter in a length", with(authorize, at(authorize, "049001"), 'x'), Fault{32, BadLength}, false, []int{3, 4, 7, 11, 12, 13}},
		{"a length over the table's", with(authorize, at(authorize, "049001"), '1', '2'), Fault{32, TooLong}, false, []int{11}},
		{"a length over the frame", authorize[:len(authorize)-1], Fault{62, Truncated}, false, []int{11, 41, 60}},
		{"cut off in DE41", echo[:len(echo)-9], Fault{41, Truncated}, false, []int{7, 11}},
		{"half a letter", with(authorize, at(authorize, "Бим"), 0xd0, 0xd0), Fault{62, NotText}, false, []int{11, 41, 60}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := NewMessage(c)
			fault := c.Decode(tc.frame, m)
			require.Equal(t, tc.want, fault)
			require.Equal(t, tc.unreadable, fault.Unreadable())
			require.Subset(t, m.Fields(), tc.known)
			require.False(t, tc.want.Field > 1 && tc.want.Reason != Trailing && m.Has(tc.want.Field))

			var x protocol.Exchange
			require.Equal(t, tc.want, c.Read(tc.frame, m, inbound, &x))
			answer := answerTo(t, &x, nil)
			require.Equal(t, "30", answer.Text(39))
			require.Equal(t, fieldNames[tc.want.Field], answer.Text(44))
			for _, n := range tc.known {
				if n == 11 || n == 41 {
					require.True(t, answer.Has(n), "the till can match it")
				}
			}
		})
	}
}

// TestAllDialectsRefuse what packed digits and hex bitmaps add.
func TestAllDialectsRefuse(t *testing.T) {
	c := NewCodec(Profile{BCD: true})
	echo := sampleNamed(t, "0801 echo").encoded(t, c)
	m := NewMessage(c)
	for name, tc := range map[string]struct {
		at   int
		to   byte
		want Fault
	}{
		"MTI of letters":      {0, 0xa8, Fault{0, BadMTI}},
		"half byte of 10":     {18, 0xa1, Fault{7, NotDigits}},
		"half byte before 70": {len(echo) - 2, 0x13, Fault{70, BadPadding}},
		"half byte of 15":     {len(echo) - 2, 0x0f, Fault{70, NotDigits}},
	} {
		changed := bytes.Clone(echo)
		changed[tc.at] = tc.to
		require.Equal(t, tc.want, c.Decode(changed, m), name)
	}
	long := NewMessage(c)
	set(t, long, "0100", map[int]string{48: "01004CARD"})
	frame := c.AppendMessage(nil, long)
	require.Equal(t, []byte{0, 9}, frame[10:12])
	frame[10] = 0x10
	require.Equal(t, Fault{48, BadLength}, c.Decode(frame, m), "a fourth digit in a three-digit length")
	frame[10] = 0x0a
	require.Equal(t, Fault{48, BadLength}, c.Decode(frame, m))

	c = NewCodec(Profile{HexBitmap: true})
	echo = sampleNamed(t, "0801 echo").encoded(t, c)
	require.Equal(t, Fault{}, c.Decode(append(bytes.ToLower(echo[:36]), echo[36:]...), m), "lower case is fine")
	echo[5] = 'G'
	require.Equal(t, Fault{1, BadBitmap}, c.Decode(echo, m))
}

// TestAdversarialFrames: frames made to cost much are refused after looking at
// a few bytes.
func TestAdversarialFrames(t *testing.T) {
	bitmaps := append([]byte("0100"), bytes.Repeat([]byte{0xff}, 60<<10)...)
	chained := append([]byte("0100"), bytes.Repeat([]byte{0x80, 0, 0, 0, 0, 0, 0, 0}, 1000)...)
	random := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, MaxFrame)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	longest := append([]byte("0100\x00\x00\x00\x00\x00\x00\x00\x04"), "8192"...)
	longest = append(longest, bytes.Repeat([]byte("1|"), MaxFrame/2-8)...)
	for name, profile := range profiles {
		c := NewCodec(profile)
		m := NewMessage(c)
		var x protocol.Exchange
		for what, frame := range map[string][]byte{
			"60 KiB of bitmaps": bitmaps, "8 KiB of chained bitmaps": chained[:MaxFrame-188], "noise": noise, "longest": longest,
		} {
			t.Run(name+"/"+what, func(t *testing.T) {
				c.Read(frame, m, inbound, &x)
				require.Zero(t, testing.AllocsPerRun(20, func() { c.Decode(frame, m) }))
				require.False(t, c.Read(frame, m, inbound, &x).OK())
				require.LessOrEqual(t, cap(m.own), 4<<10)
				require.LessOrEqual(t, cap(x.Request.Buffer), 2*MaxFrame)
			})
		}
	}
	require.Equal(t, Fault{0, FrameTooLong}, NewCodec(Profile{}).Decode(bitmaps, new(Message)))
	require.Equal(t, Fault{65, Chained}, NewCodec(Profile{}).Decode(bitmaps[:MaxFrame], new(Message)))
}

// TestOwnBytesAreBounded: all digits a message can hold unpack into a bounded
// buffer.
func TestOwnBytesAreBounded(t *testing.T) {
	c := NewCodec(Profile{BCD: true})
	m := NewMessage(c)
	require.NoError(t, m.SetMTI("0100"))
	for _, f := range table {
		switch {
		case f.Kind == Digits:
			require.NoError(t, m.Set(f.Number, strings.Repeat("7", f.Length)))
		case f.Kind == SignedNo:
			require.NoError(t, m.Set(f.Number, "D"+strings.Repeat("7", f.Length-1)))
		}
	}
	frame := c.AppendMessage(nil, m)
	got := NewMessage(c)
	require.Equal(t, Fault{}, c.Decode(frame, got))
	require.LessOrEqual(t, len(got.own), 512)
	require.Equal(t, m.Fields(), got.Fields())
}

func TestTable(t *testing.T) {
	last := 1
	for _, f := range table {
		require.Greater(t, f.Number, last, "ascending, 1 and 65 are bitmaps")
		require.NotEqual(t, 65, f.Number)
		require.NotEmpty(t, f.Name)
		require.Positive(t, f.Length)
		switch f.Form {
		case LLVar:
			require.LessOrEqual(t, f.Length, 99)
		case LLLVar:
			require.LessOrEqual(t, f.Length, 999)
		}
		last = f.Number
	}
	for _, p := range profiles {
		require.NoError(t, p.MessageSpec().Validate())
	}
}

func TestSetRefuses(t *testing.T) {
	m := NewMessage(NewCodec(Profile{}))
	for field, bad := range map[int]string{
		3: "00000x", 4: "1234567890123", 11: "-1", 41: "T\xff", 37: "А12", 48: strings.Repeat("x", 1000), 64: "1234567",
		97: "X0000000000000001", 62: strings.Repeat("x", 1000), 5: "1", 129: "1", 1: "1", 0: "0100",
	} {
		require.Error(t, m.Set(field, bad), "field %d", field)
		require.False(t, m.Has(field))
	}
	require.Error(t, m.SetMTI("01"))
	require.Error(t, m.SetMTI("01x0"))
	require.Error(t, m.SetInt(4, -1))
	require.Error(t, m.SetOriginal("0100", "16", ""))
	require.Error(t, new(Message).Set(4, "1"))
	require.NoError(t, NewMessage(NewCodec(Profile{LongBasket: true})).Set(62, strings.Repeat("x", 8192)))
}

func TestMessage(t *testing.T) {
	m := NewMessage(NewCodec(Profile{}))
	require.Empty(t, m.MTI())
	require.NoError(t, m.SetInt(4, 500))
	require.NoError(t, m.Set(41, "T1  "))
	require.Equal(t, "000000000500", m.Text(4))
	require.Equal(t, "T1", m.Text(41))
	require.Equal(t, []int{4, 41}, m.Fields())
	m.Unset(4)
	require.Nil(t, m.Get(4))
	require.Nil(t, m.Get(-1))
	require.Nil(t, m.Get(1000))
	require.Equal(t, []int{41}, m.Fields())
}

// FuzzRead: any frame gives a request or a refusal, and an answer to either
// that reads back.
func FuzzRead(f *testing.F) {
	dialects := []string{"default", "bcd", "hex", "long-basket", "all"}
	for i, name := range dialects {
		for _, s := range samples {
			f.Add(uint8(i), s.encoded(f, NewCodec(profiles[name])))
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, frame []byte) {
		c := NewCodec(profiles[dialects[int(which)%len(dialects)]])
		m := NewMessage(c)
		var x protocol.Exchange
		fault := c.Read(frame, m, inbound, &x)
		if fault.OK() {
			require.NotZero(t, x.Request.Hash)
			require.NotEqual(t, protocol.CallNone, x.Request.Call)
			if code, field, detail := protocol.Validate(&x.Request); !code.OK() {
				x.Response = protocol.Response{Code: code, Field: field, Detail: detail}
				if code == protocol.InvalidRequest {
					require.NotEmpty(t, fieldNumber(field), "JSON's %q has no field number", field)
				}
			}
		}
		answer := c.AppendAnswer(nil, m, &x.Request, &x.Response, nil)
		require.LessOrEqual(t, len(answer), MaxFrame)
		require.Equal(t, Fault{}, c.Decode(answer, m))
	})
}

// hotMessage is what the benchmark and the allocation tests run: an ordinary
// authorization with a basket.
func hotMessage(t testing.TB) (c *Codec, frame []byte) {
	c = NewCodec(Profile{})
	return c, sampleNamed(t, "0100 authorize").encoded(t, c)
}

func TestNothingIsAllocated(t *testing.T) {
	first, _, _, ring := testKeys(t)
	for name, profile := range profiles {
		t.Run(name, func(t *testing.T) {
			c := NewCodec(profile)
			m, out := NewMessage(c), NewMessage(c)
			sampleNamed(t, "0100 authorize").build(t, m)
			frame := c.AppendSigned(nil, m, first)
			dst := make([]byte, 0, MaxFrame)
			var x protocol.Exchange
			c.Read(frame, m, inbound, &x)
			approve(&x)
			response := x.Response
			c.AppendAnswer(dst, out, &x.Request, &x.Response, first)
			for what, run := range map[string]func(){
				"decode": func() { c.Decode(frame, m) },
				"append": func() { c.Decode(frame, m); c.AppendMessage(dst, m) },
				"read":   func() { c.Read(frame, m, inbound, &x); x.Response = response },
				"answer": func() { c.AppendAnswer(dst, out, &x.Request, &x.Response, nil) },
				"signed": func() { c.AppendAnswer(dst, out, &x.Request, &x.Response, first) },
				"verify": func() { c.Decode(frame, m); ring.Verify(frame, m) },
				"refuse": func() { c.Read(frame[:len(frame)/2], m, inbound, &x) },
			} {
				require.Zero(t, testing.AllocsPerRun(100, run), what)
			}
		})
	}
}

// BenchmarkCodec compares decode + encode of one message with moov's in the
// same run; "times" is how many times faster we are.
func BenchmarkCodec(b *testing.B) {
	c, frame := hotMessage(b)
	spec := Profile{}.MessageSpec()
	var ours, theirs float64
	b.Run("moov", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m := moov.NewMessage(spec)
			if err := m.Unpack(frame); err != nil {
				b.Fatal(err)
			}
			if _, err := m.Pack(); err != nil {
				b.Fatal(err)
			}
		}
		theirs = float64(b.Elapsed().Nanoseconds()) / float64(b.N)
	})
	b.Run("tillgate", func(b *testing.B) {
		b.ReportAllocs()
		m, dst := NewMessage(c), make([]byte, 0, MaxFrame)
		for b.Loop() {
			if fault := c.Decode(frame, m); !fault.OK() {
				b.Fatal(fault)
			}
			dst = c.AppendMessage(dst[:0], m)
		}
		ours = float64(b.Elapsed().Nanoseconds()) / float64(b.N)
		if theirs > 0 {
			b.ReportMetric(theirs/ours, "times")
		}
	})
}

// BenchmarkEdge is all that the edge does with a message beside the socket.
func BenchmarkEdge(b *testing.B) {
	c, frame := hotMessage(b)
	m, dst := NewMessage(c), make([]byte, 0, MaxFrame)
	var x protocol.Exchange
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c.Read(frame, m, inbound, &x)
		}
	})
	b.Run("answer", func(b *testing.B) {
		b.ReportAllocs()
		approve(&x)
		for b.Loop() {
			dst = c.AppendAnswer(dst[:0], m, &x.Request, &x.Response, nil)
		}
	})
	b.Run("sign", func(b *testing.B) {
		first, _, _, _ := testKeys(b)
		b.ReportAllocs()
		b.SetBytes(int64(len(frame)))
		for b.Loop() {
			binary.BigEndian.PutUint64(dst[:8], uint64(b.N))
			first.sum(frame)
		}
	})
}
