package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"tillgate/bench/trial"
	"tillgate/reconciler/services"
)

// stand is the services that a run is measured against, in a directory of
// their own.
type stand struct {
	dir      string
	postgres *services.Postgres
	kafka    *services.Kafka
	made     atomic.Int32 // databases
}

// startTime bounds the start of a service, its fetch included.
const startTime = 5 * time.Minute

// bufferMiB is what PostgreSQL gets for its pages, so that it is measured as one
// would run it: its manual advises a quarter of the memory, and this is that of
// a small machine.
const bufferMiB = 512

// startServices starts what the call needs and enters it there. A machine that
// has no means to run one measures without, and the report says so.
func startServices(ctx context.Context, c *call, say func(name string, expected time.Duration)) (*stand, error) {
	s := &stand{}
	if !c.services || c.Mode == trial.Day {
		c.NoDatabases = "no services were asked for"
		return s, nil
	}
	if err := os.MkdirAll(c.Data, 0o755); err != nil {
		return s, err
	}
	var err error
	if s.dir, err = os.MkdirTemp(c.Data, "services-"); err != nil {
		return s, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	say("starting PostgreSQL", 5*time.Second)
	s.postgres, err = services.StartPostgres(ctx, filepath.Join(s.dir, "postgres"), services.PostgresOptions{BufferMiB: bufferMiB})
	if err == nil {
		c.Databases = s.database
		if c.Mode == trial.Stream {
			say("starting Kafka", 10*time.Second)
			if s.kafka, err = services.StartKafka(ctx, filepath.Join(s.dir, "kafka"), services.KafkaOptions{}); err == nil {
				c.Kafka = s.kafka.Address()
			}
		}
	}
	if errors.Is(err, services.ErrUnavailable) {
		c.NoDatabases = err.Error()
		return s, nil
	}
	return s, err
}

// database makes an empty database. Those before it stay until the end.
func (s *stand) database(ctx context.Context) (string, error) {
	conn, err := pgx.Connect(ctx, s.postgres.DSN())
	if err != nil {
		return "", err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	name := fmt.Sprintf("bench_%d", s.made.Add(1))
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name+" TEMPLATE template0"); err != nil {
		return "", err
	}
	dsn, err := url.Parse(s.postgres.DSN())
	if err != nil {
		return "", errors.New("the server's connection string is no address") // it holds a password
	}
	dsn.Path = "/" + name
	return dsn.String(), nil
}

// stop stops what was started, and removes it.
func (s *stand) stop() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if s.kafka != nil {
		err = errors.Join(err, s.kafka.Stop(ctx))
	}
	if s.postgres != nil {
		err = errors.Join(err, s.postgres.Stop(ctx))
		if s.postgres.Dir() != filepath.Join(s.dir, "postgres") {
			err = errors.Join(err, os.RemoveAll(s.postgres.Dir()))
		}
	}
	if s.dir != "" {
		err = errors.Join(err, os.RemoveAll(s.dir))
	}
	return err
}
