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
	const room = 224 // the header, 200 and a sixteenth, and to the next unit
	fit := 4 * (recordSegment / room)
	for id := range AccountID(fit) {
		c.put(id, rec)
		c.put(id, rec[:100]) // smaller: in its place
		c.put(id, make([]byte, 212))
	}
	require.Equal(t, fit, c.records())
	require.False(t, c.full())
	c.put(AccountID(fit), rec)
	require.True(t, c.full())
	require.Equal(t, fit-recordSegment/room+1, c.records(), "the oldest segment has gone")
	require.False(t, c.has(0))
	require.True(t, c.has(AccountID(fit-1)))

	none := newRecordCache(0)
	none.put(1, rec)
	require.False(t, none.has(1))
}

// records is how many records are there.
func (c *recordCache) records() (n int) {
	for i := range c.places {
		n += c.places[i].used
	}
	return n
}

// TestPlacesAreFoundUntilTheyAreRemoved: whatever comes and goes, also where
// all begin at few slots.
func TestPlacesAreFoundUntilTheyAreRemoved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var table placeTable
		homes := rapid.Uint64Range(1, 40).Draw(t, "homes")
		hash := func(place uint32) uint64 {
			h := scatter(uint64(place))
			return h>>46<<46 | h%homes<<8
		}
		find := func(place uint32) int {
			return table.find(hash(place), func(p uint32) bool { return p == place })
		}
		there := map[uint32]bool{}
		for range rapid.IntRange(1, 400).Draw(t, "steps") {
			place := rapid.Uint32Range(0, 60).Draw(t, "place")
			if slot := find(place); slot >= 0 {
				require.True(t, there[place])
				require.Equal(t, place, table.slots[slot].place)
				table.remove(slot)
				delete(there, place)
			} else {
				require.False(t, there[place])
				table.add(hash(place), place, hash)
				there[place] = true
			}
			require.Equal(t, len(there), table.used)
		}
		for place := range there {
			require.GreaterOrEqual(t, find(place), 0, "place %d", place)
		}
	})
}
