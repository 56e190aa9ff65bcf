package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"tillgate/config"
	"tillgate/protocol"
)

func init() {
	register(command{"demo", "play a morning of several tills and a web shop", demo})
}

const aboutDemo = `
Registers some members and plays a morning: tills that speak ISO 8583 and a web
shop that speaks HTTP earn, hold, spend, void, return and reverse side by side.
Now and then a till loses the line in the middle of a message, a cashier presses
the button twice, and the shop repeats a request. At the end every till closes
its shift, and its totals must be the ledger's, to the kopeck.

Without --http and --iso it starts a server of its own in a temporary directory.
With keys configured, TILLGATE_API_KEY holds the secret of an admin key.
`

// demoFlags is how long and how busy the morning is.
type demoFlags struct {
	http, iso               string
	tills, members, perTill int
	seed                    uint64
}

// demo plays the morning and tells how the shifts ended.
func demo(ctx context.Context, c *console, args []string) error {
	fs := newFlags(c, "demo", "[--http ADDRESS --iso ADDRESS] [flags]", aboutDemo)
	var f demoFlags
	fs.StringVar(&f.http, "http", "", "address of a running server's HTTP listener")
	fs.StringVar(&f.iso, "iso", "", "address of its ISO 8583 listener")
	fs.IntVar(&f.tills, "tills", 4, "tills that are open")
	fs.IntVar(&f.members, "members", 25, "members who come")
	fs.IntVar(&f.perTill, "purchases", 60, "purchases at each till and in the shop")
	fs.Uint64Var(&f.seed, "seed", 0, "play the same morning again; 0: another one each time")
	if err := parse(fs, args, 0, 0); err != nil {
		return err
	}
	switch {
	case (f.http == "") != (f.iso == ""):
		return usagef("--http and --iso belong together: the shop and the tills need the same server")
	case f.tills < 1 || f.tills > 99 || f.members < 1 || f.members > 10_000 || f.perTill < 1 || f.perTill > 1_000_000:
		return usagef("1 to 99 tills, 1 to 10000 members and 1 to 1000000 purchases can be played")
	}
	if f.http == "" {
		own, err := ownServer(c, &f)
		if err != nil {
			return err
		}
		defer own()
	}
	return playMorning(ctx, c, &f)
}

// ownServer starts a server for the demonstration and returns what ends it.
func ownServer(c *console, f *demoFlags) (end func(), err error) {
	dir, err := os.MkdirTemp("", "tillgate-demo-")
	if err != nil {
		return nil, err
	}
	conf := config.Default()
	conf.Data, conf.Dev, conf.Log.Level = dir, true, "warn"
	conf.Gateway.HTTP.Listen, conf.Gateway.ISO.Listen = "127.0.0.1:0", "127.0.0.1:0"
	s, err := newServer(conf, newLogger(c.err, conf.Log), func(string, string, ...any) {})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	s.database = nil // a demonstration needs no reports
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()
	f.http, f.iso = s.gateway.HTTPAddr(), s.gateway.ISOAddrs()[0]
	fmt.Fprintf(c.out, "a server of its own: http://%s and ISO 8583 on %s\n", f.http, f.iso)
	return func() {
		cancel()
		if err := <-ended; err != nil {
			fmt.Fprintln(c.err, "tillgate demo: the server:", err)
		}
		if err := os.RemoveAll(dir); err != nil {
			fmt.Fprintln(c.err, "tillgate demo:", err)
		}
	}, nil
}

// customer is a member who comes in the morning.
type customer struct{ id, phone, card string }

// morning is what the players share.
type morning struct {
	flags     *demoFlags
	customers []customer
	bar       *progressbar.ProgressBar
	shift     int

	mu     sync.Mutex
	counts map[string]int // what happened, by name
}

func (m *morning) count(what string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counts[what]++
}

// step moves the bar on. A screen that can't be written to stops no morning.
func (m *morning) step(n int64) { _ = m.bar.Add64(n) }

// shiftEnd is how a till's shift ended.
type shiftEnd struct {
	terminal string
	totals   protocol.ShiftTotals
	err      error
}

// playMorning registers the members, lets everybody work, and prints the ends
// of the shifts.
func playMorning(ctx context.Context, c *console, f *demoFlags) error {
	if f.seed == 0 {
		f.seed = uint64(time.Now().UnixNano())
	}
	shop := newShop(f.http, os.Getenv("TILLGATE_API_KEY"))
	m := &morning{flags: f, counts: map[string]int{}, shift: int(time.Now().Unix() % 1_000_000_000)}
	m.bar = newBar(c.err, int64(f.members+(f.tills+1)*f.perTill))
	if err := m.register(ctx, shop, rand.New(rand.NewPCG(f.seed, 0))); err != nil {
		return err
	}
	ends := make([]shiftEnd, f.tills+1)
	var players sync.WaitGroup
	for i := range f.tills {
		players.Go(func() { ends[i] = m.till(ctx, i) })
	}
	players.Go(func() { ends[f.tills] = m.shop(ctx, shop) })
	players.Wait()
	return m.tell(c.out, ends)
}

// newBar is the progress of the morning, on a person's screen or in a log.
func newBar(w io.Writer, total int64) *progressbar.ProgressBar {
	return progressbar.NewOptions64(total, progressbar.OptionSetWriter(w), progressbar.OptionSetWidth(30),
		progressbar.OptionSetDescription("the morning"), progressbar.OptionShowCount(), progressbar.OptionShowIts(),
		progressbar.OptionSetItsString("steps"), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionOnCompletion(func() { fmt.Fprintln(w) }))
}

// register makes the members, each with a phone number and a card.
func (m *morning) register(ctx context.Context, s *webShop, random *rand.Rand) error {
	for i := range m.flags.members {
		who := customer{
			phone: fmt.Sprintf("+7701%07d", random.IntN(10_000_000)),
			card:  fmt.Sprintf("22%014d", random.Int64N(100_000_000_000_000)),
		}
		var made struct {
			ID string `json:"id"`
		}
		err := s.post(ctx, "/v1/members", map[string]any{"phone": who.phone, "name": fmt.Sprintf("Member %d", i+1)}, &made)
		if err == nil {
			err = s.post(ctx, "/v1/members/"+made.ID+"/cards", map[string]any{"number": who.card}, nil)
		}
		if err != nil {
			return fmt.Errorf("register a member: %w", err)
		}
		who.id = made.ID
		m.customers = append(m.customers, who)
		m.step(1)
	}
	m.mu.Lock()
	m.counts["members registered"] = len(m.customers)
	m.mu.Unlock()
	return nil
}

// tell prints what happened and how the shifts ended.
func (m *morning) tell(w io.Writer, ends []shiftEnd) error {
	fmt.Fprintf(w, "\nthe morning (play it again with --seed %d):\n", m.flags.seed)
	for _, what := range morningWords {
		if n := m.counts[what]; n > 0 {
			fmt.Fprintf(w, "  %6d %s\n", n, what)
		}
	}
	fmt.Fprintf(w, "\n  %-8s %6s %14s %6s %14s %14s %14s %14s   %s\n", "till", "sales", "", "back", "", "redeemed", "given back", "net", "shift")
	var failed []string
	for _, e := range ends {
		state := "matched"
		if e.err != nil {
			state = "OPEN"
			failed = append(failed, fmt.Sprintf("%s: %v", e.terminal, e.err))
		}
		t := &e.totals
		fmt.Fprintf(w, "  %-8s %6d %14s %6d %14s %14s %14s %14s   %s\n", e.terminal, t.SalesCount, money(t.Sales),
			t.ReturnsCount, money(t.Returns), money(t.Redeemed), money(t.GivenBack), money(t.Net), state)
	}
	if len(failed) > 0 {
		return errors.New(strings.Join(failed, "\n"))
	}
	return nil
}

// morningWords are the names under which things are counted, in the order in
// which they are told.
var morningWords = []string{
	"members registered", "receipts earned on", "holds confirmed", "holds voided", "returns", "reversals",
	"lines lost in the middle of a message", "requests repeated by the shop", "declined",
}
