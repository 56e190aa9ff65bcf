package main

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/bench/books"
	"tillgate/ledger"
)

func TestMembersAndAccounts(t *testing.T) {
	for _, m := range []int{0, 1, 63, 9_999_999} {
		require.Equal(t, m, memberOf(accountOf(m)))
	}
}

// What Fill makes is a ledger whose books are in order and agree with a book
// that has no entry.
func TestFill(t *testing.T) {
	dir := t.TempDir()
	const members, points = 2000, 500
	var told int
	begun := time.Now()
	require.NoError(t, store{}.Fill(t.Context(), dir, members, points, func(m int) uint64 { return 7701_0000_0000_0000 + uint64(m) }, func(n int) { told = n }))
	t.Logf("%d members in %v", members, time.Since(begun))
	require.GreaterOrEqual(t, told, 0)
	proof, err := ledger.Verify(dir+"/ledger", ledger.Options{}, func(f ledger.Finding) { t.Error(f) })
	require.NoError(t, err)
	require.Zero(t, proof.Findings)
	err = store{}.Read(dir, func(l books.Ledger) error {
		p, err := books.New(members, points).Prove(l, 0)
		require.Equal(t, &books.Proof{Members: members}, p)
		return err
	})
	require.NoError(t, err)
	_, err = os.Stat(dir + "/ledger")
	require.NoError(t, err)
}
