package project

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/reconciler/services/servicetest"
)

var errCut = errors.New("the test has cut the connection")

// cutter breaks each connection at its n-th write, n growing by one with
// every connection, until a connection lives.
type cutter struct {
	connections atomic.Int64
	on          atomic.Bool
	step        int64
}

type cutConn struct {
	net.Conn
	c      *cutter
	after  int64
	writes atomic.Int64
}

func (c *cutter) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil || !c.on.Load() {
		return conn, err
	}
	return &cutConn{Conn: conn, c: c, after: c.connections.Add(1) * c.step}, nil
}

func (c *cutConn) Write(p []byte) (int, error) {
	if c.writes.Add(1) > c.after {
		c.Conn.Close()
		return 0, errCut
	}
	return c.Conn.Write(p)
}

// However far the projector gets before its connection breaks - between COPY
// and INSERT, between INSERT and COMMIT, at the COMMIT itself, whose outcome is
// unknown then - each record is there once, with its position.
func TestABrokenConnectionAtAnyWrite(t *testing.T) {
	dsn := servicetest.Database(t)
	config, err := Config(dsn)
	require.NoError(t, err)
	require.NoError(t, Migrate(context.Background(), config))
	j := newJournal(2)
	cut := &cutter{step: 1}
	cut.on.Store(true)
	o := options(t, dsn, j)
	o.Config.DialFunc = cut.dial
	o.Pause = 1
	o.BatchRecords = 5
	for i := range 200 {
		j.add(i%2, accrual(ledger.AccountID(i+1), "", 1000))
		if i%50 == 49 {
			j.seal(0)
		}
	}
	p := start(t, o)
	caughtUp(t, p, j)
	require.Greater(t, cut.connections.Load(), int64(20), "many connections must have been cut")

	c := connect(t, dsn)
	require.EqualValues(t, 204, one[int64](t, c, "SELECT count(*) FROM operations"))
	require.EqualValues(t, 200, one[int64](t, c, "SELECT count(*) FROM operation_lines"))
	require.EqualValues(t, 200, one[int64](t, c, "SELECT count(*) FROM operation_lots"))
	require.Equal(t, "104 100", one[string](t, c, "SELECT string_agg(sequence::text, ' ' ORDER BY partition) FROM positions"))
	require.EqualValues(t, 4, one[int64](t, c, "SELECT count(*) FROM windows WHERE verdict = 'equal'"),
		"the open window survives every restart of the projector")
}

func TestTwoProjectorsShareOneSchema(t *testing.T) {
	dsn := servicetest.Database(t)
	j := newJournal(2)
	o := options(t, dsn, j)
	o.BatchRecords = 10
	first, second := start(t, o), start(t, o)
	for i := range 300 {
		j.add(i%2, accrual(ledger.AccountID(i+1), "", 1000))
	}
	caughtUp(t, first, j)
	caughtUp(t, second, j)
	c := connect(t, dsn)
	require.EqualValues(t, 300, one[int64](t, c, "SELECT count(*) FROM operations"))
}

func TestAnotherLedgersDatabaseIsRefused(t *testing.T) {
	dsn := servicetest.Database(t)
	j := newJournal(2)
	j.add(0, accrual(1, "", 1000))
	caughtUp(t, start(t, options(t, dsn, j)), j)

	o := options(t, dsn, j)
	o.Store = "another"
	p := start(t, o)
	require.Eventually(t, func() bool { return errors.Is(p.Trouble(), ErrOtherLedger) }, wait, 1e6)

	older := options(t, dsn, newJournal(2))
	p = start(t, older)
	require.Eventually(t, func() bool { return errors.Is(p.Trouble(), ErrAhead) }, wait, 1e6)
}

func TestWindowsAreJudgedByWhatWasReceived(t *testing.T) {
	for name, c := range map[string]struct {
		spoil   func(w *ledger.Window)
		verdict string
	}{
		"as sealed":       {func(*ledger.Window) {}, VerdictEqual},
		"another hash":    {func(w *ledger.Window) { w.Hash[3]++ }, VerdictHash},
		"other sums":      {func(w *ledger.Window) { w.Legs[0]++; w.Legs[4]-- }, VerdictSums},
		"another record":  {func(w *ledger.Window) { w.First++ }, VerdictRange},
		"one record less": {func(w *ledger.Window) { w.Last-- }, VerdictRange},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJournal(1)
			var w window
			feed := func() (verdict string) {
				for s := w.first; s <= j.Synced(0); s++ {
					if s == 0 {
						continue
					}
					var op ledger.Operation
					require.NoError(t, ledger.DecodeOperation(j.records[0][s-1], &op))
					if op.Kind == ledger.KindWindow && s > 1 {
						sealed, err := openWindow(&op)
						require.NoError(t, err)
						c.spoil(sealed)
						verdict = w.judge(&op, sealed)
					}
					w.add(&op, j.records[0][s-1])
					// What is kept with the position leads to the same.
					kept := window{}
					require.NoError(t, kept.load(w.save()))
					require.Equal(t, w.save(), kept.save())
					w = kept
				}
				return verdict
			}
			for i := range 7 {
				j.add(0, accrual(ledger.AccountID(i+1), "", 1000))
			}
			j.seal(0)
			require.Equal(t, c.verdict, feed())
		})
	}
}

func TestProfilesComeAndGo(t *testing.T) {
	dsn := servicetest.Database(t)
	j := newJournal(4)
	member := ledger.AccountID(77)
	home := member.Partition(4)
	set := func(kind ledger.Kind, profile []byte) {
		j.mu.Lock()
		j.profiles[member] = profile
		j.mu.Unlock()
		j.add(home, ledger.Operation{Kind: kind, Account: member, Merchant: "m", Registered: kind == ledger.KindRegister})
	}
	p := start(t, options(t, dsn, j))
	c := func() string {
		caughtUp(t, p, j)
		conn := connect(t, dsn)
		return one[string](t, conn, `SELECT concat_ws(' ', merchant, registered, erased, joined_at IS NOT NULL, profile->>'name', profile_as_of = profile_wanted) FROM members WHERE account = $1`, member.String())
	}
	set(ledger.KindEnrol, nil)
	require.Equal(t, "m f f f t", c())
	set(ledger.KindRegister, []byte(`{"v":1,"name":"Asel"}`))
	require.Equal(t, "m t f t Asel t", c())
	set(ledger.KindProfile, []byte(`{"v":1,"name":"Asel K."}`))
	require.Equal(t, "m t f t Asel K. t", c())
	set(ledger.KindErase, nil)
	require.Equal(t, "m t t t t", c(), "the row stays for the books, the person is gone")
}

// A profile that Kafka still owed when the stream was changed to the
// in-process one is read from the ledger.
func TestProfilesOwedByAnotherWayAreFetched(t *testing.T) {
	dsn := servicetest.Database(t)
	j := newJournal(1)
	j.add(0, ledger.Operation{Kind: ledger.KindRegister, Account: 5, Registered: true})
	j.profiles[5] = []byte(`{"name":"Asel"}`)

	o := options(t, dsn, j)
	script := &scripted{deliver: make(chan Delivery, 1)}
	o.Source = script
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	first := New(o)
	done := make(chan struct{})
	go func() { defer close(done); first.Run(ctx) }()
	d, err := (&JournalSource{Ledger: j}).chunk(0, 0)
	require.NoError(t, err)
	script.deliver <- Delivery{Records: d.Records} // without its profile
	caughtUp(t, first, j)
	cancel()
	<-done

	start(t, options(t, dsn, j))
	c := connect(t, dsn)
	require.Eventually(t, func() bool {
		return one[string](t, c, "SELECT coalesce(profile->>'name', '') FROM members") == "Asel"
	}, wait, 1e6)
}
