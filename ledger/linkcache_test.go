package ledger

import (
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

func TestTheLinkCacheKeepsItsBound(t *testing.T) {
	c := newLinkCache(640)
	kept := 0
	for i := range 5000 {
		k := Key{byte(i), byte(i >> 8), 15: byte(i)}
		c.put(k, &Link{Account: AccountID(i + 1)}, 0)
	}
	for i := range c.stripes {
		require.LessOrEqual(t, len(c.stripes[i].links), 10)
		kept += len(c.stripes[i].links)
	}
	require.Equal(t, 640, kept)
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
