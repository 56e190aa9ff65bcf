package ledger

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
)

// letterID names a transfer: the operation that sent it, and which of its
// transfers it is.
type letterID struct {
	op    OpID
	index uint16
}

func compareLetters(a, b letterID) int {
	return cmp.Or(cmp.Compare(a.op, b.op), cmp.Compare(a.index, b.index))
}

// covers tells whether a transfer of the watermark's source has been booked.
func (w *watermark) covers(id letterID) bool { return compareLetters(id, letterID(*w)) <= 0 }

// passage is a transfer that one partition tells of: who sent it to which, or
// who booked it.
type passage struct {
	op        OpID
	index, to uint16
}

func (t passage) id() letterID { return letterID{t.op, t.index} }

// readTransit reads the transfers that lie at their source: few, or something
// is wrong with the receivers.
func (r *replay) readTransit() error {
	return scan(r.db, appendPartition(nil, spaceTransfer, r.id), func(key, rec []byte) (bool, error) {
		id := letterID{NewOpID(r.id, trailing(key[:11])), uint16(key[11])<<8 | uint16(key[12])}
		r.lying[id] = bytes.Clone(rec)
		return true, nil
	})
}

// transfer takes what a record sends and what it books of another: an incoming
// transfer is checked against the operation that sent it, and comes once and in
// order.
func (r *replay) transfer() error {
	op := &r.op
	if err := r.send(); err != nil || op.Source == 0 {
		return err
	}
	id, source := letterID{op.Source, op.SourceIndex}, op.Source.Partition()
	w := r.arrivals[source]
	if w.covers(id) {
		r.finding("a transfer is booked twice or out of order")
	}
	r.arrivals[source] = watermark(id)
	if source < len(r.bases) && id.op.Sequence() < r.bases[source].first {
		return nil // who sent it is older than the retention
	}
	r.arrived = append(r.arrived, passage{op: id.op, index: id.index})
	sender := &r.sender
	ok, err := load(r.db, journalKey(nil, op.Source), func(rec []byte) error { return DecodeOperation(rec, sender) })
	if err != nil {
		return err
	}
	if !ok || int(op.SourceIndex) >= len(sender.Transfers) {
		r.finding("no such transfer was sent")
		return nil
	}
	r.sameArrival(&sender.Transfers[op.SourceIndex])
	return nil
}

// send notes the transfers of a record: on their way, or to be found where they
// were booked. One that has been booked may lie at its source until the courier
// comes by.
func (r *replay) send() error {
	for i := range r.op.Transfers {
		t, id := &r.op.Transfers[i], letterID{r.op.ID, uint16(i)}
		to := t.To.Partition(len(r.l.parts))
		if rec, lies := r.lying[id]; lies {
			if r.buf = appendTransfer(r.buf[:0], t); bytes.Equal(rec, r.buf) {
				delete(r.lying, id)
				booked, err := r.booked(to, id)
				if err != nil {
					return err
				}
				if !booked {
					r.proof.Transit++
					continue
				}
			}
		}
		r.sent = append(r.sent, passage{id.op, id.index, uint16(to)})
	}
	return nil
}

// booked tells by the receiver's watermark whether a transfer has arrived.
func (v *verifier) booked(to int, id letterID) (bool, error) {
	var w watermark
	_, err := load(v.db, watermarkKey(nil, to, id.op.Partition()), func(rec []byte) error { return decodeWatermark(rec, &w) })
	return w.covers(id), err
}

// sameArrival decides the arrival again.
func (r *replay) sameArrival(t *Transfer) {
	op := &r.op
	a := r.accounts[t.To]
	if a == nil && r.trimmed() {
		return // what it was is not known
	}
	if a == nil {
		if op.Kind != KindPark {
			r.finding("a transfer is booked to account %s, which does not exist", t.To)
		}
		return
	}
	again := &r.again
	resetOperation(again)
	again.Kind, again.Account, again.Time = KindPostIn, t.To, op.Time
	postIn(a, t, again)
	if op.Kind == KindPark {
		copyAccount(r.spare, a)
		if Apply(r.spare, again) == nil {
			r.finding("a transfer is parked that can be booked")
		}
		return
	}
	if op.Account != t.To {
		r.finding("a transfer to account %s is booked elsewhere", t.To)
		return
	}
	if settles(a, t) && len(op.Counts) > len(again.Counts) {
		again.Counts = append(again.Counts, op.Counts[len(again.Counts):]...) // what its tier has added is the programme's to say
	}
	if !settles(a, t) && op.Grant != "" {
		r.finding("a transfer without a tier brings one")
	}
	if again.Into != op.Into || again.Purchase != op.Purchase || !slices.Equal(again.Flags, op.Flags) ||
		again.Legs[LegIssued] != op.Legs[LegIssued] || again.Owed != op.Owed || again.Legs[LegTransit] != op.Legs[LegTransit] ||
		again.Legs[LegReferral] != op.Legs[LegReferral] || !slices.Equal(again.Rules, op.Rules) ||
		!slices.Equal(again.Lots, op.Lots) || !slices.Equal(again.Sums, op.Sums) ||
		!slices.Equal(again.Counts, op.Counts) || again.Bought != op.Bought || len(again.Transfers) != len(op.Transfers) {
		r.finding("a transfer is booked otherwise than it was sent")
	}
}

// compareTransit tells of what lies at its source and was not sent.
func (r *replay) compareTransit() error {
	for _, id := range slices.SortedFunc(maps.Keys(r.lying), compareLetters) {
		r.say(Finding{Partition: r.id, Op: id.op, What: "a transfer lies at its source that its operation did not send"})
	}
	return nil
}

func (r *replay) compareWatermarks() error {
	want := map[string][]byte{}
	for source, w := range r.arrivals {
		want[string(watermarkKey(nil, r.id, source))] = appendWatermark(nil, &w)
	}
	if err := r.oldWatermarks(want); err != nil {
		return err
	}
	return r.compareSpace(spaceWatermark, inKeyOrder(want), "watermark")
}

// transfers holds what all partitions have sent to what all have booked: each
// once.
func (v *verifier) transfers(parts []*replay, report func(Finding)) error {
	var sent, arrived []passage
	for _, r := range parts {
		sent, arrived = append(sent, r.sent...), append(arrived, r.arrived...)
		r.sent, r.arrived = nil, nil
	}
	for _, list := range [][]passage{sent, arrived} {
		slices.SortFunc(list, func(a, b passage) int { return compareLetters(a.id(), b.id()) })
	}
	fault := func(t passage, what string) {
		report(Finding{Partition: t.op.Partition(), Op: t.op, What: what})
	}
	for len(sent)+len(arrived) > 0 {
		way := -1 // which of the two comes first
		switch {
		case len(sent) == 0:
			way = 1
		case len(arrived) > 0:
			way = compareLetters(sent[0].id(), arrived[0].id())
		}
		if way > 0 {
			fault(arrived[0], "a transfer was booked that was never sent")
		} else if way < 0 {
			before, err := v.bookedBefore(int(sent[0].to), sent[0].id())
			if err != nil {
				return err
			}
			if !before {
				fault(sent[0], "a transfer is neither on its way nor booked")
			}
		}
		if way <= 0 {
			sent = sent[1:]
		}
		if way >= 0 {
			arrived = arrived[1:]
		}
	}
	return nil
}
