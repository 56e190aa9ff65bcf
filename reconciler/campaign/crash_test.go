package campaign

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/protocol"
	"tillgate/reconciler/project"
)

const welcomeBack = `
program: sport
currency: KZT
timezone: Asia/Almaty
segments: [{name: all, when: {first_purchase: true}}]
grants:
  - {name: gift, segment: all, at: "2026-02-01T10:00:00+05:00", give: {points: 10}}
`

var giftTime = time.Date(2026, 2, 1, 10, 0, 0, 0, almaty)

// crowd is a world with so many members, at the moment of the gift.
func crowd(t *testing.T, n int) *world {
	w := newWorld(t)
	w.publish(welcomeBack)
	for i := range n {
		w.joins(fmt.Sprintf("M%03d", i), protocol.Profile{})
	}
	w.clock.Store(giftTime.UnixNano())
	return w
}

// onceEach holds that every member has had the gift once, by the books.
func (w *world) onceEach() {
	w.Helper()
	for name := range w.names {
		require.Equal(w, 1, w.grants(name), name)
		require.Equal(w, int64(1000), w.balance(name), name)
	}
	proof, err := w.ledger.Verify(func(f ledger.Finding) { w.Errorf("%v", f) })
	require.NoError(w, err)
	require.Zero(w, proof.Findings)
}

// E14: a server that goes down in the middle of a run, after any number of
// grants and whether or not PostgreSQL has heard of them, gives each member the
// moment once.
func TestARunThatIsCutShortGivesEachMemberOnce(t *testing.T) {
	const members = 12
	for _, cut := range []int64{0, 1, 5, members - 1, members} {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			w := crowd(t, members)
			ctx, cancel := context.WithCancel(context.Background())
			var n atomic.Int64
			w.submit = func(x *protocol.Exchange) {
				if n.Add(1) > cut { // the switch does it, and nobody hears of it
					done := x.Done
					x.Done = func(x *protocol.Exchange) {
						cancel()
						x.Response.Code = protocol.Unavailable
						done(x)
					}
				}
				w.s.Submit(x)
			}
			err := w.work(ctx)
			if cut < members {
				require.ErrorIs(t, err, context.Canceled)
			} else {
				require.NoError(t, err)
			}
			w.submit = nil
			w.restart()
			require.NoError(t, w.work(context.Background()))
			w.onceEach()
			runs := w.answer(protocol.Request{Call: protocol.CallListRuns}).Campaign.Runs
			require.Len(t, runs, 1)
			require.Equal(t, "done", runs[0].Status)
			require.Equal(t, int64(members), runs[0].Given, "what was given before counts, by its key")
		})
	}
}

// PostgreSQL's own lists may be lost with the schema: a run that is made again
// finds what was given by its keys, and the accounts know it when those are
// forgotten (processor, TestAGrantIsGivenOnce).
func TestALostDatabaseGivesNothingTwice(t *testing.T) {
	w := crowd(t, 5)
	require.NoError(t, w.work(context.Background()))
	w.onceEach()
	w.shut()
	_, err := w.connect().Exec(context.Background(), "DROP SCHEMA "+project.Schema+" CASCADE")
	require.NoError(t, err)
	w.clock.Add(int64(71 * time.Hour)) // still within what may be made up for
	w.open()
	require.NoError(t, w.work(context.Background()))
	w.onceEach()
	require.Equal(t, []string{"1 gift of 2026-02-01 10:00 done: 5 members, 5 given, 0 skipped, 50.00"}, w.runs())
}

// Two processes on one database: one works, the other waits for its place.
func TestTwoProcessesOnOneDatabase(t *testing.T) {
	w := crowd(t, 20)
	one, err := w.session(context.Background())
	require.NoError(t, err)
	_, err = w.session(context.Background())
	require.ErrorIs(t, err, errTaken)
	busy, err := one.round(context.Background())
	require.NoError(t, err)
	require.True(t, busy)
	// The first loses its connection in the middle; whoever comes next goes on.
	require.NoError(t, one.conn.Close(context.Background()))
	require.NoError(t, w.work(context.Background()))
	w.onceEach()
}

// A run made twice at the same time, as by a process that has lost its lock
// without knowing, is one for each member.
func TestTheSameBatchTwiceAtOnce(t *testing.T) {
	w := crowd(t, 30)
	one, err := w.session(context.Background())
	require.NoError(t, err)
	defer shut(context.Background(), one.conn)
	_, err = one.round(context.Background()) // lists the members
	require.NoError(t, err)
	o := open{id: 1, name: "gift", reason: "gift", occurrence: giftTime, points: 1000, version: 1}
	var accounts []string
	for _, id := range w.names {
		accounts = append(accounts, id)
	}
	var both sync.WaitGroup
	for range 2 {
		w := &worker{Service: one.Service, pace: pace{every: time.Microsecond}}
		both.Go(func() {
			_, err := w.give(context.Background(), &o, accounts)
			require.NoError(t, err)
		})
	}
	both.Wait()
	w.onceEach()
}

// Members who are erased or merged between the listing and their turn are
// skipped, or had it by their other account.
func TestWhatBecomesOfMembersMeanwhile(t *testing.T) {
	w := crowd(t, 6)
	one, err := w.session(context.Background())
	require.NoError(t, err)
	defer shut(context.Background(), one.conn)
	_, err = one.round(context.Background())
	require.NoError(t, err)
	w.must(protocol.Request{Call: protocol.CallDeleteMember, Target: w.account("M000")})
	w.must(protocol.Request{Call: protocol.CallMerge, Target: w.account("M001"), Into: w.account("M002")})
	w.must(protocol.Request{Call: protocol.CallAddCard, Target: w.account("M003"), Card: protocol.Card{Number: "4000001"}})
	w.must(protocol.Request{Call: protocol.CallPatchCard, Target: "4000001", Card: protocol.Card{State: "blocked"}})
	for busy := true; busy; {
		busy, err = one.round(context.Background())
		require.NoError(t, err)
	}
	got := w.got("1")
	require.Contains(t, got, "M000 skipped: no such member")
	require.Contains(t, got, "M003 given", "a blocked card blocks the card; the points are the member's")
	require.Equal(t, 1, w.grants("M002"), "two accounts, one member: once")
	require.Equal(t, []string{"1 gift of 2026-02-01 10:00 done: 6 members, 4 given, 2 skipped, 40.00"}, w.runs())
}

// An overloaded switch is waited for; a fault that stays is told of its member.
func TestTheSwitchHasNoTime(t *testing.T) {
	w := crowd(t, 3)
	broken := w.account("M001")
	var shed atomic.Int64
	w.submit = func(x *protocol.Exchange) {
		switch {
		case x.Request.Target == broken:
			x.Response.Code, x.Response.Detail = protocol.Internal, "the server failed; nothing was booked"
			x.Done(x)
		case shed.Add(1) <= 2:
			x.Response.Code = protocol.Overloaded
			x.Done(x)
		default:
			w.s.Submit(x)
		}
	}
	require.NoError(t, w.work(context.Background()))
	require.Equal(t, []string{"M000 given", "M001 failed: the server failed; nothing was booked", "M002 given"}, w.got("1"))
}

// So many a second, no more: tills come first.
func TestTheRateIsKept(t *testing.T) {
	w := crowd(t, 10)
	w.o.Rate = 50
	began := time.Now()
	require.NoError(t, w.work(context.Background()))
	require.GreaterOrEqual(t, time.Since(began), 9*time.Second/50)
	w.onceEach()
}

// What no person may grant alone a programme doesn't either; a run that takes
// too long ends.
func TestGrantsThatAreRefusedOrEnd(t *testing.T) {
	w := crowd(t, 2)
	w.limit = 999
	w.restart()
	require.NoError(t, w.work(context.Background()))
	require.Equal(t, []string{"1 gift of 2026-02-01 10:00 refused: 0 members, 0 given, 0 skipped, 0.00 (it gives each member more than one person may grant alone)"}, w.runs())
	require.Zero(t, w.balance("M000"))

	w = crowd(t, 2)
	one, err := w.session(context.Background())
	require.NoError(t, err)
	_, err = one.round(context.Background())
	require.NoError(t, err)
	shut(context.Background(), one.conn)
	w.clock.Add(int64(protocol.GrantLasts + time.Second))
	require.NoError(t, w.work(context.Background()))
	require.Equal(t, []string{"1 gift of 2026-02-01 10:00 ended: 2 members, 0 given, 2 skipped, 0.00 (it took longer than a grant may take)"}, w.runs())
	require.Zero(t, w.balance("M000"))
}

// The service by itself: it finds the moment, gives, and outlives a database
// that goes away.
func TestTheServiceRuns(t *testing.T) {
	w := crowd(t, 3)
	w.o.Poll = 10 * time.Millisecond
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); New(w.o).Run(ctx) }()
	defer func() { cancel(); <-done }()
	finished := func(n int) func() bool {
		return func() bool {
			runs := w.answer(protocol.Request{Call: protocol.CallListRuns}).Campaign.Runs
			return len(runs) == n && runs[0].Status == "done"
		}
	}
	require.Eventually(t, finished(1), testPatience, 10*time.Millisecond)
	w.onceEach()
	// Its session is ended from outside; it comes back by itself.
	_, err := w.connect().Exec(context.Background(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
	require.NoError(t, err)
	w.publish(welcomeBack + `  - {name: another, segment: all, at: "2026-02-02T10:00:00+05:00", give: {points: 1}}` + "\n")
	w.clock.Store(giftTime.Add(24 * time.Hour).UnixNano())
	require.Eventually(t, finished(2), testPatience, 10*time.Millisecond)
	require.Equal(t, int64(1100), w.balance("M000"))
}

// cutConn fails at a write and ever after, as a connection that is cut does:
// what was sent before it may have been done.
type cutConn struct {
	net.Conn
	left *atomic.Int64
}

func (c *cutConn) Write(b []byte) (int, error) {
	if c.left.Add(-1) < 0 {
		_ = c.Close() // it is cut
		return 0, net.ErrClosed
	}
	return c.Conn.Write(b)
}

// The connection to PostgreSQL is cut at the 1st, 2nd, 3rd … 75th write of a day's
// work: listing, giving, noting, ending, reminding. The next attempt finishes
// it, and every member has had every day once.
func TestAConnectionCutAtAnyWrite(t *testing.T) {
	w := newWorld(t)
	w.publish(`
program: sport
currency: KZT
timezone: Asia/Almaty
segments: [{name: all, when: {first_purchase: true}}]
grants:
  - {name: gift, segment: all, at: "2026-02-01T10:00:00+05:00", every: 1d, give: {points: 10}, lot: {expires_after: 300d}}
remind: [{before_expiry: 400d}]
`)
	for i := range 3 {
		w.joins(fmt.Sprint("M", i), protocol.Profile{})
	}
	whole := w.o.Config
	days, reminded := 0, 0
	for cut := int64(0); ; cut += 1 + cut/8 { // a day has some 75 writes, of which the later ones resemble each other
		w.clock.Store(giftTime.AddDate(0, 0, days).UnixNano())
		days++
		left := &atomic.Int64{}
		left.Store(cut)
		w.o.Config = whole.Copy()
		w.o.Config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, address)
			return &cutConn{c, left}, err
		}
		err := w.work(context.Background())
		w.o.Config = whole
		if left.Load() >= 0 {
			require.NoError(t, err)
			break
		}
		require.NoError(t, w.work(context.Background()))
	}
	require.Greater(t, days, 15, "a day's work has more writes than that")
	runs := w.answer(protocol.Request{Call: protocol.CallListRuns, Limit: 500}).Campaign.Runs
	require.Len(t, runs, days)
	for i := range runs {
		require.Equal(t, "done", runs[i].Status)
		require.Equal(t, int64(3), runs[i].Given+runs[i].Skipped)
	}
	for name := range w.names {
		require.Equal(t, days, w.grants(name), name)
	}
	seen := map[string]bool{}
	for cursor := ""; ; {
		out := w.answer(protocol.Request{Call: protocol.CallListReminders, Cursor: cursor})
		if len(out.Campaign.Reminders) == 0 {
			break
		}
		for _, r := range out.Campaign.Reminders {
			key := fmt.Sprint(r.Member, r.Before, r.Expires)
			require.False(t, seen[key], "a reminder came twice")
			seen[key], reminded = true, reminded+1
		}
		cursor = out.NextCursor
	}
	require.Equal(t, 3*days, reminded, "each day's lot lapses on a day of its own")
}
