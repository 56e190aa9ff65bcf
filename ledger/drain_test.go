package ledger

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"
)

// logGate is a disk on which new logs can be held up, and with them the batch
// that has filled a memtable.
type logGate struct {
	gate
	held chan struct{} // gets one for each that waits
}

func (g *logGate) MaybeError(op errorfs.Op) error {
	if op.Kind != errorfs.OpCreate && op.Kind != errorfs.OpReuseForWrite || !strings.HasSuffix(op.Path, ".log") {
		return nil
	}
	g.mu.Lock()
	shut := g.shut
	g.mu.Unlock()
	if shut != nil {
		g.held <- struct{}{}
		<-shut
	}
	return nil
}

// TestWhatIsOnItsWayToTheStoreIsRead: while a batch is being applied the next
// one is decided, and what it reads is what the first has written, whatever was
// read ahead.
func TestWhatIsOnItsWayToTheStoreIsRead(t *testing.T) {
	logs := &logGate{held: make(chan struct{}, 1)}
	o := quiet(errorfs.Wrap(vfs.NewMem(), logs), newHandClock())
	o.Shards, o.RecordCacheBytes = 1, recordSegment
	l := open(t, o)
	r := rand.New(rand.NewPCG(5, 5))
	id := inPartition(r, 1)
	enrol(t, l, id, LotPart{Active: 1, Points: 100})
	freed, kept := l.Hash("phone", "1"), l.Hash("phone", "2")
	must(t, l, 1, func(tx *Tx) error { return tx.PutLink(freed, Link{Account: id}) })

	logs.close()
	first := make(chan error, 1)
	require.NoError(t, l.Submit(1, &task{func(tx *Tx) error {
		if _, err := grantOne(tx, id); err != nil {
			return err
		}
		if err := tx.DeleteLink(freed); err != nil {
			return err
		}
		if err := tx.PutLink(kept, Link{Account: id}); err != nil {
			return err
		}
		return tx.PutProfile(id, make([]byte, l.o.MemTableBytes)) // fills it
	}, first}))
	<-logs.held
	account, err := l.Account(id)
	require.NoError(t, err)
	require.EqualValues(t, 100, account.Balance().Available, "it is not applied")

	var a Ahead
	forgetAll := func(tx *Tx) {
		fillRecords(tx)
		tx.s.hot.drop(tx.s.hot.all[id])
	}
	second, decided := make(chan error, 1), make(chan struct{})
	var had int64
	var links []*Link
	require.NoError(t, l.Submit(1, &task{func(tx *Tx) error {
		defer close(decided)
		forgetAll(tx)
		l.ReadAhead(id, &a)
		require.Equal(t, id, a.account)
		tx.Use(&a)
		for _, key := range []Key{freed, kept} {
			link, err := tx.Link(key)
			if err != nil {
				return err
			}
			links = append(links, link)
		}
		var err error
		had, err = grantOne(tx, id)
		return err
	}, second}))
	<-decided
	require.Empty(t, first)
	require.Empty(t, second, "nothing is answered that may still be lost")
	logs.open()
	require.NoError(t, <-first)
	require.NoError(t, <-second)
	require.EqualValues(t, 101, had)
	require.Equal(t, []*Link{nil, {Account: id}}, links)
	account, err = l.Account(id)
	require.NoError(t, err)
	require.EqualValues(t, 102, account.Balance().Available)
	require.NoError(t, l.Close())
}

// TestAWarmUpWaitsForWhatIsOnItsWay: what it puts into memory is what the batch
// before has written, not what Pebble showed until then.
func TestAWarmUpWaitsForWhatIsOnItsWay(t *testing.T) {
	logs := &logGate{held: make(chan struct{}, 1)}
	o := quiet(errorfs.Wrap(vfs.NewMem(), logs), newHandClock())
	o.Shards = 1
	l := open(t, o)
	id := inPartition(rand.New(rand.NewPCG(6, 6)), 1)
	enrol(t, l, id, LotPart{Active: 1, Points: 100})
	logs.close()
	first, second := make(chan error, 1), make(chan error, 1)
	require.NoError(t, l.Submit(1, &task{func(tx *Tx) error {
		if _, err := grantOne(tx, id); err != nil {
			return err
		}
		return tx.PutProfile(id, make([]byte, l.o.MemTableBytes)) // fills a memtable
	}, first}))
	<-logs.held
	read := make(chan struct{})
	require.NoError(t, l.Submit(1, &task{func(tx *Tx) error {
		defer close(read)
		tx.s.records = newRecordCache(recordSegment) // it holds nothing of the account
		tx.s.hot.drop(tx.s.hot.all[id])
		return (&warmTask{}).Decide(tx)
	}, second}))
	select {
	case <-read: // it has not waited: what it has read is told below
	case <-time.After(50 * time.Millisecond):
	}
	logs.open()
	require.NoError(t, <-first)
	require.NoError(t, <-second)
	must(t, l, 1, func(tx *Tx) error {
		require.True(t, tx.s.records.has(id))
		had, err := grantOne(tx, id)
		require.EqualValues(t, 101, had)
		return err
	})
	require.NoError(t, l.Close())
}
