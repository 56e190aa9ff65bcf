package campaign

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"tillgate/ledger"
	"tillgate/protocol"
)

// lapses are the dates at which points of an account may lapse within a term:
// lots were made with them, or purchases have moved lots there. What has had
// its reminder is left out.
const lapses = `SELECT o.account, l.expires_at
	FROM operation_lots l JOIN operations o ON o.id = l.operation
	WHERE o.merchant = $1 AND o.account IS NOT NULL AND l.effect = 'lot' AND l.points > 0 AND l.expires_at > $2 AND l.expires_at < $3
	UNION
	SELECT account, extended_to FROM operations
	WHERE merchant = $1 AND account IS NOT NULL AND extended_to > $2 AND extended_to < $3
	EXCEPT
	SELECT account, expires_at FROM reminders WHERE merchant = $1 AND before = $4 AND expires_at > $2
	ORDER BY 1, 2`

// reminderBatch is how many reminders one statement writes.
const reminderBatch = 500

// remind makes the reminders that are due. PostgreSQL finds whose points may
// lapse; how many still do, the account itself says: what was spent, extended or
// moved meanwhile needs no reminder. A date at which nothing is left is looked
// at again until it has passed, for a void or a return may bring points back.
func (w *worker) remind(ctx context.Context, merchant string, c *protocol.Campaign, now int64) error {
	if err := w.o.Current(ctx); err != nil {
		return err
	}
	reader, err := w.connect(ctx)
	if err != nil {
		return err
	}
	defer shut(ctx, reader)
	for i := range c.Remind {
		if err := w.remindBefore(ctx, reader, merchant, &c.Remind[i], now); err != nil {
			return fmt.Errorf("looking for lapses within %s: %w", c.Remind[i].Before, err)
		}
	}
	return nil
}

// reminders are rows on their way into the outbox.
type reminders struct {
	accounts []string
	expires  []time.Time
	points   []int64
}

func (w *worker) remindBefore(ctx context.Context, reader *pgx.Conn, merchant string, r *protocol.Remind, now int64) error {
	until := time.Unix(0, r.Until).Add(time.Microsecond - 1) // PostgreSQL keeps microseconds, rounded down
	rows, err := reader.Query(ctx, lapses, merchant, time.Unix(0, now), until, r.Before)
	if err != nil {
		return err
	}
	defer rows.Close()
	var out reminders
	var held *ledger.Account // the account that was looked at last: its dates come one after the other
	for rows.Next() {
		var account string
		var at time.Time
		if err := rows.Scan(&account, &at); err != nil {
			return err
		}
		id, err := ledger.ParseAccountID(account)
		if err != nil {
			return err
		}
		if held == nil || held.ID != id {
			if held, err = w.o.Ledger.Account(id); err != nil {
				return err
			}
		}
		points := lapsing(held, at)
		if points == 0 {
			continue
		}
		out.accounts, out.expires, out.points = append(out.accounts, account), append(out.expires, at), append(out.points, points)
		if len(out.accounts) == reminderBatch {
			if err := w.write(ctx, merchant, r.Before, &out, now); err != nil {
				return err
			}
			out = reminders{}
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return w.write(ctx, merchant, r.Before, &out, now)
}

// lapsing are the points of an account that lapse at a moment, which PostgreSQL
// keeps in microseconds. What holds have pinned is on its way to be spent.
func lapsing(a *ledger.Account, at time.Time) (points int64) {
	if a == nil || a.Erased {
		return 0
	}
	for _, l := range a.Lots {
		if l.Expires != 0 && l.Expires/1000 == at.UnixMicro() {
			points += l.Points
		}
	}
	return points
}

// write puts reminders into the outbox. One that is there already stays as it
// is.
func (w *worker) write(ctx context.Context, merchant, before string, r *reminders, now int64) error {
	if len(r.accounts) == 0 {
		return nil
	}
	made, err := w.conn.Exec(ctx, `INSERT INTO reminders (merchant, account, expires_at, before, points, made_at)
		SELECT $1, n.account, n.expires_at, $2, n.points, $3
		FROM unnest($4::text[], $5::timestamptz[], $6::bigint[]) AS n(account, expires_at, points)
		ORDER BY n.expires_at, n.account
		ON CONFLICT DO NOTHING`, merchant, before, time.Unix(0, now), r.accounts, r.expires, r.points)
	if err == nil {
		w.m.reminders.Add(float64(made.RowsAffected()))
	}
	return err
}
