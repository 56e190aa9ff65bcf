package project

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/reconciler/services/servicetest"
	"tillgate/reconciler/stream"
)

// A partition, and with it an account and its profile's place in the topic,
// must always belong to the same connection.
func TestConnectionsDividePartitions(t *testing.T) {
	for _, c := range []struct{ asked, partitions, want int }{
		{0, 64, 2}, {0, 1, 1}, {1, 64, 1}, {3, 64, 2}, {4, 64, 4}, {7, 64, 4}, {100, 64, 8}, {8, 5, 4}, {8, 3, 2},
	} {
		o := Options{Connections: c.asked, Partitions: c.partitions}
		o.defaults()
		require.Equal(t, c.want, o.Connections, c)
		for id := range ledger.AccountID(1000) {
			home := id.Partition(c.partitions)
			require.Equal(t, home%o.Connections, stream.ProfilePartition(id, c.partitions)%o.Connections, c)
		}
	}
}

func TestDeliveriesGoToTheLaneOfTheirPartition(t *testing.T) {
	lanes := []*flow{{deliveries: make(chan Delivery, 4)}, {deliveries: make(chan Delivery, 4)}}
	ctx, cancel := context.WithCancel(t.Context())
	send := route(ctx, lanes)
	record := func(partition int) stream.Record { return stream.Record{ID: ledger.NewOpID(partition, 7)} }
	profile := func(partition int) stream.Profile { return stream.Profile{AsOf: ledger.NewOpID(partition, 7)} }

	require.NoError(t, send(Delivery{Records: []stream.Record{record(3)}, Profiles: []stream.Profile{profile(3)}}))
	d := <-lanes[1].deliveries
	require.Len(t, d.Records, 1)
	require.Len(t, d.Profiles, 1, "a profile stays with its record")

	require.NoError(t, send(Delivery{Profiles: []stream.Profile{profile(4), profile(2)}, ProfilePartition: 2, Next: 9}))
	d = <-lanes[0].deliveries
	require.Len(t, d.Profiles, 2)
	require.EqualValues(t, 9, d.Next, "an offset moves with all that lies before it")

	require.NoError(t, send(Delivery{Profiles: []stream.Profile{profile(0), profile(1), profile(5), profile(6)}}))
	require.Equal(t, []stream.Profile{profile(0), profile(6)}, (<-lanes[0].deliveries).Profiles)
	require.Equal(t, []stream.Profile{profile(1), profile(5)}, (<-lanes[1].deliveries).Profiles)
	require.Empty(t, lanes[0].deliveries)
	require.Empty(t, lanes[1].deliveries)

	for range cap(lanes[0].deliveries) {
		require.NoError(t, send(Delivery{Records: []stream.Record{record(0)}}))
	}
	cancel()
	require.ErrorIs(t, send(Delivery{Records: []stream.Record{record(0)}}), context.Canceled, "nobody takes it any more")
}

// Two partitions of two connections wait at a gap; that one goes on does not
// hide the other.
func TestAGapIsToldUntilItsOwnPartitionGoesOn(t *testing.T) {
	dsn := servicetest.Database(t)
	j := newJournal(2)
	for i := range 20 {
		j.add(i%2, accrual(ledger.AccountID(i+1), fmt.Sprint(i), 1000))
	}
	chunk := func(p int) []stream.Record {
		d, err := (&JournalSource{Ledger: j}).chunk(p, 0)
		require.NoError(t, err)
		return d.Records
	}
	zero, one0 := chunk(0), chunk(1)
	script := &scripted{deliver: make(chan Delivery, 10)}
	o := options(t, dsn, j)
	o.Source, o.Again = script, time.Hour
	p := start(t, o)
	waits := func(partition int) {
		require.Eventually(t, func() bool {
			var gap *GapError
			return errors.As(p.Trouble(), &gap) && gap.Partition == partition
		}, wait, time.Millisecond)
	}
	script.deliver <- Delivery{Records: one0[3:]}
	waits(1)
	script.deliver <- Delivery{Records: zero[3:]}
	waits(0)
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	script.deliver <- Delivery{Records: zero}
	require.NoError(t, p.Wait(ctx, []uint64{10, 0}))
	waits(1)
	script.deliver <- Delivery{Records: one0}
	require.NoError(t, p.Wait(ctx, []uint64{10, 10}))
	require.NoError(t, p.Trouble())
	c := connect(t, dsn)
	require.EqualValues(t, 20, one[int64](t, c, "SELECT count(*) FROM operations"))
}
