package project

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// ErrOtherLedger says that the database is the projection of another ledger:
// mixing two would make every figure wrong.
var ErrOtherLedger = errors.New("this PostgreSQL schema holds the projection of another ledger: give each data directory a database of its own, or drop the schema to have it built anew from the journal")

// Schema is where the tables live, unless the connection string sets a
// search_path of its own.
const Schema = "tillgate"

// Config reads a connection string (a URL or key=value pairs, as libpq takes
// them) and sets what every connection of the reconciler needs: the schema and
// UTC, so that days and months in SQL mean the same everywhere.
func Config(dsn string) (*pgx.ConnConfig, error) {
	c, err := pgx.ParseConfig(dsn)
	if err != nil {
		// pgx's error repeats the connection string, less its password.
		return nil, fmt.Errorf("the PostgreSQL connection string: %w", err)
	}
	if c.RuntimeParams["search_path"] == "" {
		c.RuntimeParams["search_path"] = Schema
	}
	c.RuntimeParams["timezone"] = "UTC"
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "tillgate"
	}
	return c, nil
}

// Migrate brings the schema to the version of this program. It takes a lock
// in the database, so that two processes may start at once. A schema newer
// than this program is refused.
func Migrate(ctx context.Context, config *pgx.ConnConfig) error {
	db := stdlib.OpenDB(*config)
	defer func() { _ = db.Close() }() // every statement has told its outcome
	schema := strings.TrimSpace(strings.Split(config.RuntimeParams["search_path"], ",")[0])
	if _, err := db.ExecContext(ctx, "CREATE SCHEMA IF NOT EXISTS "+pgx.Identifier{schema}.Sanitize()); err != nil {
		return fmt.Errorf("creating the schema: %w", err)
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithTableName("migrations"), goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("reading the schema's version: %w", err)
	}
	if have > want {
		return fmt.Errorf("the schema is at version %d, this program knows %d: start the newer program", have, want)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrating the schema: %w", err)
	}
	return nil
}

// Bind ties the schema to a ledger the first time and refuses another one
// ever after.
func Bind(ctx context.Context, c *pgx.Conn, store string, partitions int) error {
	_, err := c.Exec(ctx, "INSERT INTO source (store, partitions) VALUES ($1, $2) ON CONFLICT DO NOTHING", store, partitions)
	if err != nil {
		return fmt.Errorf("binding the schema to its ledger: %w", err)
	}
	var have string
	var n int
	if err := c.QueryRow(ctx, "SELECT store, partitions FROM source").Scan(&have, &n); err != nil {
		return fmt.Errorf("reading which ledger the schema belongs to: %w", err)
	}
	if have != store || n != partitions {
		return ErrOtherLedger
	}
	_, err = c.Exec(ctx, "INSERT INTO positions (partition, sequence) SELECT n, 0 FROM generate_series(0, $1::int - 1) n ON CONFLICT DO NOTHING", partitions)
	return err
}
