package gateway

import (
	"encoding/json"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttpadaptor"

	"tillgate/protocol"
)

// metricsHandler shows a registry. Native histograms go to scrapers that ask
// for the protobuf form; others get the classic buckets.
func metricsHandler(r *prometheus.Registry) fasthttp.RequestHandler {
	return fasthttpadaptor.NewFastHTTPHandler(promhttp.HandlerFor(r, promhttp.HandlerOpts{
		MaxRequestsInFlight: 4, // a scrape gathers everything: more at once only queue
		Registry:            r,
	}))
}

// ops answers the calls of those who operate the server.
func (h *httpEdge) ops(ctx *fasthttp.RequestCtx, call protocol.Call) {
	ctx.Response.Header.Set(fasthttp.HeaderCacheControl, "no-store")
	switch call {
	case protocol.CallHealth:
		ctx.SetContentType("application/json")
		ctx.SetBodyString(`{"status":"alive"}` + "\n")
	case protocol.CallReady:
		h.ready(ctx)
	case protocol.CallMetrics:
		h.metrics(ctx)
	case protocol.CallOpenAPI:
		ctx.SetContentType("application/yaml")
		ctx.Response.SetBodyRaw(protocol.OpenAPI)
	case protocol.CallProgramSchema:
		ctx.SetContentType("application/schema+json")
		ctx.Response.SetBodyRaw(h.gw.parts.Schema)
	}
}

// readiness is the body of /readyz.
type readiness struct {
	Ready  bool         `json:"ready"`
	Checks []checkState `json:"checks"`
}

// checkState is one check: Needed tells whether its failure makes the server
// unfit for tills.
type checkState struct {
	Name    string `json:"name"`
	OK      bool   `json:"ok"`
	Needed  bool   `json:"needed"`
	Because string `json:"because,omitempty"`
}

// ready says whether tills can be served: 200 or 503. What is not needed for
// that is listed, so that somebody notices.
func (h *httpEdge) ready(ctx *fasthttp.RequestCtx) {
	state := h.gw.ready()
	ctx.SetContentType("application/json")
	if !state.Ready {
		ctx.SetStatusCode(fasthttp.StatusServiceUnavailable)
		ctx.Response.Header.Set(fasthttp.HeaderRetryAfter, "1")
	}
	body, err := json.Marshal(state)
	if err != nil {
		ctx.SetStatusCode(fasthttp.StatusInternalServerError)
		return
	}
	ctx.SetBody(append(body, '\n'))
}

// ready is what /readyz answers.
func (g *Gateway) ready() readiness {
	state := readiness{Ready: !g.stopping.Load(), Checks: []checkState{}}
	if g.stopping.Load() {
		state.Checks = append(state.Checks, checkState{Name: "gateway", Needed: true, Because: "is stopping"})
	}
	for _, c := range g.parts.Checks {
		one := checkState{Name: c.Name, OK: true, Needed: c.Needed}
		if err := c.Probe(); err != nil {
			one.OK, one.Because = false, err.Error()
			state.Ready = state.Ready && !c.Needed
		}
		state.Checks = append(state.Checks, one)
	}
	return state
}
