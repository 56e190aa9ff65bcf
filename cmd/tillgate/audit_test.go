package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// What an office has changed over the wire can be read by a person
// afterwards: who, what it was, what it became.
func TestTheAuditIsReadable(t *testing.T) {
	s := ownTestServer(t)
	for _, body := range []string{
		`{"stores":[{"id":"S01","timezone":"Asia/Almaty"}]}`,
		`{"stores":[{"id":"S01","timezone":"Asia/Oral"}]}`,
	} {
		status, answer := call(t, s, "PUT", "/v1/stores", body)
		require.Equal(t, 200, status, "%v", answer)
	}
	status, answer := call(t, s, "PUT", "/v1/cashiers", `{"cashiers":[{"id":"C7","name":"Dana Karimova"}]}`)
	require.Equal(t, 200, status, "%v", answer)
	status, answer = call(t, s, "PUT", "/v1/blocks", `{"cashier":"C7","reason":"too many returns"}`)
	require.Equal(t, 200, status, "%v", answer)
	copied := filepath.Join(t.TempDir(), "copy")
	require.NoError(t, s.ledger.Checkpoint(copied))

	code, out, stderr := run("audit", "--ledger-copy", copied)
	require.Equal(t, 0, code, stderr)
	require.Regexp(t, `(?m)^1\t\S+Z\t\(the server\)\tstores\t""\tS01\t\(none\) → \{.*Asia/Almaty.*\}$`, out)
	require.Regexp(t, `(?m)^2\t.*\tS01\t\{.*Asia/Almaty.*\} → \{.*Asia/Oral.*\}$`, out)
	require.Regexp(t, `(?m)^3\t.*\tcashiers\t""\tC7\t\(none\) → #[0-9a-f]{32}$`, out)
	require.Regexp(t, `(?m)^4\t.*\tblocks\t.*C7\t\(none\) → \{.*too many returns.*\}$`, out)
	require.NotContains(t, out, "Dana")
	code, out, stderr = run("audit", "--ledger-copy", copied, "--after", "3")
	require.Equal(t, 0, code, stderr)
	require.NotContains(t, out, "stores")
}
