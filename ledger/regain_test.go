package ledger

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestRegainGivesWhereItWasTaken: whatever a return has taken of the lots of a
// sale and, where they fell short, of others: points go there again, lot by lot,
// and what could not be taken goes to the sale's own.
func TestRegainGivesWhereItWasTaken(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lot := func(k int, points int64) LotPart {
			return LotPart{Active: int64(k % 2), Expires: int64(10 + k), Own: k%3 == 0, Points: points}
		}
		points := func(what string, most int64) int64 { return rapid.Int64Range(0, most).Draw(t, what) }
		var own, took []LotPart
		want, short := map[int]int64{}, int64(0)
		for k := range 3 {
			earned := points("earned", 50)
			there := min(points("there", 60), earned)
			own = append(own, lot(k, earned))
			want[k] = there
			short += earned - there
		}
		for k := 3; k < 6; k++ { // other lots give what is short, as long as they have it
			want[k] = min(points("other", 40), short)
			short -= want[k]
		}
		for k := range 6 {
			if want[k] > 0 {
				took = append(took, lot(k, want[k]))
			}
		}
		left := short // owed: it goes to the sale's own lots
		for k := range own {
			more := min(own[k].Points-want[k], left)
			want[k] += more
			left -= more
		}
		got := map[int]int64{}
		for _, part := range Regain(nil, own, took, false) {
			got[int(part.Expires)-10] += part.Points
			require.True(t, part.SameLot(lot(int(part.Expires)-10, 0)))
			require.Positive(t, part.Points)
		}
		for k := range 6 {
			require.Equal(t, want[k], got[k], "lot %d", k)
		}
		require.Zero(t, left)
	})
}

// A lot that purchases have extended since is the same lot, and gifts that were
// given again before are no longer among what was taken.
func TestRegainKnowsALotThatWasExtended(t *testing.T) {
	own := []LotPart{{Active: 1, Expires: 10, Points: 7}}
	took := []LotPart{{Active: 1, Expires: 20, Points: 9}, {Active: 2, Expires: 15, Points: 4}}
	Given(took, LotPart{Active: 2, Expires: 15, Points: 3}, true)
	require.Equal(t, []LotPart{{Active: 1, Expires: 20, Points: 7}}, Regain(nil, own, took, true))
	require.ElementsMatch(t, []LotPart{{Active: 1, Expires: 20, Points: 2}, {Active: 2, Expires: 15, Points: 1}}, took, "what is left")
}
