package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
)

// loopback reports whether an address to listen on is only reachable from
// this machine. A name counts only if it is "localhost": what another name
// resolves to may change after the check.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// validateListeners refuses an address that others can reach without the
// means to tell who they are.
func (o *Options) validateListeners() error {
	var faults []error
	if o.HTTP.Listen != "" && len(o.Keys) == 0 && !loopback(o.HTTP.Listen) {
		faults = append(faults, fmt.Errorf("http.listen: %s is not a loopback address and no keys are configured: "+
			"anybody could spend points; make a key with 'tillgate key' and put it under keys", o.HTTP.Listen))
	}
	faults = append(faults, o.HTTP.TLS.validate("http.tls"))
	for i, l := range o.listeners() {
		faults = append(faults, o.validateListener(listenerPath(o, i), l))
	}
	return errors.Join(faults...)
}

// listenerPath is the path of the i-th listener's settings in the document.
func listenerPath(o *Options, i int) string {
	if o.ISO.Listen == "" {
		return fmt.Sprintf("iso.listeners[%d]", i)
	}
	if i == 0 {
		return "iso"
	}
	return fmt.Sprintf("iso.listeners[%d]", i-1)
}

func (o *Options) validateListener(path string, l Listener) error {
	var faults []error
	if l.Listen == "" {
		faults = append(faults, fmt.Errorf("%s.listen: an address is missing, like 127.0.0.1:8583", path))
	} else if !loopback(l.Listen) && !l.RequireMAC && l.TLS.ClientCA == "" {
		faults = append(faults, fmt.Errorf("%s.listen: %s is not a loopback address: set %s.require_mac "+
			"(and terminals with keys) or %s.tls.client_ca, so that it is known who is asking", path, l.Listen, path, path))
	}
	if l.RequireMAC && !o.anyMAC() {
		faults = append(faults, fmt.Errorf("%s.require_mac: no terminal has a MAC key, so nothing could be accepted", path))
	}
	if _, err := l.Profile.Compile(); err != nil {
		faults = append(faults, fmt.Errorf("%s.profile.%w", path, err))
	}
	return errors.Join(append(faults, l.TLS.validate(path+".tls"))...)
}

func (o *Options) anyMAC() bool {
	for _, t := range o.Terminals {
		if len(t.MAC) > 0 {
			return true
		}
	}
	return false
}

func (t TLSOptions) validate(path string) error {
	switch {
	case t.Certificate == "" && (t.Key != "" || t.ClientCA != ""):
		return fmt.Errorf("%s.certificate: is missing beside key or client_ca", path)
	case t.Certificate != "" && t.Key == "":
		return fmt.Errorf("%s.key: is missing beside certificate", path)
	}
	return nil
}

// load reads the files of t; nil for a plain listener.
func (t TLSOptions) load() (*tls.Config, error) {
	if t.Certificate == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(t.Certificate, t.Key)
	if err != nil {
		return nil, fmt.Errorf("read the certificate: %w", err)
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	if t.ClientCA == "" {
		return c, nil
	}
	pem, err := os.ReadFile(t.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("read the client authorities: %w", err)
	}
	c.ClientCAs = x509.NewCertPool()
	if !c.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", t.ClientCA)
	}
	c.ClientAuth = tls.RequireAndVerifyClientCert
	return c, nil
}
