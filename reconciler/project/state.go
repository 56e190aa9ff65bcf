package project

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"tillgate/ledger"
)

// state is where the projection stands, as far as the open batches have come.
// After a failure it is thrown away and read again from the database. Each lane
// has its own, over partitions that no other lane touches.
type state struct {
	partitions []partition
	profiles   []int64
	behind     []ledger.AccountID
	lane, of   int // this lane's are the partitions lane, lane+of, lane+2*of, …
	tables     [2]tables
	turn       int // which tables the open batch has
	again      *time.Timer
	decoder    ledger.Decoder
	op         ledger.Operation // decoded into, record by record, for the room of its lists
}

// lanes divides what was read among so many lanes.
func (s *state) lanes(n int) []*state {
	all := make([]*state, n)
	for i := range all {
		all[i] = &state{partitions: s.partitions, lane: i, of: n, tables: [2]tables{newTables(), newTables()}}
	}
	return all
}

// partition is where one partition stands.
type partition struct {
	sequence uint64 // newest record accepted
	booked   int64  // its time
	window   window
	stuck    error // why nothing is accepted before the next record in order
}

func (s *state) positions() Positions {
	at := Positions{Journal: make([]uint64, len(s.partitions)), Profiles: s.profiles, Behind: s.behind}
	for i := range s.partitions {
		at.Journal[i] = s.partitions[i].sequence
	}
	return at
}

// stop makes a partition wait for its next record in order. The source is read
// again from the position after a while, in case that it comes no other way.
func (s *state) stop(partition int, cause error, again time.Duration) {
	s.partitions[partition].stuck = cause
	if s.again == nil {
		s.again = time.NewTimer(again)
	}
}

// goOn notes that the record a partition waited for has come.
func (s *state) goOn(partition int) {
	s.partitions[partition].stuck = nil
	if s.stuck() == nil && s.again != nil {
		s.again.Stop()
		s.again = nil
	}
}

// stuck is why a partition of this lane waits, nil if none does.
func (s *state) stuck() error {
	for i := s.lane; i < len(s.partitions); i += s.of {
		if err := s.partitions[i].stuck; err != nil {
			return err
		}
	}
	return nil
}

// retry fires when the source is to be read again for a partition that waits.
func (s *state) retry() <-chan time.Time {
	if s.again == nil {
		return nil
	}
	return s.again.C
}

// connect brings the schema up to date, opens a connection for each lane and
// reads where the projection stands.
func (p *Projector) connect(ctx context.Context) (to []database, s *state, err error) {
	ctx, cancel := context.WithTimeout(ctx, p.o.Timeout)
	defer cancel()
	if !p.migrated {
		if err := Migrate(ctx, p.o.Config); err != nil {
			return nil, nil, err
		}
		p.migrated = true
	}
	defer func() {
		if err != nil {
			closeAll(ctx, to)
		}
	}()
	stages := newTables()
	for range p.o.Connections {
		conn, err := pgx.ConnectConfig(ctx, p.o.Config)
		if err != nil {
			return to, nil, err
		}
		to = append(to, postgres{conn})
		if s == nil {
			if s, err = p.load(ctx, conn); err != nil {
				p.migrated = false // perhaps somebody has dropped the schema to have it built anew
				return to, nil, err
			}
		}
		if err := stages.prepare(ctx, conn); err != nil {
			return to, nil, err
		}
	}
	return to, s, nil
}

func (p *Projector) load(ctx context.Context, conn *pgx.Conn) (*state, error) {
	if err := Bind(ctx, conn, p.o.Store, p.o.Partitions); err != nil {
		return nil, err
	}
	s := &state{partitions: make([]partition, p.o.Partitions)}
	rows, err := conn.Query(ctx, "SELECT partition, sequence, coalesce((extract(epoch FROM booked_at) * 1000000)::bigint, 0), window_state FROM positions")
	if err != nil {
		return nil, err
	}
	var n int
	var sequence, booked int64
	var open []byte
	_, err = pgx.ForEachRow(rows, []any{&n, &sequence, &booked, &open}, func() error {
		if n < 0 || n >= len(s.partitions) {
			return fmt.Errorf("partition %d of %d has a position", n, len(s.partitions))
		}
		at := &s.partitions[n]
		at.sequence, at.booked = uint64(sequence), booked*1000
		return at.window.load(open)
	})
	if err != nil {
		return nil, fmt.Errorf("reading the positions: %w", err)
	}
	if err := p.aheadOfLedger(s); err != nil {
		return nil, err
	}
	return s, s.loadProfiles(ctx, conn)
}

// ErrAhead says that PostgreSQL holds records that the ledger does not have: the
// ledger was restored from an older copy. Going on would mix two histories.
var ErrAhead = errors.New("PostgreSQL holds records that this ledger does not have (was it restored from an older backup?): bring back the newer ledger, or have the schema built anew from the journal")

// aheadOfLedger compares the newest record of each partition with the
// ledger's: a ledger that was restored and has grown since has another one in
// its place.
func (p *Projector) aheadOfLedger(s *state) error {
	for i := range s.partitions {
		at := &s.partitions[i]
		if p.o.Synced != nil && at.sequence > p.o.Synced(i) {
			return ErrAhead
		}
		if p.o.Booked == nil || at.sequence == 0 {
			continue
		}
		if p.o.First != nil && at.sequence < p.o.First(i) {
			continue // the ledger keeps it no more; whether it goes on the source knows
		}
		booked, err := p.o.Booked(ledger.NewOpID(i, at.sequence))
		if err != nil {
			return err
		}
		if booked/1000 != at.booked/1000 { // PostgreSQL keeps microseconds
			return ErrAhead
		}
	}
	return nil
}

func (s *state) loadProfiles(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, "SELECT partition, next FROM profile_offsets ORDER BY partition")
	if err != nil {
		return err
	}
	var n int
	var next int64
	if _, err = pgx.ForEachRow(rows, []any{&n, &next}, func() error {
		for len(s.profiles) <= n {
			s.profiles = append(s.profiles, 0)
		}
		s.profiles[n] = next
		return nil
	}); err != nil {
		return fmt.Errorf("reading the profiles' offsets: %w", err)
	}
	rows, err = conn.Query(ctx, "SELECT account FROM members WHERE profile_as_of < profile_wanted ORDER BY account")
	if err != nil {
		return err
	}
	var account string
	_, err = pgx.ForEachRow(rows, []any{&account}, func() error {
		id, err := ledger.ParseAccountID(account)
		if err == nil {
			s.behind = append(s.behind, id)
		}
		return err
	})
	return err
}
