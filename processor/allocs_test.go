package processor

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/protocol"
)

// pairs asks a switch for authorizations and voids each at once, some in
// flight, with requests that are reused as an edge reuses them.
type pairs struct {
	s    *shop
	free chan *pair
	keys []string // made beforehand: they are the client's
	n    int
}

type pair struct {
	p    *pairs
	x    protocol.Exchange
	hold []byte
}

const pairMembers, pairsInFlight = 1000, 256

// newPairs is ready for so many requests.
func newPairs(t testing.TB, requests int) *pairs {
	p := &pairs{s: openShop(t, small), free: make(chan *pair, pairsInFlight)}
	for i := range pairMembers {
		p.s.enrol(ledger.AccountID(i+1), card(i), "", ledger.LotPart{Active: 1, Points: 1 << 40})
	}
	for i := range requests {
		p.keys = append(p.keys, "key-"+strconv.Itoa(i))
	}
	for i := range pairsInFlight {
		one := &pair{p: p}
		one.x.Request = p.s.sale(protocol.CallAuthorize, byCard(card(i)), 130_000, 650)
		one.x.Done = func(x *protocol.Exchange) {
			if !x.Response.Code.OK() {
				t.Errorf("%s: %s: %s", x.Request.Call, x.Response.Code, x.Response.Detail)
			}
			one.hold = append(one.hold[:0], x.Response.ID...)
			p.free <- one
		}
		p.free <- one
	}
	return p
}

// run sends so many requests and waits for all answers.
func (p *pairs) run(requests int) {
	for range requests {
		one := <-p.free
		r := &one.x.Request
		r.Key, r.Hash = p.keys[p.n], [16]byte{byte(p.n), byte(p.n >> 8), byte(p.n >> 16)}
		p.n++
		if r.Call == protocol.CallAuthorize && len(one.hold) > 0 {
			r.Call, r.Target = protocol.CallVoid, string(one.hold) // one allocation of the test's own
		} else {
			r.Call, r.Target = protocol.CallAuthorize, ""
		}
		one.x.Response.Reset()
		p.s.s.Submit(&one.x)
	}
	var all [pairsInFlight]*pair
	for i := range all {
		all[i] = <-p.free
	}
	for _, one := range all {
		p.free <- one
	}
}

// allocsEach bounds what a request allocates on average from Submit to Done,
// half of them holds and half releases: the ids and the slip of the answer as
// text, and what a void reads of its hold. Claims, rules and the ledger's own
// part allocate nothing.
const allocsEach = 7

func TestARequestAllocatesLittle(t *testing.T) {
	if underRace {
		t.Skip("the race detector makes pools forget, so allocations tell nothing")
	}
	const warm, each, runs = 20_000, 2000, 10
	p := newPairs(t, warm+each*(runs+1))
	p.run(warm) // buffers have grown, accounts are in memory
	perRequest := testing.AllocsPerRun(runs, func() { p.run(each) }) / each
	t.Logf("%.2f allocations a request", perRequest)
	require.LessOrEqual(t, perRequest, float64(allocsEach))
}

// BenchmarkPair is a hold and its release over a ledger in memory, many in
// flight: a request costs half of it.
func BenchmarkPair(b *testing.B) {
	p := newPairs(b, 10_000+2*b.N)
	p.run(10_000)
	b.ReportAllocs()
	b.ResetTimer()
	p.run(2 * b.N)
	b.StopTimer()
}
