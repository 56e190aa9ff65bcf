package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
)

// seal gathers the journal records since the last window of a partition.
type seal struct {
	first, last uint64 // 0: nothing gathered
	since       int64  // ledger time of the first that is no window
	fresh       int    // records that are no windows
	legs        [LegCount]int64
	sum         hash.Hash
	length      [4]byte
}

// sealEntry is what a window takes of a record beside its bytes.
type sealEntry struct {
	seq  uint64
	time int64
	legs [LegCount]int64
}

// take adds a record that is no window.
func (s *seal) take(e *sealEntry, rec []byte) {
	if s.sum == nil {
		s.begin(e.seq, [32]byte{})
	}
	if s.fresh == 0 {
		s.since = e.time
	}
	s.fresh++
	for i, v := range e.legs {
		s.legs[i] += v
	}
	s.add(e.seq, rec)
}

// follow begins the window behind w: w's hash is the seed, and its record,
// which moves nothing, the first.
func (s *seal) follow(w *Window, seq uint64, rec []byte) {
	s.begin(seq, w.Hash)
	s.add(seq, rec)
}

func (s *seal) add(seq uint64, rec []byte) {
	s.last = seq
	binary.BigEndian.PutUint32(s.length[:], uint32(len(rec)))
	s.sum.Write(s.length[:])
	s.sum.Write(rec)
}

// replay takes a record that was read back.
func (s *seal) replay(op *Operation, rec []byte) error {
	if op.Kind != KindWindow {
		s.take(&sealEntry{op.ID.Sequence(), op.Time, op.Legs}, rec)
		return nil
	}
	var w Window
	if err := DecodeWindow(op.Data, &w); err != nil {
		return err
	}
	s.follow(&w, op.ID.Sequence(), rec)
	return nil
}

func (s *seal) begin(first uint64, seed [32]byte) {
	if s.sum == nil {
		s.sum = sha256.New()
	}
	s.sum.Reset()
	s.sum.Write(seed[:])
	s.first, s.last, s.fresh, s.since = first, 0, 0, 0
	s.legs = [LegCount]int64{}
}

// window is what has been gathered. Gathering may go on after it.
func (s *seal) window() (w Window) {
	w.First, w.Last, w.Legs = s.first, s.last, s.legs
	s.sum.Sum(w.Hash[:0])
	return w
}

// ripe reports whether the window is to be sealed by its size.
func (s *seal) ripe(records int) bool { return s.fresh >= records }

// stale reports whether the window is to be sealed by its age.
func (s *seal) stale(now, age int64) bool { return s.fresh > 0 && now-s.since >= age }

// sealWindow appends the window of everything gathered so far.
func (tx *Tx) sealWindow() {
	w := tx.p.seal.window()
	op := &tx.s.owed
	resetOperation(op)
	op.Kind, op.Status = KindWindow, "sealed"
	op.Data = AppendWindow(op.Data, &w)
	tx.stampOperation(op)
	at := tx.write(op)
	tx.p.seal.follow(&w, op.ID.Sequence(), tx.s.drain.batch.Repr()[at.at:at.at+at.n])
	tx.s.l.stats.windows.Add(1)
}
