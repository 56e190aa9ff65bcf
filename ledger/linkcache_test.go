package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"strconv"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
)

func TestAReaderNeverPutsBackALinkThatWasReplaced(t *testing.T) {
	c := newLinkCache(640)
	k := Key{1}
	_, ok, before := c.get(k)
	require.False(t, ok)
	// The reader has read the old link; now a writer replaces it.
	c.forget([]Key{k})
	_, _, between := c.get(k)
	c.forget([]Key{k})
	c.put(k, &Link{Account: 1}, before)
	_, ok, _ = c.get(k)
	require.False(t, ok, "it was read before the change")
	c.put(k, &Link{Account: 1}, between)
	_, ok, now := c.get(k)
	require.False(t, ok, "it was read while the change was being applied")
	c.put(k, &Link{Account: 2}, now)
	link, ok, _ := c.get(k)
	require.True(t, ok)
	require.Equal(t, AccountID(2), link.Account)
}

// TestACachedLinkIsTheLink: whatever a link says comes back, and what does not
// fit an entry is not kept at all.
func TestACachedLinkIsTheLink(t *testing.T) {
	c := newLinkCache(1 << 20)
	links := []Link{
		{}, {Account: 1}, {Account: math.MaxUint64, Kind: 255, State: 255, Type: "gold", Last4: "0042", Expires: math.MinInt64},
		{Type: "silver", Last4: "9999", Expires: math.MaxInt64}, {Type: "gold", Last4: "A1B2"}, {Last4: "7"}, {Last4: "0000"}, {Last4: "/:0;"},
	}
	for i, want := range links {
		c.put(Key{1, byte(i)}, &want, 0)
	}
	for i, want := range links {
		got, ok, _ := c.get(Key{1, byte(i)})
		require.True(t, ok, i)
		require.Equal(t, want, got)
	}
	for i, odd := range []Link{{Last4: "12345"}, {Last4: "1\x00"}} {
		c.put(Key{2, byte(i)}, &odd, 0)
		_, ok, _ := c.get(Key{2, byte(i)})
		require.False(t, ok, "%+v", odd)
	}
	for i := range 300 {
		link := Link{Account: 1, Type: strconv.Itoa(i)}
		c.put(Key{3, byte(i), byte(i >> 8)}, &link, 0)
		got, ok, _ := c.get(Key{3, byte(i), byte(i >> 8)})
		require.Equal(t, i < 253, ok, "there are numbers for 255 types, and two have them")
		if ok {
			require.Equal(t, link, got)
		}
	}
	require.Zero(t, testing.AllocsPerRun(100, func() { c.get(Key{1, 2}) }))
}

// TestTheLinkCacheGrows: as long as there is room it forgets hardly anything.
func TestTheLinkCacheGrows(t *testing.T) {
	c := newLinkCache(1 << 20)
	const links = 100_000
	key := func(i int) Key {
		sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
		return Key(sum[:16])
	}
	for i := range links {
		c.put(key(i), &Link{Account: AccountID(i + 1)}, 0)
	}
	kept, slots := 0, 0
	for i := range links {
		if link, ok, _ := c.get(key(i)); ok {
			require.Equal(t, AccountID(i+1), link.Account)
			kept++
		}
	}
	for i := range c.stripes {
		slots += linkSlots * len(c.stripes[i].sets)
	}
	require.Greater(t, kept, links*95/100)
	require.Less(t, slots, 3*links)
}

func TestTheLinkCacheKeepsItsBound(t *testing.T) {
	const bound = 4 * linkStripes * linkSlots
	c := newLinkCache(bound)
	key := func(i int) Key {
		sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
		return Key(sum[:16])
	}
	for i := range 20 * bound {
		c.put(key(i), &Link{Account: AccountID(i + 1)}, 0)
		link, ok, _ := c.get(key(i))
		require.True(t, ok, "what has just come is there")
		require.Equal(t, AccountID(i+1), link.Account)
	}
	kept := 0
	for i := range 20 * bound {
		if link, ok, _ := c.get(key(i)); ok {
			require.Equal(t, AccountID(i+1), link.Account)
			kept++
		}
	}
	used := 0
	for i := range c.stripes {
		require.Len(t, c.stripes[i].sets, 4)
		used += c.stripes[i].used
	}
	require.Equal(t, kept, used)
	require.Equal(t, bound, kept, "after so many every slot is used")
	off := newLinkCache(0)
	off.put(Key{1}, &Link{Account: 1}, 0)
	_, ok, _ := off.get(Key{1})
	require.False(t, ok)
}

// An identifier that moves to another account leads there at once, and one
// that is freed to nobody.
func TestACachedLinkFollowsItsChanges(t *testing.T) {
	l := open(t, Options{FS: vfs.NewMem(), Partitions: 1})
	key := Key{7}
	put := func(id AccountID) {
		t.Helper()
		must(t, l, 0, func(tx *Tx) error { return tx.PutLink(key, Link{Account: id}) })
	}
	for id := AccountID(1); id < 50; id++ {
		put(id)
		for range 2 {
			link, err := l.Link(key)
			require.NoError(t, err)
			require.Equal(t, id, link.Account)
		}
	}
	must(t, l, 0, func(tx *Tx) error { return tx.DeleteLink(key) })
	link, err := l.Link(key)
	require.NoError(t, err)
	require.Nil(t, link)
}
