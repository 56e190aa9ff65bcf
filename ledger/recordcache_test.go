package ledger

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestTheRecordCacheTellsTheNewestOrNothing: whatever comes, grows and has to
// go, what is there is what was put last.
func TestTheRecordCacheTellsTheNewestOrNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newRecordCache(rapid.Int64Range(1, 4).Draw(t, "segments") * recordSegment)
		newest := map[AccountID][]byte{}
		ids := rapid.Int64Range(1, 300).Draw(t, "ids")
		sizes := rapid.SampledFrom([]int{40, 300, 2_000, maxCached + 10}).Draw(t, "sizes")
		most := 3000
		if sizes > maxCached {
			most = 60
		}
		for n := range rapid.IntRange(1, most).Draw(t, "puts") {
			id := AccountID(rapid.Int64Range(0, ids).Draw(t, "id"))
			rec := bytes.Repeat([]byte{byte(n), byte(n >> 8), byte(id)}, rapid.IntRange(0, sizes/3).Draw(t, "size"))
			c.put(id, rec)
			newest[id] = rec
			got, ok := c.get(id)
			require.True(t, ok || len(rec) > maxCached, "what has just come is there")
			require.True(t, !ok || bytes.Equal(rec, got))
		}
		for id := range AccountID(ids + 1) {
			got, ok := c.get(id)
			require.Equal(t, ok, c.has(id))
			require.True(t, !ok || bytes.Equal(newest[id], got), "account %d", id)
		}
		require.LessOrEqual(t, len(c.segments), c.limit)
	})
}

// TestTheRecordCacheKeepsWhatFits: all of it while there is room, the newest
// afterwards.
func TestTheRecordCacheKeepsWhatFits(t *testing.T) {
	c := newRecordCache(4 * recordSegment)
	rec := make([]byte, 200)
	const room = recordHeader + 240 // 200, an eighth, and to the next unit
	fit := 4 * (recordSegment / room)
	for id := range AccountID(fit) {
		c.put(id, rec)
		c.put(id, rec[:100]) // smaller: in its place
		c.put(id, make([]byte, 203))
	}
	require.Len(t, c.places, fit)
	require.False(t, c.full())
	c.put(AccountID(fit), rec)
	require.True(t, c.full())
	require.Len(t, c.places, fit-recordSegment/room+1, "the oldest segment has gone")
	require.False(t, c.has(0))
	require.True(t, c.has(AccountID(fit-1)))

	none := newRecordCache(0)
	none.put(1, rec)
	require.False(t, none.has(1))
}
