package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"tillgate/config"
	"tillgate/ledger"
	"tillgate/reconciler"
	"tillgate/reconciler/desk"
)

func init() {
	register(command{"verify", "prove the books: ledger, and PostgreSQL against it", verify})
}

const aboutVerify = `
Proves the invariants of the books: every record is replayed into fresh state
and compared with what is stored, debits equal credits, lots equal balances,
held equals captured and released, returns stay within their sales, sealed
windows chain. Then PostgreSQL is compared with the ledger by sealed windows
(count, sums, hash) and by the balance of every account.

A running server proves its own books and goes on serving. Exit code 1 if
anything is wrong.
`

var errNotProved = errors.New("the books are not in order")

// verify asks the running server, or proves a ledger that nobody has open.
func verify(ctx context.Context, c *console, args []string) error {
	fs := newFlags(c, "verify", "[--data DIR] [--postgres DSN] [--ledger-copy DIR]", aboutVerify)
	loader := config.Bind(fs, "data", "reconciler.postgres")
	copied := fs.String("ledger-copy", "", "prove the backup in this directory instead")
	if err := parse(fs, args, 0, 0); err != nil {
		return err
	}
	conf, err := loader.Load(os.LookupEnv)
	if err != nil {
		return usagef("%s", err)
	}
	if *copied != "" {
		return proveStopped(c, *copied)
	}
	ok, err := desk.Dial(conf.Data).Verify(ctx, c.out)
	switch {
	case errors.Is(err, desk.ErrNotRunning):
		return verifyStopped(ctx, c, conf)
	case err != nil:
		return err
	case !ok:
		return errNotProved
	}
	return nil
}

// proveStopped proves a store that nobody has open.
func proveStopped(c *console, dir string) error {
	proof, err := ledger.Verify(dir, ledger.Options{}, func(f ledger.Finding) { fmt.Fprintln(c.out, f) })
	if err != nil {
		return err
	}
	reconciler.WriteProof(c.out, &proof)
	if proof.Findings > 0 {
		return errNotProved
	}
	return nil
}

func verifyStopped(ctx context.Context, c *console, conf *config.Config) error {
	proved := proveStopped(c, ledgerDir(conf))
	if proved != nil && !errors.Is(proved, errNotProved) || conf.Reconciler.Postgres == "" {
		return proved
	}
	l, err := openStopped(conf)
	if err != nil {
		return err
	}
	report, err := reconciler.VerifyPostgres(ctx, conf.Reconciler.Postgres, l)
	if err := errors.Join(err, l.Close()); err != nil {
		return err
	}
	reconciler.WriteReport(c.out, report)
	if len(report.Faults) > 0 {
		return errNotProved
	}
	return proved
}
