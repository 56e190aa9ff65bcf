package program

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func version(t *testing.T, number uint32, published string, effective string) Version {
	doc := fmt.Sprintf("program: v%d\ncurrency: KZT\n", number)
	if effective != "" {
		doc += "effective_from: " + effective + "\n"
	}
	p, problems := Compile([]byte(doc))
	require.Empty(t, problems)
	return Version{Number: number, Published: instant(t, published), Program: p}
}

func instant(t *testing.T, s string) int64 {
	at, err := time.Parse(time.RFC3339, s)
	require.NoError(t, err)
	return at.UnixNano()
}

// TestVersionInForce: the highest version whose date is not after the moment;
// without a date its publication counts; before the first it is the first.
func TestVersionInForce(t *testing.T) {
	var v Versions
	_, ok := v.At(0)
	require.False(t, ok)
	v = v.With(version(t, 1, "2026-01-10T00:00:00Z", ""))
	v = v.With(version(t, 2, "2026-02-01T00:00:00Z", "2026-03-01T00:00:00+05:00"))
	v = v.With(version(t, 3, "2026-02-10T00:00:00Z", ""))
	v = v.With(version(t, 4, "2026-04-01T00:00:00Z", "2026-01-20T00:00:00Z")) // a past date is allowed
	require.Equal(t, 4, v.Len())
	for at, want := range map[string]uint32{
		"2026-01-01T00:00:00Z":      1, // before the first
		"2026-01-10T00:00:00Z":      1,
		"2026-01-19T23:59:59Z":      1,
		"2026-01-20T00:00:00Z":      4,
		"2026-02-28T19:00:00Z":      4,
		"2026-05-01T00:00:00+05:00": 4,
	} {
		got, ok := v.At(instant(t, at))
		require.True(t, ok)
		require.Equal(t, want, got.Number, at)
	}
	three := Versions{v.All()[:3]}
	for at, want := range map[string]uint32{
		"2026-02-09T23:59:59Z": 1,
		"2026-02-10T00:00:00Z": 3, // published later than 2, which waits for March
		"2026-03-01T00:00:00Z": 3,
	} {
		got, _ := three.At(instant(t, at))
		require.Equal(t, want, got.Number, at)
	}
	got, ok := v.Number(2)
	require.True(t, ok)
	require.Equal(t, "v2", got.Program.Name())
	again := v.With(version(t, 2, "2026-02-02T00:00:00Z", ""))
	require.Equal(t, 4, again.Len(), "a version of the same number is replaced")
}
