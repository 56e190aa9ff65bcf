package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"tillgate/config"
	"tillgate/gateway"
	"tillgate/ledger"
	"tillgate/processor"
	"tillgate/processor/program"
	"tillgate/processor/whatif"
	"tillgate/reconciler"
	"tillgate/reconciler/export"
)

// Bounds of the parts of a stop; with the gateway's own (limits.stop_timeout,
// at most 15 s) they stay within the 20 s that a supervisor is told.
const (
	switchStop     = 2 * time.Second
	reconcilerStop = 2 * time.Second
)

// replayShare is how much of one processor a replay of a draft may take beside
// the tills, in percent.
const replayShare = 40

// server is everything in one process. Its parts stand on each other in the
// order of the fields.
type server struct {
	config     *config.Config
	log        *slog.Logger
	registry   *prometheus.Registry
	ledger     *ledger.Ledger
	processor  *processor.Switch
	whatIf     *whatif.Service
	reconciler *reconciler.Reconciler
	gateway    *gateway.Gateway
	database   *database  // the PostgreSQL of --dev, nil otherwise
	fatal      chan error // the ledger can't go on
}

// newServer opens the ledger and puts the parts on it, up to the bound
// listeners. Nothing is served before run. tell gets the story of the boot.
func newServer(conf *config.Config, log *slog.Logger, tell func(part, format string, args ...any)) (*server, error) {
	tuneMemory(conf.Memory)
	tuneThreads()
	s := &server{config: conf, log: log, registry: prometheus.NewRegistry(), fatal: make(chan error, 1)}
	s.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, step := range []func(func(part, format string, args ...any)) error{
		s.openLedger, s.openSwitch, s.openReconciler, s.openGateway,
	} {
		if err := step(tell); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	return s, nil
}

// tuneMemory sets how garbage is collected, where the environment doesn't.
func tuneMemory(m config.Memory) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(m.GCPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" && m.Limit > 0 {
		debug.SetMemoryLimit(m.Limit)
	}
}

// tuneThreads gives the runtime one thread more than it has processors, where
// the environment doesn't say how many. Flushing and compaction hold a thread
// for ten milliseconds at a time, and what a till waits for would queue behind
// them: the system divides processors better than the runtime its threads. On
// two processors that is 15 % more requests at saturation, and a fraction of the
// latency at half of it (docs/performance.md).
var tuneThreads = sync.OnceFunc(func() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
})

// openLedger begins: what was acknowledged before is there before anybody can ask.
func (s *server) openLedger(tell func(part, format string, args ...any)) error {
	o := s.config.Ledger
	o.Logger = s.log
	o.AwaitWaker = true // the switch, which opens next
	o.Fatal = func(err error) {
		select {
		case s.fatal <- err:
		default:
		}
	}
	dir := filepath.Join(s.config.Data, "ledger")
	begun := time.Now()
	l, err := ledger.Open(dir, o)
	if err != nil {
		return fmt.Errorf("open the ledger: %w", err)
	}
	s.ledger = l
	s.registry.MustRegister(ledgerCollector{l})
	tell("ledger", "%s, %d partitions, opened in %v", dir, l.Partitions(), time.Since(begun).Round(time.Millisecond))
	return nil
}

// openSwitch comes next: it knows the programmes and decides.
func (s *server) openSwitch(tell func(part, format string, args ...any)) error {
	o := s.config.Processor
	o.Logger, o.Dev = s.log, s.config.Dev
	zone, err := time.LoadLocation(s.config.Timezone)
	if err != nil {
		return fmt.Errorf("timezone: %w", err)
	}
	o.Zone = zone
	if s.processor, err = processor.New(s.ledger, o); err != nil {
		return fmt.Errorf("start the switch: %w", err)
	}
	s.registry.MustRegister(codeLocks(s.processor)...)
	s.whatIf = whatif.New(s.ledger, s.processor, whatif.Options{Share: replayShare, Logger: s.log})
	programs, err := s.ledger.AllPrograms()
	switch {
	case err != nil:
		return fmt.Errorf("read the programmes: %w", err)
	case len(programs) > 0:
		tell("programme", "%d published versions", len(programs))
	case s.config.Dev:
		tell("programme", "none is published: the sample programme of --dev")
	default:
		tell("programme", "none is published: tills get 91 until one is ('tillgate program publish FILE')")
	}
	return nil
}

// openReconciler follows the journal. It touches nothing outside yet.
func (s *server) openReconciler(tell func(part, format string, args ...any)) (err error) {
	s.reconciler, err = reconciler.New(s.config.Reconciler, reconciler.Parts{
		Ledger: s.ledger, Submit: s.processor.Submit, Logger: s.log, Registerer: s.registry, Desk: s.config.Data,
		WhatIf: s.whatIf, Programs: s.processor, Directories: s.processor,
		Terms: func(merchant string) (t export.Terms) {
			t.Zone, t.Value = s.processor.Terms(merchant, s.ledger.Now())
			return t
		},
	})
	if err != nil {
		return fmt.Errorf("start the reconciler: %w", err)
	}
	if brokers := s.config.Reconciler.Kafka.Brokers; len(brokers) > 0 {
		tell("stream", "by way of Kafka")
	} else {
		tell("stream", "in process")
	}
	switch {
	case s.config.Reconciler.Postgres != "":
		tell("reports", "PostgreSQL as configured")
	case s.config.Dev:
		s.database = newDatabase(filepath.Join(s.config.Data, "postgres"), s.log)
		s.reconciler.Await(true)
		tell("reports", "a PostgreSQL of its own is starting in %s; tills don't wait for it", s.database.dir)
	default:
		tell("reports", "no PostgreSQL is configured: reports answer 503")
	}
	return nil
}

// openGateway is last: only now can anybody ask.
func (s *server) openGateway(tell func(part, format string, args ...any)) (err error) {
	s.gateway, err = gateway.New(s.config.Gateway, gateway.Parts{
		Switch: s.processor, Office: s.reconciler, WhatIf: s.whatIf, Checks: s.checks(), Registry: s.registry, Logger: s.log, Zone: s.processor.Zone,
		Schema: program.Schema,
	})
	if err != nil {
		return err
	}
	if err = s.gateway.Listen(); err != nil {
		return err
	}
	if address := s.gateway.HTTPAddr(); address != "" {
		tell("HTTP", "http://%s%s", address, keyNote(&s.config.Gateway))
	}
	for _, address := range s.gateway.ISOAddrs() {
		tell("ISO 8583", "%s", address)
	}
	return nil
}

func keyNote(o *gateway.Options) string {
	if len(o.Keys) == 0 {
		return " (no keys are configured: this machine only, every role)"
	}
	return fmt.Sprintf(" (%d keys)", len(o.Keys))
}

// checks are what /readyz tells.
func (s *server) checks() []gateway.Check {
	return []gateway.Check{
		{Name: "ledger", Needed: true, Probe: func() error {
			switch {
			case s.ledger.Err() != nil:
				return errors.New("can't write any more")
			case s.ledger.Stats().DiskLow:
				return errors.New("the disk is nearly full")
			}
			return nil
		}},
		{Name: "programme", Needed: true, Probe: func() error {
			if s.config.Dev {
				return nil
			}
			if all, err := s.ledger.AllPrograms(); err != nil || len(all) == 0 {
				return errors.New("none is published")
			}
			return nil
		}},
		{Name: "postgresql", Probe: s.reconciler.Postgres},
		{Name: "kafka", Probe: s.reconciler.Kafka},
	}
}

// run serves until ctx ends or something fails, and stops.
func (s *server) run(ctx context.Context) error {
	following, stopFollowing := context.WithCancel(context.Background())
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		s.reconciler.Run(following)
	}()
	if s.database != nil {
		s.database.start(s.reconciler.Connect, s.reconciler.Await)
	}
	s.ledger.Keep(s.reconciler.Followers(s.database != nil)...)
	serving, stopServing := context.WithCancel(ctx)
	defer stopServing()
	served := make(chan error, 1)
	go func() { served <- s.gateway.Run(serving) }()
	select {
	case err := <-s.fatal:
		// What is on disk is right, but nothing more can be promised: to go
		// down at once is the only honest thing. The next start takes it up.
		stopFollowing()
		return fmt.Errorf("the ledger can't go on: %w", err)
	case err := <-served:
		stopServing()
		return errors.Join(err, s.stop(stopFollowing, followed))
	}
}

// stop is the end, in the order in which the parts stand on each other:
// the gateway has let its answers out; the switch has none in flight then;
// the reconciler must let go of the journal before the ledger is closed; the
// ledger writes down what it holds; PostgreSQL, which nobody needs any more,
// is last.
func (s *server) stop(stopFollowing context.CancelFunc, followed <-chan struct{}) error {
	limit, cancel := context.WithTimeout(context.Background(), switchStop)
	defer cancel()
	err := s.processor.Close(limit)
	stopFollowing()
	select {
	case <-followed:
	case <-time.After(reconcilerStop):
		err = errors.Join(err, errors.New("the reconciler did not let go of the journal in time"))
		if s.database != nil {
			s.database.stop()
		}
		return err // the ledger is left as after a crash, which loses nothing
	}
	return errors.Join(err, s.close())
}

// close closes what is open beneath the switch.
func (s *server) close() error {
	var err error
	if s.whatIf != nil {
		s.whatIf.Close()
	}
	if s.ledger != nil {
		if err = s.ledger.Close(); err != nil {
			err = fmt.Errorf("close the ledger: %w", err)
		}
		s.ledger = nil
	}
	if s.database != nil {
		s.database.stop()
	}
	return err
}
