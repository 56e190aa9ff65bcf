package reconciler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"tillgate/ledger"
	"tillgate/reconciler/project"
)

// Report is what a comparison of PostgreSQL with the ledger has found.
type Report struct {
	Records  uint64 // compared by their sequence, legs and balances
	Windows  uint64 // sealed windows compared
	Accounts uint64 // balances compared
	Behind   uint64 // records of the ledger that PostgreSQL does not have yet
	Dropped  uint64 // records that the ledger no longer has, compared by their number and sums
	Faults   []string
}

// maxFaults bounds a report: who has so many needs no more.
const maxFaults = 100

func (r *Report) fault(format string, args ...any) {
	if len(r.Faults) < maxFaults {
		r.Faults = append(r.Faults, fmt.Sprintf(format, args...))
	}
}

// VerifyPostgres compares the projection with the ledger, up to where the
// projection stands: each sealed window by its records' number, their sums
// per account of the chart and the hash over what was received, the records
// behind the last seal alike, and the balance of every account. It sees one
// state of the database throughout, so that the projection may go on meanwhile.
func VerifyPostgres(ctx context.Context, dsn string, l *ledger.Ledger) (*Report, error) {
	config, err := project.Config(dsn)
	if err != nil {
		return nil, err
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // it has only read
	if err := verifySource(ctx, tx, l); err != nil {
		return nil, err
	}
	r := &Report{}
	for p := range l.Partitions() {
		if err := verifyPartition(ctx, tx, l, p, r); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func verifySource(ctx context.Context, tx pgx.Tx, l *ledger.Ledger) error {
	var store string
	if err := tx.QueryRow(ctx, "SELECT store FROM source").Scan(&store); err != nil {
		return fmt.Errorf("the database holds no projection: %w", err)
	}
	if store != StoreID(l) {
		return project.ErrOtherLedger
	}
	return nil
}

// span is a run of records and what it adds up to.
type span struct {
	first, last uint64
	legs        [ledger.LegCount]int64
}

// verifyPartition reads the journal of a partition once and compares.
func verifyPartition(ctx context.Context, tx pgx.Tx, l *ledger.Ledger, p int, r *Report) error {
	var position uint64
	if err := tx.QueryRow(ctx, "SELECT sequence FROM positions WHERE partition = $1", p).Scan(&position); err != nil {
		return err
	}
	synced := l.Synced(p)
	if position > synced {
		r.fault("partition %d: PostgreSQL is at %d, the ledger ends at %d", p, position, synced)
		position = synced
	}
	r.Behind += synced - position
	// What was dropped from the journal is known by its sums.
	before, legs := l.Before(p)
	v := partitionProof{
		ctx: ctx, tx: tx, p: p, r: r, balances: map[ledger.AccountID]ledger.Balance{},
		open: span{first: 1, last: before, legs: legs}, kept: before + 1,
	}
	r.Dropped += before
	if err := v.close(); err != nil {
		return err
	}
	v.open = span{first: v.kept}
	var op ledger.Operation
	err := l.Journal(p, v.kept, func(id ledger.OpID, record []byte) bool {
		if id.Sequence() > position {
			return false
		}
		if v.err = ledger.DecodeOperation(record, &op); v.err == nil {
			v.err = v.add(&op)
		}
		return v.err == nil
	})
	if err := errors.Join(err, v.err); err != nil {
		return err
	}
	if err := v.close(); err != nil {
		return err
	}
	if err := v.nothingAbove(position); err != nil {
		return err
	}
	return v.compareBalances(position)
}

// partitionProof gathers what a partition's journal says and compares it with
// what is in PostgreSQL, one span at a time.
type partitionProof struct {
	ctx      context.Context
	tx       pgx.Tx
	p        int
	r        *Report
	open     span
	kept     uint64 // the first record that the journal still has
	balances map[ledger.AccountID]ledger.Balance
	err      error
}

func (v *partitionProof) add(op *ledger.Operation) error {
	v.r.Records++
	if op.Kind == ledger.KindWindow {
		if err := v.close(); err != nil {
			return err
		}
		if err := v.compareWindow(op); err != nil {
			return err
		}
		v.open = span{first: op.ID.Sequence()}
	}
	v.open.last = op.ID.Sequence()
	for i, n := range op.Legs {
		v.open.legs[i] += n
	}
	if op.Account != 0 {
		v.balances[op.Account] = op.After
	}
	return nil
}

const legSums = `coalesce(sum(leg_available), 0)::bigint, coalesce(sum(leg_pending), 0)::bigint, coalesce(sum(leg_held), 0)::bigint,
	coalesce(sum(leg_deficit), 0)::bigint, coalesce(sum(leg_issued), 0)::bigint, coalesce(sum(leg_redeemed), 0)::bigint,
	coalesce(sum(leg_expired), 0)::bigint, coalesce(sum(leg_adjusted), 0)::bigint, coalesce(sum(leg_referral), 0)::bigint,
	coalesce(sum(leg_transit), 0)::bigint`

// close compares the rows of the open span with its journal records.
func (v *partitionProof) close() error {
	s := v.open
	if s.last < s.first {
		return nil
	}
	var n uint64
	var legs [ledger.LegCount]int64
	dest := []any{&n}
	for i := range legs {
		dest = append(dest, &legs[i])
	}
	err := v.tx.QueryRow(v.ctx, "SELECT count(*), "+legSums+" FROM operations WHERE id >= $1 AND id <= $2",
		ledger.NewOpID(v.p, s.first).String(), ledger.NewOpID(v.p, s.last).String()).Scan(dest...)
	if err != nil {
		return err
	}
	if want := s.last - s.first + 1; n != want {
		v.r.fault("partition %d, records %d to %d: PostgreSQL has %d rows of %d", v.p, s.first, s.last, n, want)
	}
	if legs != s.legs {
		v.r.fault("partition %d, records %d to %d: the sums of the legs differ", v.p, s.first, s.last)
	}
	return nil
}

// compareWindow compares a seal of the ledger with its row.
func (v *partitionProof) compareWindow(op *ledger.Operation) error {
	v.r.Windows++
	var sealed ledger.Window
	if err := ledger.DecodeWindow(op.Data, &sealed); err != nil {
		return err
	}
	var first, last, n uint64
	var sums []int64
	var hash []byte
	var verdict string
	err := v.tx.QueryRow(v.ctx, "SELECT first, last, count, sums, hash, verdict FROM windows WHERE operation = $1", op.ID.String()).
		Scan(&first, &last, &n, &sums, &hash, &verdict)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		v.r.fault("window %s is not in PostgreSQL", op.ID)
		return nil
	case err != nil:
		return err
	}
	if first != sealed.First || last != sealed.Last || n != sealed.Count() || !slices.Equal(sums, sealed.Legs[:]) || !slices.Equal(hash, sealed.Hash[:]) {
		v.r.fault("window %s differs from the ledger's", op.ID)
	}
	if verdict != project.VerdictEqual {
		v.r.fault("window %s: what PostgreSQL received differed from the seal (%s)", op.ID, verdict)
	}
	return nil
}

// nothingAbove looks for rows behind the projection's position.
func (v *partitionProof) nothingAbove(position uint64) error {
	var n uint64
	err := v.tx.QueryRow(v.ctx, "SELECT count(*) FROM operations WHERE partition = $1 AND sequence > $2", v.p, position).Scan(&n)
	if n > 0 {
		v.r.fault("partition %d: %d rows are behind the projection's position", v.p, n)
	}
	return err
}

// compareBalances compares the newest balance of each account of the
// partition that what is kept of the journal tells of, as of the projection's
// position.
func (v *partitionProof) compareBalances(position uint64) error {
	rows, err := v.tx.Query(v.ctx, `SELECT DISTINCT ON (account) account, after_available, after_pending, after_held, after_deficit
		FROM operations WHERE id >= $1 AND id <= $2 AND account IS NOT NULL ORDER BY account, id DESC`,
		ledger.NewOpID(v.p, v.kept).String(), ledger.NewOpID(v.p, max(position, 1)).String())
	if err != nil {
		return err
	}
	var account string
	var b ledger.Balance
	_, err = pgx.ForEachRow(rows, []any{&account, &b.Available, &b.Pending, &b.Held, &b.Deficit}, func() error {
		id, err := ledger.ParseAccountID(strings.TrimSpace(account))
		if err != nil {
			return err
		}
		want, ok := v.balances[id]
		switch {
		case !ok:
			v.r.fault("account %s is in PostgreSQL and not in the ledger", account)
		case want != b:
			v.r.fault("account %s: the balances differ", account)
		}
		v.r.Accounts++
		delete(v.balances, id)
		return nil
	})
	for id := range v.balances {
		v.r.fault("account %s is not in PostgreSQL", id)
	}
	return err
}
