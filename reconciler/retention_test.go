package reconciler

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/reconciler/services/servicetest"
)

// A database that is behind, or was never reached, holds the drop back; when it
// has everything the old records go, and the proof goes on by their sums. One
// that is older than what is kept is told so.
func TestTheProjectionHoldsWhatIsDroppedAndIsProvedByItsSums(t *testing.T) {
	var clock atomic.Int64
	clock.Store(time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC).UnixNano())
	w := newWorldAt(t, clock.Load)
	w.sell(400)
	w.o.Postgres = servicetest.Database(t)
	clock.Add(int64(400 * 24 * time.Hour))
	w.sell(20)

	r, err := New(w.o, Parts{Ledger: w.l, Logger: w.log()})
	require.NoError(t, err)
	d, err := w.l.DropOld(r.Followers(false)...)
	require.NoError(t, err)
	require.Zero(t, d.Records)
	require.Equal(t, "postgresql", d.Held)

	w.run()
	w.settled()
	d, err = w.l.DropOld(w.r.Followers(false)...)
	require.NoError(t, err)
	require.Greater(t, d.Records, uint64(100))
	require.Empty(t, d.Held)
	w.sell(30)
	w.settled()
	report, err := VerifyPostgres(context.Background(), w.o.Postgres, w.l)
	require.NoError(t, err)
	require.Equal(t, d.Records, report.Dropped)
	var told strings.Builder
	proof, err := w.l.Verify(func(f ledger.Finding) { t.Error(f) })
	require.NoError(t, err)
	WriteProof(&told, &proof)
	WriteReport(&told, report)
	require.Contains(t, told.String(), "older records are dropped and known by their sums, 8 accounts from before are checked by sums only: all in order")
	require.Contains(t, told.String(), "older ones by their number and sums: the same as the ledger")

	w.run() // as after a restart
	w.sell(5)
	w.settled()

	// What PostgreSQL has lost of the dropped records is found by their sums.
	conn, err := pgx.Connect(context.Background(), w.o.Postgres)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(context.Background(), `UPDATE tillgate.operations SET leg_issued = leg_issued - 1, leg_available = leg_available + 1
		WHERE id = (SELECT min(id) FROM tillgate.operations WHERE leg_issued < 0)`)
	require.NoError(t, err)
	report, err = VerifyPostgres(context.Background(), w.o.Postgres, w.l)
	require.NoError(t, err)
	require.Len(t, report.Faults, 1)
	require.Contains(t, report.Faults[0], "the sums of the legs differ")
}
