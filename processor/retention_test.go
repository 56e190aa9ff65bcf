package processor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/processor/program"
	"tillgate/protocol"
)

// dropped drops what is older than its retention: everything before now, once
// the windows over it are sealed.
func (s *shop) dropped() {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		_, err := s.ledger.DropOld()
		require.NoError(s.t, err)
		for p := range s.ledger.Partitions() {
			// What the year's end has brought (lapses, looks for dated events)
			// is new; all else lies in windows that are sealed by age.
			if s.ledger.Synced(p) > 1 && s.ledger.First(p) == 1 {
				return false
			}
		}
		return true
	}, 20*time.Second, 10*time.Millisecond)
}

// windowed waits until windows are sealed over all records: a year at once would
// put them behind what is due then.
func (s *shop) windowed() {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		for p := range s.ledger.Partitions() {
			var op ledger.Operation
			if found, err := s.ledger.Operation(ledger.NewOpID(p, s.ledger.Synced(p)), &op); err != nil || found && op.Kind != ledger.KindWindow {
				return false
			}
		}
		return true
	}, 20*time.Second, 10*time.Millisecond)
}

// TestALongTimeAfter: a year later sales and history are dropped, and whoever
// asks for them is told what strangers are told; members, balances and what
// was merged go on as if nothing had been.
func TestALongTimeAfter(t *testing.T) {
	s := openShop(t, string(program.Sample))
	old := s.approved(s.member("+77010000001", "a@example.org"))
	kept := s.approved(s.member("+77010000002", "b@example.org"))
	sale := s.approved(s.sale(protocol.CallAccrue, byPhone("+77010000002"), 100000, 0))
	held := s.approved(s.sale(protocol.CallAuthorize, byPhone("+77010000002"), 100000, 0))
	confirm := s.till(protocol.CallConfirm)
	confirm.Target = held.ID
	s.approved(confirm)
	s.mergedInto(old.Member.ID, kept.Member.ID, func(a ledger.Account) bool { return len(s.account(idOf(t, old.Member.ID)).Lots) == 0 })
	repeat := s.sale(protocol.CallAccrue, byPhone("+77010000002"), 5000, 0)
	first := s.approved(repeat)

	s.later(time.Hour)
	s.windowed()
	s.later(368 * 24 * time.Hour)
	s.dropped()
	for _, id := range []string{sale.ID, held.ID} {
		back := s.till(protocol.CallReturn)
		back.Target = id
		res := s.ask(back)
		require.Equal(t, protocol.NotFound, res.Code, res.Detail)
		look := s.till(protocol.CallGetAuthorization)
		look.Target = id
		require.Equal(t, protocol.NotFound, s.ask(look).Code)
		late := s.till(protocol.CallConfirm)
		late.Target = id
		require.Equal(t, protocol.NotFound, s.ask(late).Code)
	}
	again := s.approved(repeat)
	require.NotEqual(t, first.ID, again.ID, "its key is a new one")
	require.False(t, again.Replayed)

	history := s.office(protocol.CallOperations, kept.Member.ID)
	page := s.approved(history)
	require.Empty(t, page.NextCursor)
	var kinds []string
	for _, op := range page.Operations {
		kinds = append(kinds, op.Kind)
	}
	require.Contains(t, kinds, "accrue")
	require.NotContains(t, kinds, "enrol", "that is more than a year ago")
	history.Cursor = first.ID
	end := s.approved(history)
	require.Empty(t, end.Operations)
	require.Empty(t, end.NextCursor)

	// Whoever was merged into the member is known without the history.
	s.approved(s.office(protocol.CallDeleteMember, kept.Member.ID))
	for _, m := range []*protocol.Response{old, kept} {
		require.True(t, s.account(idOf(t, m.Member.ID)).Erased)
		profile, err := s.ledger.Profile(idOf(t, m.Member.ID))
		require.NoError(t, err)
		require.Nil(t, profile)
	}
	requireSound(t, s)
}
