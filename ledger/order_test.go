package ledger

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"
)

// gate is a disk whose syncs of the log can be held up.
type gate struct {
	mu     sync.Mutex
	shut   chan struct{} // not nil: syncs wait for it
	held   atomic.Int64
	synced atomic.Int64
}

func (g *gate) MaybeError(op errorfs.Op) error {
	switch op.Kind {
	case errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
	default:
		return nil
	}
	if !strings.HasSuffix(op.Path, ".log") {
		return nil
	}
	g.mu.Lock()
	shut := g.shut
	g.mu.Unlock()
	if shut != nil {
		g.held.Add(1)
		<-shut
		g.held.Add(-1)
	}
	g.synced.Add(1)
	return nil
}

func (g *gate) String() string { return "gate" }

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = make(chan struct{})
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut != nil {
		close(g.shut)
	}
	g.shut = nil
}

// eventually waits for a condition that another goroutine makes true.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	require.Eventually(t, cond, 10*time.Second, 100*time.Microsecond, what)
}

func gated(t *testing.T) (*Ledger, *gate) {
	g := &gate{}
	return open(t, quiet(errorfs.Wrap(vfs.NewMem(), g), newHandClock())), g
}

// later submits a task and answers a channel that gets its Done.
func later(t testing.TB, l *Ledger, partition int, decide func(*Tx) error) (done chan error, decided chan struct{}) {
	t.Helper()
	done, decided = make(chan error, 1), make(chan struct{})
	require.NoError(t, l.Submit(partition, &task{func(tx *Tx) error {
		defer close(decided)
		return decide(tx)
	}, done}))
	return done, decided
}

func nothing(t testing.TB, done chan error, why string) {
	t.Helper()
	select {
	case <-done:
		require.Fail(t, why)
	case <-time.After(20 * time.Millisecond):
	}
}

func TestNoAnswerComesBeforeTheSyncOfWhatItHasRead(t *testing.T) {
	l, g := gated(t)
	defer func() { g.open(); require.NoError(t, l.Close()) }()
	id := AccountID(77)
	p := id.Partition(4)
	other := (p + 1) % 4 // another shard's
	key := Key{9}
	must(t, l, p, enrolWith(id, 1000))

	g.close()
	wrote, decided := later(t, l, p, func(tx *Tx) error {
		_, err := tx.Append(&Operation{Kind: KindEvent, Account: id, Dups: []DupRef{{Key: key}}})
		return err
	})
	<-decided
	eventually(t, "the write's sync is held up", func() bool { return g.held.Load() > 0 })

	// A balance, a repeat and a look-up from another shard read what is not
	// synced yet: all of them wait.
	balance, decided := later(t, l, p, func(tx *Tx) error {
		a, err := tx.Account(id)
		require.NotZero(t, a.Last)
		return err
	})
	<-decided
	repeat, decided := later(t, l, p, func(tx *Tx) error {
		entries, err := tx.Dups(key)
		require.Len(t, entries, 1)
		return err
	})
	<-decided
	elsewhere, decided := later(t, l, other, func(tx *Tx) error {
		entries, err := tx.Dups(key)
		require.Len(t, entries, 1, "the other shard sees it")
		return err
	})
	<-decided
	outside := make(chan error, 1)
	go func() { outside <- l.WaitSynced() }()

	synced := l.Synced(p)
	for _, done := range []chan error{wrote, balance, repeat, elsewhere, outside} {
		nothing(t, done, "somebody was told before the sync")
	}
	require.Equal(t, synced, l.Synced(p), "followers don't see it either")
	before := g.synced.Load()
	g.open()
	for _, done := range []chan error{wrote, balance, repeat, elsewhere, outside} {
		require.NoError(t, <-done)
		require.Greater(t, g.synced.Load(), before)
	}
	require.Equal(t, synced+1, l.Synced(p))
}

// A batch of half a memtable and more goes another way through Pebble, which
// empties it: that must not be taken for a drain that has written nothing.
func TestAVeryLargeDrainWaitsForItsSyncToo(t *testing.T) {
	g := &gate{}
	o := quiet(errorfs.Wrap(vfs.NewMem(), g), newHandClock())
	o.MemTableBytes = 64 << 10
	l := open(t, o)
	defer func() { require.NoError(t, l.Close()) }()
	g.close()
	data := make([]byte, 200<<10)
	done, _ := later(t, l, 0, func(tx *Tx) error {
		_, err := tx.Append(&Operation{Kind: KindEvent, Data: data})
		return err
	})
	nothing(t, done, "it was told before the sync")
	require.Zero(t, l.Synced(0))
	g.open()
	require.NoError(t, <-done)
	require.Equal(t, uint64(1), l.Synced(0))
	eventually(t, "nothing waits any more", func() bool { return l.unsynced.Load() == 0 })
}

func TestAReaderOfWhatIsSyncedWaitsForNothing(t *testing.T) {
	l, g := gated(t)
	defer func() { g.open(); require.NoError(t, l.Close()) }()
	id := AccountID(77)
	must(t, l, id.Partition(4), enrolWith(id, 1000))
	eventually(t, "all is synced", func() bool { return l.unsynced.Load() == 0 })
	g.close()
	defer g.open()
	must(t, l, id.Partition(4), func(tx *Tx) error {
		_, err := tx.Account(id)
		return err
	})
	require.NoError(t, l.WaitSynced())
}

func TestTheNextBatchIsDecidedWhileTheLastOneSyncs(t *testing.T) {
	l, g := gated(t)
	defer func() { g.open(); require.NoError(t, l.Close()) }()
	id := AccountID(77)
	p := id.Partition(4)
	must(t, l, p, enrolWith(id, 1000))
	g.close()
	var waiting []chan error
	for range l.o.InFlight {
		done, decided := later(t, l, p, func(tx *Tx) error {
			_, err := tx.Append(&Operation{Kind: KindEvent, Account: id})
			return err
		})
		<-decided // though nothing before it is synced
		waiting = append(waiting, done)
	}
	g.open()
	for _, done := range waiting {
		require.NoError(t, <-done)
	}
}

func TestAFullQueueIsRefusedAtOnce(t *testing.T) {
	g := &gate{}
	o := quiet(errorfs.Wrap(vfs.NewMem(), g), newHandClock())
	o.Queue, o.Drain, o.InFlight, o.Shards = 4, 1, 1, 1
	l := open(t, o)
	defer func() { require.NoError(t, l.Close()) }()
	g.close()
	id := AccountID(77)
	p := id.Partition(4)
	done := make(chan error, 100)
	accepted := 0
	for {
		err := l.Submit(p, &task{func(tx *Tx) error {
			_, err := tx.Append(&Operation{Kind: KindEvent})
			return err
		}, done})
		if err != nil {
			require.ErrorIs(t, err, ErrOverloaded)
			break
		}
		accepted++
		require.Less(t, accepted, 50, "the queue has no bound")
	}
	require.Equal(t, uint64(1), l.Stats().Shed)
	g.open()
	for range accepted {
		require.NoError(t, <-done)
	}
}

func TestANearlyFullDiskRefusesEverythingAndRecovers(t *testing.T) {
	var free atomic.Int64
	fs := &roomy{vfs.NewMem(), &free}
	o := quiet(fs, newHandClock())
	o.MinFreeDisk = 1000
	free.Store(500)
	l := open(t, o)
	defer func() { require.NoError(t, l.Close()) }()
	require.ErrorIs(t, l.Submit(0, &task{}), ErrOverloaded)
	require.True(t, l.Stats().DiskLow)
	free.Store(5000)
	l.watchDisk()
	must(t, l, 0, func(*Tx) error { return nil })
}

type roomy struct {
	vfs.FS
	free *atomic.Int64
}

func (r *roomy) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: uint64(r.free.Load())}, nil
}

func TestAClosedLedgerTakesNothingAndFinishesWhatItHas(t *testing.T) {
	l, g := gated(t)
	g.close()
	done, decided := later(t, l, 0, func(tx *Tx) error {
		_, err := tx.Append(&Operation{Kind: KindEvent})
		return err
	})
	<-decided
	closed := make(chan error, 1)
	go func() { closed <- l.Close() }()
	eventually(t, "it is closing", l.closed.Load)
	require.ErrorIs(t, l.Submit(0, &task{}), ErrClosed)
	nothing(t, closed, "it closed before the sync")
	g.open()
	require.NoError(t, <-done)
	require.NoError(t, <-closed)
	require.ErrorIs(t, l.PutMeta("a", nil), ErrClosed)
	require.ErrorIs(t, l.Close(), ErrClosed)
}
