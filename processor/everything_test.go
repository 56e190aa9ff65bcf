package processor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tillgate/ledger"
	"tillgate/processor/program"
	"tillgate/protocol"
)

// everything is a programme with all that counts, gives and grants beside the
// figures of a sale.
const everything = `
program: everything
currency: KZT
timezone: Asia/Almaty
tiers:
  by: single
  recalculate: monthly
  levels:
    - {name: Base}
    - {name: Gold, from: 300}
    - {name: Vip, above: 900}
lots: {active_after: 2d}
earn:
  rules:
    - {name: base, give: {percent: 7}}
    - {name: after coffee, when: {bought: {goods: {category: [coffee]}, within: 30d, quantity: 3}}, give: {add_percent: 1}}
    - {name: trial, when: {since_first: {rule: coffee first, within: 7d}}, give: {add_percent: 2}}
    - {name: coffee first, goods: {category: [coffee]}, give: {percent: 9}}
discounts:
  rules:
    - {name: third coffee, goods: {category: [coffee]}, give: {every: 3, percent: 100, across_receipts: true}}
    - {name: network, when: {spent: {within: 90d, above: 500, at: {store: [S1]}}}, give: {percent: 2}}
redeem: {with: [code, card], cap: 70}
events:
  - {event: registered, give: {points: 10}}
  - {event: first_purchase, give: {points: 5}, lot: {expires_after: 14d}}
  - {event: bought, goods: {sku: [VIP]}, give: {tier: Vip, for: 30d}}
  - {event: inactive, after: 30d, give: {points: 2}, lot: {expires_after: 7d}}
promo_codes:
  - {code: ONCE, give: {points: 3}, per_member: 1, limit: 2}
  - {code: OFF, give: {discount: {percent: 10}}, limit: 1}
  - {code: MORE, give: {points: 1}}
  - {code: UP, give: {tier: Gold, for: 10d}, per_member: 2}
referral: {percent: [10, 2, 1], first_purchase: 1, welcome: 1}
guard:
  - {name: norm, per: member, operations: 2, within: day, then: flag}
  - {name: till, per: terminal, operations: 3, within: hour, then: flag}
  - {name: cap, per: member, redeemed: 500, within: day, then: decline}
  - {name: farm, kind: members_per_terminal, count: 1, within: hour, then: flag}
holds: {default: 15m, max: 24h, late_confirm: deficit}
`

// busy is a member whose history is drawn.
type busy struct {
	*shop
	rt    *rapid.T
	id    ledger.AccountID
	card  string
	holds []string
	sales []string
	asked []protocol.Request
}

func (b *busy) basket() (lines []protocol.Line, total int64) {
	n := rapid.IntRange(0, 3).Draw(b.rt, "lines")
	for i := range n {
		q := rapid.Int64Range(1, 4).Draw(b.rt, "pieces")
		price := rapid.Int64Range(1, 30000).Draw(b.rt, "price")
		kind := rapid.SampledFrom([]string{"coffee", "cake", "VIP"}).Draw(b.rt, "kind")
		lines = append(lines, protocol.Line{
			ID: strconv.Itoa(i), SKU: kind, Category: kind, Quantity: q * 1000, Price: price, Amount: price * q,
		})
		total += price * q
	}
	if n == 0 {
		total = rapid.Int64Range(1, 100000).Draw(b.rt, "total")
	}
	return lines, total
}

func (b *busy) book(r protocol.Request) *protocol.Response {
	res := b.ask(r)
	if res.Code == protocol.Internal {
		b.rt.Fatalf("call %d failed: %s", r.Call, res.Detail)
	}
	b.asked = append(b.asked, r)
	return res
}

func (b *busy) buy(call protocol.Call) protocol.Request {
	r := b.till(call)
	r.Member = byCard(b.card)
	r.HasBasket = true
	r.Lines, r.Total = b.basket()
	r.PromoCodes = rapid.SliceOfN(rapid.SampledFrom([]string{"ONCE", "once", "OFF", "UP", "MORE", "NONE"}), 0, 3).Draw(b.rt, "codes")
	if call != protocol.CallAccrue && rapid.Bool().Draw(b.rt, "pays") {
		r.Redeem = protocol.Redeem{Mode: protocol.RedeemPoints, Points: rapid.Int64Range(1, 3000).Draw(b.rt, "points"), Partial: true}
	}
	return r
}

func (b *busy) pick(list []string) string {
	if len(list) == 0 {
		b.rt.Skip("nothing there yet")
	}
	return rapid.SampledFrom(list).Draw(b.rt, "id")
}

func (b *busy) authorize(*rapid.T) {
	if res := b.book(b.buy(protocol.CallAuthorize)); res.Code.OK() {
		b.holds = append(b.holds, res.ID)
	}
}

func (b *busy) amend(*rapid.T) {
	r := b.buy(protocol.CallAmend)
	r.Member, r.PromoCodes = protocol.Identifier{}, nil
	r.Target = b.pick(b.holds)
	b.book(r)
}

func (b *busy) confirm(*rapid.T) {
	r := b.till(protocol.CallConfirm)
	r.Target = b.pick(b.holds)
	if res := b.book(r); res.Code.OK() {
		b.sales = append(b.sales, r.Target)
	}
}

func (b *busy) void(*rapid.T) {
	r := b.till(protocol.CallVoid)
	r.Target = b.pick(b.holds)
	b.book(r)
}

func (b *busy) accrue(*rapid.T) {
	if res := b.book(b.buy(protocol.CallAccrue)); res.Code.OK() {
		b.sales = append(b.sales, res.ID)
	}
}

func (b *busy) back(*rapid.T) {
	r := b.till(protocol.CallReturn)
	r.Target = b.pick(b.sales)
	switch rapid.IntRange(0, 2).Draw(b.rt, "how") {
	case 0:
		r.ReturnAmount = rapid.Int64Range(1, 20000).Draw(b.rt, "amount")
	case 1:
		r.ReturnLines = []protocol.ReturnLine{{ID: rapid.SampledFrom([]string{"0", "1", "2"}).Draw(b.rt, "line"), Quantity: 1000 * rapid.Int64Range(0, 2).Draw(b.rt, "quantity")}}
	}
	b.book(r)
}

func (b *busy) reverse(*rapid.T) {
	if len(b.asked) == 0 {
		b.rt.Skip("nothing there yet")
	}
	of := b.asked[rapid.IntRange(0, len(b.asked)-1).Draw(b.rt, "of")]
	r := b.till(protocol.CallReverse)
	r.TargetKey = of.Key
	b.book(r)
}

func (b *busy) wait(*rapid.T) {
	b.later(rapid.SampledFrom([]time.Duration{time.Second, 10 * time.Minute, time.Hour, 25 * time.Hour, 32 * 24 * time.Hour}).Draw(b.rt, "wait"))
}

func (b *busy) restart(*rapid.T) {
	b.shut()
	b.open()
}

func (b *busy) check(*rapid.T) {
	a := b.account(b.id)
	bal := a.Balance()
	require.GreaterOrEqual(b.rt, bal.Available, int64(0))
	require.LessOrEqual(b.rt, bal.Deficit, int64(0))
	require.False(b.rt, bal.Available > 0 && bal.Deficit < 0, "who owes has nothing to spend: %+v", bal)
	require.GreaterOrEqual(b.rt, a.Lifetime, int64(0))
	for _, c := range a.Counts {
		require.Positive(b.rt, c.Value)
	}
	require.LessOrEqual(b.rt, b.shared(program.PromoKey("", "ONCE", false)), int64(2), "a code that gives points is used as often as its limit says")
}

// undo ends every hold and returns every sale; nothing that was counted stays.
func (b *busy) undo() {
	for _, id := range b.holds {
		r := b.till(protocol.CallVoid)
		r.Target = id
		b.ask(r)
	}
	for _, id := range b.sales {
		r := b.till(protocol.CallReturn)
		r.Target = id
		res := b.ask(r)
		require.Contains(b.rt, []protocol.Code{protocol.Approved, protocol.ReturnExceedsSale}, res.Code, res.Detail)
	}
}

func (s *shop) prove(rt require.TestingT) {
	var all []string
	_, err := s.ledger.Verify(func(f ledger.Finding) { all = append(all, f.String()) })
	require.NoError(rt, err)
	require.Empty(rt, all)
}

func (s *shop) counts(id ledger.AccountID) (list []ledger.Count) {
	s.task(id.Partition(s.ledger.Partitions()), func(tx *ledger.Tx) error {
		a, err := tx.Account(id)
		if err == nil {
			list = slices.Clone(a.Counts)
		}
		return err
	})
	return list
}

func TestNothingThatWasCountedOutlivesItsSale(t *testing.T) {
	marks := func(s *shop, c ledger.Count) bool {
		p := s.s.programs.of("").All()[0].Program
		return p.IsMark(c.Key) || p.StaysBehind(c.Key)
	}
	rapid.Check(t, func(rt *rapid.T) {
		s := openShop(t, "")
		defer func() { s.shut() }() // the last one, after restarts
		deficit := rapid.SampledFrom([]string{"allow", "forgive"}).Draw(rt, "deficit")
		require.Equal(t, protocol.Approved, s.put("", strings.Replace(everything, "{active_after: 2d}", "{active_after: 2d, deficit: "+deficit+"}", 1)).Code)
		b := &busy{shop: s, rt: rt, id: 7, card: "4000001"}
		s.enrol(8, "4000008", "")
		s.enrol(9, "4000009", "")
		s.below(b.id, b.card, []ledger.AccountID{8, 9}, ledger.LotPart{Active: 1, Points: rapid.Int64Range(1, 100000).Draw(rt, "start")})
		rt.Repeat(map[string]func(*rapid.T){
			"authorize": b.authorize, "amend": b.amend, "confirm": b.confirm, "void": b.void, "accrue": b.accrue,
			"return": b.back, "reverse": b.reverse, "wait": b.wait, "restart": b.restart, "": b.check,
		})
		into := b.mergeSome()
		b.undo()
		s.arrived(rt)
		for _, above := range []ledger.AccountID{8, 9} {
			a := s.account(above)
			bal := a.Balance()
			require.Zero(rt, bal.Available+bal.Pending+bal.Held+bal.Deficit, "rewards outlive their sales")
			require.Empty(rt, s.counts(above))
		}
		b.id = into
		a := b.account(b.id)
		require.Zero(rt, a.Lifetime)
		require.Empty(rt, a.Holds)
		if into == 7 {
			require.Zero(rt, a.Purchases)
		}
		left := slices.DeleteFunc(s.counts(b.id), func(c ledger.Count) bool { return marks(s, c) })
		require.Empty(rt, left)
		require.Empty(rt, s.usesLeft())
		s.prove(rt)
	})
}

// usesLeft are the promo codes that are counted as used.
func (s *shop) usesLeft() []string { return s.usesOf("ONCE", "OFF", "UP", "MORE") }

func (s *shop) usesOf(codes ...string) (used []string) {
	s.task(0, func(tx *ledger.Tx) error {
		for _, code := range codes {
			n, err := tx.Shared(program.PromoKey("", code, false), 0)
			if err != nil {
				return err
			}
			if n != 0 {
				used = append(used, fmt.Sprint(code, " ", n))
			}
		}
		return nil
	})
	return used
}

// below makes a member under others, with a lot.
func (s *shop) below(id ledger.AccountID, card string, above []ledger.AccountID, lot ledger.LotPart) {
	s.task(id.Partition(s.ledger.Partitions()), func(tx *ledger.Tx) error {
		op := ledger.Operation{Kind: ledger.KindEnrol, Account: id, At: tx.Now(), Registered: true, Upline: above}
		if _, err := tx.Append(&op); err != nil {
			return err
		}
		key, _ := s.s.identifierKey("", protocol.ByCard, card)
		if err := tx.PutLink(key, ledger.Link{Account: id, Kind: uint8(protocol.ByCard), State: ledger.CardActive}); err != nil {
			return err
		}
		return grant(tx, id, lot)
	})
}

// mergeSome merges the member into another, perhaps, and answers where it
// lives.
func (b *busy) mergeSome() ledger.AccountID {
	if !rapid.Bool().Draw(b.rt, "merge") {
		return b.id
	}
	for _, id := range b.holds {
		r := b.till(protocol.CallVoid)
		r.Target = id
		b.ask(r)
	}
	b.enrol(10, "4000010", "")
	merge := b.office(protocol.CallMerge, b.id.String())
	merge.Into = ledger.AccountID(10).String()
	b.approved(merge)
	b.arrived(b.rt)
	return 10
}

// arrived waits until nothing is on its way between accounts.
func (s *shop) arrived(rt require.TestingT) {
	for until := time.Now().Add(10 * time.Second); time.Now().Before(until); time.Sleep(time.Millisecond) {
		proof, err := s.ledger.Verify(func(ledger.Finding) {})
		require.NoError(rt, err)
		if proof.Transit == 0 {
			return
		}
	}
	require.Fail(s.t, "transfers are still under way")
}
