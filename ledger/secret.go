package ledger

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// The store's secret lies beside it in ledger.key (mode 0600): a text file of
//
//	tillgate-ledger-key 1
//	hash <64 hex digits>
//	profile <id> <64 hex digits>
//	…
//
// hash is the key under which everything global is indexed and never changes.
// profile keys encrypt profiles; the one with the highest id encrypts, all of
// them decrypt ([Ledger.RotateProfiles] adds one).
const (
	secretName   = "ledger.key"
	secretHeader = "tillgate-ledger-key 1"
	keyBytes     = 32
)

type secret struct {
	hash     [keyBytes]byte
	macs     sync.Pool // of *mac
	mu       sync.Mutex
	profiles atomic.Pointer[profileKeys]
}

// profileKeys is immutable; a rotation puts another one in its place.
type profileKeys struct {
	current uint32
	raw     map[uint32][keyBytes]byte
	aead    map[uint32]cipher.AEAD
}

func newSecret() (*secret, error) {
	s := &secret{}
	if _, err := rand.Read(s.hash[:]); err != nil {
		return nil, err
	}
	keys, err := (&profileKeys{}).add()
	if err != nil {
		return nil, err
	}
	s.profiles.Store(keys)
	return s, nil
}

// add answers the keys with a new one, which is the current one.
func (k *profileKeys) add() (*profileKeys, error) {
	var key [keyBytes]byte
	if _, err := rand.Read(key[:]); err != nil {
		return nil, err
	}
	return k.with(k.current+1, key)
}

func (k *profileKeys) with(id uint32, key [keyBytes]byte) (*profileKeys, error) {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	next := &profileKeys{current: max(k.current, id), raw: map[uint32][keyBytes]byte{id: key}, aead: map[uint32]cipher.AEAD{id: aead}}
	for old := range k.raw {
		next.raw[old], next.aead[old] = k.raw[old], k.aead[old]
	}
	return next, nil
}

// only answers the keys without all but the current one.
func (k *profileKeys) only() *profileKeys {
	id := k.current
	return &profileKeys{current: id,
		raw:  map[uint32][keyBytes]byte{id: k.raw[id]},
		aead: map[uint32]cipher.AEAD{id: k.aead[id]}}
}

func (s *secret) encode(keys *profileKeys) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\nhash %x\n", secretHeader, s.hash[:])
	for id := uint32(1); id <= keys.current; id++ {
		if key, ok := keys.raw[id]; ok {
			fmt.Fprintf(&b, "profile %d %x\n", id, key[:])
		}
	}
	return b.Bytes()
}

var errSecret = errors.New("ledger: the key file is damaged; without the right one the store's identifiers and profiles cannot be read")

func parseSecret(text []byte) (*secret, error) {
	s := &secret{}
	keys := &profileKeys{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	if !lines.Scan() || lines.Text() != secretHeader || !lines.Scan() {
		return nil, errSecret
	}
	word, value, _ := strings.Cut(lines.Text(), " ")
	if word != "hash" || !parseKey(value, &s.hash) {
		return nil, errSecret
	}
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		var key [keyBytes]byte
		if len(fields) != 3 || fields[0] != "profile" || !parseKey(fields[2], &key) {
			return nil, errSecret
		}
		id, err := strconv.ParseUint(fields[1], 10, 32)
		if err != nil || uint32(id) <= keys.current {
			return nil, errSecret
		}
		if keys, err = keys.with(uint32(id), key); err != nil {
			return nil, err
		}
	}
	if keys.current == 0 || lines.Err() != nil {
		return nil, errSecret
	}
	s.profiles.Store(keys)
	return s, nil
}

func parseKey(text string, key *[keyBytes]byte) bool {
	b, err := hex.DecodeString(text)
	return err == nil && copy(key[:], b) == keyBytes && len(b) == keyBytes
}

// write puts the key file in place: whole and synced, or not at all.
func (s *secret) write(fs vfs.FS, dir string, keys *profileKeys) (err error) {
	path := fs.PathJoin(dir, secretName)
	temporary := path + ".new"
	f, err := fs.Create(temporary, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	if err := restrict(fs, temporary); err != nil {
		return errors.Join(err, f.Close())
	}
	if _, err = f.Write(s.encode(keys)); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := fs.Rename(temporary, path); err != nil {
		return err
	}
	return syncDir(fs, dir)
}

func readSecret(fs vfs.FS, dir string) (*secret, error) {
	f, err := fs.Open(fs.PathJoin(dir, secretName))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return parseSecret(text)
}

// mac is an HMAC with the room that one use of it needs.
type mac struct {
	hash.Hash
	in  []byte
	out [sha256.Size]byte
}

// key hashes parts under a domain; each part has its length in front, so that
// no two lists of parts give the same bytes.
func (s *secret) key(domain string, parts ...string) (k Key) {
	m, _ := s.macs.Get().(*mac)
	if m == nil {
		m = &mac{Hash: hmac.New(sha256.New, s.hash[:])}
	}
	m.Reset()
	m.in = appendPart(m.in[:0], domain)
	for _, p := range parts {
		m.in = appendPart(m.in, p)
	}
	m.Write(m.in)
	copy(k[:], m.Sum(m.out[:0]))
	clear(m.in) // identifiers don't linger
	s.macs.Put(m)
	return k
}

func appendPart(dst []byte, p string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(p))), p...)
}
