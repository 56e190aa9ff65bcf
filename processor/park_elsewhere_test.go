package processor

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/protocol"
)

// waiting is a receipt of 1000.00 that waits for the office, by a card that is
// nobody's yet; and the request that brought it.
func (s *shop) waiting(card string) (string, protocol.Request) {
	s.t.Helper()
	r := s.sale(protocol.CallAccrue, byCard(card), 100_000, 0)
	r.ISO.Advice = true
	res := s.ask(r)
	require.Equal(s.t, "parked", res.Status, res.Detail)
	return res.ID, r
}

// TestAParkedReceiptIsBookedWhereItsMemberIs: cards that nobody knew are given
// to members of all partitions, and the office books what was parked; a till
// that takes its receipt back takes the points back.
func TestAParkedReceiptIsBookedWhereItsMemberIs(t *testing.T) {
	s := openShop(t, small)
	away := 0
	for i := range 12 {
		card := fmt.Sprintf("49999%02d", i)
		id, r := s.waiting(card)
		resolve := s.office(protocol.CallResolveParked, id)
		resolve.Action, resolve.Reason = "book", "seen the slip"
		require.Equal(t, protocol.NotFound, s.ask(resolve).Code, "the card is still nobody's")

		m := s.approved(s.member(fmt.Sprintf("+770100000%02d", i), ""))
		s.approved(s.giveCard(m.Member.ID, card))
		account := idOf(t, m.Member.ID)
		if op, err := ledger.ParseOpID(id); err == nil && op.Partition() != account.Partition(s.ledger.Partitions()) {
			away++
		}
		resolve.Key = "again" + card
		s.approved(resolve)
		a := s.account(account)
		require.EqualValues(t, 10_000, a.Balance().Available)
		require.EqualValues(t, 100_000, a.Lifetime)
		require.True(t, s.approved(resolve).Replayed)
		resolve.Key, resolve.Action = "no"+card, "reject"
		require.Equal(t, protocol.AlreadyConfirmed, s.ask(resolve).Code)
		a = s.account(account)
		require.EqualValues(t, 10_000, a.Balance().Available)

		undo := s.till(protocol.CallReverse)
		undo.TargetKey = r.Key
		s.approved(undo)
		a = s.account(account)
		require.Zero(t, a.Balance().Available)
		require.Zero(t, a.Lifetime)
	}
	require.Positive(t, away, "members of other partitions are among them")
	require.Empty(t, s.ask(protocol.Request{Call: protocol.CallListParked}).Parked)
	requireSound(t, s)
}

// TestAParkedReceiptOfAMergedMemberIsBookedWhereTheMemberLives.
func TestAParkedReceiptOfAMergedMemberIsBookedWhereTheMemberLives(t *testing.T) {
	s := openShop(t, small)
	for i := range 6 {
		a := s.approved(s.member(fmt.Sprintf("+770100000%02d", 2*i), ""))
		b := s.approved(s.member(fmt.Sprintf("+770100000%02d", 2*i+1), ""))
		r := s.sale(protocol.CallAccrue, protocol.Identifier{Kind: protocol.ByID, Value: a.Member.ID}, 100_000, 0)
		r.ISO.Advice = true
		r.At = protocol.Time{Unix: s.clock.Load() - int64(100*time.Hour), Set: true}
		res := s.ask(r)
		require.Equal(t, "parked", res.Status, res.Detail)
		s.mergedInto(a.Member.ID, b.Member.ID, func(ledger.Account) bool { return true })
		s.resolve(res.ID, "book")
		account := s.account(idOf(t, b.Member.ID))
		require.EqualValues(t, 10_000, account.Balance().Available)
	}
	requireSound(t, s)
}

// TestOneDecidesAboutAParkedReceipt: offices that book and reject it and the
// till that takes it back, all at the same moment, end in one of the three.
func TestOneDecidesAboutAParkedReceipt(t *testing.T) {
	s := openShop(t, small)
	outcomes := map[string]int{}
	for i := range 60 {
		card := fmt.Sprintf("49999%02d", i)
		id, r := s.waiting(card)
		m := s.approved(s.member(fmt.Sprintf("+770100000%02d", i), ""))
		s.approved(s.giveCard(m.Member.ID, card))
		var said [5]*protocol.Response
		var wg sync.WaitGroup
		for k := range said {
			q := s.office(protocol.CallResolveParked, id)
			q.Action, q.Reason = "book", "seen the slip"
			switch k {
			case 3:
				q.Action = "reject"
			case 4:
				q = s.till(protocol.CallReverse)
				q.TargetKey = r.Key
			}
			wg.Go(func() { said[k] = s.ask(q) })
		}
		wg.Wait()
		booked := 0
		for _, x := range said[:3] {
			if x.Code.OK() {
				booked++
			}
		}
		reversed := said[4].Code.OK()
		require.LessOrEqual(t, booked, 1)
		a := s.account(idOf(t, m.Member.ID))
		switch available := a.Balance().Available; {
		case booked == 1 && !reversed:
			outcomes["booked"]++
			require.EqualValues(t, 10_000, available)
		case booked == 1:
			outcomes["booked and reversed"]++
			require.Zero(t, available)
		default:
			outcomes["not booked"]++
			require.True(t, said[3].Code.OK() || reversed)
			require.Zero(t, available)
		}
		require.False(t, booked == 1 && said[3].Code.OK())
	}
	t.Log(outcomes)
	require.Empty(t, s.ask(protocol.Request{Call: protocol.CallListParked}).Parked)
	requireSound(t, s)
}

// TestABookingThatWasCutOffIsOnlyNoted: the server stopped when a receipt was
// booked in another partition and still waited in its own.
func TestABookingThatWasCutOffIsOnlyNoted(t *testing.T) {
	s := openShop(t, small)
	id, r := s.waiting("4999900")
	m := s.approved(s.member("+77010000001", ""))
	account := idOf(t, m.Member.ID)
	parked, err := ledger.ParseOpID(id)
	require.NoError(t, err)
	s.task(account.Partition(s.ledger.Partitions()), func(tx *ledger.Tx) error {
		return tx.PutLink(s.s.farKey(parked), ledger.Link{Account: account})
	})
	undo := s.till(protocol.CallReverse)
	undo.TargetKey = r.Key
	require.Equal(t, protocol.Unavailable, s.ask(undo).Code)
	reject := s.office(protocol.CallResolveParked, id)
	reject.Action, reject.Reason = "reject", "no slip"
	require.Equal(t, protocol.AlreadyConfirmed, s.ask(reject).Code)
	s.resolve(id, "book")
	require.Empty(t, s.ask(protocol.Request{Call: protocol.CallListParked}).Parked)
	a := s.account(account)
	require.Zero(t, a.Balance().Available, "nothing is booked a second time")
}
