// Package campaign carries out what programmes ask for beside receipts: it
// finds the members of segments in PostgreSQL, gives them what is granted, and
// makes reminders of points that are about to lapse.
//
// Invariants:
//   - Nothing is booked here: a grant is an adjustment that the switch decides,
//     under a key made of grant, moment and member. The account itself
//     remembers the moments that it has had. So however often a run is made
//     again, and whatever is lost here, a member gets each moment once.
//   - Who gets a moment is listed in the transaction that begins its run. What
//     a crash interrupts goes on with the same list.
//   - One process works on a database at a time: it holds a lock there.
//   - Tills come first: so many grants a second, no more, and an overloaded
//     switch is waited for.
//
// See docs/campaigns.md.
package campaign

import (
	"context"
	"errors"
	"hash/fnv"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"tillgate/ledger"
	"tillgate/protocol"
	"tillgate/reconciler/stream"
)

// Programs is what a campaign asks of the programmes; the switch answers.
type Programs interface {
	// CampaignMerchants are the merchants that have a programme.
	CampaignMerchants() []string
	// Campaign is what the programme in force at a moment, unix ns, asks for;
	// nil without one.
	Campaign(merchant string, now int64) (*protocol.Campaign, error)
	// GrantMoments are the moments of a grant in (after, now] at which it was in
	// force, the newest first, at most so many.
	GrantMoments(merchant, name string, after, now int64, most int) []int64
	// Segment is what PostgreSQL is to be asked about a segment, and how a
	// member is judged by account and figures; ok is false if there is none of
	// this name. belongs is for one goroutine.
	Segment(merchant, name string, now int64) (q protocol.SegmentQuery, belongs func(id ledger.AccountID, looked []int64) (bool, error), ok bool)
}

// Options of a service. All but the bounds must be there.
type Options struct {
	Ledger   *ledger.Ledger
	Programs Programs
	// Submit hands an adjustment to the switch.
	Submit func(*protocol.Exchange)
	Config *pgx.ConnConfig
	// Current waits until everything that is synced is in PostgreSQL.
	Current func(context.Context) error
	Logger  *slog.Logger
	// Registerer gets the metrics; nil: there are none.
	Registerer prometheus.Registerer

	// Rate is how many grants to members are given in a second at most. 200.
	Rate int
	// Late is how late a moment may be made up for; one that is missed by more
	// is told as missed. 72 h.
	Late time.Duration
	// Remind is how often lapses are looked for. 5 min.
	Remind time.Duration
	// Poll is how often new programmes and moments are looked for. 5 s.
	Poll time.Duration
}

func (o *Options) defaults() {
	if o.Rate <= 0 {
		o.Rate = 200
	}
	if o.Late <= 0 {
		o.Late = 72 * time.Hour
	}
	if o.Remind <= 0 {
		o.Remind = 5 * time.Minute
	}
	if o.Poll <= 0 {
		o.Poll = 5 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

// Service carries out campaigns while [Service.Run] runs; its other methods
// answer offices and may be called from anywhere.
type Service struct {
	o       Options
	m       *metrics
	grumble stream.Grumble
	asking  chan struct{} // whoever evaluates segments for an office has the place
	reading chan struct{} // places of those who only read lists
}

// readers is how many offices may read lists at a time: each takes a connection
// of PostgreSQL.
const readers = 4

// New makes a service; nothing is connected before Run.
func New(o Options) *Service {
	o.defaults()
	return &Service{o: o, m: newMetrics(o.Registerer), asking: make(chan struct{}, 1), reading: make(chan struct{}, readers)}
}

// Run works until ctx ends. It outlives every failure of PostgreSQL: it says so,
// pauses and goes on where the database says it was.
func (s *Service) Run(ctx context.Context) {
	for ctx.Err() == nil {
		err := s.session(ctx)
		if err != nil && ctx.Err() == nil && !errors.Is(err, errTaken) && s.grumble.Worth(err) {
			s.o.Logger.Error("segments, grants and reminders pause", "cause", err.Error())
		}
		if !stream.Sleep(ctx, s.o.Poll) {
			return
		}
	}
}

// errTaken says that another process works on this database.
var errTaken = errors.New("another process carries out the campaigns of this database")

// worker is a session's connection, which holds the lock, and what it has done
// so far.
type worker struct {
	*Service
	conn     *pgx.Conn
	reminded time.Time // when lapses were looked for last
	cleaned  time.Time
	pace     pace
	newest   map[grantID]int64 // the newest moment of each grant that has a run, unix ns; 0 for none
}

// grantID names a grant of a merchant.
type grantID struct{ merchant, name string }

// dialLimit bounds how long a connection may take to come about.
const dialLimit = 10 * time.Second

func (s *Service) connect(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	return pgx.ConnectConfig(ctx, s.o.Config)
}

func shut(ctx context.Context, c *pgx.Conn) { _ = c.Close(context.WithoutCancel(ctx)) }

// session works on one connection until something fails.
func (s *Service) session(ctx context.Context) error {
	if err := s.o.Current(ctx); err != nil {
		return err // the schema may not even be there yet
	}
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer shut(ctx, conn)
	w := &worker{Service: s, conn: conn, pace: pace{every: time.Second / time.Duration(s.o.Rate)}, newest: map[grantID]int64{}}
	if err := w.lock(ctx); err != nil {
		return err
	}
	for {
		busy, err := w.round(ctx)
		if err != nil {
			return err
		}
		if !busy && !stream.Sleep(ctx, w.pause()) {
			return ctx.Err()
		}
	}
}

// lock takes the database's place for campaigns. It is let go with the
// connection.
func (w *worker) lock(ctx context.Context) error {
	h := fnv.New64a()
	_, _ = h.Write([]byte("tillgate campaigns of " + w.o.Config.RuntimeParams["search_path"])) // a hash takes all
	var taken bool
	if err := w.conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", int64(h.Sum64())).Scan(&taken); err != nil {
		return err
	}
	if !taken {
		return errTaken
	}
	return nil
}

// round does what is due for every merchant: one batch of each run that is
// under way, runs of moments that have come, reminders. busy says that runs are
// left to go on with.
func (w *worker) round(ctx context.Context) (busy bool, err error) {
	busy, err = w.goOn(ctx)
	if err != nil {
		return false, err
	}
	now := w.o.Ledger.Now()
	remind := time.Since(w.reminded) >= w.o.Remind
	for _, merchant := range w.o.Programs.CampaignMerchants() {
		c, err := w.o.Programs.Campaign(merchant, now)
		if err != nil {
			return false, err
		}
		if c == nil {
			continue
		}
		begun, err := w.due(ctx, merchant, c, now)
		if err != nil {
			return false, err
		}
		busy = busy || begun
		if remind && len(c.Remind) > 0 {
			if err := w.remind(ctx, merchant, c, now); err != nil {
				return false, err
			}
		}
	}
	if remind {
		w.reminded = time.Now()
	}
	return busy, w.clean(ctx, now)
}

// pause is how long nothing is due, as far as is known.
func (w *worker) pause() time.Duration {
	wait := w.o.Poll
	now := w.o.Ledger.Now()
	for _, merchant := range w.o.Programs.CampaignMerchants() {
		c, err := w.o.Programs.Campaign(merchant, now)
		if err != nil || c == nil {
			continue // the next round tells of it
		}
		for i := range c.Grants {
			if next := c.Grants[i].Next; next != 0 {
				wait = min(wait, time.Duration(next-now)+time.Millisecond)
			}
		}
	}
	return max(wait, time.Millisecond)
}

// kept is for how long runs' members and reminders are kept after their end: as
// long as accounts keep the sums of days.
const kept = 400 * 24 * time.Hour

// clean forgets what is too old, once a day.
func (w *worker) clean(ctx context.Context, now int64) error {
	if time.Since(w.cleaned) < 24*time.Hour {
		return nil
	}
	w.cleaned = time.Now()
	old := time.Unix(0, now).Add(-kept)
	if _, err := w.conn.Exec(ctx, "DELETE FROM reminders WHERE expires_at < $1", old); err != nil {
		return err
	}
	_, err := w.conn.Exec(ctx, "DELETE FROM grant_members m USING grant_runs r WHERE r.id = m.run AND r.ended_at < $1", old)
	return err
}
