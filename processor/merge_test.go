package processor

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/processor/program"
	"tillgate/protocol"
)

// idOf is an account by its member's printed id.
func idOf(t testing.TB, id string) ledger.AccountID {
	t.Helper()
	account, err := ledger.ParseAccountID(id)
	require.NoError(t, err)
	return account
}

// mergedInto merges one member into another and waits until all of it has
// arrived.
func (s *shop) mergedInto(from, into string, arrived func(a ledger.Account) bool) {
	s.t.Helper()
	merge := s.office(protocol.CallMerge, from)
	merge.Into = into
	s.approved(merge)
	require.Eventually(s.t, func() bool { return arrived(s.account(idOf(s.t, into))) }, 10*time.Second, time.Millisecond)
}

// TestAMergeBringsThePurchases: how many, the first and the last; and what
// rules have counted.
func TestAMergeBringsThePurchases(t *testing.T) {
	s := openShop(t, `
program: counting
currency: KZT
timezone: Asia/Almaty
earn:
  rules:
    - {name: base, give: {percent: 1}}
    - {name: come back, when: {last_purchase_within: 7d}, give: {percent: 10}}
    - {name: first, when: {first_purchase: true}, give: {percent: 50}}
`)
	buy := func(phone string) *protocol.Response {
		return s.approved(s.sale(protocol.CallAccrue, byPhone(phone), 10000, 0))
	}
	a := s.approved(s.member("+77010000001", ""))
	b := s.approved(s.member("+77010000002", ""))
	began := s.clock.Load()
	require.EqualValues(t, 5000, buy("+77010000001").Earned, "a first purchase")
	s.later(30 * 24 * time.Hour)
	buy("+77010000001")
	last := s.clock.Load()
	s.mergedInto(a.Member.ID, b.Member.ID, func(a ledger.Account) bool { return a.Purchases == 2 })
	both := s.account(idOf(t, b.Member.ID))
	require.InDelta(t, began, both.FirstPurchase, 1e6)
	require.InDelta(t, last, both.LastPurchase, 1e6)
	require.EqualValues(t, 20000, both.Lifetime)

	require.EqualValues(t, 1000, buy("+77010000002").Earned, "nobody's first purchase, and within the week")
	gone := s.account(idOf(t, a.Member.ID))
	require.Zero(t, gone.Purchases)
	require.Empty(t, gone.Counts)
	_, err := s.ledger.Verify(func(f ledger.Finding) { t.Errorf("%+v", f) })
	require.NoError(t, err)
}

// TestAMergeKeepsTheLaterMark: numbers add up, of marks the later one counts:
// the year of a birthday's gift must not become the sum of two years.
func TestAMergeKeepsTheLaterMark(t *testing.T) {
	s := openShop(t, `
program: birthdays
currency: KZT
timezone: Asia/Almaty
earn: {rules: [{name: base, give: {percent: 1}}]}
events:
  - {event: birthday, give: {points: 300}}
`)
	year, number := program.CountKey("event", "birthday", "birthday"), program.CountKey("units", "x")
	versions := s.s.programs.published("").All()
	require.True(t, versions[0].Program.IsMark(year))
	require.False(t, versions[0].Program.IsMark(number))
	for i, years := range [][2]int64{{2026, 2025}, {2025, 2026}, {2026, 2026}, {2026, 0}} {
		a := s.approved(s.member(fmt.Sprintf("+7701%07d", 2*i), ""))
		b := s.approved(s.member(fmt.Sprintf("+7701%07d", 2*i+1), ""))
		for k, id := range []string{a.Member.ID, b.Member.ID} {
			s.task(idOf(t, id).Partition(s.ledger.Partitions()), func(tx *ledger.Tx) error {
				op := ledger.Operation{Kind: ledger.KindAdjust, Account: idOf(t, id), At: tx.Now(),
					Counts: []ledger.CountChange{{Count: ledger.Count{Key: number, Value: 2}}}}
				if years[k] > 0 {
					op.Counts = append(op.Counts, ledger.CountChange{Set: true, Count: ledger.Count{Key: year, Value: years[k]}})
				}
				_, err := tx.Append(&op)
				return err
			})
		}
		count := func(a ledger.Account, key uint64) int64 {
			for _, c := range a.Counts {
				if c.Key == key {
					return c.Value
				}
			}
			return 0
		}
		s.mergedInto(a.Member.ID, b.Member.ID, func(a ledger.Account) bool { return count(a, number) == 4 })
		require.EqualValues(t, 2026, count(s.account(idOf(t, b.Member.ID)), year), i)
	}
}

// TestFriendsAfterAMerge: the list shows both members' friends, and those who
// were merged by where they live now.
func TestFriendsAfterAMerge(t *testing.T) {
	s := openShop(t, string(program.Sample))
	a := s.approved(s.member("+77010000001", ""))
	b := s.approved(s.member("+77010000002", ""))
	fa := s.approved(s.invited(3, a))
	fb := s.approved(s.invited(4, b))
	deep := s.approved(s.invited(5, fa))
	ids := func(of string) (list []string) {
		for _, f := range s.approved(s.office(protocol.CallReferral, of)).Friends {
			list = append(list, fmt.Sprintf("%s at %d", f.ID, f.Level))
		}
		return list
	}
	always := func(ledger.Account) bool { return true }
	s.mergedInto(a.Member.ID, b.Member.ID, always)
	both := []string{fb.Member.ID + " at 1", fa.Member.ID + " at 1", deep.Member.ID + " at 2"}
	require.Equal(t, both, ids(b.Member.ID))
	require.Equal(t, both, ids(a.Member.ID), "the old id means the member who took over")

	// Merged again: the chain is followed.
	c := s.approved(s.member("+77010000006", ""))
	s.mergedInto(b.Member.ID, c.Member.ID, always)
	require.Equal(t, both, ids(c.Member.ID))

	// Two friends who turn out to be one are one, and a friend who is merged
	// into who invited it is none.
	s.mergedInto(fa.Member.ID, fb.Member.ID, always)
	require.Equal(t, []string{fb.Member.ID + " at 1", deep.Member.ID + " at 2"}, ids(c.Member.ID))
	s.mergedInto(fb.Member.ID, c.Member.ID, always)
	require.Equal(t, []string{deep.Member.ID + " at 1"}, ids(c.Member.ID))
}

// TestNoCircleAtTheSameMoment: provisional members who register at one moment,
// each naming the next, never close a circle: two of them, and four, of whom
// no two neighbours meet.
func TestNoCircleAtTheSameMoment(t *testing.T) {
	s := openShop(t, small)
	for round := range 60 {
		for _, n := range []int{2, 4} {
			phones := make([]string, n)
			for i := range phones {
				phones[i] = fmt.Sprintf("+7701%03d%d%03d", round, n, i)
				s.approved(s.sale(protocol.CallAccrue, byPhone(phones[i]), 10000, 0))
			}
			answers := make([]*protocol.Response, n)
			var wg sync.WaitGroup
			for i := range phones {
				r := s.member(phones[i], "")
				r.Profile.Referrer = byPhone(phones[(i+1)%n])
				wg.Go(func() { answers[i] = s.ask(r) })
			}
			wg.Wait()
			refused := 0
			for _, a := range answers {
				switch a.Code {
				case protocol.Approved:
				case protocol.ReferrerNotAllowed:
					refused++
				default:
					require.Fail(t, "another answer", "%s %s", a.Code, a.Detail)
				}
			}
			require.Equal(t, 1, refused, "the last of %d would close the circle", n)
		}
	}
}

// A circle is seen through a merge, too.
func TestNoCircleThroughAMerge(t *testing.T) {
	s := openShop(t, small)
	p := s.approved(s.sale(protocol.CallAccrue, byPhone("+77010000001"), 10000, 0))
	q := s.approved(s.sale(protocol.CallAccrue, byPhone("+77010000002"), 10000, 0))
	friend := s.member("+77010000003", "")
	friend.Profile.Referrer = byPhone("+77010000001")
	s.approved(friend)
	s.mergedInto(p.Member.ID, q.Member.ID, func(a ledger.Account) bool { return a.Purchases == 2 })
	circle := s.member("+77010000002", "")
	circle.Profile.Referrer = byPhone("+77010000003")
	require.Equal(t, protocol.ReferrerNotAllowed, s.ask(circle).Code)
}

// TestNobodyIsAboveOneself: who invited a member and is merged into it later
// stands above it no more; who was above both moves nearer.
func TestNobodyIsAboveOneself(t *testing.T) {
	s := openShop(t, small)
	root := s.approved(s.member("+77010000001", ""))
	a := s.approved(s.invited(2, root))
	b := s.approved(s.invited(3, a))
	above := func(id string) []ledger.AccountID {
		account := s.account(idOf(t, id))
		up, err := s.s.upline(&account, nil)
		require.NoError(t, err)
		return up
	}
	require.Equal(t, []ledger.AccountID{idOf(t, a.Member.ID), idOf(t, root.Member.ID)}, above(b.Member.ID))
	other := s.approved(s.member("+77010000004", ""))
	s.mergedInto(other.Member.ID, b.Member.ID, func(ledger.Account) bool { return true })
	require.Len(t, above(b.Member.ID), 2)
	s.mergedInto(a.Member.ID, b.Member.ID, func(ledger.Account) bool { return true })
	require.Equal(t, []ledger.AccountID{idOf(t, root.Member.ID)}, above(b.Member.ID))
	require.Empty(t, above(root.Member.ID))
	referrer := func(id string) string { return s.approved(s.office(protocol.CallReferral, id)).Referrer }
	require.Equal(t, root.Member.ID, referrer(b.Member.ID))
	last := s.approved(s.member("+77010000005", ""))
	s.mergedInto(root.Member.ID, last.Member.ID, func(ledger.Account) bool { return true })
	require.Equal(t, last.Member.ID, referrer(b.Member.ID))
}
