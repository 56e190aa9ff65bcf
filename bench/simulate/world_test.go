package simulate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"tillgate/ledger"
	"tillgate/processor"
	"tillgate/protocol"
	"tillgate/reconciler"
	"tillgate/reconciler/project"
	"tillgate/reconciler/publish"
	"tillgate/reconciler/stream"
)

const (
	partitions   = 4
	journalTopic = "journal"
	profileTopic = "profiles"
)

// programme moves points in every way that takes time: lots become active
// later, holds end, rewards travel to another account.
const programme = `
program: simulated
currency: KZT
timezone: Asia/Almaty
lots: {active_after: 1h}
earn: {rules: [{name: base, give: {percent: 10}}]}
redeem: {with: [code, card], cap: 70}
referral: {percent: [5]}
guard: [{name: norm, per: member, operations: 3, within: day, then: flag}]
holds: {default: 5m, max: 24h, late_confirm: deficit}
`

// world is the server with everything around it.
type world struct {
	disk    *disk
	brokers *brokers
	memory  *project.Memory
	offset  atomic.Int64 // of the wall clock, ns
	stuck   atomic.Int32 // what the projection's database does wrong

	server *server
	tills  []*till
	people []*person
	book   *book
	late   []*sent // requests of which a copy may still arrive
	trace  []string
	shards int
	died   int // processes that a disk has ended; what they leave cannot be ended
}

// server is one process.
type server struct {
	ledger    *ledger.Ledger
	sw        *processor.Switch
	publisher *publish.Publisher
	projector *project.Projector
	line      *line
	work      sync.WaitGroup
	end       context.CancelFunc
	dead      atomic.Bool // the ledger has ended it
}

// What the projection's database does wrong.
const (
	commitsFail  = 1
	answersLost  = 2 // a commit is brought in and its answer is not
	processEnded = 3
)

var errDatabase = errors.New("the database does not answer")

func newWorld(r *rand.Rand) *world {
	w := &world{disk: newDisk(vfs.NewCrashableMem()), brokers: newBrokers(), memory: project.NewMemory(partitions), shards: 1 + r.IntN(2)}
	w.book = newBook()
	w.memory.Bring = func(bring func() error) error {
		switch w.stuck.Load() {
		case commitsFail, processEnded:
			return errDatabase
		case answersLost:
			return errors.Join(bring(), errDatabase)
		}
		return bring()
	}
	return w
}

func (w *world) clock() int64 { return time.Now().UnixNano() + w.offset.Load() }

// start starts a process on what the disk holds.
func (w *world) start() error {
	quiet := slog.New(slog.DiscardHandler)
	s := &server{line: &line{b: w.brokers}}
	var err error
	s.ledger, err = ledger.Open("data", ledger.Options{
		FS: w.disk.fs(), Partitions: partitions, Shards: w.shards, Queue: 64, Drain: 8, Clock: w.clock, AwaitWaker: true,
		CacheBytes: 256 << 10, MemTableBytes: 64 << 10, HotAccounts: 3, DupFilterBytes: 4 << 10, ReceiptFilterBytes: 4 << 10, LinkCache: 4,
		MinFreeDisk: -1, WindowRecords: 20, SweepEvery: 5 * time.Second, Logger: quiet,
		Fatal: func(error) { s.dead.Store(true) },
	})
	if err != nil {
		return fmt.Errorf("the ledger does not open: %w", err)
	}
	if s.sw, err = processor.New(s.ledger, processor.Options{Clock: w.clock, Logger: quiet}); err != nil {
		return fmt.Errorf("the switch does not start: %w", err)
	}
	if s.publisher, err = publish.New(publish.Options{
		Ledger: s.ledger, Store: reconciler.StoreID(s.ledger), Brokers: []string{"broker:9092"}, Transport: s.line,
		Topic: journalTopic, ProfileTopic: profileTopic, BatchRecords: 5, Workers: 2,
	}); err != nil {
		return fmt.Errorf("the publisher does not start: %w", err)
	}
	s.projector = w.projection(s, w.memory, s.source())
	ctx, end := context.WithCancel(context.Background())
	s.end = end
	s.work.Go(func() { s.publisher.Run(ctx) })
	s.work.Go(func() { s.projector.Run(ctx) })
	w.server = s
	return nil
}

// source reads the stream back from the brokers.
func (s *server) source() project.Source {
	client := stream.Client([]string{"broker:9092"}, 10*time.Second, nil)
	client.Transport = s.line
	return &project.KafkaSource{
		Journal: stream.Topic{Client: client, Name: journalTopic}, Profiles: stream.Topic{Client: client, Name: profileTopic},
		Store: reconciler.StoreID(s.ledger), Partitions: partitions, Bytes: 4 << 10,
	}
}

func (w *world) projection(s *server, to *project.Memory, from project.Source) *project.Projector {
	return project.New(project.Options{
		Memory: to, Store: reconciler.StoreID(s.ledger), Partitions: partitions, Source: from,
		Open: s.ledger.OpenProfile, Synced: s.ledger.Synced, BatchRecords: 7,
		Booked: func(id ledger.OpID) (int64, error) {
			var op ledger.Operation
			found, err := s.ledger.Operation(id, &op)
			if err != nil || !found {
				return 0, err
			}
			return op.Time, nil
		},
	})
}

// stop ends the process in order: answers in flight go out.
func (w *world) stop() error {
	s := w.server
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := s.sw.Close(ctx)
	s.end()
	s.work.Wait()
	err = errors.Join(err, s.ledger.Close())
	if s.dead.Load() || w.disk.fault.Load() != nil {
		s.dead.Store(true)
		w.died++
		return nil // it could not stop in order
	}
	if err != nil {
		return fmt.Errorf("the server does not stop: %w", err)
	}
	return nil
}

// kill ends the process at once. What it does from here on reaches nobody: its
// disk is not the one that the next process finds, its lines are cut, its
// answers are not heard.
func (w *world) kill(r *rand.Rand, percent int) error {
	left, err := w.disk.crash(r, percent)
	if err != nil {
		return err
	}
	s, was := w.server, w.stuck.Swap(processEnded)
	s.line.cut.Store(true)
	for _, t := range w.tills {
		t.hangUp()
	}
	w.disk.fault.Store(nil)
	if s.dead.Load() {
		w.died++
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.sw.Close(ctx); err != nil && !s.dead.Load() {
		return fmt.Errorf("the killed server's requests hang: %w", err)
	}
	s.end()
	s.work.Wait()
	_ = s.ledger.Close() // nobody is there to be told
	w.disk = newDisk(left)
	w.stuck.Store(was)
	return w.start()
}

// abandon ends what a run that has failed leaves behind.
func (w *world) abandon() {
	s := w.server
	if s == nil {
		return
	}
	s.line.cut.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_ = s.sw.Close(ctx) // why the run failed is told already
	s.end()
	s.work.Wait()
	_ = s.ledger.Close()
}

// say adds a line to the trace: two runs of a seed have the same one.
func (w *world) say(format string, args ...any) {
	w.trace = append(w.trace, time.Now().UTC().Format("15:04:05.000000 ")+fmt.Sprintf(format, args...))
}

// office sends a request and waits for its answer, for what stands before the
// simulation begins and what is looked at when it has ended.
func (w *world) office(r protocol.Request) (*protocol.Response, error) {
	x := &protocol.Exchange{Request: r}
	done := make(chan struct{})
	x.Done = func(*protocol.Exchange) { close(done) }
	w.server.sw.Submit(x)
	select {
	case <-done:
		return &x.Response, nil
	case <-time.After(time.Hour):
		return nil, fmt.Errorf("no answer to %s within an hour", r.Call)
	}
}
