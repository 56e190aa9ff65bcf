package processor

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/protocol"
)

const granting = `
program: sport
currency: KZT
timezone: Asia/Almaty
lots: {expires_after: 1mo}
earn: {rules: [{name: base, give: {percent: 10}}]}
segments: [{name: all, when: {first_purchase: true}}]
grants:
  - {name: gift, segment: all, at: "2026-11-20T10:00:00+05:00", every: 1d, give: {points: 10}, reason: for you, lot: {expires_after: 5d}}
`

var giftMoment = time.Date(2026, 11, 20, 10, 0, 0, 0, almaty).UnixNano()

// grant asks for a moment of the gift under a key of its own.
func (s *shop) grant(member string, moment int64) *protocol.Response {
	s.t.Helper()
	r := s.till(protocol.CallAdjust)
	r.Terminal, r.Store = "", ""
	r.Caller = protocol.Caller{Key: "grants", Role: protocol.RoleAdmin}
	r.Target, r.Points, r.Reason = member, 1000, "for you"
	r.Grant = &protocol.GrantOrder{Name: "gift", Occurrence: moment, Version: 1}
	return s.ask(r)
}

func (s *shop) registered(phone string) string {
	s.t.Helper()
	r := s.till(protocol.CallCreateMember)
	r.Caller = protocol.Caller{Key: "office", Role: protocol.RoleSupport}
	r.Profile = &protocol.Profile{Phone: &phone}
	out := s.ask(r)
	require.Equal(s.t, protocol.Approved, out.Code, out.Detail)
	return out.Member.ID
}

// E14: the account remembers the moments of a grant that it has had, whatever
// keys they come under, and takes its memory along into a merge.
func TestAGrantIsGivenOnce(t *testing.T) {
	s := openShop(t, granting)
	aigul, berik := s.registered("+77010000001"), s.registered("+77010000002")
	out := s.grant(aigul, giftMoment)
	require.Equal(t, protocol.Approved, out.Code, out.Detail)
	require.Equal(t, int64(1000), out.Points)
	require.Equal(t, []protocol.LotView{{
		Points: 1000, Active: morning.Add(-12 * time.Hour).UnixNano(), Expires: time.Date(2026, 11, 26, 0, 0, 0, 0, almaty).UnixNano(),
	}}, out.EarnedLots, "five days, from the day on which it is given")

	again := s.grant(aigul, giftMoment)
	require.Equal(t, protocol.AlreadyExists, again.Code)
	require.Equal(t, protocol.Approved, s.grant(aigul, giftMoment+int64(24*time.Hour)).Code, "another moment is another gift")

	merge := s.till(protocol.CallMerge)
	merge.Caller.Role, merge.Target, merge.Into = protocol.RoleAdmin, aigul, berik
	require.Equal(t, protocol.Approved, s.ask(merge).Code)
	id, err := ledger.ParseAccountID(berik)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		a, err := s.ledger.Account(id)
		return err == nil && a.Balance().Available == 2000
	}, 10*time.Second, time.Millisecond, "Aigul's points arrive")
	require.Equal(t, protocol.AlreadyExists, s.grant(berik, giftMoment).Code, "one member, by either account")
	require.Equal(t, protocol.AlreadyExists, s.grant(aigul, giftMoment).Code)

	s.clock.Add(int64(protocol.GrantLasts + time.Hour))
	require.Equal(t, protocol.OutsideTimeWindow, s.grant(berik, giftMoment+int64(48*time.Hour)-int64(72*time.Hour)).Code)
}

// A grant is an adjustment: by the books, in the history, under the limit of
// none, and its memory ends by itself.
func TestAGrantInTheBooks(t *testing.T) {
	s := openShop(t, granting)
	aigul := s.registered("+77010000001")
	require.Equal(t, protocol.Approved, s.grant(aigul, giftMoment).Code)
	r := s.till(protocol.CallOperations)
	r.Caller.Role, r.Target = protocol.RoleAdmin, aigul
	history := s.ask(r).Operations
	require.Equal(t, "adjust", history[0].Kind)
	require.Equal(t, "for you", history[0].Reason)
	require.Equal(t, int64(1000), history[0].Points)

	id, err := ledger.ParseAccountID(aigul)
	require.NoError(t, err)
	a, err := s.ledger.Account(id)
	require.NoError(t, err)
	require.Len(t, a.Counts, 1)
	require.Equal(t, int32(giftMoment/int64(24*time.Hour))+62, a.Counts[0].Until, "sixty days, and two for every zone")

	unknown := s.till(protocol.CallAdjust)
	unknown.Caller.Role, unknown.Target, unknown.Points, unknown.Reason = protocol.RoleAdmin, aigul, 1000, "x"
	unknown.Grant = &protocol.GrantOrder{Name: "other", Occurrence: giftMoment, Version: 1}
	require.Equal(t, protocol.NotFound, s.ask(unknown).Code)
}

// Which moments have been, by the versions that were in force then.
func TestGrantMoments(t *testing.T) {
	s := openShop(t, "")
	at := func(day, hour int) int64 { return time.Date(2026, 11, day, hour, 0, 0, 0, almaty).UnixNano() }
	s.publish(1, granting) // published on the 20th at 12:00
	require.Empty(t, s.s.GrantMoments("", "gift", 0, at(21, 9), 10), "the first moment was past at the publication")
	require.Equal(t, []int64{at(22, 10), at(21, 10)}, s.s.GrantMoments("", "gift", 0, at(22, 10), 10), "the newest first")
	require.Equal(t, []int64{at(22, 10)}, s.s.GrantMoments("", "gift", at(21, 10), at(22, 10), 10))
	require.Equal(t, []int64{at(25, 10), at(24, 10)}, s.s.GrantMoments("", "gift", 0, at(25, 12), 2))
	require.Empty(t, s.s.GrantMoments("", "other", 0, at(25, 12), 2))
	require.Empty(t, s.s.GrantMoments("nobody", "gift", 0, at(25, 12), 2))

	// Dropped for a day, and back: the day between has none.
	s.clock.Store(at(23, 9))
	s.publish(2, "program: sport\ncurrency: KZT\ntimezone: Asia/Almaty\n")
	require.Empty(t, s.s.GrantMoments("", "gift", 0, at(23, 11), 10))
	s.clock.Store(at(24, 9))
	s.publish(3, granting)
	require.Equal(t, []int64{at(24, 10), at(22, 10), at(21, 10)}, s.s.GrantMoments("", "gift", 0, at(24, 10), 10))
}

// What is asked of the directories: stores of a group or a partner, articles of
// a brand or with a tag.
func TestSegmentsLookAtTheDirectories(t *testing.T) {
	s := openShop(t, "")
	office := func(r protocol.Request) protocol.Request {
		r.Caller = protocol.Caller{Key: "office", Role: protocol.RoleAdmin}
		return r
	}
	require.Equal(t, protocol.Approved, s.ask(office(protocol.Request{Call: protocol.CallPutStores, Stores: []protocol.StoreEntry{
		{ID: "S2", Group: "north", Partner: "acme"}, {ID: "S1", Group: "north"}, {ID: "S3", Group: "south", Partner: "acme"},
	}})).Code)
	var products []protocol.ProductEntry
	for i, brand := range []string{"nike", "nike", "puma"} {
		products = append(products, protocol.ProductEntry{SKU: "A" + strconv.Itoa(i), Brand: brand, Tags: []string{"t" + strconv.Itoa(i)}})
	}
	require.Equal(t, protocol.Approved, s.ask(office(protocol.Request{Call: protocol.CallPutProducts, Products: products})).Code)
	s.publish(1, `
program: sport
currency: KZT
timezone: Asia/Almaty
segments:
  - {name: places, when: {spent: {within: 30d, from: 1, at: {store_group: [north]}}}}
  - {name: partners, when: {spent: {within: 30d, from: 1, at: {partner: [acme]}}}}
  - {name: goods, when: {bought: {goods: {brand: [nike], tag: [t1, t2], category: [shoes]}, within: 30d}, last_purchase_before: 7d}}
`)
	look := func(name string) protocol.SegmentQuery {
		q, belongs, ok := s.s.Segment("", name, morning.UnixNano())
		require.True(t, ok)
		require.NotNil(t, belongs)
		return q
	}
	today := int32(20777) // 2026-11-20
	require.Equal(t, []string{"S1", "S2"}, look("places").Looks[0].Stores)
	require.Equal(t, today-30, look("places").Looks[0].From)
	require.Equal(t, []string{"S2", "S3"}, look("partners").Looks[0].Stores)
	q := look("goods")
	require.Equal(t, [][]string{{"A0", "A1"}, {"A1", "A2"}}, q.Looks[0].Goods.Among, "each list must have the article")
	require.Equal(t, []string{"shoes"}, q.Looks[0].Goods.Category)
	require.True(t, q.Bought)
	require.Equal(t, time.Date(2026, 11, 15, 0, 0, 0, 0, almaty).UnixNano(), q.BoughtBefore, "seven days, and two to be safe")
	_, _, ok := s.s.Segment("", "other", morning.UnixNano())
	require.False(t, ok)
	_, _, ok = s.s.Segment("nobody", "goods", morning.UnixNano())
	require.False(t, ok)
}
