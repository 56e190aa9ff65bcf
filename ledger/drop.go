package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/cockroachdb/pebble/v2"
)

func startOfDay(at int64) int64 { return int64(dayOf(at)) * int64(day) }

// bound is the first record of a partition that must stay, whatever its age.
type bound struct {
	journal, sales uint64
	follower       string // who needs it, if it is one
}

// dropBounds finds what something still refers to: transfers that are under
// way, parked messages with what they are about, followers' positions.
// Transfers come first: one that is delivered meanwhile may be parked then.
func (l *Ledger) dropBounds(followers []Follower) ([]bound, error) {
	all := make([]bound, len(l.parts))
	for p := range all {
		all[p] = bound{journal: l.Synced(p), sales: math.MaxUint64}
		err := scan(l.db, appendPartition(nil, spaceTransfer, p), func(key, _ []byte) (bool, error) {
			all[p].journal = min(all[p].journal, binary.BigEndian.Uint64(key[3:]))
			return false, nil
		})
		if err != nil {
			return nil, err
		}
	}
	need := func(id OpID) {
		if p := id.Partition(); id != 0 && p < len(all) {
			all[p].journal = min(all[p].journal, id.Sequence())
			all[p].sales = min(all[p].sales, id.Sequence())
		}
	}
	var failed error
	err := l.ParkedAll(func(p *Parked) bool {
		need(p.ID)
		need(p.Parent)
		var op Operation
		if _, failed = l.Operation(p.ID, &op); failed == nil {
			need(op.Source)
			need(op.Target)
		}
		return failed == nil
	})
	if err := errors.Join(err, failed); err != nil {
		return nil, err
	}
	for _, f := range followers {
		at, err := f.Positions()
		if err == nil && len(at) != len(all) {
			err = fmt.Errorf("%d positions for %d partitions", len(at), len(all))
		}
		for p := range all {
			position := uint64(0)
			if err == nil {
				position = at[p]
			}
			if position < all[p].journal {
				all[p].journal, all[p].follower = position, f.Name
			}
		}
	}
	return all, nil
}

// cut drops from one partition, a bounded step at a time.
type cut struct {
	l     *Ledger
	p     int
	most  uint64 // records that one range drops, unless a window is larger
	bound bound
	// Records and sales from before these moments go, unix ns.
	journal, sales int64
}

// step drops one range of the journal and the sales that go with it, and
// reports whether there is more.
func (k *cut) step(d *Dropped) (more bool, err error) {
	was := k.l.parts[k.p].base.Load()
	if err := k.holds(); err != nil {
		return false, err
	}
	old, err := k.newer(k.journal)
	if err != nil {
		return false, err
	}
	to := min(old, k.bound.journal)
	if k.bound.journal < old && k.bound.follower != "" {
		d.Held = k.bound.follower
	}
	next := *was
	if to > was.first {
		err := k.windows(min(to, was.first+k.most), &next)
		if err == nil && next.first == was.first {
			err = k.windows(to, &next) // one window is larger than a step
		}
		if err != nil {
			return false, err
		}
	}
	if next.sales, err = k.newer(k.sales); err != nil {
		return false, err
	}
	next.sales = max(was.sales, next.first, min(next.sales, k.bound.sales))
	if next == *was {
		return false, nil
	}
	if err := k.l.drop(k.p, was, &next); err != nil {
		return false, err
	}
	d.Records += next.first - was.first
	for _, moved := range []bool{next.first > was.first, next.sales > was.sales} {
		if moved {
			d.Ranges++
		}
	}
	return next.first > was.first && next.first < to, nil
}

// holds keeps the records of holds: they are no older than the retention of
// duplicates, unless what is due of an account was not recorded yet.
func (k *cut) holds() error {
	return scan(k.l.db, appendPartition(nil, spaceDue, k.p), func(key, _ []byte) (bool, error) {
		due := int64(binary.BigEndian.Uint64(key[3:])) * second
		k.journal = min(k.journal, startOfDay(due-k.l.retention.Load()))
		k.sales = min(k.sales, k.journal)
		return false, nil
	})
}

// time is the ledger time of a record; 0 if there is none.
func (k *cut) time(seq uint64) (int64, error) {
	var op Operation
	_, err := k.l.Operation(NewOpID(k.p, seq), &op)
	return op.Time, err
}

// newer is the sequence of the first record that is not before a moment, found
// by halving: times don't go back within a partition.
func (k *cut) newer(moment int64) (uint64, error) {
	from, to := k.l.First(k.p), k.l.Synced(k.p)+1
	for from < to {
		middle := from + (to-from)/2
		at, err := k.time(middle)
		if err != nil {
			return 0, err
		}
		if at < moment {
			from = middle + 1
		} else {
			to = middle
		}
	}
	return from, nil
}

// windows moves a base to the newest window whose record is not behind a
// sequence: it adds up the seals of the windows that go, each of which names
// the one before it.
func (k *cut) windows(to uint64, b *base) error {
	at, err := k.window(to)
	if err != nil || at <= b.first {
		return err
	}
	next := base{first: at, windows: b.windows, legs: b.legs}
	for newest := true; at > b.first; newest = false {
		var op Operation
		var w Window
		found, err := k.l.Operation(NewOpID(k.p, at), &op)
		if err == nil && (!found || op.Kind != KindWindow) {
			err = fmt.Errorf("%w: record %d should be a window", ErrCorrupt, at)
		}
		if err == nil {
			err = DecodeWindow(op.Data, &w)
		}
		if err == nil && (w.Last != at-1 || w.First < b.first) {
			err = fmt.Errorf("%w: the window %d does not end before itself", ErrCorrupt, at)
		}
		if err != nil {
			return err
		}
		if newest {
			next.hash = w.Hash
		}
		next.windows++
		for i := range w.Legs {
			next.legs[i] += w.Legs[i]
		}
		at = w.First
	}
	*b = next
	return nil
}

// window is the newest window record that is not behind a sequence; 0 if there
// is none.
func (k *cut) window(to uint64) (seq uint64, err error) {
	it, err := k.l.db.NewIter(&pebble.IterOptions{
		LowerBound: journalKey(nil, NewOpID(k.p, 0)), UpperBound: journalKey(nil, NewOpID(k.p, to+1)),
	})
	if err != nil {
		return 0, err
	}
	for ok := it.Last(); ok; ok = it.Prev() {
		rec, err := it.ValueAndErr()
		if err != nil {
			return 0, errors.Join(err, it.Close())
		}
		if len(rec) >= operationHeader && Kind(rec[2]) == KindWindow {
			seq = trailing(it.Key())
			break
		}
	}
	return seq, errors.Join(it.Error(), it.Close())
}

// drop moves a partition's base, in its event loop and in one batch with what
// goes, and returns when that is synced. A full disk does not stop it.
func (l *Ledger) drop(partition int, was, next *base) error {
	p := l.parts[partition]
	t := &awaited{func(tx *Tx) error {
		tx.s.set(baseKey(tx.s.kbuf[:0], partition), appendBase(nil, next))
		for _, space := range []struct {
			from, to uint64
			key      func([]byte, OpID) []byte
		}{{was.first, next.first, journalKey}, {was.sales, next.sales, saleKey}} {
			if space.from < space.to {
				tx.s.deleteRange(space.key(nil, NewOpID(partition, 0)), space.key(nil, NewOpID(partition, space.to)))
			}
		}
		// Readers look here before they ask the store: who finds a record gone
		// finds out why.
		p.base.Store(next)
		return nil
	}, make(chan error, 1)}
	if err := l.shards[partition%len(l.shards)].queue.put(item{t, p}); err != nil {
		return err
	}
	select {
	case err := <-t.done:
		return err
	case <-l.dead:
		return ErrClosed
	}
}

// deleteRange deletes from a key up to, and without, another in the drain's
// batch. The overlay still has what the drain wrote there before: who reads
// looks at the base first.
func (s *shard) deleteRange(from, to []byte) {
	if err := s.drain.batch.DeleteRange(from, to, nil); err != nil {
		panic(err)
	}
}
