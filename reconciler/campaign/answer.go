package campaign

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"tillgate/protocol"
)

const (
	// page is how many rows an answer has where the caller asks for none, and
	// mostRows how many at most.
	page     = 100
	mostRows = 500
)

// ErrBusy says that other offices' questions are being answered: who belongs to a
// segment is found out of a merchant's whole history, for one office at a time.
var ErrBusy = errors.New("somebody else's question about segments is being answered; try again")

// Answer fills the response of one of the calls about segments, grants and
// reminders. A *protocol.Refusal is the answer to a request that can't be
// served. begun is called when the projection has caught up.
func (s *Service) Answer(ctx context.Context, r *protocol.Request, out *protocol.Response, begun func()) error {
	now := s.o.Ledger.Now()
	merchant := r.Caller.Merchant
	out.Campaign = &protocol.CampaignView{}
	c, err := s.o.Programs.Campaign(merchant, now)
	if err != nil {
		return err
	}
	if c == nil {
		c = &protocol.Campaign{}
	}
	out.At = protocol.Time{Offset: c.Offset}
	if err := s.o.Current(ctx); err != nil {
		return err // the schema may not even be there yet
	}
	begun()
	switch r.Call {
	case protocol.CallListRuns:
		return placed(s.reading, func() error { return s.runs(ctx, r, out) })
	case protocol.CallListReminders:
		return placed(s.reading, func() error { return s.reminders(ctx, r, out) })
	case protocol.CallListGrants:
		return placed(s.reading, func() error { return s.grants(ctx, merchant, c, out) })
	case protocol.CallPreviewGrant:
		return placed(s.asking, func() error { return s.preview(ctx, r, c, now, out) })
	}
	return placed(s.asking, func() error { return s.segments(ctx, merchant, c, now, out) })
}

// placed reads where there is a place for it.
func placed(places chan struct{}, read func() error) error {
	select {
	case places <- struct{}{}:
		defer func() { <-places }()
		return read()
	default:
		return ErrBusy
	}
}

// segments tells how many members each segment has.
func (s *Service) segments(ctx context.Context, merchant string, c *protocol.Campaign, now int64, out *protocol.Response) error {
	for _, one := range c.Segments {
		var err error
		if one.Members, err = s.each(ctx, merchant, one.Name, now, nil); err != nil {
			return err
		}
		out.Campaign.Segments = append(out.Campaign.Segments, one)
	}
	return nil
}

// preview tells what a grant would give if its moment were now.
func (s *Service) preview(ctx context.Context, r *protocol.Request, c *protocol.Campaign, now int64, out *protocol.Response) error {
	for i := range c.Grants {
		g := c.Grants[i]
		if g.Name != r.Target {
			continue
		}
		var err error
		if g.Members, err = s.each(ctx, r.Caller.Merchant, g.Segment, now, nil); err != nil {
			return err
		}
		g.Total = g.Members * g.Points
		out.Campaign.Grants = []protocol.GrantView{g}
		return nil
	}
	return &protocol.Refusal{Code: protocol.NotFound, Field: "name", Detail: "the programme in force has no grant of this name"}
}

// grants lists the grants of the programme in force, each with its newest run.
func (s *Service) grants(ctx context.Context, merchant string, c *protocol.Campaign, out *protocol.Response) error {
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer shut(ctx, conn)
	for _, g := range c.Grants {
		rows, err := conn.Query(ctx, runColumns+" WHERE merchant = $1 AND name = $2 ORDER BY occurrence DESC LIMIT 1", merchant, g.Name)
		if err != nil {
			return err
		}
		last, err := pgx.CollectRows(rows, scanRun)
		if err != nil {
			return err
		}
		if len(last) > 0 {
			g.Last = &last[0]
		}
		out.Campaign.Grants = append(out.Campaign.Grants, g)
	}
	return nil
}

const runColumns = `SELECT id, name, occurrence, segment, reason, points, program, publisher, status, why,
	members, given, skipped, failed, total, began_at, ended_at FROM grant_runs`

func scanRun(row pgx.CollectableRow) (v protocol.GrantRun, err error) {
	var at, began time.Time
	var ended *time.Time
	var version int64
	err = row.Scan(&v.ID, &v.Grant, &at, &v.Segment, &v.Reason, &v.Points, &version, &v.Publisher, &v.Status, &v.Why,
		&v.Members, &v.Given, &v.Skipped, &v.Failed, &v.Total, &began, &ended)
	v.Version, v.Occurrence, v.Began = uint32(version), at.UnixNano(), began.UnixNano()
	if ended != nil {
		v.Ended = ended.UnixNano()
	}
	return v, err
}

// runs lists the runs of grants, the newest first; the cursor is the id of the
// last one of the page before.
func (s *Service) runs(ctx context.Context, r *protocol.Request, out *protocol.Response) error {
	before, err := cursor(r, 1<<62)
	if err != nil {
		return err
	}
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer shut(ctx, conn)
	limit := rowLimit(r)
	rows, err := conn.Query(ctx, runColumns+" WHERE merchant = $1 AND id < $2 ORDER BY id DESC LIMIT $3", r.Caller.Merchant, before, limit)
	if err != nil {
		return err
	}
	if out.Campaign.Runs, err = pgx.CollectRows(rows, scanRun); err != nil {
		return err
	}
	if n := len(out.Campaign.Runs); n == limit {
		out.NextCursor = strconv.FormatInt(out.Campaign.Runs[n-1].ID, 10)
	}
	return nil
}

// reminders tells the outbox from a place on. The next place is always told: a
// reader keeps it and asks again later.
func (s *Service) reminders(ctx context.Context, r *protocol.Request, out *protocol.Response) error {
	after, err := cursor(r, 0)
	if err != nil {
		return err
	}
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer shut(ctx, conn)
	rows, err := conn.Query(ctx, `SELECT id, account, before, points, expires_at, made_at FROM reminders
		WHERE merchant = $1 AND id > $2 ORDER BY id LIMIT $3`, r.Caller.Merchant, after, rowLimit(r))
	if err != nil {
		return err
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (v protocol.Reminder, err error) {
		var expires, made time.Time
		err = row.Scan(&v.ID, &v.Member, &v.Before, &v.Points, &expires, &made)
		v.Expires, v.Made = expires.UnixNano(), made.UnixNano()
		return v, err
	})
	if err != nil {
		return err
	}
	if out.Campaign.Reminders = list; len(list) > 0 {
		after = list[len(list)-1].ID
	}
	out.NextCursor = strconv.FormatInt(after, 10)
	return nil
}

func cursor(r *protocol.Request, none int64) (int64, error) {
	if r.Cursor == "" {
		return none, nil
	}
	n, err := strconv.ParseInt(r.Cursor, 10, 64)
	if err != nil || n < 0 {
		return 0, &protocol.Refusal{Code: protocol.InvalidRequest, Field: "cursor", Detail: "is none that this call has given"}
	}
	return n, nil
}

func rowLimit(r *protocol.Request) int {
	if r.Limit == 0 {
		return page
	}
	return min(r.Limit, mostRows)
}

// Members writes who belongs to a segment as of now: a heading and an account id
// a line, which is CSV.
func (s *Service) Members(ctx context.Context, w io.Writer, merchant, segment string) error {
	if _, _, ok := s.o.Programs.Segment(merchant, segment, s.o.Ledger.Now()); !ok {
		return unknownSegment(segment)
	}
	return placed(s.asking, func() error {
		if err := s.o.Current(ctx); err != nil {
			return err
		}
		b := bufio.NewWriter(w)
		if _, err := b.WriteString("member\n"); err != nil {
			return err
		}
		if _, err := s.each(ctx, merchant, segment, s.o.Ledger.Now(), func(account string) error {
			_, err := b.WriteString(account + "\n")
			return err
		}); err != nil {
			return err
		}
		return b.Flush()
	})
}

// HasRun reports whether a run is the merchant's.
func (s *Service) HasRun(ctx context.Context, merchant string, run int64) (ok bool, err error) {
	err = placed(s.reading, func() error {
		ok, err = s.hasRun(ctx, merchant, run)
		return err
	})
	return ok, err
}

func (s *Service) hasRun(ctx context.Context, merchant string, run int64) (ok bool, err error) {
	conn, err := s.connect(ctx)
	if err != nil {
		return false, err
	}
	defer shut(ctx, conn)
	err = conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM grant_runs WHERE id = $1 AND merchant = $2)", run, merchant).Scan(&ok)
	return ok, err
}
