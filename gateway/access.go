package gateway

import (
	"crypto/tls"
	"errors"
	"fmt"
	"sync/atomic"

	"tillgate/protocol/iso8583"
)

// access is who may come: API keys, terminals and their MAC keys. It never
// changes; a reload puts another one in its place, and whoever is being served
// meanwhile is served by the one that he was let in by.
type access struct {
	keys  *keyring
	tills map[string]*Terminal // empty: any terminal may come
	ring  *iso8583.Keyring
}

func newAccess(o *Options) (*access, error) {
	ring, err := newRing(o.Terminals)
	if err != nil {
		return nil, err
	}
	a := &access{keys: newKeyring(o.Keys), tills: make(map[string]*Terminal, len(o.Terminals)), ring: ring}
	for i := range o.Terminals {
		t := o.Terminals[i]
		a.tills[t.ID] = &t
	}
	return a, nil
}

// Reload puts the API keys, terminals and MAC keys of o in the place of those
// in use and reads the certificate files of every listener again, while
// requests are served: each is judged by the old or by the new ones, none by a
// mixture. Nothing else of o is looked at; it must be valid as a whole with the
// listeners that there are. On an error all stays as it was.
//
// What was changed is logged by name, so that nobody is let in or kept out
// without a trace.
func (g *Gateway) Reload(o Options) error {
	g.reloading.Lock()
	defer g.reloading.Unlock()
	next := g.options
	next.Keys, next.Terminals = o.Keys, o.Terminals
	if err := next.Validate(); err != nil {
		return err
	}
	fresh, err := newAccess(&next)
	if err != nil {
		return err
	}
	var faults []error
	for _, l := range g.certificates {
		faults = append(faults, l.read())
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("nothing was changed: %w", err)
	}
	added, removed, changed := keyChanges(g.options.Keys, next.Keys)
	for _, l := range g.certificates {
		l.take()
	}
	g.access.Store(fresh)
	g.options.Keys, g.options.Terminals = next.Keys, next.Terminals
	g.log.Info("who may come has been read again", "keys", len(next.Keys), "added", added, "removed", removed, "changed", changed,
		"terminals", len(next.Terminals), "listeners with TLS", len(g.certificates))
	return nil
}

// keyChanges are the names of the API keys that differ.
func keyChanges(old, fresh []Key) (added, removed, changed []string) {
	before := map[string]string{}
	for _, k := range old {
		before[k.Name] = fmt.Sprint(k)
	}
	for _, k := range fresh {
		was, known := before[k.Name]
		switch {
		case !known:
			added = append(added, k.Name)
		case was != fmt.Sprint(k):
			changed = append(changed, k.Name)
		}
		delete(before, k.Name)
	}
	for _, k := range old {
		if _, gone := before[k.Name]; gone {
			removed = append(removed, k.Name)
		}
	}
	return added, removed, changed
}

// certificates are a listener's TLS files as they were last read. A handshake
// takes what is current at its beginning; connections that are open keep what
// they were made with.
type certificates struct {
	path    string // of the listener's settings
	options TLSOptions
	current atomic.Pointer[tls.Config]
	next    *tls.Config // read and not taken yet
}

// certify reads the files of a listener, for [Gateway.Reload] to read again;
// nil for a plain one.
func (g *Gateway) certify(path string, o TLSOptions) (*tls.Config, error) {
	c := &certificates{path: path, options: o}
	if err := c.read(); err != nil || c.next == nil {
		return nil, err
	}
	c.take()
	g.certificates = append(g.certificates, c)
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.current.Load(), nil },
	}, nil
}

func (c *certificates) read() (err error) {
	if c.next, err = c.options.load(); err != nil {
		return fmt.Errorf("%s: %w", c.path, err)
	}
	return nil
}

func (c *certificates) take() {
	c.current.Store(c.next)
	c.next = nil
}
