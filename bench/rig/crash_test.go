package rig_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/bench/rig"
	"tillgate/reconciler/services/servicetest"
)

func TestMain(m *testing.M) { servicetest.Main(m) }

// kills is how often the server is killed; TILLGATE_KILLS asks for more.
func kills(t *testing.T) int {
	n := 20
	if v := os.Getenv("TILLGATE_KILLS"); v != "" {
		var err error
		n, err = strconv.Atoi(v)
		require.NoError(t, err)
	}
	return n
}

// The built server is killed in the middle of load, again and again. Every
// acknowledged operation is there afterwards, once, in the ledger and in
// PostgreSQL, and no balance differs from what the answers said.
func TestKilledServerLosesNothing(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	dsn := servicetest.Database(t)
	dir := servicetest.Dir(t)
	server := start(ctx, t, dir, "TILLGATE_POSTGRES="+dsn)

	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d, %d kills", seed, kills(t))
	stop := make(chan struct{})
	crew := hire(t, server, 8, seed, stop)
	failed := run(crew)
	rng := rand.New(rand.NewPCG(seed, 3))
	for range kills(t) {
		// Between kills the load runs for a while of random length: where in
		// its work the server is hit is the point of the test.
		select {
		case <-time.After(time.Duration(200+rng.IntN(500)) * time.Millisecond):
		case err := <-failed:
			require.NoError(t, err)
			t.Fatal("a worker stopped early")
		}
		require.NoError(t, server.Kill(ctx))
	}
	close(stop)
	for range crew {
		require.NoError(t, <-failed)
	}
	prove(ctx, t, server, crew, dsn)
	retries := 0
	for _, w := range crew {
		retries += w.Book.Retries
	}
	require.Positive(t, retries, "no request was hit by a kill")
	t.Logf("%d kills, %d requests sent more than once", server.Kills, retries)
}

// Kafka and PostgreSQL are away while tills and shops work. Nobody waits for
// them, and all of it is there after they return.
func TestStreamMayBeDownForTheWholeRun(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	postgres := servicetest.OwnPostgres(t)
	kafka := servicetest.OwnKafka(t)
	require.NoError(t, kafka.Stop(ctx))
	require.NoError(t, postgres.Stop(ctx))

	server := start(ctx, t, servicetest.Dir(t),
		"TILLGATE_POSTGRES="+postgres.DSN(), "TILLGATE_KAFKA_BROKERS="+kafka.Address())
	stop := make(chan struct{})
	crew := hire(t, server, 4, uint64(time.Now().UnixNano()), stop)
	failed := run(crew)
	select {
	case <-time.After(3 * time.Second): // the run of the tills
	case err := <-failed:
		require.NoError(t, err)
		t.Fatal("a worker stopped early")
	}
	close(stop)
	for range crew {
		require.NoError(t, <-failed)
	}
	require.NoError(t, server.Kill(ctx), "not even a restart needs them")
	require.NoError(t, kafka.Restart(ctx))
	require.NoError(t, postgres.Restart(ctx))
	prove(ctx, t, server, crew, postgres.DSN())
}

// run lets the crew work; the channel gets what each worker says at its end.
func run(crew []*rig.Worker) <-chan error {
	failed := make(chan error, len(crew))
	for _, w := range crew {
		go func() { failed <- w.Run() }()
	}
	return failed
}

// prove compares the workers' books with the ledger and with PostgreSQL.
func prove(ctx context.Context, t *testing.T, server *rig.Server, crew []*rig.Worker, dsn string) {
	shop := rig.NewShop("http://"+server.HTTP, "T9999")
	defer shop.Close()
	var books []*rig.Book
	operations := 0
	repeated := make(chan error, len(crew))
	for _, w := range crew {
		go func() { repeated <- w.Repeat() }()
	}
	for range crew {
		require.NoError(t, <-repeated)
	}
	for _, w := range crew {
		require.NoError(t, w.Book.Balance(shop))
		require.NoError(t, w.Book.History(shop))
		require.NotEmpty(t, w.Book.Entries, "a worker that did nothing proves nothing")
		books = append(books, &w.Book)
		operations += len(w.Book.Entries)
	}
	wait, done := context.WithTimeout(ctx, 2*time.Minute)
	defer done()
	require.NoError(t, rig.Project(wait, dsn, books))
	t.Logf("%d acknowledged operations, each in the ledger and in PostgreSQL once", operations)
}

// start builds the server and starts it on a data directory of its own.
func start(ctx context.Context, t *testing.T, dir string, env ...string) *rig.Server {
	return startOn(ctx, t, dir, filepath.Join(dir, "data"), env...)
}

// startOn is start with the data in a directory elsewhere.
func startOn(ctx context.Context, t *testing.T, dir, data string, env ...string) *rig.Server {
	binary, err := rig.Build(ctx, dir)
	require.NoError(t, err)
	httpAddress, err := rig.FreePort()
	require.NoError(t, err)
	isoAddress, err := rig.FreePort()
	require.NoError(t, err)
	server := &rig.Server{
		Binary: binary, Dir: data, HTTP: httpAddress, ISO: isoAddress,
		Env: env,
	}
	require.NoError(t, server.Start(ctx))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 25*time.Second)
		defer cancel()
		require.NoError(t, server.Stop(ctx))
		if t.Failed() {
			log, err := os.ReadFile(server.Dir + ".log")
			t.Logf("the server's log (%v):\n%s", err, log)
		}
	})
	return server
}

// hire registers a member with a card for each of n workers: tills and shops
// in turn.
func hire(t *testing.T, server *rig.Server, n int, seed uint64, stop <-chan struct{}) []*rig.Worker {
	return hireAt(t, server, n, seed, stop, server.HTTP, server.ISO)
}

// hireAt is hire for workers who reach the server at other addresses.
func hireAt(t *testing.T, server *rig.Server, n int, seed uint64, stop <-chan struct{}, http, iso string) []*rig.Worker {
	office := rig.NewShop("http://"+server.HTTP, "T0000")
	defer office.Close()
	pause := func() { time.Sleep(5 * time.Millisecond) } // before a server that is just starting is tried again
	var crew []*rig.Worker
	for i := range n {
		status, body, err := office.Post("/v1/members", fmt.Sprintf("enrol-%d", i),
			map[string]any{"phone": fmt.Sprintf("+7701%07d", 1234000+i), "name": "Crew"})
		require.NoError(t, err)
		require.Equal(t, 201, status, "%s", body)
		var member struct{ ID string }
		require.NoError(t, json.Unmarshal(body, &member))
		card := fmt.Sprintf("77010000%04d", i)
		status, body, err = office.Post("/v1/members/"+member.ID+"/cards", fmt.Sprintf("card-%d", i), map[string]any{"number": card})
		require.NoError(t, err)
		require.Less(t, status, 300, "%s", body)
		terminal := fmt.Sprintf("T%04d", i+1)
		var edge rig.Edge = rig.NewShop("http://"+http, terminal)
		if i%2 == 0 {
			edge = rig.NewTill(iso, terminal)
		}
		t.Cleanup(edge.Close)
		crew = append(crew, rig.NewWorker(terminal, card, member.ID, edge, seed+uint64(i), stop, pause))
	}
	return crew
}
