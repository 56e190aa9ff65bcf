package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tillgate/protocol"
)

// Parts are what a gateway is put together with.
type Parts struct {
	Switch Switch
	// Office may be nil: then exports and shift closings answer 503.
	Office Office
	// WhatIf may be nil: then drafts can't be replayed (503).
	WhatIf WhatIf
	Checks []Check
	// Schema is the JSON Schema of the programme document.
	Schema []byte
	// Registry gets the gateway's metrics and is what /metrics shows; nil for
	// one of its own.
	Registry *prometheus.Registry
	// Logger gets what an operator should know; never anything of a request.
	Logger *slog.Logger
	// Zone is the time zone in which a store's till writes DE12 and DE13.
	// Nil, or a nil answer, is UTC.
	Zone func(merchant, store string) *time.Location
}

// Gateway is both edges. Make one with New, Listen, then Run it.
type Gateway struct {
	options  Options
	parts    Parts
	log      *slog.Logger
	registry *prometheus.Registry
	meters   *meters
	gate     gate
	stopping atomic.Bool

	access       atomic.Pointer[access]
	reloading    sync.Mutex
	certificates []*certificates // of the listeners with TLS

	http         *httpEdge
	isoAdmission *admission
	iso          []*isoEdge

	httpListener net.Listener
}

// New checks the options and puts a gateway together. It doesn't listen yet.
func New(o Options, p Parts) (*Gateway, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	g := &Gateway{options: o, parts: p, log: p.Logger, registry: p.Registry, meters: newMeters()}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	if g.registry == nil {
		g.registry = prometheus.NewRegistry()
	}
	who, err := newAccess(&o)
	if err != nil {
		return nil, err
	}
	g.access.Store(who)
	g.gate.limit = int64(o.Limits.InFlight)
	g.http = newHTTPEdge(g)
	g.isoAdmission = newAdmission(o.ISO.Connections, o.ISO.PerAddress, func(why string) {
		g.meters.refused.WithLabelValues(edgeNames[protocol.EdgeISO], why).Inc()
	})
	for _, l := range o.listeners() {
		e, err := newISOEdge(g, l)
		if err != nil {
			return nil, err
		}
		g.iso = append(g.iso, e)
	}
	if err := g.register(g.registry); err != nil {
		return nil, fmt.Errorf("register the gateway's metrics: %w", err)
	}
	g.http.metrics = metricsHandler(g.registry)
	return g, nil
}

// Listen binds every address, so that a caller knows them (port 0) and the
// first client may come before Run. On an error nothing is left bound.
func (g *Gateway) Listen() error {
	if g.options.HTTP.Listen != "" {
		ln, err := g.http.listen()
		if err != nil {
			return err
		}
		g.httpListener = ln
	}
	for _, e := range g.iso {
		if err := e.listen(); err != nil {
			g.closeListeners()
			return err
		}
	}
	return nil
}

func (g *Gateway) closeListeners() {
	if g.httpListener != nil {
		g.httpListener.Close()
	}
	for _, e := range g.iso {
		if e.listener != nil {
			e.listener.Close()
		}
	}
}

// HTTPAddr is the address of the HTTP listener after Listen, "" for none.
func (g *Gateway) HTTPAddr() string {
	if g.httpListener == nil {
		return ""
	}
	return g.httpListener.Addr().String()
}

// ISOAddrs are the addresses of the ISO listeners after Listen.
func (g *Gateway) ISOAddrs() []string {
	var all []string
	for _, e := range g.iso {
		if e.listener != nil {
			all = append(all, e.listener.Addr().String())
		}
	}
	return all
}

// Run serves until ctx ends, then stops: nothing new is accepted, answers in
// flight go out, connections are closed. It takes at most the stop timeout
// and returns what did not end by itself as an error.
func (g *Gateway) Run(ctx context.Context) error {
	if g.httpListener == nil && len(g.iso) == 0 {
		return errors.New("nothing to listen on: http.listen and iso.listen are both empty")
	}
	failed := make(chan error, 1+len(g.iso))
	if g.httpListener != nil {
		go func() { failed <- g.http.server.Serve(g.httpListener) }()
	}
	for _, e := range g.iso {
		go func() { failed <- e.serve() }()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
		if err == nil {
			err = errors.New("a listener ended by itself")
		}
	}
	return errors.Join(err, g.stop())
}

// stop is the end of Run. Order: first the gate, so that what still comes in
// on open connections is told to go elsewhere; then both edges side by side,
// each of which waits for its own answers in flight.
func (g *Gateway) stop() error {
	g.stopping.Store(true)
	g.gate.closed.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), g.options.Limits.StopTimeout)
	defer cancel()
	ended := make(chan error, 1+len(g.iso))
	go func() {
		if g.httpListener == nil {
			ended <- nil
			return
		}
		ended <- g.http.stop(ctx)
	}()
	for _, e := range g.iso {
		go func() { ended <- e.stop(ctx) }()
	}
	var err error
	for range cap(ended) {
		err = errors.Join(err, <-ended)
	}
	if err != nil {
		return fmt.Errorf("stop the gateway: %w", err)
	}
	return nil
}

// secure puts TLS over a listener where a configuration asks for it.
func secure(ln net.Listener, conf *tls.Config) net.Listener {
	if conf == nil {
		return ln
	}
	return tls.NewListener(ln, conf)
}

func isErr(err, target error) bool { return errors.Is(err, target) }

func asErr[T any](err error, target *T) bool { return errors.As(err, target) }

var _ io.Closer = (*boundedConn)(nil)
