package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"tillgate/reconciler/services"
)

// supervise starts both servers side by side, writes the state when they answer,
// waits for a signal or for the end of one of them, and stops them.
func supervise(ctx context.Context, dir string, out io.Writer) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("create the services' directory: %w", err)
	}
	logf := func(format string, args ...any) { _, _ = fmt.Fprintf(out, format+"\n", args...) }

	var (
		both        sync.WaitGroup
		postgres    *services.Postgres
		kafka       *services.Kafka
		postgresErr error
		kafkaErr    error
	)
	both.Go(func() {
		options := services.PostgresOptions{Volatile: true, Logf: logf}
		postgres, postgresErr = services.StartPostgres(ctx, filepath.Join(dir, "postgres"), options)
	})
	both.Go(func() {
		kafka, kafkaErr = services.StartKafka(ctx, filepath.Join(dir, "kafka"), services.KafkaOptions{Logf: logf})
	})
	both.Wait()
	// The state goes last, for `down` waits for its end.
	defer func() {
		stop(postgres, kafka, logf)
		if err := services.RemoveState(dir); err != nil {
			logf("%v", err)
		}
	}()

	state := services.State{PID: os.Getpid()}
	var err error
	if state.PostgresMissing, err = missing(postgresErr); err != nil {
		return err
	}
	if state.KafkaMissing, err = missing(kafkaErr); err != nil {
		return err
	}
	var postgresDone, kafkaDone <-chan struct{} // nil, never ready, for one that is missing
	if postgres != nil {
		state.Postgres, postgresDone = postgres.DSN(), postgres.Done()
	}
	if kafka != nil {
		state.Kafka, kafkaDone = kafka.Address(), kafka.Done()
	}
	if err := state.Write(dir); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case <-postgresDone:
		return errors.New("the database ended by itself; see postgres/log")
	case <-kafkaDone:
		return errors.New("the broker ended by itself; see kafka/log")
	}
}

// missing is the reason why a service is left out; any other failure, and each
// when services are required, is an error.
func missing(err error) (reason string, failure error) {
	if err == nil {
		return "", nil
	}
	if required := os.Getenv("TILLGATE_REQUIRE_SERVICES"); required != "" && required != "0" {
		return "", err
	}
	if errors.Is(err, services.ErrUnavailable) {
		return err.Error(), nil
	}
	return "", err
}

// stop ends both servers side by side. The signal that asked for it has ended
// the context, so they get their own time.
func stop(postgres *services.Postgres, kafka *services.Kafka, logf func(string, ...any)) {
	var both sync.WaitGroup
	if postgres != nil {
		both.Go(func() {
			if err := postgres.Stop(context.Background()); err != nil {
				logf("stop PostgreSQL: %v", err)
			}
		})
	}
	if kafka != nil {
		both.Go(func() {
			if err := kafka.Stop(context.Background()); err != nil {
				logf("stop Kafka: %v", err)
			}
		})
	}
	both.Wait()
}
