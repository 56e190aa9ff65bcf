package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"tillgate/config"
	"tillgate/ledger"
	"tillgate/processor"
)

func init() {
	register(command{"audit", "tell who changed directories and blocks: when, before, after", audit})
}

const aboutAudit = `
Prints the audit of directories and of the block list, oldest first: number,
time, who (the name of the API key), directory and row, what it was and what
it became. A row with personal data, or of a large import, stands as a hash.

The server must be stopped, or --ledger-copy name a backup of it, which can
be made while it serves. 'tillgate verify' proves that nothing was altered.
`

func audit(_ context.Context, c *console, args []string) error {
	fs := newFlags(c, "audit", "[--data DIR | --ledger-copy DIR] [--after NUMBER]", aboutAudit)
	loader := config.Bind(fs, "data")
	copied := fs.String("ledger-copy", "", "read the backup in this directory instead")
	after := fs.Uint64("after", 0, "begin behind this number")
	if err := parse(fs, args, 0, 0); err != nil {
		return err
	}
	conf, err := loader.Load(os.LookupEnv)
	if err != nil {
		return usagef("%s", err)
	}
	dir := *copied
	if dir == "" {
		dir = ledgerDir(conf)
	}
	return ledger.ReadAudit(dir, ledger.Options{}, *after+1, func(r *ledger.AuditRecord) bool {
		for _, ch := range r.Changes {
			fmt.Fprintf(c.out, "%d\t%s\t%s\t%s\t%q\t%s\t%s → %s\n", r.Number, time.Unix(0, r.Time).UTC().Format(time.RFC3339),
				someone(r.Actor), processor.AuditName(r.Kind), r.Merchant, ch.ID,
				something(processor.AuditRow(r.Kind, ch.ID, ch.Before, ch.Hashed)), something(processor.AuditRow(r.Kind, ch.ID, ch.After, ch.Hashed)))
		}
		return true
	})
}

// someone is the name of who made a change.
func someone(actor string) string {
	if actor == "" {
		return "(the server)"
	}
	return actor
}

// something is a row as the audit tells it.
func something(row string) string {
	if row == "" {
		return "(none)"
	}
	return row
}
