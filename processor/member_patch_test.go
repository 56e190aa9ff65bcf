package processor

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/protocol"
)

// patch is a change of a member's phone number.
func (s *shop) patch(member, phone string) protocol.Request {
	r := s.office(protocol.CallPatchMember, member)
	r.Profile = &protocol.Profile{Phone: &phone}
	return r
}

// has is the member who is found by a phone number.
func (s *shop) has(phone string) *protocol.Response {
	r := s.office(protocol.CallLookupMember, "")
	r.Member = byPhone(phone)
	return s.ask(r)
}

// TestAMemberTakesOverWhatItsNumberHasEarned: who registered by e-mail and had
// bought by phone before has both, once, whatever partitions they live in.
func TestAMemberTakesOverWhatItsNumberHasEarned(t *testing.T) {
	s := openShop(t, small)
	for i := range 8 {
		phone := fmt.Sprintf("+7701%07d", i)
		before := s.approved(s.sale(protocol.CallAccrue, byPhone(phone), 10000, 0))
		m := s.approved(s.member("", fmt.Sprintf("m%d@example.org", i)))
		id := idOf(t, m.Member.ID)

		got := s.approved(s.patch(m.Member.ID, phone))
		require.Equal(t, m.Member.ID, got.Member.ID)
		require.Equal(t, phone, *got.Member.Profile.Phone)
		require.Equal(t, fmt.Sprintf("m%d@example.org", i), *got.Member.Profile.Email)
		s.reaches(id, ledger.Balance{Available: 1000})
		require.EqualValues(t, 1, s.account(id).Purchases)
		require.Equal(t, m.Member.ID, s.has(phone).Member.ID)

		after := s.approved(s.sale(protocol.CallAccrue, byPhone(phone), 20000, 0))
		require.Equal(t, m.Member.ID, after.Member.ID)
		require.EqualValues(t, 3000, after.Balance.Available)
		require.Equal(t, m.Member.ID, s.approved(s.office(protocol.CallGetMember, before.Member.ID)).Member.ID, "the old id leads on")
		s.approved(s.patch(m.Member.ID, phone)) // again: nothing is left to take over
		s.reaches(id, ledger.Balance{Available: 3000})
	}
	s.sound()
}

// TestNothingIsTakenOverByAChangeThatIsDeclined: the one who has earned under
// the number stays on its own.
func TestNothingIsTakenOverByAChangeThatIsDeclined(t *testing.T) {
	s := openShop(t, small)
	const phone = "+77010000001"
	before := s.approved(s.sale(protocol.CallAccrue, byPhone(phone), 10000, 0))
	s.approved(s.member("", "taken@example.org"))
	m := s.approved(s.member("", "m@example.org"))
	other := s.approved(s.sale(protocol.CallAccrue, byPhone("+77010000002"), 10000, 0))

	r, taken := s.patch(m.Member.ID, phone), "taken@example.org"
	r.Profile.Email = &taken
	res := s.ask(r)
	require.Equal(t, protocol.AlreadyExists, res.Code)
	require.Equal(t, "email", res.Field)
	require.Equal(t, protocol.MemberNotFound, s.ask(s.patch(other.Member.ID, phone)).Code, "not registered")
	require.Equal(t, protocol.MemberNotFound, s.ask(s.patch(ledger.AccountID(99).String(), phone)).Code)
	require.Equal(t, before.Member.ID, s.has(phone).Member.ID)
	require.False(t, s.has(phone).Member.Registered)
	require.EqualValues(t, 1000, s.balance(idOf(t, before.Member.ID)).Available)
	require.Zero(t, s.balance(idOf(t, m.Member.ID)))

	// A registered member's number is nobody else's.
	s.approved(s.member(phone, ""))
	res = s.ask(s.patch(m.Member.ID, phone))
	require.Equal(t, protocol.AlreadyExists, res.Code)
	require.Equal(t, "phone", res.Field)
}

// TestAPendingPurchaseUnderTheNumberEndsFirst: its hold names the account.
func TestAPendingPurchaseUnderTheNumberEndsFirst(t *testing.T) {
	s := openShop(t, small)
	const phone = "+77010000001"
	hold := s.approved(s.sale(protocol.CallAuthorize, byPhone(phone), 10000, 0))
	m := s.approved(s.member("", "m@example.org"))
	res := s.ask(s.patch(m.Member.ID, phone))
	require.Equal(t, protocol.Unavailable, res.Code)
	require.Equal(t, "phone", res.Field)
	require.Equal(t, hold.Member.ID, s.has(phone).Member.ID)

	confirm := s.till(protocol.CallConfirm)
	confirm.Target = hold.ID
	s.approved(confirm)
	s.approved(s.patch(m.Member.ID, phone))
	s.reaches(idOf(t, m.Member.ID), ledger.Balance{Available: 1000})
	back := s.till(protocol.CallReturn)
	back.Target = hold.ID
	s.approved(back)
	s.reaches(idOf(t, m.Member.ID), ledger.Balance{})
	s.sound()
}

// TestOneOfTwoTakesTheNumberOver: both ask at the same moment, and what was
// earned under it is booked once.
func TestOneOfTwoTakesTheNumberOver(t *testing.T) {
	s := openShop(t, small)
	for i := range 10 {
		phone := fmt.Sprintf("+7701%07d", i)
		s.approved(s.sale(protocol.CallAccrue, byPhone(phone), 10000, 0))
		a := s.approved(s.member("", fmt.Sprintf("a%d@example.org", i)))
		b := s.approved(s.member("", fmt.Sprintf("b%d@example.org", i)))
		both := s.all([]protocol.Request{s.patch(a.Member.ID, phone), s.patch(b.Member.ID, phone)})
		wins, other := a, b
		if both[1].Code.OK() {
			wins, other = b, a
		}
		require.NotEqual(t, both[0].Code.OK(), both[1].Code.OK())
		require.Equal(t, wins.Member.ID, s.has(phone).Member.ID)
		s.reaches(idOf(t, wins.Member.ID), ledger.Balance{Available: 1000})
		require.Zero(t, s.balance(idOf(t, other.Member.ID)))
	}
	s.sound()
}

// TestANumberOfAMergedMember belongs to the one who lives on: that one may make
// it its own, and give it up; whoever registers it then keeps it, though the
// former ones are erased.
func TestANumberOfAMergedMember(t *testing.T) {
	s := openShop(t, small)
	const phone = "+77010000001"
	x := s.approved(s.member(phone, ""))
	y := s.approved(s.member("+77010000002", ""))
	s.approved(s.merge(x.Member.ID, y.Member.ID))
	require.Equal(t, y.Member.ID, s.has(phone).Member.ID)
	require.Equal(t, protocol.AlreadyExists, s.ask(s.member(phone, "")).Code)

	got := s.approved(s.patch(y.Member.ID, phone))
	require.Equal(t, phone, *got.Member.Profile.Phone)
	require.Equal(t, y.Member.ID, s.has(phone).Member.ID)
	s.approved(s.patch(y.Member.ID, "+77010000003"))
	require.Equal(t, protocol.MemberNotFound, s.has(phone).Code)

	z := s.approved(s.member(phone, ""))
	s.approved(s.office(protocol.CallDeleteMember, y.Member.ID))
	require.Equal(t, z.Member.ID, s.has(phone).Member.ID)
	require.Equal(t, protocol.MemberNotFound, s.has("+77010000003").Code)
	s.sound()
}

// TestANumberOfAMergedProvisionalMember registers the one who lives on.
func TestANumberOfAMergedProvisionalMember(t *testing.T) {
	s := openShop(t, small)
	a := s.approved(s.sale(protocol.CallAccrue, byPhone("+77010000001"), 10000, 0))
	b := s.approved(s.sale(protocol.CallAccrue, byPhone("+77010000002"), 10000, 0))
	s.mergedInto(a.Member.ID, b.Member.ID, func(a ledger.Account) bool { return a.Purchases == 2 })
	m := s.approved(s.member("+77010000001", ""))
	require.Equal(t, b.Member.ID, m.Member.ID)
	require.EqualValues(t, 2000, m.Balance.Available)
	require.Equal(t, b.Member.ID, s.has("+77010000001").Member.ID)
}

// TestCardsOfThoseWhoWereMerged are listed with the member that they lead to.
func TestCardsOfThoseWhoWereMerged(t *testing.T) {
	s := openShop(t, small)
	x := s.approved(s.member("+77010000001", ""))
	y := s.approved(s.member("+77010000002", ""))
	z := s.approved(s.member("+77010000003", ""))
	for i, m := range []string{x.Member.ID, y.Member.ID, z.Member.ID} {
		s.approved(s.giveCard(m, fmt.Sprintf("400000%d", i)))
	}
	s.approved(s.merge(x.Member.ID, y.Member.ID))
	s.approved(s.merge(y.Member.ID, z.Member.ID))
	got := s.approved(s.office(protocol.CallGetMember, x.Member.ID))
	require.Equal(t, z.Member.ID, got.Member.ID)
	var cards []string
	for _, c := range got.Member.Cards {
		cards = append(cards, c.Number)
	}
	require.Equal(t, []string{"****02", "****01", "****00"}, cards)
	require.Len(t, s.approved(s.patch(z.Member.ID, "+77010000004")).Member.Cards, 3)
}

// TestNobodyIsBornInTheFuture: today is a birthday, wherever the shop is.
func TestNobodyIsBornInTheFuture(t *testing.T) {
	s := openShop(t, small)
	now := time.Unix(0, s.clock.Load()).UTC()
	today, later := now.Format(time.DateOnly), now.AddDate(0, 0, 2).Format(time.DateOnly)
	m := s.member("+77010000001", "")
	m.Profile.Birthday = &later
	res := s.ask(m)
	require.Equal(t, protocol.InvalidRequest, res.Code)
	require.Equal(t, "birthday", res.Field)
	m = s.member("+77010000001", "")
	m.Profile.Birthday = &today
	id := s.approved(m).Member.ID

	change := s.office(protocol.CallPatchMember, id)
	change.Profile = &protocol.Profile{Birthday: &later}
	require.Equal(t, protocol.InvalidRequest, s.ask(change).Code)
	require.Equal(t, today, *s.approved(s.office(protocol.CallGetMember, id)).Member.Profile.Birthday)
}
