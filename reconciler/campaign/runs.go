package campaign

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"tillgate/protocol"
)

// Why a moment's run is none, in words for the office.
const (
	whyMissed = "the server or its reporting database was away for longer than a moment may be made up for"
	whyLater  = "a later moment of the grant came before it could be given"
	whyOld    = "it took longer than a grant may take"
	whyGone   = "the grant was taken out of the programme"
)

// mostMissed bounds how many missed moments are told of at once.
const mostMissed = 32

// due begins the runs of moments that have come. Of several moments of a grant
// the newest is given, if it is not too late for it; the others are told as
// missed.
func (w *worker) due(ctx context.Context, merchant string, c *protocol.Campaign, now int64) (begun bool, err error) {
	for i := range c.Grants {
		g := &c.Grants[i]
		after, err := w.lastMoment(ctx, grantID{merchant, g.Name})
		if err != nil {
			return false, err
		}
		moments := w.o.Programs.GrantMoments(merchant, g.Name, after, now, mostMissed)
		if len(moments) == 0 {
			continue
		}
		if err := w.begin(ctx, merchant, c, g, moments, now); err != nil {
			return false, err
		}
		w.newest[grantID{merchant, g.Name}] = moments[0]
		begun = true
	}
	return begun, nil
}

// lastMoment is the newest moment of a grant that has a run. Nobody else writes
// runs while the lock is held, so it is asked once.
func (w *worker) lastMoment(ctx context.Context, id grantID) (int64, error) {
	if at, known := w.newest[id]; known {
		return at, nil
	}
	var last *time.Time
	err := w.conn.QueryRow(ctx, "SELECT max(occurrence) FROM grant_runs WHERE merchant = $1 AND name = $2", id.merchant, id.name).Scan(&last)
	if err != nil {
		return 0, err
	}
	w.newest[id] = 0
	if last != nil {
		w.newest[id] = last.UnixNano()
	}
	return w.newest[id], nil
}

// begin writes down the run of a grant's newest moment with the list of its
// members, and the moments before it as missed, all or nothing.
func (w *worker) begin(ctx context.Context, merchant string, c *protocol.Campaign, g *protocol.GrantView, moments []int64, now int64) error {
	if err := w.o.Current(ctx); err != nil {
		return err
	}
	tx, err := w.conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // after a commit there is nothing to undo
	for i := len(moments) - 1; i > 0; i-- {
		if _, err := insertRun(ctx, tx, merchant, c, g, moments[i], now, "missed", whyLater); err != nil {
			return err
		}
	}
	status, why := "running", ""
	switch {
	case g.Why != "":
		status, why = "refused", g.Why
	case now-moments[0] > int64(w.o.Late):
		status, why = "missed", whyMissed
	}
	run, err := insertRun(ctx, tx, merchant, c, g, moments[0], now, status, why)
	if err != nil {
		return err
	}
	if status == "running" {
		if err := w.list(ctx, tx, merchant, g.Segment, run, now); err != nil {
			return err
		}
	}
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	w.m.runs.WithLabelValues("missed").Add(float64(len(moments) - 1))
	if status != "running" {
		w.m.runs.WithLabelValues(status).Inc()
	}
	w.o.Logger.Info("a grant's moment has come", "grant", g.Name, "run", run, "status", status)
	return nil
}

func insertRun(
	ctx context.Context, tx pgx.Tx, merchant string, c *protocol.Campaign, g *protocol.GrantView, at, now int64, status, why string,
) (run int64, err error) {
	var ended *time.Time
	if began := time.Unix(0, now); status != "running" {
		ended = &began
	}
	err = tx.QueryRow(ctx, `INSERT INTO grant_runs
			(merchant, name, occurrence, segment, reason, points, program, publisher, status, why, members, given, skipped, failed, total, began_at, ended_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, 0, 0, 0, 0, $11, $12) RETURNING id`,
		merchant, g.Name, time.Unix(0, at), g.Segment, g.Reason, g.Points, int64(c.Version), c.Publisher, status, why,
		time.Unix(0, now), ended).Scan(&run)
	if err != nil {
		return 0, fmt.Errorf("writing a run of grant %q: %w", g.Name, err)
	}
	return run, nil
}

// list writes down who gets a run: the members of the segment as of now.
func (w *worker) list(ctx context.Context, tx pgx.Tx, merchant, segment string, run, now int64) error {
	reader, err := w.connect(ctx)
	if err != nil {
		return err
	}
	defer shut(ctx, reader)
	r, err := w.openRoll(ctx, reader, merchant, segment, now)
	if err != nil {
		return err
	}
	defer r.close()
	r.run = run
	if _, err := tx.CopyFrom(ctx, pgx.Identifier{"grant_members"}, []string{"run", "account"}, r); err != nil {
		return fmt.Errorf("listing the members of segment %q: %w", segment, err)
	}
	_, err = tx.Exec(ctx, "UPDATE grant_runs SET members = $2 WHERE id = $1", run, r.n)
	return err
}

// open is a run that is under way.
type open struct {
	id         int64
	merchant   string
	name       string
	reason     string
	occurrence time.Time
	points     int64
	version    int64
}

// goOn gives one batch of each run that is under way; busy says that any is.
func (w *worker) goOn(ctx context.Context) (busy bool, err error) {
	rows, err := w.conn.Query(ctx, `SELECT id, merchant, name, reason, occurrence, points, program FROM grant_runs WHERE status = 'running' ORDER BY id`)
	if err != nil {
		return false, err
	}
	runs, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (o open, err error) {
		return o, row.Scan(&o.id, &o.merchant, &o.name, &o.reason, &o.occurrence, &o.points, &o.version)
	})
	if err != nil {
		return false, err
	}
	w.m.waiting.Set(float64(len(runs)))
	for i := range runs {
		if err := w.batch(ctx, &runs[i]); err != nil {
			return false, err
		}
	}
	return len(runs) > 0, nil
}

// batchSize is how many members are given between two commits in PostgreSQL:
// as many a crash lets be asked for again.
const batchSize = 200

// batch gives the next members of a run, or ends it.
func (w *worker) batch(ctx context.Context, o *open) error {
	now := w.o.Ledger.Now()
	if now > o.occurrence.UnixNano()+int64(protocol.GrantLasts) {
		return w.end(ctx, o, "ended", whyOld, now)
	}
	if stays, err := w.stays(o, now); err != nil {
		return err
	} else if !stays {
		return w.end(ctx, o, "ended", whyGone, now)
	}
	rows, err := w.conn.Query(ctx, `SELECT account FROM grant_members WHERE run = $1 AND status = 'waiting' ORDER BY account LIMIT $2`, o.id, batchSize)
	if err != nil {
		return err
	}
	accounts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	if len(accounts) == 0 {
		return w.end(ctx, o, "done", "", now)
	}
	outcomes, err := w.give(ctx, o, accounts)
	if err != nil {
		return err
	}
	return w.note(ctx, o, accounts, outcomes)
}

// stays reports whether the programme in force still has a run's grant: who
// takes it out stops the run.
func (w *worker) stays(o *open, now int64) (bool, error) {
	c, err := w.o.Programs.Campaign(o.merchant, now)
	if err != nil || c == nil {
		return false, err
	}
	return slices.ContainsFunc(c.Grants, func(g protocol.GrantView) bool { return g.Name == o.name }), nil
}

// note writes down what came of a batch.
func (w *worker) note(ctx context.Context, o *open, accounts []string, outcomes []outcome) error {
	statuses, whys, operations := make([]string, len(outcomes)), make([]string, len(outcomes)), make([]*string, len(outcomes))
	count := map[string]int64{}
	for i := range outcomes {
		out := &outcomes[i]
		statuses[i], whys[i] = out.status, out.why
		if out.operation != "" {
			operations[i] = &out.operation
		}
		count[out.status]++
	}
	tx, err := w.conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // after a commit there is nothing to undo
	_, err = tx.Exec(ctx, `UPDATE grant_members m SET status = n.status, why = n.why, operation = n.operation
		FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS n(account, status, why, operation)
		WHERE m.run = $1 AND m.account = n.account`, o.id, accounts, statuses, whys, operations)
	if err != nil {
		return err
	}
	given := count["given"]
	_, err = tx.Exec(ctx, `UPDATE grant_runs SET given = given + $2, skipped = skipped + $3, failed = failed + $4, total = total + $2 * points WHERE id = $1`,
		o.id, given, count["skipped"], count["failed"])
	if err != nil {
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	for outcome, n := range count {
		w.m.members.WithLabelValues(outcome).Add(float64(n))
	}
	return nil
}

// end closes a run; who still waits is skipped.
func (w *worker) end(ctx context.Context, o *open, status, why string, now int64) error {
	tx, err := w.conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // after a commit there is nothing to undo
	left, err := tx.Exec(ctx, "UPDATE grant_members SET status = 'skipped', why = $2 WHERE run = $1 AND status = 'waiting'", o.id, why)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "UPDATE grant_runs SET status = $2, why = $3, skipped = skipped + $4, ended_at = $5 WHERE id = $1",
		o.id, status, why, left.RowsAffected(), time.Unix(0, now))
	if err != nil {
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	w.m.runs.WithLabelValues(status).Inc()
	w.m.members.WithLabelValues("skipped").Add(float64(left.RowsAffected()))
	w.o.Logger.Info("a grant's run is over", "grant", o.name, "run", o.id, "status", status)
	return nil
}
