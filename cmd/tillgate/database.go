package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"tillgate/reconciler/services"
)

// databaseStart bounds the start of the PostgreSQL of --dev, which may have to
// fetch its binaries; databaseStop bounds its end.
const (
	databaseStart = 5 * time.Minute
	databaseStop  = 3 * time.Second
)

// database is the PostgreSQL that --dev starts where none is configured. It
// starts beside everything else: tills never wait for it.
type database struct {
	dir    string
	log    *slog.Logger
	cancel context.CancelFunc
	ended  chan struct{}
	server *services.Postgres // set before ended is closed
}

func newDatabase(dir string, log *slog.Logger) *database {
	return &database{dir: dir, log: log}
}

// start begins to start it and returns; connect gets its address when it
// answers, and await is told when it is no longer on its way. Without it reports
// answer 503 and the rest goes on.
func (d *database) start(connect func(dsn string) error, await func(starting bool)) {
	ctx, cancel := context.WithTimeout(context.Background(), databaseStart)
	d.cancel, d.ended = cancel, make(chan struct{})
	go func() {
		defer close(d.ended)
		defer await(false)
		p, err := services.StartPostgres(ctx, d.dir, services.PostgresOptions{
			Logf: func(format string, args ...any) { d.log.Info(fmt.Sprintf(format, args...)) },
		})
		if err != nil {
			d.log.Warn("no PostgreSQL could be started: reports answer 503, tills are served", "error", err)
			return
		}
		d.server = p
		if err := connect(p.DSN()); err != nil {
			d.log.Warn("the PostgreSQL that was started can't be used", "error", err)
			return
		}
		d.log.Info("PostgreSQL is there: reports and exports are served")
	}()
}

// stop ends it, also in the middle of its start.
func (d *database) stop() {
	if d.cancel == nil {
		return
	}
	d.cancel()
	<-d.ended
	if d.server == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), databaseStop)
	defer cancel()
	if err := d.server.Stop(ctx); err != nil {
		d.log.Warn("PostgreSQL did not stop by itself", "error", err)
		d.server.Kill()
	}
	d.server = nil
}
