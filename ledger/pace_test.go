package ledger

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
)

// writing is how long it takes to write a file of so many blocks, each of which
// takes a millisecond to make.
func writing(t *testing.T, p *pacer, name string, blocks int) (took time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		f, err := paced{vfs.NewMem(), p}.Create(name, vfs.WriteCategoryUnspecified)
		require.NoError(t, err)
		begun := time.Now()
		for range blocks {
			time.Sleep(time.Millisecond)
			n, err := f.Write([]byte("block"))
			require.NoError(t, err)
			require.Equal(t, 5, n)
		}
		took = time.Since(begun)
		stat, err := f.Stat()
		require.NoError(t, err)
		require.EqualValues(t, 5*blocks, stat.Size())
		require.NoError(t, f.Close())
	})
	return took
}

func TestTablesAreWrittenWithRests(t *testing.T) {
	var p pacer
	listener := &pebble.EventListener{}
	p.listen(listener)
	const blocks = 100
	hurried, rested := blocks*time.Millisecond, (1+restFor)*blocks*time.Millisecond
	require.Equal(t, hurried, writing(t, &p, "000001.sst", blocks), "before the ledger is open")
	p.on.Store(true)
	require.Equal(t, rested, writing(t, &p, "000001.sst", blocks))
	require.Equal(t, hurried, writing(t, &p, "000001.log", blocks), "somebody waits for a log")

	listener.WALCreated(pebble.WALCreateInfo{})
	listener.FlushBegin(pebble.FlushInfo{Input: 1})
	require.Equal(t, rested, writing(t, &p, "000001.sst", blocks), "a memtable in the time of another")
	listener.WALCreated(pebble.WALCreateInfo{})
	require.Equal(t, hurried, writing(t, &p, "000001.sst", blocks), "another memtable is full already")
	listener.FlushEnd(pebble.FlushInfo{})
	listener.FlushBegin(pebble.FlushInfo{Input: 2})
	require.Equal(t, hurried, writing(t, &p, "000001.sst", blocks), "two at a time")
	listener.FlushEnd(pebble.FlushInfo{})
	require.Equal(t, rested, writing(t, &p, "000001.sst", blocks))

	var m pebble.Metrics
	m.Levels[0].Sublevels = l0Behind
	p.observe(&m)
	require.Equal(t, hurried, writing(t, &p, "000001.sst", blocks), "merging has fallen behind")
	m.Levels[0].Sublevels--
	p.observe(&m)
	require.Equal(t, rested, writing(t, &p, "000001.sst", blocks))
}

// A store whose writers may rest flushes all the same, and closing it doesn't
// wait for rests.
func TestAnOpenLedgerPacesItsTables(t *testing.T) {
	l := open(t, Options{FS: vfs.NewMem()})
	require.True(t, l.pacer.rests())
	require.NoError(t, l.db.Flush())
	require.Positive(t, l.db.Metrics().Flush.Count)
	require.NoError(t, l.Close())
	require.False(t, l.pacer.rests())
}
