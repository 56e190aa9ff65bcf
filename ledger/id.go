// Package ledger keeps the points: accounts with their lots and holds, the
// journal of operations, duplicate records, sales and the indexes beside
// them, in one Pebble store that is written by one event loop per shard.
//
// The journal is the truth. Deciding what to record is its caller's; how a
// record changes the state is here ([Apply]) and is pure, so that replaying
// the journal gives the same bytes. See docs/ledger.md.
package ledger

import (
	"encoding/binary"
	"errors"
)

// alphabet is Crockford's base 32: no I, L, O, U, so that an id survives
// being read out or typed from a slip.
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

const (
	sequenceBits = 50
	maxSequence  = 1<<sequenceBits - 1

	// MaxPartitions is what two base-32 characters of an operation id can name.
	MaxPartitions = 1024
)

// OpID names an operation: its partition (10 bits) and its sequence in that
// partition's journal (50 bits, from 1). Written as twelve base-32 characters
// it is both the id of the HTTP edge and the retrieval reference number
// (DE37). Zero is no operation.
type OpID uint64

// NewOpID joins a partition and a sequence.
func NewOpID(partition int, sequence uint64) OpID {
	return OpID(uint64(partition)<<sequenceBits | sequence&maxSequence)
}

// Partition is the partition whose journal holds the operation.
func (id OpID) Partition() int { return int(id >> sequenceBits) }

// Sequence is the operation's place in its partition's journal, from 1.
func (id OpID) Sequence() uint64 { return uint64(id) & maxSequence }

// Append appends the twelve characters of the id.
func (id OpID) Append(dst []byte) []byte { return appendBase32(dst, uint64(id), 12) }

func (id OpID) String() string { return string(id.Append(make([]byte, 0, 12))) }

var errID = errors.New("an id is written in Crockford's base 32")

// ParseOpID reads the twelve characters of an operation id.
func ParseOpID(s string) (OpID, error) {
	v, ok := parseBase32(s, 12)
	if !ok || v == 0 {
		return 0, errID
	}
	return OpID(v), nil
}

// AccountID names an account, and with it the member whose points it holds.
// It is random, so that it tells nothing and can't be guessed from another.
// Zero is no account.
type AccountID uint64

// Partition is the partition, of n, in which the account lives.
func (id AccountID) Partition(n int) int {
	return int(scatter(uint64(id)) % uint64(n))
}

// scatter is splitmix64's finaliser: every bit of z decides.
func scatter(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Append appends the thirteen characters of the id.
func (id AccountID) Append(dst []byte) []byte { return appendBase32(dst, uint64(id), 13) }

func (id AccountID) String() string { return string(id.Append(make([]byte, 0, 13))) }

// ParseAccountID reads the thirteen characters of an account id.
func ParseAccountID(s string) (AccountID, error) {
	v, ok := parseBase32(s, 13)
	if !ok || v == 0 {
		return 0, errID
	}
	return AccountID(v), nil
}

func appendBase32(dst []byte, v uint64, n int) []byte {
	for i := n - 1; i >= 0; i-- {
		dst = append(dst, alphabet[v>>(5*uint(i))&31])
	}
	return dst
}

func parseBase32(s string, n int) (uint64, bool) {
	if len(s) != n {
		return 0, false
	}
	var v uint64
	for i := range n {
		d := digits[s[i]]
		if d < 0 {
			return 0, false
		}
		if i == 0 && n == 13 && d > 15 {
			return 0, false // the thirteenth character holds four bits
		}
		v = v<<5 | uint64(d)
	}
	return v, true
}

var digits = func() (t [256]int8) {
	for i := range t {
		t[i] = -1
	}
	for i := range alphabet {
		t[alphabet[i]] = int8(i)
	}
	return t
}()

// Key is a keyed hash under which something global is found: a duplicate
// record, a receipt, an identifier. The key of the hash is the store's own
// secret, so that nothing can be guessed from it ([Ledger.Hash]).
type Key [16]byte

// Partition spreads what belongs to no account over n partitions.
func (k Key) Partition(n int) int {
	return int(binary.BigEndian.Uint64(k[:8]) % uint64(n))
}
