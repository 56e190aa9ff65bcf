package reconciler

import (
	"errors"
	"fmt"
	"net"
	"time"

	"tillgate/reconciler/project"
)

// Options of the reconciler. The zero value keeps the stream in process and
// has no reporting database.
type Options struct {
	// Postgres is the connection string of the reporting database, as libpq
	// takes it. It may hold a password: it is in no log.
	Postgres string `key:"postgres" flag:"postgres" help:"connection string of the reporting database, like postgres://user:secret@host:5432/name; none: reports answer 503"`
	// Kafka is the way of the stream where brokers are named.
	Kafka Kafka `key:"kafka"`
	// Campaigns bound grants to segments, and reminders.
	Campaigns Campaigns `key:"campaigns"`
	// CatchUp is how long a report waits for the projection to reach what was
	// synced when it was asked for. 15 s.
	CatchUp time.Duration `key:"catch_up" help:"how long a report waits for the projection to catch up before it answers 503"`
	// Batch bounds the records of one transaction in PostgreSQL. 4,096.
	Batch int `key:"batch" help:"records that one transaction brings into PostgreSQL at most"`
}

// Kafka is where the stream goes.
type Kafka struct {
	Brokers []string `key:"brokers" flag:"kafka-brokers" help:"brokers of the stream, host:port each; none: the stream stays in process"`
	// Topic and ProfileTopic are this ledger's own: no other may write there.
	Topic        string `key:"topic" flag:"kafka-topic" help:"topic of the journal; it belongs to this ledger alone"`
	ProfileTopic string `key:"profile_topic" flag:"kafka-profile-topic" help:"compacted topic of the encrypted profiles"`
	Replication  int    `key:"replication" flag:"kafka-replication" help:"replicas of the topics where they are created"`
}

// Campaigns bound what grants to segments and reminders may take of the machine.
type Campaigns struct {
	// Rate is so low that tills don't notice: a durable adjustment costs as much
	// as an accrual. 200 per second.
	Rate int `key:"rate" help:"grants to members of segments that are given in a second at most"`
	// Late is how late a grant's moment is made up for. 72 h: a long weekend.
	Late time.Duration `key:"late" help:"how late the moment of a grant is made up for after the server or PostgreSQL was away; later it is told as missed"`
	// Remind is how often lapses are looked for. 5 min.
	Remind time.Duration `key:"remind" help:"how often points that are about to lapse are looked for"`
}

// DefaultOptions are the options with which a server starts.
func DefaultOptions() Options {
	return Options{
		CatchUp: 15 * time.Second, Batch: 4096,
		Campaigns: Campaigns{Rate: 200, Late: 72 * time.Hour, Remind: 5 * time.Minute},
		Kafka:     Kafka{Topic: "tillgate.journal", ProfileTopic: "tillgate.profiles", Replication: 1},
	}
}

// Validate says everything that is wrong, each fault with the path of its key.
func (o *Options) Validate() error {
	var faults []error
	fault := func(key, format string, args ...any) {
		faults = append(faults, fmt.Errorf(key+": "+format, args...))
	}
	if o.Postgres != "" {
		if _, err := project.Config(o.Postgres); err != nil {
			fault("postgres", "it is no connection string; one looks like postgres://user:secret@host:5432/name")
		}
	}
	for _, b := range o.Kafka.Brokers {
		if _, port, err := net.SplitHostPort(b); err != nil || port == "" {
			fault("kafka.brokers", "%q is no host:port", b)
		}
	}
	if len(o.Kafka.Brokers) > 0 && (o.Kafka.Topic == "" || o.Kafka.ProfileTopic == "" || o.Kafka.Topic == o.Kafka.ProfileTopic) {
		fault("kafka.topic", "two topics are wanted, one for the journal and one for the profiles")
	}
	if o.Kafka.Replication < 1 || o.Kafka.Replication > 100 {
		fault("kafka.replication", "1 to 100 is wanted")
	}
	if o.CatchUp < 100*time.Millisecond || o.CatchUp > 10*time.Minute {
		fault("catch_up", "100ms to 10m is wanted")
	}
	if o.Batch < 1 || o.Batch > 100_000 {
		fault("batch", "1 to 100000 is wanted")
	}
	if c := &o.Campaigns; c.Rate < 1 || c.Rate > 10_000 {
		fault("campaigns.rate", "1 to 10000 is wanted")
	}
	if c := &o.Campaigns; c.Late < time.Minute || c.Late > 31*24*time.Hour {
		fault("campaigns.late", "1m to 744h is wanted")
	}
	if c := &o.Campaigns; c.Remind < time.Second || c.Remind > 24*time.Hour {
		fault("campaigns.remind", "1s to 24h is wanted")
	}
	return errors.Join(faults...)
}
