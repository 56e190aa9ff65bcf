package processor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/processor/program"
	"tillgate/protocol"
)

// office is a request of an office with a key of its own.
func (s *shop) office(call protocol.Call, target string) protocol.Request {
	r := s.till(call)
	r.Caller = protocol.Caller{Key: "office", Role: protocol.RoleSupport}
	r.Terminal, r.Store, r.Cashier, r.Channel = "", "", "", ""
	r.Target = target
	return r
}

// app is a request of the member's own app.
func (s *shop) app(call protocol.Call, target string) protocol.Request {
	r := s.office(call, target)
	r.Caller = protocol.Caller{Key: "app", Role: protocol.RoleCheckout}
	return r
}

func (s *shop) member(phone, email string) protocol.Request {
	r := s.office(protocol.CallCreateMember, "")
	r.Profile = &protocol.Profile{}
	if phone != "" {
		r.Profile.Phone = &phone
	}
	if email != "" {
		r.Profile.Email = &email
	}
	return r
}

func (s *shop) approved(r protocol.Request) *protocol.Response {
	s.t.Helper()
	res := s.ask(r)
	require.True(s.t, res.Code.OK(), "%v: %s %s", res.Code, res.Field, res.Detail)
	return res
}

func rendered(r *protocol.Response) string { return string(protocol.AppendJSON(nil, r)) }

func TestRegistrationKeepsThePointsOfAProvisionalMember(t *testing.T) {
	s := openShop(t, string(program.Sample))
	s.approved(s.sale(protocol.CallAccrue, byPhone("+77010000001"), 50000, 0))

	r := s.member("+77010000001", "")
	first := s.approved(r)
	require.True(t, first.Created)
	again := s.approved(r)
	require.True(t, again.Replayed)
	require.Equal(t, rendered(first), rendered(again))
	require.NotEmpty(t, first.Member.ReferralCode)

	b := s.approved(s.office(protocol.CallBalance, first.Member.ID))
	require.Equal(t, int64(5000), b.Balance.Available)
	require.Equal(t, protocol.AlreadyExists, s.ask(s.member("+77010000001", "")).Code)
}

func TestIdentifiersAreUnique(t *testing.T) {
	s := openShop(t, string(program.Sample))
	a := s.approved(s.member("+77010000001", "a@example.org"))
	res := s.ask(s.member("+77010000002", "A@example.org"))
	require.Equal(t, protocol.AlreadyExists, res.Code)
	require.Equal(t, "email", res.Field)

	b := s.approved(s.member("+77010000002", ""))
	taken := "a@example.org"
	patch := s.office(protocol.CallPatchMember, b.Member.ID)
	patch.Profile = &protocol.Profile{Email: &taken}
	require.Equal(t, protocol.AlreadyExists, s.ask(patch).Code)

	erase := s.office(protocol.CallDeleteMember, a.Member.ID)
	s.approved(erase)
	patch = s.office(protocol.CallPatchMember, b.Member.ID)
	patch.Profile = &protocol.Profile{Email: &taken}
	s.approved(patch)
	require.Equal(t, protocol.MemberNotFound, s.ask(s.office(protocol.CallGetMember, a.Member.ID)).Code)
	found := s.office(protocol.CallLookupMember, "")
	found.Member = protocol.Identifier{Kind: protocol.ByEmail, Value: taken}
	require.Equal(t, b.Member.ID, s.approved(found).Member.ID)
}

func TestATillSeesOfAMemberWhatItsSlipNeeds(t *testing.T) {
	s := openShop(t, string(program.Sample))
	enrol := s.member("+77010000001", "a@example.com")
	name, born := "Aida", "1990-04-12"
	enrol.Profile.Name, enrol.Profile.Birthday = &name, &born
	m := s.approved(enrol)
	find := func(r protocol.Request) string {
		r.Member = byPhone("+77010000001")
		return rendered(s.approved(r))
	}
	require.Equal(t, `{"id":"`+m.Member.ID+`","tier":null,"referral_code":"`+m.Member.ReferralCode+`","registered":true,"name":"Aida","cards":[]}`,
		find(s.till(protocol.CallLookupMember)))
	require.Contains(t, find(s.office(protocol.CallLookupMember, "")), `"birthday":"1990-04-12"`)
}

// TestAGrantByHandEndsATermAfterItsBeginning: it is active at once, so its term
// does not wait for the days that a purchase's points take to ripen.
func TestAGrantByHandEndsATermAfterItsBeginning(t *testing.T) {
	s := openShop(t, `
program: ripens
currency: KZT
timezone: Asia/Almaty
lots: {active_after: 14d, expires_after: 3mo}
earn: {rules: [{name: base, give: {percent: 10}}]}
`)
	m := s.approved(s.member("+77010000001", ""))
	grant := s.office(protocol.CallAdjust, m.Member.ID)
	grant.Points, grant.Reason = 1000, "sorry"
	lot := s.approved(grant).EarnedLots[0]
	now := time.Unix(0, s.clock.Load()).In(almaty)
	require.Equal(t, time.Date(now.Year(), now.Month()+3, now.Day()+1, 0, 0, 0, 0, almaty).UnixNano(), lot.Expires)
}

func TestASaleTellsTheCardThatItCameBy(t *testing.T) {
	s := openShop(t, string(program.Sample))
	m := s.approved(s.member("+77010000001", ""))
	card := s.office(protocol.CallAddCard, m.Member.ID)
	card.Card.Number = "4000-0000-1234"
	s.approved(card)
	for _, call := range []protocol.Call{protocol.CallQuote, protocol.CallAuthorize, protocol.CallAccrue} {
		r := s.sale(call, byCard("400000001234"), 10000, 0)
		first := rendered(s.approved(r))
		require.Contains(t, first, `"card":"****1234"`)
		require.Equal(t, first, rendered(s.approved(r)), "a repeat says the same")
		require.Contains(t, rendered(s.approved(s.sale(call, byPhone("+77010000001"), 10000, 0))), `"card":null`)
	}
}

func TestReferrersAreNeverOneselfOrACircle(t *testing.T) {
	s := openShop(t, string(program.Sample))
	self := s.member("+77010000001", "")
	self.Profile.Referrer = byPhone("+77010000001")
	res := s.ask(self)
	require.Equal(t, protocol.ReferrerNotAllowed, res.Code)
	require.Equal(t, 422, res.HTTPStatus())

	// A provisional member invites; when it registers, its friend can't be
	// who invited it.
	s.approved(s.sale(protocol.CallAccrue, byPhone("+77010000001"), 50000, 0))
	friend := s.member("+77010000002", "")
	friend.Profile.Referrer = byPhone("+77010000001")
	b := s.approved(friend)
	circle := s.member("+77010000001", "")
	circle.Profile.Referrer = protocol.Identifier{Kind: protocol.ByCode, Value: b.Member.ReferralCode}
	require.Equal(t, protocol.ReferrerNotAllowed, s.ask(circle).Code)

	a := s.approved(s.member("+77010000001", ""))
	tree := s.approved(s.office(protocol.CallReferral, b.Member.ID))
	require.Equal(t, a.Member.ID, tree.Referrer)
}

func TestCodesSpendOnceAndEndTheOneBefore(t *testing.T) {
	s := openShop(t, string(program.Sample))
	m := s.approved(s.member("+77010000001", ""))
	grant := s.office(protocol.CallAdjust, m.Member.ID)
	grant.Points, grant.Reason = 10000, "welcome back"
	s.approved(grant)

	issue := s.app(protocol.CallIssueCode, m.Member.ID)
	first := s.approved(issue)
	require.Regexp(t, `^[0-9]{6}$`, first.OneTimeCode)
	require.Equal(t, rendered(first), rendered(s.approved(issue)), "a repeat tells the same code")
	require.Equal(t, s.clock.Load()/1e9+300, first.ExpiresAt.Unix/1e9)

	tills := s.till(protocol.CallIssueCode)
	tills.Target = m.Member.ID
	second := s.approved(tills)
	require.Empty(t, second.OneTimeCode, "a till is not told the code")
	require.Empty(t, s.approved(s.office(protocol.CallIssueCode, m.Member.ID)).OneTimeCode, "nor is a support desk")
	byCode := func(code string) protocol.Identifier {
		return protocol.Identifier{Kind: protocol.ByCode, Value: code}
	}
	require.Equal(t, protocol.CodeInvalid, s.ask(s.sale(protocol.CallRedeem, byCode(first.OneTimeCode), 20000, 5000)).Code,
		"a new code ends the old one")

	third := s.approved(s.app(protocol.CallIssueCode, m.Member.ID))
	s.approved(s.sale(protocol.CallQuote, byCode(third.OneTimeCode), 20000, 5000))
	s.approved(s.sale(protocol.CallRedeem, byCode(third.OneTimeCode), 20000, 5000))
	require.Equal(t, protocol.CodeInvalid, s.ask(s.sale(protocol.CallRedeem, byCode(third.OneTimeCode), 20000, 5000)).Code)

	fourth := s.approved(s.app(protocol.CallIssueCode, m.Member.ID))
	s.clock.Add(int64(5*time.Minute + time.Second))
	require.Equal(t, protocol.CodeInvalid, s.ask(s.sale(protocol.CallRedeem, byCode(fourth.OneTimeCode), 20000, 100)).Code)
}

func TestReplacedCardKeepsTheBalanceAndTheOldNumberIsRefused(t *testing.T) {
	s := openShop(t, string(program.Sample))
	m := s.approved(s.member("+77010000001", ""))
	add := s.office(protocol.CallAddCard, m.Member.ID)
	add.Card = protocol.Card{Number: "7000000000001234", Type: "gold"}
	card := s.approved(add)
	require.Equal(t, "****1234", card.Card.Number)
	require.Equal(t, "active", card.Card.State)
	require.Equal(t, rendered(card), rendered(s.approved(add)))
	s.approved(s.sale(protocol.CallAccrue, byCard("7000000000001234"), 100000, 0))

	replace := s.office(protocol.CallReplaceCard, "7000000000001234")
	replace.Card.Number = "7000000000005678"
	s.approved(replace)
	require.Equal(t, protocol.CardBlocked, s.ask(s.sale(protocol.CallAccrue, byCard("7000000000001234"), 100000, 0)).Code)
	res := s.approved(s.sale(protocol.CallRedeem, byCard("7000000000005678"), 20000, 10000))
	require.Equal(t, int64(0), res.Balance.Available-1000, "100.00 earned, 100.00 spent, 10.00 earned on the rest")

	block := s.office(protocol.CallPatchCard, "7000000000005678")
	block.Card.State = "blocked"
	s.approved(block)
	require.Equal(t, protocol.CardBlocked, s.ask(s.sale(protocol.CallAccrue, byCard("7000000000005678"), 100000, 0)).Code)
	shown := s.approved(s.office(protocol.CallGetMember, m.Member.ID))
	require.Len(t, shown.Member.Cards, 2)
	require.Equal(t, protocol.CardNotFound, s.ask(s.sale(protocol.CallAccrue, byCard("0000111122223333"), 100, 0)).Code)
}

func TestAdjustments(t *testing.T) {
	s := openShop(t, string(program.Sample))
	s.s.o.AdjustLimit = 50000
	m := s.approved(s.member("+77010000001", ""))
	adjust := func(points int64) *protocol.Response {
		r := s.office(protocol.CallAdjust, m.Member.ID)
		r.Points, r.Reason = points, "because"
		return s.ask(r)
	}
	require.Equal(t, int64(30000), adjust(30000).Balance.Available)
	require.Equal(t, int64(10000), adjust(-20000).Balance.Available)
	over := adjust(-10001)
	require.Equal(t, protocol.InsufficientPoints, over.Code)
	require.Equal(t, int64(10000), over.MaxPoints)

	large := adjust(60000)
	require.Equal(t, 202, large.HTTPStatus())
	list := s.approved(s.office(protocol.CallListParked, ""))
	require.Len(t, list.Parked, 1)
	require.Equal(t, "adjustment", list.Parked[0].Kind)
	resolve := s.office(protocol.CallResolveParked, list.Parked[0].ID)
	resolve.Action, resolve.Reason = "book", "seen"
	require.Equal(t, protocol.Forbidden, s.ask(resolve).Code, "nobody books an own adjustment")
	resolve.Caller.Key = "second person"
	s.approved(resolve)
	require.Equal(t, int64(70000), s.approved(s.office(protocol.CallBalance, m.Member.ID)).Balance.Available)
	require.Empty(t, s.approved(s.office(protocol.CallListParked, "")).Parked)
	resolve.Key = "once more"
	require.Equal(t, protocol.AlreadyConfirmed, s.ask(resolve).Code)
}

func TestMergeMovesEverythingAndLeavesAnAlias(t *testing.T) {
	s := openShop(t, string(program.Sample))
	a := s.approved(s.member("+77010000001", ""))
	b := s.approved(s.member("+77010000002", ""))
	add := s.office(protocol.CallAddCard, b.Member.ID)
	add.Card.Number = "7000000000001234"
	s.approved(add)
	s.approved(s.sale(protocol.CallAccrue, byPhone("+77010000001"), 100000, 0))
	s.approved(s.sale(protocol.CallAccrue, byPhone("+77010000002"), 200000, 0))

	merge := s.office(protocol.CallMerge, b.Member.ID)
	merge.Into = a.Member.ID
	s.approved(merge)
	balance := func(id string) int64 { return s.approved(s.office(protocol.CallBalance, id)).Balance.Available }
	require.Eventually(t, func() bool { return balance(a.Member.ID) == 30000 }, 10*time.Second, time.Millisecond)
	require.Equal(t, int64(30000), balance(b.Member.ID), "the old id is an alias")
	res := s.approved(s.sale(protocol.CallRedeem, byCard("7000000000001234"), 60000, 30000))
	require.Equal(t, a.Member.ID, res.Member.ID)

	merge.Key = "again"
	require.Equal(t, protocol.AlreadyExists, s.ask(merge).Code)

	s.approved(s.office(protocol.CallDeleteMember, a.Member.ID))
	require.Equal(t, protocol.CardNotFound, s.ask(s.sale(protocol.CallAccrue, byCard("7000000000001234"), 100, 0)).Code,
		"an erasure finds what a merge has brought")
}

// What a member owes goes along in a merge, and the other's points repay it.
func TestMergeBringsWhatIsOwed(t *testing.T) {
	s := openShop(t, string(program.Sample))
	a := s.approved(s.member("+77010000001", ""))
	b := s.approved(s.member("+77010000002", ""))
	add := s.office(protocol.CallAddCard, b.Member.ID)
	add.Card.Number = "7000000000001234"
	s.approved(add)
	s.approved(s.sale(protocol.CallAccrue, byPhone("+77010000001"), 50000, 0)) // 50.00 earned
	bought := s.approved(s.sale(protocol.CallAccrue, byCard("7000000000001234"), 100000, 0))
	s.approved(s.sale(protocol.CallRedeem, byCard("7000000000001234"), 20000, 10000)) // 100.00 spent, 10.00 earned
	back := s.till(protocol.CallReturn)
	back.Target = bought.ID
	require.Equal(t, protocol.Balance{Deficit: 9000}, s.approved(back).Balance, "100.00 taken back, 10.00 were there")

	merge := s.office(protocol.CallMerge, b.Member.ID)
	merge.Into = a.Member.ID
	s.approved(merge)
	require.Eventually(t, func() bool {
		return s.approved(s.office(protocol.CallBalance, a.Member.ID)).Balance == protocol.Balance{Deficit: 4000}
	}, 10*time.Second, time.Millisecond, "90.00 owed, 50.00 repaid")
}

func TestHistoryIsPaged(t *testing.T) {
	s := openShop(t, string(program.Sample))
	m := s.approved(s.member("+77010000001", ""))
	for range 5 {
		s.approved(s.sale(protocol.CallAccrue, byPhone("+77010000001"), 100000, 0))
	}
	var kinds []string
	cursor := ""
	for {
		r := s.office(protocol.CallOperations, m.Member.ID)
		r.Cursor, r.Limit = cursor, 2
		page := s.approved(r)
		require.LessOrEqual(t, len(page.Operations), 2)
		for _, op := range page.Operations {
			kinds = append(kinds, op.Kind)
		}
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	require.Equal(t, []string{"accrue", "accrue", "accrue", "accrue", "accrue", "enrol"}, kinds)
}

func TestPublishing(t *testing.T) {
	s := openShop(t, "")
	require.Equal(t, protocol.Unavailable, s.ask(s.sale(protocol.CallAccrue, byPhone("+77010000001"), 50000, 0)).Code)
	put := func(doc, match string) *protocol.Response {
		r := s.office(protocol.CallPutProgram, "")
		r.Document, r.IfMatch = []byte(doc), match
		return s.ask(r)
	}
	bad := put("program: x\nearn: {colour: red}\n", "")
	require.Equal(t, protocol.InvalidRequest, bad.Code)
	require.NotEmpty(t, bad.Problems)

	first := put(string(program.Sample), "")
	require.Equal(t, uint32(1), first.ProgramVersion)
	require.Equal(t, uint32(1), put(string(program.Sample), "").ProgramVersion, "the same document is no new version")
	require.Equal(t, int64(5000), s.approved(s.sale(protocol.CallAccrue, byPhone("+77010000001"), 50000, 0)).Earned)

	other := "program: other\ncurrency: KZT\nearn: {rules: [{name: base, give: {percent: 20}}]}\nbackdate: 400d\n"
	require.Equal(t, protocol.PreconditionFailed, put(other, `"9-nothing"`).Code)
	second := put(other, first.ETag)
	require.Equal(t, uint32(2), second.ProgramVersion)
	require.Len(t, second.Warnings, 1, "duplicate keys live longer")
	require.Equal(t, int64(10000), s.approved(s.sale(protocol.CallAccrue, byPhone("+77010000001"), 50000, 0)).Earned)
	require.Len(t, s.approved(s.office(protocol.CallProgramVersions, "")).Versions, 2)
	require.Equal(t, other, string(s.approved(s.office(protocol.CallGetProgram, "")).Document))
	var err error
	s.s, err = New(s.ledger, Options{Clock: s.clock.Load})
	require.NoError(t, err)
	require.Equal(t, int64(10000), s.approved(s.sale(protocol.CallAccrue, byPhone("+77010000001"), 50000, 0)).Earned)
}

func TestDirectoriesMergeById(t *testing.T) {
	s := openShop(t, string(program.Sample))
	put := s.office(protocol.CallPutStores, "")
	put.Stores = []protocol.StoreEntry{{ID: "S1", Timezone: "Europe/Moscow", Group: "north"}}
	require.Equal(t, int64(1), s.approved(put).Count)
	put.Stores = []protocol.StoreEntry{{ID: "S1", Partner: "P"}}
	s.approved(put)
	row := s.s.directories.of("").stores["S1"]
	require.Equal(t, protocol.StoreEntry{ID: "S1", Timezone: "Europe/Moscow", Group: "north", Partner: "P"}, row.StoreEntry)
	require.Equal(t, "Europe/Moscow", s.s.directories.of("").zone("S1").String())
	put.Stores = []protocol.StoreEntry{{ID: "S2", Timezone: "Mars/Olympus"}}
	require.Equal(t, protocol.InvalidRequest, s.ask(put).Code)
}

func TestProfileOfANewerVersionIsRefused(t *testing.T) {
	_, err := decodeProfile([]byte(`{"v":2}`))
	require.ErrorIs(t, err, errProfileVersion)
	_, err = decodeProfile([]byte(`{"phone":"+7701`))
	require.ErrorContains(t, err, "can't be read")
	require.NotContains(t, err.Error(), "7701")
}

func FuzzProfile(f *testing.F) {
	plain, err := encodeProfile(&profile{Phone: "+77010000001", Cards: []profileCard{{Number: "1234"}}})
	require.NoError(f, err)
	f.Add(plain)
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := decodeProfile(b)
		if err != nil {
			return
		}
		again, err := encodeProfile(p)
		require.NoError(t, err)
		q, err := decodeProfile(again)
		require.NoError(t, err)
		require.Equal(t, p.identifiers(), q.identifiers())
	})
}

func TestEvents(t *testing.T) {
	s := openShop(t, string(program.Sample))
	m := s.approved(s.member("+77010000001", ""))
	r := s.office(protocol.CallMemberEvent, m.Member.ID)
	r.Event = "app_installed"
	require.Equal(t, "noted", s.approved(r).Status)
	r = s.office(protocol.CallMemberEvent, m.Member.ID)
	r.Event = "first_purchase"
	res := s.ask(r)
	require.Equal(t, protocol.InvalidRequest, res.Code)
	require.Equal(t, "event", res.Field)
}

// A history tells points, and their money beside them.
func TestHistoryTellsPointsAndTheirMoney(t *testing.T) {
	s := openShop(t, "program: two\ncurrency: KZT\ntimezone: Asia/Almaty\npoints: {value: 2}\nredeem: {with: [card], cap: 50}\n")
	s.enrol(7, "4000001", "", ledger.LotPart{Active: 1, Points: 10000})
	id := s.account(7).ID.String()
	sale := s.approved(s.sale(protocol.CallRedeem, byCard("4000001"), 40000, 6000))
	back := s.till(protocol.CallReturn)
	back.Target, back.ReturnAmount = sale.ID, 20000
	s.approved(back)
	var told [][2]int64
	for _, op := range s.approved(s.office(protocol.CallOperations, id)).Operations {
		told = append(told, [2]int64{op.Redeemed, op.RedeemedMoney})
	}
	require.Equal(t, [][2]int64{{3000, 6000}, {6000, 12000}}, told[:2])
	for _, other := range told[2:] {
		require.Zero(t, other, "only sales redeem")
	}
}
