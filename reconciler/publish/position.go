package publish

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"tillgate/reconciler/stream"
)

// The position is kept under the topic's name as: version (1 byte, 1), number
// of partitions (uvarint), then per partition the newest acknowledged
// sequence (uvarint).
const positionVersion = 1

func (p *Publisher) positionKey() string { return "publish/" + p.o.Topic }

func (p *Publisher) loadPosition() error {
	p.saved = make([]uint64, len(p.position))
	b, err := p.o.Ledger.Meta(p.positionKey())
	if err != nil {
		return fmt.Errorf("reading the publisher's position: %w", err)
	}
	if len(b) == 0 {
		return nil
	}
	at, err := decodePosition(b)
	if err != nil {
		return err
	}
	if len(at) != len(p.position) {
		return fmt.Errorf("the publisher's position is about %d partitions, the ledger has %d", len(at), len(p.position))
	}
	for i, s := range at {
		p.position[i].Store(s)
	}
	copy(p.saved, at)
	return nil
}

// Kept is, by partition, the newest acknowledged sequence that a crash can't
// take back: what was kept of the position. Nothing up to it is asked for again.
func (p *Publisher) Kept() ([]uint64, error) {
	b, err := p.o.Ledger.Meta(p.positionKey())
	if err != nil || len(b) == 0 {
		return make([]uint64, len(p.position)), err
	}
	return decodePosition(b)
}

// savePosition keeps the position if it has moved.
func (p *Publisher) savePosition() error {
	at := make([]uint64, len(p.position))
	for i := range p.position {
		at[i] = p.position[i].Load()
	}
	if slices.Equal(at, p.saved) {
		return nil
	}
	if err := p.o.Ledger.NoteMeta(p.positionKey(), encodePosition(at)); err != nil {
		return err
	}
	p.saved = at
	return nil
}

func encodePosition(at []uint64) []byte {
	b := binary.AppendUvarint([]byte{positionVersion}, uint64(len(at)))
	for _, s := range at {
		b = binary.AppendUvarint(b, s)
	}
	return b
}

var errPosition = errors.New("the publisher's position is not in a format of this version")

func decodePosition(b []byte) ([]uint64, error) {
	if len(b) == 0 || b[0] != positionVersion {
		return nil, errPosition
	}
	b = b[1:]
	next := func() (uint64, bool) {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return 0, false
		}
		b = b[n:]
		return v, true
	}
	count, ok := next()
	if !ok || count > uint64(len(b)) {
		return nil, errPosition
	}
	at := make([]uint64, count)
	for i := range at {
		if at[i], ok = next(); !ok {
			return nil, errPosition
		}
	}
	if len(b) != 0 {
		return nil, errPosition
	}
	return at, nil
}

// prepare makes sure that the topics are there and are ours, and that the
// position is not ahead of what they hold: a topic that was created anew, or
// lost its tail, gets those records again.
func (p *Publisher) prepare(ctx context.Context) error {
	n := p.o.Ledger.Partitions()
	if err := p.call(ctx, func(ctx context.Context) error {
		return p.journal.Ensure(ctx, n, p.o.Replication, stream.JournalConfig(p.o.Replication))
	}); err != nil {
		return err
	}
	if err := p.call(ctx, func(ctx context.Context) error {
		return p.profiles.Ensure(ctx, stream.ProfilePartitions(n), p.o.Replication, stream.ProfileConfig(p.o.Replication))
	}); err != nil {
		return err
	}
	for i := range n {
		if err := p.call(ctx, func(ctx context.Context) error { return p.align(ctx, i) }); err != nil {
			return err
		}
	}
	return nil
}

// align compares one partition's position with the newest message there.
func (p *Publisher) align(ctx context.Context, partition int) error {
	tail, ok, err := p.journal.Tail(ctx, partition)
	if err != nil {
		return err
	}
	if ok && tail.Err != nil {
		return fmt.Errorf("%w: %s, partition %d: %w", stream.ErrOtherTopic, p.o.Topic, partition, tail.Err)
	}
	if ok && tail.Envelope.Store != p.o.Store {
		return fmt.Errorf("%w: %s holds the records of another one", stream.ErrOtherTopic, p.o.Topic)
	}
	there := tail.Envelope.ID.Sequence() // 0 without a message
	if ok {
		if err := p.sameHistory(&tail); err != nil {
			return err
		}
	}
	// Never forwards: that the newest message is there says nothing about
	// those before it.
	if at := p.position[partition].Load(); there < at {
		p.o.Logger.Warn("the topic holds less than was published; the records are sent again",
			"topic", p.o.Topic, "partition", partition, "published", at, "there", there)
		p.position[partition].Store(there)
	}
	return nil
}

// sameHistory holds the newest message of a partition against the ledger's own
// record: a ledger that was restored from an older backup does not have it, or
// has another one in its place by now.
func (p *Publisher) sameHistory(tail *stream.Message) error {
	id := tail.Envelope.ID
	records, err := stream.ReadChunk(p.o.Ledger, id.Partition(), id.Sequence()-1, 1, 1)
	if err != nil {
		return err
	}
	if len(records) == 0 || !bytes.Equal(records[0].Data, tail.Value) {
		return fmt.Errorf("%w: %s holds records of partition %d that this ledger does not have (was it restored from an older backup?)",
			stream.ErrOtherTopic, p.o.Topic, id.Partition())
	}
	return nil
}
