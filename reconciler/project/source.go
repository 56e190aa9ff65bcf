package project

import (
	"context"

	"tillgate/ledger"
	"tillgate/reconciler/stream"
)

// Positions say from where a source is to deliver.
type Positions struct {
	// Journal is, per partition, the newest sequence that is already here.
	Journal []uint64
	// Profiles is, per partition of the profile topic, the next offset.
	Profiles []int64
	// Behind are the accounts whose profile is older than the newest record
	// that changed it, which happens when the way of the stream is changed.
	Behind []ledger.AccountID
}

// Delivery is some consecutive records of one partition, or some profiles, or
// both. Repeats are allowed, holes are not.
type Delivery struct {
	Records  []stream.Record
	Profiles []stream.Profile
	// Where reading the profile topic goes on; Next 0 when the profiles do
	// not come from there.
	ProfilePartition int
	Next             int64
}

func (d *Delivery) bytes() int {
	n := 0
	for i := range d.Records {
		n += len(d.Records[i].Data)
	}
	for i := range d.Profiles {
		n += len(d.Profiles[i].Sealed)
	}
	return n
}

// A Source is a way of the journal to the projector: in process or by Kafka.
// Follow delivers everything after the positions, each partition in order,
// until ctx ends or it fails. emit blocks while PostgreSQL is behind, and its
// error ends Follow.
type Source interface {
	Follow(ctx context.Context, from Positions, emit func(Delivery) error) error
}
