package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/bench/rig"
	"tillgate/config"
	"tillgate/ledger"
)

// The machine's clock steps forwards and backwards in the middle of load: by
// hours back, by minutes forth. Nothing is lost or doubled, time in the journal
// never goes back, and the books are in order. The steps forth stay below the
// fifteen minutes that a hold lives, so that every sale ends as it began.
//
// The clock is the ledger's and the switch's own option: a process of its own
// can't be given another clock without a library in front of the system's.
func TestTheClockStepsUnderLoad(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 8))
	var step atomic.Int64
	clock := func() int64 { return time.Now().UnixNano() + step.Load() }
	s := ownTestServer(t, func(c *config.Config) { c.Ledger.Clock, c.Processor.Clock = clock, clock })

	stop := make(chan struct{})
	office := rig.NewShop("http://"+s.gateway.HTTPAddr(), "T0000")
	defer office.Close()
	var crew []*rig.Worker
	for i := range 4 {
		status, body, err := office.Post("/v1/members", fmt.Sprintf("enrol-%d", i), map[string]any{"phone": fmt.Sprintf("+7701%07d", 1234000+i)})
		require.NoError(t, err)
		require.Equal(t, 201, status, "%s", body)
		var member struct{ ID string }
		require.NoError(t, json.Unmarshal(body, &member))
		card := fmt.Sprintf("77010000%04d", i)
		status, body, err = office.Post("/v1/members/"+member.ID+"/cards", fmt.Sprintf("card-%d", i), map[string]any{"number": card})
		require.NoError(t, err)
		require.Less(t, status, 300, "%s", body)
		terminal := fmt.Sprintf("T%04d", i+1)
		var edge rig.Edge = rig.NewShop("http://"+s.gateway.HTTPAddr(), terminal)
		if i%2 == 0 {
			edge = rig.NewTill(s.gateway.ISOAddrs()[0], terminal)
		}
		t.Cleanup(edge.Close)
		crew = append(crew, rig.NewWorker(terminal, card, member.ID, edge, seed+uint64(i), stop, func() { time.Sleep(5 * time.Millisecond) }))
	}
	failed := make(chan error, len(crew))
	for _, w := range crew {
		go func() { failed <- w.Run() }()
	}
	steps := []time.Duration{0, 2 * time.Minute, 9 * time.Minute, -2 * time.Minute, -3 * time.Hour}
	for range 12 {
		step.Store(int64(steps[rng.IntN(len(steps))]))
		select {
		case <-time.After(time.Duration(50+rng.IntN(150)) * time.Millisecond):
		case err := <-failed:
			require.NoError(t, err)
			t.Fatal("a worker stopped early")
		}
	}
	step.Store(int64(9 * time.Minute))
	close(stop)
	for range crew {
		require.NoError(t, <-failed, "seed %d", seed)
	}
	operations := 0
	for _, w := range crew {
		require.NoError(t, w.Repeat())
		require.NoError(t, w.Book.Balance(office))
		require.NoError(t, w.Book.History(office))
		operations += len(w.Book.Entries)
	}
	require.NoError(t, s.ledger.WaitSynced())
	proof, err := s.ledger.Verify(func(f ledger.Finding) { t.Error(f) }) // time that goes back is a finding
	require.NoError(t, err)
	require.Positive(t, s.ledger.Stats().ClockJumps, "a step of more than a minute is an alert")
	t.Logf("%d acknowledged operations, %d records", operations, proof.Records)
}
