package project

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// errUnknown says that the position is in a database that was not reached yet.
var errUnknown = errors.New("PostgreSQL has not been reached yet")

// Kept is, by partition, the newest sequence that is in PostgreSQL and that not
// even a crash there takes back: nothing up to it is asked for again.
//
// The projection's commits don't wait for PostgreSQL's disk. Here a commit that
// does follows them: the log is one, so that it brings there what stands before
// it. That takes a connection and a sync, and is for who asks now and then.
func (p *Projector) Kept() ([]uint64, error) {
	if !p.loaded.Load() || p.o.Config == nil {
		return nil, errUnknown
	}
	ctx, cancel := context.WithTimeout(context.Background(), p.o.Timeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, p.o.Config)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	at, err := p.positions(ctx, conn)
	if err != nil {
		return nil, fmt.Errorf("reading the positions: %w", err)
	}
	const sync = "SET synchronous_commit = on; UPDATE source SET store = store"
	if _, err := conn.Exec(ctx, sync, pgx.QueryExecModeSimpleProtocol); err != nil {
		return nil, fmt.Errorf("bringing the positions to PostgreSQL's disk: %w", err)
	}
	return at, nil
}

// positions reads the positions of this ledger.
func (p *Projector) positions(ctx context.Context, conn *pgx.Conn) ([]uint64, error) {
	rows, err := conn.Query(ctx, "SELECT sequence FROM positions, source WHERE store = $1 ORDER BY partition", p.o.Store)
	if err != nil {
		return nil, err
	}
	at, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, err
	}
	if len(at) != p.o.Partitions {
		return nil, ErrOtherLedger
	}
	kept := make([]uint64, len(at))
	for i, sequence := range at {
		kept[i] = uint64(sequence)
	}
	return kept, nil
}
