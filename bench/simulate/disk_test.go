package simulate

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// disk is a disk of memory: a sync of the log takes virtual time, and it may
// break or be full.
type disk struct {
	mem   *vfs.MemFS
	slow  atomic.Int64 // added to each sync, ns
	fault atomic.Pointer[syscall.Errno]
	syncs atomic.Uint64
}

func newDisk(mem *vfs.MemFS) *disk { return &disk{mem: mem} }

// fs is the disk as the ledger sees it.
func (d *disk) fs() vfs.FS { return errorfs.Wrap(d.mem, d) }

func (d *disk) String() string { return "disk" }

// MaybeError is asked before every operation of the file system.
func (d *disk) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
		return nil
	}
	if f := d.fault.Load(); f != nil && (*f == syscall.ENOSPC || strings.HasSuffix(op.Path, ".log")) {
		return *f
	}
	switch op.Kind {
	case errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
		if strings.HasSuffix(op.Path, ".log") {
			// No two alike, so that nothing falls together by the numbers.
			n := d.syncs.Add(1)
			time.Sleep(time.Duration(300_000+n*7919%500_000) + time.Duration(d.slow.Load()))
		}
	}
	return nil
}

// crash is what a disk holds after the power is gone: all that was synced, and
// of each file with something that was not perhaps a part of that. Pebble's own
// CrashClone draws in the order of a map, which no seed can repeat.
func (d *disk) crash(r *rand.Rand, percent int) (*vfs.MemFS, error) {
	kept := d.mem.CrashClone(vfs.CrashCloneCfg{})
	if percent == 0 {
		return kept, nil
	}
	all := d.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
	if percent == 100 {
		return all, nil
	}
	return kept, keepSome(all, kept, "", r, percent)
}

func keepSome(all, kept *vfs.MemFS, dir string, r *rand.Rand, percent int) error {
	names, err := all.List(dir)
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		path := all.PathJoin(dir, name)
		info, err := all.Stat(path)
		if err != nil {
			return err
		}
		if info.IsDir() {
			if err := errors.Join(kept.MkdirAll(path, 0o755), keepSome(all, kept, path, r, percent)); err != nil {
				return err
			}
			continue
		}
		if r.IntN(100) >= percent {
			continue
		}
		if err := keepPart(all, kept, path, r); err != nil {
			return err
		}
	}
	return nil
}

// keepPart tears a file at a place that r draws: in front of it is what was
// written, behind it what was synced.
func keepPart(all, kept *vfs.MemFS, path string, r *rand.Rand) error {
	whole, err := contents(all, path)
	if err != nil {
		return err
	}
	synced, err := contents(kept, path)
	if err != nil && !errors.Is(err, syscall.ENOENT) && !isMissing(err) {
		return err
	}
	if slices.Equal(whole, synced) {
		return nil
	}
	at := r.IntN(len(whole) + 1)
	torn := slices.Clone(whole[:at])
	if at < len(synced) {
		torn = append(torn, synced[at:]...)
	}
	f, err := kept.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(torn)
	dir, open := kept.OpenDir(kept.PathDir(path))
	if open != nil {
		return open
	}
	return errors.Join(err, f.Sync(), f.Close(), dir.Sync(), dir.Close())
}

func isMissing(err error) bool { return strings.Contains(err.Error(), "not exist") }

func contents(fs *vfs.MemFS, path string) ([]byte, error) {
	f, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return nil, errors.Join(err, f.Close())
	}
	text := make([]byte, info.Size())
	_, err = f.ReadAt(text, 0)
	return text, errors.Join(err, f.Close())
}
