package project

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	records, repeats, batches, failures prometheus.Counter
	gaps, unreadable, profilesRefused   prometheus.Counter
	windows                             *prometheus.CounterVec
	breaker                             prometheus.Gauge
	seconds                             prometheus.Histogram
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: "tillgate_projection_" + name, Help: help})
}

func newMetrics(p *Projector, r prometheus.Registerer) *metrics {
	m := &metrics{
		records:         counter("records_total", "Journal records brought into PostgreSQL."),
		repeats:         counter("repeats_total", "Records that came again and were skipped."),
		batches:         counter("batches_total", "Committed transactions."),
		failures:        counter("failures_total", "Times that the projection had to pause."),
		gaps:            counter("gaps_total", "Gaps found in the stream; the partition stops until the records are there."),
		unreadable:      counter("unreadable_total", "Records that this version can't read; the partition stops."),
		profilesRefused: counter("profiles_refused_total", "Profiles that could not be opened."),
		windows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tillgate_projection_windows_total", Help: "Sealed windows by verdict on what was received.",
		}, []string{"verdict"}),
		breaker: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tillgate_projection_breaker_open", Help: "1 while the circuit breaker before PostgreSQL is open.",
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tillgate_projection_batch_seconds", Help: "Duration of the transactions.",
			NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100,
		}),
	}
	if r != nil {
		r.MustRegister(m.records, m.repeats, m.batches, m.failures, m.gaps, m.unreadable, m.profilesRefused, m.windows, m.breaker, m.seconds,
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "tillgate_projection_lag_records", Help: "Synced journal records that are not yet in PostgreSQL; -1 while that is unknown.",
			}, func() float64 {
				lag, ok := p.Lag()
				if !ok {
					return -1
				}
				return float64(lag)
			}))
	}
	return m
}

func (m *metrics) open(open bool) {
	if open {
		m.breaker.Set(1)
	} else {
		m.breaker.Set(0)
	}
}

func (m *metrics) batch(b *batch, took time.Duration) {
	m.records.Add(float64(b.records))
	m.repeats.Add(float64(b.repeats))
	m.batches.Inc()
	m.seconds.Observe(took.Seconds())
	for verdict, n := range b.verdicts {
		m.windows.WithLabelValues(verdict).Add(float64(n))
	}
}

func (m *metrics) stopped(err error) {
	var gap *GapError
	if errors.As(err, &gap) {
		m.gaps.Inc()
	} else {
		m.unreadable.Inc()
	}
}
