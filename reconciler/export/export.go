package export

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"
)

// Formats of a single table.
const (
	CSV  = "csv"
	XLSX = "xlsx"
	JSON = "json" // of reports
)

// Operations writes the operations of a merchant that were booked in [from,
// to), in booking order, with a last row of totals.
func Operations(ctx context.Context, config *pgx.ConnConfig, w io.Writer, merchant string, from, to time.Time, format string) error {
	return one(ctx, config, w, format, &operations, merchant, from, to)
}

// Grants writes what the members of segments got in the runs of a merchant that
// began in [from, to), or in one of them if run isn't 0, with a last row of
// totals.
func Grants(ctx context.Context, config *pgx.ConnConfig, w io.Writer, merchant string, from, to time.Time, run int64, format string) error {
	return one(ctx, config, w, format, &grants, merchant, from, to, run)
}

// Reminders writes the reminders of a merchant that were made in [from, to).
func Reminders(ctx context.Context, config *pgx.ConnConfig, w io.Writer, merchant string, from, to time.Time, format string) error {
	return one(ctx, config, w, format, &reminders, merchant, from, to)
}

// one writes a single table in one of the formats.
func one(ctx context.Context, config *pgx.ConnConfig, w io.Writer, format string, s *sheet, args ...any) error {
	return snapshot(ctx, config, func(tx pgx.Tx) error {
		switch format {
		case CSV:
			return table(ctx, tx, newCSV(w), s, args...)
		case XLSX:
			x, err := newXLSX(w)
			if err != nil {
				return err
			}
			defer func() { _ = x.close() }() // of temporary files, after the last byte
			return table(ctx, tx, x, s, args...)
		case JSON:
			rows := *s
			rows.total = false
			return table(ctx, tx, newJSON(w), &rows, args...)
		}
		return fmt.Errorf("there is no format %q: csv, xlsx and json are", format)
	})
}

func table(ctx context.Context, tx pgx.Tx, w writer, s *sheet, args ...any) error {
	if err := write(ctx, tx, s, w, args...); err != nil {
		return err
	}
	return w.end()
}

// File is a further file of [All], such as a programme document.
type File struct {
	Name  string
	Write func(io.Writer) error
}

// All writes everything that belongs to a merchant into one ZIP archive: its
// operations with their lines, rules and lots, its members, its shifts, what
// segments were granted, its reminders, and the files given, which come from the
// ledger.
func All(ctx context.Context, config *pgx.ConnConfig, w io.Writer, merchant string, files []File) error {
	z := zip.NewWriter(w)
	err := snapshot(ctx, config, func(tx pgx.Tx) error {
		for _, s := range []*sheet{&operations, &lines, &rules, &lots, &members, &shifts, &grants, &reminders} {
			args := []any{merchant}
			switch s {
			case &operations, &grants, &reminders:
				args = append(args, time.Unix(0, 0), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC))
			}
			if s == &grants {
				args = append(args, int64(0))
			}
			f, err := create(z, s.name+".csv")
			if err != nil {
				return err
			}
			if err := table(ctx, tx, newCSV(f), s, args...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, f := range files {
		to, err := create(z, f.Name)
		if err != nil {
			return err
		}
		if err := f.Write(to); err != nil {
			return fmt.Errorf("writing %s: %w", f.Name, err)
		}
	}
	return z.Close()
}

func create(z *zip.Writer, name string) (io.Writer, error) {
	return z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Now()})
}

// dialLimit bounds how long an export waits for a connection.
const dialLimit = 10 * time.Second

// snapshot runs read in one read-only transaction that sees one state of the
// database throughout.
func snapshot(ctx context.Context, config *pgx.ConnConfig, read func(pgx.Tx) error) error {
	dial, cancel := context.WithTimeout(ctx, dialLimit)
	conn, err := pgx.ConnectConfig(dial, config)
	cancel()
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // it has only read
	return read(tx)
}
