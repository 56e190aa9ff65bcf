package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tillgate/config"
	"tillgate/protocol"
	"tillgate/reconciler/desk"
)

func init() {
	register(command{"export", "write operations, or all that belongs to a merchant, to a file", exportFile})
}

const aboutExport = `
Writes the operations that were booked from --from up to, and not with, --to:
complete, in booking order, with business and booking date, and with totals
that equal the ledger's. Or, with --all, everything that belongs to a
merchant as a ZIP archive: operations, lines, rules, lots, members, shifts,
programmes and directories. Or, with --report, a report: liability, what is
owed to members in points month by month; sales, by day and store.

It asks the server that runs on the data directory. Dates are whole days
(2026-11-01, in the configured time zone) or moments (2026-11-01T00:00:00+05:00).
`

// exportFile asks the running server for an export.
func exportFile(ctx context.Context, c *console, args []string) error {
	fs := newFlags(c, "export", "--from DATE --to DATE [--report NAME] [--format csv|xlsx|json] [--output FILE] | --all [--output FILE]", aboutExport)
	loader := config.Bind(fs, "data", "timezone")
	from := fs.String("from", "", "the first day or moment")
	to := fs.String("to", "", "the day or moment after the last")
	report := fs.String("report", "", "a report instead of the operations: "+strings.Join(protocol.Reports, " or "))
	format := fs.String("format", "", "csv or xlsx, of a report json, too; by default what the output's name ends with, else csv")
	all := fs.Bool("all", false, "everything that belongs to the merchant, as a ZIP archive")
	merchant := fs.String("merchant", "", "the merchant, where there are several")
	output := fs.StringP("output", "o", "-", "the file to write; - is the standard output")
	if err := parse(fs, args, 0, 0); err != nil {
		return err
	}
	conf, err := loader.Load(os.LookupEnv)
	if err != nil {
		return usagef("%s", err)
	}
	client := desk.Dial(conf.Data)
	if *all {
		if *from != "" || *to != "" || *format != "" || *report != "" {
			return usagef("--all takes no dates, no format and no report")
		}
		return writeFile(c, *output, func(w io.Writer) error { return client.ExportAll(ctx, w, *merchant) })
	}
	formats, name := []string{"csv", "xlsx"}, desk.Operations
	if *report != "" {
		formats, name = append(formats, "json"), *report
	}
	if *format == "" {
		*format = "csv"
		if end := strings.TrimPrefix(filepath.Ext(*output), "."); slices.Contains(formats, end) {
			*format = end
		}
	}
	if !slices.Contains(formats, *format) {
		return usagef("--format: %s is wanted", strings.Join(formats, " or "))
	}
	begin, err := parseMoment(*from, conf.Timezone)
	if err != nil {
		return usagef("--from: %s", err)
	}
	end, err := parseMoment(*to, conf.Timezone)
	if err != nil {
		return usagef("--to: %s", err)
	}
	if !end.After(begin) {
		return usagef("--to must be after --from")
	}
	return writeFile(c, *output, func(w io.Writer) error { return client.Export(ctx, w, *merchant, name, begin, end, *format) })
}

// parseMoment reads a day in a time zone, or a moment.
func parseMoment(s, zone string) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return at, nil
	}
	location, err := time.LoadLocation(zone)
	if err != nil {
		return time.Time{}, err
	}
	at, err := time.ParseInLocation(time.DateOnly, s, location)
	if err != nil {
		return at, errors.New("a day like 2026-11-01 or a moment like 2026-11-01T00:00:00+05:00 is wanted")
	}
	return at, nil
}

// writeFile writes to a file that appears under its name only when it is
// whole, or to the standard output.
func writeFile(c *console, name string, write func(io.Writer) error) error {
	if name == "-" {
		return write(c.out)
	}
	part := name + ".part"
	f, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	b := bufio.NewWriterSize(f, 1<<20)
	err = write(b)
	if err == nil {
		err = errors.Join(b.Flush(), f.Sync())
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	if err := os.Rename(part, name); err != nil {
		return err
	}
	fmt.Fprintf(c.err, "%s is written\n", name)
	return nil
}
