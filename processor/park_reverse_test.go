package processor

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/protocol"
)

// What waits for the office, and the till that takes its transaction back.

// lateParks has confirms wait that come after their hold has ended, once the
// points are gone.
const lateParks = `
program: small
currency: KZT
timezone: Asia/Almaty
holds: {default: 15m, max: 24h, late_confirm: park}
earn: {rules: [{name: base, give: {percent: 10}}]}
redeem: {with: [code, card], cap: 50}
`

// lateShop has a hold of card 4000001 that has ended, and whose points are gone.
func lateShop(t *testing.T) (s *shop, held *protocol.Response, authorize protocol.Request) {
	s = openShop(t, lateParks)
	s.enrol(7, "4000001", "", ledger.LotPart{Active: 1, Points: 1000})
	authorize = s.sale(protocol.CallAuthorize, byCard("4000001"), 10_000, 1000)
	authorize.Receipt = protocol.Receipt{Number: "000123", Shift: "45"}
	held = s.approved(authorize)
	s.later(30 * time.Minute)
	s.approved(s.sale(protocol.CallRedeem, byCard("4000001"), 10_000, 1000))
	return s, held, authorize
}

// confirmedLate confirms a hold too late.
func (s *shop) confirmedLate(held *protocol.Response, receipt protocol.Receipt) string {
	s.t.Helper()
	c := s.till(protocol.CallConfirm)
	c.Target, c.Receipt, c.ISO.Advice = held.ID, receipt, true
	require.Equal(s.t, "parked", s.approved(c).Status)
	waits := s.ask(protocol.Request{Call: protocol.CallListParked}).Parked
	return waits[len(waits)-1].ID
}

// decided is the office's answer about what waits.
func (s *shop) decided(id, action string) *protocol.Response {
	s.t.Helper()
	b := s.till(protocol.CallResolveParked)
	b.Target, b.Action, b.Reason = id, action, "seen"
	return s.ask(b)
}

// balance is what a member has.
func (s *shop) balance(id ledger.AccountID) ledger.Balance {
	s.t.Helper()
	a := s.account(id)
	return a.Balance()
}

// receiptReversed reverses what has a receipt number.
func (s *shop) receiptReversed(receipt protocol.Receipt) *protocol.Response {
	s.t.Helper()
	undo := s.till(protocol.CallReverse)
	undo.Receipt = receipt
	return s.approved(undo)
}

// However much has been booked since, and however often the till has told of its
// confirm: once its transaction is reversed nothing of it waits, or can be booked.
func TestReversingWhatWaits(t *testing.T) {
	for name, c := range map[string]struct{ copies, since int }{
		"once":            {1, 0},
		"told twice":      {2, 0},
		"long ago":        {1, maxWalk + 1},
		"twice, long ago": {2, maxWalk + 1},
	} {
		t.Run(name, func(t *testing.T) {
			s, held, authorize := lateShop(t)
			var ids []string
			for range c.copies {
				ids = append(ids, s.confirmedLate(held, protocol.Receipt{}))
			}
			for range c.since {
				s.approved(s.sale(protocol.CallAccrue, byCard("4000001"), 1, 0))
			}
			before := s.account(7)
			require.Equal(t, "reversed", s.receiptReversed(authorize.Receipt).Status)
			require.Empty(t, s.ask(protocol.Request{Call: protocol.CallListParked}).Parked)
			for _, id := range ids {
				require.Equal(t, protocol.AlreadyConfirmed, s.decided(id, "book").Code)
			}
			require.Equal(t, before.Balance(), s.balance(7))
			require.Equal(t, "reversed", s.receiptReversed(authorize.Receipt).Status)
			requireSound(t, s)
		})
	}
}

// The office has rejected one of two messages about a hold; then the till takes
// the transaction back, and the other doesn't wait any more either.
func TestReversingWhatWaitsAfterOneWasRejected(t *testing.T) {
	s, held, authorize := lateShop(t)
	first, second := s.confirmedLate(held, protocol.Receipt{}), s.confirmedLate(held, protocol.Receipt{})
	require.Equal(t, protocol.Approved, s.decided(first, "reject").Code)
	require.Equal(t, "reversed", s.receiptReversed(authorize.Receipt).Status)
	require.Equal(t, protocol.AlreadyConfirmed, s.decided(second, "book").Code)
	requireSound(t, s)
}

// A confirm that printed more than was held waits while its hold is still there: the
// reversal ends both, whichever it names, and all that was held is free again.
func TestReversingAHoldWhoseConfirmWaits(t *testing.T) {
	for _, copies := range []int{1, 3} {
		for _, byKey := range []bool{false, true} {
			s := openShop(t, lateParks)
			s.enrol(7, "4000001", "", ledger.LotPart{Active: 1, Points: 1000}, ledger.LotPart{Active: 1, Expires: 1 << 62, Points: 700})
			before := s.balance(7)
			authorize := s.sale(protocol.CallAuthorize, byCard("4000001"), 10_000, 1500)
			authorize.Receipt = protocol.Receipt{Number: "000123", Shift: "45"}
			held := s.approved(authorize)
			for range copies {
				c := s.till(protocol.CallConfirm)
				c.Target, c.ISO.Advice = held.ID, true
				c.Printed.Redeemed, c.Printed.HasRedeemed = 1600, true
				require.Equal(t, "parked", s.approved(c).Status)
			}
			require.EqualValues(t, 1500, s.balance(7).Held)
			undo := s.till(protocol.CallReverse)
			if undo.Receipt = authorize.Receipt; byKey {
				undo.Receipt, undo.TargetKey = protocol.Receipt{}, authorize.Key
			}
			require.Equal(t, "reversed", s.approved(undo).Status)
			require.Equal(t, before, s.balance(7))
			require.Empty(t, s.ask(protocol.Request{Call: protocol.CallListParked}).Parked)
			requireSound(t, s)
		}
	}
}

// A receipt number that only a waiting message has is not found: the reversal is
// marked, and the office can't book the message after it.
func TestAReversedReceiptIsNotBooked(t *testing.T) {
	receipt := protocol.Receipt{Number: "000777", Shift: "45"}
	t.Run("a late confirm", func(t *testing.T) {
		s, held, _ := lateShop(t)
		id := s.confirmedLate(held, receipt)
		before := s.account(7)
		require.Equal(t, "marked", s.receiptReversed(receipt).Status)
		no := s.decided(id, "book")
		require.Equal(t, protocol.NotFound, no.Code)
		require.Contains(t, no.Detail, "the till has reversed this receipt")
		require.Equal(t, before.Balance(), s.balance(7))
		require.Equal(t, protocol.Approved, s.decided(id, "reject").Code)
		requireSound(t, s)
	})
	t.Run("an offline receipt of an unknown card", func(t *testing.T) {
		s := openShop(t, small)
		r := s.sale(protocol.CallAccrue, byCard("4999900"), 100_000, 0)
		r.ISO.Advice, r.Receipt = true, receipt
		parked := s.approved(r)
		m := s.approved(s.member("+77010000001", ""))
		s.approved(s.giveCard(m.Member.ID, "4999900"))
		require.Equal(t, "marked", s.receiptReversed(receipt).Status)
		require.Equal(t, protocol.NotFound, s.decided(parked.ID, "book").Code)
		require.Zero(t, s.balance(idOf(t, m.Member.ID)))
		requireSound(t, s)
	})
	t.Run("another shift's", func(t *testing.T) {
		s, held, _ := lateShop(t)
		id := s.confirmedLate(held, receipt)
		require.Equal(t, "marked", s.receiptReversed(protocol.Receipt{Number: receipt.Number, Shift: "46"}).Status)
		require.Equal(t, protocol.Approved, s.decided(id, "book").Code)
		requireSound(t, s)
	})
	t.Run("booked before", func(t *testing.T) {
		s, held, _ := lateShop(t)
		before := s.account(7)
		require.Equal(t, protocol.Approved, s.decided(s.confirmedLate(held, receipt), "book").Code)
		require.Equal(t, "reversed", s.receiptReversed(receipt).Status)
		require.Equal(t, before.Balance(), s.balance(7))
		requireSound(t, s)
	})
}

// A receipt that the office has booked is found by its number however much has
// been booked since; one without a number that lies too far back is declined, and
// not said to be reversed.
func TestReversingWhatTheOfficeBookedLongAgo(t *testing.T) {
	for _, number := range []string{"000777", ""} {
		s := openShop(t, small)
		r := s.sale(protocol.CallAccrue, byCard("4999900"), 100_000, 0)
		r.ISO.Advice, r.Receipt = true, protocol.Receipt{Number: number, Shift: "45"}
		parked := s.approved(r)
		m := s.approved(s.member("+77010000001", ""))
		s.approved(s.giveCard(m.Member.ID, "4999900"))
		require.Equal(t, protocol.Approved, s.decided(parked.ID, "book").Code)
		for range maxWalk + 1 {
			s.approved(s.sale(protocol.CallAccrue, byCard("4999900"), 1, 0))
		}
		require.EqualValues(t, 10_000, s.balance(idOf(t, m.Member.ID)).Available)
		undo := s.till(protocol.CallReverse)
		undo.TargetKey = r.Key
		answer := s.ask(undo)
		if number == "" {
			require.Equal(t, protocol.OutsideTimeWindow, answer.Code)
			require.EqualValues(t, 10_000, s.balance(idOf(t, m.Member.ID)).Available)
		} else {
			require.Equal(t, protocol.Approved, answer.Code)
			require.Zero(t, s.balance(idOf(t, m.Member.ID)).Available)
		}
		requireSound(t, s)
	}
}

// What the office has rejected has no effect that could be reversed, be it a
// member's or nobody's, and however much of the journal is gone since.
func TestReversingWhatTheOfficeRejected(t *testing.T) {
	t.Run("nobody's", func(t *testing.T) {
		s := openShop(t, small)
		id, r := s.waiting("4999900")
		s.resolve(id, "reject")
		undo := s.till(protocol.CallReverse)
		undo.TargetKey = r.Key
		require.Equal(t, "reversed", s.approved(undo).Status)
		requireSound(t, s)
	})
	t.Run("a member's", func(t *testing.T) {
		s := openShop(t, small)
		named := protocol.Identifier{Kind: protocol.ByID, Value: s.approved(s.member("+77010000001", "")).Member.ID}
		s.approved(s.sale(protocol.CallAccrue, named, 10_000, 0))
		s.later(2 * time.Minute)
		s.windowed()
		s.later(367 * 24 * time.Hour)
		s.dropped()
		r := s.sale(protocol.CallAccrue, named, 100_000, 0)
		r.ISO.Advice = true
		r.At = protocol.Time{Unix: s.clock.Load() - int64(100*time.Hour), Set: true}
		s.resolve(s.approved(r).ID, "reject")
		undo := s.till(protocol.CallReverse)
		undo.TargetKey = r.Key
		require.Equal(t, "reversed", s.approved(undo).Status)
	})
}

// The answer to a reversal of what the office has booked tells what the member owns
// who lives on, if the one it was booked for has been merged since, wherever each of
// them is.
func TestReversingWhatTheOfficeBookedForAMergedMember(t *testing.T) {
	s := openShop(t, small)
	for i := range 6 {
		card := fmt.Sprintf("49999%02d", i)
		id, r := s.waiting(card)
		booked := s.approved(s.member(fmt.Sprintf("+770100000%02d", 2*i), "")).Member.ID
		heir := s.approved(s.member(fmt.Sprintf("+770100000%02d", 2*i+1), "")).Member.ID
		s.approved(s.giveCard(booked, card))
		s.resolve(id, "book")
		s.mergedInto(booked, heir, func(a ledger.Account) bool { return a.Lifetime == 100_000 })
		s.approved(s.sale(protocol.CallAccrue, protocol.Identifier{Kind: protocol.ByID, Value: heir}, 50_000, 0))
		undo := s.till(protocol.CallReverse)
		undo.TargetKey = r.Key
		answer := s.approved(undo)
		require.Equal(t, "reversed", answer.Status)
		require.EqualValues(t, 5_000, answer.Balance.Available)
		s.reaches(idOf(t, heir), ledger.Balance{Available: 5_000})
	}
	requireSound(t, s)
}
