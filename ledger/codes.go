package ledger

// One-time codes lie under a keyed hash in the partition that the code itself
// names, so that using one is part of the account's batch. They are no part
// of the journal. An account has one at most: a new code ends the old.

// PutCode makes hash the account's one-time code until a time (unix ns).
func (tx *Tx) PutCode(hash Key, account AccountID, until int64) error {
	if account.Partition(len(tx.s.l.parts)) != tx.p.id {
		return ErrPartition
	}
	s := tx.s
	if former, _, ok, err := tx.Code(hash); err != nil {
		return err
	} else if ok { // drawn again: it is no longer whose it was
		if err := tx.endCode(former); err != nil {
			return err
		}
	}
	if err := tx.endCode(account); err != nil {
		return err
	}
	s.buf = appendCode(s.buf[:0], &code{account, until})
	s.set(codeKey(s.kbuf[:0], tx.p.id, hash), s.buf)
	s.buf = append(s.buf[:0], hash[:]...)
	s.set(codeOfKey(s.kbuf[:0], tx.p.id, account), s.buf)
	return nil
}

// EndCode deletes the account's code, if it has one.
func (tx *Tx) EndCode(account AccountID) error {
	if account.Partition(len(tx.s.l.parts)) != tx.p.id {
		return ErrPartition
	}
	return tx.endCode(account)
}

func (tx *Tx) endCode(account AccountID) error {
	s := tx.s
	old, ok, err := s.get(codeOfKey(s.kbuf[:0], tx.p.id, account))
	if !ok || err != nil {
		return err
	}
	if len(old) != len(Key{}) {
		return ErrCorrupt
	}
	hash := Key(old)
	s.delete(codeKey(s.kbuf[:0], tx.p.id, hash))
	s.delete(codeOfKey(s.kbuf[:0], tx.p.id, account))
	return nil
}

// Code is whose code it is and until when it lives (unix ns), also if that has
// passed; ok is false if there is no such code in this partition.
func (tx *Tx) Code(hash Key) (account AccountID, until int64, ok bool, err error) {
	rec, ok, err := tx.s.get(codeKey(tx.s.kbuf[:0], tx.p.id, hash))
	if !ok || err != nil {
		return 0, 0, false, err
	}
	var k code
	err = decodeCode(rec, &k)
	return k.account, k.until, err == nil, err
}

// DeleteCode ends a code: it has been used.
func (tx *Tx) DeleteCode(hash Key) error {
	account, _, ok, err := tx.Code(hash)
	if !ok || err != nil {
		return err
	}
	return tx.endCode(account)
}
