package trial

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tillgate/bench/report"
)

// catchUpTime bounds how long the stream may take to catch up after a load.
const catchUpTime = 5 * time.Minute

// followStream loads the server closed while Kafka and PostgreSQL follow on
// the same processors, then leaves it alone until they have caught up.
func (t *trial) followStream(ctx context.Context) error {
	if t.Databases == nil || t.Kafka == "" {
		return fmt.Errorf("the stream needs PostgreSQL and Kafka: %s", t.NoDatabases)
	}
	t.settings(fmt.Sprintf("a day of %q: %s", t.Day.Name, t.Day.Members))
	dsn, err := t.Databases(ctx)
	if err != nil {
		return err
	}
	alone, err := t.openShop(ctx, "alone", t.Members, holdsEnv)
	if err != nil {
		return err
	}
	with, err := t.openShop(ctx, "server", t.Members, holdsEnv, "TILLGATE_POSTGRES="+dsn, "TILLGATE_KAFKA_BROKERS="+t.Kafka)
	if err != nil {
		return err
	}
	if _, err := t.caughtUp(ctx, with); err != nil {
		return err
	}
	for r := range t.Repeats {
		if err := t.sync(r); err != nil {
			return err
		}
		var without report.Series
		for _, x := range t.dayRuns(alone) {
			x.name += ", no stream"
			if _, err := t.measure(ctx, step(r), x); err != nil {
				return err
			}
			without = append(without, last(t.rates(x.name)))
			if err := t.void(ctx, alone); err != nil {
				return err
			}
		}
		for i, x := range t.dayRuns(with) {
			edge := x.edge.name
			x.name += ", stream follows"
			if err := t.follow(ctx, r, x); err != nil {
				return err
			}
			t.figure(edge+": throughput while the stream follows ÷ without a stream", "", last(t.rates(x.name))/without[i])
		}
	}
	return t.proveAll(ctx)
}

// follow runs one load and waits until the stream has caught up.
func (t *trial) follow(ctx context.Context, r int, x run) error {
	watch := &report.Watch{Name: fmt.Sprintf("%s, repeat %d", x.name, r+1)}
	t.rep.Watches = append(t.rep.Watches, watch)
	stop := t.watch(ctx, x.shop, watch)
	before, err := x.shop.metrics(ctx)
	if err != nil {
		return stop(err)
	}
	begun := time.Now()
	if _, err := t.measure(ctx, step(r), x); err != nil {
		return stop(err)
	}
	loaded := time.Since(begun).Seconds()
	after, err := x.shop.metrics(ctx)
	if err != nil {
		return stop(err)
	}
	watch.LoadEnd = loaded
	left := time.Now()
	end, err := t.caughtUp(ctx, x.shop)
	if err := stop(err); err != nil {
		return err
	}
	// What was recorded while it was loaded: what came through meanwhile, and
	// what was left to do.
	for _, s := range []struct{ name, records, lag string }{
		{"published to Kafka", publishedMetric, publishLagMetric}, {"projected into PostgreSQL", projectedMetric, projectLagMetric},
	} {
		recorded := (after[s.records] + after[s.lag] - before[s.records] - before[s.lag]) / loaded
		through := (after[s.records] - before[s.records]) / loaded
		t.figure(x.edge.name+": "+s.name+" while loaded", "records/s", through)
		t.figure(x.edge.name+": "+s.name+" while loaded ÷ recorded", "", through/recorded)
		t.figure(x.edge.name+": "+s.name+": lag at the end of the load", "records", after[s.lag])
	}
	t.figure(x.edge.name+": caught up after the load's end", "s", end.Sub(left).Seconds())
	return t.void(ctx, x.shop)
}

// caughtUp waits until everything is in Kafka and PostgreSQL.
func (t *trial) caughtUp(ctx context.Context, s *shop) (time.Time, error) {
	t.Step("catching up", t.Length)
	deadline := time.Now().Add(catchUpTime)
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		m, err := s.metrics(ctx)
		if err != nil {
			return time.Now(), err
		}
		behind := m[publishLagMetric] + m[projectLagMetric]
		if m[projectLagMetric] == 0 && behind == 0 {
			tick.Stop()
			return time.Now(), nil
		}
		t.live("%.0f records behind", behind)
		if time.Now().After(deadline) {
			return time.Now(), errors.New("the stream does not catch up")
		}
		select {
		case <-ctx.Done():
			return time.Now(), ctx.Err()
		case <-tick.C:
		}
	}
}
