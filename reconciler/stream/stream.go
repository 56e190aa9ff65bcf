// Package stream is what the publisher and the projector must agree on: what
// a journal record and a profile look like on their way, in process and as
// Kafka messages.
//
// A journal record goes to the topic partition of its own partition, in
// order, and may come more than once; (partition, sequence) tells a repeat
// from news and a hole from the next. Keys, headers and values of that topic
// hold no personal data. A profile goes, still encrypted, to a compacted topic
// keyed by account; a message without a value there erases it. See
// docs/stream.md for the offset tables.
package stream

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"tillgate/ledger"
)

// Format is the version of the messages' envelope: key and headers. The
// value's own version is in the record (package ledger).
const Format = 1

// Record is one record of the journal. Data is the record's bytes as the
// ledger wrote them.
type Record struct {
	ID   ledger.OpID
	Data []byte
}

// Profile is the current profile of an account at the time when record AsOf
// was published. Sealed is nil when the member has none (any more).
type Profile struct {
	Account ledger.AccountID
	AsOf    ledger.OpID
	Sealed  []byte
}

// Header names. Values are text, so that Kafka's own tools can show them.
const (
	HeaderFormat    = "format"
	HeaderStore     = "store"
	HeaderPartition = "partition"
	HeaderSequence  = "sequence"
)

// Envelope is what a message's headers say.
type Envelope struct {
	Store string // which ledger it is from
	ID    ledger.OpID
}

var (
	// ErrFormat says that a message has no envelope of a version known here.
	ErrFormat = errors.New("the message's format is not known to this version")
)

// ParseEnvelope reads the headers that header returns by name.
func ParseEnvelope(header func(name string) string) (Envelope, error) {
	if f := header(HeaderFormat); f != strconv.Itoa(Format) {
		return Envelope{}, fmt.Errorf("%w: %q", ErrFormat, f)
	}
	p, err := strconv.ParseUint(header(HeaderPartition), 10, 16)
	if err != nil || p >= ledger.MaxPartitions {
		return Envelope{}, fmt.Errorf("%w: partition %q", ErrFormat, header(HeaderPartition))
	}
	s, err := strconv.ParseUint(header(HeaderSequence), 10, 50)
	if err != nil || s == 0 {
		return Envelope{}, fmt.Errorf("%w: sequence %q", ErrFormat, header(HeaderSequence))
	}
	return Envelope{Store: header(HeaderStore), ID: ledger.NewOpID(int(p), s)}, nil
}

// Headers calls add for each header of a message about record id.
func (e Envelope) Headers(add func(name, value string)) {
	add(HeaderFormat, strconv.Itoa(Format))
	add(HeaderStore, e.Store)
	add(HeaderPartition, strconv.Itoa(e.ID.Partition()))
	add(HeaderSequence, strconv.FormatUint(e.ID.Sequence(), 10))
}

// RecordKey is the key of a journal record's message: partition/sequence.
func RecordKey(id ledger.OpID) []byte {
	b := strconv.AppendInt(nil, int64(id.Partition()), 10)
	return strconv.AppendUint(append(b, '/'), id.Sequence(), 10)
}

// ProfileKey is the key of a profile's message: the account's id, which tells
// nothing about the person.
func ProfileKey(id ledger.AccountID) []byte { return id.Append(nil) }

// ProfilePartitions is how many partitions the profile topic has: profiles
// change rarely, so that a few do for every ledger.
func ProfilePartitions(ledgerPartitions int) int { return min(ledgerPartitions, 8) }

// ProfilePartition is where an account's profile goes.
func ProfilePartition(id ledger.AccountID, ledgerPartitions int) int {
	return id.Partition(ledgerPartitions) % ProfilePartitions(ledgerPartitions)
}

// AppendProfile appends the value of a profile's message: the envelope's
// version as one byte, the account as eight (big-endian), the sealed profile.
func AppendProfile(dst []byte, p *Profile) []byte {
	dst = append(dst, Format)
	dst = binary.BigEndian.AppendUint64(dst, uint64(p.Account))
	return append(dst, p.Sealed...)
}

// DecodeProfile reads a profile's message: key and value; a nil value is an
// erased profile.
func DecodeProfile(key, value []byte) (Profile, error) {
	id, err := ledger.ParseAccountID(string(key))
	if err != nil {
		return Profile{}, fmt.Errorf("%w: the key is no account", ErrFormat)
	}
	if value == nil {
		return Profile{Account: id}, nil
	}
	if len(value) < 10 || value[0] != Format {
		return Profile{}, fmt.Errorf("%w: a profile", ErrFormat)
	}
	if ledger.AccountID(binary.BigEndian.Uint64(value[1:])) != id {
		return Profile{}, fmt.Errorf("%w: key and value name two accounts", ErrFormat)
	}
	return Profile{Account: id, Sealed: value[9:]}, nil
}

// ChangesProfile reports whether a record of this kind goes with a profile
// that may have changed.
func ChangesProfile(k ledger.Kind) bool {
	switch k {
	case ledger.KindEnrol, ledger.KindRegister, ledger.KindProfile, ledger.KindErase, ledger.KindMerge:
		return true
	}
	return false
}
