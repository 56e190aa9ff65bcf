package stream

import (
	"fmt"

	"tillgate/ledger"
)

// Journal is the synced journal of a ledger.
type Journal interface {
	Partitions() int
	// Synced is the newest sequence of a partition that is on disk.
	Synced(partition int) uint64
	// Journal calls fn with the synced records from sequence `from` on, until
	// fn returns false. The bytes are fn's until it returns.
	Journal(partition int, from uint64, fn func(id ledger.OpID, record []byte) bool) error
	// Subscribe wakes the caller when more is synced; cancel ends that.
	Subscribe() (changed <-chan struct{}, cancel func())
}

// Profiles are the encrypted profiles of a ledger.
type Profiles interface {
	// SealedProfile is the profile as stored; nil if there is none.
	SealedProfile(ledger.AccountID) ([]byte, error)
}

// ReadChunk reads up to records or bytes (at least one record) after a
// sequence, whichever bound comes first.
func ReadChunk(j Journal, partition int, after uint64, records, bytes int) ([]Record, error) {
	const usual = 256 // bytes of a record
	n := int(min(uint64(records), j.Synced(partition)-min(after, j.Synced(partition))))
	out, arena := make([]Record, 0, n), make([]byte, 0, min(n*usual, bytes))
	err := j.Journal(partition, after+1, func(id ledger.OpID, record []byte) bool {
		at := len(arena)
		arena = append(arena, record...)
		// An earlier record may stay in the arena's former memory; its bytes
		// are the same.
		out = append(out, Record{ID: id, Data: arena[at:len(arena):len(arena)]})
		return len(out) < records && len(arena) < bytes
	})
	return out, err
}

// ProfileOf reads the current profile of the account whose record may have
// changed it; ok is false for a record of another kind.
func ProfileOf(p Profiles, r *Record) (out Profile, ok bool, err error) {
	if k, ok := kindOf(r.Data); ok && !ChangesProfile(k) {
		return out, false, nil
	}
	var op ledger.Operation
	if err := ledger.DecodeOperation(r.Data, &op); err != nil {
		return out, false, fmt.Errorf("record %s can't be read: %w", r.ID, err)
	}
	if !ChangesProfile(op.Kind) || op.Account == 0 || op.Declined() {
		return out, false, nil
	}
	sealed, err := p.SealedProfile(op.Account)
	if err != nil {
		return out, false, fmt.Errorf("the profile of account %s: %w", op.Account, err)
	}
	return Profile{Account: op.Account, AsOf: r.ID, Sealed: sealed}, true, nil
}

// kindOf looks at a journal record's kind without reading the whole of it: in
// version 1 it is the third byte (the offset table beside the ledger's codec).
// ok is false for another version, which has to be read.
func kindOf(record []byte) (k ledger.Kind, ok bool) {
	if len(record) < 3 || record[1] != 1 {
		return 0, false
	}
	return ledger.Kind(record[2]), true
}

// Meta are small values that a ledger keeps for others. After a crash a noted
// value may be an older one; one that was never noted is empty.
type Meta interface {
	Meta(name string) ([]byte, error)
	NoteMeta(name string, value []byte) error
}
