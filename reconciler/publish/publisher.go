// Package publish brings the synced journal to Kafka: each record to the
// topic partition of its own partition, in order, acknowledged by all in-sync
// replicas, one request in flight per partition.
//
// kafka-go's Writer would not do: it asks for no acknowledgement unless told,
// lingers for a second, and after its last retry goes on with the next batch,
// which leaves a hole. Here a batch is offered until it is acknowledged, and
// nothing behind it moves before.
//
// Invariants:
//   - The position moves only after the acknowledgement and is kept in the
//     ledger: after a crash records may come again, none is ever left out.
//   - A profile is acknowledged before the record that changed it.
//   - Nothing waits for the publisher; what is not published stays in the
//     ledger, and how much that is is a metric.
package publish

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"
	"github.com/sony/gobreaker/v2"

	"tillgate/reconciler/stream"
)

// Ledger is what the publisher reads, and where it keeps its position.
type Ledger interface {
	stream.Journal
	stream.Profiles
	stream.Meta
}

// Options of a publisher. Ledger, Store and Brokers are needed; the others
// have defaults.
type Options struct {
	Ledger  Ledger
	Store   string   // which ledger this is
	Brokers []string // host:port
	TLS     *tls.Config
	// Transport brings requests to the brokers; nil is TCP, with TLS.
	Transport kafka.RoundTripper

	// Topic takes the journal ("tillgate.journal"), ProfileTopic the encrypted
	// profiles ("tillgate.profiles").
	Topic, ProfileTopic string
	// Replication of topics that are created here. 1.
	Replication int

	// BatchRecords and BatchBytes bound a request: Kafka's default limit for
	// a batch is 1 MiB. 500 records, 512 KiB (one record may be larger).
	BatchRecords, BatchBytes int
	// Workers publish; each owns every n-th partition, which keeps a
	// partition's requests one after another. 8.
	Workers int
	// Save is how often the position is kept: a crash repeats what was
	// published since. 1 s.
	Save time.Duration
	// Timeout of a request. 10 s.
	Timeout time.Duration
	// Pause lies between two attempts after a failure. 2 s.
	Pause time.Duration

	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

func (o *Options) defaults() {
	setDefault(&o.Topic, "tillgate.journal")
	setDefault(&o.ProfileTopic, "tillgate.profiles")
	setDefault(&o.Replication, 1)
	setDefault(&o.BatchRecords, 500)
	setDefault(&o.BatchBytes, 512<<10)
	setDefault(&o.Workers, 8)
	setDefault(&o.Save, time.Second)
	setDefault(&o.Timeout, 10*time.Second)
	setDefault(&o.Pause, 2*time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Publisher brings the journal to Kafka. [Publisher.Run] does the work.
type Publisher struct {
	o        Options
	journal  stream.Topic
	profiles stream.Topic
	breaker  *gobreaker.CircuitBreaker[struct{}]
	m        *metrics

	// position is, per partition, the newest acknowledged sequence.
	position []atomic.Uint64
	saved    []uint64 // what is kept; only Run's goroutine touches it

	mu      sync.Mutex
	trouble error
	grumble stream.Grumble
}

// New makes a publisher and reads its position; no broker is dialled before
// Run.
func New(o Options) (*Publisher, error) {
	o.defaults()
	client := stream.Client(o.Brokers, o.Timeout, o.TLS)
	if o.Transport != nil {
		client.Transport = o.Transport
	}
	p := &Publisher{
		o:        o,
		journal:  stream.Topic{Client: client, Name: o.Topic},
		profiles: stream.Topic{Client: client, Name: o.ProfileTopic},
		position: make([]atomic.Uint64, o.Ledger.Partitions()),
		trouble:  errors.New("Kafka has not been reached yet"),
	}
	if err := p.loadPosition(); err != nil {
		return nil, err
	}
	p.m = newMetrics(p, o.Registerer)
	p.breaker = stream.Breaker("kafka", o.Pause, o.Logger, p.m.open)
	return p, nil
}

// Lag is how many synced records Kafka has not acknowledged yet: what a lost
// disk would lose.
func (p *Publisher) Lag() uint64 {
	var lag uint64
	for i := range p.position {
		if s, at := p.o.Ledger.Synced(i), p.position[i].Load(); s > at {
			lag += s - at
		}
	}
	return lag
}

// Trouble is why nothing is published, nil while it is.
func (p *Publisher) Trouble() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.trouble
}

func (p *Publisher) setTrouble(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.trouble != nil && (errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests)) {
		return // the cause says more than that the breaker is open
	}
	p.trouble = err
}

// Run publishes until ctx ends, through every failure of the brokers. At the
// end it keeps its position once more.
func (p *Publisher) Run(ctx context.Context) {
	defer func() {
		if err := p.savePosition(); err != nil {
			p.o.Logger.Error("the publisher's position could not be kept; records will come again", "cause", err.Error())
		}
	}()
	for ctx.Err() == nil {
		if err := p.prepare(ctx); err != nil {
			p.failed(ctx, "preparing the topics", err)
			stream.Sleep(ctx, p.o.Pause)
			continue
		}
		p.setTrouble(nil)
		p.work(ctx)
	}
}

// call runs one exchange with the brokers behind the breaker, within the
// time limit.
func (p *Publisher) call(ctx context.Context, f func(context.Context) error) error {
	_, err := p.breaker.Execute(func() (struct{}, error) {
		ctx, cancel := context.WithTimeout(ctx, p.o.Timeout)
		defer cancel()
		return struct{}{}, f(ctx)
	})
	return err
}

func (p *Publisher) failed(ctx context.Context, doing string, err error) {
	if ctx.Err() != nil {
		return
	}
	p.setTrouble(err)
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		return
	}
	p.m.failures.Inc()
	if p.grumble.Worth(err) {
		p.o.Logger.Error("publishing pauses", "doing", doing, "cause", err.Error())
	}
}

// work runs the workers until ctx ends or one finds that the topics must be
// looked at again.
func (p *Publisher) work(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var workers sync.WaitGroup
	for w := range min(p.o.Workers, len(p.position)) {
		workers.Go(func() {
			defer cancel()
			p.worker(ctx, w)
		})
	}
	for stream.Sleep(ctx, p.o.Save) {
		if err := p.savePosition(); err != nil {
			p.o.Logger.Error("the publisher's position could not be kept", "cause", err.Error())
		}
	}
	workers.Wait()
}

// worker publishes every n-th partition, one batch at a time, until ctx ends
// or the topic is gone.
func (p *Publisher) worker(ctx context.Context, first int) {
	changed, end := p.o.Ledger.Subscribe()
	defer end()
	for ctx.Err() == nil {
		busy, failed := false, false
		for n := first; n < len(p.position); n += p.o.Workers {
			published, err := p.batch(ctx, n)
			if err != nil {
				p.failed(ctx, "publishing", err)
				if errors.Is(err, kafka.UnknownTopicOrPartition) {
					return
				}
				failed = true // the other partitions may fare better
			}
			busy = busy || published
		}
		if failed {
			stream.Sleep(ctx, p.o.Pause)
			continue
		}
		if busy {
			continue
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-time.After(time.Second):
		}
	}
}

// batch publishes the next records of a partition, if there are any, after
// the profiles they have changed.
func (p *Publisher) batch(ctx context.Context, partition int) (published bool, err error) {
	at := p.position[partition].Load()
	if p.o.Ledger.Synced(partition) <= at {
		return false, nil
	}
	records, err := stream.ReadChunk(p.o.Ledger, partition, at, p.o.BatchRecords, p.o.BatchBytes)
	if err != nil {
		return false, err
	}
	if len(records) == 0 || records[0].ID.Sequence() != at+1 {
		return false, fmt.Errorf("the journal of partition %d does not go on after %d", partition, at)
	}
	start := time.Now()
	out := make([]kafka.Record, len(records))
	for i := range records {
		if err := p.publishProfile(ctx, &records[i]); err != nil {
			return false, err
		}
		e := stream.Envelope{Store: p.o.Store, ID: records[i].ID}
		out[i] = stream.NewRecord(stream.RecordKey(e.ID), records[i].Data, e)
	}
	err = p.call(ctx, func(ctx context.Context) error { return p.journal.Produce(ctx, partition, out) })
	if err != nil {
		return false, err
	}
	p.position[partition].Store(records[len(records)-1].ID.Sequence())
	p.m.published(len(records), time.Since(start))
	if p.Trouble() != nil {
		p.setTrouble(nil)
	}
	return true, nil
}

// publishProfile brings the account's current profile to the compacted topic,
// or a tombstone when there is none, if the record goes with a change of it.
func (p *Publisher) publishProfile(ctx context.Context, r *stream.Record) error {
	profile, ok, err := stream.ProfileOf(p.o.Ledger, r)
	if err != nil || !ok {
		return err
	}
	var value []byte
	if profile.Sealed != nil {
		value = stream.AppendProfile(nil, &profile)
	}
	record := stream.NewRecord(stream.ProfileKey(profile.Account), value, stream.Envelope{Store: p.o.Store, ID: r.ID})
	to := stream.ProfilePartition(profile.Account, p.o.Ledger.Partitions())
	return p.call(ctx, func(ctx context.Context) error {
		return p.profiles.Produce(ctx, to, []kafka.Record{record})
	})
}
