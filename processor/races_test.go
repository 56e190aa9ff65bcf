package processor

import (
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/protocol"
)

// merge is a request to merge one member into another.
func (s *shop) merge(from, into string) protocol.Request {
	r := s.office(protocol.CallMerge, from)
	r.Into, r.Reason = into, "the same person"
	return r
}

// Two members who are merged into each other at one moment: one goes into the
// other, never both, or their points would travel in a circle for ever.
func TestTwoMergesAtOnceMakeNoCircle(t *testing.T) {
	s := openShop(t, small)
	for n := range 10 {
		a, b := ledger.AccountID(1000+2*n), ledger.AccountID(1001+2*n)
		s.enrol(a, "41"+strconv.Itoa(100000+n), "", ledger.LotPart{Active: 1, Points: 100})
		s.enrol(b, "42"+strconv.Itoa(100000+n), "", ledger.LotPart{Active: 1, Points: 50})
		// Nothing is decided before both were looked up.
		begin, free := make(chan struct{}), make(chan error, 4)
		for p := range s.ledger.Partitions() {
			require.NoError(t, s.ledger.Submit(p, &testTask{func(*ledger.Tx) error { <-begin; return nil }, free}))
		}
		var wait sync.WaitGroup
		for _, r := range []protocol.Request{s.merge(a.String(), b.String()), s.merge(b.String(), a.String())} {
			wait.Add(1)
			s.s.Submit(&protocol.Exchange{Request: r, Done: func(*protocol.Exchange) { wait.Done() }})
		}
		close(begin)
		wait.Wait()
		one, err := s.ledger.Account(a)
		require.NoError(t, err)
		two, err := s.ledger.Account(b)
		require.NoError(t, err)
		require.True(t, one.Into == 0 || two.Into == 0, "merged into each other")
		require.True(t, one.Into != 0 || two.Into != 0, "neither was merged")
	}
}

// However often a member was merged on, what led to the first leads to the last.
func TestAnAliasLeadsOnForEver(t *testing.T) {
	s := openShop(t, small)
	const many = 12
	for n := range many {
		s.enrol(ledger.AccountID(100+n), "430000"+strconv.Itoa(10+n), "", ledger.LotPart{Active: 1, Points: 10})
	}
	for n := range many - 1 {
		s.approved(s.merge(ledger.AccountID(100+n).String(), ledger.AccountID(101+n).String()))
	}
	last := ledger.AccountID(100 + many - 1)
	require.Eventually(t, func() bool {
		a := s.account(last)
		return a.Balance().Available == many*10
	}, 10*time.Second, time.Millisecond)
	sale := s.approved(s.sale(protocol.CallAccrue, byCard("43000010"), 1000, 0))
	require.Equal(t, last.String(), sale.Member.ID)
	s.enrol(99, "43000099", "")
	s.approved(s.merge(ledger.AccountID(99).String(), ledger.AccountID(100).String()))
	requireSound(t, s)
}

// A one-time code spends once, also where its member was merged after it was
// issued.
func TestACodeOfAMergedMemberSpendsOnce(t *testing.T) {
	s := openShop(t, small)
	s.enrol(7, "4000001", "", ledger.LotPart{Active: 1, Points: 10000})
	for id := ledger.AccountID(8); id < 16; id++ {
		s.enrol(id, "41000"+strconv.Itoa(int(id)+10), "", ledger.LotPart{Active: 1, Points: 10000})
		issue := s.app(protocol.CallIssueCode, id.String())
		issue.Caller.Role = protocol.RoleCheckout
		code := protocol.Identifier{Kind: protocol.ByCode, Value: s.approved(issue).OneTimeCode}
		s.approved(s.merge(id.String(), ledger.AccountID(7).String()))
		first := s.ask(s.sale(protocol.CallRedeem, code, 1000, 100))
		second := s.ask(s.sale(protocol.CallRedeem, code, 1000, 100))
		require.False(t, first.Code.OK() && second.Code.OK(), "spent twice with one code")
		s.later(16 * time.Minute)
	}
}

// A publication that was cut short is completed by the next one, and what is
// said to be in force is.
func TestAPublicationThatWasCutShortIsTakenUp(t *testing.T) {
	s := openShop(t, "")
	require.NoError(t, s.ledger.PutProgram(ledger.Program{Version: 1, Published: s.clock.Load(), From: s.clock.Load(), Doc: []byte(small)}))
	put := s.office(protocol.CallPutProgram, "")
	put.Caller.Role = protocol.RoleAdmin
	put.Document = []byte(small)
	s.approved(put)
	s.enrol(7, "4000001", "")
	require.Equal(t, int64(100), s.approved(s.sale(protocol.CallAccrue, byCard("4000001"), 1000, 0)).Earned)
}

// A phone number that loses its member between two looks at it is not given to
// two new ones: only who owns the number may make a member of it.
func TestAMemberErasedMeanwhileIsNotMadeTwice(t *testing.T) {
	s := openShop(t, small)
	member := s.approved(s.member("+77010000001", ""))
	done := make(chan struct{})
	x := &protocol.Exchange{Request: s.sale(protocol.CallAccrue, byPhone("+77010000001"), 1000, 0), Done: func(*protocol.Exchange) { close(done) }}
	late := s.s.tasks.Get().(*Task)
	s.s.inflight.Add(1)
	late.begin(x, s.clock.Load())
	late.plan = plans[x.Request.Call]
	late.claimKeys()
	s.approved(s.office(protocol.CallDeleteMember, member.Member.ID))
	s.s.resume(late, s.s.claims.acquire(late))
	<-done
	require.Equal(t, protocol.Unavailable, x.Response.Code)
	s.approved(x.Request) // tried again
}

// What the ledger was told to keep is never shortened.
func TestDuplicateKeysAreKeptAsLongAsTheLedgerWasTold(t *testing.T) {
	s := openShop(t, small)
	s.ledger.SetDupRetention(int64(90 * 24 * time.Hour))
	other, err := New(s.ledger, Options{Clock: s.clock.Load})
	require.NoError(t, err)
	require.Equal(t, int64(90*24*time.Hour), s.ledger.DupRetention())
	kept, longer := other.lengthen()
	require.Equal(t, 90*24*time.Hour, kept)
	require.False(t, longer)
}

// Points on their way to an account that does not take them wait for the
// sender's office, which is told what to do about them.
func TestAParkedTransferIsTheSendersOfficesMatter(t *testing.T) {
	s := openShop(t, small)
	s.enrol(7, "4000001", "", ledger.LotPart{Active: 1, Points: 500})
	s.task(ledger.AccountID(7).Partition(s.ledger.Partitions()), func(tx *ledger.Tx) error {
		op := ledger.Operation{Kind: ledger.KindPostOut, Account: 7, Merchant: "coffee-house",
			Lots:      []ledger.LotPart{{Active: 1, Points: -500}},
			Transfers: []ledger.Transfer{{To: 8, Parts: []ledger.LotPart{{Active: 1, Points: 500}}}}}
		op.Legs[ledger.LegTransit] = 500
		_, err := tx.Append(&op)
		return err
	})
	list := s.office(protocol.CallListParked, "")
	list.Caller.Merchant = "coffee-house"
	require.Eventually(t, func() bool { return len(s.ask(list).Parked) == 1 }, 10*time.Second, time.Millisecond)
	r := s.office(protocol.CallResolveParked, s.ask(list).Parked[0].ID)
	r.Caller.Merchant, r.Action, r.Reason = "coffee-house", "book", "why not"
	res := s.ask(r)
	require.Equal(t, protocol.NotFound, res.Code, res.Detail)
	require.Contains(t, res.Detail, "by hand")
	r.Key, r.Action = "reject", "reject"
	s.approved(r)
	require.Empty(t, s.ask(list).Parked)
	requireSound(t, s)
}

// TestTheOfficeBooksOneReceiptManyTimesAtOnce: a till that counts its receipts
// from one every day was cut off for days. However many of its sales the office books at the
// same moment, each is found by the receipt's number afterwards.
func TestTheOfficeBooksOneReceiptManyTimesAtOnce(t *testing.T) {
	s := openShop(t, small)
	const sales = 40
	for i := range ledger.AccountID(sales) {
		s.enrol(i+1, fmt.Sprintf("41%05d", i), "")
	}
	s.later(100 * time.Hour)
	var parked []string
	var booked protocol.Request
	for i := range sales {
		r := s.sale(protocol.CallAccrue, byCard(fmt.Sprintf("41%05d", i)), 1000, 0)
		r.ISO.Advice = true
		r.At = protocol.Time{Unix: morning.UnixNano() + int64(i), Set: true}
		r.Receipt = protocol.Receipt{Number: "1", Shift: fmt.Sprint(i)}
		res := s.ask(r)
		require.Equal(t, "parked", res.Status, res.Detail)
		parked, booked = append(parked, res.ID), r
	}
	var wg sync.WaitGroup
	for _, id := range parked {
		wg.Go(func() { s.resolve(id, "book") })
	}
	wg.Wait()
	entries, err := s.ledger.Receipts(s.s.receiptKey(booked.Caller.Merchant, booked.Store, booked.Terminal, "1"))
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, e := range entries {
		if !e.Mark && e.Op != 0 {
			seen[e.Shift] = true
		}
	}
	require.Len(t, seen, sales)
	requireSound(t, s)
}
