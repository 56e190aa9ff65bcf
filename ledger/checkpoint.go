package ledger

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Checkpoint writes a copy of the store, with its key file, to a directory
// that does not exist yet, while the ledger serves. The copy is the state at
// one moment, as after a crash at it; [Open] opens it, [Restore] copies it to
// its place. Where the directory is on the same file system most of it are
// links and takes no time and room. It holds the keys of personal data: guard
// it like the store.
func (l *Ledger) Checkpoint(dir string) error {
	if err := l.Err(); err != nil {
		return err
	}
	fsys := l.o.FS
	if _, err := fsys.Stat(dir); err == nil {
		return fmt.Errorf("ledger: %s exists; a checkpoint is written to a new directory", dir)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := makeDir(fsys, dir); err != nil {
		return err
	}
	l.secret.mu.Lock() // the copy's profiles need the copy's keys
	defer l.secret.mu.Unlock()
	if err := l.db.Checkpoint(fsys.PathJoin(dir, storeName), pebble.WithFlushedWAL()); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	// The key file comes last: without it no store opens, so that half a copy
	// is never taken for a whole one.
	return l.secret.write(fsys, dir, l.secret.profiles.Load())
}

// Restore copies a checkpoint to a data directory that holds no store. fsys is
// the operating system's file system if nil.
func Restore(checkpoint, dir string, fsys vfs.FS) error {
	if fsys == nil {
		fsys = vfs.Default
	}
	if _, err := readSecret(fsys, checkpoint); err != nil {
		return fmt.Errorf("ledger: %s is not a checkpoint: %w", checkpoint, err)
	}
	for _, name := range []string{secretName, storeName} {
		if _, err := fsys.Stat(fsys.PathJoin(dir, name)); err == nil {
			return fmt.Errorf("ledger: %s holds a store already", dir)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	// As in a checkpoint, the key file comes last.
	if err := copyDir(fsys, fsys.PathJoin(checkpoint, storeName), fsys.PathJoin(dir, storeName)); err != nil {
		return err
	}
	path := fsys.PathJoin(dir, secretName)
	if err := copyFile(fsys, fsys.PathJoin(checkpoint, secretName), path); err != nil {
		return err
	}
	return errors.Join(restrict(fsys, path), syncDir(fsys, dir))
}
