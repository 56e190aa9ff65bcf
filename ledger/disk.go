package ledger

import (
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// diskEvery is how often the free room is looked at, and what waits to be
// merged: at a gigabyte a second a disk would lose less than the default reserve
// in between.
const diskEvery = time.Second

// watch looks after the disk. Everything is shed while it is nearly full: a till
// that is told to come back can wait, a store that can't write its log can't be
// repaired from afar.
func (l *Ledger) watch() {
	defer l.helpers.Done()
	tick := time.NewTicker(diskEvery)
	defer tick.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-l.dead:
			return
		case <-tick.C:
			l.watchDisk()
			l.pacer.observe(l.db.Metrics())
		}
	}
}

func (l *Ledger) watchDisk() {
	if l.o.MinFreeDisk < 0 {
		return
	}
	usage, err := l.o.FS.GetDiskUsage(l.dir)
	if err != nil {
		if !errors.Is(err, vfs.ErrUnsupported) {
			l.o.Logger.Warn("the free room on disk is not known", "error", err)
		}
		return
	}
	low := usage.AvailBytes < uint64(l.o.MinFreeDisk)
	if l.low.Swap(low) != low {
		if low {
			l.o.Logger.Error("the disk is nearly full: everything is refused", "free", usage.AvailBytes, "needed", l.o.MinFreeDisk)
		} else {
			l.o.Logger.Info("the disk has room again", "free", usage.AvailBytes)
		}
	}
}
