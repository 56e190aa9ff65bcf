package publish

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tillgate/ledger"
	"tillgate/reconciler/stream"
)

const patience = 30 * time.Second

// journal is a ledger's journal in memory.
type journal struct {
	mu       sync.Mutex
	records  [][][]byte
	meta     map[string][]byte
	profiles map[ledger.AccountID][]byte
}

func newJournal(partitions int) *journal {
	return &journal{records: make([][][]byte, partitions), meta: map[string][]byte{}, profiles: map[ledger.AccountID][]byte{}}
}

func (j *journal) add(partition int, op ledger.Operation) {
	j.mu.Lock()
	defer j.mu.Unlock()
	op.ID, op.Time = ledger.NewOpID(partition, uint64(len(j.records[partition])+1)), time.Now().UnixNano()
	j.records[partition] = append(j.records[partition], ledger.AppendOperation(nil, &op))
}

func (j *journal) fill(n int) {
	for i := range n {
		j.add(i%len(j.records), ledger.Operation{Kind: ledger.KindAccrue, Account: 5, Receipt: fmt.Sprint(i)})
	}
}

func (j *journal) Partitions() int { return len(j.records) }

func (j *journal) Synced(p int) uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return uint64(len(j.records[p]))
}

func (j *journal) Journal(p int, from uint64, fn func(ledger.OpID, []byte) bool) error {
	j.mu.Lock()
	records := j.records[p]
	j.mu.Unlock()
	for s := from; s <= uint64(len(records)) && fn(ledger.NewOpID(p, s), records[s-1]); s++ {
	}
	return nil
}

func (j *journal) Subscribe() (<-chan struct{}, func()) { return nil, func() {} }

func (j *journal) SealedProfile(id ledger.AccountID) ([]byte, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.profiles[id], nil
}

func (j *journal) Meta(name string) ([]byte, error) { return j.meta[name], nil }

func (j *journal) NoteMeta(name string, value []byte) error {
	j.meta[name] = value
	return nil
}

func cluster(t *testing.T) *kfake.Cluster {
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func options(c *kfake.Cluster, j *journal) Options {
	return Options{
		Ledger: j, Store: "test", Brokers: c.ListenAddrs(), BatchRecords: 7, Workers: 3,
		Save: 5 * time.Millisecond, Timeout: 10 * time.Second, Pause: 5 * time.Millisecond,
	}
}

// run publishes until everything is acknowledged, and stops.
func run(t *testing.T, o Options) *Publisher {
	t.Helper()
	p, err := New(o)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); p.Run(ctx) }()
	require.Eventually(t, func() bool { return p.Trouble() == nil && p.Lag() == 0 }, patience, time.Millisecond, "it did not catch up: %v", p.Trouble())
	cancel()
	<-done
	return p
}

// read is a partition of a topic as a reader sees it.
func read(t *testing.T, c *kfake.Cluster, topic string, partition int) (all []stream.Message) {
	t.Helper()
	ctx := context.Background()
	r := stream.Topic{Client: stream.Client(c.ListenAddrs(), patience, nil), Name: topic}
	next, end, err := r.Bounds(ctx, partition)
	require.NoError(t, err)
	for next < end {
		var messages []stream.Message
		messages, next, err = r.Fetch(ctx, partition, next, 1<<20, time.Second)
		require.NoError(t, err)
		all = append(all, messages...)
	}
	return all
}

// followed checks that a reader who skips repeats sees the whole journal in
// order and without a hole, and tells how many repeats there were.
func followed(t *testing.T, c *kfake.Cluster, j *journal) (repeats int) {
	t.Helper()
	for p := range j.records {
		last := uint64(0)
		for _, m := range read(t, c, "tillgate.journal", p) {
			require.NoError(t, m.Err)
			s := m.Envelope.ID.Sequence()
			if s <= last {
				repeats++
				continue
			}
			require.Equal(t, last+1, s, "a hole in partition %d", p)
			require.Equal(t, j.records[p][s-1], m.Value)
			last = s
		}
		require.Equal(t, j.Synced(p), last)
	}
	return repeats
}

func TestEverythingIsPublishedOnceWhenAllIsWell(t *testing.T) {
	c, j := cluster(t), newJournal(5)
	j.fill(200)
	run(t, options(c, j))
	require.Zero(t, followed(t, c, j))
	j.fill(100)
	run(t, options(c, j)) // goes on where it stood
	require.Zero(t, followed(t, c, j))
}

// Acknowledgements get lost, brokers refuse, connections break, at random: there
// may be repeats, there is no hole, and nothing is in the wrong order.
func TestNoFaultLeavesAHole(t *testing.T) {
	c, j := cluster(t), newJournal(3)
	j.fill(300)
	random := rand.New(rand.NewPCG(7, 7))
	var faults atomic.Int64
	c.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		switch random.IntN(4) {
		case 0: // refused: not the leader
			faults.Add(1)
			return refused(r.(*kmsg.ProduceRequest), 6), nil, true
		case 1: // no answer: the request is given up and sent again
			faults.Add(1)
			return nil, fmt.Errorf("cut"), true
		}
		return nil, nil, false
	})
	o := options(c, j)
	o.Timeout = 100 * time.Millisecond
	run(t, o)
	require.Greater(t, faults.Load(), int64(10))
	followed(t, c, j)
}

func refused(r *kmsg.ProduceRequest, code int16) kmsg.Response {
	answer := r.ResponseKind().(*kmsg.ProduceResponse)
	for _, topic := range r.Topics {
		one := kmsg.NewProduceResponseTopic()
		one.Topic, one.TopicID = topic.Topic, topic.TopicID
		for _, p := range topic.Partitions {
			part := kmsg.NewProduceResponseTopicPartition()
			part.Partition, part.ErrorCode = p.Partition, code
			one.Partitions = append(one.Partitions, part)
		}
		answer.Topics = append(answer.Topics, one)
	}
	return answer
}

// A crash loses what was not kept of the position: records come again.
func TestALostPositionRepeatsAndNeverSkips(t *testing.T) {
	c, j := cluster(t), newJournal(2)
	j.fill(100)
	run(t, options(c, j))
	clear(j.meta)
	j.fill(20)
	run(t, options(c, j))
	require.Equal(t, 100, followed(t, c, j))
}

// A topic that was deleted and made anew gets everything again.
func TestATopicThatWasMadeAnewIsFilled(t *testing.T) {
	c, j := cluster(t), newJournal(2)
	j.fill(50)
	run(t, options(c, j))
	other := cluster(t)
	run(t, options(other, j))
	require.Zero(t, followed(t, other, j))
}

func TestATopicWithOtherPartitionsIsRefused(t *testing.T) {
	c := cluster(t)
	small := newJournal(2)
	small.fill(2)
	run(t, options(c, small))
	large := newJournal(3)
	large.fill(3)
	p, err := New(options(c, large))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go p.Run(ctx)
	require.Eventually(t, func() bool {
		return p.Trouble() != nil && p.Trouble().Error() == stream.ErrOtherTopic.Error()+": tillgate.journal has 2 partitions where 3 are needed"
	},
		patience, time.Millisecond)
}

// A profile is there before the record that changed it, and erasing it leaves
// a tombstone.
func TestProfilesComeBeforeTheirRecords(t *testing.T) {
	c, j := cluster(t), newJournal(2)
	j.profiles[5] = []byte("sealed")
	j.add(0, ledger.Operation{Kind: ledger.KindRegister, Account: 5, Registered: true})
	run(t, options(c, j))
	to := stream.ProfilePartition(5, 2)
	got := read(t, c, "tillgate.profiles", to)
	require.Len(t, got, 1)
	p, err := stream.DecodeProfile(got[0].Key, got[0].Value)
	require.NoError(t, err)
	require.Equal(t, stream.Profile{Account: 5, Sealed: []byte("sealed")}, p)
	require.Equal(t, ledger.NewOpID(0, 1), got[0].Envelope.ID)

	delete(j.profiles, 5)
	j.add(0, ledger.Operation{Kind: ledger.KindErase, Account: 5})
	run(t, options(c, j))
	got = read(t, c, "tillgate.profiles", to)
	require.Len(t, got, 2)
	require.Nil(t, got[1].Value)
}

func TestPositionIsKept(t *testing.T) {
	at := []uint64{0, 1, 1 << 49, 7}
	b := encodePosition(at)
	require.Equal(t, "\x01\x04\x00\x01\x80\x80\x80\x80\x80\x80\x80\x01\x07", string(b), "the bytes of version 1")
	got, err := decodePosition(b)
	require.NoError(t, err)
	require.Equal(t, at, got)
}

func FuzzPosition(f *testing.F) {
	f.Add(encodePosition([]uint64{1, 2, 3}))
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		at, err := decodePosition(b)
		if err != nil {
			return
		}
		again, err := decodePosition(encodePosition(at))
		require.NoError(t, err)
		require.Equal(t, at, again)
	})
}
