package ledger

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
)

func drawKey(r *rand.Rand) (k Key) {
	for i := range k {
		k[i] = byte(r.Uint32())
	}
	return k
}

// What was added is never called absent; what wasn't mostly is.
func TestTheFilterForgetsNoKey(t *testing.T) {
	f := newDupFilter(16 << 10) // 131,072 bits
	f.begin()
	r := rand.New(rand.NewPCG(1, 1))
	var added []Key
	for range 13_000 { // ten bits a key
		k := drawKey(r)
		require.False(t, f.absent(k), "it answers nothing before it has seen the store")
		f.add(k)
		added = append(added, k)
	}
	f.turn()
	for _, k := range added {
		require.False(t, f.absent(k))
	}
	wrong := 0
	for range 10_000 {
		if !f.absent(drawKey(r)) {
			wrong++
		}
	}
	require.Less(t, wrong, 400, "of 10,000")
	off := newDupFilter(-1)
	off.add(added[0])
	require.False(t, off.absent(added[0]))
}

// A filter that holds more keys than it is for is made anew, from what was not
// dropped, while requests go on; no key that is kept is forgotten meanwhile.
func TestAFullFilterIsMadeAnewWithoutWhatWasDropped(t *testing.T) {
	clock := newHandClock()
	o := brief(vfs.NewMem(), clock)
	o.DupFilterBytes = 2 << 10 // 1,638 keys
	l := open(t, o)
	defer func() { require.NoError(t, l.Close()) }()
	eventually(t, "the filter is full", func() bool { return l.Stats().Filter })
	r := rand.New(rand.NewPCG(3, 3))
	record := func(n int) (keys []Key) {
		must(t, l, 0, func(tx *Tx) error {
			for range n {
				keys = append(keys, drawKey(r))
				if _, err := tx.Append(&Operation{Kind: KindEvent, Dups: []DupRef{{Key: keys[len(keys)-1]}}}); err != nil {
					return err
				}
			}
			return nil
		})
		return keys
	}
	said := func() (absent int) {
		for range 1000 {
			if l.dupFilter.absent(drawKey(r)) {
				absent++
			}
		}
		return absent
	}
	record(8000)
	require.Less(t, said(), 500, "it is far too full")
	clock.move(3 * day)
	kept := record(500)
	_, err := l.DropOld()
	require.NoError(t, err)
	kept = append(kept, record(100)...) // while it fills, or after
	eventually(t, "it is made anew", func() bool { return l.dupFilter.next.Load() == nil })
	require.Greater(t, said(), 900)
	for _, key := range kept {
		list, err := l.Dups(key)
		require.NoError(t, err)
		require.Len(t, list, 1)
	}
	require.False(t, l.dupFilter.full())
	was := l.dupFilter.now.Load()
	_, err = l.DropOld()
	require.NoError(t, err)
	require.Same(t, was, l.dupFilter.now.Load(), "one that has room stays")
}

func TestAStoreWithFarTooManyKeysIsServedWithoutAFilter(t *testing.T) {
	fs, clock := vfs.NewMem(), newHandClock()
	o := quiet(fs, clock)
	l := open(t, o)
	eventually(t, "the filter is full", func() bool { return l.Stats().Filter })
	must(t, l, 0, func(tx *Tx) error {
		for i := range 120 {
			op := &Operation{Kind: KindEvent, Dups: []DupRef{{Key: Key{byte(i)}}, {Key: Key{byte(i), 1}}}}
			if _, err := tx.Append(op); err != nil {
				return err
			}
		}
		return nil
	})
	require.NoError(t, l.Close())
	for bytes, on := range map[int64]bool{1: false, 128: true} { // 51 keys, and 102
		o.DupFilterBytes = bytes
		l = open(t, o)
		if on {
			eventually(t, "240 keys are within four times 102", func() bool { return l.Stats().Filter })
		}
		list, err := l.Dups(Key{9, 1})
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.NoError(t, l.Close())
		require.Equal(t, on, l.Stats().Filter)
	}
}

func TestAReopenedStoreKnowsItsDuplicatesBeforeAndAfterTheFilterIsFull(t *testing.T) {
	fs, clock := vfs.NewMem(), newHandClock()
	keys := make([]Key, 500)
	r := rand.New(rand.NewPCG(2, 2))
	for i := range keys {
		keys[i] = drawKey(r)
	}
	for from := 0; from < len(keys); from += 100 {
		l := open(t, quiet(fs, clock))
		check := func() {
			must(t, l, 0, func(tx *Tx) error {
				for i, key := range keys {
					entries, err := tx.Dups(key)
					if err != nil || (len(entries) == 1) != (i < from) {
						t.Errorf("key %d of %d: %d entries, %v", i, from, len(entries), err)
					}
				}
				return nil
			})
		}
		check()
		eventually(t, "the filter is full", func() bool { return l.Stats().Filter })
		check()
		must(t, l, 0, func(tx *Tx) error {
			for _, key := range keys[from : from+100] {
				if _, err := tx.Append(&Operation{Kind: KindEvent, Dups: []DupRef{{Key: key}}}); err != nil {
					return err
				}
			}
			return nil
		})
		require.NoError(t, l.Close())
	}
}

// A receipt is found by its number from the moment that somebody may know of
// it: before the filter is filled, after, and in the next life of the store.
func TestAReopenedStoreKnowsItsReceipts(t *testing.T) {
	fs, clock := vfs.NewMem(), newHandClock()
	number := func(n int) string { return fmt.Sprint("R", n) }
	for from := 0; from < 60; from += 20 {
		l := open(t, quiet(fs, clock))
		check := func(upTo int) {
			t.Helper()
			must(t, l, 0, func(tx *Tx) error {
				for n := range 80 {
					key := l.ReceiptKey("", "S1", "T1", number(n))
					beside, err := l.Receipts(key)
					require.NoError(t, err)
					within, err := tx.Receipts(key)
					require.NoError(t, err)
					require.Equal(t, n < upTo, len(beside) == 1, "%d of %d, beside the shard", n, upTo)
					require.Equal(t, n < upTo, len(within) == 1, "%d of %d, in the shard", n, upTo)
				}
				return nil
			})
		}
		check(from)
		eventually(t, "the filter is filled", func() bool { return l.receiptFilter.now.Load() != nil })
		check(from)
		require.True(t, l.receiptFilter.absent(l.ReceiptKey("", "S1", "T1", "another one")), "told without a read")
		must(t, l, 0, func(tx *Tx) error {
			for n := from; n < from+20; n++ {
				op := &Operation{Kind: KindMark, Store: "S1", Terminal: "T1", Receipt: number(n)}
				if _, err := tx.Append(op); err != nil {
					return err
				}
			}
			return nil
		})
		check(from + 20)
		require.NoError(t, l.Close())
	}
}
