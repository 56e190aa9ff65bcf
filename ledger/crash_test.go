package ledger

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"
)

// everyWrite makes the crash tests try all writes; `make test` tries some.
//
//	TILLGATE_CRASH_ALL=1 go test ./ledger -run Crash -timeout 60m
var everyWrite = os.Getenv("TILLGATE_CRASH_ALL") != ""

// strides: how many writes lie between two crashes of a short run. They have
// no common divisor with what a drain writes, so that all kinds are met.
func stride(short int) int64 {
	if everyWrite {
		return 1
	}
	return int64(short)
}

// told is what somebody outside has been told: it must be there for ever.
type told struct {
	mu  sync.Mutex
	ops map[OpID]bool
}

func (a *told) copy() map[OpID]bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := map[OpID]bool{}
	for id := range a.ops {
		c[id] = true
	}
	return c
}

// toldTask tells what an action has recorded, when it is synced.
type toldTask struct {
	s    *shop
	x    *action
	all  *told
	ops  []OpID
	left *sync.WaitGroup
}

func (k *toldTask) Decide(tx *Tx) error {
	from := tx.p.seq
	err := k.x.run(k.s, tx)
	for seq := from + 1; seq <= tx.p.seq && err == nil; seq++ {
		k.ops = append(k.ops, NewOpID(tx.p.id, seq))
	}
	return err
}

func (k *toldTask) Done(err error) {
	if err == nil {
		k.all.mu.Lock()
		for _, id := range k.ops {
			k.all.ops[id] = true
		}
		k.all.mu.Unlock()
	}
	k.left.Done()
}

// busyOptions make a short trace touch every kind of file: small memtables
// are flushed and compacted.
func busyOptions(fs vfs.FS, clock *handClock) Options {
	o := quiet(fs, clock)
	o.MemTableBytes, o.Drain, o.SweepEvery = 32<<10, 8, 20*time.Millisecond
	return o
}

// live plays a trace of every kind of record and returns when it is over or
// the ledger has failed.
func live(l *Ledger, clock *handClock, all *told, phases, steps int) {
	s := newShop(12, len(l.parts))
	for phase := range phases {
		var left sync.WaitGroup
		for _, x := range s.trace(uint64(phase), steps, crashing...) {
			left.Add(1)
			k := &toldTask{s: s, x: x, all: all, left: &left}
			for {
				err := l.Submit(x.partition(s), k)
				if err == nil {
					break
				}
				if errors.Is(err, ErrClosed) {
					return
				}
				time.Sleep(time.Millisecond)
			}
		}
		done := make(chan struct{})
		go func() { // after a failure Pebble may hold its callers for ever
			_ = l.PutMeta("position", []byte{byte(phase)})
			_ = l.PutProgram(Program{Merchant: "coffee-house", Version: uint32(phase), Doc: []byte("program: x")})
			left.Wait()
			close(done)
		}()
		select {
		case <-done:
		case <-l.dead:
			return
		}
		clock.move(5 * time.Hour)
	}
}

// modifies reports whether an operation of the file system writes.
func modifies(op errorfs.Op) bool {
	return op.Kind.ReadOrWrite() == errorfs.OpIsWrite
}

// cloneable is a crashable file system that can be cloned at any moment:
// MemFS's own ReuseForWrite takes its lock twice, which a clone that is asked
// for in between turns into a deadlock.
type cloneable struct{ vfs.FS }

func (c cloneable) ReuseForWrite(from, to string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := c.Rename(from, to); err != nil {
		return nil, err
	}
	return c.OpenReadWrite(to, category)
}

// crash is a store as it would be found after a crash, and what had been told
// before it.
type crash struct {
	at      int64
	percent int
	op      string
	fs      *vfs.MemFS
	told    map[OpID]bool
}

// requireWhole opens a store after a crash: it is sound, its journal is a
// prefix of what was (where that is known), and what was told is in it.
func requireWhole(t *testing.T, c crash, clock *handClock, was map[string]string) {
	t.Helper()
	name := fmt.Sprintf("crash at write %d (%s), %d %% of what was not synced", c.at, c.op, c.percent)
	o := quiet(c.fs, clock)
	if was != nil {
		requirePrefix(t, o, was, name)
	}
	l, err := Open("data", o)
	require.NoError(t, err, name)
	l.OnArrival(comes)
	l.OnWake(dated)
	_, found := verified(t, l)
	require.Empty(t, found, name)
	for id := range c.told {
		require.LessOrEqual(t, id.Sequence(), l.Synced(id.Partition()), "%s: %s was told and is gone", name, id)
	}
	require.Eventually(t, func() bool {
		require.NoError(t, l.WaitSynced())
		proof, found := verified(t, l)
		require.Empty(t, found, name)
		return proof.Transit == 0
	}, 10*time.Second, time.Millisecond, name)
	require.NoError(t, l.Close())
}

// requirePrefix reads the store before anything runs on it: every record is
// what it was, and [Verify] has found no gap.
func requirePrefix(t *testing.T, o Options, was map[string]string, name string) {
	t.Helper()
	if desc, err := pebble.Peek("data/ledger", o.FS); err != nil || !desc.Exists {
		return
	}
	l, err := openStore("data", o, true)
	require.NoError(t, err, name)
	for key, rec := range dump(t, l, "j") {
		require.True(t, was[key] == rec, "%s: record %x is another", name, key)
	}
	require.NoError(t, l.db.Close())
}

func TestACrashAtAnyWriteLosesNothingThatWasTold(t *testing.T) {
	clock := newHandClock()
	fs := vfs.NewCrashableMem()
	all := &told{ops: map[OpID]bool{}}
	var writes atomic.Int64
	var mu sync.Mutex
	var crashes []crash
	kinds := map[errorfs.OpKind]int{} // what was about to happen
	every := stride(5)
	before := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if !modifies(op) {
			return nil
		}
		n := writes.Add(1)
		if n%every != 0 {
			return nil
		}
		known := all.copy() // first: what is told now is synced already
		for _, percent := range []int{0, 10, 50, 100} {
			c := crash{at: n, percent: percent, op: op.Path, told: known}
			c.fs = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(uint64(n), 1))})
			mu.Lock()
			crashes = append(crashes, c)
			kinds[op.Kind]++
			mu.Unlock()
		}
		return nil
	})
	l := open(t, busyOptions(errorfs.Wrap(cloneable{fs}, before), clock))
	live(l, clock, all, 3, 150)
	require.NoError(t, l.Close())
	l, err := openStore("data", quiet(fs, clock), true)
	require.NoError(t, err)
	was := dump(t, l, "j")
	require.NoError(t, l.db.Close())
	require.Greater(t, writes.Load(), int64(150))
	t.Logf("%d writes, %d crashes", writes.Load(), len(crashes))
	require.Positive(t, kinds[errorfs.OpFileWrite], "no crash fell before a write")
	require.Positive(t, kinds[errorfs.OpFileSync]+kinds[errorfs.OpFileSyncData]+kinds[errorfs.OpFileSyncTo], "none before a sync")
	for _, c := range crashes {
		if c.at > 40 || storeBegun(c.fs) {
			requireWhole(t, c, clock, was)
		}
	}
}

// storeBegun reports whether anything is there that could be opened.
func storeBegun(fs vfs.FS) bool {
	_, err := fs.Stat("data")
	return err == nil
}

// A disk that fails. Pebble itself ends the process where it can't begin a new
// log file or sync its directory, by an error that nothing can catch; that is
// a crash, and TestACrash… has it. So there are two kinds of bad disk here.
var badDisks = []struct {
	name     string
	memtable int64
	steps    int
	fails    func(op errorfs.Op) bool
	times    int64 // how many operations fail from the k-th on
	short    int
}{
	// Files can't be written from one moment on; the trace is so short that no
	// log is begun but at the start.
	{"the disk is gone", 8 << 20, 40, func(op errorfs.Op) bool { return path.Ext(op.Path) != "" }, 1 << 40, 2},
	// Tables can't be written for a while: that is tried again. The manifest
	// can't: that is the end.
	{"tables fail three times", 32 << 10, 120, func(op errorfs.Op) bool {
		return strings.HasSuffix(op.Path, ".sst") || strings.Contains(op.Path, "MANIFEST")
	}, 3, 3},
}

func TestNothingIsToldAfterAWriteHasFailed(t *testing.T) {
	for _, bad := range badDisks {
		t.Run(bad.name, func(t *testing.T) {
			fatals, k := 0, int64(1)
			for more := true; more; k += stride(bad.short) {
				causes := []error{[]error{syscall.EIO, syscall.ENOSPC}[k/stride(bad.short)%2]}
				if everyWrite {
					causes = []error{syscall.EIO, syscall.ENOSPC}
				}
				for _, cause := range causes {
					var fatal bool
					more, fatal = failAt(t, k, bad.memtable, bad.steps, bad.times, bad.fails, cause)
					if fatal {
						fatals++
					}
				}
			}
			t.Logf("writes up to %d failed, %d times it was the end", k, fatals)
			if bad.times > k {
				require.Positive(t, fatals)
			}
		})
	}
}

// failAt runs a trace on a disk whose k-th matching write fails by a cause, and
// the next ones too. more is false when there were fewer writes than k.
func failAt(t *testing.T, k, memtable int64, steps int, times int64, fails func(errorfs.Op) bool, cause error) (more, ended bool) {
	clock := newHandClock()
	fs := vfs.NewCrashableMem()
	all := &told{ops: map[OpID]bool{}}
	var n, fatal atomic.Int64
	var broken atomic.Value
	injector := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if !modifies(op) || !fails(op) {
			return nil
		}
		if at := n.Add(1); at < k || at >= k+times {
			return nil
		}
		broken.CompareAndSwap(nil, op.Path)
		return cause
	})
	o := busyOptions(errorfs.Wrap(cloneable{fs}, injector), clock)
	o.MemTableBytes = memtable
	o.Fatal = func(error) { fatal.Add(1) }
	l, err := Open("data", o)
	if err == nil {
		l.OnArrival(comes)
		l.OnWake(dated)
		live(l, clock, all, 2, steps)
		if closed := l.Close(); l.failed.Load() {
			ended = true
			require.ErrorIs(t, closed, ErrClosed)
			require.ErrorIs(t, l.Submit(0, &task{}), ErrClosed)
			eventually(t, "the end is told", func() bool { return fatal.Load() > 0 })
			require.Equal(t, int64(1), fatal.Load(), "write %d", k)
		} // else only the closing may have failed: all that was told is synced
	}
	known := all.copy()
	if broken.Load() == nil {
		return false, ended
	}
	clone := fs.CrashClone(vfs.CrashCloneCfg{})
	requireWhole(t, crash{at: k, op: broken.Load().(string), fs: clone, told: known}, clock, nil)
	return true, ended
}

// A drop is one batch for each partition, and one for the duplicates: whichever
// write a crash meets, the books are whole, nothing that is kept is gone, and
// the next look drops the rest.
func TestACrashAtAnyWriteOfADropLosesNothing(t *testing.T) {
	clock := newHandClock()
	fs := vfs.NewCrashableMem()
	var armed atomic.Bool
	var writes atomic.Int64
	var mu sync.Mutex
	var crashes []crash
	before := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if !modifies(op) || !armed.Load() {
			return nil
		}
		n := writes.Add(1)
		for _, percent := range []int{0, 50, 100} {
			c := crash{at: n, percent: percent, op: op.Path}
			c.fs = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(uint64(n), 1))})
			mu.Lock()
			crashes = append(crashes, c)
			mu.Unlock()
		}
		return nil
	})
	o := busyOptions(errorfs.Wrap(cloneable{fs}, before), clock)
	o.Retention, o.SweepEvery = brief(fs, clock).Retention, time.Hour
	l := open(t, o)
	s := newShop(12, 4)
	s.keep = int64(48 * time.Hour)
	for phase := range 10 {
		s.play(t, l, s.traceOf(uint64(phase), 60, append(leaving(), between...)))
		clock.move(14 * time.Hour)
		settle(t, l)
	}
	was := dump(t, l, "jasd")
	known := map[OpID]bool{}
	for p := range l.parts {
		known[NewOpID(p, l.Synced(p))] = true
	}
	l.keeping.step = 30 // several ranges of each partition
	armed.Store(true)
	d, err := l.DropOld()
	require.NoError(t, err)
	require.Greater(t, d.Ranges, uint64(12))
	require.NoError(t, l.db.Flush()) // the ranges reach tables
	armed.Store(false)
	want := dump(t, l, "jasdf")
	require.NoError(t, l.Close())
	require.Greater(t, writes.Load(), int64(len(l.parts)), "one for each partition and one for the duplicates, at least")
	t.Logf("%d writes, %d crashes", writes.Load(), len(crashes))
	for i, c := range crashes {
		if int64(i)%stride(3) != 0 {
			continue
		}
		c.told = known
		requireWhole(t, c, clock, was)
		again, err := Open("data", brief(c.fs, clock))
		require.NoError(t, err)
		_, err = again.DropOld()
		require.NoError(t, err)
		requireSound(t, again)
		requireSame(t, want, dump(t, again, "jasdf"))
		require.NoError(t, again.Close())
	}
}
