package main

import (
	"github.com/cockroachdb/pebble/v2"
	"github.com/prometheus/client_golang/prometheus"

	"tillgate/ledger"
	"tillgate/processor"
)

// ledgerCollector shows the ledger's own counters to Prometheus. The ledger
// counts for itself, so that it depends on nothing.
type ledgerCollector struct{ ledger *ledger.Ledger }

func counterDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("tillgate_ledger_"+name, help, nil, nil)
}

var ledgerCounters = []struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(s *ledger.Stats) float64
}{
	{counterDesc("tasks_total", "Requests decided."), prometheus.CounterValue, func(s *ledger.Stats) float64 { return float64(s.Tasks) }},
	{counterDesc("batches_total", "Synced batches: tasks divided by batches is what one sync carries."), prometheus.CounterValue, func(s *ledger.Stats) float64 { return float64(s.Drains) }},
	{counterDesc("records_total", "Journal records written."), prometheus.CounterValue, func(s *ledger.Stats) float64 { return float64(s.Records) }},
	{counterDesc("shed_total", "Requests shed because a shard's queue was full or the disk low."), prometheus.CounterValue, func(s *ledger.Stats) float64 { return float64(s.Shed) }},
	{counterDesc("faults_total", "Requests that failed by our own fault; each is logged."), prometheus.CounterValue, func(s *ledger.Stats) float64 { return float64(s.Faults) }},
	{counterDesc("clock_jumps_total", "Jumps of the clock of more than a minute: an alert."), prometheus.CounterValue, func(s *ledger.Stats) float64 { return float64(s.ClockJumps) }},
	{counterDesc("hot_hits_total", "Accounts found decoded in memory."), prometheus.CounterValue, func(s *ledger.Stats) float64 { return float64(s.HotHits) }},
	{counterDesc("hot_misses_total", "Accounts that had to be read."), prometheus.CounterValue, func(s *ledger.Stats) float64 { return float64(s.HotMisses) }},
	{counterDesc("hot_ahead_total", "Of those that had to be read: read before their request came to its shard."), prometheus.CounterValue, func(s *ledger.Stats) float64 { return float64(s.HotAhead) }},
	{counterDesc("windows_total", "Windows of the journal sealed."), prometheus.CounterValue, func(s *ledger.Stats) float64 { return float64(s.Windows) }},
	{counterDesc("due_total", "Records of what fell due: holds, activations, lapses."), prometheus.CounterValue, func(s *ledger.Stats) float64 { return float64(s.Due) }},
	{counterDesc("transfers_total", "Transfers booked to the other account."), prometheus.CounterValue, func(s *ledger.Stats) float64 { return float64(s.Delivered) }},
	{counterDesc("transfers_parked_total", "Transfers parked for want of an account."), prometheus.CounterValue, func(s *ledger.Stats) float64 { return float64(s.Undeliverable) }},
	{counterDesc("stalls_total", "Times the store made writers wait."), prometheus.CounterValue, func(s *ledger.Stats) float64 { return float64(s.Stalls) }},
	{counterDesc("slow_disk_total", "Disk operations that took suspiciously long."), prometheus.CounterValue, func(s *ledger.Stats) float64 { return float64(s.SlowDisk) }},
	{counterDesc("background_errors_total", "Errors of the store's background work: an alert."), prometheus.CounterValue, func(s *ledger.Stats) float64 { return float64(s.BackgroundErrors) }},
	{counterDesc("dropped_ranges_total", "Ranges of the store dropped because they are older than their retention."), prometheus.CounterValue, func(s *ledger.Stats) float64 { return float64(s.DroppedRanges) }},
	{counterDesc("dropped_records_total", "Journal records in ranges that were dropped."), prometheus.CounterValue, func(s *ledger.Stats) float64 { return float64(s.DroppedRecords) }},
	{counterDesc("oldest_record_timestamp_seconds", "Booking time of the oldest journal record that is kept; 0 until it was looked for."), prometheus.GaugeValue, func(s *ledger.Stats) float64 { return float64(s.OldestRecord) / 1e9 }},
	{counterDesc("retention_held", "1 when a follower keeps journal records that are older than their retention: an alert."), prometheus.GaugeValue, func(s *ledger.Stats) float64 { return truth(s.Held) }},
	{counterDesc("warm", "1 when accounts and identifiers have been read into memory after the start, as far as there is room."), prometheus.GaugeValue, func(s *ledger.Stats) float64 { return truth(s.Warm) }},
	{counterDesc("queued", "Requests that wait before the shards."), prometheus.GaugeValue, func(s *ledger.Stats) float64 { return float64(s.Queued) }},
	{counterDesc("unsynced_batches", "Batches that wait for their sync."), prometheus.GaugeValue, func(s *ledger.Stats) float64 { return float64(s.Unsynced) }},
	{counterDesc("duplicate_filter", "1 when new requests are told from repeated ones in memory; 0 costs a read each."), prometheus.GaugeValue, func(s *ledger.Stats) float64 { return truth(s.Filter) }},
	{counterDesc("receipt_filter", "1 when new receipts are told from known ones in memory; 0 costs a read each."), prometheus.GaugeValue, func(s *ledger.Stats) float64 { return truth(s.Receipts) }},
	{counterDesc("l0_sublevels", "Layers of flushed tables that wait to be merged: merges begin at 8, at 64 all writers wait."), prometheus.GaugeValue, func(s *ledger.Stats) float64 { return float64(store(s).Levels[0].Sublevels) }},
	{counterDesc("compaction_debt_bytes", "What the store has to merge yet, estimated."), prometheus.GaugeValue, func(s *ledger.Stats) float64 { return float64(store(s).Compact.EstimatedDebt) }},
	{counterDesc("flushed_bytes_total", "Written to tables from memory."), prometheus.CounterValue, func(s *ledger.Stats) float64 { return float64(store(s).Levels[0].TableBytesFlushed) }},
	{counterDesc("merged_bytes_total", "Written to tables by merging others."), prometheus.CounterValue, func(s *ledger.Stats) float64 { m := store(s).Total(); return float64(m.TableBytesCompacted) }},
	{counterDesc("disk_low", "1 when nothing is accepted because the disk is nearly full."), prometheus.GaugeValue, func(s *ledger.Stats) float64 { return truth(s.DiskLow) }},
}

// store is what Pebble tells; zeros of a ledger that can't go on.
func store(s *ledger.Stats) *pebble.Metrics {
	if s.Pebble == nil {
		return &pebble.Metrics{}
	}
	return s.Pebble
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Describe is prometheus.Collector's.
func (ledgerCollector) Describe(out chan<- *prometheus.Desc) {
	for _, c := range ledgerCounters {
		out <- c.desc
	}
}

// Collect is prometheus.Collector's.
func (l ledgerCollector) Collect(out chan<- prometheus.Metric) {
	stats := l.ledger.Stats()
	for _, c := range ledgerCounters {
		out <- prometheus.MustNewConstMetric(c.desc, c.kind, c.value(&stats))
	}
}

// codeLocks show how often one-time codes were locked.
func codeLocks(s *processor.Switch) []prometheus.Collector {
	counter := func(by string, value func() uint64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "tillgate_code_locks_total", Help: "Times one-time codes were locked for too many wrong ones: an alert.",
			ConstLabels: prometheus.Labels{"by": by},
		}, func() float64 { return float64(value()) })
	}
	return []prometheus.Collector{
		counter("terminal", func() uint64 { terminal, _ := s.Locks(); return terminal }),
		counter("address", func() uint64 { _, address := s.Locks(); return address }),
	}
}
