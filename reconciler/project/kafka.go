package project

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/sony/gobreaker/v2"

	"tillgate/reconciler/stream"
)

// KafkaSource reads the journal and the profiles back from their topics. Its
// partitions are fixed and it has no consumer group: where it stands is in
// PostgreSQL, as a sequence of the journal, which it looks up in the topic
// when it starts.
type KafkaSource struct {
	Journal, Profiles stream.Topic
	Store             string
	Partitions        int
	// Bytes is what one fetch brings at most, about. 1 MiB.
	Bytes int64
	// Timeout of a request beside waiting. 10 s.
	Timeout time.Duration
	// Pause lies between two attempts after a failure. 1 s.
	Pause  time.Duration
	Logger *slog.Logger

	breaker *gobreaker.CircuitBreaker[struct{}]
	grumble stream.Grumble
}

// poll is how long a fetch waits for the first message.
const poll = time.Second

// Follow reads every partition with a request of its own in flight, through
// every failure of the brokers. It ends with ctx, or when a topic turns out to
// be another ledger's.
func (k *KafkaSource) Follow(ctx context.Context, from Positions, emit func(Delivery) error) error {
	setDefault(&k.Bytes, 1<<20)
	setDefault(&k.Timeout, 10*time.Second)
	setDefault(&k.Pause, time.Second)
	if k.Logger == nil {
		k.Logger = slog.New(slog.DiscardHandler)
	}
	k.breaker = stream.Breaker("kafka (reading)", k.Pause, k.Logger, nil)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var readers sync.WaitGroup
	for n := range k.Partitions {
		readers.Go(func() { cancel(k.followJournal(ctx, n, from.Journal[n], emit)) })
	}
	for n := range stream.ProfilePartitions(k.Partitions) {
		next := int64(0)
		if n < len(from.Profiles) {
			next = from.Profiles[n]
		}
		readers.Go(func() { cancel(k.followProfiles(ctx, n, next, emit)) })
	}
	readers.Wait()
	return context.Cause(ctx)
}

// call runs one exchange with the brokers behind the breaker and repeats it
// until it succeeds or ctx ends.
func (k *KafkaSource) call(ctx context.Context, f func(context.Context) error) error {
	for {
		_, err := k.breaker.Execute(func() (struct{}, error) {
			ctx, cancel := context.WithTimeout(ctx, k.Timeout+poll)
			defer cancel()
			return struct{}{}, f(ctx)
		})
		if err == nil || errors.Is(err, kafka.OffsetOutOfRange) {
			return err
		}
		if ctx.Err() == nil && !errors.Is(err, gobreaker.ErrOpenState) && !errors.Is(err, gobreaker.ErrTooManyRequests) && k.grumble.Worth(err) {
			k.Logger.Error("the stream can't be read from Kafka", "cause", err.Error())
		}
		if !stream.Sleep(ctx, k.Pause) {
			return ctx.Err()
		}
	}
}

// followJournal delivers one partition after a sequence.
func (k *KafkaSource) followJournal(ctx context.Context, n int, after uint64, emit func(Delivery) error) error {
	offset, err := k.locate(ctx, n, after)
	if err != nil {
		return err
	}
	for {
		messages, next, err := k.fetch(ctx, k.Journal, n, offset)
		if errors.Is(err, kafka.OffsetOutOfRange) {
			// The topic was made anew, or its head was dropped.
			if offset, err = k.locate(ctx, n, after); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		var d Delivery
		for i := range messages {
			m := &messages[i]
			if err := k.ours(m, k.Journal.Name, n); err != nil {
				return err
			}
			if m.Envelope.ID.Partition() != n {
				return fmt.Errorf("%w: %s, partition %d, offset %d holds a record of partition %d",
					stream.ErrOtherTopic, k.Journal.Name, n, m.Offset, m.Envelope.ID.Partition())
			}
			after = max(after, m.Envelope.ID.Sequence())
			d.Records = append(d.Records, stream.Record{ID: m.Envelope.ID, Data: m.Value})
		}
		offset = next
		if len(d.Records) > 0 {
			if err := emit(d); err != nil {
				return err
			}
		}
	}
}

func (k *KafkaSource) ours(m *stream.Message, topic string, n int) error {
	if m.Err != nil {
		return fmt.Errorf("%s, partition %d, offset %d: %w", topic, n, m.Offset, m.Err)
	}
	if m.Envelope.Store != k.Store {
		return fmt.Errorf("%w: %s holds the records of another one", stream.ErrOtherTopic, topic)
	}
	return nil
}

func (k *KafkaSource) fetch(ctx context.Context, t stream.Topic, n int, offset int64) (messages []stream.Message, next int64, err error) {
	err = k.call(ctx, func(ctx context.Context) (err error) {
		messages, next, err = t.Fetch(ctx, n, offset, k.Bytes, poll)
		return err
	})
	return messages, next, err
}

// locate finds an offset from which on every record after a sequence comes.
//
// A partition holds its records in order but for repeats after a crash of the
// publisher, so that from one message to the next the sequence grows by at
// most one. Hence any message whose sequence is not above after+1 is a good
// start, whatever repeats lie around it; halving finds a late one. Without
// any such message the start is the first one, and the projector sees the gap.
func (k *KafkaSource) locate(ctx context.Context, n int, after uint64) (int64, error) {
	var low, high int64
	err := k.call(ctx, func(ctx context.Context) (err error) {
		low, high, err = k.Journal.Bounds(ctx, n)
		return err
	})
	if err != nil {
		return 0, err
	}
	const near = 256 // closer is not worth a request
	for after > 0 && high-low > near {
		middle := low + (high-low)/2
		var messages []stream.Message
		err := k.call(ctx, func(ctx context.Context) (err error) {
			messages, _, err = k.Journal.Fetch(ctx, n, middle, 1, poll)
			return err
		})
		if errors.Is(err, kafka.OffsetOutOfRange) {
			return k.locate(ctx, n, after)
		}
		if err != nil {
			return 0, err
		}
		if len(messages) == 0 {
			high = middle
			continue
		}
		if err := k.ours(&messages[0], k.Journal.Name, n); err != nil {
			return 0, err
		}
		if messages[0].Envelope.ID.Sequence() <= after+1 {
			low = middle
		} else {
			high = middle
		}
	}
	return low, nil
}

// followProfiles delivers one partition of the compacted topic. Reading it
// again from its beginning does no harm.
func (k *KafkaSource) followProfiles(ctx context.Context, n int, offset int64, emit func(Delivery) error) error {
	for {
		messages, next, err := k.fetch(ctx, k.Profiles, n, offset)
		if errors.Is(err, kafka.OffsetOutOfRange) {
			if err := k.call(ctx, func(ctx context.Context) (err error) {
				offset, _, err = k.Profiles.Bounds(ctx, n)
				return err
			}); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		if len(messages) == 0 {
			continue
		}
		d := Delivery{ProfilePartition: n, Next: next}
		for i := range messages {
			if err := k.ours(&messages[i], k.Profiles.Name, n); err != nil {
				return err
			}
			p, err := stream.DecodeProfile(messages[i].Key, messages[i].Value)
			if err != nil {
				return err
			}
			p.AsOf = messages[i].Envelope.ID
			d.Profiles = append(d.Profiles, p)
		}
		offset = next
		if err := emit(d); err != nil {
			return err
		}
	}
}
