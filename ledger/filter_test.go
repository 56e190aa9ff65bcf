package ledger

import (
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
	r := rand.New(rand.NewPCG(1, 1))
	var added []Key
	for range 13_000 { // ten bits a key
		k := drawKey(r)
		require.False(t, f.absent(k), "it answers nothing before it has seen the store")
		f.add(k)
		added = append(added, k)
	}
	f.ready.Store(true)
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
