package ledger

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
)

// grantOne gives an account one point more, and says how many it had.
func grantOne(tx *Tx, id AccountID) (had int64, err error) {
	a, err := tx.Account(id)
	if err != nil || a == nil {
		return 0, errors.Join(err, errors.New("no account"))
	}
	had = a.Balance().Available
	op := &Operation{Kind: KindAdjust, Account: id, At: tx.Now(), Points: 1, Lots: []LotPart{{Active: 1, Points: 1}}}
	op.Legs[LegAdjusted] = -1
	_, err = tx.Append(op)
	return had, err
}

// fillRecords puts so much into the shard's cache of records that all else has to go.
func fillRecords(tx *Tx) {
	for n := range AccountID(50) {
		tx.s.records.put(n+1, make([]byte, maxCached))
	}
}

// TestARecordReadAheadIsUsedOnlyWhileItIsTheNewest: what another task has made
// of the account since is never overwritten by what was read before.
func TestARecordReadAheadIsUsedOnlyWhileItIsTheNewest(t *testing.T) {
	o := quiet(vfs.NewMem(), newHandClock())
	o.Shards, o.HotAccounts, o.RecordCacheBytes = 1, 1, recordSegment
	l := open(t, o)
	defer func() { require.NoError(t, l.Close()) }()
	r := rand.New(rand.NewPCG(3, 3))
	id, other := inPartition(r, 1), inPartition(r, 2)
	enrol(t, l, id, LotPart{Active: 1, Points: 100})
	enrol(t, l, other) // and the first is forgotten
	var a Ahead
	balance := func() (have int64) {
		must(t, l, 1, func(tx *Tx) error {
			tx.Use(&a)
			acc, err := tx.Account(id)
			have = acc.Balance().Available
			return err
		})
		return have
	}
	forget := func() {
		must(t, l, 2, func(tx *Tx) error {
			_, err := grantOne(tx, other)
			fillRecords(tx)
			return err
		})
		require.False(t, l.shards[0].records.has(id))
	}
	forget()

	l.ReadAhead(id, &a)
	require.EqualValues(t, 100, balance())
	require.EqualValues(t, 1, l.Stats().HotAhead, "it was used")
	require.True(t, l.shards[0].records.has(id))
	l.ReadAhead(id, &a)
	require.Zero(t, a.account, "nothing is read of what is in memory")

	forget()
	l.ReadAhead(id, &a)
	must(t, l, 1, func(tx *Tx) error { _, err := grantOne(tx, id); return err })
	forget()
	require.EqualValues(t, 101, balance(), "the record is older than the account")
	require.EqualValues(t, 1, l.Stats().HotAhead)

	stranger := inPartition(r, 1)
	l.ReadAhead(stranger, &a)
	must(t, l, 1, func(tx *Tx) error {
		tx.Use(&a)
		acc, err := tx.Account(stranger)
		require.Nil(t, acc)
		return err
	})
	require.EqualValues(t, 2, l.Stats().HotAhead, "that there is none was read ahead, too")
	enrol(t, l, stranger, LotPart{Active: 1, Points: 7})
	forget()
	must(t, l, 1, func(tx *Tx) error {
		tx.Use(&a)
		acc, err := tx.Account(stranger)
		require.EqualValues(t, 7, acc.Balance().Available)
		return err
	})
}

// inPartition draws an id of one of four partitions.
func inPartition(r *rand.Rand, partition int) AccountID {
	for {
		if id := AccountID(r.Uint64()); id != 0 && id.Partition(4) == partition {
			return id
		}
	}
}

// TestReadingAheadBesideWritersLosesNothing: everybody reads ahead, memory holds
// hardly anything, and each point that was given is there.
func TestReadingAheadBesideWritersLosesNothing(t *testing.T) {
	o := quiet(vfs.NewMem(), newHandClock())
	o.HotAccounts, o.RecordCacheBytes = 4, 2*recordSegment
	l := open(t, o)
	defer func() { require.NoError(t, l.Close()) }()
	r := rand.New(rand.NewPCG(4, 4))
	ids := make([]AccountID, 24)
	for i := range ids {
		ids[i] = inPartition(r, i%4)
		enrol(t, l, ids[i])
	}
	const each = 400
	var given [24]atomic.Int64
	var busy sync.WaitGroup
	for w := range 8 {
		busy.Go(func() {
			r := rand.New(rand.NewPCG(9, uint64(w)))
			var a Ahead
			k := &task{done: make(chan error, 1)}
			for range each {
				i := r.IntN(len(ids))
				l.ReadAhead(ids[i], &a)
				if r.IntN(8) == 0 {
					time.Sleep(time.Duration(r.IntN(200)) * time.Microsecond) // others write meanwhile
				}
				k.decide = func(tx *Tx) error {
					tx.Use(&a)
					_, err := grantOne(tx, ids[i])
					fillRecords(tx)
					return err
				}
				if l.Submit(i%4, k) != nil || <-k.done != nil {
					t.Error("a task failed")
					return
				}
				given[i].Add(1)
			}
		})
	}
	busy.Wait()
	var all int64
	for i, id := range ids {
		must(t, l, i%4, func(tx *Tx) error {
			a, err := tx.Account(id)
			require.Equal(t, given[i].Load(), a.Balance().Available)
			all += a.Balance().Available
			return err
		})
	}
	require.EqualValues(t, 8*each, all)
	require.Positive(t, l.Stats().HotAhead, "some of it was of use")
}
