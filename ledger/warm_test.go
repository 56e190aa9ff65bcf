package ledger

import (
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
)

// TestAWarmUpReadsAllThatHasRoom: after it nobody is read from the store.
func TestAWarmUpReadsAllThatHasRoom(t *testing.T) {
	fs := vfs.NewMem()
	o := quiet(fs, newHandClock())
	l := open(t, o)
	r := rand.New(rand.NewPCG(6, 6))
	ids := make([]AccountID, 5000)
	links := make([]Key, 3*warmLinks)
	for i := range ids {
		ids[i] = inPartition(r, i%4)
	}
	enrolAll(t, l, ids)
	must(t, l, 0, func(tx *Tx) error {
		for i := range links {
			links[i] = drawKey(r)
			if err := tx.PutLink(links[i], Link{Account: ids[i%len(ids)]}); err != nil {
				return err
			}
		}
		return nil
	})
	require.NoError(t, l.Close())

	l = open(t, o)
	accounts, identifiers, err := l.warm()
	require.NoError(t, err)
	require.Equal(t, len(ids), accounts)
	require.Equal(t, len(links), identifiers)
	for _, id := range ids {
		must(t, l, id.Partition(4), func(tx *Tx) error {
			a, err := tx.Account(id)
			require.EqualValues(t, 1_000_000, a.Balance().Available)
			return err
		})
	}
	require.Zero(t, l.Stats().HotMisses)
	kept := 0
	for i, k := range links {
		if link, ok, _ := l.links.get(k); ok {
			require.Equal(t, ids[i%len(ids)], link.Account)
			kept++
		}
	}
	require.Greater(t, kept, len(links)*19/20, "a set that is full forgets one")
	require.NoError(t, l.Close())
	_, _, err = l.warm()
	require.ErrorIs(t, err, ErrClosed)

	o.RecordCacheBytes, o.LinkCache, o.Shards = recordSegment, linkStripes*linkSlots, 1
	l = open(t, o)
	defer func() { require.NoError(t, l.Close()) }()
	accounts, identifiers, err = l.warm()
	require.NoError(t, err)
	require.Less(t, accounts, len(ids), "there is room for some")
	require.Positive(t, accounts)
	require.Less(t, identifiers, len(links))
}

// TestAWarmUpBesideWritersBringsNothingOldBack: accounts and links change while
// they are read.
func TestAWarmUpBesideWritersBringsNothingOldBack(t *testing.T) {
	o := quiet(vfs.NewMem(), newHandClock())
	o.HotAccounts = 4
	l := open(t, o)
	defer func() { require.NoError(t, l.Close()) }()
	r := rand.New(rand.NewPCG(7, 7))
	ids := make([]AccountID, 400)
	keys := make([]Key, len(ids))
	for i := range ids {
		ids[i], keys[i] = inPartition(r, i%4), drawKey(r)
	}
	enrolAll(t, l, ids)
	var busy sync.WaitGroup
	for w := range 4 {
		busy.Go(func() {
			k := &task{done: make(chan error, 1)}
			for n := range 10 {
				for i := w; i < len(ids); i += 4 {
					k.decide = func(tx *Tx) error {
						_, err := grantOne(tx, ids[i])
						if err == nil {
							err = tx.PutLink(keys[i], Link{Account: ids[i], Expires: int64(n)})
						}
						return err
					}
					if l.Submit(i%4, k) != nil || <-k.done != nil {
						t.Error("a task failed")
						return
					}
				}
			}
		})
	}
	for range 20 {
		_, _, err := l.warm()
		require.NoError(t, err)
	}
	busy.Wait()
	for i, id := range ids {
		link, err := l.Link(keys[i])
		require.NoError(t, err)
		require.EqualValues(t, 9, link.Expires)
		must(t, l, i%4, func(tx *Tx) error {
			a, err := tx.Account(id)
			require.EqualValues(t, 1_000_010, a.Balance().Available)
			return err
		})
	}
}

// TestTheStartTellsWhenItIsWarm: not before all that has room is in memory.
func TestTheStartTellsWhenItIsWarm(t *testing.T) {
	o := quiet(vfs.NewMem(), newHandClock())
	l := open(t, o)
	require.True(t, l.Stats().Warm, "nothing is to be read")
	r := rand.New(rand.NewPCG(8, 8))
	ids := make([]AccountID, 3000)
	for i := range ids {
		ids[i] = inPartition(r, i%4)
	}
	enrolAll(t, l, ids)
	require.NoError(t, l.Close())
	o.WarmUp = true
	l = open(t, o)
	defer func() { require.NoError(t, l.Close()) }()
	eventually(t, "it is warm", func() bool { return l.Stats().Warm })
	for _, id := range ids {
		require.True(t, l.shards[id.Partition(4)%len(l.shards)].records.has(id))
	}
}
