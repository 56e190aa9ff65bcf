package ledger

import (
	"os"

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
