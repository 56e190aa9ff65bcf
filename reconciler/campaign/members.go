package campaign

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"tillgate/ledger"
	"tillgate/protocol"
)

// unknownSegment is the refusal of a segment that the programme doesn't have.
func unknownSegment(name string) error {
	return &protocol.Refusal{Code: protocol.NotFound, Field: "segment", Detail: "the programme in force has no segment " + name}
}

// roll reads the members of a segment one after the other. PostgreSQL finds who
// comes into question and the figures of their history; the account has the last
// word, judged by the code that judges receipts. It is a pgx.CopyFromSource, so
// that a list of any length is written as it is read.
type roll struct {
	rows    pgx.Rows
	belongs func(ledger.AccountID, []int64) (bool, error)
	run     int64 // the run whose list it becomes

	account string
	looked  []int64
	dest    []any
	n       int64
	err     error
}

// openRoll asks for the members of a segment at a moment of the ledger. The
// connection is the roll's own, and busy until it is closed.
func (s *Service) openRoll(ctx context.Context, conn *pgx.Conn, merchant, segment string, now int64) (*roll, error) {
	ask, belongs, ok := s.o.Programs.Segment(merchant, segment, now)
	if !ok {
		return nil, unknownSegment(segment)
	}
	// The question goes over a merchant's whole history. Where PostgreSQL's
	// statistics are younger than the rows it takes tables for nearly empty and
	// loops over them row by row, which is quadratic; hashes never are.
	if _, err := conn.Exec(ctx, "SET enable_nestloop = off"); err != nil {
		return nil, err
	}
	q := newQuery(merchant, &ask)
	rows, err := conn.Query(ctx, q.sql.String(), q.args...)
	if err != nil {
		return nil, fmt.Errorf("asking for segment %q: %w", segment, err)
	}
	r := &roll{rows: rows, belongs: belongs, looked: make([]int64, len(ask.Looks)), dest: make([]any, 1+len(ask.Looks))}
	r.dest[0] = &r.account
	for i := range r.looked {
		r.dest[i+1] = &r.looked[i]
	}
	return r, nil
}

// Next goes to the next member.
func (r *roll) Next() bool {
	for r.err == nil && r.rows.Next() {
		if r.err = r.rows.Scan(r.dest...); r.err != nil {
			return false
		}
		var id ledger.AccountID
		if id, r.err = ledger.ParseAccountID(r.account); r.err != nil {
			return false
		}
		var ok bool
		if ok, r.err = r.belongs(id, r.looked); ok && r.err == nil {
			r.n++
			return true
		}
	}
	if r.err == nil {
		r.err = r.rows.Err()
	}
	return false
}

// Values are the columns of a run's list.
func (r *roll) Values() ([]any, error) { return []any{r.run, r.account}, nil }

// Err is why the roll ended before its end.
func (r *roll) Err() error { return r.err }

// close lets the connection go.
func (r *roll) close() { r.rows.Close() }

// each calls fn for every member of a segment as of now, in the accounts'
// order, on a connection of its own.
func (s *Service) each(ctx context.Context, merchant, segment string, now int64, fn func(account string) error) (n int64, err error) {
	conn, err := s.connect(ctx)
	if err != nil {
		return 0, err
	}
	defer shut(ctx, conn)
	r, err := s.openRoll(ctx, conn, merchant, segment, now)
	if err != nil {
		return 0, err
	}
	defer r.close()
	for r.Next() {
		if fn == nil {
			continue
		}
		if err := fn(r.account); err != nil {
			return r.n, err
		}
	}
	return r.n, r.Err()
}
