package ledger

import (
	"maps"
	"slices"
)

// A partition whose journal was dropped up to a window: what is kept is held to
// the base, and accounts that were there before it to their balances.

// trimmed reports whether records of the partition were dropped.
func (r *replay) trimmed() bool { return r.base.first > 1 }

// heldToSums is what is known of an account whose history begins before what is
// kept.
type heldToSums struct {
	last  OpID
	after Balance
}

// firstWindow holds the first kept record to the base: it seals the last of
// what was dropped.
func (r *replay) firstWindow() {
	op := &r.op
	var w Window
	switch err := DecodeWindow(op.Data, &w); {
	case op.Kind != KindWindow:
		r.finding("the journal begins with it, and it is no window")
	case err != nil:
		r.finding("%v", err)
	case w.Hash != r.base.hash || w.Last != r.base.first-1:
		r.finding("the journal does not begin with the window that its base names")
	}
	r.proof.Windows++
}

// accountBySums holds a record to the balance before and after it.
func (r *replay) accountBySums() {
	op := &r.op
	before := Balance{
		Available: op.After.Available - op.Legs[LegAvailable], Pending: op.After.Pending - op.Legs[LegPending],
		Held: op.After.Held - op.Legs[LegHeld], Deficit: op.After.Deficit - op.Legs[LegDeficit],
	}
	known := r.partial[op.Account]
	switch {
	case known == nil:
		known = &heldToSums{}
		r.partial[op.Account] = known
		if op.Prev == 0 || op.Prev.Sequence() >= r.base.first {
			r.finding("it is the account's first, and the account was not created by it")
		}
	case op.Prev != known.last:
		r.finding("the account's last record was %s, it says %s", known.last, op.Prev)
	case before != known.after:
		r.finding("it says that the balance was %+v, it was %+v", before, known.after)
	}
	known.last, known.after = op.ID, op.After
}

// accountsBySums takes the accounts that were not replayed as they are stored,
// after holding each to the last record that is kept of it.
func (r *replay) accountsBySums() error {
	if !r.trimmed() {
		return nil
	}
	err := scan(r.db, appendPartition(nil, spaceAccount, r.id), func(key, rec []byte) (bool, error) {
		id := AccountID(trailing(key))
		if r.accounts[id] != nil {
			return true, nil
		}
		a := new(Account)
		fault := func(what string) { r.say(Finding{Partition: r.id, Account: id, What: what}) }
		if err := decodeAccount(rec, a); err != nil {
			fault(err.Error())
			return true, nil
		}
		known := r.partial[id]
		switch {
		case a.ID != id:
			fault("it lies under another's key")
		case known == nil && (a.Last == 0 || a.Last.Partition() != r.id || a.Last.Sequence() >= r.base.first):
			fault("its last record " + a.Last.String() + " is not one of its own")
		case known != nil && a.Last != known.last:
			fault("its last record is " + known.last.String() + ", it says " + a.Last.String())
		case known != nil && a.Balance() != known.after:
			fault("its lots and holds are not the balance of its last record")
		}
		delete(r.partial, id)
		r.proof.BySums++
		r.accounts[id] = a
		return true, nil
	})
	for _, id := range slices.Sorted(maps.Keys(r.partial)) {
		r.say(Finding{Partition: r.id, Account: id, What: "it has records and is missing"})
	}
	return err
}

// oldWatermarks takes what a partition has booked of others before what is kept
// of its journal as it is stored.
func (r *replay) oldWatermarks(want map[string][]byte) error {
	if !r.trimmed() {
		return nil
	}
	return scan(r.db, appendPartition(nil, spaceWatermark, r.id), func(key, rec []byte) (bool, error) {
		var w watermark
		source := int(key[3])<<8 | int(key[4])
		if _, known := want[string(key)]; !known && decodeWatermark(rec, &w) == nil && w.op.Partition() == source {
			want[string(key)] = append([]byte(nil), rec...)
		}
		return true, nil
	})
}

// bookedBefore reports whether a transfer was booked by a record that is older
// than what is kept of the receiver's journal.
func (v *verifier) bookedBefore(to int, id letterID) (bool, error) {
	if v.bases[to].first <= 1 {
		return false, nil
	}
	return v.booked(to, id)
}
