package whatif_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/processor/whatif"
	"tillgate/protocol"
)

// TestWhatIsDroppedIsNotReplayed: a period that begins before what is kept of
// the journal is refused with the date; within it members who were there before
// are left out and counted, because what they owned is not known.
func TestWhatIsDroppedIsNotReplayed(t *testing.T) {
	s := openShop(t, current)
	old := s.enrol("")
	s.must(s.sale(protocol.CallAccrue, old, 0, line("1", "coffee", 100_000)))
	at, err := ledger.ParseAccountID(old)
	require.NoError(t, err)
	s.later(400 * 24 * time.Hour)
	require.Eventually(t, func() bool { // the windows are sealed by their age
		_, err := s.ledger.DropOld()
		require.NoError(t, err)
		return s.ledger.First(at.Partition(s.ledger.Partitions())) > 1
	}, 20*time.Second, 10*time.Millisecond)
	s.later(time.Hour)
	since := time.Unix(0, s.clock.Load())
	fresh := s.enrol("")
	for _, who := range []string{old, fresh} {
		s.must(s.sale(protocol.CallAccrue, who, 0, line("1", "coffee", 100_000)))
	}
	s.later(time.Second)
	service := whatif.New(fleeting{s.ledger}, s.s, whatif.Options{Clock: s.clock.Load, Logger: slog.New(slog.DiscardHandler)})
	defer service.Close()
	for field, ask := range map[string]func(*protocol.Request){
		"from": func(r *protocol.Request) { r.From = protocol.Time{Unix: monday.UnixNano(), Set: true} },
		"":     func(r *protocol.Request) { r.To = protocol.Time{Unix: monday.UnixNano() + 1, Set: true} },
	} {
		r := asking(draft)
		ask(r)
		var out protocol.Response
		require.Nil(t, service.Begin(r, &out), field)
		require.Equal(t, protocol.InvalidRequest, out.Code)
		require.Contains(t, out.Detail, "the journal begins at 2027-12-2")
	}
	for _, from := range []time.Time{{}, since} {
		w := s.replay(draft, from)
		require.EqualValues(t, 1, w.Guessed.Older)
		require.EqualValues(t, 1, w.Receipts.Total)
		require.EqualValues(t, 100_000, w.Real.Payable)
		require.Positive(t, w.From)
	}
	var out protocol.Response
	run := service.Begin(asking(draft), &out)
	require.NoError(t, run(context.Background(), func(done, total int64) { require.LessOrEqual(t, done, total) }))
}
