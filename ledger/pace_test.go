package ledger

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
)

// writing is how long it takes to write a file of so many blocks, each of which
// takes a millisecond to make.
func writing(t *testing.T, p *pacer, name string, category vfs.DiskWriteCategory, blocks int) (took time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		f, err := paced{vfs.NewMem(), p}.Create(name, category)
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
	const blocks, table, merge = 100, "000001.sst", vfs.DiskWriteCategory("pebble-compaction")
	hurried, rested := blocks*time.Millisecond, (1+restFor)*blocks*time.Millisecond
	require.Equal(t, hurried, writing(t, &p, table, merge, blocks), "before the ledger is open")
	p.on.Store(true)
	require.Equal(t, rested, writing(t, &p, table, merge, blocks))
	require.Equal(t, hurried, writing(t, &p, "000002.log", "pebble-wal", blocks), "somebody waits for a log")
	require.Equal(t, hurried, writing(t, &p, table, vfs.WriteCategoryUnspecified, blocks), "or for a checkpoint")

	listener.WALCreated(pebble.WALCreateInfo{})
	listener.FlushBegin(pebble.FlushInfo{Input: 1})
	require.Equal(t, rested, writing(t, &p, table, merge, blocks), "a memtable in the time of another")
	listener.WALCreated(pebble.WALCreateInfo{})
	require.Equal(t, hurried, writing(t, &p, table, merge, blocks), "another memtable is full already")
	listener.FlushEnd(pebble.FlushInfo{})
	listener.FlushBegin(pebble.FlushInfo{Input: 2})
	require.Equal(t, hurried, writing(t, &p, table, merge, blocks), "two at a time")
	listener.FlushEnd(pebble.FlushInfo{})
	require.Equal(t, rested, writing(t, &p, table, merge, blocks))

	var m pebble.Metrics
	m.Levels[0].Sublevels = l0Behind
	p.observe(&m)
	require.Equal(t, hurried, writing(t, &p, table, merge, blocks), "merging has fallen behind")
	m.Levels[0].Sublevels--
	p.observe(&m)
	require.Equal(t, rested, writing(t, &p, table, merge, blocks))
}

// tables notes how the tables of a store are made.
type tables struct {
	vfs.FS
	mu   sync.Mutex
	made map[vfs.DiskWriteCategory]int
}

func (f *tables) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.HasSuffix(name, ".sst") {
		f.mu.Lock()
		f.made[category]++
		f.mu.Unlock()
	}
	return f.FS.Create(name, category)
}

// TestAnOpenLedgerPacesItsTables: the tables of a flush have a category, by
// which they are told from a checkpoint's, and a ledger that is closed waits
// for no rest.
func TestAnOpenLedgerPacesItsTables(t *testing.T) {
	fs := &tables{FS: vfs.NewMem(), made: map[vfs.DiskWriteCategory]int{}}
	l := open(t, Options{FS: fs, Partitions: 4})
	require.True(t, l.pacer.rests())
	enrol(t, l, 7, LotPart{Active: 1, Points: 100})
	require.NoError(t, l.db.Flush())
	require.NoError(t, l.Close())
	require.False(t, l.pacer.rests())
	require.NotEmpty(t, fs.made)
	require.NotContains(t, fs.made, vfs.WriteCategoryUnspecified)
}
