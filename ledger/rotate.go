package ledger

import "fmt"

// rotateBatch bounds the profiles that one task of a rotation encrypts anew.
const rotateBatch = 64

// RotateProfiles makes a new key and encrypts every profile and every sealed
// row of a directory under it, while the ledger serves. Old keys stay in the
// key file, because copies of sealed profiles (checkpoints, the stream) may
// need them, until [Ledger.ForgetProfileKeys]. It may be called again after a
// crash. It answers how many profiles and rows it has encrypted.
func (l *Ledger) RotateProfiles() (int, error) {
	if err := l.newProfileKey(); err != nil {
		return 0, err
	}
	if err := l.barrier(); err != nil {
		return 0, err
	}
	stale, err := l.staleProfiles()
	if err != nil {
		return 0, err
	}
	done := 0
	for partition, ids := range stale {
		for len(ids) > 0 {
			n := min(len(ids), rotateBatch)
			if err := l.await(partition, func(tx *Tx) error { return tx.reseal(ids[:n]) }); err != nil {
				return done, err
			}
			done += n
			ids = ids[n:]
		}
	}
	rows, err := l.rotateRows()
	return done + rows, err
}

func (l *Ledger) newProfileKey() error {
	l.secret.mu.Lock()
	defer l.secret.mu.Unlock()
	keys, err := l.secret.profiles.Load().add()
	if err != nil {
		return err
	}
	// The key is on disk before the first profile that needs it.
	if err := l.secret.write(l.o.FS, l.dir, keys); err != nil {
		return err
	}
	l.secret.profiles.Store(keys)
	return nil
}

// staleProfiles are the accounts whose profile is not under the current key,
// by partition.
func (l *Ledger) staleProfiles() (map[int][]AccountID, error) {
	stale := map[int][]AccountID{}
	current := l.secret.profiles.Load().current
	err := scan(l.db, []byte{spaceProfile}, func(key, rec []byte) (bool, error) {
		id := AccountID(trailing(key))
		keyID, err := profileKeyID(rec)
		if keyID != current {
			p := id.Partition(len(l.parts))
			stale[p] = append(stale[p], id)
		}
		return true, err
	})
	return stale, err
}

func (tx *Tx) reseal(ids []AccountID) error {
	for _, id := range ids {
		plain, err := tx.Profile(id)
		if err != nil {
			return fmt.Errorf("profile of %s: %w", id, err)
		}
		if plain == nil {
			continue // erased meanwhile
		}
		if err := tx.PutProfile(id, plain); err != nil {
			return err
		}
		clear(plain)
	}
	return nil
}

// ForgetProfileKeys drops all keys but the current one from the key file.
// Sealed profiles in older checkpoints and in the stream cannot be read any
// more: that is how what was erased is gone for good. It refuses while a
// profile of the store needs an old key.
func (l *Ledger) ForgetProfileKeys() error {
	l.secret.mu.Lock()
	defer l.secret.mu.Unlock()
	if err := l.barrier(); err != nil {
		return err
	}
	stale, err := l.staleProfiles()
	if err != nil {
		return err
	}
	if len(stale) > 0 {
		return fmt.Errorf("ledger: profiles in %d partitions need an old key; rotate first", len(stale))
	}
	l.sealing.Lock()
	defer l.sealing.Unlock()
	old := 0
	if err := l.staleRows(func(_, _ []byte) (bool, error) { old++; return true, nil }); err != nil {
		return err
	}
	if old > 0 {
		return fmt.Errorf("ledger: %d sealed rows of directories need an old key; rotate first", old)
	}
	keys := l.secret.profiles.Load().only()
	if err := l.secret.write(l.o.FS, l.dir, keys); err != nil {
		return err
	}
	l.secret.profiles.Store(keys)
	return nil
}

// barrier returns when every task that was being decided is synced: profiles
// that were sealed under an older key can be seen then.
func (l *Ledger) barrier() error {
	for partition := range l.shards {
		if err := l.await(partition, func(*Tx) error { return nil }); err != nil {
			return err
		}
	}
	return nil
}

// await runs decide on a partition and waits until it is synced.
func (l *Ledger) await(partition int, decide func(*Tx) error) error {
	t := &awaited{decide, make(chan error, 1)}
	if err := l.Submit(partition, t); err != nil {
		return err
	}
	select {
	case err := <-t.done:
		return err
	case <-l.dead:
		return ErrClosed
	}
}

type awaited struct {
	decide func(*Tx) error
	done   chan error
}

func (t *awaited) Decide(tx *Tx) error { return t.decide(tx) }
func (t *awaited) Done(err error)      { t.done <- err }
