// Package servicetest gives tests a real PostgreSQL and a real Apache Kafka.
//
// The servers of `make services` are used where they run; else each test binary
// starts its own at the first call and Main stops them at its end. Tests share a
// server and keep apart by databases and topics of their own; a test that stops
// or kills its server takes one for itself (OwnPostgres, OwnKafka).
//
// A machine that cannot run a service skips the test with the reason, unless
// TILLGATE_REQUIRE_SERVICES is set, which makes it a failure.
package servicetest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/segmentio/kafka-go"

	"tillgate/reconciler/services"
)

// requestLimit bounds one request of these functions to a running server.
const requestLimit = 30 * time.Second

// startPatience bounds the start of a broker of a test's own, on a machine that
// is busy with other tests.
const startPatience = 4 * time.Minute

// shared holds the servers that this test binary started for itself.
var shared struct {
	sync.Mutex
	dir         string
	postgres    *services.Postgres
	postgresErr error
	kafka       *services.Kafka
	kafkaErr    error
}

// Main runs a package's tests and stops afterwards what they started:
//
//	func TestMain(m *testing.M) { servicetest.Main(m) }
func Main(m *testing.M) {
	code := m.Run()
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop the services:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// Postgres is the connection string of the shared server's own database. Use
// Database for anything that is written.
func Postgres(t testing.TB) string {
	t.Helper()
	if s := running(t); s.Postgres != "" {
		return s.Postgres
	}
	shared.Lock()
	defer shared.Unlock()
	if shared.postgres == nil && shared.postgresErr == nil {
		shared.postgres, shared.postgresErr = startPostgres(t)
	}
	check(t, shared.postgresErr)
	return shared.postgres.DSN()
}

// Database makes an empty database for the test, dropped at its end with all
// sessions in it, and returns its connection string.
func Database(t testing.TB) string {
	t.Helper()
	server := Postgres(t)
	name := "test_" + strings.ToLower(rand.Text())
	execute(t, server, "CREATE DATABASE "+name+" TEMPLATE template0")
	t.Cleanup(func() { execute(t, server, "DROP DATABASE "+name+" WITH (FORCE)") })
	dsn, err := url.Parse(server)
	if err != nil {
		t.Fatal("the server's connection string is no address") // it holds a password
	}
	dsn.Path = "/" + name
	return dsn.String()
}

// Kafka is the bootstrap address of the shared broker.
func Kafka(t testing.TB) string {
	t.Helper()
	if s := running(t); s.Kafka != "" {
		return s.Kafka
	}
	shared.Lock()
	defer shared.Unlock()
	if shared.kafka == nil && shared.kafkaErr == nil {
		shared.kafka, shared.kafkaErr = startKafka(t)
	}
	check(t, shared.kafkaErr)
	return shared.kafka.Address()
}

// Topic makes a topic for the test on the shared broker, deleted at its end, and
// returns the broker's address and the topic's name.
func Topic(t testing.TB, partitions int) (address, name string) {
	t.Helper()
	address, name = Kafka(t), "test-"+strings.ToLower(rand.Text())
	CreateTopic(t, address, name, partitions)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), requestLimit)
		defer cancel()
		client := kafka.Client{Addr: kafka.TCP(address)}
		if _, err := client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{name}}); err != nil {
			t.Errorf("delete topic %s: %v", name, err)
		}
	})
	return address, name
}

// CreateTopic makes a topic on a broker and waits until each of its partitions
// has a leader, for until then it cannot be written.
func CreateTopic(t testing.TB, address, name string, partitions int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), requestLimit)
	defer cancel()
	client := kafka.Client{Addr: kafka.TCP(address)}
	answer, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{
		{Topic: name, NumPartitions: partitions, ReplicationFactor: 1},
	}})
	if err == nil {
		err = answer.Errors[name]
	}
	if err != nil {
		t.Fatalf("create topic %s: %v", name, err)
	}
	for {
		led, err := leaders(ctx, &client, name)
		if led == partitions {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("topic %s: %d of %d partitions have a leader: %v", name, led, partitions, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// leaders counts the partitions of a topic that can be written.
func leaders(ctx context.Context, client *kafka.Client, name string) (int, error) {
	answer, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{name}})
	if err != nil {
		return 0, err
	}
	led := 0
	for _, topic := range answer.Topics {
		err = errors.Join(err, topic.Error)
		for _, p := range topic.Partitions {
			if p.Error == nil && p.Leader.Host != "" {
				led++
			}
		}
	}
	return led, err
}

// OwnPostgres starts a server for this test alone, which may stop, kill and
// restart it; it is stopped and its data removed at the end.
func OwnPostgres(t testing.TB) *services.Postgres {
	t.Helper()
	options := services.PostgresOptions{Volatile: true, Logf: t.Logf}
	p, err := services.StartPostgres(context.Background(), Dir(t), options)
	check(t, err)
	t.Cleanup(func() {
		if err := p.Stop(context.Background()); err != nil {
			t.Errorf("stop PostgreSQL: %v", err)
		}
	})
	return p
}

// OwnKafka starts a broker for this test alone, which may stop, kill and restart
// it; it is stopped and its data removed at the end.
func OwnKafka(t testing.TB) *services.Kafka {
	t.Helper()
	return OwnKafkaBehind(t, "")
}

// OwnKafkaBehind is OwnKafka for a broker that its clients reach at another
// address, host:port, where the test has put a proxy.
func OwnKafkaBehind(t testing.TB, address string) *services.Kafka {
	t.Helper()
	options := services.KafkaOptions{Logf: t.Logf, Advertise: address}
	ctx, cancel := context.WithTimeout(context.Background(), startPatience)
	defer cancel()
	k, err := services.StartKafka(ctx, Dir(t), options)
	check(t, err)
	t.Cleanup(func() {
		if err := k.Stop(context.Background()); err != nil {
			t.Errorf("stop Kafka: %v", err)
		}
	})
	return k
}

// Dir is a temporary directory that other users may enter, which a server run by
// root needs and testing's TempDir is not. It is removed at the test's end.
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := tempDir()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove the test's directory: %v", err)
		}
	})
	return dir
}

func tempDir() (string, error) {
	dir, err := os.MkdirTemp("", "tillgate-test-")
	if err != nil {
		return "", fmt.Errorf("create a temporary directory: %w", err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", fmt.Errorf("open the temporary directory: %w", err)
	}
	return dir, nil
}

// Required reports whether a service that is missing fails the tests.
func Required() bool {
	v := os.Getenv("TILLGATE_REQUIRE_SERVICES")
	return v != "" && v != "0"
}

// check skips or fails the test when a service could not be started.
func check(t testing.TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case errors.Is(err, services.ErrUnavailable) && !Required():
		t.Skipf("SKIPPED, NOT TESTED: %v", err)
	default:
		t.Fatal(err)
	}
}

// running is the state of the servers that another process runs for all tests.
func running(t testing.TB) services.State {
	t.Helper()
	dir, err := services.StateDir()
	if err != nil {
		return services.State{} // a test binary run outside the repository
	}
	s, _, err := services.ReadState(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func startPostgres(t testing.TB) (*services.Postgres, error) {
	dir, err := sharedDir()
	if err != nil {
		return nil, err
	}
	options := services.PostgresOptions{Volatile: true, Logf: t.Logf}
	return services.StartPostgres(context.Background(), filepath.Join(dir, "postgres"), options)
}

func startKafka(t testing.TB) (*services.Kafka, error) {
	dir, err := sharedDir()
	if err != nil {
		return nil, err
	}
	return services.StartKafka(context.Background(), filepath.Join(dir, "kafka"), services.KafkaOptions{Logf: t.Logf})
}

// sharedDir is made at the first use; stop removes it. The caller holds the lock.
func sharedDir() (string, error) {
	if shared.dir != "" {
		return shared.dir, nil
	}
	var err error
	shared.dir, err = tempDir()
	return shared.dir, err
}

// stop ends the servers of this test binary and removes their data.
func stop() error {
	shared.Lock()
	defer shared.Unlock()
	var errs []error
	if shared.postgres != nil {
		errs = append(errs, shared.postgres.Stop(context.Background()))
	}
	if shared.kafka != nil {
		errs = append(errs, shared.kafka.Stop(context.Background()))
	}
	if shared.dir != "" {
		errs = append(errs, os.RemoveAll(shared.dir))
	}
	return errors.Join(errs...)
}

// execute runs one statement on a connection of its own.
func execute(t testing.TB, dsn, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), requestLimit)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatalf("connect to the shared PostgreSQL: %v", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}
