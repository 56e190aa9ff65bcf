package services_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"tillgate/reconciler/services"
	"tillgate/reconciler/services/servicetest"
)

// crashDir, when set, makes the test binary the parent that a test kills: it
// starts a PostgreSQL there, prints its connection string and waits for the end.
const crashDir = "TILLGATE_TEST_CRASH_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		beKilled(dir)
	}
	servicetest.Main(m)
}

func beKilled(dir string) {
	p, err := services.StartPostgres(context.Background(), dir, services.PostgresOptions{})
	if err != nil {
		_, _ = os.Stdout.WriteString("failed: " + err.Error() + "\n")
		os.Exit(1)
	}
	_, _ = os.Stdout.WriteString(p.DSN() + "\n")
	select {}
}

// TestPostgresKeepsDataThroughKillAndRestart writes, kills the server with
// SIGKILL, starts it again under the same address, and reads what was committed.
func TestPostgresKeepsDataThroughKillAndRestart(t *testing.T) {
	ctx := t.Context()
	p := servicetest.OwnPostgres(t)
	address, pid := p.Address(), p.PID()

	write(t, p.DSN(), "CREATE TABLE receipts (n int)")
	write(t, p.DSN(), "INSERT INTO receipts VALUES (1)")
	p.Kill()
	_, err := pgx.Connect(ctx, p.DSN())
	require.Error(t, err, "a killed server answers nobody")

	require.NoError(t, p.Restart(ctx))
	require.Equal(t, address, p.Address())
	require.NotEqual(t, pid, p.PID())
	write(t, p.DSN(), "INSERT INTO receipts VALUES (2)")

	require.NoError(t, p.Stop(ctx))
	require.NoError(t, p.Stop(ctx), "stopping twice is no error")
	require.NoError(t, p.Restart(ctx))
	require.Equal(t, 2, count(t, p.DSN()))
}

// TestPostgresIsWhatThePagesSay holds the settings that the migrations and the
// documentation count on.
func TestPostgresIsWhatThePagesSay(t *testing.T) {
	dsn := servicetest.Database(t)
	for setting, want := range map[string]string{
		"server_encoding":  "UTF8",
		"lc_collate":       "C",
		"TimeZone":         "UTC",
		"listen_addresses": "127.0.0.1",
	} {
		query := "SELECT setting FROM pg_settings WHERE name = '" + setting + "'"
		if setting == "lc_collate" { // since PostgreSQL 16 a property of the database only
			query = "SELECT datcollate FROM pg_database WHERE datname = current_database()"
		}
		require.Equal(t, want, value[string](t, dsn, query), setting)
	}
	config, err := pgx.ParseConfig(dsn)
	require.NoError(t, err)
	config.Password = "another"
	_, err = pgx.ConnectConfig(t.Context(), config)
	require.ErrorContains(t, err, "password authentication failed", "loopback is open to every user of the machine")
}

// TestServerEndsWithItsParent kills the process that started the server, as
// kill -9 of tillgate does, and starts the same directory again at once.
func TestServerEndsWithItsParent(t *testing.T) {
	servicetest.Postgres(t) // skips where there is none
	dir := servicetest.Dir(t)
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), crashDir+"="+dir)
	out, err := parent.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, parent.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(line, "postgres://"), line)
	dsn := strings.TrimSpace(line)
	write(t, dsn, "CREATE TABLE receipts (n int)")
	write(t, dsn, "INSERT INTO receipts VALUES (1)")

	_, err = services.StartPostgres(t.Context(), dir, services.PostgresOptions{})
	require.ErrorContains(t, err, "in use by another process", "two servers never share a directory")

	require.NoError(t, parent.Process.Kill())
	_ = parent.Wait()
	p, err := services.StartPostgres(t.Context(), dir, services.PostgresOptions{})
	require.NoError(t, err)
	require.Equal(t, 1, count(t, p.DSN()))
	require.NoError(t, p.Stop(t.Context()))
}

// TestInterruptedCreationIsBegunAnew leaves what a killed initdb leaves.
func TestInterruptedCreationIsBegunAnew(t *testing.T) {
	servicetest.Postgres(t)
	dir := servicetest.Dir(t)
	unfinished := filepath.Join(dir, "data.unfinished")
	require.NoError(t, os.MkdirAll(filepath.Join(unfinished, "base"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(unfinished, "PG_VERSION"), nil, 0o600))
	p, err := services.StartPostgres(t.Context(), dir, services.PostgresOptions{Volatile: true})
	require.NoError(t, err)
	require.NoError(t, p.Stop(t.Context()))
}

// TestDatabasesAreApart gives two tests two databases and drops them afterwards,
// open sessions or not.
func TestDatabasesAreApart(t *testing.T) {
	server := servicetest.Postgres(t)
	const mine = "SELECT count(*) FROM pg_database WHERE datname = ANY($1)"
	var names []string
	t.Run("two databases", func(t *testing.T) {
		for range 2 {
			dsn := servicetest.Database(t)
			write(t, dsn, "CREATE TABLE receipts (n int)")
			names = append(names, value[string](t, dsn, "SELECT current_database()::text"))
			open, err := pgx.Connect(t.Context(), dsn)
			require.NoError(t, err)
			t.Cleanup(func() { _ = open.Close(context.Background()) })
		}
		require.NotEqual(t, names[0], names[1])
		require.Equal(t, 2, value[int](t, server, mine, names))
	})
	require.Zero(t, value[int](t, server, mine, names))
}

// TestKafkaKeepsDataThroughStopAndKill produces with acks=all, stops and kills
// the broker, and fetches all of it in order.
func TestKafkaKeepsDataThroughStopAndKill(t *testing.T) {
	ctx := t.Context()
	k := servicetest.OwnKafka(t)
	address := k.Address()
	servicetest.CreateTopic(t, address, "journal", 1)

	produce(t, address, "journal", "first")
	require.NoError(t, k.Stop(ctx))
	require.NoError(t, k.Restart(ctx))
	require.Equal(t, address, k.Address())
	produce(t, address, "journal", "second")
	k.Kill()
	require.NoError(t, k.Restart(ctx))
	produce(t, address, "journal", "third")
	require.Equal(t, []string{"first", "second", "third"}, fetch(t, address, "journal", 3))
}

// TestTopicIsNotMadeByBeingNamed: a writer's mistake in a name must not go
// unseen.
func TestTopicIsNotMadeByBeingNamed(t *testing.T) {
	client := kafka.Client{Addr: kafka.TCP(servicetest.Kafka(t))}
	_, err := client.Produce(t.Context(), &kafka.ProduceRequest{
		Topic: "nobody-made-this", RequiredAcks: kafka.RequireAll,
		Records: kafka.NewRecordReader(kafka.Record{Value: kafka.NewBytes([]byte("x"))}),
	})
	require.ErrorContains(t, err, "topic not found")
}

func TestTopicHasItsPartitions(t *testing.T) {
	address, name := servicetest.Topic(t, 8)
	client := kafka.Client{Addr: kafka.TCP(address)}
	answer, err := client.Metadata(t.Context(), &kafka.MetadataRequest{Topics: []string{name}})
	require.NoError(t, err)
	require.Len(t, answer.Topics, 1)
	require.Len(t, answer.Topics[0].Partitions, 8)
}

func write(t *testing.T, dsn, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), statement)
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
}

func count(t *testing.T, dsn string) int {
	t.Helper()
	return value[int](t, dsn, "SELECT count(*) FROM receipts")
}

// value is the one value that a query gives.
func value[T any](t *testing.T, dsn, query string, args ...any) (v T) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	require.NoError(t, conn.QueryRow(t.Context(), query, args...).Scan(&v))
	require.NoError(t, conn.Close(t.Context()))
	return v
}

func produce(t *testing.T, address, topic, text string) {
	t.Helper()
	// A transport of its own: a pooled connection may be to the broker's last life.
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	client := kafka.Client{Addr: kafka.TCP(address), Timeout: 10 * time.Second, Transport: transport}
	answer, err := client.Produce(t.Context(), &kafka.ProduceRequest{
		Topic: topic, RequiredAcks: kafka.RequireAll,
		Records: kafka.NewRecordReader(kafka.Record{Value: kafka.NewBytes([]byte(text))}),
	})
	require.NoError(t, err)
	require.NoError(t, answer.Error)
}

// fetch reads the first n records of a topic's only partition.
func fetch(t *testing.T, address, topic string, n int) (texts []string) {
	t.Helper()
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{address}, Topic: topic, MaxWait: 100 * time.Millisecond})
	defer func() { require.NoError(t, r.Close()) }()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for range n {
		m, err := r.ReadMessage(ctx)
		require.NoError(t, err)
		texts = append(texts, string(m.Value))
	}
	return texts
}
