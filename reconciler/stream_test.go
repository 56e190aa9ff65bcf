package reconciler

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"tillgate/reconciler/project"
	"tillgate/reconciler/services/servicetest"
	"tillgate/reconciler/stream"
)

func TestTheStreamInProcess(t *testing.T) {
	w := newWorld(t)
	w.o.Postgres = servicetest.Database(t)
	w.sell(50)
	w.run()
	w.settled()
	w.sell(200)
	w.erase(w.members[3])
	w.settled()
	w.profilesSettle()

	// A projector that starts again goes on where PostgreSQL stands.
	w.stop()
	w.sell(100)
	w.run()
	w.settled()
}

// The suite of the stream: journal → Kafka → PostgreSQL.
func TestTheStreamByKafka(t *testing.T) {
	for name, start := range brokers {
		t.Run(name, func(t *testing.T) {
			b := start(t)
			t.Run("from the journal to PostgreSQL", func(t *testing.T) { streamWhole(kafkaWorld(t, b)) })
			t.Run("the broker goes and comes back", func(t *testing.T) { streamBrokerGone(kafkaWorld(t, b), b) })
			t.Run("records come again", func(t *testing.T) { streamRepeats(kafkaWorld(t, b)) })
			t.Run("the ways are exchanged", func(t *testing.T) { streamExchanged(kafkaWorld(t, b)) })
			t.Run("a gap is refused", func(t *testing.T) { streamGap(kafkaWorld(t, b)) })
			t.Run("another ledger's topic is refused", func(t *testing.T) { streamForeign(kafkaWorld(t, b)) })
		})
	}
}

// kafkaWorld has topics of its own, by its test's name.
func kafkaWorld(t *testing.T, b broker) *world {
	w := newWorld(t)
	w.o.Postgres = servicetest.Database(t)
	w.o.Kafka.Brokers = []string{b.address()}
	w.o.Kafka.Topic = topicName(t)
	w.o.Kafka.ProfileTopic = w.o.Kafka.Topic + ".profiles"
	return w
}

func topicName(t *testing.T) string {
	name := []byte(t.Name())
	for i, c := range name {
		if c == '/' || c == ' ' || c == '\'' {
			name[i] = '_'
		}
	}
	return string(name)
}

func streamWhole(w *world) {
	w.sell(300)
	w.run()
	w.settled()
	w.profilesSettle()
	w.erase(w.members[2])
	w.sell(100)
	w.settled()
	w.profilesSettle()
	require.Zero(w, w.r.publisher.Lag())
	w.topicHoldsNothingPersonal()
}

// topicHoldsNothingPersonal reads every message of both topics: no name is in
// any, and an erased member's newest profile is a tombstone.
func (w *world) topicHoldsNothingPersonal() {
	w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	client := stream.Client(w.o.Kafka.Brokers, 10*time.Second, nil)
	read := func(name string, n int) (all []stream.Message) {
		topic := stream.Topic{Client: client, Name: name}
		for p := range n {
			next, end, err := topic.Bounds(ctx, p)
			require.NoError(w, err)
			for next < end {
				var messages []stream.Message
				messages, next, err = topic.Fetch(ctx, p, next, 1<<20, time.Second)
				require.NoError(w, err)
				all = append(all, messages...)
			}
		}
		return all
	}
	records := read(w.o.Kafka.Topic, partitions)
	require.GreaterOrEqual(w, len(records), 400)
	profiles := read(w.o.Kafka.ProfileTopic, partitions)
	require.GreaterOrEqual(w, len(profiles), 9)
	for _, m := range append(records, profiles...) {
		require.NotContains(w, string(m.Value), "Member")
		require.NotContains(w, string(m.Key), "Member")
	}
	newest := map[string][]byte{}
	for _, m := range profiles {
		newest[string(m.Key)] = m.Value
	}
	for i, id := range w.members {
		require.Equal(w, i == 2, newest[id.String()] == nil, "member %d", i)
	}
}

func streamBrokerGone(w *world, b broker) {
	w.sell(100)
	w.run()
	w.settled()
	b.stop(w.T)
	w.sell(200) // tills go on
	require.Eventually(w, func() bool { return w.publisherTrouble() != nil }, patience, 10*time.Millisecond)
	require.Positive(w, w.r.publisher.Lag(), "the backlog stays in the ledger and is told")
	b.start(w.T)
	w.sell(50)
	w.settled()
	require.Zero(w, w.r.publisher.Lag())
	require.NoError(w, w.publisherTrouble())
}

// A publisher that has lost its position sends everything again.
func streamRepeats(w *world) {
	w.sell(100)
	w.run()
	w.settled()
	w.stop()
	w.produceAgain(0, 1)
	w.sell(20)
	w.run()
	w.settled()
}

// produceAgain appends the records of a partition from a sequence on to the
// topic once more, as a crash between the acknowledgement and the keeping of
// the position would.
func (w *world) produceAgain(partition int, from uint64) {
	records, err := stream.ReadChunk(w.l, partition, from-1, 1<<20, 1<<30)
	require.NoError(w, err)
	var out []kafka.Record
	for _, r := range records {
		out = append(out, stream.NewRecord(stream.RecordKey(r.ID), r.Data, stream.Envelope{Store: StoreID(w.l), ID: r.ID}))
	}
	w.produce(partition, out)
}

func (w *world) produce(partition int, records []kafka.Record) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	topic := stream.Topic{Client: stream.Client(w.o.Kafka.Brokers, 10*time.Second, nil), Name: w.o.Kafka.Topic}
	require.NoError(w, topic.Produce(ctx, partition, records))
}

// The position is the journal's, so the stream may change its way at any time.
func streamExchanged(w *world) {
	byKafka := w.o.Kafka
	w.sell(100)
	w.run()
	w.settled()
	w.o.Kafka.Brokers = nil
	w.sell(100)
	w.run()
	w.settled()
	w.profilesSettle()
	w.o.Kafka = byKafka
	w.sell(700) // more than the search for the position looks through one by one
	w.run()
	w.settled()
	w.profilesSettle()
}

// A record that comes before its turn is not taken, nor is anything behind it
// until the missing ones are there.
func streamGap(w *world) {
	w.sell(200)
	w.run()
	w.settled()
	w.stop()
	from := w.l.Synced(0)
	for w.l.Synced(0) < from+4 {
		w.sell(1)
	}
	records, err := stream.ReadChunk(w.l, 0, from, 10, 1<<20)
	require.NoError(w, err)
	e := stream.Envelope{Store: StoreID(w.l), ID: records[2].ID}
	w.produce(0, []kafka.Record{stream.NewRecord(stream.RecordKey(e.ID), records[2].Data, e)})

	projector := project.New(project.Options{
		Config: w.config(), Store: e.Store, Partitions: partitions, Source: w.r.source(), Open: w.l.OpenProfile,
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); projector.Run(ctx) }()
	require.Eventually(w, func() bool {
		var gap *project.GapError
		return errors.As(projector.Trouble(), &gap) && *gap == project.GapError{Partition: 0, Want: from + 1, Got: from + 3}
	}, patience, 10*time.Millisecond)
	cancel()
	<-done

	w.run() // with a publisher, which sends what is missing
	w.settled()
}

func streamForeign(w *world) {
	w.sell(20)
	w.run()
	w.settled()
	w.stop()
	other := newWorld(w.T)
	other.o = w.o
	other.o.Postgres = servicetest.Database(w.T)
	other.sell(20)
	other.run()
	require.Eventually(w, func() bool { return errors.Is(other.publisherTrouble(), stream.ErrOtherTopic) }, patience, 10*time.Millisecond)
	require.Positive(w, other.r.publisher.Lag())
}

func TestPostgreSQLGoesAndComesBack(t *testing.T) {
	server := servicetest.OwnPostgres(t)
	w := newWorld(t)
	w.o.Postgres = server.DSN()
	w.sell(100)
	w.run()
	w.settled()
	for _, end := range []func(){
		func() { require.NoError(t, server.Stop(context.Background())) },
		server.Kill,
	} {
		end()
		w.sell(200) // tills go on
		require.Eventually(t, func() bool {
			return errors.Is(w.r.Export(context.Background(), io.Discard, "m", time.Unix(0, 0), time.Now(), "csv"), errUnreachable)
		}, patience, 10*time.Millisecond)
		require.NoError(t, server.Restart(context.Background()))
		w.settled()
	}
}

// PostgreSQL and Kafka are away for the whole run of a server, which is then
// killed; all is there after they return.
func TestBothAreAwayForAWholeRun(t *testing.T) {
	b := newFakeBroker(t)
	server := servicetest.OwnPostgres(t)
	w := kafkaWorld(t, b)
	w.o.Postgres = server.DSN()
	b.stop(t)
	require.NoError(t, server.Stop(context.Background()))
	w.run()
	w.sell(500)
	w.stop()
	require.NoError(t, w.l.Close())
	w.open()
	require.NoError(t, server.Restart(context.Background()))
	b.start(t)
	w.run()
	w.settled()
	w.profilesSettle()
}
