package processor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/protocol"
)

// extending is a programme under which a purchase moves the end of the lots
// that are there, and pinned ones move with it when their hold is booked.
const extending = `
program: extending
currency: KZT
timezone: Asia/Almaty
lots: {expires_after: 3mo, extend_on_purchase: 3mo}
earn: {rules: [{name: base, give: {percent: 10}}]}
redeem: {with: [code, card], cap: 50}
`

func TestAConfirmThatExtendsLotsBooksItsPins(t *testing.T) {
	s := openShop(t, extending)
	s.enrol(7, "4000001", "", ledger.LotPart{Active: 1, Expires: morning.Add(48 * time.Hour).UnixNano(), Points: 10000})
	held := s.ask(s.sale(protocol.CallAuthorize, byCard("4000001"), 10000, 3000))
	require.Equal(t, protocol.Approved, held.Code, held.Detail)
	c := s.till(protocol.CallConfirm)
	c.Target = held.ID
	c.Printed = protocol.Printed{Redeemed: 2000, HasRedeemed: true}
	done := s.ask(c)
	require.Equal(t, protocol.Approved, done.Code, done.Detail)
	back := s.till(protocol.CallReturn)
	back.Target = held.ID
	res := s.ask(back)
	require.Equal(t, protocol.Approved, res.Code, res.Detail)
	require.Equal(t, int64(10000), res.Balance.Available)
}

// A sale's points go back to the lots they came from, in whatever order parts
// of it are returned and returns are undone.
func TestReturnsAfterAnUndoneReturnGiveBackWhatIsLeft(t *testing.T) {
	s := openShop(t, small)
	day := int64(24 * time.Hour)
	now := s.clock.Load()
	lots := []ledger.LotPart{
		{Active: 1, Expires: now + 10*day, Points: 10000},
		{Active: 1, Expires: now + 20*day, Points: 10000},
	}
	s.enrol(7, "4000001", "", lots...)
	sale := s.ask(s.sale(protocol.CallRedeem, byCard("4000001"), 40000, 20000))
	require.Equal(t, protocol.Approved, sale.Code, sale.Detail)
	give := func(amount int64) protocol.Request {
		r := s.till(protocol.CallReturn)
		r.Target, r.ReturnAmount = sale.ID, amount
		res := s.ask(r)
		require.Equal(t, protocol.Approved, res.Code, res.Detail)
		return r
	}
	first := give(20000)
	give(12000)
	undo := s.till(protocol.CallReverse)
	undo.TargetKey = first.Key
	require.Equal(t, "reversed", s.ask(undo).Status)
	give(0)
	a := s.account(7)
	require.Equal(t, lots, a.Lots)
	require.Zero(t, a.Deficit)
	requireSound(t, s)
}

// requireSound replays the journal and wants no contradiction in the books.
func requireSound(t *testing.T, s *shop) {
	t.Helper()
	var found []ledger.Finding
	_, err := s.ledger.Verify(func(f ledger.Finding) { found = append(found, f) })
	require.NoError(t, err)
	require.Empty(t, found)
}

// A member's purchases are counted back once, and again when a return is undone.
func TestPurchasesAreCountedBackOnce(t *testing.T) {
	s := openShop(t, small)
	s.enrol(7, "4000001", "")
	s.ask(s.sale(protocol.CallAccrue, byCard("4000001"), 1000, 0))
	second := s.sale(protocol.CallAccrue, byCard("4000001"), 1000, 0)
	sale := s.ask(second)
	require.EqualValues(t, 2, s.account(7).Purchases)

	whole := s.till(protocol.CallReturn)
	whole.Target = sale.ID
	returned := s.ask(whole)
	require.Equal(t, protocol.Approved, returned.Code)
	require.NotEqual(t, sale.RRN, returned.RRN)
	require.EqualValues(t, 1, s.account(7).Purchases)

	for range 2 { // the second finds it undone
		undo := s.till(protocol.CallReverse)
		undo.TargetKey = whole.Key
		res := s.ask(undo)
		require.Equal(t, "reversed", res.Status)
		require.Equal(t, returned.RRN, res.RRN, "one reference through the life of a return")
		require.Equal(t, returned.ID, res.ID)
		require.EqualValues(t, 2, s.account(7).Purchases)
	}

	again := s.till(protocol.CallReturn)
	again.Target = sale.ID
	require.Equal(t, protocol.Approved, s.ask(again).Code)
	undo := s.till(protocol.CallReverse)
	undo.TargetKey = second.Key
	require.Equal(t, "reversed", s.ask(undo).Status)
	require.EqualValues(t, 1, s.account(7).Purchases)
	requireSound(t, s)
}

// An advice is accepted whatever the member has become: what can't be booked is
// parked.
func TestAnAdviceAboutAMemberWhoIsGoneIsParked(t *testing.T) {
	s := openShop(t, small)
	r := s.sale(protocol.CallAccrue, protocol.Identifier{Kind: protocol.ByID, Value: ledger.AccountID(99).String()}, 1000, 0)
	r.ISO.Advice = true
	res := s.ask(r)
	require.Equal(t, protocol.Approved, res.Code, res.Detail)
	require.Equal(t, "parked", res.Status)
}

// A reversal of a message that waits for the office takes it back, also when
// no member was known.
func TestAParkedMessageOfNobodyCanBeReversed(t *testing.T) {
	s := openShop(t, small)
	for i := range 4 {
		r := s.sale(protocol.CallAccrue, byCard("4999999"+string(rune('0'+i))), 1000, 0)
		r.ISO.Advice = true
		res := s.ask(r)
		require.Equal(t, "parked", res.Status, res.Detail)
		undo := s.till(protocol.CallReverse)
		undo.TargetKey = r.Key
		require.Equal(t, protocol.Approved, s.ask(undo).Code)
	}
	left := s.ask(protocol.Request{Call: protocol.CallListParked})
	require.Empty(t, left.Parked)
	requireSound(t, s)
}

// What the office has booked of a parked advice is undone by the till's
// reversal of the advice.
func TestAReversalUndoesWhatTheOfficeHasBooked(t *testing.T) {
	s := openShop(t, small)
	s.enrol(7, "4000001", "")
	s.later(100 * time.Hour)
	r := s.sale(protocol.CallAccrue, byCard("4000001"), 100000, 0)
	r.ISO.Advice = true
	r.At = protocol.Time{Unix: morning.UnixNano(), Set: true}
	res := s.ask(r)
	require.Equal(t, "parked", res.Status, res.Detail)
	s.resolve(res.ID, "book")
	a := s.account(7)
	require.EqualValues(t, 10000, a.Balance().Available)
	undo := s.till(protocol.CallReverse)
	undo.TargetKey = r.Key
	require.Equal(t, protocol.Approved, s.ask(undo).Code)
	a = s.account(7)
	require.Zero(t, a.Balance().Available)
	require.Zero(t, a.Lifetime)
	requireSound(t, s)
}

func (s *shop) resolve(id, action string) {
	s.t.Helper()
	r := s.till(protocol.CallResolveParked)
	r.Target, r.Action, r.Reason = id, action, "seen the slip"
	res := s.ask(r)
	require.Equal(s.t, protocol.Approved, res.Code, res.Detail)
}

// A mark left under a receipt declines a confirm that leaves the terminal to
// its hold.
func TestAReceiptsMarkCountsForAConfirmWithoutATerminal(t *testing.T) {
	s := openShop(t, small)
	s.enrol(7, "4000001", "")
	held := s.ask(s.sale(protocol.CallAuthorize, byCard("4000001"), 10000, 0))
	mark := s.till(protocol.CallReverse)
	mark.Receipt = protocol.Receipt{Number: "000777", Shift: "1"}
	require.Equal(t, "marked", s.ask(mark).Status)
	c := s.till(protocol.CallConfirm)
	c.Target, c.Terminal, c.Store = held.ID, "", ""
	c.Receipt = mark.Receipt
	require.Equal(t, protocol.ReversedBefore, s.ask(c).Code)
}

// The key of a reversal can't be the key that it is to reverse.
func TestAReversalCannotNameItsOwnKey(t *testing.T) {
	s := openShop(t, small)
	r := s.till(protocol.CallReverse)
	r.TargetKey = r.Key
	res := s.ask(r)
	require.Equal(t, protocol.InvalidRequest, res.Code, res.Detail)
	require.Equal(t, "idempotency_key", res.Field)
}
