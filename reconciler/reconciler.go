// Package reconciler is everything behind the reply: it brings the journal to
// Kafka (package publish) and into PostgreSQL (package project), writes
// exports from there (package export), carries out grants to segments and
// reminders (package campaign), and proves that ledger and PostgreSQL hold the
// same.
//
// Tills wait for none of it. Kafka and PostgreSQL may be away for as long as
// they like; what they lack stays in the ledger and is taken up when they are
// back. See docs/stream.md.
package reconciler

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tillgate/ledger"
	"tillgate/protocol"
	"tillgate/reconciler/campaign"
	"tillgate/reconciler/desk"
	"tillgate/reconciler/export"
	"tillgate/reconciler/project"
	"tillgate/reconciler/publish"
	"tillgate/reconciler/stream"
)

// Parts are what the reconciler works with.
type Parts struct {
	Ledger *ledger.Ledger
	// Submit hands an exchange to the switch; shifts are matched there.
	Submit     func(*protocol.Exchange)
	Logger     *slog.Logger
	Registerer prometheus.Registerer // nil: no metrics
	// WhatIf replays drafts for the command line; nil: it can't.
	WhatIf WhatIf
	// Programs are what segments, grants and reminders go by; nil: there are none.
	Programs campaign.Programs
	// Terms are a merchant's zone and the value of its points, for reports; nil:
	// UTC, and a point is worth one unit of money.
	Terms func(merchant string) export.Terms
	// Directories are what an export of everything holds of stores, products and
	// the like; nil: nothing.
	Directories Directories
	// Desk is the directory of the socket for the command line (package desk);
	// "" opens none.
	Desk string
}

// Directories is who knows a merchant's directories: their names, and each as
// lines of JSON.
type Directories interface {
	Directories() []string
	WriteDirectory(w io.Writer, merchant, name string) error
}

// Reconciler is the assembly that a server runs.
type Reconciler struct {
	o         Options
	parts     Parts
	publisher *publish.Publisher // nil: the stream stays in process

	mu        sync.Mutex
	dsn       string
	projector *project.Projector // nil until PostgreSQL is configured
	campaigns *campaign.Service  // nil until then, or without programmes
	connected chan struct{}      // closed when it is
	starting  atomic.Bool        // a database is on its way

	// What offices ask about campaigns reads the ledger: it ends before Run does.
	ending    context.Context
	end       context.CancelFunc
	ended     bool
	questions sync.WaitGroup
}

// New puts the reconciler together. Nothing outside is touched before Run.
func New(o Options, parts Parts) (*Reconciler, error) {
	if parts.Logger == nil {
		parts.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Reconciler{o: o, parts: parts, connected: make(chan struct{})}
	r.ending, r.end = context.WithCancel(context.Background())
	if len(o.Kafka.Brokers) > 0 {
		var err error
		r.publisher, err = publish.New(publish.Options{
			Ledger: parts.Ledger, Store: StoreID(parts.Ledger), Brokers: o.Kafka.Brokers,
			Topic: o.Kafka.Topic, ProfileTopic: o.Kafka.ProfileTopic, Replication: o.Kafka.Replication,
			Logger: parts.Logger, Registerer: parts.Registerer,
		})
		if err != nil {
			return nil, err
		}
	}
	if o.Postgres != "" {
		return r, r.Connect(o.Postgres)
	}
	return r, nil
}

// StoreID tells ledgers apart in topics and databases. It is derived from the
// store's secret, and tells nothing about it.
func StoreID(l *ledger.Ledger) string {
	k := l.Hash("stream")
	return hex.EncodeToString(k[:])
}

// Connect names the reporting database where the options did not: a server
// that starts a PostgreSQL of its own knows it only later. Once is enough.
func (r *Reconciler) Connect(dsn string) error {
	config, err := project.Config(dsn)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.projector != nil {
		return errors.New("a reporting database is connected already")
	}
	r.dsn = dsn
	r.projector = project.New(project.Options{
		Config: config, Store: StoreID(r.parts.Ledger), Partitions: r.parts.Ledger.Partitions(),
		Source: r.source(), Open: r.parts.Ledger.OpenProfile, Synced: r.parts.Ledger.Synced, First: r.parts.Ledger.First, Booked: r.booked,
		BatchRecords: r.o.Batch, Logger: r.parts.Logger, Registerer: r.parts.Registerer,
	})
	if r.parts.Programs != nil {
		r.campaigns = campaign.New(campaign.Options{
			Ledger: r.parts.Ledger, Programs: r.parts.Programs, Submit: r.parts.Submit, Config: config.Copy(),
			Current: func(ctx context.Context) error {
				_, err := r.current(ctx)
				return err
			},
			Logger: r.parts.Logger, Registerer: r.parts.Registerer, Rate: r.o.Campaigns.Rate, Late: r.o.Campaigns.Late, Remind: r.o.Campaigns.Remind,
		})
	}
	close(r.connected)
	return nil
}

// Await says that a reporting database is starting, and will be named by
// Connect; Await(false) that none will come.
func (r *Reconciler) Await(starting bool) { r.starting.Store(starting) }

// without is why there is no reporting database.
func (r *Reconciler) without() error {
	if r.starting.Load() {
		return errStarting
	}
	return errNoDatabase
}

// booked is the booking time of a record, 0 if the ledger has none of that id.
func (r *Reconciler) booked(id ledger.OpID) (int64, error) {
	var op ledger.Operation
	found, err := r.parts.Ledger.Operation(id, &op)
	if err != nil || !found {
		return 0, err
	}
	return op.Time, nil
}

// source is the way of the journal to the projector.
func (r *Reconciler) source() project.Source {
	if r.publisher == nil {
		return &project.JournalSource{Ledger: r.parts.Ledger}
	}
	client := stream.Client(r.o.Kafka.Brokers, 10*time.Second, nil)
	return &project.KafkaSource{
		Journal:  stream.Topic{Client: client, Name: r.o.Kafka.Topic},
		Profiles: stream.Topic{Client: client, Name: r.o.Kafka.ProfileTopic},
		Store:    StoreID(r.parts.Ledger), Partitions: r.parts.Ledger.Partitions(), Logger: r.parts.Logger,
	}
}

// Run publishes and projects until ctx ends. It must have returned before the
// ledger is closed.
func (r *Reconciler) Run(ctx context.Context) {
	var work sync.WaitGroup
	if r.publisher != nil {
		work.Go(func() { r.publisher.Run(ctx) })
	}
	work.Go(func() {
		select {
		case <-ctx.Done():
		case <-r.connected:
			r.projector.Run(ctx)
		}
	})
	work.Go(func() {
		select {
		case <-ctx.Done():
		case <-r.connected:
			if r.campaigns != nil {
				r.campaigns.Run(ctx)
			}
		}
	})
	if r.parts.Desk != "" {
		work.Go(func() {
			if err := desk.Run(ctx, r.parts.Desk, r, r.parts.Logger); err != nil {
				r.parts.Logger.Error("the command line can't ask this server: backup and export need it to be stopped", "cause", err.Error())
			}
		})
	}
	work.Wait()
	r.mu.Lock()
	r.ended = true
	r.mu.Unlock()
	r.end()
	r.questions.Wait()
}

// Followers are who reads the journal and how far each has come: nothing that
// one of them still needs may be dropped. A database that is expected and has
// not been connected yet holds everything.
func (r *Reconciler) Followers(expected bool) []ledger.Follower {
	database := ledger.Follower{Name: "postgresql", Positions: func() ([]uint64, error) {
		r.mu.Lock()
		p := r.projector
		r.mu.Unlock()
		if p == nil {
			return nil, errNoDatabase
		}
		return p.Kept()
	}}
	var all []ledger.Follower
	if r.publisher != nil {
		all = append(all, ledger.Follower{Name: "kafka", Positions: r.publisher.Kept})
	}
	if expected || r.o.Postgres != "" {
		all = append(all, database)
	}
	return all
}

// CloseShift answers a shift's close. The matching is a decision like others:
// it has a duplicate key and a record, so the switch makes it.
func (r *Reconciler) CloseShift(x *protocol.Exchange) { r.parts.Submit(x) }

// Postgres is what a health check tells of the projection: nil when it goes on.
func (r *Reconciler) Postgres() error {
	r.mu.Lock()
	p := r.projector
	r.mu.Unlock()
	if p == nil {
		return r.without()
	}
	if _, known := p.Lag(); !known || p.Trouble() != nil {
		return errUnreachable
	}
	return nil
}

// Kafka is what a health check tells of the publisher: nil when it goes on, or
// when the stream stays in process.
func (r *Reconciler) Kafka() error {
	if r.publisher == nil || r.publisher.Trouble() == nil {
		return nil
	}
	return errBrokers
}
