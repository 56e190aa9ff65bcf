package ledger

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMarksAreRaised: of two marks the later one counts, of one date the
// larger; a mark that was not there is put.
func TestMarksAreRaised(t *testing.T) {
	mark := func(value, at int64) Count { return Count{Key: 7, Value: value, At: at} }
	for _, c := range []struct{ had, comes, want Count }{
		{Count{}, mark(2026, 0), mark(2026, 0)},
		{mark(2025, 0), mark(2026, 0), mark(2026, 0)},
		{mark(2026, 0), mark(2025, 0), mark(2026, 0)},
		{mark(9, 100), mark(1, 200), mark(1, 200)},
		{mark(1, 200), mark(9, 100), mark(1, 200)},
	} {
		var counts []Count
		if c.had.Value > 0 {
			counts = append(counts, c.had)
		}
		require.Equal(t, []Count{c.want}, addCount(counts, CountChange{Count: c.comes, Raise: true}))
	}
	raise := CountChange{Count: mark(1, 2), Raise: true}
	require.Error(t, checkCounts(&Operation{Kind: KindAccrue, Account: 1, Counts: []CountChange{raise}}))
	op := Operation{Kind: KindPostIn, Account: 1, Counts: []CountChange{raise}}
	require.NoError(t, checkCounts(&op))
	var again Operation
	require.NoError(t, DecodeOperation(AppendOperation(nil, &op), &again))
	require.Equal(t, op.Counts, again.Counts)
}
