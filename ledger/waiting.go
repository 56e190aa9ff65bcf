package ledger

import (
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// Waiting are the parked messages about a hold that still wait, in the order in
// which they came: a till may have told of its confirm more than once. It looks
// at all that waits in the hold's partition, which is mostly nothing.
func (tx *Tx) Waiting(hold OpID) ([]OpID, error) {
	s := tx.s
	if tx.p.calm || hold.Partition() != tx.p.id {
		return nil, nil
	}
	if !s.settle() {
		return nil, ErrClosed
	}
	var ids []OpID
	from, to := parkedKey(nil, NewOpID(tx.p.id, 0)), parkedKey(nil, NewOpID(tx.p.id+1, 0))
	bounds := &pebble.IterOptions{LowerBound: from, UpperBound: to}
	err := scanWithin(s.l.db, bounds, from, func(key, _ []byte) (bool, error) {
		ids = append(ids, OpID(trailing(key)))
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	for k := range s.drain.overlay { // what is decided together with this
		if k.b[0] != spaceParked {
			continue
		}
		if id := OpID(trailing(k.b[:k.n])); id.Partition() == tx.p.id {
			ids = append(ids, id)
		}
	}
	tx.p.calm = len(ids) == 0
	slices.Sort(ids)
	about := ids[:0]
	for _, id := range slices.Compact(ids) {
		p, err := tx.Parked(id)
		if err != nil {
			return nil, err
		}
		if p != nil && p.Parent == hold {
			about = append(about, id)
		}
	}
	return about, nil
}
