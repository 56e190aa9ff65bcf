package ledger

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Pebble flushes a memtable and merges tables as fast as a processor can. For
// half a second of every few there is then one processor less for the tills,
// and a queue before the other. Nothing needs the flush that soon: a pacer
// makes the goroutine that writes a table rest after each block, so that the
// same work is spread over three times its length. While the store falls behind
// its writers there are no rests.
const (
	// restFor is how long a writer of tables rests, in lengths of what it has
	// worked since its last rest.
	restFor = 2
	// restAtLeast is what the rests have to add up to before one is taken: a
	// shorter one costs more than it gives.
	restAtLeast = time.Millisecond
	// workAtMost bounds what counts as work between two blocks: beyond it the
	// writer has waited, for the disk or for a processor.
	workAtMost = 2 * time.Millisecond
	// l0Behind is how many sublevels of level 0 say that merging has fallen
	// behind: twice as many as make a merge begin.
	l0Behind = 2 * l0Compaction
)

// pacer says whether writers of tables may rest. It may be used at once; until
// it is told to begin nobody rests.
type pacer struct {
	on       atomic.Bool // the ledger is open and not closing
	flushing atomic.Bool
	late     atomic.Bool // more memtables are full than the one that is being flushed
	behind   atomic.Bool // too many tables wait to be merged
}

// rests reports whether a writer of tables may rest.
func (p *pacer) rests() bool { return p.on.Load() && !p.late.Load() && !p.behind.Load() }

// observe lets the pacer see how far behind the store is.
func (p *pacer) observe(m *pebble.Metrics) { p.behind.Store(m.Levels[0].Sublevels >= l0Behind) }

// listen adds what the pacer needs to know to a listener.
func (p *pacer) listen(l *pebble.EventListener) {
	l.FlushBegin = func(f pebble.FlushInfo) {
		p.flushing.Store(true)
		p.late.Store(f.Input > 1)
	}
	l.FlushEnd = func(pebble.FlushInfo) {
		p.flushing.Store(false)
		p.late.Store(false)
	}
	// A log is made for each memtable: for the one that takes over from a full
	// one, before that is flushed.
	l.WALCreated = func(pebble.WALCreateInfo) { p.late.Store(p.flushing.Load()) }
}

// paced is a file system on which the tables that Pebble makes by itself are
// written with rests. Somebody waits for all else: logs, manifests, and the
// tables of a checkpoint, which have no category.
type paced struct {
	vfs.FS
	pacer *pacer
}

func (p paced) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := p.FS.Create(name, category)
	if err != nil || !strings.HasSuffix(name, ".sst") || category == vfs.WriteCategoryUnspecified {
		return f, err
	}
	return &pacedFile{File: f, pacer: p.pacer, since: time.Now()}, nil
}

func (p paced) Unwrap() vfs.FS { return p.FS }

// pacedFile is a table that is being written.
type pacedFile struct {
	vfs.File
	pacer *pacer
	since time.Time     // the last block was written
	owed  time.Duration // rest that has not been taken
}

// Write writes a block, and rests before it for what the blocks so far have
// cost.
func (f *pacedFile) Write(b []byte) (int, error) {
	if now := time.Now(); f.pacer.rests() {
		f.owed += restFor * min(now.Sub(f.since), workAtMost)
		if f.owed >= restAtLeast {
			time.Sleep(f.owed)
			f.owed -= time.Since(now) // one that was longer counts for the next
		}
	} else {
		f.owed = 0
	}
	f.since = time.Now()
	return f.File.Write(b)
}
