package processor

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/protocol"
)

// TestManyAtOnceBookOnce sends every request eight times at once: each key
// books once, and all eight get the same bytes.
func TestManyAtOnceBookOnce(t *testing.T) {
	s := openShop(t, small)
	s.enrol(7, "4000001", "", ledger.LotPart{Active: 1, Points: 1000})
	const requests, copies = 200, 8
	list := make([]protocol.Request, requests)
	for i := range list {
		list[i] = s.sale(protocol.CallAccrue, byCard("4000001"), 10000, 0)
	}
	said := make([][copies]string, requests)
	var wg sync.WaitGroup
	for c := range copies {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range list {
				said[i][c] = wire(s.ask(list[i]))
			}
		}()
	}
	wg.Wait()
	for i := range said {
		for c := range copies {
			require.Equal(t, said[i][0], said[i][c])
		}
	}
	a := s.account(7)
	require.EqualValues(t, 1000+requests*1000, a.Balance().Available)
	require.Zero(t, s.s.claims.waiting.Load())
}

// TestOneMemberFromManyFirstPurchases: an unknown phone number at many tills
// at once makes one member, who gets all the points.
func TestOneMemberFromManyFirstPurchases(t *testing.T) {
	s := openShop(t, small)
	const tills = 50
	ids := make([]string, tills)
	list := make([]protocol.Request, tills)
	for i := range list {
		list[i] = s.sale(protocol.CallAccrue, byPhone("+77010000042"), 10000, 0)
		list[i].Terminal = "T" + strconv.Itoa(i)
	}
	var wg sync.WaitGroup
	for i := range list {
		wg.Add(1)
		go func() {
			defer wg.Done()
			ids[i] = s.ask(list[i]).Member.ID
		}()
	}
	wg.Wait()
	for _, id := range ids {
		require.Equal(t, ids[0], id)
	}
	ask := s.till(protocol.CallBalance)
	ask.Member = byPhone("+77010000042")
	require.EqualValues(t, tills*1000, s.ask(ask).Balance.Available)
}

// TestOneKeyTwoBodies: of different bodies under one key exactly one is booked.
func TestOneKeyTwoBodies(t *testing.T) {
	s := openShop(t, small)
	s.enrol(7, "4000001", "")
	const bodies = 20
	list := make([]protocol.Request, bodies)
	for i := range list {
		list[i] = s.sale(protocol.CallAccrue, byCard("4000001"), int64(10000+i*10), 0)
		list[i].Key = "one"
	}
	codes := make([]protocol.Code, bodies)
	var wg sync.WaitGroup
	for i := range list {
		wg.Add(1)
		go func() {
			defer wg.Done()
			codes[i] = s.ask(list[i]).Code
		}()
	}
	wg.Wait()
	booked := 0
	for _, c := range codes {
		if c == protocol.Approved {
			booked++
			continue
		}
		require.Equal(t, protocol.IdempotencyConflict, c)
	}
	require.Equal(t, 1, booked)
}

// TestReversalRacesItsOriginal: whichever comes first, nothing stays booked.
func TestReversalRacesItsOriginal(t *testing.T) {
	s := openShop(t, small)
	s.enrol(7, "4000001", "", ledger.LotPart{Active: 1, Points: 100000})
	var wg sync.WaitGroup
	for i := range 200 {
		buy := s.sale(protocol.CallRedeem, byCard("4000001"), 10000, 5000)
		undo := s.till(protocol.CallReverse)
		undo.TargetKey = buy.Key
		if i%10 == 0 { // some come late for certain, whoever wins the other races
			require.Equal(t, protocol.Approved, s.ask(undo).Code)
			require.Equal(t, protocol.ReversedBefore, s.ask(buy).Code)
			continue
		}
		wg.Add(2)
		go func() { defer wg.Done(); s.ask(buy) }()
		go func() { defer wg.Done(); require.Equal(t, protocol.Approved, s.ask(undo).Code) }()
	}
	wg.Wait()
	a := s.account(7)
	require.Equal(t, ledger.Balance{Available: 100000}, a.Balance())
}

// TestCloseAnswersEverything: what is in flight is answered, what comes after
// is shed, and Close returns.
func TestCloseAnswersEverything(t *testing.T) {
	s := openShop(t, small)
	s.enrol(7, "4000001", "")
	answered := make(chan protocol.Code, 300)
	var sent sync.WaitGroup
	for range 300 {
		r := s.sale(protocol.CallAccrue, byCard("4000001"), 10000, 0)
		sent.Add(1)
		go func() {
			defer sent.Done()
			s.s.Submit(&protocol.Exchange{Request: r, Done: func(x *protocol.Exchange) { answered <- x.Response.Code }})
		}()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	require.NoError(t, s.s.Close(ctx))
	sent.Wait()
	for range 300 {
		require.Contains(t, []protocol.Code{protocol.Approved, protocol.Unavailable}, <-answered)
	}
	require.Equal(t, protocol.Unavailable, s.ask(s.till(protocol.CallQuote)).Code)
	require.NoError(t, s.s.Close(ctx))
}
