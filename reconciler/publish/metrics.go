package publish

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	records  prometheus.Counter
	failures prometheus.Counter
	breaker  prometheus.Gauge
	seconds  prometheus.Histogram
}

func newMetrics(p *Publisher, r prometheus.Registerer) *metrics {
	m := &metrics{
		records: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tillgate_publish_records_total", Help: "Journal records that Kafka has acknowledged, repeats included.",
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tillgate_publish_failures_total", Help: "Failed exchanges with Kafka.",
		}),
		breaker: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tillgate_publish_breaker_open", Help: "1 while the circuit breaker before Kafka is open.",
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tillgate_publish_batch_seconds", Help: "From reading a batch to its acknowledgement.",
			NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100,
		}),
	}
	if r != nil {
		r.MustRegister(m.records, m.failures, m.breaker, m.seconds, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "tillgate_publish_lag_records", Help: "Synced journal records that Kafka has not acknowledged: what a lost disk would lose.",
		}, func() float64 { return float64(p.Lag()) }))
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

func (m *metrics) published(records int, took time.Duration) {
	m.records.Add(float64(records))
	m.seconds.Observe(took.Seconds())
}
