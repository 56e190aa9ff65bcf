package campaign

import "github.com/prometheus/client_golang/prometheus"

// metrics are what an operator watches.
type metrics struct {
	members            *prometheus.CounterVec
	runs               *prometheus.CounterVec
	reminders, retries prometheus.Counter
	waiting            prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		members: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tillgate_campaign_grants_total", Help: "Grants to members of segments by what came of them.",
		}, []string{"outcome"}),
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tillgate_campaign_runs_total", Help: "Moments of grants by what came of them.",
		}, []string{"status"}),
		reminders: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tillgate_campaign_reminders_total", Help: "Reminders put into the outbox.",
		}),
		retries: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tillgate_campaign_retries_total", Help: "Grants that were asked for again because the switch had no time or failed.",
		}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tillgate_campaign_runs_open", Help: "Runs of grants that are under way.",
		}),
	}
	if r != nil {
		r.MustRegister(m.members, m.runs, m.reminders, m.retries, m.waiting)
	}
	return m
}
