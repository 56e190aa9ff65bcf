package iso8583

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files and the generated parts of docs/iso8583.md")

// TestGoldenMessages keeps the bytes of a message of every kind and its dump,
// as people see it. The bytes must never change: they are on the wire.
func TestGoldenMessages(t *testing.T) {
	for _, s := range append(samples, answerSample) {
		t.Run(s.name, func(t *testing.T) {
			name := filepath.Join("testdata", strings.ReplaceAll(s.name, " ", "_")+".txt")
			frame := s.encoded(t, NewCodec(Profile{}))
			got := dump(t, Profile{}, frame) + "\n" + hexLines(frame)
			if *update {
				require.NoError(t, os.WriteFile(name, []byte(got), 0o644))
			}
			want, err := os.ReadFile(name)
			require.NoError(t, err)
			require.Equal(t, string(want), got)
		})
	}
}

// answerSample is what the server answers to the sample authorization.
var answerSample = sample{"0110 answer", func(t testing.TB, m *Message) {
	x, fault := read(t, Profile{}, sampleNamed(t, "0100 authorize").build)
	require.Equal(t, Fault{}, fault)
	approve(x)
	c := NewCodec(m.codec.profile)
	require.Equal(t, Fault{}, c.Decode(c.AppendAnswer(nil, NewMessage(c), &x.Request, &x.Response, nil), m))
}}

func dump(t testing.TB, p Profile, frame []byte) string {
	var out bytes.Buffer
	require.NoError(t, p.Describe(&out, frame))
	return out.String()
}

// hexLines is a message's bytes, 32 a line.
func hexLines(b []byte) string {
	var out strings.Builder
	for ; len(b) > 32; b = b[32:] {
		fmt.Fprintln(&out, hex.EncodeToString(b[:32]))
	}
	fmt.Fprintln(&out, hex.EncodeToString(b))
	return out.String()
}

// TestDumpIsTheSameInEveryDialect: packing changes bytes, not content.
func TestDumpIsTheSameInEveryDialect(t *testing.T) {
	for _, s := range samples {
		want := dump(t, Profile{}, s.encoded(t, NewCodec(Profile{})))
		for name, p := range profiles {
			require.Equal(t, want, dump(t, p, s.encoded(t, NewCodec(p))), "%s in %s", s.name, name)
		}
	}
}

// TestDumpHidesSecrets: no card, no identifier, no code, no MAC.
func TestDumpHidesSecrets(t *testing.T) {
	c := NewCodec(Profile{})
	for _, kind := range []string{"PHON", "CARD", "CODE", "MEMB", "MAIL"} {
		m := NewMessage(c)
		set(t, m, "0100", common(map[int]string{
			2: "4276000011112222", 3: "000000", 14: "2712", 53: "1234567890123456", 64: "SECRETAB", 128: "SECRETCD",
		}))
		loyalty(t, m, TagIdentifierKind, kind, TagIdentifier, "identifies-somebody", TagCashier, "C7")
		text := dump(t, Profile{}, c.AppendMessage(nil, m))
		require.Contains(t, text, "************2222")
		require.Contains(t, text, "01 kind of identifier "+kind)
		require.Contains(t, text, "C7")
		for _, secret := range []string{"4276", "00001111", "identifies", "somebody", "2712", "1234567890", "SECRET", "5345435245"} {
			require.NotContains(t, text, secret)
		}
	}
	m := NewMessage(c)
	set(t, m, "0100", map[int]string{2: "42761234"})
	require.NotContains(t, dump(t, Profile{}, c.AppendMessage(nil, m)), "1234", "four digits of eight tell too much")
}

// TestDumpOfBadFrames: an error says where, and nothing of what stood there.
func TestDumpOfBadFrames(t *testing.T) {
	c := NewCodec(Profile{})
	frame := sampleNamed(t, "0100 authorize").encoded(t, c)
	var out bytes.Buffer
	require.EqualError(t, Profile{}.Describe(&out, frame[:40]), "the message can't be read from field 11 on")
	broken := bytes.Replace(frame, []byte("049001"), []byte("0x9001"), 1)
	require.EqualError(t, Profile{}.Describe(&out, broken), "the message can't be read from field 32 on")
	require.Empty(t, out.String())

	m := NewMessage(c)
	set(t, m, "0100", map[int]string{48: "01004PHON02012+7701123", 60: "\x1b[2J", 54: "short"})
	require.NoError(t, Profile{}.Describe(&out, c.AppendMessage(nil, m)))
	require.Contains(t, out.String(), "malformed from here, 13 bytes")
	require.NotContains(t, out.String(), "7701123")
	require.NotContains(t, out.String(), "\x1b", "a console obeys escapes")
}
