package trial

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"tillgate/bench/day"
	"tillgate/bench/load"
	"tillgate/bench/report"
)

// projected is a ledger that is brought into an empty PostgreSQL again and
// again.
type projected struct {
	shop *shop
	all  float64 // records of its journal
}

// Members of the ledger that is projected; requests of the day that it has
// booked, for each second of a measurement: about as many as PostgreSQL takes
// in.
const (
	rowMembers  = 10_000
	rowRequests = 30_000
)

// measureProjection measures the projection and nothing else.
func (t *trial) measureProjection(ctx context.Context) (err error) {
	if t.Databases == nil {
		return fmt.Errorf("the projection needs PostgreSQL: %s", t.NoDatabases)
	}
	t.rep.Settings = append(t.rep.Settings,
		report.Pair{Name: "load", Value: fmt.Sprintf("%d requests of a weekday by %d members", t.rowRequests(), rowMembers)},
		report.Pair{Name: "repeats", Value: fmt.Sprint(t.Repeats)})
	c := &contest{trial: t}
	defer c.projectionGoal() // also of what was measured until it failed
	if c.rows, err = t.recordRows(ctx); err != nil {
		return err
	}
	for r := range t.Repeats {
		if err := t.sync(r); err != nil {
			return err
		}
		if err := c.repeatProjection(ctx, r); err != nil {
			return fmt.Errorf("repeat %d: %w", r+1, err)
		}
	}
	return t.proveAll(ctx)
}

// rowRequests is how many requests of the day are played.
func (t *trial) rowRequests() int { return int(rowRequests * t.Length.Seconds()) }

// recordRows plays a day against a server without PostgreSQL and stops it.
func (t *trial) recordRows(ctx context.Context) (*projected, error) {
	s, err := t.openShop(ctx, "rows", rowMembers)
	if err != nil {
		return nil, err
	}
	weekday, err := day.Parse(day.Weekday)
	if err != nil {
		return nil, err
	}
	t.Step("a day to be projected", t.Length)
	t.runs++
	e := edge{connections: 16, inFlight: 16}
	fleet, err := s.tills(weekday, true)(t.runs, e)
	if err != nil {
		return nil, err
	}
	r, err := load.Run(ctx, load.Options{
		Address: s.server.ISO, Connections: e.connections, InFlight: e.inFlight, Wire: func(c int) load.Wire { return fleet.wires[c] },
		Requests: uint64(max(1, t.rowRequests()/e.connections)),
	})
	if err != nil {
		return nil, err
	}
	if bad := r.Declined + r.Shed + r.Unanswered; bad > 0 {
		return nil, fmt.Errorf("%d requests of the day were not approved: %s", bad, fleet.tills[0].Refused())
	}
	return &projected{shop: s}, s.stop()
}

// repeatProjection measures the projection beside COPY.
func (c *contest) repeatProjection(ctx context.Context, r int) error {
	c.Step(step(r)+projectFigure, c.Length)
	dsn, err := c.Databases(ctx)
	if err != nil {
		return err
	}
	records, took, err := c.project(ctx, c.rows.shop, dsn)
	if err != nil {
		return fmt.Errorf("projection: %w", err)
	}
	plain, indexed, err := copyRows(ctx, dsn)
	if err != nil {
		return fmt.Errorf("bare COPY: %w", err)
	}
	c.figure(projectFigure, "records/s", records/took.Seconds())
	c.figure(copyFigure, "records/s", c.rows.all/plain.Seconds())
	c.figure(indexFigure, "records/s", c.rows.all/indexed.Seconds())
	c.figure(overIndexFigure, "", last(c.values(projectFigure))*indexed.Seconds()/c.rows.all)
	return nil
}

// lookAtProjection is how often the projection is looked at: a look takes the
// server about a millisecond, on the processors on which it projects.
const lookAtProjection = 25 * time.Millisecond

// project starts the stopped server with an empty database and measures how
// many records it brings in from when it has begun until it has caught up.
func (c *contest) project(ctx context.Context, s *shop, dsn string) (records float64, took time.Duration, err error) {
	s.server.Env = []string{"TILLGATE_POSTGRES=" + dsn}
	starting, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	s.server.Ready = "/healthz"
	if err := s.server.Start(starting); err != nil {
		return 0, 0, err
	}
	var first, now map[string]float64
	var begun time.Time
	for tick := time.NewTicker(lookAtProjection); ; {
		if now, err = s.metrics(starting); err != nil {
			return 0, 0, err
		}
		if first == nil && now[projectLagMetric] > 0 && now[projectedMetric] > 0 {
			first, begun = now, time.Now()
		}
		if now[projectedMetric] > 0 && now[projectLagMetric] == 0 {
			took = time.Since(begun)
			tick.Stop()
			break
		}
		select {
		case <-starting.Done():
			return 0, 0, errors.New("it does not catch up")
		case <-tick.C:
		}
	}
	if first == nil || now[projectedMetric] == first[projectedMetric] {
		return 0, 0, errors.New("it was too fast to be seen: measure for longer")
	}
	c.rows.all = now[projectedMetric]
	return now[projectedMetric] - first[projectedMetric], took, s.stop()
}

// projectedTables are those that the projection fills with rows of the journal.
var projectedTables = []string{"operations", "operation_lines", "operation_rules", "operation_lots", "windows", "shifts", "members"}

// copiedTable is a table with the rows that the projection has written.
type copiedTable struct {
	name, columns string
	rows          bytes.Buffer
}

// copyRows writes the rows of a projection again: by a COPY into tables of the
// same columns, and into tables with the same indexes and checks, too.
func copyRows(ctx context.Context, dsn string) (plain, indexed time.Duration, err error) {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return 0, 0, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "SET search_path = tillgate"); err != nil {
		return 0, 0, err
	}
	tables, err := readTables(ctx, conn)
	if err != nil {
		return 0, 0, err
	}
	if plain, err = copyInto(ctx, conn, tables, ""); err == nil {
		indexed, err = copyInto(ctx, conn, tables, "INCLUDING ALL")
	}
	return plain, indexed, err
}

// readTables reads what was projected into memory.
func readTables(ctx context.Context, conn *pgx.Conn) ([]*copiedTable, error) {
	rows, err := conn.Query(ctx, `
SELECT c.relname, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'tillgate'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND c.relname = ANY ($1) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
GROUP BY c.relname ORDER BY c.relname`, projectedTables)
	if err != nil {
		return nil, err
	}
	tables, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*copiedTable, error) {
		t := &copiedTable{}
		return t, row.Scan(&t.name, &t.columns)
	})
	if err != nil {
		return nil, err
	}
	if len(tables) != len(projectedTables) {
		return nil, fmt.Errorf("%d of the %d tables of the projection are there", len(tables), len(projectedTables))
	}
	for _, t := range tables {
		sql := fmt.Sprintf("COPY (SELECT %s FROM %s) TO STDOUT (FORMAT binary)", t.columns, t.name)
		if _, err := conn.PgConn().CopyTo(ctx, &t.rows, sql); err != nil {
			return nil, err
		}
	}
	return tables, nil
}

func copyInto(ctx context.Context, conn *pgx.Conn, tables []*copiedTable, like string) (time.Duration, error) {
	var made, dropped []string
	for _, t := range tables {
		made = append(made, fmt.Sprintf("CREATE TABLE bare_%[1]s (LIKE %[1]s %[2]s)", t.name, like))
		dropped = append(dropped, "DROP TABLE bare_"+t.name)
	}
	if _, err := conn.Exec(ctx, strings.Join(made, ";"), pgx.QueryExecModeSimpleProtocol); err != nil {
		return 0, err
	}
	begun := time.Now()
	for _, t := range tables {
		sql := fmt.Sprintf("COPY bare_%s (%s) FROM STDIN (FORMAT binary)", t.name, t.columns)
		if _, err := conn.PgConn().CopyFrom(ctx, bytes.NewReader(t.rows.Bytes()), sql); err != nil {
			return 0, err
		}
	}
	took := time.Since(begun)
	_, err := conn.Exec(ctx, strings.Join(dropped, ";"), pgx.QueryExecModeSimpleProtocol)
	return took, err
}
