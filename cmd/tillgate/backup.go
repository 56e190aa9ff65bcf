package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"tillgate/config"
	"tillgate/ledger"
	"tillgate/reconciler"
	"tillgate/reconciler/desk"
)

func init() {
	register(command{"backup", "copy the ledger to a new directory, while the server serves or not", backup})
	register(command{"restore", "put a backup in the place of a lost ledger", restore})
}

const aboutBackup = `
Writes a copy of the ledger, as of one moment, to DIR, which must not exist
yet. A running server goes on serving; on the same file system the copy is
mostly links and takes no time and no room.

The copy holds the keys of the personal data: guard it like the ledger, and
bring it to another machine. See docs/backup.md for what it does not hold.
`

// backup asks the running server for a copy, or makes one where none runs.
func backup(ctx context.Context, c *console, args []string) error {
	fs := newFlags(c, "backup", "DIR [--data DIR]", aboutBackup)
	loader := config.Bind(fs, "data")
	if err := parse(fs, args, 1, 1); err != nil {
		return err
	}
	conf, err := loader.Load(os.LookupEnv)
	if err != nil {
		return usagef("%s", err)
	}
	dir, err := filepath.Abs(fs.Arg(0))
	if err != nil {
		return err
	}
	begun := time.Now()
	err = desk.Dial(conf.Data).Backup(ctx, dir)
	if errors.Is(err, desk.ErrNotRunning) {
		err = backupStopped(conf, dir)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "%s holds the ledger as of %s; prove it with: tillgate verify --ledger-copy %s\n", dir, begun.Format(time.RFC3339), dir)
	return nil
}

// backupStopped copies a ledger that nobody has open.
func backupStopped(conf *config.Config, dir string) error {
	l, err := openStopped(conf)
	if err != nil {
		return err
	}
	return errors.Join(l.Checkpoint(dir), l.Close())
}

// ledgerDir is where a server keeps its ledger.
func ledgerDir(conf *config.Config) string { return filepath.Join(conf.Data, "ledger") }

// openStopped opens the ledger of a server that doesn't run; it never makes a
// new one.
func openStopped(conf *config.Config) (*ledger.Ledger, error) {
	dir := ledgerDir(conf)
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("there is no ledger in %s", conf.Data)
	}
	// Nobody will decide about dated events: nothing falls due meanwhile.
	return ledger.Open(dir, ledger.Options{AwaitWaker: true})
}

const aboutRestore = `
Copies the backup in DIR into the data directory, which must hold no ledger,
and proves the books of the copy.

What was booked after the backup is not in it. Where reporting database and
Kafka topics go on further, the server refuses to mix them with the older
ledger and says so: see docs/backup.md.
`

// restore copies a backup to its place and proves it.
func restore(_ context.Context, c *console, args []string) error {
	fs := newFlags(c, "restore", "DIR [--data DIR]", aboutRestore)
	loader := config.Bind(fs, "data")
	if err := parse(fs, args, 1, 1); err != nil {
		return err
	}
	conf, err := loader.Load(os.LookupEnv)
	if err != nil {
		return usagef("%s", err)
	}
	dir := ledgerDir(conf)
	if err := ledger.Restore(fs.Arg(0), dir, nil); err != nil {
		return err
	}
	proof, err := ledger.Verify(dir, ledger.Options{}, func(f ledger.Finding) { fmt.Fprintln(c.out, f) })
	if err != nil {
		return err
	}
	reconciler.WriteProof(c.out, &proof)
	if proof.Findings > 0 {
		return errors.New("the books of the backup are not in order; nothing was changed in it")
	}
	fmt.Fprintf(c.out, "%s is in place; start it with: tillgate serve --data %s\n", dir, conf.Data)
	return nil
}
