package program

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCurrencies(t *testing.T) {
	seen := map[string]string{}
	for code, number := range currencies {
		require.Regexp(t, `^[A-Z]{3}$`, code)
		require.Regexp(t, `^\d{3}$`, number, code)
		require.Empty(t, seen[number], "%s and %s share a number", code, seen[number])
		seen[number] = code
	}
	p, problems := Compile([]byte("program: x\ncurrency: KZT\n"))
	require.Empty(t, problems)
	require.Equal(t, "398", p.CurrencyNumber())
}

func TestUnknownCurrencyIsRefused(t *testing.T) {
	for _, code := range []string{"KZX", "kzt", "XAU", "ZZZ", "398", "KZTT"} {
		_, problems := Compile([]byte("program: x\ncurrency: " + code + "\n"))
		require.Len(t, problems, 1, code)
		require.Equal(t, "currency", problems[0].Path)
		require.Contains(t, problems[0].Message, "ISO 4217", problems[0].Message)
	}
}
