package ledger

import "bytes"

// SealedProfile is an account's profile as it is stored, still encrypted; nil
// if there is none. It is what leaves the ledger for the stream.
func (l *Ledger) SealedProfile(id AccountID) (sealed []byte, err error) {
	_, err = load(l.db, profileKey(nil, id), func(rec []byte) error {
		sealed = bytes.Clone(rec)
		return nil
	})
	return sealed, err
}

// OpenProfile decrypts what [Ledger.SealedProfile] has given, wherever it has
// been since. The key that sealed it must still be in the key file.
func (l *Ledger) OpenProfile(id AccountID, sealed []byte) ([]byte, error) {
	return l.secret.open(sealed, id)
}
