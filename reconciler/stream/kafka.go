package stream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
)

// ErrOtherTopic says that a topic is not what this ledger needs.
var ErrOtherTopic = errors.New("the topic does not belong to this ledger: give each ledger topics of its own")

// Message is a Kafka message as the reconciler reads it.
type Message struct {
	Offset   int64
	Key      []byte
	Value    []byte // nil for a tombstone
	Envelope Envelope
	Err      error // the envelope can't be read
}

// Topic is one topic of a Kafka cluster.
type Topic struct {
	Client *kafka.Client
	Name   string
}

// Client connects to a cluster by any of its brokers ("host:port"). Nothing
// is dialled before the first call. timeout bounds a call, waiting for data
// aside.
func Client(brokers []string, timeout time.Duration, secure *tls.Config) *kafka.Client {
	addrs := make([]net.Addr, len(brokers))
	for i, b := range brokers {
		addrs[i] = kafka.TCP(b)
	}
	return &kafka.Client{
		Addr:    kafka.TCP(brokers...),
		Timeout: timeout,
		Transport: &kafka.Transport{
			ClientID:    "tillgate",
			DialTimeout: 3 * time.Second,
			// Leaders move when brokers are restarted.
			MetadataTTL: 2 * time.Second,
			TLS:         secure,
		},
	}
}

// Ensure creates the topic where it is missing and refuses one that has
// another number of partitions: a record's partition is part of its id.
func (t Topic) Ensure(ctx context.Context, partitions, replication int, config map[string]string) error {
	n, err := t.partitions(ctx)
	if errors.Is(err, kafka.UnknownTopicOrPartition) {
		if err := t.create(ctx, partitions, replication, config); err != nil {
			return err
		}
		n, err = partitions, nil
	}
	if err != nil {
		return err
	}
	if n != partitions {
		return fmt.Errorf("%w: %s has %d partitions where %d are needed", ErrOtherTopic, t.Name, n, partitions)
	}
	return nil
}

func (t Topic) partitions(ctx context.Context) (int, error) {
	m, err := t.Client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{t.Name}})
	if err != nil {
		return 0, err
	}
	for _, topic := range m.Topics {
		if topic.Name == t.Name {
			return len(topic.Partitions), topic.Error
		}
	}
	return 0, kafka.UnknownTopicOrPartition
}

func (t Topic) create(ctx context.Context, partitions, replication int, config map[string]string) error {
	c := kafka.TopicConfig{Topic: t.Name, NumPartitions: partitions, ReplicationFactor: replication}
	for name, value := range config {
		c.ConfigEntries = append(c.ConfigEntries, kafka.ConfigEntry{ConfigName: name, ConfigValue: value})
	}
	res, err := t.Client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{c}})
	if err != nil {
		return err
	}
	if err := res.Errors[t.Name]; err != nil && !errors.Is(err, kafka.TopicAlreadyExists) {
		return fmt.Errorf("creating the topic %s: %w", t.Name, err)
	}
	return nil
}

// Bounds are the offset of the oldest message of a partition and the offset
// that the next one will get.
func (t Topic) Bounds(ctx context.Context, partition int) (first, end int64, err error) {
	res, err := t.Client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{
		t.Name: {kafka.FirstOffsetOf(partition), kafka.LastOffsetOf(partition)},
	}})
	if err != nil {
		return 0, 0, err
	}
	for _, p := range res.Topics[t.Name] {
		if p.Partition == partition {
			return p.FirstOffset, p.LastOffset, p.Error
		}
	}
	return 0, 0, kafka.UnknownTopicOrPartition
}

// Fetch reads messages of a partition from an offset on, up to about bytes,
// and waits for the first one no longer than wait. next is where to go on;
// messages may be none.
func (t Topic) Fetch(ctx context.Context, partition int, offset int64, bytes int64, wait time.Duration) (messages []Message, next int64, err error) {
	res, err := t.Client.Fetch(ctx, &kafka.FetchRequest{
		Topic: t.Name, Partition: partition, Offset: offset, MinBytes: 1, MaxBytes: bytes, MaxWait: wait,
	})
	if err != nil {
		return nil, offset, err
	}
	if res.Error != nil {
		return nil, offset, res.Error
	}
	next = offset
	for {
		r, err := res.Records.ReadRecord()
		if errors.Is(err, io.EOF) {
			return messages, next, nil
		}
		if err != nil {
			return nil, offset, err
		}
		m, err := message(r)
		if err != nil {
			return nil, offset, err
		}
		if m.Offset < offset {
			continue // a batch may begin before the offset that was asked for
		}
		next = m.Offset + 1
		messages = append(messages, m)
	}
}

func message(r *kafka.Record) (m Message, err error) {
	m.Offset = r.Offset
	if m.Key, err = readAll(r.Key); err != nil {
		return m, err
	}
	if m.Value, err = readAll(r.Value); err != nil {
		return m, err
	}
	m.Envelope, m.Err = ParseEnvelope(func(name string) string {
		for _, h := range r.Headers {
			if h.Key == name {
				return string(h.Value)
			}
		}
		return ""
	})
	return m, nil
}

// readAll reads and closes a part of a record; nil stays nil, which means a
// tombstone, and empty stays empty.
func readAll(b kafka.Bytes) ([]byte, error) {
	if b == nil {
		return nil, nil
	}
	defer func() { _ = b.Close() }() // it is memory
	out := make([]byte, b.Len())
	_, err := io.ReadFull(b, out)
	return out, err
}

// Tail is the newest message of a partition; ok is false if it has none.
func (t Topic) Tail(ctx context.Context, partition int) (m Message, ok bool, err error) {
	first, end, err := t.Bounds(ctx, partition)
	if err != nil || end <= first {
		return m, false, err
	}
	messages, _, err := t.Fetch(ctx, partition, end-1, 1<<20, time.Second)
	if err != nil || len(messages) == 0 {
		return m, false, err
	}
	return messages[len(messages)-1], true, nil
}

// Produce appends records to a partition and returns when all in-sync
// replicas have them.
func (t Topic) Produce(ctx context.Context, partition int, records []kafka.Record) error {
	res, err := t.Client.Produce(ctx, &kafka.ProduceRequest{
		Topic: t.Name, Partition: partition, RequiredAcks: kafka.RequireAll,
		Records: kafka.NewRecordReader(records...), Compression: kafka.Lz4,
	})
	if err != nil {
		return err
	}
	if res.Error != nil {
		return res.Error
	}
	for _, err := range res.RecordErrors {
		return err
	}
	return nil
}

// NewRecord makes a message about journal record e.ID.
func NewRecord(key, value []byte, e Envelope) kafka.Record {
	r := kafka.Record{Key: kafka.NewBytes(key), Value: kafka.NewBytes(value), Headers: make([]kafka.Header, 0, 4)}
	e.Headers(func(name, value string) {
		r.Headers = append(r.Headers, kafka.Header{Key: name, Value: []byte(value)})
	})
	return r
}

// JournalConfig is the configuration of the journal's topic where we create
// it. It is kept for ever, because it can rebuild the reporting database and
// is what a restored backup is completed from; an operator may shorten that.
func JournalConfig(replication int) map[string]string {
	return withInSync(replication, map[string]string{
		"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1", "max.message.bytes": strconv.Itoa(4 << 20),
	})
}

// ProfileConfig is the configuration of the compacted topic: what was erased
// is gone within a day or so.
func ProfileConfig(replication int) map[string]string {
	return withInSync(replication, map[string]string{
		"cleanup.policy": "compact", "max.compaction.lag.ms": "86400000", "delete.retention.ms": "86400000",
	})
}

func withInSync(replication int, config map[string]string) map[string]string {
	if replication >= 3 {
		config["min.insync.replicas"] = "2"
	}
	return config
}
