package whatif

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/processor/program"
	"tillgate/protocol"
)

func benchService(t *testing.T, receipts, share int) (*Service, *protocol.Request) {
	draft, problems := program.Compile([]byte(benchDraft))
	require.Empty(t, problems)
	journal, to := benchBooks(100, receipts, true)
	shop := nowhere{program.Versions{}.With(program.Version{Number: 1, Program: draft})}
	s := New(journal, shop, Options{Share: share, Clock: func() int64 { return to }, Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(s.Close)
	return s, &protocol.Request{Call: protocol.CallWhatIf, Document: []byte(benchDraft)}
}

// TestCloseEndsAReplay: a server that stops doesn't wait for it, also while it
// rests.
func TestCloseEndsAReplay(t *testing.T) {
	for _, share := range []int{100, 1} {
		s, ask := benchService(t, 5_000, share)
		var out protocol.Response
		run := s.Begin(ask, &out)
		require.NotNil(t, run)
		closed, steps := make(chan struct{}), 0
		err := run(context.Background(), func(int64, int64) {
			steps++
			go func() { s.Close(); close(closed) }()
			<-s.ctx.Done()
		})
		require.ErrorIs(t, err, ErrStopped)
		require.Equal(t, 1, steps)
		<-closed
		require.Nil(t, s.Begin(ask, &out), "and none begins any more")
		require.Equal(t, protocol.Overloaded, out.Code)
	}
}

// TestItRests: beside tills it takes its share of a processor and no more.
func TestItRests(t *testing.T) {
	s, ask := benchService(t, 1_000, 10)
	var out protocol.Response
	run := s.Begin(ask, &out)
	var worked time.Duration
	last := time.Now()
	began := last
	pace := s.pace(func(int64, int64) { worked += time.Since(last) })
	_, err := newReplay(s.journal, s.shop, Query{Draft: mustCompile(t), To: s.o.Clock()}, 100).run(context.Background(),
		func(ctx context.Context, done, total int64) error {
			defer func() { last = time.Now() }()
			return pace(ctx, done, total)
		})
	require.NoError(t, err)
	require.Greater(t, time.Since(began), 8*worked, "nine tenths of the time it rests")
	require.NoError(t, run(context.Background(), func(int64, int64) {}))
	require.EqualValues(t, 1_000, out.WhatIf.Receipts.Total)
}

func mustCompile(t *testing.T) *program.Program {
	p, problems := program.Compile([]byte(benchDraft))
	require.Empty(t, problems)
	return p
}

// TestMembersAreBounded: however many sales a member has, few are remembered,
// and however many members a partition has, few are held at a time.
func TestMembersAreBounded(t *testing.T) {
	journal, to := benchBooks(200, 20_000, true)
	draft := mustCompile(t)
	shop := nowhere{program.Versions{}.With(program.Version{Number: 1, Program: draft})}
	r := newReplay(journal, shop, Query{Draft: draft, To: to}, 50)
	most := 0
	_, err := r.run(context.Background(), func(context.Context, int64, int64) error {
		most = max(most, len(r.members))
		for _, m := range r.members {
			require.LessOrEqual(t, len(m.sales), maxSales)
			require.LessOrEqual(t, cap(m.sales), 2*maxSales)
			for i := range m.sales {
				require.LessOrEqual(t, len(m.sales[i].pins), 50)
			}
		}
		return nil
	})
	require.NoError(t, err)
	require.Positive(t, most)
	require.LessOrEqual(t, most, 60)
}

// TestARefusedBookingEndsNothing: where the draft's account takes no more, it
// goes on as the real one, and the report says so.
func TestARefusedBookingEndsNothing(t *testing.T) {
	journal, to := benchBooks(1, 3, false)
	draft := mustCompile(t)
	r := newReplay(journal, nowhere{program.Versions{}.With(program.Version{Number: 1, Program: draft})}, Query{Draft: draft, To: to}, 1)
	r.members, r.slices = map[ledger.AccountID]*member{}, 1
	for i, record := range journal.records {
		if i == 2 {
			r.members[1].draft.Through = to // nothing can be booked before it
		}
		_, err := r.record(record)
		require.NoError(t, err)
		if i == 2 {
			require.Nil(t, r.members[1].draft)
		}
	}
	require.EqualValues(t, 1, r.tally.guessed.Declined)
	require.EqualValues(t, 3, r.members[1].real.Purchases)
	require.EqualValues(t, 3, r.members[1].draft.Purchases)
}
