package processor

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tillgate/ledger"
	"tillgate/processor/program"
	"tillgate/protocol"
)

// invitations is a programme that rewards three levels.
const invitations = `
program: invitations
currency: KZT
timezone: Asia/Almaty
lots: {expires_after: 3mo}
earn: {rules: [{name: base, give: {percent: 7}}]}
redeem: {with: [code, card], cap: 70}
referral: {percent: [10, 2.5, 1], first_purchase: 100, welcome: 50}
`

// TestAnAccountRemembersAsManyAsAreRewarded: the programme's bound is the
// ledger's.
func TestAnAccountRemembersAsManyAsAreRewarded(t *testing.T) {
	list := "1"
	for range ledger.MaxUpline {
		_, problems := program.Compile([]byte("program: p\ncurrency: KZT\nreferral: {percent: [" + list + "]}\n"))
		require.Empty(t, problems, list)
		list += ", 1"
	}
	_, problems := program.Compile([]byte("program: p\ncurrency: KZT\nreferral: {percent: [" + list + "]}\n"))
	require.NotEmpty(t, problems)
}

// TestRewardsGoBackWithTheSales: whatever friends buy, hold, return in parts and
// take back again, what it brought is the sum of what the text says of each
// sale; when everything has come back, those above have what they had.
func TestRewardsGoBackWithTheSales(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := openShop(t, invitations)
		chain := []*protocol.Response{s.approved(s.member("+77010000000", ""))}
		for i := range 3 {
			chain = append(chain, s.approved(s.invited(i+1, chain[i])))
		}
		who := protocol.Identifier{Kind: protocol.ByID, Value: chain[3].Member.ID}
		type sold struct{ id, confirm string }
		var sales []sold
		returns := map[string]bool{} // keys of returns, and whether they stand
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			switch what := rapid.IntRange(0, 4).Draw(rt, "what"); {
			case what <= 1 || len(sales) == 0:
				buy := s.till(protocol.CallAuthorize)
				buy.Member = who
				s.basket(rt, &buy)
				hold := s.approved(buy)
				confirm := s.till(protocol.CallConfirm)
				confirm.Target = hold.ID
				s.approved(confirm)
				sales = append(sales, sold{hold.ID, confirm.Key})
			case what == 2 && len(returns) > 0:
				for _, key := range drawKeys(rt, returns) {
					undo := s.till(protocol.CallReverse)
					undo.TargetKey = key
					if s.ask(undo).Code.OK() {
						returns[key] = false
					}
				}
			default:
				back := s.till(protocol.CallReturn)
				back.Target = rapid.SampledFrom(sales).Draw(rt, "sale").id
				if rapid.Bool().Draw(rt, "part") {
					back.ReturnAmount = rapid.Int64Range(1, 60000).Draw(rt, "amount")
				}
				if s.ask(back).Code.OK() {
					returns[back.Key] = true
				}
			}
		}
		s.rewarded(rt, chain)
		for _, one := range sales {
			back := s.till(protocol.CallReturn)
			back.Target = one.id
			if code := s.ask(back).Code; !code.OK() {
				require.Equal(rt, protocol.ReturnExceedsSale, code)
			}
		}
		s.delivered(rt)
		for i, welcome := range []int64{0, 5000, 5000} {
			a := s.account(idOf(t, chain[i].Member.ID))
			b := a.Balance()
			require.Equal(rt, welcome, b.Available+b.Pending+b.Deficit, "level %d", 3-i)
			require.Zero(rt, counterOf(&a, received))
		}
		proof, err := s.ledger.Verify(func(f ledger.Finding) { rt.Errorf("%+v", f) })
		require.NoError(rt, err)
		require.Zero(rt, proof.Legs[ledger.LegTransit])
		require.Zero(rt, proof.Legs[ledger.LegReferral])
	})
}

// drawKeys is one of the returns that stand, if any does.
func drawKeys(rt *rapid.T, returns map[string]bool) []string {
	var keys []string
	for k, stands := range returns {
		if stands {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	return []string{rapid.SampledFrom(keys).Draw(rt, "return")}
}

// delivered waits until nothing is on its way between accounts.
func (s *shop) delivered(t require.TestingT) {
	require.Eventually(t, func() bool {
		proof, err := s.ledger.Verify(func(ledger.Finding) {})
		return err == nil && proof.Transit == 0
	}, 20*time.Second, 5*time.Millisecond)
}

// rewarded adds up, from the sales as they stand, what each level should have.
func (s *shop) rewarded(rt *rapid.T, chain []*protocol.Response) {
	s.delivered(rt)
	friend := idOf(s.t, chain[3].Member.ID)
	var want [3]int64
	for p := range s.ledger.Partitions() {
		require.NoError(rt, s.ledger.Journal(p, 0, func(id ledger.OpID, record []byte) bool {
			var op ledger.Operation
			require.NoError(rt, ledger.DecodeOperation(record, &op))
			if op.Kind != ledger.KindConfirm || op.Account != friend {
				return true
			}
			sale, err := s.ledger.Sale(op.Parent)
			require.NoError(rt, err)
			for i, rate := range []int64{1000, 250, 100} { // hundredths of a percent
				whole := sale.Payable * rate / 10_000
				taken := int64(0)
				if sale.Payable > 0 {
					taken = whole * sale.Back.Payable / sale.Payable
				}
				want[i] += whole - taken
			}
			// While the first purchase is wholly back, another is the first, and
			// stays it when that return is undone.
			if fixed := slices.ContainsFunc(sale.Rewards, func(w ledger.Reward) bool { return w.Fixed }); fixed && sale.Back.Amount != sale.Total {
				want[0] += 10000
			}
			return true
		}))
	}
	for i := range want {
		a := s.account(idOf(s.t, chain[2-i].Member.ID))
		require.Equal(rt, want[i], counterOf(&a, received), "level %d", i+1)
		tree := s.approved(s.office(protocol.CallReferral, chain[2-i].Member.ID))
		require.Equal(rt, want[i], tree.Points)
		require.Equal(rt, want[i], tree.Friends[len(tree.Friends)-1].Points, "the friend's own counter says the same")
	}
}

// TestFriendsComeInPages: each once and in order, whatever the size of a page.
func TestFriendsComeInPages(t *testing.T) {
	s := openShop(t, invitations)
	root := s.approved(s.member("+77010000001", ""))
	above := []*protocol.Response{root}
	for i := range 30 {
		above = append(above, s.approved(s.invited(2+i, above[i/2])))
	}
	whole := s.approved(s.office(protocol.CallReferral, root.Member.ID))
	require.Empty(t, whole.NextCursor)
	require.Len(t, whole.Friends, 14, "2, 4 and 8 of three levels")
	for _, limit := range []int{1, 3, 14} {
		var all []protocol.Friend
		for cursor, more := "", true; more; more = cursor != "" {
			r := s.office(protocol.CallReferral, root.Member.ID)
			r.Limit, r.Cursor = limit, cursor
			page := s.approved(r)
			require.LessOrEqual(t, len(page.Friends), limit)
			all, cursor = append(all, page.Friends...), page.NextCursor
		}
		require.Equal(t, whole.Friends, all, limit)
	}
	other := s.office(protocol.CallReferral, root.Member.ID)
	other.Cursor = root.Member.ID
	require.Equal(t, protocol.InvalidRequest, s.ask(other).Code)
}

// TestAParkedTransferIsRejected: the office gives it up, and its points leave
// transit; an adjustment that waits says how many points and whose.
func TestAParkedTransferIsRejected(t *testing.T) {
	s := openShop(t, invitations)
	s.s.o.AdjustLimit = 1000
	a := s.approved(s.member("+77010000001", ""))
	id := idOf(t, a.Member.ID)
	s.task(id.Partition(s.ledger.Partitions()), func(tx *ledger.Tx) error {
		op := ledger.Operation{Kind: ledger.KindEvent, Account: id, Rewards: []ledger.Reward{
			{To: 77, Rule: "referral", Part: ledger.LotPart{Active: 1, Points: 700}}, // nobody has this id
		}}
		reward(&op, 1)
		_, err := tx.Append(&op)
		return err
	})
	var parked []protocol.Parked
	list := func() []protocol.Parked { return s.ask(s.till(protocol.CallListParked)).Parked }
	require.Eventually(t, func() bool { parked = list(); return len(parked) == 1 }, 10*time.Second, time.Millisecond)
	require.Equal(t, "transfer", parked[0].Kind)
	require.EqualValues(t, 700, parked[0].Points)
	require.Empty(t, parked[0].Member)
	reject := s.office(protocol.CallResolveParked, parked[0].ID)
	reject.Action, reject.Reason = "reject", "nobody is known"
	s.approved(reject)
	proof, err := s.ledger.Verify(func(f ledger.Finding) { t.Errorf("%+v", f) })
	require.NoError(t, err)
	require.Zero(t, proof.Legs[ledger.LegTransit])
	require.Zero(t, proof.Legs[ledger.LegReferral])

	big := s.office(protocol.CallAdjust, a.Member.ID)
	big.Points, big.Reason = -5000, "a mistake"
	require.True(t, s.ask(big).Code.OK())
	parked = list()
	require.Len(t, parked, 1)
	require.Equal(t, []any{"adjustment", int64(-5000), a.Member.ID}, []any{parked[0].Kind, parked[0].Points, parked[0].Member})
}

// TestALimitThatDeclinesHolds: a hundred tills at once get as many operations
// through as the limit says, to the point; those that were voided make room
// again.
func TestALimitThatDeclinesHolds(t *testing.T) {
	s := openShop(t, `
program: limited
currency: KZT
timezone: Asia/Almaty
redeem: {with: [card], cap: 100, line_floor: 0}
guard:
  - {name: most, per: card, operations: 17, within: day, then: decline}
  - {name: points, per: member, redeemed: 12, within: day, then: decline}
  - {name: busy, per: store, operations: 40, within: day, then: flag}
`)
	s.enrol(7, "4000001", "", ledger.LotPart{Active: 1, Points: 1_000_000})
	s.enrol(8, "4000002", "", ledger.LotPart{Active: 1, Points: 1_000_000})
	const tills = 100
	burst := func(card string, points int64) (ids []string, flagged, declined int) {
		answers := make([]*protocol.Response, tills)
		var wg sync.WaitGroup
		for i := range answers {
			r := s.sale(protocol.CallAuthorize, byCard(card), 1000, points)
			wg.Go(func() { answers[i] = s.ask(r) })
		}
		wg.Wait()
		for _, a := range answers {
			switch a.Code {
			case protocol.Approved:
				ids = append(ids, a.ID)
				flagged += len(a.Warnings)
			case protocol.LimitExceededAmount, protocol.LimitExceededCount:
				declined++
			default:
				require.Fail(t, "another answer", "%s %s", a.Code, a.Detail)
			}
		}
		return ids, flagged, declined
	}
	ids, _, declined := burst("4000001", 100) // a point each: twelve, though seventeen operations would pass
	require.Len(t, ids, 12)
	require.Equal(t, tills-12, declined)
	for _, id := range ids[:5] {
		void := s.till(protocol.CallVoid)
		void.Target = id
		s.approved(void)
	}
	again, _, _ := burst("4000001", 100)
	require.Len(t, again, 5)
	more, _, _ := burst("4000001", 0)
	require.Len(t, more, 5, "twelve of seventeen are taken")

	// The store's own count is exact, too: 17 of 40 are taken, whoever buys.
	s.publish(2, `
program: limited
currency: KZT
timezone: Asia/Almaty
guard:
  - {name: busy, per: store, operations: 40, within: day, then: flag}
`)
	s.later(2 * time.Second)
	ids, flagged, _ := burst("4000002", 0)
	require.Len(t, ids, tills)
	require.Equal(t, tills-(40-17), flagged)
	_, err := s.ledger.Verify(func(f ledger.Finding) { t.Errorf("%+v", f) })
	require.NoError(t, err)
}
