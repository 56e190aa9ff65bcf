package ledger

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// restrict makes a file readable by its owner only. Pebble's file systems
// create with 0644; those in memory have no modes.
func restrict(fs vfs.FS, path string) error {
	if vfs.Root(fs) != vfs.Default {
		return nil
	}
	return os.Chmod(path, 0o600)
}

// makeDir makes a directory with its parents and syncs what holds their names:
// a store in a directory whose name was never synced is lost with it.
func makeDir(fsys vfs.FS, dir string) error {
	parents := []string{fsys.PathDir(dir)}
	for {
		at := parents[len(parents)-1]
		up := fsys.PathDir(at)
		if up == at {
			break
		}
		_, err := fsys.Stat(at)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		parents = append(parents, up)
	}
	if err := fsys.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, parent := range parents {
		if err := syncDir(fsys, parent); err != nil {
			return err
		}
	}
	return nil
}

func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func copyDir(fsys vfs.FS, from, to string) error {
	names, err := fsys.List(from)
	if err != nil {
		return err
	}
	if err := makeDir(fsys, to); err != nil {
		return err
	}
	for _, name := range names {
		if err := copyFile(fsys, fsys.PathJoin(from, name), fsys.PathJoin(to, name)); err != nil {
			return err
		}
	}
	return syncDir(fsys, to)
}

func copyFile(fsys vfs.FS, from, to string) (err error) {
	src, err := fsys.Open(from, vfs.SequentialReadsOption)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	dst, err := fsys.Create(to, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	if _, err = io.Copy(dst, src); err == nil {
		err = dst.Sync()
	}
	return errors.Join(err, dst.Close())
}

// orderly is the file system that Pebble gets. Pebble names its manifest by a
// marker file beside it and syncs the directory after both are there; what a
// crash leaves could be the marker without the manifest, and no store that
// opens. So the directory is synced before a marker is made, too.
type orderly struct{ vfs.FS }

func (o orderly) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.HasPrefix(o.PathBase(name), "marker.") {
		if err := syncDir(o.FS, o.PathDir(name)); err != nil {
			return nil, err
		}
	}
	return o.FS.Create(name, category)
}

func (o orderly) Unwrap() vfs.FS { return o.FS }
