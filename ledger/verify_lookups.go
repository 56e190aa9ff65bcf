package ledger

import (
	"bytes"
	"errors"
	"slices"
	"unsafe"

	"github.com/cockroachdb/pebble/v2"
)

// A lookup is what should lie under a key of the store.
type lookup struct {
	key      smallKey
	op       OpID // whose finding it is if it does not; 0 for nobody's
	account  AccountID
	of       OpID  // the operation that should be named there
	time     int64 // ledger time of op, unix ns
	mark     bool
	from, to int // of the lookups' text
}

// lookups gathers what the proof wants to know from all over a keyspace, and
// then looks it up in the order of the keys. The keys are hashes: one after the
// other as the journal has them, each would cost a search through all levels of
// the store and most often the reading of a block. In order a block serves all
// whose keys lie in it, and the store goes on from where it is.
type lookups struct {
	db    pebble.Reader
	space byte
	// holds is told what lies under a key, nil and false if nothing does, and
	// reports whether it is what should. The bytes are valid within the call.
	holds func(q *lookup, rec []byte, found bool) (bool, error)
	fails func(*lookup) // told of each that does not hold, in the order in which they were asked

	asked []lookup
	order []int32
	text  []byte
	room  int // of asked and text, in bytes
}

// lookupRoom is the memory of one kind of lookups of a section, in bytes: some
// hundred thousand. With less of them each block of a large store is read for
// fewer keys.
const lookupRoom = 32 << 20

// ask adds a lookup, with the text that it is compared with, and makes all that
// wait if there is no room for more.
func (s *lookups) ask(key []byte, q lookup, text []byte) error {
	q.key, q.from = small(key), len(s.text)
	s.text = append(s.text, text...)
	q.to = len(s.text)
	s.asked = append(s.asked, q)
	if len(s.text)+len(s.asked)*int(unsafe.Sizeof(q)) < s.room {
		return nil
	}
	return s.look()
}

// wants is the text that a lookup was asked with.
func (s *lookups) wants(q *lookup) []byte { return s.text[q.from:q.to] }

// look makes all lookups that wait.
func (s *lookups) look() error {
	if len(s.asked) == 0 {
		return nil
	}
	key := func(i int32) []byte { k := &s.asked[i].key; return k.b[:k.n] }
	s.order = s.order[:0]
	for i := range s.asked {
		s.order = append(s.order, int32(i))
	}
	slices.SortFunc(s.order, func(a, b int32) int { return bytes.Compare(key(a), key(b)) })
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{s.space}, UpperBound: []byte{s.space + 1}})
	if err != nil {
		return err
	}
	failed := s.order[:0] // in the room of those that have been looked up
	for _, i := range s.order {
		var rec []byte
		found := it.SeekGE(key(i)) && bytes.Equal(it.Key(), key(i))
		if found {
			rec, err = it.ValueAndErr()
		} else {
			err = it.Error()
		}
		holds := false
		if err == nil {
			holds, err = s.holds(&s.asked[i], rec, found)
		}
		if err != nil {
			return errors.Join(err, it.Close())
		}
		if !holds {
			failed = append(failed, i)
		}
	}
	slices.Sort(failed)
	for _, i := range failed {
		s.fails(&s.asked[i])
	}
	s.asked, s.text = s.asked[:0], s.text[:0]
	return it.Close()
}
