package simulate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/createtopics"
	"github.com/segmentio/kafka-go/protocol/fetch"
	"github.com/segmentio/kafka-go/protocol/listoffsets"
	"github.com/segmentio/kafka-go/protocol/metadata"
	"github.com/segmentio/kafka-go/protocol/produce"
)

// Error codes of the Kafka protocol.
const (
	offsetOutOfRange = 1
	unknownTopic     = 3
)

// brokers are a Kafka cluster of memory that outlives the server's crashes. It
// answers kafka-go's requests without a wire.
type brokers struct {
	mu      sync.Mutex
	topics  map[string][]log
	changed chan struct{} // closed and replaced when something is appended

	down  atomic.Bool  // nobody answers
	lossy atomic.Bool  // every second acknowledgement is lost
	slow  atomic.Int64 // ns that a request takes
	acks  map[string]int
}

type log []message

type message struct {
	key, value []byte
	gone       bool // the value is a tombstone
	headers    []protocol.Header
}

func newBrokers() *brokers {
	return &brokers{topics: map[string][]log{}, changed: make(chan struct{}), acks: map[string]int{}}
}

// line is a process's connection to the brokers; a crash cuts it.
type line struct {
	b   *brokers
	cut atomic.Bool
}

var errNoBroker = errors.New("no broker answers")

// RoundTrip serves one request.
func (l *line) RoundTrip(ctx context.Context, _ net.Addr, req kafka.Request) (kafka.Response, error) {
	b := l.b
	if err := wait(ctx, time.Duration(b.slow.Load())); err != nil {
		return nil, err
	}
	if l.cut.Load() || b.down.Load() {
		return nil, errNoBroker
	}
	switch r := req.(type) {
	case *metadata.Request:
		return b.describe(r), nil
	case *createtopics.Request:
		return b.create(r), nil
	case *listoffsets.Request:
		return b.bounds(r), nil
	case *produce.Request:
		return b.append(r)
	case *fetch.Request:
		return b.fetch(ctx, r, l)
	}
	return nil, fmt.Errorf("the simulated brokers don't know %T", req)
}

func wait(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func (b *brokers) describe(r *metadata.Request) *metadata.Response {
	b.mu.Lock()
	defer b.mu.Unlock()
	res := &metadata.Response{Brokers: []metadata.ResponseBroker{{NodeID: 1, Host: "broker", Port: 9092}}, ControllerID: 1}
	for _, name := range r.TopicNames {
		t := metadata.ResponseTopic{Name: name}
		if b.topics[name] == nil {
			t.ErrorCode = unknownTopic
		}
		for i := range b.topics[name] {
			t.Partitions = append(t.Partitions, metadata.ResponsePartition{PartitionIndex: int32(i), LeaderID: 1})
		}
		res.Topics = append(res.Topics, t)
	}
	return res
}

func (b *brokers) create(r *createtopics.Request) *createtopics.Response {
	b.mu.Lock()
	defer b.mu.Unlock()
	res := &createtopics.Response{}
	for _, t := range r.Topics {
		if b.topics[t.Name] == nil {
			b.topics[t.Name] = make([]log, t.NumPartitions)
		}
		res.Topics = append(res.Topics, createtopics.ResponseTopic{Name: t.Name})
	}
	return res
}

func (b *brokers) bounds(r *listoffsets.Request) *listoffsets.Response {
	b.mu.Lock()
	defer b.mu.Unlock()
	res := &listoffsets.Response{}
	for _, t := range r.Topics {
		topic := listoffsets.ResponseTopic{Topic: t.Topic}
		for _, p := range t.Partitions {
			one := listoffsets.ResponsePartition{Partition: p.Partition, Timestamp: p.Timestamp}
			switch logs := b.topics[t.Topic]; {
			case logs == nil:
				one.ErrorCode = unknownTopic
			case p.Timestamp == kafka.LastOffset:
				one.Offset = int64(len(logs[p.Partition]))
			}
			topic.Partitions = append(topic.Partitions, one)
		}
		res.Topics = append(res.Topics, topic)
	}
	return res
}

// append takes the records of one partition; the acknowledgement may be lost,
// which the sender can't tell from a failure.
func (b *brokers) append(r *produce.Request) (kafka.Response, error) {
	topic, p := r.Topics[0].Topic, r.Topics[0].Partitions[0]
	var came []message
	for {
		rec, err := p.RecordSet.Records.ReadRecord()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		m := message{gone: rec.Value == nil, headers: rec.Headers}
		if m.key, err = protocol.ReadAll(rec.Key); err != nil {
			return nil, err
		}
		if m.value, err = protocol.ReadAll(rec.Value); err != nil {
			return nil, err
		}
		came = append(came, m)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	res := produce.ResponsePartition{Partition: p.Partition}
	if b.topics[topic] == nil {
		res.ErrorCode = unknownTopic
	} else {
		at := &b.topics[topic][p.Partition]
		*at = append(*at, came...)
		close(b.changed)
		b.changed = make(chan struct{})
	}
	where := fmt.Sprint(topic, p.Partition)
	if b.acks[where]++; b.lossy.Load() && b.acks[where]%2 == 1 {
		return nil, io.ErrUnexpectedEOF
	}
	return &produce.Response{Topics: []produce.ResponseTopic{{Topic: topic, Partitions: []produce.ResponsePartition{res}}}}, nil
}

// fetch waits for the first record as a broker does.
func (b *brokers) fetch(ctx context.Context, r *fetch.Request, l *line) (kafka.Response, error) {
	topic, p := r.Topics[0].Topic, r.Topics[0].Partitions[0]
	end := time.NewTimer(time.Duration(r.MaxWaitTime) * time.Millisecond)
	defer end.Stop()
	for {
		b.mu.Lock()
		res := fetch.ResponsePartition{Partition: p.Partition}
		var records []protocol.Record
		switch logs := b.topics[topic]; {
		case logs == nil:
			res.ErrorCode = unknownTopic
		case p.FetchOffset > int64(len(logs[p.Partition])):
			res.ErrorCode = offsetOutOfRange
		default:
			records = some(logs[p.Partition], p.FetchOffset, int(r.MaxBytes))
		}
		changed := b.changed
		b.mu.Unlock()
		if len(records) > 0 || res.ErrorCode != 0 {
			res.RecordSet.Records = protocol.NewRecordReader(records...)
			return &fetch.Response{Topics: []fetch.ResponseTopic{{Topic: topic, Partitions: []fetch.ResponsePartition{res}}}}, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-end.C:
			res.RecordSet.Records = protocol.NewRecordReader()
			return &fetch.Response{Topics: []fetch.ResponseTopic{{Topic: topic, Partitions: []fetch.ResponsePartition{res}}}}, nil
		case <-changed:
		}
		if l.cut.Load() || b.down.Load() {
			return nil, errNoBroker
		}
	}
}

// some are a log's records from an offset on, up to so many bytes, at least one.
func some(from log, offset int64, bytes int) (records []protocol.Record) {
	for i := offset; i < int64(len(from)) && (bytes > 0 || len(records) == 0); i++ {
		m := &from[i]
		rec := protocol.Record{Offset: i, Key: protocol.NewBytes(m.key), Headers: m.headers}
		if !m.gone {
			rec.Value = protocol.NewBytes(m.value)
		}
		records = append(records, rec)
		bytes -= len(m.value)
	}
	return records
}

// history is all that a partition of a topic holds.
func (b *brokers) history(topic string, partition int) log {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.topics[topic] == nil {
		return nil
	}
	return append(log(nil), b.topics[topic][partition]...)
}
