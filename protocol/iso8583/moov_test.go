package iso8583

import (
	"bytes"
	"errors"
	"strconv"
	"testing"

	moov "github.com/moov-io/iso8583"
	mooverrors "github.com/moov-io/iso8583/errors"
	"github.com/stretchr/testify/require"
)

// stricter are the reasons for which we refuse what moov takes. The list is
// the one of docs/iso8583.md; everything else must be refused by both.
var stricter = map[Reason]string{
	FrameTooLong: "moov has no limit",
	BadMTI:       "moov takes any four ASCII characters",
	Chained:      "moov reads bitmaps as long as there are any",
	NotDigits:    "moov's String fields take any ASCII",
	NotAlnum:     "moov's String fields take any ASCII",
	NotText:      "moov's binary encoding takes any byte",
	BadSign:      "moov knows no x+n",
	BadPadding:   "moov drops the unused half byte",
	BadLength:    "moov reads a signed length (+5) and drops the unused half byte",
	Trailing:     "moov stops after the last field",
}

// compare holds one frame's reading and writing to moov's.
func compare(t *testing.T, c *Codec, spec *moov.MessageSpec, frame []byte) {
	t.Helper()
	ours, theirs := NewMessage(c), moov.NewMessage(spec)
	fault := c.Decode(frame, ours)
	err := theirs.Unpack(frame)
	if !fault.OK() {
		if err == nil {
			require.Contains(t, stricter, fault.Reason, "we alone refuse %x: %v", frame, fault)
		}
		compareRefusal(t, fault, err)
		return
	}
	require.NoError(t, err, "we alone take %x", frame)
	mti, err := theirs.GetMTI()
	require.NoError(t, err)
	require.Equal(t, mti, ours.MTI())
	fields := theirs.GetFields()
	require.Equal(t, fieldOrder(fields), ours.Fields())
	for _, n := range ours.Fields() {
		value, err := theirs.GetBytes(n)
		require.NoError(t, err)
		require.True(t, bytes.Equal(value, ours.Get(n)), "field %d: moov %q, we %q", n, value, ours.Get(n))
	}
	packed, err := theirs.Pack()
	require.NoError(t, err)
	require.Equal(t, packed, c.AppendMessage(nil, ours), "packed again")
	again := NewMessage(c)
	require.Equal(t, Fault{}, c.Decode(packed, again))
	require.Equal(t, ours.Fields(), again.Fields())
	for _, n := range ours.Fields() {
		require.True(t, bytes.Equal(ours.Get(n), again.Get(n)), "field %d after a round trip", n)
	}
}

// compareRefusal holds the field that both refuse to be the same, where the
// reason is one that moov knows too.
func compareRefusal(t *testing.T, fault Fault, err error) {
	t.Helper()
	var unpack *mooverrors.UnpackError
	if _, ours := stricter[fault.Reason]; ours || !errors.As(err, &unpack) {
		return
	}
	require.Equal(t, unpack.FieldID, strconv.Itoa(fault.Field), "%v, moov: %v", fault, err)
}

func TestSamplesAgainstMoov(t *testing.T) {
	for name, profile := range profiles {
		c, spec := NewCodec(profile), profile.MessageSpec()
		for _, s := range samples {
			t.Run(name+"/"+s.name, func(t *testing.T) {
				m := NewMessage(c)
				s.build(t, m)
				frame := c.AppendMessage(nil, m)
				compare(t, c, spec, frame)
				require.Equal(t, moovPacks(t, spec, m), frame, "built by moov")
			})
		}
	}
}

// moovPacks builds the same message with moov alone.
func moovPacks(t testing.TB, spec *moov.MessageSpec, m *Message) []byte {
	theirs := moov.NewMessage(spec)
	theirs.MTI(m.MTI())
	for _, n := range m.Fields() {
		require.NoError(t, theirs.BinaryField(n, m.Get(n)))
	}
	packed, err := theirs.Pack()
	require.NoError(t, err)
	return packed
}

// FuzzAgainstMoov is the differential test: whatever the bytes, we and moov
// read them alike or we refuse them for a reason of the closed list.
func FuzzAgainstMoov(f *testing.F) {
	dialects := []Profile{{}, profiles["bcd"], profiles["hex"], profiles["long-basket"], profiles["all"]}
	codecs := make([]*Codec, len(dialects))
	specs := make([]*moov.MessageSpec, len(dialects))
	for i, p := range dialects {
		codecs[i], specs[i] = NewCodec(p), p.MessageSpec()
		for _, s := range samples {
			f.Add(uint8(i), s.encoded(f, codecs[i]))
		}
	}
	f.Fuzz(func(t *testing.T, dialect uint8, frame []byte) {
		i := int(dialect) % len(dialects)
		if len(frame) > MaxFrame+16 {
			return // moov's time is not ours to bound
		}
		compare(t, codecs[i], specs[i], frame)
	})
}

// FuzzFieldsAgainstMoov goes the other way: values instead of bytes. What Set
// takes, moov packs to the same bytes and reads back.
func FuzzFieldsAgainstMoov(f *testing.F) {
	for i := range table {
		f.Add(uint8(i), uint8(3), []byte("12"), []byte("C0000000000000012"))
	}
	names := []string{"default", "bcd", "hex", "long-basket", "all"}
	f.Fuzz(func(t *testing.T, first, second uint8, a, b []byte) {
		for _, name := range names {
			p := profiles[name]
			c := NewCodec(p)
			m := NewMessage(c)
			require.NoError(t, m.SetMTI("0100"))
			errA := m.Set(table[int(first)%slots].Number, string(a))
			errB := m.Set(table[int(second)%slots].Number, string(b))
			if errA != nil && errB != nil {
				return
			}
			frame := c.AppendMessage(nil, m)
			require.Equal(t, moovPacks(t, p.MessageSpec(), m), frame)
			if len(frame) <= MaxFrame {
				require.Equal(t, Fault{}, c.Decode(frame, NewMessage(c)))
				compare(t, c, p.MessageSpec(), frame)
			}
		}
	})
}
