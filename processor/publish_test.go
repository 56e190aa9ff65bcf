package processor

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/protocol"
)

// percent is a programme that earns a share, and half of a receipt may be paid
// with points.
func percent(rate int, more string) string {
	return fmt.Sprintf(`
program: p%d
currency: KZT
timezone: Asia/Almaty
%s
earn: {rules: [{name: base, give: {percent: %d}}]}
redeem: {with: [card], cap: 50}
`, rate, more, rate)
}

// marketing is a request of the marketing office of a merchant.
func (s *shop) marketing(call protocol.Call, merchant string) protocol.Request {
	r := s.till(call)
	r.Terminal, r.Store, r.Cashier, r.Channel = "", "", "", ""
	r.Caller = protocol.Caller{Key: "office", Merchant: merchant, Role: protocol.RoleMarketing}
	return r
}

// put publishes a document over the wire.
func (s *shop) put(merchant, doc string) *protocol.Response {
	s.t.Helper()
	r := s.marketing(protocol.CallPutProgram, merchant)
	r.Document = []byte(doc)
	return s.ask(r)
}

// restore publishes an older version again under a key.
func (s *shop) restore(number, key, match string) *protocol.Response {
	s.t.Helper()
	r := s.marketing(protocol.CallRestoreProgram, "")
	r.Target, r.Key, r.IfMatch = number, key, match
	r.Hash = [16]byte{9, byte(len(number)), number[0]}
	return s.ask(r)
}

// versions are what a merchant has published, as the wire tells it.
func (s *shop) versions(merchant string) []protocol.ProgramVersion {
	s.t.Helper()
	return s.ask(s.marketing(protocol.CallProgramVersions, merchant)).Versions
}

// TestVersionsTellTheirStory: number, name, dates, by whom, what, and which
// one is in force.
func TestVersionsTellTheirStory(t *testing.T) {
	s := openShop(t, "")
	require.Equal(t, protocol.NotFound, s.ask(s.marketing(protocol.CallGetProgram, "")).Code)
	require.Empty(t, s.versions(""))

	one := percent(10, "")
	first := s.put("", one)
	require.Equal(t, protocol.Approved, first.Code, first.Detail)
	require.Equal(t, uint32(1), first.ProgramVersion)
	s.later(time.Hour)
	later := s.put("", percent(12, "effective_from: 2026-12-01T00:00:00+05:00"))
	require.Equal(t, protocol.Approved, later.Code)
	s.later(time.Hour)
	again := s.put("", percent(12, "effective_from: 2026-12-01T00:00:00+05:00"))
	require.Equal(t, later.ETag, again.ETag, "the same document again changes nothing")

	december := time.Date(2026, 12, 1, 0, 0, 0, 0, almaty).UnixNano()
	want := []protocol.ProgramVersion{
		{Version: 1, Name: "p10", Published: morning.UnixNano(), EffectiveFrom: morning.UnixNano(), Hash: programHash([]byte(one)), Actor: "office", InForce: true},
		{Version: 2, Name: "p12", Published: morning.Add(time.Hour).UnixNano(), EffectiveFrom: december, Actor: "office"},
	}
	want[1].Hash = later.Versions[0].Hash
	require.Equal(t, want, s.versions(""))
	s.clock.Store(december)
	want[0].InForce, want[1].InForce = false, true
	require.Equal(t, want, s.versions(""))

	// The newest document is what a change begins from; any other by its number.
	r := s.marketing(protocol.CallGetProgram, "")
	require.Equal(t, percent(12, "effective_from: 2026-12-01T00:00:00+05:00"), string(s.ask(r).Document))
	r.Version = 1
	res := s.ask(r)
	require.Equal(t, one, string(res.Document), "byte for byte")
	require.Equal(t, first.ETag, res.ETag)
	r.Version = 3
	res = s.ask(r)
	require.Equal(t, protocol.NotFound, res.Code)
	require.Equal(t, "version", res.Field)
}

// TestVersionInForceAtTheMoment: a receipt is judged by the highest version
// whose date is not after its own; before the first, the first.
func TestVersionInForceAtTheMoment(t *testing.T) {
	s := openShop(t, "")
	s.enrol(1000, "4000001", "")
	require.Equal(t, protocol.Approved, s.put("", percent(10, "effective_from: 2026-11-20T11:00:00+05:00")).Code)
	require.Equal(t, protocol.Approved, s.put("", percent(12, "effective_from: 2026-11-21T00:00:00+05:00")).Code)
	require.Equal(t, protocol.Approved, s.put("", percent(15, "effective_from: 2026-11-20T18:00:00+05:00")).Code)
	at := func(moment string) *protocol.Response {
		r := s.sale(protocol.CallQuote, byCard("4000001"), 10_000, 0)
		r.At = protocol.Time{Unix: (&day{shop: s}).date(moment), Offset: 5 * 3600, Set: true}
		return s.ask(r)
	}
	for _, c := range []struct {
		at      string
		version uint32
		earned  int64
	}{
		{"2026-11-19T10:00", 1, 1000}, // before the first
		{"2026-11-20T11:00", 1, 1000},
		{"2026-11-20T17:59", 1, 1000},
		{"2026-11-20T18:00", 3, 1500}, // its first moment
		{"2026-11-21T00:00", 3, 1500}, // 3 is higher than 2, which never comes into force
		{"2027-01-01T00:00", 3, 1500},
	} {
		res := at(c.at)
		require.Equal(t, c.version, res.ProgramVersion, c.at)
		require.Equal(t, c.earned, res.Earned, c.at)
	}

	// What is booked goes by its own time too: an offline receipt of yesterday.
	s.clock.Store(morning.Add(24 * time.Hour).UnixNano())
	r := s.sale(protocol.CallAccrue, byCard("4000001"), 10_000, 0)
	r.Offline, r.At = true, protocol.Time{Unix: morning.Add(time.Hour).UnixNano(), Offset: 5 * 3600, Set: true}
	res := s.ask(r)
	require.Equal(t, protocol.Approved, res.Code, res.Detail)
	require.Equal(t, uint32(1), res.ProgramVersion)
	require.Equal(t, int64(1000), res.Earned)
}

// TestRestore: an older document becomes a new version, in force at once, and
// a repeat of the request gets the same bytes.
func TestRestore(t *testing.T) {
	s := openShop(t, "")
	s.enrol(1000, "4000001", "")
	require.Equal(t, protocol.NotFound, s.restore("1", "early", "").Code)
	s.put("", percent(10, "effective_from: 2026-01-01T00:00:00+05:00"))
	s.later(time.Hour)
	second := s.put("", percent(12, ""))
	s.later(time.Hour)

	require.Equal(t, protocol.PreconditionFailed, s.restore("1", "k1", `"1-abc"`).Code)
	require.Equal(t, protocol.InvalidRequest, s.restore("x", "k1", "").Code)
	require.Equal(t, protocol.InvalidRequest, s.restore("01", "k1", "").Code)
	res := s.restore("1", "k1", second.ETag)
	require.Equal(t, protocol.Approved, res.Code, res.Detail)
	now := s.clock.Load()
	v := res.Versions[0]
	require.Equal(t, protocol.ProgramVersion{Version: 3, Name: "p10", EffectiveFrom: now, Published: now, Hash: v.Hash, Actor: "office", InForce: true}, v)
	require.Equal(t, s.versions("")[0].Hash, v.Hash)
	said := wire(res)
	quote := func() *protocol.Response { return s.ask(s.sale(protocol.CallQuote, byCard("4000001"), 10_000, 0)) }
	require.Equal(t, uint32(3), quote().ProgramVersion)

	// The document begins in January, its restoration now: what was sold
	// between goes by what was in force then.
	r := s.sale(protocol.CallQuote, byCard("4000001"), 10_000, 0)
	r.At = protocol.Time{Unix: now - int64(30*time.Minute), Offset: 5 * 3600, Set: true}
	require.Equal(t, int64(1200), s.ask(r).Earned)

	// A repeat says the same, also when another version has come meanwhile;
	// another request under the key is refused; the decline is
	// remembered too.
	s.later(time.Hour)
	s.put("", percent(15, ""))
	repeat := s.restore("1", "k1", second.ETag)
	require.True(t, repeat.Replayed)
	require.Equal(t, said, wire(repeat))
	require.Equal(t, protocol.IdempotencyConflict, s.restore("2", "k1", "").Code)
	require.Len(t, s.versions(""), 4)
	early := s.restore("1", "early", "")
	require.Equal(t, protocol.NotFound, early.Code, "declined then, declined for good")
	require.True(t, early.Replayed)

	// The newest document, in force: nothing new comes of it.
	res = s.restore("4", "k2", "")
	require.Equal(t, uint32(4), res.Versions[0].Version)
	require.True(t, s.restore("4", "k2", "").Replayed)
	require.Len(t, s.versions(""), 4)
}

// TestRestoreBeforeItsTime: a version that waits for its date can be brought
// in force now.
func TestRestoreBeforeItsTime(t *testing.T) {
	s := openShop(t, "")
	s.put("", percent(10, ""))
	s.put("", percent(12, "effective_from: 2027-01-01T00:00:00+05:00"))
	res := s.restore("2", "k", "")
	require.Equal(t, uint32(3), res.Versions[0].Version)
	require.True(t, res.Versions[0].InForce)
	list := s.versions("")
	require.Equal(t, []bool{false, false, true}, []bool{list[0].InForce, list[1].InForce, list[2].InForce})
}

// TestRestoreIsRecordedOnceInEveryPartition, the request in one of them.
func TestRestoreIsRecordedOnceInEveryPartition(t *testing.T) {
	s := openShop(t, "")
	s.put("", percent(10, ""))
	s.put("", percent(12, ""))
	s.restore("1", "k", "")
	keyed := 0
	for p := range s.ledger.Partitions() {
		var seen []uint32
		require.NoError(t, s.ledger.Journal(p, 0, func(_ ledger.OpID, record []byte) bool {
			var op ledger.Operation
			require.NoError(t, ledger.DecodeOperation(record, &op))
			if op.Kind == ledger.KindProgram {
				seen = append(seen, op.Program)
				keyed += len(op.Dups)
			}
			return true
		}))
		require.Equal(t, []uint32{1, 2, 3}, seen)
	}
	require.Equal(t, 1, keyed)
}

// TestDifferenceOfVersions: between any two, and by default of the last.
func TestDifferenceOfVersions(t *testing.T) {
	s := openShop(t, "")
	r := s.marketing(protocol.CallProgramDiff, "")
	require.Equal(t, protocol.NotFound, s.ask(r).Code)
	for _, rate := range []int{10, 12, 15} {
		s.put("", percent(rate, ""))
	}
	res := s.ask(r)
	require.Equal(t, `{"from":2,"to":3,"differences":[{"path":"program","before":"p12","after":"p15"},`+
		`{"path":"earn.rules[base].give.percent","before":12,"after":15}]}`, wire(res))
	r.Version, r.Against = 3, 1
	require.True(t, strings.HasPrefix(wire(s.ask(r)), `{"from":3,"to":1,"differences":[{"path":"program","before":"p15","after":"p10"}`))
	r.Version, r.Against = 2, 2
	require.Equal(t, `{"from":2,"to":2,"differences":[]}`, wire(s.ask(r)))
	r.Version, r.Against = 1, 9
	res = s.ask(r)
	require.Equal(t, protocol.NotFound, res.Code)
	require.Equal(t, "to", res.Field)
}

// TestEachMerchantItsProgramme: keys of two merchants meet their own members,
// versions and rules.
func TestEachMerchantItsProgramme(t *testing.T) {
	s := openShop(t, "")
	s.put("north", percent(10, ""))
	s.put("south", percent(5, ""))
	s.put("south", percent(7, ""))
	require.Len(t, s.versions("north"), 1)
	require.Len(t, s.versions("south"), 2)
	require.Empty(t, s.versions(""))
	sale := func(merchant string) *protocol.Response {
		r := s.sale(protocol.CallAccrue, byPhone("+77010000001"), 10_000, 0)
		r.Caller.Merchant = merchant
		return s.ask(r)
	}
	north, south := sale("north"), sale("south")
	require.Equal(t, []int64{1000, 700}, []int64{north.Earned, south.Earned})
	require.Equal(t, []uint32{1, 2}, []uint32{north.ProgramVersion, south.ProgramVersion})
	require.NotEqual(t, north.Member.ID, south.Member.ID, "a phone number is a member of each")
	require.Equal(t, protocol.Unavailable, sale("").Code, "a merchant without a programme sells nothing")
	r := s.marketing(protocol.CallRestoreProgram, "north")
	r.Target = "2"
	require.Equal(t, protocol.NotFound, s.ask(r).Code, "south's versions are not north's to restore")
}

// TestRestoreOutlivesARestart: the version that was gone back to is in force
// from its restoration, not from its document's date, and the request is still
// known.
func TestRestoreOutlivesARestart(t *testing.T) {
	s := openShop(t, "")
	s.put("", percent(10, "effective_from: 2027-06-01T00:00:00+05:00"))
	s.put("", percent(12, "effective_from: 2026-01-01T00:00:00+05:00"))
	s.later(time.Hour)
	said := wire(s.restore("1", "k", ""))
	restored := s.clock.Load()
	s.later(time.Hour)
	s.again()
	again := s.restore("1", "k", "")
	require.True(t, again.Replayed)
	require.Equal(t, said, wire(again))
	list := s.versions("")
	require.Equal(t, []int64{restored, restored}, []int64{list[2].Published, list[2].EffectiveFrom})
	require.True(t, list[2].InForce)
	s.enrol(1000, "4000001", "")
	r := s.sale(protocol.CallQuote, byCard("4000001"), 10_000, 0)
	require.Equal(t, uint32(3), s.ask(r).ProgramVersion)
	r.At = protocol.Time{Unix: restored - 1, Offset: 5 * 3600, Set: true}
	require.Equal(t, uint32(2), s.ask(r).ProgramVersion)
}

// TestARestoreThatWasCutShortIsTakenUp: its version is stored, its records are
// not; the request comes again and makes no second version.
func TestARestoreThatWasCutShortIsTakenUp(t *testing.T) {
	s := openShop(t, "")
	s.put("", percent(10, ""))
	s.put("", percent(12, ""))
	now := s.clock.Load()
	require.NoError(t, s.ledger.PutProgram(ledger.Program{Version: 3, Published: now, From: now, Actor: "office", Doc: []byte(percent(10, ""))}))
	res := s.restore("1", "k", "")
	require.Equal(t, protocol.Approved, res.Code, res.Detail)
	require.Equal(t, uint32(3), res.Versions[0].Version)
	require.Len(t, s.versions(""), 3)
	require.True(t, s.restore("1", "k", "").Replayed)
}

// TestManyGoBackAtOnce: offices that restore the same version at one moment
// make one new version between them.
func TestManyGoBackAtOnce(t *testing.T) {
	s := openShop(t, "")
	s.put("", percent(10, ""))
	s.put("", percent(12, ""))
	var requests []protocol.Request
	for range 8 {
		r := s.marketing(protocol.CallRestoreProgram, "")
		r.Target = "1"
		requests = append(requests, r)
	}
	answers := make(chan protocol.ProgramVersion, len(requests))
	for _, r := range requests {
		go func() { answers <- s.ask(r).Versions[0] }()
	}
	for range requests {
		v := <-answers
		require.Equal(t, uint32(3), v.Version)
		require.True(t, v.InForce)
	}
	require.Len(t, s.versions(""), 3)
}
