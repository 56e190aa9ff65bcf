package project

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/reconciler/services/servicetest"
)

// BenchmarkProjection brings 100,000 accruals into PostgreSQL by way of the
// projector, and copies the same rows with a bare COPY into tables of the same
// columns, and again of the same columns and indexes. The ratios in one run
// are what counts: projector ÷ copy.
func BenchmarkProjection(b *testing.B) {
	const records = 100_000
	j := newJournal(4)
	for i := range records {
		j.add(i%4, accrual(ledger.AccountID(i%1000+1), fmt.Sprint(i), 1000))
	}
	config, err := Config(servicetest.Database(b))
	require.NoError(b, err)
	ctx := context.Background()
	require.NoError(b, Migrate(ctx, config))
	conn, err := pgx.ConnectConfig(ctx, config)
	require.NoError(b, err)
	defer conn.Close(ctx)
	t := rowsOf(b, j)
	for b.Loop() {
		plain, indexed := bareCopy(b, conn, t, ""), bareCopy(b, conn, t, "INCLUDING ALL")
		empty(b, conn)
		projected := projectAll(b, j, config)
		b.ReportMetric(float64(records)/projected.Seconds(), "records/s")
		b.ReportMetric(plain.Seconds()/projected.Seconds(), "of_a_bare_COPY")
		b.ReportMetric(indexed.Seconds()/projected.Seconds(), "of_a_COPY_with_indexes")
	}
}

// rowsOf makes all rows of a journal, as the projector would.
func rowsOf(b *testing.B, j *journal) tables {
	t := newTables()
	var op ledger.Operation
	for p := range j.records {
		for _, r := range j.records[p] {
			require.NoError(b, ledger.DecodeOperation(r, &op))
			operationRow(t.operations, &op)
			lineRows(t.lines, &op)
			ruleRows(t.rules, &op)
			lotRows(t.lots, &op)
		}
	}
	return t
}

func bareCopy(b *testing.B, conn *pgx.Conn, t tables, like string) time.Duration {
	ctx := context.Background()
	for _, one := range t.all() {
		_, err := conn.Exec(ctx, fmt.Sprintf("DROP TABLE IF EXISTS bare_%s; CREATE TABLE bare_%s (LIKE %s %s)", one.target, one.target, one.target, like),
			pgx.QueryExecModeSimpleProtocol)
		require.NoError(b, err)
	}
	start := time.Now()
	for _, one := range t.all() {
		if one.rows == 0 {
			continue
		}
		body := append(append([]byte(nil), one.buf...), 0xff, 0xff)
		sql := fmt.Sprintf("COPY bare_%s (%s) FROM STDIN (FORMAT binary)", one.target, strings.Join(one.columns, ", "))
		_, err := conn.PgConn().CopyFrom(ctx, bytesReader(body), sql)
		require.NoError(b, err)
	}
	return time.Since(start)
}

func empty(b *testing.B, conn *pgx.Conn) {
	_, err := conn.Exec(context.Background(), "TRUNCATE operations, operation_lines, operation_rules, operation_lots, windows, members, shifts, positions, source",
		pgx.QueryExecModeSimpleProtocol)
	require.NoError(b, err)
}

func projectAll(b *testing.B, j *journal, config *pgx.ConnConfig) time.Duration {
	p := New(Options{
		Config: config, Store: "test", Partitions: j.Partitions(), Source: &JournalSource{Ledger: j}, Open: plainProfiles, Synced: j.Synced,
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); p.Run(ctx) }()
	require.NoError(b, p.Wait(ctx, nil)) // connected
	start := time.Now()
	require.NoError(b, p.Wait(ctx, j.marks()))
	took := time.Since(start)
	cancel()
	<-done
	return took
}
