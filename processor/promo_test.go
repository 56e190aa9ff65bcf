package processor

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/processor/program"
	"tillgate/protocol"
)

// coded is a programme with a limited code and a series of coupons.
const coded = `
program: coded
currency: KZT
timezone: Asia/Almaty
earn: {rules: [{name: base, give: {percent: 10}}]}
promo_codes:
  - {code: SUMMER, give: {points: 100}, limit: 10}
  - {code: ONCE, give: {points: 1}, per_member: 1}
  - {serial: march, give: {discount: {percent: 10}}}
discounts: {rules: [{name: sixth, goods: {category: [coffee]}, give: {every: 6, percent: 100, across_receipts: true}}]}
`

// openCoded opens a shop with the programme, on a disk that can crash, and
// enrols a number of members, who live in all of its partitions.
func openCoded(t *testing.T, members int) *shop {
	s := &shop{t: t, fs: vfs.NewCrashableMem()}
	s.clock.Store(morning.UnixNano())
	s.open()
	s.publish(1, coded)
	for i := range members {
		s.enrol(ledger.AccountID(1000+i), fmt.Sprint(4000000+i), "")
	}
	return s
}

// crashed opens what is on the disk of a shop whose process is gone; of what
// was not synced a part may be there.
func (s *shop) crashed(percent int) *shop {
	clone := s.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(uint64(percent), 7))})
	next := &shop{t: s.t, fs: clone, keys: s.keys + 1_000_000}
	next.clock.Store(s.clock.Load())
	next.open()
	next.publish(1, coded)
	return next
}

// all asks many requests at once.
func (s *shop) all(list []protocol.Request) []protocol.Response {
	out := make([]protocol.Response, len(list))
	var wg sync.WaitGroup
	for i := range list {
		wg.Add(1)
		go func() {
			defer wg.Done()
			out[i] = *s.ask(list[i])
		}()
	}
	wg.Wait()
	return out
}

// used is how many of the answers say that their first code was used.
func used(t *testing.T, list []protocol.Response) (n int) {
	for i := range list {
		require.True(t, list[i].Code.OK(), list[i].Detail)
		require.Len(t, list[i].Promo, 1)
		if list[i].Promo[0].Refused == "" {
			n++
			continue
		}
		require.Equal(t, "used_up", list[i].Promo[0].Refused)
		require.Contains(t, list[i].Warnings, "a promo code was not used: it has been used up")
	}
	return n
}

// shared is what a counter of all partitions stands at.
func (s *shop) shared(key uint64) (total int64) {
	s.task(0, func(tx *ledger.Tx) (err error) {
		total, err = tx.Shared(key, 0)
		return err
	})
	return total
}

func (s *shop) sound() {
	s.t.Helper()
	_, err := s.ledger.Verify(func(f ledger.Finding) { s.t.Errorf("%+v", f) })
	require.NoError(s.t, err)
}

// with is a sale of a member with a promo code.
func (s *shop) with(call protocol.Call, member int, code string) protocol.Request {
	r := s.sale(call, byCard(fmt.Sprint(4000000+member)), 10000, 0)
	r.PromoCodes = []string{code}
	return r
}

// TestPromoLimitIsExact: a hundred members in all partitions use a code at
// once, of which ten uses are there. Ten have it; what comes back is used
// again; and after a crash and a restart nothing more is there.
func TestPromoLimitIsExact(t *testing.T) {
	s := openCoded(t, 100)
	key := program.PromoKey("", "SUMMER", false)
	var list []protocol.Request
	for i := range 100 {
		list = append(list, s.with(protocol.CallAccrue, i, "SUMMER"))
	}
	first := s.all(list)
	require.Equal(t, 10, used(t, first))
	require.EqualValues(t, 10, s.shared(key))
	again := s.all(list) // repeats use nothing
	for i := range again {
		require.True(t, again[i].Replayed)
		require.Equal(t, wire(&first[i]), wire(&again[i]))
	}
	require.EqualValues(t, 10, s.shared(key))

	s = s.crashed(50)
	require.EqualValues(t, 10, s.shared(key), "what was answered is on disk")
	list = list[:0]
	back := 0
	for i := range first {
		if first[i].Promo[0].Refused == "" && back < 3 {
			back++
			r := s.till(protocol.CallReturn)
			r.Target = first[i].ID
			require.True(t, s.ask(r).Code.OK())
		}
		list = append(list, s.with(protocol.CallAccrue, i, "summer"))
	}
	require.Equal(t, 3, used(t, s.all(list)))
	s = s.crashed(0)
	require.EqualValues(t, 10, s.shared(key))
	require.Equal(t, 0, used(t, s.all([]protocol.Request{s.with(protocol.CallAccrue, 50, "SUMMER")})))
	s.sound()
}

// TestPromoLimitHolds: holds reserve uses; those that are given up and those
// that expire give theirs back; confirms and amendments need no second one.
func TestPromoLimitHolds(t *testing.T) {
	s := openCoded(t, 100)
	key := program.PromoKey("", "SUMMER", false)
	var list []protocol.Request
	for i := range 100 {
		list = append(list, s.with(protocol.CallAuthorize, i, "SUMMER"))
	}
	holds := s.all(list)
	require.Equal(t, 10, used(t, holds))
	var next []protocol.Request
	n := 0
	for i := range holds {
		if holds[i].Promo[0].Refused != "" {
			continue
		}
		call := []protocol.Call{protocol.CallConfirm, protocol.CallVoid, protocol.CallAmend, protocol.CallAmend}[n%4]
		n++
		r := s.till(call)
		r.Target = holds[i].ID
		if call == protocol.CallAmend {
			r.Total, r.HasBasket = 5000, true
		}
		next = append(next, r)
	}
	// Confirmed: 3 (0, 4, 8), given up: 3 (1, 5, 9), amended and open: 4.
	for _, res := range s.all(next) {
		require.True(t, res.Code.OK(), res.Detail)
	}
	require.EqualValues(t, 7, s.shared(key))
	s = s.crashed(100)
	require.EqualValues(t, 7, s.shared(key))
	s.later(16 * time.Minute)
	require.NoError(t, s.ledger.Sweep())
	require.EqualValues(t, 3, s.shared(key), "the four that were open have expired")
	list = list[:0]
	for i := range 100 {
		list = append(list, s.with(protocol.CallRedeem, i, "SUMMER"))
		list[i].Redeem.Mode = protocol.RedeemMax
		list[i].Member = byCard(fmt.Sprint(4000000 + i))
	}
	require.Equal(t, 7, used(t, s.all(list)))
	require.EqualValues(t, 10, s.shared(key))
	s.sound()
}

// TestCouponWorksOnce: of a hundred members with one coupon one has it, and
// one member with a hundred requests uses a code of one per member once.
func TestCouponWorksOnce(t *testing.T) {
	s := openCoded(t, 100)
	make100 := s.office(protocol.CallCoupons, "")
	make100.Series, make100.Count = "march", 100
	made := s.ask(make100)
	require.Equal(t, protocol.Approved, made.Code, made.Detail)
	require.Len(t, made.Numbers, 100)
	var list []protocol.Request
	for i := range 100 {
		list = append(list, s.with(protocol.CallAccrue, i, made.Numbers[42]))
	}
	require.Equal(t, 1, used(t, s.all(list)))
	list = list[:0]
	for i := range 100 {
		list = append(list, s.with(protocol.CallAccrue, i, made.Numbers[i]))
	}
	require.Equal(t, 99, used(t, s.all(list)))

	list = list[:0]
	for range 90 { // a member has up to a hundred holds
		list = append(list, s.with(protocol.CallAuthorize, 7, "ONCE"))
	}
	once := 0
	for _, res := range s.all(list) {
		require.True(t, res.Code.OK(), res.Detail)
		if res.Promo[0].Refused == "" {
			once++
			continue
		}
		require.Equal(t, "used_by_member", res.Promo[0].Refused)
	}
	require.Equal(t, 1, once)
	a := s.account(1007)
	require.Len(t, a.Counts, 1, "the code's; a coupon's use takes no room in the account")
	s.sound()
}

// TestCouponCodes: batches never share a coupon, a repeat gets the same codes,
// and a code that is off by one letter is unknown.
func TestCouponCodes(t *testing.T) {
	s := openCoded(t, 1)
	var list []protocol.Request
	for range 20 {
		r := s.office(protocol.CallCoupons, "")
		r.Series, r.Count = "march", 500
		list = append(list, r)
	}
	seen := map[string]bool{}
	for _, res := range s.all(list) {
		require.Equal(t, 201, res.HTTPStatus(), res.Detail)
		require.Equal(t, "march", res.Series)
		for _, code := range res.Numbers {
			require.False(t, seen[code], "no two batches have one code")
			require.Regexp(t, `^([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}$`, code)
			seen[code] = true
		}
	}
	require.Len(t, seen, 10_000)
	before, again := s.ask(list[3]), s.ask(list[3])
	require.True(t, again.Replayed)
	require.Equal(t, wire(before), wire(again))

	code := before.Numbers[0]
	for at := range len(code) {
		if code[at] == '-' {
			continue
		}
		letters := []byte(code)
		letters[at] = referralAlphabet[(strings.IndexByte(referralAlphabet, letters[at])+1)%32]
		quote := s.ask(s.with(protocol.CallQuote, 0, string(letters)))
		require.Equal(t, "unknown", quote.Promo[0].Refused, "%s, letter %d", letters, at)
	}
	typed := strings.ToLower(code[:4] + " " + code[5:9] + code[10:])
	require.Empty(t, s.ask(s.with(protocol.CallQuote, 0, typed)).Promo[0].Refused)

	none := s.office(protocol.CallCoupons, "")
	none.Series, none.Count = "april", 1
	require.Equal(t, protocol.NotFound, s.ask(none).Code)
	s.sound()
}

// TestSixthIsOneOfManyHolds: of thirty holds of a coffee each at once five are
// free.
func TestSixthIsOneOfManyHolds(t *testing.T) {
	s := openCoded(t, 1)
	var list []protocol.Request
	for range 30 {
		r := s.sale(protocol.CallAuthorize, byCard("4000000"), 10000, 0)
		r.Lines = []protocol.Line{{ID: "1", Category: "coffee", Quantity: 1000, Price: 10000, Amount: 10000}}
		list = append(list, r)
	}
	free := 0
	for _, res := range s.all(list) {
		require.True(t, res.Code.OK(), res.Detail)
		if res.Payable == 0 {
			free++
		}
	}
	require.Equal(t, 5, free)
	s.sound()
}

// TestExplainedHoldIsRepeatedAlike: the explanation of a hold comes from its
// record.
func TestExplainedHoldIsRepeatedAlike(t *testing.T) {
	s := openCoded(t, 1)
	r := s.sale(protocol.CallAuthorize, byCard("4000000"), 30000, 0)
	r.Explain, r.PromoCodes = true, []string{"SUMMER", "NONE", "once"}
	r.Lines = []protocol.Line{
		{ID: "a", Category: "coffee", Quantity: 2000, Price: 10000, Amount: 20000},
		{ID: "b", Category: "cake", Quantity: 1000, Price: 10000, Amount: 10000},
	}
	first := s.ask(r)
	require.Equal(t, []protocol.RuleResult{
		{Rule: "base", Points: 3000, Lines: []protocol.RuleLine{{ID: "a", Line: 1, Points: 2000}, {ID: "b", Line: 2, Points: 1000}}},
		{Rule: "SUMMER", Points: 10000}, {Rule: "ONCE", Points: 100},
	}, first.Rules)
	require.Equal(t, []protocol.Skipped{{Rule: "sixth", Because: "other rules give more on its lines, or nothing is left to give"}}, first.Skipped)
	require.Equal(t, []protocol.Hint{{Rule: "sixth", Quantity: 4000, Gives: "one is free"}}, first.Hints)
	require.Equal(t, []protocol.PromoResult{
		{Code: "SUMMER", Points: 10000}, {Code: "NONE", Refused: "unknown"}, {Code: "once", Points: 100},
	}, first.Promo)
	again := s.ask(r)
	require.True(t, again.Replayed)
	require.Equal(t, wire(first), wire(again))
}

// FuzzRemarks: what can't have been written is refused, what was is read again.
func FuzzRemarks(f *testing.F) {
	f.Add(appendRemarks(nil, &remarks{}))
	f.Add(appendRemarks(nil, &remarks{
		promos: []promoRemark{{name: "SUMMER", points: 100}, {name: "march", series: true, coupon: 7, discount: 5, tier: "Gold", refused: "used_up"}},
		units:  []int64{0, 2000}, explain: true,
		shares:  []protocol.RuleLine{{Line: 1, Points: 5}, {Line: 2, Points: -5}},
		lines:   []int{2, 0},
		skipped: []protocol.Skipped{{Rule: "a", Because: "b"}},
	}))
	f.Fuzz(func(t *testing.T, data []byte) {
		var r, again remarks
		if decodeRemarks(data, &r) != nil {
			return
		}
		require.NoError(t, decodeRemarks(appendRemarks(nil, &r), &again))
		require.Equal(t, appendRemarks(nil, &r), appendRemarks(nil, &again))
	})
}
