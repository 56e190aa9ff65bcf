package ledger

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// compare holds a range of the store to what it should be: want has keys and
// values in order, valid until it goes on.
func (r *replay) compare(lower, upper []byte, want iter.Seq2[[]byte, []byte], what string) error {
	it, err := r.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return err
	}
	fault := func(key []byte, how string) {
		r.say(Finding{Partition: r.id, What: fmt.Sprintf("%s %x %s", what, key, how)})
	}
	const extra = "is stored and follows from no record"
	ok := it.First()
	for key, value := range want {
		for ; ok && bytes.Compare(it.Key(), key) < 0; ok = it.Next() {
			fault(it.Key(), extra)
		}
		if !ok || !bytes.Equal(it.Key(), key) {
			fault(key, "is missing")
			continue
		}
		stored, err := it.ValueAndErr()
		if err != nil {
			return errors.Join(err, it.Close())
		}
		if !bytes.Equal(value, stored) {
			fault(key, "differs from what the journal says")
		}
		ok = it.Next()
	}
	for ; ok; ok = it.Next() {
		fault(it.Key(), extra)
	}
	return errors.Join(it.Error(), it.Close())
}

// compareSpace compares a keyspace of the partition.
func (r *replay) compareSpace(space byte, want iter.Seq2[[]byte, []byte], what string) error {
	lower := appendPartition(nil, space, r.id)
	return r.compare(lower, after(lower), want, what)
}

// inKeyOrder makes of a map what compare wants.
func inKeyOrder(m map[string][]byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if !yield([]byte(key), m[key]) {
				return
			}
		}
	}
}

func (r *replay) compareAccounts() error {
	if err := r.accountsBySums(); err != nil {
		return err
	}
	return r.compareSpace(spaceAccount, func(yield func(key, value []byte) bool) {
		for _, id := range slices.Sorted(maps.Keys(r.accounts)) {
			a := r.accounts[id]
			r.balance(id, a)
			r.kbuf, r.buf = accountKey(r.kbuf[:0], r.id, id), appendAccount(r.buf[:0], a)
			if !yield(r.kbuf, r.buf) {
				return
			}
		}
	}, "account")
}

// balance adds up an account, which may owe points but has none that are less
// than nothing.
func (r *replay) balance(id AccountID, a *Account) {
	b, sum := a.Balance(), &r.proof.Balances
	r.proof.Accounts++
	r.proof.Holds += uint64(len(a.Holds))
	sum.Available += b.Available
	sum.Pending += b.Pending
	sum.Held += b.Held
	sum.Deficit += b.Deficit
	if b.Available < 0 || b.Pending < 0 || b.Held < 0 || b.Deficit > 0 {
		r.say(Finding{Partition: r.id, Account: id, What: fmt.Sprintf("its balance is %+v", b)})
	}
}

func (r *replay) compareSales() error {
	return r.compareSpace(spaceSale, func(yield func(key, value []byte) bool) {
		for _, id := range slices.Sorted(maps.Keys(r.sales)) {
			if id.Sequence() < r.base.sales {
				continue // it is older than the retention
			}
			r.proof.Sales++
			r.kbuf = saleKey(r.kbuf[:0], id)
			if !yield(r.kbuf, r.sales[id]) {
				return
			}
		}
	}, "sale")
}

func (r *replay) compareDue() error {
	type entry struct {
		second int64
		id     AccountID
	}
	var all []entry
	for id, a := range r.accounts {
		if a.Scheduled != 0 {
			all = append(all, entry{a.Scheduled, id})
		}
	}
	slices.SortFunc(all, func(a, b entry) int {
		return cmp.Or(cmp.Compare(uint64(a.second), uint64(b.second)), cmp.Compare(a.id, b.id))
	})
	return r.compareSpace(spaceDue, func(yield func(key, value []byte) bool) {
		for _, e := range all {
			r.kbuf = dueKey(r.kbuf[:0], r.id, e.second, e.id)
			if !yield(r.kbuf, nil) {
				return
			}
		}
	}, "due entry")
}

func (r *replay) compareParked() error {
	want := map[string][]byte{}
	for id, rec := range r.parked {
		want[string(parkedKey(nil, id))] = rec
	}
	return r.compare(parkedKey(nil, NewOpID(r.id, 0)), parkedKey(nil, NewOpID(r.id, maxSequence)), inKeyOrder(want), "parked message")
}

// compareShared compares the partition's parts of shared counters with what the
// journal says. Those whose day is over may be there or not.
func (r *replay) compareShared() error {
	if r.trimmed() {
		return nil // part of what was counted is in records that were dropped
	}
	today := max(dayOf(r.time), dayOf(r.now))
	want := map[string][]byte{}
	for id, n := range r.shared {
		if n != 0 && (id.until == 0 || id.until >= today) {
			want[string(sharedKey(nil, r.id, id))] = appendShared(nil, &n)
		}
	}
	from := sharedKey(nil, r.id, sharedID{until: max(today, 1)})
	return r.compare(from, after(appendPartition(nil, spaceShared, r.id)), inKeyOrder(want), "shared counter")
}
