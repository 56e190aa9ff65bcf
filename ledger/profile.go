package ledger

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
)

// A profile is what is personal about a member: the caller's bytes, encrypted.
// It is no part of the journal. Version 1:
//
//	offset  size  what
//	0       1     'P'
//	1       1     1
//	2       4     id of the key
//	6       12    nonce
//	18      …     AES-256-GCM of the profile; bytes 0 to 5 and the account id
//	              are authenticated with it
const (
	profileVersion = 1
	profileHeader  = 18
)

func (s *secret) seal(dst []byte, id AccountID, plain []byte) ([]byte, error) {
	keys := s.profiles.Load()
	start := len(dst)
	dst = append(dst, tagProfile, profileVersion)
	dst = binary.BigEndian.AppendUint32(dst, keys.current)
	bound := profileBound(dst[start:], id)
	var nonce [12]byte
	if _, err := rand.Read(nonce[:]); err != nil {
		return nil, err
	}
	dst = append(dst, nonce[:]...)
	return keys.aead[keys.current].Seal(dst, nonce[:], plain, bound), nil
}

// profileBound is what is authenticated beside the profile: a record can't be
// moved to another account.
func profileBound(header []byte, id AccountID) []byte {
	return binary.BigEndian.AppendUint64(append(make([]byte, 0, 14), header[:6]...), uint64(id))
}

var errProfile = errors.New("ledger: a profile does not decrypt")

func (s *secret) open(rec []byte, id AccountID) ([]byte, error) {
	keyID, err := profileKeyID(rec)
	if err != nil {
		return nil, err
	}
	aead, ok := s.profiles.Load().aead[keyID]
	if !ok {
		return nil, fmt.Errorf("%w: its key %d is not in the key file", errProfile, keyID)
	}
	plain, err := aead.Open(nil, rec[6:profileHeader], rec[profileHeader:], profileBound(rec, id))
	if err != nil {
		return nil, errProfile
	}
	return plain, nil
}

func profileKeyID(rec []byte) (uint32, error) {
	if err := checkHeader(rec, tagProfile, profileVersion); err != nil {
		return 0, err
	}
	if len(rec) < profileHeader {
		return 0, fmt.Errorf("%w: a profile shorter than its header", ErrCorrupt)
	}
	return binary.BigEndian.Uint32(rec[2:]), nil
}

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
