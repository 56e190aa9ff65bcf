package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	storeName    = "ledger"     // Pebble's directory in the data directory
	newStoreName = "ledger.new" // where it is made
	metaForm     = "format"
	formCheck    = "format check"

	// storeVersion is the version of the layout of keys; records have their
	// own versions.
	storeVersion = 1
)

// Open opens the store in a data directory, or creates it. It refuses a store
// of another layout, one that was created with another number of partitions,
// and one whose key file is missing or another store's.
func Open(dir string, options Options) (*Ledger, error) {
	o, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	l, err := openStore(dir, o, false)
	if err != nil {
		return nil, err
	}
	if err := l.start(); err != nil {
		return nil, l.unopened(err)
	}
	return l, nil
}

// unopened closes what was half opened; Pebble does not close while it can't
// write.
func (l *Ledger) unopened(err error) error {
	if l.failed.Load() {
		return err
	}
	return errors.Join(err, l.db.Close())
}

// openStore opens the database and its secret and checks that they belong
// together; nothing runs yet.
func openStore(dir string, o Options, readOnly bool) (*Ledger, error) {
	l := &Ledger{o: o, dir: dir, dead: make(chan struct{}), stop: make(chan struct{}), couriers: make(chan struct{}, 1)}
	l.opening.Store(true)
	l.links = newLinkCache(o.LinkCache)
	l.shared.sums, l.shared.limit = map[sharedID]sharedSum{}, maxSums
	l.dupFilter, l.receiptFilter = newDupFilter(-1), newReceiptFilter(-1) // they answer nothing until the store runs
	l.retention.Store(int64(o.Retention.Duplicates))
	l.keeping.step = dropStep
	l.subscribers.all = map[chan struct{}]struct{}{}
	exists, err := l.openSecret(readOnly)
	if err != nil {
		return nil, err
	}
	if !exists {
		if err := l.create(); err != nil {
			return nil, fmt.Errorf("ledger: the store cannot be created: %w", err)
		}
	}
	if err := l.openPebble(storeName, readOnly); err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	if err := l.checkFormat(); err != nil {
		return nil, l.unopened(err)
	}
	if err := errors.Join(l.recoverDups(), l.recoverBases(), l.recoverAudit()); err != nil {
		return nil, l.unopened(err)
	}
	return l, nil
}

// create makes an empty store beside its place and moves it there when it is
// whole: Pebble does not open what a crash has left of a half made one.
func (l *Ledger) create() error {
	fsys := l.o.FS
	at, place := fsys.PathJoin(l.dir, newStoreName), fsys.PathJoin(l.dir, storeName)
	if err := fsys.RemoveAll(at); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if names, err := fsys.List(place); err == nil {
		if len(names) > 0 {
			return fmt.Errorf("%s holds something else", place)
		}
		if err := fsys.Remove(place); err != nil {
			return err
		}
	}
	if err := l.openPebble(newStoreName, false); err != nil {
		return err
	}
	if err := l.writeFormat(); err != nil {
		return l.unopened(err)
	}
	if err := l.db.Close(); err != nil {
		return err
	}
	if err := fsys.Rename(at, place); err != nil {
		return err
	}
	return syncDir(fsys, l.dir)
}

// openPebble opens the database. Where Pebble can't write some of its files it
// panics or calls the end of the process (its logger's Fatalf, which ends the
// goroutine); while a store is being opened that is an error like any other.
// What an earlier process wrote without a sync, and Pebble has read back from
// the system's cache, is flushed to synced tables before it returns: all that
// is found at the start may be told.
func (l *Ledger) openPebble(name string, readOnly bool) error {
	opened := make(chan error, 1)
	go func() {
		err := errors.New("the store cannot be opened")
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("the store cannot be opened: %v", p)
			}
			opened <- err
		}()
		l.db, err = pebble.Open(l.o.FS.PathJoin(l.dir, name), l.pebbleOptions(readOnly))
	}()
	select {
	case err := <-opened:
		if err == nil && l.failed.Load() {
			err = ErrClosed
		}
		return err
	case <-l.dead:
		return errors.New("the store cannot be opened: its files cannot be written")
	}
}

// openSecret reads the key file, or makes it where there is no store yet: the
// key is there, synced, before the first record that needs it.
func (l *Ledger) openSecret(readOnly bool) (exists bool, err error) {
	fsys := l.o.FS
	if desc, err := pebble.Peek(fsys.PathJoin(l.dir, storeName), fsys); err == nil {
		exists = desc.Exists
	} else if !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("ledger: %w", err)
	}
	l.secret, err = readSecret(fsys, l.dir)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return exists, err
	case err != nil && exists:
		return exists, fmt.Errorf("ledger: the store in %s has no %s beside it; restore the file that belongs to it", l.dir, secretName)
	case !exists && readOnly:
		return exists, fmt.Errorf("ledger: there is no store in %s", l.dir)
	case err == nil:
		return exists, nil
	}
	if err := makeDir(fsys, l.dir); err != nil {
		return exists, err
	}
	if l.secret, err = newSecret(); err != nil {
		return exists, err
	}
	return exists, l.secret.write(fsys, l.dir, l.secret.profiles.Load())
}

// l0Compaction is how many flushed tables there are before they are merged into
// the level below, twice Pebble's own number: the keys are spread evenly, so
// that each merge rewrites that level whole. What isn't there is told by
// filters, so that reads hardly notice (docs/performance.md).
const l0Compaction = 8

func (l *Ledger) pebbleOptions(readOnly bool) *pebble.Options {
	o := &pebble.Options{
		FS:                          paced{orderly{l.o.FS}, &l.pacer},
		ReadOnly:                    readOnly,
		FormatMajorVersion:          pebble.FormatNewest,
		CacheSize:                   l.o.CacheBytes,
		MemTableSize:                uint64(l.o.MemTableBytes),
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       l0Compaction,
		L0StopWritesThreshold:       64,
		LBaseMaxBytes:               256 << 20,
		BytesPerSync:                1 << 20,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 2 },
		Logger:                      pebbleLogger{l},
		EventListener:               l.listener(),
	}
	// Most reads of the hot path look for what isn't there (a duplicate, a
	// receipt, a sale): a filter answers those without touching a block.
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		o.Levels[i].BlockSize = 16 << 10
	}
	return o
}

// checkFormat reads the format record.
func (l *Ledger) checkFormat() error {
	rec, err := l.Meta(metaForm)
	if err != nil {
		return err
	}
	if rec == nil {
		return fmt.Errorf("ledger: %s is not a ledger's store", l.dir)
	}
	if len(rec) != 20 || rec[0] != tagMeta || rec[1] != storeVersion {
		tag, version := byte(0), byte(0)
		if len(rec) > 1 {
			tag, version = rec[0], rec[1]
		}
		return &VersionError{Want: tagMeta, Tag: tag, Version: version}
	}
	if [16]byte(rec[4:]) != l.secret.key(formCheck) {
		return fmt.Errorf("ledger: %s in %s belongs to another store", secretName, l.dir)
	}
	n := int(binary.BigEndian.Uint16(rec[2:]))
	if l.o.Partitions != 0 && l.o.Partitions != n {
		return fmt.Errorf("ledger: the store was created with %d partitions, which can't be changed to %d", n, l.o.Partitions)
	}
	return l.makePartitions(n)
}

// writeFormat writes the format record of a new store.
func (l *Ledger) writeFormat() error {
	n := l.o.Partitions
	if n == 0 {
		n = defaultPartitions
	}
	check := l.secret.key(formCheck)
	rec := binary.BigEndian.AppendUint16([]byte{tagMeta, storeVersion}, uint16(n))
	return l.putAll(func(b *pebble.Batch) error { return b.Set(metaKey(nil, metaForm), append(rec, check[:]...), nil) })
}

func (l *Ledger) makePartitions(n int) error {
	if n < 1 || n > MaxPartitions {
		return fmt.Errorf("%w: %d partitions", ErrCorrupt, n)
	}
	for i := range n {
		l.parts = append(l.parts, &partition{id: i})
	}
	return nil
}

// start recovers the partitions' state and starts the loops.
func (l *Ledger) start() error {
	for _, p := range l.parts {
		if err := p.recover(l.db); err != nil {
			return err
		}
		p.letters.Store(true) // the courier looks into all at the start
	}
	l.clock.start(l)
	l.startFilters()
	n := min(l.o.Shards, len(l.parts))
	for i := range n {
		l.shards = append(l.shards, newShard(l, i))
	}
	for i, p := range l.parts {
		l.shards[i%n].parts = append(l.shards[i%n].parts, p)
	}
	l.watchDisk()
	for _, s := range l.shards {
		l.loops.Add(2)
		l.acks.Add(1)
		go s.run()
		go s.apply()
		go s.acknowledge()
	}
	l.opening.Store(false)
	l.pacer.on.Store(true)
	l.helpers.Add(2)
	go l.deliver()
	go l.watch()
	l.warmed.Store(!l.o.WarmUp)
	if l.o.WarmUp {
		l.helpers.Add(1)
		go l.warmUp()
	}
	return nil
}

// Close takes no new work, finishes what is queued, acknowledges it when it is
// synced, and closes the store. After a failure it closes nothing: the process
// has to end, and the next one recovers.
func (l *Ledger) Close() error {
	if l.closed.Swap(true) {
		return ErrClosed
	}
	close(l.stop)
	l.pacer.on.Store(false)
	closed := make(chan error, 1)
	go func() {
		l.helpers.Wait() // the courier may still wait for a delivery
		for _, s := range l.shards {
			s.queue.close()
		}
		l.loops.Wait()
		l.acks.Wait()
		if l.failed.Load() {
			return // dead is closed
		}
		// After a table could not be written Pebble may panic here over what
		// it still refers to. By now everything is synced.
		defer func() {
			if p := recover(); p != nil {
				closed <- fmt.Errorf("ledger: the store did not close in order: %v", p)
			}
		}()
		closed <- l.db.Close()
	}()
	select {
	case err := <-closed:
		return err
	case <-l.dead:
		return ErrClosed
	}
}

// recover finds the end of the partition's journal and what its open window
// has gathered.
func (p *partition) recover(db pebble.Reader) error {
	lower := appendPartition(nil, spaceJournal, p.id)
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: after(lower)})
	if err != nil {
		return err
	}
	return errors.Join(p.recoverFrom(it), it.Close())
}

func (p *partition) recoverFrom(it *pebble.Iterator) error {
	if !it.Last() {
		return it.Error()
	}
	for {
		rec, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if len(rec) < operationHeader {
			return fmt.Errorf("%w: journal of partition %d", ErrCorrupt, p.id)
		}
		if Kind(rec[2]) == KindWindow {
			break
		}
		if !it.Prev() {
			if err := it.Error(); err != nil {
				return err
			}
			it.First()
			break
		}
	}
	var op Operation
	for ; it.Valid(); it.Next() {
		rec, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if err := DecodeOperation(rec, &op); err != nil {
			return fmt.Errorf("journal of partition %d: %w", p.id, err)
		}
		if op.ID != NewOpID(p.id, binary.BigEndian.Uint64(it.Key()[3:])) {
			return fmt.Errorf("%w: a record of partition %d lies under another's key", ErrCorrupt, p.id)
		}
		if err := p.seal.replay(&op, rec); err != nil {
			return err
		}
		p.seq, p.time = op.ID.Sequence(), op.Time
	}
	p.synced.Store(p.seq)
	return it.Error()
}

// listener tells operators and counters what the disk does.
func (l *Ledger) listener() *pebble.EventListener {
	listener := &pebble.EventListener{
		BackgroundError: func(err error) {
			l.stats.backgroundErrors.Add(1)
			l.o.Logger.Error("the store's background work failed; it is tried again", "error", err)
			if l.opening.Load() {
				l.fail(err)
			}
		},
		WriteStallBegin: func(info pebble.WriteStallBeginInfo) {
			l.stats.stalls.Add(1)
			l.o.Logger.Warn("writes wait for the disk", "reason", info.Reason)
		},
		DiskSlow: func(info vfs.DiskSlowInfo) {
			l.stats.diskSlow.Add(1)
			l.o.Logger.Warn("the disk is slow", "operation", info.OpType.String(), "took", info.Duration)
		},
	}
	l.pacer.listen(listener)
	return listener
}
