package processor

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/protocol"
)

// waits is what waits for the office, count of it once transfers have come in.
func (s *shop) waits(count int) (list []protocol.Parked) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		list = s.ask(protocol.Request{Call: protocol.CallListParked}).Parked
		return len(list) == count
	}, 10*time.Second, time.Millisecond)
	return list
}

// TestATransferThatWaitsIsTheOffices: no till can drop it, whose points would stay
// in transit for ever.
func TestATransferThatWaitsIsTheOffices(t *testing.T) {
	s := openShop(t, small)
	s.enrol(7, "4000001", "", ledger.LotPart{Active: 1, Points: 1000})
	s.task(ledger.AccountID(7).Partition(s.ledger.Partitions()), func(tx *ledger.Tx) error {
		op := &ledger.Operation{
			Kind: ledger.KindPostOut, Account: 7, At: tx.Now(), Lots: []ledger.LotPart{{Active: 1, Points: -300}},
			Transfers: []ledger.Transfer{{To: 8, Parts: []ledger.LotPart{{Active: 1, Points: 300}}}}, // nobody is 8
		}
		op.Legs[ledger.LegTransit] = 300
		_, err := tx.Append(op)
		return err
	})
	undo := s.till(protocol.CallReverse)
	undo.Target, undo.Edge = s.waits(1)[0].ID, protocol.EdgeISO
	require.Equal(t, protocol.NotFound, s.ask(undo).Code)
	s.waits(1)
	requireSound(t, s)
}

// TestAnAdjustmentThatNeedsASecondPerson can be taken back while it waits, and no
// longer when it has been booked.
func TestAnAdjustmentThatNeedsASecondPerson(t *testing.T) {
	for _, booked := range []bool{false, true} {
		s := openShop(t, small)
		s.enrol(7, "4000001", "", ledger.LotPart{Active: 1, Points: 1000})
		s.s.o.AdjustLimit = 100
		adjust := s.office(protocol.CallAdjust, ledger.AccountID(7).String())
		adjust.Points, adjust.Reason = 500, "goodwill"
		parked := s.approved(adjust)
		undo := s.office(protocol.CallReverse, "")
		undo.TargetKey = adjust.Key
		if booked {
			require.Equal(t, protocol.Approved, s.decided(parked.ID, "book").Code)
			require.Equal(t, protocol.NotFound, s.ask(undo).Code)
			require.EqualValues(t, 1500, s.balance(7).Available)
			continue
		}
		require.Equal(t, "reversed", s.approved(undo).Status)
		s.waits(0)
		require.EqualValues(t, 1000, s.balance(7).Available)
	}
}

// TestABookedReceiptWhoseNumberWasUsedOften is undone all the same, or said not to
// be: the list of a number is bounded.
func TestABookedReceiptWhoseNumberWasUsedOften(t *testing.T) {
	s := openShop(t, small)
	receipt := protocol.Receipt{Number: "1"}
	parked, advice := s.parkedOffline("4999900", receipt)
	m := s.approved(s.member("+77010000001", ""))
	s.approved(s.giveCard(m.Member.ID, "4999900"))
	require.Equal(t, protocol.Approved, s.decided(parked.ID, "book").Code)
	s.enrol(7, "4000001", "")
	for range ledger.MaxReceipts {
		sale := s.sale(protocol.CallAccrue, byCard("4000001"), 1, 0)
		sale.Receipt = receipt
		s.approved(sale)
	}
	undo := s.till(protocol.CallReverse)
	undo.TargetKey = advice.Key
	require.Equal(t, "reversed", s.approved(undo).Status)
	require.Zero(t, s.balance(idOf(t, m.Member.ID)))
	requireSound(t, s)
}

// printedTooMuch is a confirm by advice that waits: it tells of more points than
// the hold has.
func (s *shop) printedTooMuch(hold string) protocol.Request {
	c := s.till(protocol.CallConfirm)
	c.Target, c.ISO.Advice = hold, true
	c.Printed.Redeemed, c.Printed.HasRedeemed = 1600, true
	require.Equal(s.t, "parked", s.approved(c).Status)
	return c
}

// TestARejectedConfirmUndoesNoOther: the sale was booked by another request.
func TestARejectedConfirmUndoesNoOther(t *testing.T) {
	for _, reject := range []bool{true, false} {
		s := openShop(t, lateParks)
		s.enrol(7, "4000001", "", ledger.LotPart{Active: 1, Points: 1000})
		held := s.approved(s.sale(protocol.CallAuthorize, byCard("4000001"), 10_000, 500))
		wrong := s.printedTooMuch(held.ID)
		good := s.till(protocol.CallConfirm)
		good.Target = held.ID
		require.Equal(t, "confirmed", s.approved(good).Status)
		if reject {
			require.Equal(t, protocol.Approved, s.decided(s.waits(1)[0].ID, "reject").Code)
		}
		before := s.balance(7)
		undo := s.till(protocol.CallReverse)
		undo.TargetKey = wrong.Key
		require.Equal(t, protocol.AlreadyConfirmed, s.ask(undo).Code)
		require.Equal(t, before, s.balance(7))
		requireSound(t, s)
	}
}

// TestAHoldWhoseConfirmWaits is not voided: the till was told that it is confirmed.
func TestAHoldWhoseConfirmWaits(t *testing.T) {
	s := openShop(t, lateParks)
	s.enrol(7, "4000001", "", ledger.LotPart{Active: 1, Points: 1000})
	held := s.approved(s.sale(protocol.CallAuthorize, byCard("4000001"), 10_000, 500))
	s.printedTooMuch(held.ID)
	void := s.till(protocol.CallVoid)
	void.Target = held.ID
	require.Equal(t, protocol.AlreadyConfirmed, s.ask(void).Code)

	require.Equal(t, protocol.Approved, s.decided(s.waits(1)[0].ID, "reject").Code)
	void = s.till(protocol.CallVoid)
	void.Target = held.ID
	s.approved(void)
	require.EqualValues(t, 1000, s.balance(7).Available)
	requireSound(t, s)
}

// TestABookingThatWasDropped is too old to be undone, with a receipt number and
// without: its record is gone, that of the message is not.
func TestABookingThatWasDropped(t *testing.T) {
	for _, number := range []string{"000777", ""} {
		s := openShop(t, small)
		parts, kept := s.ledger.Partitions(), map[int]bool{}
		for i := 0; len(kept) < parts-1; i++ { // what waits for ever keeps the journal of its partition
			waiting, _ := s.parkedOffline(strconv.Itoa(4999810+i), protocol.Receipt{Number: strconv.Itoa(i)})
			op, err := ledger.ParseOpID(waiting.ID)
			require.NoError(t, err)
			kept[op.Partition()] = true
		}
		free := 0
		for kept[free] {
			free++
		}
		m := s.approved(s.member("+77010000000", ""))
		for i := 1; idOf(t, m.Member.ID).Partition(parts) != free; i++ {
			m = s.approved(s.member("+770100000"+strconv.Itoa(10+i), ""))
		}
		var id ledger.OpID
		for i := 0; !kept[id.Partition()] || id == 0; i++ {
			card := strconv.Itoa(4999910 + i)
			parked, _ := s.parkedOffline(card, protocol.Receipt{Number: number, Shift: "45"})
			var err error
			id, err = ledger.ParseOpID(parked.ID)
			require.NoError(t, err)
			if !kept[id.Partition()] {
				s.resolve(parked.ID, "reject")
				continue
			}
			s.approved(s.giveCard(m.Member.ID, card))
		}
		require.Equal(t, protocol.Approved, s.decided(id.String(), "book").Code)
		s.later(2 * time.Minute)
		s.windowed()
		s.later(367 * 24 * time.Hour)
		require.Eventually(t, func() bool {
			_, err := s.ledger.DropOld()
			require.NoError(t, err)
			return s.ledger.First(free) > 1
		}, 10*time.Second, 10*time.Millisecond)
		undo := s.till(protocol.CallReverse)
		undo.Target, undo.Edge = id.String(), protocol.EdgeISO
		require.Equal(t, protocol.OutsideTimeWindow, s.ask(undo).Code, "number %q", number)
	}
}

// TestABirthdayThatCouldNotBeDecided is not forgotten because a merge arrives
// meanwhile.
func TestABirthdayThatCouldNotBeDecided(t *testing.T) {
	s := openShop(t, "")
	require.Equal(t, protocol.Approved, s.put("", datedDoc).Code)
	id := s.born("+77010000001", "2000-12-01")
	other := s.approved(s.member("+77010000002", ""))
	s.approved(s.sale(protocol.CallAccrue, byPhone("+77010000002"), 100_000, 0))
	p := id.Partition(s.ledger.Partitions())
	var good []byte
	s.task(p, func(tx *ledger.Tx) (err error) {
		if good, err = tx.Profile(id); err == nil {
			err = tx.PutProfile(id, []byte("{broken"))
		}
		return err
	})
	s.later(10 * 24 * time.Hour) // 30 November: the gift was due on the 28th
	merge := s.office(protocol.CallMerge, other.Member.ID)
	merge.Into = id.String()
	s.approved(merge)
	require.Eventually(t, func() bool {
		a, err := s.ledger.Account(id)
		require.NoError(t, err)
		return a.Purchases == 1
	}, 10*time.Second, time.Millisecond)
	s.task(p, func(tx *ledger.Tx) error { return tx.PutProfile(id, good) })
	require.Len(t, s.given(id), 1)
}
