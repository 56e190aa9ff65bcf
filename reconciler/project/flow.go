package project

import (
	"context"
	"time"
)

// flow is a lane: it makes batches of what a source delivers of its partitions
// and commits them, one behind the other: while PostgreSQL works on one the next
// is decoded and gathered. Lanes share nothing: an account, with its records
// and profiles, belongs to one partition.
type flow struct {
	p          *Projector
	s          *state
	to         database
	deliveries chan Delivery

	flying    *batch // is being committed; nil if none is
	begun     time.Time
	committed chan error
}

// route hands deliveries over to the lanes of their partitions and blocks while
// a lane is busy.
func route(ctx context.Context, lanes []*flow) func(Delivery) error {
	send := func(partition int, d Delivery) error {
		select {
		case lanes[partition%len(lanes)].deliveries <- d:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return func(d Delivery) error {
		switch {
		case len(d.Records) > 0:
			return send(d.Records[0].ID.Partition(), d)
		case d.Next > 0:
			return send(d.ProfilePartition, d)
		}
		// Profiles of any partitions.
		parts := make([]Delivery, len(lanes))
		for _, p := range d.Profiles {
			to := &parts[p.AsOf.Partition()%len(lanes)]
			to.Profiles = append(to.Profiles, p)
		}
		for n, part := range parts {
			if err := send(n, part); err != nil {
				return err
			}
		}
		return nil
	}
}

// run projects until something fails, or ctx ends.
func (f *flow) run(ctx context.Context) (err error) {
	defer f.finish()
	for err == nil {
		select {
		case <-ctx.Done():
			err = ctx.Err()
		case d := <-f.deliveries:
			err = f.batch(ctx, d)
		case err = <-f.committed:
			err = f.landed(err)
		case <-f.s.retry():
			err = f.s.stuck()
		}
	}
	return err
}

// batch gathers what is there, up to the bounds, and begins to commit it when
// the batch before has been.
func (f *flow) batch(ctx context.Context, d Delivery) error {
	o := &f.p.o
	b := f.s.begin()
	linger := time.NewTimer(o.Linger)
	defer linger.Stop()
	for open := true; open; {
		f.p.accept(f.s, b, &d)
		if b.records >= o.BatchRecords || b.bytes >= o.BatchBytes {
			break
		}
		select {
		case d = <-f.deliveries:
		case <-linger.C:
			open = false
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if f.flying != nil {
		if err := f.landed(<-f.committed); err != nil {
			return err
		}
	}
	if b.empty() {
		return nil
	}
	b.close()
	f.flying, f.begun = b, time.Now()
	go func() { f.committed <- f.commit(ctx, b) }()
	return nil
}

func (f *flow) commit(ctx context.Context, b *batch) error {
	_, err := f.p.breaker.Execute(func() (struct{}, error) {
		ctx, cancel := context.WithTimeout(ctx, f.p.o.Timeout)
		defer cancel()
		return struct{}{}, f.to.commit(ctx, b)
	})
	return err
}

// landed takes note of a commit that has ended.
func (f *flow) landed(err error) error {
	b := f.flying
	f.flying = nil
	if err != nil {
		return err
	}
	f.p.m.batch(b, time.Since(f.begun))
	for _, m := range b.moves {
		f.p.projected[m.partition].Store(m.to)
	}
	f.p.tell()
	return nil
}

// finish waits for the commit under way, because its connection is about to
// be closed.
func (f *flow) finish() {
	if f.flying != nil {
		_ = f.landed(<-f.committed) // the next connection reads where it stands
	}
}
