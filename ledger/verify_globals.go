package ledger

import "github.com/cockroachdb/pebble/v2"

// keySlices is into how many parts a keyspace of all partitions is cut, by the
// first half byte of its keys: hashes and account ids are spread evenly.
const keySlices = 16

// globals are the parts of the proof of what belongs to no partition: the audit
// is chained, identifiers lead to accounts, sealed rows and profiles decrypt.
func (v *verifier) globals(proof *Proof) []section {
	all := []section{func(say func(Finding)) error { return v.proveAudit(proof, say) }}
	for i := range keySlices {
		all = append(all, func(say func(Finding)) error { return v.links(i, say) })
	}
	all = append(all, v.sealed)
	for i := range keySlices {
		all = append(all, func(say func(Finding)) error { return v.profiles(i, say) })
	}
	return all
}

// slice calls fn for each key of a part of a keyspace, in order. Key and value
// are valid within the call only.
func (v *verifier) slice(space byte, i int, fn func(key, rec []byte) error) error {
	const width = 256 / keySlices
	o := &pebble.IterOptions{LowerBound: []byte{space, byte(i * width)}, UpperBound: []byte{space, byte((i + 1) * width)}}
	if i == 0 {
		o.LowerBound = []byte{space}
	}
	if i == keySlices-1 {
		o.UpperBound = []byte{space + 1}
	}
	return scanWithin(v.db, o, o.LowerBound, func(key, rec []byte) (bool, error) { return true, fn(key, rec) })
}

// accountsExist are lookups of accounts; what is said of one that there is not.
func (v *verifier) accountsExist(what string, say func(Finding)) *lookups {
	return &lookups{
		db: v.db, space: spaceAccount, room: v.room,
		holds: func(_ *lookup, _ []byte, found bool) (bool, error) { return found, nil },
		fails: func(q *lookup) { say(Finding{Account: q.account, What: what}) },
	}
}

func (v *verifier) links(i int, say func(Finding)) error {
	there := v.accountsExist("an identifier leads to it and it does not exist", say)
	var kbuf []byte
	err := v.slice(spaceLink, i, func(_, rec []byte) error {
		var link Link
		if err := decodeLink(rec, &link); err != nil {
			return err
		}
		if link.Account == 0 && checkLink(&link) == nil {
			return nil // a card that is nobody's yet
		}
		kbuf = accountKey(kbuf[:0], link.Account.Partition(len(v.l.parts)), link.Account)
		return there.ask(kbuf, lookup{account: link.Account}, nil)
	})
	if err != nil {
		return err
	}
	return there.look()
}

func (v *verifier) sealed(say func(Finding)) error {
	return scan(v.db, []byte{spaceSealed}, func(key, rec []byte) (bool, error) {
		if _, err := v.l.secret.openRow(key, rec); err != nil {
			say(Finding{What: "a row of a directory: " + err.Error()})
		}
		return true, nil
	})
}

func (v *verifier) profiles(i int, say func(Finding)) error {
	there := v.accountsExist("it has a profile and does not exist", say)
	var kbuf []byte
	err := v.slice(spaceProfile, i, func(key, rec []byte) error {
		id := AccountID(trailing(key))
		if _, err := v.l.secret.open(rec, id); err != nil {
			say(Finding{Account: id, What: err.Error()})
		}
		kbuf = accountKey(kbuf[:0], id.Partition(len(v.l.parts)), id)
		return there.ask(kbuf, lookup{account: id}, nil)
	})
	if err != nil {
		return err
	}
	return there.look()
}
