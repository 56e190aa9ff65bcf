package trial

import (
	"context"
	"fmt"

	"tillgate/bench/day"
	"tillgate/bench/load"
	"tillgate/bench/peer"
	"tillgate/bench/report"
)

// contest is what the goals are measured with.
type contest struct {
	*trial
	large, small *shop         // small nil: not compared
	empty, echo  *peer.Process // fasthttp's empty answer; the same frames sent back
	rows         *projected    // nil: no PostgreSQL
	bank         string        // database of the holds by PostgreSQL
}

// measureGoals measures everything that has a goal.
func (t *trial) measureGoals(ctx context.Context) (err error) {
	t.settings("authorize: 2 lines, 100.00 points of 1,300.00; holds are voided between measurements")
	c := &contest{trial: t}
	defer c.goals() // also of what was measured until it failed
	if err := c.open(ctx); err != nil {
		return err
	}
	before, err := diskUse(c.large.server.Dir)
	if err != nil {
		return err
	}
	asked := c.large.asked
	for r := range t.Repeats {
		if err := c.repeat(ctx, r); err != nil {
			return fmt.Errorf("repeat %d: %w", r+1, err)
		}
	}
	after, err := diskUse(c.large.server.Dir)
	if err != nil {
		return err
	}
	t.figure("data directory, growth for each booked operation", "bytes", float64(after-before)/float64(max(1, c.large.asked-asked)))
	t.figure("most memory of the server", "MiB", peakMemory(c.large.server.Pid()))
	for range t.Repeats {
		if err := t.crash(ctx, c.large); err != nil {
			return fmt.Errorf("start after kill -9: %w", err)
		}
	}
	if err := t.proveAll(ctx); err != nil {
		return err
	}
	t.evaluate(ctx)
	return nil
}

// open starts the servers and the peers.
func (c *contest) open(ctx context.Context) (err error) {
	if c.Databases != nil {
		if c.bank, err = c.Databases(ctx); err != nil {
			return err
		}
		c.Step("making accounts in PostgreSQL", fillTime(c.bankMembers()))
		if err := peer.FillBank(ctx, c.bank, c.bankMembers()); err != nil {
			return err
		}
		if c.rows, err = c.recordRows(ctx); err != nil {
			return err
		}
	} else if c.NoDatabases != "" {
		c.note("What is compared with PostgreSQL was not measured: %s", c.NoDatabases)
	}
	if c.large, err = c.openShop(ctx, "server", c.Members, c.serverEnv()...); err != nil {
		return err
	}
	if c.ISO && c.Small > 0 {
		if c.small, err = c.openShop(ctx, "small", c.Small, holdsEnv); err != nil {
			return err
		}
	}
	if c.empty, err = c.startPeer(ctx, "http"); err != nil {
		return err
	}
	c.echo, err = c.startPeer(ctx, "echo")
	return err
}

// holdsEnv lets one member have as many holds as an account can carry: some
// are drawn by Zipf's law more often than a customer comes.
const holdsEnv = "TILLGATE_PROCESSOR_HOLDS_PER_MEMBER=256"

func (t *trial) serverEnv() []string {
	env := []string{holdsEnv}
	if t.Postgres != "" {
		env = append(env, "TILLGATE_POSTGRES="+t.Postgres)
	}
	return env
}

// settings tells what is measured.
func (t *trial) settings(load string) {
	set := func(name, format string, args ...any) {
		t.rep.Settings = append(t.rep.Settings, report.Pair{Name: name, Value: fmt.Sprintf(format, args...)})
	}
	set("members", "%d", t.Members)
	set("load", "%s", load)
	if t.HTTP {
		set("HTTP", "%d connections × %d in flight", t.http.connections, t.http.inFlight)
	}
	if t.ISO {
		set("ISO/TCP", "%d connections × %d in flight", t.iso.connections, t.iso.inFlight)
	}
	set("repeats", "%d × %v each, after %v of warming up", t.Repeats, t.Length, t.warmup())
	switch {
	case t.Mode == Stream:
		set("stream", "to Kafka and into PostgreSQL, on the same processors")
	case t.Postgres == "":
		set("stream", "nothing is projected while it is measured (see --postgres)")
	default:
		set("stream", "projected into PostgreSQL while it is measured")
	}
}

// repeat measures everything once, each thing beside its baseline.
func (c *contest) repeat(ctx context.Context, r int) error {
	if err := c.sync(r); err != nil {
		return err
	}
	if c.ISO {
		if err := c.repeatISO(ctx, r); err != nil {
			return err
		}
	}
	if c.HTTP {
		if err := c.repeatHTTP(ctx, r); err != nil {
			return err
		}
	}
	if c.rows != nil {
		if err := c.repeatPostgres(ctx, r); err != nil {
			return err
		}
	}
	return c.codecs(r)
}

// sync measures what one sync takes: what every durable answer waits for.
func (t *trial) sync(r int) error {
	t.Step(step(r)+"fdatasync", t.short())
	s, err := peer.MeasureSync(t.dir, t.short())
	if err != nil {
		return err
	}
	t.figure(syncFigure, "ms", milliseconds(s.Median))
	t.figure("one fdatasync of 4 KiB, 99th percentile", "ms", milliseconds(s.P99))
	return nil
}

func (c *contest) repeatISO(ctx context.Context, r int) error {
	base := run{name: echoLoad, edge: c.iso, address: c.echo.Address, pid: c.echo.Pid(), wires: c.large.isoAuthorizes}
	if _, err := c.measure(ctx, step(r), base); err != nil {
		return err
	}
	if err := c.bare(ctx, r); err != nil {
		return err
	}
	if err := c.both(ctx, r, run{name: isoLoad, edge: c.iso, address: c.large.server.ISO, wires: c.large.isoAuthorizes, shop: c.large}); err != nil {
		return err
	}
	return c.draws(ctx, r)
}

func (c *contest) repeatHTTP(ctx context.Context, r int) error {
	base := run{name: emptyLoad, edge: c.http, address: c.empty.Address, pid: c.empty.Pid(), wires: c.large.httpAuthorizes}
	if _, err := c.measure(ctx, step(r), base); err != nil {
		return err
	}
	return c.both(ctx, r, run{name: httpLoad, edge: c.http, address: c.large.server.HTTP, wires: c.large.httpAuthorizes, shop: c.large})
}

func step(r int) string { return fmt.Sprintf("repeat %d: ", r+1) }

// both loads an edge of the server closed, and open at half of what that
// reached in this repeat.
func (c *contest) both(ctx context.Context, r int, x run) error {
	x.pid = x.shop.server.Pid()
	x.most = uint64(holdsEach * x.shop.members / x.edge.connections)
	result, err := c.measure(ctx, step(r), x)
	if err != nil {
		return err
	}
	if err := c.void(ctx, x.shop); err != nil {
		return err
	}
	x.name += openSuffix
	if x.rate = c.Rate; x.rate == 0 {
		x.rate = max(1, result.Rate()/2)
	}
	if _, err := c.measure(ctx, step(r), x); err != nil {
		return err
	}
	if err := c.void(ctx, x.shop); err != nil {
		return err
	}
	_, err = c.log(ctx, step(r), x.name+logSuffix, load.Options{Rate: x.rate, Duration: c.Length, Warmup: c.warmup()})
	return err
}

// holdsEach bounds the holds of a load, for each member on average: accounts
// should be as small as in life.
const holdsEach = 40

// draws measures what it costs that members are not drawn evenly, and that
// there are many: authorizations that are voided at once, so that a member who
// is drawn all the time has few holds.
func (c *contest) draws(ctx context.Context, r int) error {
	// All of them with as much in flight as Zipf's law allows, or else a ratio
	// of two of them would be one of depths.
	e := c.iso.holding(day.Members{Zipf: 1.2})
	play := func(name string, s *shop, m day.Members) error {
		x := run{name: name, edge: e.holding(m), address: s.server.ISO, pid: s.server.Pid(), shop: s, wires: s.tills(day.Pairs(m), true)}
		if _, err := c.measure(ctx, step(r), x); err != nil {
			return err
		}
		return c.void(ctx, s)
	}
	if err := play(evenLoad, c.large, day.Members{}); err != nil {
		return err
	}
	if c.small != nil {
		if err := play(smallLoad, c.small, day.Members{}); err != nil {
			return err
		}
	}
	if err := play(zipfLoad, c.large, day.Members{Zipf: 1.2}); err != nil {
		return err
	}
	return play(hotLoad, c.large, day.Members{Hot: true})
}
