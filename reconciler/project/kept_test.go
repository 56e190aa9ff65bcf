package project

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/reconciler/services/servicetest"
)

func TestKeptIsWhatTheDatabaseSays(t *testing.T) {
	dsn := servicetest.Database(t)
	j := newJournal(4)
	for i := range 30 {
		j.add(i%4, accrual(ledger.AccountID(i+1), "", 1000))
	}
	o := options(t, dsn, j)
	_, err := New(o).Kept()
	require.ErrorIs(t, err, errUnknown, "nobody has read the positions yet")

	p := start(t, o)
	caughtUp(t, p, j)
	at, err := p.Kept()
	require.NoError(t, err)
	require.Equal(t, []uint64{8, 8, 7, 7}, at)

	// A database that was put in the place of ours knows nothing of this ledger.
	c := connect(t, dsn)
	_, err = c.Exec(context.Background(), "UPDATE source SET store = 'another'", pgx.QueryExecModeSimpleProtocol)
	require.NoError(t, err)
	_, err = p.Kept()
	require.ErrorIs(t, err, ErrOtherLedger)
}
