package project

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tillgate/ledger"
	"tillgate/reconciler/stream"
)

// Ledger is what the in-process stream needs of the ledger.
type Ledger interface {
	stream.Journal
	stream.Profiles
}

// JournalSource reads the synced journal in the same process: the way of the
// stream where no broker is configured.
type JournalSource struct {
	Ledger Ledger
	// ChunkRecords and ChunkBytes bound one delivery. 512 records, 1 MiB.
	ChunkRecords, ChunkBytes int
}

// idle is how long the source waits for word of new records before it looks
// by itself.
const idle = time.Second

// Follow delivers what is synced, partition after partition, a chunk at a
// time, so that a busy partition does not starve the others.
func (j *JournalSource) Follow(ctx context.Context, from Positions, emit func(Delivery) error) error {
	changed, end := j.Ledger.Subscribe()
	defer end()
	at := append([]uint64(nil), from.Journal...)
	if err := j.behind(from.Behind, emit); err != nil {
		return err
	}
	for {
		moved := false
		for p := range at {
			if j.Ledger.Synced(p) <= at[p] {
				continue
			}
			d, err := j.chunk(p, at[p])
			if err != nil {
				return err
			}
			if len(d.Records) == 0 {
				return fmt.Errorf("the journal of partition %d ends at %d before its synced mark %d", p, at[p], j.Ledger.Synced(p))
			}
			if err := emit(d); err != nil {
				return err
			}
			at[p] = d.Records[len(d.Records)-1].ID.Sequence()
			moved = true
		}
		if moved {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-time.After(idle):
		}
	}
}

// chunk reads the next records of a partition, with the profiles that go with
// them.
func (j *JournalSource) chunk(partition int, after uint64) (Delivery, error) {
	var d Delivery
	setDefault(&j.ChunkRecords, 512)
	setDefault(&j.ChunkBytes, 1<<20)
	records, err := stream.ReadChunk(j.Ledger, partition, after, j.ChunkRecords, j.ChunkBytes)
	var dropped *ledger.DroppedError
	if errors.As(err, &dropped) {
		return d, fmt.Errorf("PostgreSQL is at record %d and can't go on: %w; bring back a newer copy of the database", after, err)
	}
	if err != nil {
		return d, err
	}
	d.Records = records
	for i := range records {
		p, ok, err := stream.ProfileOf(j.Ledger, &records[i])
		if err != nil {
			return d, err
		}
		if ok {
			d.Profiles = append(d.Profiles, p)
		}
	}
	return d, nil
}

// behind delivers the profiles that another way of the stream still owed.
func (j *JournalSource) behind(accounts []ledger.AccountID, emit func(Delivery) error) error {
	for len(accounts) > 0 {
		n := min(len(accounts), 256)
		var d Delivery
		for _, id := range accounts[:n] {
			partition := id.Partition(j.Ledger.Partitions())
			asOf := j.Ledger.Synced(partition)
			sealed, err := j.Ledger.SealedProfile(id)
			if err != nil {
				return err
			}
			d.Profiles = append(d.Profiles, stream.Profile{Account: id, AsOf: ledger.NewOpID(partition, asOf), Sealed: sealed})
		}
		if err := emit(d); err != nil {
			return err
		}
		accounts = accounts[n:]
	}
	return nil
}
