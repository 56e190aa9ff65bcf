package stream

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
)

func headers(list ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(list); i += 2 {
			if list[i] == name {
				return list[i+1]
			}
		}
		return ""
	}
}

func TestEnvelope(t *testing.T) {
	in := Envelope{Store: "s", ID: ledger.NewOpID(63, 1<<50-1)}
	var list []string
	in.Headers(func(name, value string) { list = append(list, name, value) })
	require.Equal(t, []string{"format", "1", "store", "s", "partition", "63", "sequence", "1125899906842623"}, list)
	out, err := ParseEnvelope(headers(list...))
	require.NoError(t, err)
	require.Equal(t, in, out)
	require.Equal(t, "63/1125899906842623", string(RecordKey(in.ID)))

	for name, bad := range map[string][]string{
		"no headers":                  {},
		"a newer format":              {"format", "2", "partition", "1", "sequence", "1"},
		"no partition":                {"format", "1", "sequence", "1"},
		"a partition beyond all":      {"format", "1", "partition", "1024", "sequence", "1"},
		"a negative partition":        {"format", "1", "partition", "-1", "sequence", "1"},
		"sequence zero":               {"format", "1", "partition", "1", "sequence", "0"},
		"a sequence that can't exist": {"format", "1", "partition", "1", "sequence", "1125899906842624"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseEnvelope(headers(bad...))
			require.ErrorIs(t, err, ErrFormat)
		})
	}
}

// The bytes of version 1 of a profile's message.
const profileV1 = "\x01\x00\x00\x00\x00\x00\x00\x00\x4dsealed"

func TestProfileMessage(t *testing.T) {
	p := Profile{Account: 77, Sealed: []byte("sealed")}
	value := AppendProfile(nil, &p)
	require.Equal(t, profileV1, string(value))
	got, err := DecodeProfile(ProfileKey(77), value)
	require.NoError(t, err)
	require.Equal(t, p, got)

	got, err = DecodeProfile(ProfileKey(77), nil)
	require.NoError(t, err)
	require.Equal(t, Profile{Account: 77}, got, "no value erases")

	for name, bad := range map[string][2]string{
		"no account":      {"0000000000000", profileV1},
		"a short key":     {"77", profileV1},
		"another account": {string(ProfileKey(78)), profileV1},
		"another version": {string(ProfileKey(77)), "\x02" + profileV1[1:]},
		"nothing sealed":  {string(ProfileKey(77)), profileV1[:9]},
		"an empty value":  {string(ProfileKey(77)), ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := DecodeProfile([]byte(bad[0]), []byte(bad[1]))
			require.ErrorIs(t, err, ErrFormat)
		})
	}
}

func FuzzProfileMessage(f *testing.F) {
	f.Add(ProfileKey(77), []byte(profileV1))
	f.Add(ProfileKey(1), []byte{})
	f.Fuzz(func(t *testing.T, key, value []byte) {
		p, err := DecodeProfile(key, value)
		if err != nil {
			return
		}
		require.Equal(t, key, ProfileKey(p.Account))
		if p.Sealed != nil {
			require.Equal(t, value, AppendProfile(nil, &p))
		}
	})
}

func FuzzEnvelope(f *testing.F) {
	f.Add("1", "store", "63", "42")
	f.Fuzz(func(t *testing.T, format, store, partition, sequence string) {
		e, err := ParseEnvelope(headers("format", format, "store", store, "partition", partition, "sequence", sequence))
		if err != nil {
			return
		}
		var list []string
		e.Headers(func(_, value string) { list = append(list, value) })
		require.Equal(t, store, list[1])
		require.Equal(t, strings.TrimLeft(sequence, "0"), strings.TrimLeft(list[3], "0"))
	})
}

func TestKindsThatChangeAProfile(t *testing.T) {
	record := ledger.AppendOperation(nil, &ledger.Operation{ID: 1, Kind: ledger.KindAccrue, Time: 1, Account: 5})
	k, ok := kindOf(record)
	require.True(t, ok)
	require.Equal(t, ledger.KindAccrue, k)
	asked := profiles{}
	_, changed, err := ProfileOf(asked, &Record{ID: 1, Data: record})
	require.NoError(t, err)
	require.False(t, changed)

	record = ledger.AppendOperation(nil, &ledger.Operation{ID: 1, Kind: ledger.KindErase, Time: 1, Account: 5})
	p, changed, err := ProfileOf(asked, &Record{ID: 1, Data: record})
	require.NoError(t, err)
	require.True(t, changed)
	require.Equal(t, Profile{Account: 5, AsOf: 1}, p)

	record[1]++ // a version that this program does not know
	_, _, err = ProfileOf(asked, &Record{ID: 1, Data: record})
	var version *ledger.VersionError
	require.ErrorAs(t, err, &version)
}

// profiles has none.
type profiles struct{}

func (profiles) SealedProfile(ledger.AccountID) ([]byte, error) { return nil, nil }
