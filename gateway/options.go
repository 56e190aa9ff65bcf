package gateway

import (
	"errors"
	"fmt"
	"time"
)

// Options are the gateway's settings. The zero value of a bound is not "no
// bound": start from [DefaultOptions].
type Options struct {
	HTTP      HTTPOptions `key:"http"`
	ISO       ISOOptions  `key:"iso"`
	Keys      []Key       `key:"keys" help:"API keys: a list of {name, hash, also, role, merchant, stores, terminals}; make one with 'tillgate key'"`
	Terminals []Terminal  `key:"terminals" help:"terminals known to the ISO listeners: a list of {id, store, merchant, mac}; with any configured an unknown one gets DE39 58"`
	Limits    Limits      `key:"limits"`
}

// HTTPOptions are the HTTP listener's settings.
type HTTPOptions struct {
	Listen        string        `key:"listen" flag:"http" help:"address of the HTTP listener; empty for none"`
	TLS           TLSOptions    `key:"tls"`
	MaxBody       int           `key:"max_body" help:"largest body in bytes; 256 KiB, which is also the most, holds a basket of 500 described lines; directories have a bound of their own"`
	MaxUpload     int           `key:"max_upload" help:"largest body of a directory (PUT /v1/products and the like) in bytes; 32 MiB, which is also the most, holds 100,000 described products"`
	Uploads       int           `key:"uploads" help:"directories larger than max_body that may be under way at the same time; each takes up to max_upload of memory, and as much for its rows"`
	MaxHeader     int           `key:"max_header" help:"largest request line with headers, in bytes"`
	ReadTimeout   time.Duration `key:"read_timeout" help:"a request must have come in whole within this time of its first byte"`
	UploadTimeout time.Duration `key:"upload_timeout" help:"a directory larger than max_body must have come in whole within this time of its headers"`
	WriteTimeout  time.Duration `key:"write_timeout" help:"an answer, or the next piece of an export, must have gone out within this time"`
	IdleTimeout   time.Duration `key:"idle_timeout" help:"a connection without a request is closed after this time"`
	Connections   int           `key:"connections" help:"connections of the HTTP listener in total"`
	PerAddress    int           `key:"connections_per_address" help:"connections of one address (IPv6: of one /64)"`
	Exports       int           `key:"exports" help:"exports and reports that may be streaming at the same time"`
}

// ISOOptions are the settings of the ISO 8583 listeners. Listen with its
// profile is the first listener; Listeners are further ones.
type ISOOptions struct {
	Listener     `key:",inline"`
	Listeners    []Listener    `key:"listeners" help:"further listeners: a list of {listen, profile, merchant, key, sign_on, require_mac, tls}"`
	FrameTimeout time.Duration `key:"frame_timeout" help:"a frame must have come in whole within this time of its first byte"`
	WriteTimeout time.Duration `key:"write_timeout" help:"answers must have gone out within this time"`
	IdleTimeout  time.Duration `key:"idle_timeout" help:"a connection that sends nothing, not even a keep-alive, is closed after this time"`
	Connections  int           `key:"connections" help:"connections of all ISO listeners in total"`
	PerAddress   int           `key:"connections_per_address" help:"connections of one address (IPv6: of one /64); a shop's tills often share one"`
	PerConn      int           `key:"in_flight_per_connection" help:"requests in flight on one connection; further frames wait in the socket"`
}

// Listener is one ISO 8583 listener.
type Listener struct {
	Listen     string     `key:"listen" flag:"iso" help:"address of the ISO 8583 listener; empty for none"`
	Profile    Profile    `key:"profile"`
	Merchant   string     `key:"merchant" help:"merchant of this listener's tills, where the terminal names none"`
	Key        string     `key:"key" help:"name of the API key whose idempotency keys DE48 06 shares"`
	SignOn     bool       `key:"sign_on" help:"a terminal must sign on (0800, DE70 001) before anything else"`
	RequireMAC bool       `key:"require_mac" help:"refuse messages without a MAC (DE39 63); needs terminals with keys"`
	TLS        TLSOptions `key:"tls"`
}

// Profile is an ISO listener's dialect, in words.
type Profile struct {
	Length     string `key:"length" help:"the frame's length: binary (2 bytes, big-endian), ascii (4 digits) or bcd (2 bytes)"`
	TPDU       bool   `key:"tpdu" help:"a 5-byte TPDU stands before each message"`
	BCD        bool   `key:"bcd" help:"numbers are packed two digits a byte"`
	HexBitmap  bool   `key:"hex_bitmap" help:"bitmaps are 16 hex digits"`
	LongBasket bool   `key:"long_basket" help:"DE62 has a four-digit length"`
	KeyByDE7   bool   `key:"key_by_de7" help:"the duplicate key takes DE7 in place of DE12 and DE13"`
}

// TLSOptions turn a listener into a TLS one; TLS 1.2 is the least.
type TLSOptions struct {
	Certificate string `key:"certificate" help:"file with the certificate chain (PEM); empty for a plain connection"`
	Key         string `key:"key" help:"file with the private key (PEM)"`
	ClientCA    string `key:"client_ca" help:"file with the authorities (PEM) whose client certificates are required; empty asks for none"`
}

// Terminal is a till that the ISO listeners know.
type Terminal struct {
	ID       string   `key:"id" help:"DE41"`
	Store    string   `key:"store" help:"DE42, where the message must or may name it"`
	Merchant string   `key:"merchant" help:"merchant; empty: the listener's"`
	MAC      []MACKey `key:"mac" help:"at most two live keys: {number, key}"`
}

// MACKey is one AES key of a terminal: 16, 24 or 32 bytes, in hex.
type MACKey struct {
	Number int    `key:"number" help:"as DE53 names it"`
	Key    Secret `key:"key" help:"AES key in hex: 32, 48 or 64 digits"`
}

// Secret is a setting that is never printed.
type Secret string

// String hides the secret, so that it can't reach a log by way of %v.
func (Secret) String() string { return "(hidden)" }

// GoString hides the secret from %#v too.
func (Secret) GoString() string { return "(hidden)" }

// Limits are the bounds over both edges.
type Limits struct {
	InFlight       int           `key:"in_flight" help:"requests in flight over both edges; what is over it is answered 91 / 503 at once"`
	RequestTimeout time.Duration `key:"request_timeout" help:"an HTTP call that the switch has not answered by then gets 503; its outcome stands under its key"`
	StopTimeout    time.Duration `key:"stop_timeout" help:"how long answers in flight may take to go out after a stop"`
}

// DefaultOptions are the settings of a till server on one machine, on
// loopback addresses. docs/configuration.md says why each bound is what it is.
func DefaultOptions() Options {
	return Options{
		HTTP: HTTPOptions{
			Listen:        "127.0.0.1:8080",
			MaxBody:       256 << 10,
			MaxUpload:     32 << 20,
			Uploads:       2,
			UploadTimeout: 2 * time.Minute,
			MaxHeader:     8 << 10,
			ReadTimeout:   10 * time.Second,
			WriteTimeout:  10 * time.Second,
			IdleTimeout:   75 * time.Second,
			Connections:   4096,
			PerAddress:    1024,
			Exports:       2,
		},
		ISO: ISOOptions{
			Listener:     Listener{Listen: "127.0.0.1:8583", Profile: Profile{Length: "binary"}},
			FrameTimeout: 5 * time.Second,
			WriteTimeout: 10 * time.Second,
			IdleTimeout:  30 * time.Minute,
			Connections:  4096,
			PerAddress:   1024,
			PerConn:      64,
		},
		Limits: Limits{
			InFlight:       4096,
			RequestTimeout: 10 * time.Second,
			StopTimeout:    12 * time.Second,
		},
	}
}

// bound is a setting that must lie within [min, max].
type bound struct {
	name     string
	value    int64
	min, max int64
}

// Validate says what is wrong with the settings, each fault with the path of
// its key.
func (o *Options) Validate() error {
	var faults []error
	for _, b := range o.bounds() {
		if b.value < b.min || b.value > b.max {
			faults = append(faults, fmt.Errorf("%s: %d is out of range (%d to %d)", b.name, b.value, b.min, b.max))
		}
	}
	for _, t := range o.timeouts() {
		if t.value < t.min || t.value > t.max {
			faults = append(faults, fmt.Errorf("%s: %v is out of range (%v to %v)", t.name,
				time.Duration(t.value), time.Duration(t.min), time.Duration(t.max)))
		}
	}
	faults = append(faults, o.validateKeys(), o.validateTerminals(), o.validateListeners())
	return errors.Join(faults...)
}

func (o *Options) bounds() []bound {
	return []bound{
		{"http.max_body", int64(o.HTTP.MaxBody), 1 << 10, 256 << 10},
		{"http.max_upload", int64(o.HTTP.MaxUpload), 256 << 10, 32 << 20},
		{"http.uploads", int64(o.HTTP.Uploads), 1, 64},
		{"http.max_header", int64(o.HTTP.MaxHeader), 1 << 10, 64 << 10},
		{"http.connections", int64(o.HTTP.Connections), 1, 1 << 20},
		{"http.connections_per_address", int64(o.HTTP.PerAddress), 1, 1 << 20},
		{"http.exports", int64(o.HTTP.Exports), 1, 64},
		{"iso.connections", int64(o.ISO.Connections), 1, 1 << 20},
		{"iso.connections_per_address", int64(o.ISO.PerAddress), 1, 1 << 20},
		{"iso.in_flight_per_connection", int64(o.ISO.PerConn), 1, 4096},
		{"limits.in_flight", int64(o.Limits.InFlight), 1, 1 << 20},
	}
}

func (o *Options) timeouts() []bound {
	const short, long = int64(time.Millisecond), int64(24 * time.Hour)
	return []bound{
		{"http.read_timeout", int64(o.HTTP.ReadTimeout), short, long},
		{"http.upload_timeout", int64(o.HTTP.UploadTimeout), short, long},
		{"http.write_timeout", int64(o.HTTP.WriteTimeout), short, long},
		{"http.idle_timeout", int64(o.HTTP.IdleTimeout), short, long},
		{"iso.frame_timeout", int64(o.ISO.FrameTimeout), short, long},
		{"iso.write_timeout", int64(o.ISO.WriteTimeout), short, long},
		{"iso.idle_timeout", int64(o.ISO.IdleTimeout), short, long},
		{"limits.request_timeout", int64(o.Limits.RequestTimeout), short, long},
		{"limits.stop_timeout", int64(o.Limits.StopTimeout), 0, int64(15 * time.Second)},
	}
}

// listeners are all ISO listeners that listen.
func (o *Options) listeners() []Listener {
	var all []Listener
	if o.ISO.Listen != "" {
		all = append(all, o.ISO.Listener)
	}
	return append(all, o.ISO.Listeners...)
}
