package gateway

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tillgate/protocol"
)

// edgeCount is the number of edges, and of the values of the label "edge".
const edgeCount = 2

var edgeNames = [edgeCount]string{protocol.EdgeHTTP: "http", protocol.EdgeISO: "iso"}

// Why a connection ended that we would rather have kept.
const (
	endTimeout   = "timeout"   // a request or frame that did not come in whole
	endMalformed = "malformed" // bytes that are no request
	endTLS       = "tls"       // the handshake failed
)

// meters are the gateway's metrics. Every label is of a closed set: edge,
// call, code and the reasons above. Nothing that a client sends becomes a
// label, so no client can make the series grow.
//
// A request costs two atomic additions and one histogram: the children are
// found by index, not by hashing label values, and made when first used, so
// that a scrape shows only what has happened.
type meters struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	shed     *prometheus.CounterVec
	refused  *prometheus.CounterVec
	ended    *prometheus.CounterVec
	replayed *prometheus.CounterVec

	counters [edgeCount][protocol.CallCount][codeBound]atomic.Pointer[prometheus.Counter]
	timers   [edgeCount][protocol.CallCount]atomic.Pointer[prometheus.Observer]
}

// codeBound is above every protocol.Code.
const codeBound = 64

func newMeters() *meters {
	return &meters{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tillgate_requests_total", Help: "Requests answered, by edge, call and outcome."},
			[]string{"edge", "call", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "tillgate_request_seconds",
			Help:    "Time from the whole request to its answer, by edge and call.",
			Buckets: []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .5, 1, 5},
			// Native buckets 10 % apart: percentiles that are worth looking at.
			NativeHistogramBucketFactor:     1.1,
			NativeHistogramMaxBucketNumber:  160,
			NativeHistogramMinResetDuration: time.Hour,
		}, []string{"edge", "call"}),
		shed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tillgate_shed_total", Help: "Requests refused by the gateway's own bounds, by edge and outcome."},
			[]string{"edge", "code"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tillgate_connections_refused_total", Help: "Connections over a bound, by edge and by which bound."},
			[]string{"edge", "bound"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tillgate_connections_ended_total", Help: "Connections ended by the gateway, by edge and reason."},
			[]string{"edge", "why"}),
		replayed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tillgate_replayed_total", Help: "Answers given again to a repeated request, by edge."},
			[]string{"edge"}),
	}
}

// register adds the meters and two gauges to a registry.
func (g *Gateway) register(r prometheus.Registerer) error {
	gauges := []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "tillgate_in_flight", Help: "Requests in flight over both edges."},
			func() float64 { return float64(g.gate.flying.Load()) }),
		g.connectionGauge(protocol.EdgeHTTP, g.http.admission),
		g.connectionGauge(protocol.EdgeISO, g.isoAdmission),
	}
	m := g.meters
	for _, c := range append(gauges, m.requests, m.seconds, m.shed, m.refused, m.ended, m.replayed) {
		if err := r.Register(c); err != nil {
			return err
		}
	}
	return nil
}

func (g *Gateway) connectionGauge(edge protocol.Edge, a *admission) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tillgate_connections", Help: "Open connections, by edge.",
		ConstLabels: prometheus.Labels{"edge": edgeNames[edge]},
	}, func() float64 { return float64(a.count()) })
}

// done counts one answered request and, with a start, its time.
func (m *meters) done(edge protocol.Edge, call protocol.Call, r *protocol.Response, start time.Time) {
	if call >= protocol.CallCount {
		call = protocol.CallUnknown
	}
	m.counter(edge, call, r.Code).Inc()
	if !start.IsZero() {
		m.timer(edge, call).Observe(time.Since(start).Seconds())
	}
	if r.Replayed {
		m.replayed.WithLabelValues(edgeNames[edge]).Inc()
	}
}

func (m *meters) counter(edge protocol.Edge, call protocol.Call, code protocol.Code) prometheus.Counter {
	if code >= codeBound {
		code = protocol.Internal
	}
	place := &m.counters[edge][call][code]
	if c := place.Load(); c != nil {
		return *c
	}
	c := m.requests.WithLabelValues(edgeNames[edge], call.String(), code.String())
	place.Store(&c)
	return c
}

func (m *meters) timer(edge protocol.Edge, call protocol.Call) prometheus.Observer {
	place := &m.timers[edge][call]
	if o := place.Load(); o != nil {
		return *o
	}
	o := m.seconds.WithLabelValues(edgeNames[edge], call.String())
	place.Store(&o)
	return o
}
