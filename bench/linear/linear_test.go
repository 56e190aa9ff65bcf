package linear

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"tillgate/bench/rig"
	"tillgate/gateway"
	"tillgate/ledger"
	"tillgate/processor"
)

const programme = `
program: plain
currency: KZT
timezone: Asia/Almaty
earn: {rules: [{name: base, give: {percent: 10}}]}
redeem: {with: [code, card], cap: 50}
`

const (
	members = 3
	clients = 4 // of each member, half of them on either edge
	asks    = 10
	begin   = 3000 // points of a member
)

// serve opens the whole path in this process: ledger on disk, switch, both edges.
func serve(t *testing.T) (base, iso string) {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	l, err := ledger.Open(t.TempDir(), ledger.Options{Partitions: 4, Shards: 2, MinFreeDisk: -1, CacheBytes: 1 << 20, Logger: quiet})
	require.NoError(t, err)
	sw, err := processor.New(l, processor.Options{Logger: quiet})
	require.NoError(t, err)
	o := gateway.DefaultOptions()
	o.HTTP.Listen, o.ISO.Listen = "127.0.0.1:0", "127.0.0.1:0"
	g, err := gateway.New(o, gateway.Parts{Switch: sw, Logger: quiet, Zone: sw.Zone})
	require.NoError(t, err)
	require.NoError(t, g.Listen())
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-ended)
		require.NoError(t, sw.Close(context.Background()))
		var found []ledger.Finding
		_, err := l.Verify(func(f ledger.Finding) { found = append(found, f) })
		require.NoError(t, err)
		require.Empty(t, found)
		require.NoError(t, l.Close())
	})
	return "http://" + g.HTTPAddr(), g.ISOAddrs()[0]
}

// open publishes the programme and makes members with a card and points.
func open(t *testing.T, base string) (cards []string) {
	t.Helper()
	office := rig.NewShop(base, "T0000")
	defer office.Close()
	post := func(path, key string, body any) (made struct{ ID string }) {
		status, got, err := office.Post(path, key, body)
		require.NoError(t, err)
		require.Less(t, status, 300, "%s: %s", path, got)
		require.NoError(t, json.Unmarshal(got, &made))
		return made
	}
	put, err := http.NewRequest(http.MethodPut, base+"/v1/program", strings.NewReader(programme))
	require.NoError(t, err)
	put.Header.Set("Content-Type", "application/yaml")
	put.Header.Set("Idempotency-Key", "programme")
	res, err := http.DefaultClient.Do(put)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Less(t, res.StatusCode, 300)
	for i := range members {
		m := post("/v1/members", fmt.Sprint("m", i), map[string]any{"phone": fmt.Sprintf("+7701000%04d", i)})
		card := fmt.Sprintf("770100%06d", i)
		post("/v1/members/"+m.ID+"/cards", fmt.Sprint("c", i), map[string]any{"number": card})
		post("/v1/members/"+m.ID+"/adjustments", fmt.Sprint("a", i), map[string]any{"points": begin, "reason": "to begin with"})
		cards = append(cards, card)
	}
	return cards
}

// flaky is an edge whose answers are lost: the request goes its way, on HTTP
// perhaps behind the next one. (A till that reverses a message must have made
// it: its DE90 says when.)
type flaky struct {
	mu   sync.Mutex
	edge rig.Edge
	iso  bool
	rng  *rand.Rand
	late sync.WaitGroup
}

var errLost = errors.New("the answer is lost")

func (f *flaky) Send(a rig.Ask) (rig.Figures, error) {
	if f.rng.IntN(6) > 0 {
		f.mu.Lock()
		defer f.mu.Unlock()
		figures, _, err := f.edge.Send(a)
		return figures, err
	}
	begun := make(chan struct{})
	f.late.Go(func() {
		if !f.iso {
			close(begun)
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.iso {
			close(begun)
		}
		_, _, _ = f.edge.Send(a) // nobody hears it
	})
	<-begun
	return rig.Figures{}, errLost
}

// shared are the purchases of a member that its shops know of each other.
type shared struct {
	mu   sync.Mutex
	list []rig.Ask // with Sale, and in Original the purchase's key with its scope
}

func (s *shared) add(a rig.Ask) { s.mu.Lock(); s.list = append(s.list, a); s.mu.Unlock() }

func (s *shared) pick(r *rand.Rand) (rig.Ask, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.list) == 0 {
		return rig.Ask{}, false
	}
	return s.list[r.IntN(len(s.list))], true
}

// client asks one request after the other and notes what it sent and heard.
type client struct {
	name   string
	card   string
	edge   *flaky
	iso    bool
	rng    *rand.Rand
	shared *shared
	began  time.Time
	next   int
	own    []request // what it may reverse
	log    []porcupine.Operation
	id     int
}

// isoCodes are the declines of the ISO edge in the words of the other.
var isoCodes = map[string]string{"51": insufficient, "68": reversedBefore}

// ask sends a request, notes it, and tells whether an answer was heard.
func (c *client) ask(r request) (rig.Figures, bool, error) {
	call := int64(time.Since(c.began))
	f, err := c.edge.Send(r.Ask)
	op := porcupine.Operation{ClientId: c.id, Input: r, Call: call, Return: int64(time.Since(c.began))}
	var no *rig.Declined
	switch {
	case errors.Is(err, errLost):
		op.Output, op.Return = reply{lost: true}, math.MaxInt64
		// Nothing is known of it; what the client does next may overtake it.
		c.id += members * clients
	case errors.As(err, &no):
		code := no.Code
		if c.iso && isoCodes[code] != "" {
			code = isoCodes[code]
		} else if c.iso && code == "12" {
			code = confirmed
		}
		op.Output = reply{code: code}
	case err != nil:
		return f, false, err
	default:
		op.Output = reply{available: f.Available, held: f.Held, points: f.Earned}
		if r.Kind == rig.Void || r.Kind == rig.Reverse {
			op.Output = reply{available: f.Available, held: f.Held}
		}
	}
	c.log = append(c.log, op)
	return f, err == nil, nil
}

func (c *client) request(kind rig.Kind) request {
	c.next++
	return request{member: c.card, client: c.name, Ask: rig.Ask{Kind: kind, Key: fmt.Sprintf("%06d", c.next), Member: c.card}}
}

// run asks, and asks again, and reverses.
func (c *client) run() error {
	for range asks {
		r, ok := c.draw()
		if !ok {
			continue
		}
		for again := true; again; again = c.rng.IntN(3) == 0 { // also what was answered comes again
			f, heard, err := c.ask(r)
			if err != nil {
				return fmt.Errorf("%s %s %s: %w", c.name, r.Kind, r.Key, err)
			}
			if heard && r.Kind == rig.Authorize {
				c.learn(r, f)
			}
		}
		if r.Kind != rig.Reverse && r.Kind != rig.Void {
			c.own = append(c.own, r)
		}
	}
	c.edge.late.Wait()
	return nil
}

// learn keeps the id of a purchase: a till confirms its own, shops confirm and
// void each other's.
func (c *client) learn(r request, f rig.Figures) {
	about := rig.Ask{Sale: f.ID, Original: c.name + r.Key, Total: r.Total}
	if !c.iso {
		c.shared.add(about)
	}
}

func (c *client) draw() (request, bool) {
	switch k := c.rng.IntN(10); {
	case k < 4:
		r := c.request(rig.Authorize)
		r.Total = 200 * int64(10+c.rng.IntN(20))
		r.Points = int64(10 * c.rng.IntN(100))
		return r, true
	case k < 5:
		r := c.request(rig.Accrue)
		r.Total = 200 * int64(1+c.rng.IntN(20))
		return r, true
	case k < 8:
		if c.iso {
			return request{}, false // an advice is never declined, only parked
		}
		about, ok := c.shared.pick(c.rng)
		if !ok {
			return request{}, false
		}
		r := c.request([]rig.Kind{rig.Confirm, rig.Confirm, rig.Void}[c.rng.IntN(3)])
		r.Sale, r.Original, r.Total = about.Sale, about.Original, about.Total
		r.Receipt = "R" + r.Original + r.Key
		return r, true
	}
	if len(c.own) == 0 {
		return request{}, false
	}
	of := c.own[len(c.own)-1-c.rng.IntN(min(3, len(c.own)))]
	r := c.request(rig.Reverse)
	r.Original, r.original = of.Key, of.Kind
	if of.Kind == rig.Confirm {
		r.Sale = of.Original
	}
	return r, true
}

// history plays one round over both edges.
func history(t *testing.T, seed uint64) []porcupine.Operation {
	t.Helper()
	base, iso := serve(t)
	cards := open(t, base)
	var all []*client
	began := time.Now()
	for m, card := range cards {
		s := &shared{}
		for n := range clients {
			name := fmt.Sprintf("T%d%03d", m+1, n)
			rng := rand.New(rand.NewPCG(seed, uint64(len(all))))
			var edge rig.Edge = rig.NewShop(base, name)
			if n%2 == 1 {
				edge = rig.NewTill(iso, name)
			}
			all = append(all, &client{
				name: name, card: card, iso: n%2 == 1, shared: s, began: began, id: len(all),
				rng: rng, edge: &flaky{edge: edge, iso: n%2 == 1, rng: rand.New(rand.NewPCG(seed, uint64(1000+len(all))))},
			})
		}
	}
	failed := make(chan error, len(all))
	for _, c := range all {
		go func() { failed <- c.run() }()
	}
	for range all {
		require.NoError(t, <-failed)
	}
	var ops []porcupine.Operation
	for _, c := range all {
		c.edge.edge.Close()
		bound(c.log)
		ops = append(ops, c.log...)
	}
	return ops
}

// bound ends requests that nobody heard about where they can do nothing any
// more: their key was answered, or reversed. Without it there would be an order
// to try for each moment at which each of them may have arrived.
func bound(log []porcupine.Operation) {
	for i := range log {
		lost := log[i].Input.(request)
		if !log[i].Output.(reply).lost {
			continue
		}
		for _, op := range log[i:] {
			r := op.Input.(request)
			ends := r.Key == lost.Key || r.Kind == rig.Reverse && r.Original == lost.Key
			if ends && !op.Output.(reply).lost {
				log[i].Return = min(log[i].Return, op.Return)
			}
		}
	}
}

// rounds is how many histories are checked; TILLGATE_LINEAR asks for more.
func rounds(t *testing.T) int {
	n := 3
	if v := os.Getenv("TILLGATE_LINEAR"); v != "" {
		var err error
		n, err = strconv.Atoi(v)
		require.NoError(t, err)
	}
	return n
}

// Whatever is sent at the same time over both edges, whatever is lost, repeated
// and reversed: the answers are those of one account that serves one at a time.
func TestAnswersAreThoseOfOneAtATime(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	explained := 0
	for round := range rounds(t) {
		t.Run(strconv.Itoa(round), func(t *testing.T) {
			ops := history(t, seed+uint64(round))
			lost, codes := 0, map[string]int{}
			for _, op := range ops {
				heard := op.Output.(reply)
				if heard.lost {
					lost++
					continue
				}
				codes[op.Input.(request).Kind.String()+" "+heard.code]++
			}
			t.Logf("seed %d: %d requests, %d answers lost, heard %v", seed+uint64(round), len(ops), lost, codes)
			require.Positive(t, lost)
			result, info := porcupine.CheckOperationsVerbose(spec(begin), ops, time.Minute)
			switch result {
			case porcupine.Ok:
				explained++
			case porcupine.Illegal:
				tell(t, info, ops)
				require.Fail(t, "no order explains these answers")
			default:
				t.Log("there are too many orders to try them all within a minute: this round proves nothing")
			}
		})
	}
	require.Positive(t, explained)
}

// tell writes down a history that no order explains.
func tell(t *testing.T, info porcupine.LinearizationInfo, ops []porcupine.Operation) {
	t.Helper()
	f, err := os.CreateTemp("", "linear-*.html")
	require.NoError(t, err)
	require.NoError(t, porcupine.Visualize(spec(begin), info, f))
	require.NoError(t, f.Close())
	t.Logf("the history is drawn in %s", f.Name())
	for _, op := range ops {
		t.Logf("%d..%d %s", op.Call, op.Return, spec(begin).DescribeOperation(op.Input, op.Output))
	}
}

// The check itself must be able to say no: one point too many in one answer, a
// hold that is confirmed and voided, a repeat that is booked again.
func TestTheCheckRefusesWhatCannotBe(t *testing.T) {
	ask := func(kind rig.Kind, key, of string, points, total int64) request {
		return request{member: "m", client: "c", Ask: rig.Ask{Kind: kind, Key: key, Original: of, Points: points, Total: total}}
	}
	line := func(r request, said reply, at int64) porcupine.Operation {
		return porcupine.Operation{Input: r, Output: said, Call: at, Return: at + 1}
	}
	hold := line(ask(rig.Authorize, "1", "", 500, 2000), reply{available: 2500, held: 500, points: 150}, 0)
	sold := line(ask(rig.Confirm, "2", "c1", 0, 2000), reply{available: 2650, points: 150}, 10)
	free := line(ask(rig.Void, "3", "c1", 0, 0), reply{code: confirmed}, 20)
	good := []porcupine.Operation{hold, sold, free}
	require.True(t, porcupine.CheckOperations(spec(begin), good))
	for what, op := range map[string]porcupine.Operation{
		"a point too many":      line(sold.Input.(request), reply{available: 2651, points: 150}, 30),
		"booked again":          line(sold.Input.(request), reply{available: 2800, points: 150}, 30),
		"void after confirm":    line(ask(rig.Void, "4", "c1", 0, 0), reply{available: 3150}, 30),
		"more than there is":    line(ask(rig.Authorize, "5", "", 2700, 9000), reply{available: -50, held: 2700, points: 630}, 30),
		"declined without need": line(ask(rig.Authorize, "6", "", 100, 9000), reply{code: insufficient}, 30),
	} {
		require.False(t, porcupine.CheckOperations(spec(begin), append(append([]porcupine.Operation(nil), good...), op)), what)
	}
	// An order that is not that of the clock is found where times overlap.
	late := sold
	late.Call, late.Return = 15, 40
	require.False(t, porcupine.CheckOperations(spec(begin), []porcupine.Operation{hold, line(free.Input.(request), reply{available: 3000}, 20), late}))
}
