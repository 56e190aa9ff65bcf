package processor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/processor/program"
	"tillgate/protocol"
)

// datedDoc gives for birthdays and absences.
const datedDoc = `
program: dated
currency: KZT
timezone: Asia/Almaty
lots: {expires_after: 3mo}
earn: {rules: [{name: base, give: {percent: 10}}]}
events:
  - {event: birthday, days_before: 3, give: {points: 300}, lot: {expires_after: 10d}}
  - {event: inactive, after: 30d, give: {points: 200}, lot: {expires_after: 7d}}
`

// born registers a member with a birthday.
func (s *shop) born(phone, birthday string) ledger.AccountID {
	s.t.Helper()
	r := s.member(phone, "")
	r.Profile.Birthday = &birthday
	id, err := ledger.ParseAccountID(s.approved(r).Member.ID)
	require.NoError(s.t, err)
	return id
}

// told is an account's journal as far as it does not depend on when somebody
// looked, and what the account is in the end.
type told struct {
	records []ledger.Operation
	account ledger.Account
}

func (s *shop) journal(id ledger.AccountID) told {
	s.t.Helper()
	out := told{account: s.account(id)}
	require.NoError(s.t, s.ledger.WaitSynced())
	require.NoError(s.t, s.ledger.Journal(id.Partition(s.ledger.Partitions()), 1, func(_ ledger.OpID, rec []byte) bool {
		var op ledger.Operation
		require.NoError(s.t, ledger.DecodeOperation(rec, &op))
		if op.Account == id && op.Due != 0 {
			op.ID, op.Prev, op.Time, op.Account = 0, 0, 0, 0
			out.records = append(out.records, op)
		}
		return true
	}))
	out.account.ID, out.account.Last, out.account.Through, out.account.Upline = 0, 0, 0, nil
	return out
}

// TestDatedEventsAreTheSameWhetherOrNotASweeperRan: two years go by with a look
// every night, with one look at the end, and with the server down all the
// time. Nothing but the time of booking tells them apart.
func TestDatedEventsAreTheSameWhetherOrNotASweeperRan(t *testing.T) {
	days := 2 * 365
	var want told
	for i, pass := range []struct {
		name string
		go_  func(s *shop, id ledger.AccountID)
	}{
		{"swept every night", func(s *shop, _ ledger.AccountID) {
			for range days {
				s.later(24 * time.Hour)
				require.NoError(t, s.ledger.Sweep())
			}
		}},
		{"asked for every night", func(s *shop, id ledger.AccountID) {
			for range days {
				s.later(24 * time.Hour)
				s.account(id)
			}
		}},
		{"nobody has looked", func(s *shop, _ ledger.AccountID) { s.later(time.Duration(days) * 24 * time.Hour) }},
		{"the server was down", func(s *shop, _ ledger.AccountID) {
			s.shut()
			s.later(time.Duration(days) * 24 * time.Hour)
			s.open()
		}},
	} {
		s := openShop(t, "")
		require.Equal(t, protocol.Approved, s.put("", datedDoc).Code)
		id := s.born("+77010000001", "2000-02-29")
		s.approved(s.sale(protocol.CallAccrue, byPhone("+77010000001"), 100_000, 0))
		pass.go_(s, id)
		got := s.journal(id)
		if i == 0 {
			want = got
			require.Len(t, got.records, 7, "an absence, two birthdays, what they gave has burnt; and the purchase's points")
			continue
		}
		require.Equal(t, want, got, pass.name)
	}
}

// TestAProgrammeWithDatesIsPublishedLater: members who were there already have
// their dates when a walk has come by, also one that was cut short.
func TestAProgrammeWithDatesIsPublishedLater(t *testing.T) {
	s := openShop(t, "")
	require.Equal(t, protocol.Approved, s.put("", small).Code)
	var ids []ledger.AccountID
	for _, phone := range []string{"+77010000001", "+77010000002", "+77010000003", "+77010000004", "+77010000005"} {
		ids = append(ids, s.born(phone, "2000-11-25"))
	}
	past := s.born("+77010000006", "2000-11-20") // its day has passed
	s.later(time.Hour)
	require.Equal(t, protocol.Approved, s.put("", datedDoc).Code)
	s.shut() // in the middle of the walk, or before, or after
	s.open()
	at := time.Date(2026, 11, 22, 0, 0, 0, 0, almaty).UnixNano()
	for _, id := range ids {
		require.Eventually(t, func() bool { return s.account(id).Wake == at }, 10*time.Second, time.Millisecond)
	}
	next := time.Date(2027, 11, 17, 0, 0, 0, 0, almaty).UnixNano()
	require.Eventually(t, func() bool { return s.account(past).Wake == next }, 10*time.Second, time.Millisecond)
	s.clock.Store(at)
	for _, id := range ids {
		a := s.account(id)
		require.Len(t, a.Lots, 1)
		require.Equal(t, int64(30_000), a.Lots[0].Points)
	}
	require.Empty(t, s.account(past).Lots)
	_, err := s.ledger.Verify(func(f ledger.Finding) { require.Fail(t, "the proof has found something", "%v", f) })
	require.NoError(t, err)
}

// TestDatesCostNothingWithoutThem: accounts under a programme without dated
// events are never looked at.
func TestDatesCostNothingWithoutThem(t *testing.T) {
	s := openShop(t, "")
	require.Equal(t, protocol.Approved, s.put("", small).Code)
	id := s.born("+77010000001", "2000-11-25")
	s.approved(s.sale(protocol.CallAccrue, byPhone("+77010000001"), 100_000, 0))
	require.Zero(t, s.account(id).Wake)
}

// TestAWalkGivesNothingFromBeforeAMemberCame: a walk takes its time, and finds
// members who have come since the publication, or have told another birthday
// since. What was due in between was not theirs.
func TestAWalkGivesNothingFromBeforeAMemberCame(t *testing.T) {
	s := openShop(t, "")
	require.Equal(t, protocol.Approved, s.put("", small).Code)
	was := s.born("+77010000001", "2000-11-25")
	published := s.clock.Load()
	day := time.Date(2026, 11, 22, 0, 0, 0, 0, almaty).UnixNano()
	require.Less(t, published, day)
	s.clock.Store(day + int64(6*24*time.Hour))
	v, err := program.Compile([]byte(datedDoc))
	require.Empty(t, err)
	s.s.programs.put("", program.Version{Number: 2, Published: published, Program: v})
	came := s.born("+77010000002", "2000-11-25")
	told := s.born("+77010000003", "2000-01-25")
	s.later(time.Hour)
	r := s.office(protocol.CallPatchMember, told.String())
	birthday := "2000-11-25"
	r.Profile = &protocol.Profile{Birthday: &birthday}
	s.approved(r)

	for _, id := range []ledger.AccountID{was, came, told} {
		task := &datesTask{s: s.s, after: published, ids: []ledger.AccountID{id}, done: make(chan error, 1)}
		require.NoError(t, s.ledger.Submit(id.Partition(s.ledger.Partitions()), task))
		require.NoError(t, <-task.done)
	}
	require.NoError(t, s.ledger.Sweep())
	next := time.Date(2027, 11, 22, 0, 0, 0, 0, almaty).UnixNano()
	for id, points := range map[ledger.AccountID]int64{was: 30_000, came: 0, told: 0} {
		a := s.account(id)
		require.Equal(t, next, a.Wake)
		require.Equal(t, points, a.Balance().Available)
	}
}
