package ledger

import (
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// waits knows, of a partition, which parked messages were about which hold: a till
// may have told of its confirm more than once. It belongs to the event loop. Nil
// until somebody asks: then it is read, once. It may name messages that wait no
// longer, or that were never recorded because their task failed.
type waits map[OpID][]OpID

// maxWaits bounds the holds that are known beside those of which something waited
// when they were read: with more they are read again when somebody asks.
const maxWaits = 1 << 16

// noteParked notes a message that is being parked.
func (p *partition) noteParked(hold, message OpID) {
	w := &p.waits
	if *w == nil {
		return
	}
	if len(*w) >= p.waitsMost {
		*w = nil
		return
	}
	w.add(hold, message)
}

// add notes a message about a hold, once and in order: the number of one that was
// never recorded is given again.
func (w *waits) add(hold, message OpID) {
	if hold == 0 {
		return
	}
	if at, known := slices.BinarySearch((*w)[hold], message); !known {
		(*w)[hold] = slices.Insert((*w)[hold], at, message)
	}
}

// Waiting are the parked messages about a hold of the partition that still wait,
// in the order in which they came.
func (tx *Tx) Waiting(hold OpID) ([]OpID, error) {
	if tx.p.waits == nil {
		if err := tx.readWaits(); err != nil {
			return nil, err
		}
	}
	var still []OpID
	for _, id := range tx.p.waits[hold] {
		p, err := tx.Parked(id)
		if err != nil {
			return nil, err
		}
		if p != nil && p.Parent == hold {
			still = append(still, id)
		}
	}
	return still, nil
}

// readWaits reads what waits in the partition: what Pebble shows, once it shows
// all that was decided before the drain, and then what the drain itself has
// decided.
func (tx *Tx) readWaits() error {
	s, found := tx.s, waits{}
	if !s.settle() {
		return ErrClosed
	}
	from, to := parkedKey(nil, NewOpID(tx.p.id, 0)), parkedKey(nil, NewOpID(tx.p.id+1, 0))
	bounds := &pebble.IterOptions{LowerBound: from, UpperBound: to}
	err := scanWithin(s.l.db, bounds, from, func(_, rec []byte) (bool, error) {
		var p Parked
		if err := decodeParked(rec, &p); err != nil {
			return false, err
		}
		found.add(p.Parent, p.ID)
		return true, nil
	})
	if err != nil {
		return err
	}
	var recent []OpID
	for k := range s.drain.overlay {
		if k.b[0] != spaceParked {
			continue
		}
		if id := OpID(trailing(k.b[:k.n])); id.Partition() == tx.p.id {
			recent = append(recent, id)
		}
	}
	slices.Sort(recent)
	for _, id := range recent {
		p, err := tx.Parked(id)
		if err != nil {
			return err
		}
		if p != nil {
			found.add(p.Parent, id)
		}
	}
	tx.p.waits, tx.p.waitsMost = found, len(found)+maxWaits
	return nil
}
