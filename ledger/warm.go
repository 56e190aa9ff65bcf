package ledger

import (
	"errors"
	"time"
)

// Sizes of the steps of a warm-up: what one step holds up a shard by, or the
// others who read, is a fraction of a millisecond.
const (
	warmAccounts = 256
	warmLinks    = 4096
)

// warmUp reads accounts and identifiers into memory, in the order of their keys,
// as long as there is room. It takes at most half of the time, and none of the
// shards that are busy.
func (l *Ledger) warmUp() {
	defer l.helpers.Done()
	begun := time.Now()
	accounts, links, err := l.warm()
	l.warmed.Store(err == nil)
	took := time.Since(begun).Round(time.Millisecond)
	switch {
	case err == nil && took > time.Second: // a small store is not worth a word
		l.o.Logger.Info("accounts and identifiers are in memory", "accounts", accounts, "identifiers", links, "took", took)
	case err != nil && !errors.Is(err, ErrClosed):
		l.o.Logger.Warn("not all accounts and identifiers could be read into memory", "error", err)
	}
}

func (l *Ledger) warm() (accounts, links int, err error) {
	for p := range l.parts {
		for from := (AccountID(0)); ; {
			step := &warmTask{from: from, done: make(chan error, 1)}
			if err := l.rest(func() error { return l.warmStep(p, step) }); err != nil {
				return accounts, links, err
			}
			if accounts += step.read; step.over {
				break
			}
			from = step.next
		}
	}
	for from := (Key{}); l.links.room(); {
		var n int
		var over bool
		err := l.rest(func() (err error) {
			n, from, over, err = l.warmLinks(from)
			return err
		})
		if links += n; err != nil || over {
			return accounts, links, err
		}
	}
	return accounts, links, nil
}

// rest takes a step and then as long a rest.
func (l *Ledger) rest(step func() error) error {
	begun := time.Now()
	if err := step(); err != nil {
		return err
	}
	return l.pause(time.Since(begun))
}

func (l *Ledger) pause(d time.Duration) error {
	select {
	case <-l.stop:
		return ErrClosed
	case <-l.dead:
		return ErrClosed
	case <-time.After(d):
		return nil
	}
}

// warmStep lets a partition's shard take a step, when it has room for one.
func (l *Ledger) warmStep(p int, step *warmTask) error {
	for {
		err := l.Submit(p, step)
		if err == nil {
			break
		}
		if !errors.Is(err, ErrOverloaded) {
			return err
		}
		if err := l.pause(100 * time.Millisecond); err != nil {
			return err
		}
	}
	select {
	case err := <-step.done:
		return err
	case <-l.dead:
		return ErrClosed
	}
}

// warmTask reads some accounts of a partition on its shard, which alone knows
// that what it reads is the newest.
type warmTask struct {
	from AccountID // the first that may be read
	next AccountID // and of the next step
	read int
	over bool
	done chan error
}

// Decide puts accounts into the shard's cache of records.
func (t *warmTask) Decide(tx *Tx) error {
	s := tx.s
	t.over = true
	if !s.settle() {
		return ErrClosed // what is read here must be the newest
	}
	prefix := appendPartition(nil, spaceAccount, tx.p.id)
	return scanFrom(s.l.db, prefix, accountKey(nil, tx.p.id, t.from), func(key, rec []byte) (bool, error) {
		id := AccountID(trailing(key))
		if t.read == warmAccounts {
			t.next, t.over = id, false
			return false, nil
		}
		if s.records.full() {
			return false, nil
		}
		if !s.records.has(id) {
			s.records.put(id, rec)
		}
		t.read++
		return true, nil
	})
}

func (t *warmTask) Done(err error) { t.done <- err }

// warmLinks puts some links into their cache, from a key on. The changes are
// counted before anything is read, so that no link comes back that is replaced
// meanwhile.
func (l *Ledger) warmLinks(from Key) (n int, next Key, over bool, err error) {
	changes := l.links.counts()
	over = true
	err = scanFrom(l.db, []byte{spaceLink}, hashKey(nil, spaceLink, from), func(key, rec []byte) (bool, error) {
		k := Key(key[1:])
		if n == warmLinks {
			next, over = k, false
			return false, nil
		}
		var link Link
		if err := decodeLink(rec, &link); err != nil {
			return false, err
		}
		l.links.put(k, &link, changes[k[15]%linkStripes])
		n++
		return true, nil
	})
	return n, next, over, err
}
