package processor

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/protocol"
)

// TestOldRecordsKeepTheirAnswers: a repeat is answered as the first time, by
// the version of the encoder that the record names.
func TestOldRecordsKeepTheirAnswers(t *testing.T) {
	back := ledger.Operation{
		ID: ledger.NewOpID(1, 2), Parent: ledger.NewOpID(1, 1), Kind: ledger.KindReturn, Account: 7, Time: 100, Points: 4000, Earned: 400,
		After: ledger.Balance{Available: 1000}, Lots: []ledger.LotPart{{Expires: 100, Points: 500}, {Expires: 101, Points: 250}},
	}
	back.Legs[ledger.LegExpired] = 3000
	undo := back
	undo.ID, undo.Kind, undo.Undoes, undo.Target = ledger.NewOpID(1, 3), ledger.KindReverse, ledger.KindReturn, back.ID
	undo.Legs[ledger.LegExpired] = -3000
	slips := map[uint8][][]string{
		1: {
			{"Points given back: 40.00", "Points taken back: 4.00", "Points available: 10.00"},
			{"Points given back: 40.00", "Points taken back: 4.00", "Points available: 10.00"},
		},
		2: {
			{"Points given back: 10.00", "Points that had expired: 30.00", "Points taken back: 4.00", "Points available: 5.00"},
			{"Points spent again: 10.00", "Points earned again: 4.00", "Points available: 5.00"},
		},
	}
	sale, own := back.Parent.String(), back.ID.String()
	ids := map[uint8][][]string{1: {{own, sale}, {sale, ""}}, 2: {{own, sale}, {own, sale}}}
	merge := ledger.Operation{ID: ledger.NewOpID(1, 3), Kind: ledger.KindMerge, Account: 7, Into: 8, Status: "merged"}
	into := merge.Into.String()
	for version, want := range slips {
		for i, op := range []ledger.Operation{back, undo} {
			var r protocol.Response
			op.Render = version
			render(&op, &r)
			require.Equal(t, want[i], r.Slip, "version %d", version)
			wantIDs := ids[version][i]
			require.Equal(t, wantIDs, []string{r.ID, r.Parent}, "version %d", version)
		}
		var r protocol.Response
		merge.Render = version
		render(&merge, &r)
		want := map[uint8][]string{1: {into, ""}, 2: {"", into}}[version]
		require.Equal(t, want, []string{r.Parent, r.Into})
	}
}
