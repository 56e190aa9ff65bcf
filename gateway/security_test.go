package gateway

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/protocol"
	"tillgate/protocol/iso8583"
)

// withKeys configures a key of every role and returns their secrets by role.
func withKeys(o *Options) map[string]string {
	secrets := map[string]string{}
	for role := range roleNames {
		secret, hash := NewKey()
		o.Keys = append(o.Keys, Key{Name: role, Hash: hash, Role: role, Merchant: "m"})
		secrets[role] = secret
	}
	return secrets
}

// The matrix of docs/http.md, cell by cell over a real socket.
func TestTheMatrixOfRolesAndCalls(t *testing.T) {
	var secrets map[string]string
	e := start(t, func(o *Options, _ *Parts) { secrets = withKeys(o) })
	doc, err := os.ReadFile("../docs/http.md")
	require.NoError(t, err)
	roles, rows := []string(nil), 0
	for line := range strings.Lines(string(doc)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if len(cells) == 8 && cells[0] == "call" {
			roles = cells[2:]
		}
		method, path, ok := strings.Cut(strings.Trim(cells[0], "`"), " ")
		if len(cells) < 8 || !ok || roles == nil || !strings.HasPrefix(path, "/") {
			continue
		}
		rows++
		path = strings.NewReplacer("{id}", "0000000000001", "{number}", "12345678", "{name}", "operations").Replace(path)
		for i, role := range roles {
			a := (&edge{Gateway: e.Gateway, t: t}).do(method, path, "", "Authorization", "Bearer "+secrets[role], keyHeader, "k")
			allowed := cells[2+i] == "yes" || strings.Contains(line, "no key needed")
			require.Equal(t, allowed, a.status != 403, "%s %s as %s: %d %s", method, path, role, a.status, a.body)
		}
	}
	require.Equal(t, len(protocol.Routes), rows, "every route has its row")
}

func TestWhoIsNotKnown(t *testing.T) {
	var secrets map[string]string
	e := start(t, func(o *Options, _ *Parts) { secrets = withKeys(o) })
	good := secrets["till"]
	for name, header := range map[string]string{
		"none": "", "empty": "Bearer ", "another scheme": "Basic " + good, "another key": "Bearer tg_" + strings.Repeat("A", 43),
		"cut off": "Bearer " + good[:len(good)-1], "longer": "Bearer " + good + "A", "the hash": "Bearer " + e.options.Keys[0].Hash,
	} {
		a := e.do("POST", "/v1/quote", sale, "Authorization", header)
		require.Equal(t, 401, a.status, name)
		require.Equal(t, "unauthorized", a.field(t, "code"))
		require.Equal(t, `Bearer realm="tillgate"`, a.header.Get("WWW-Authenticate"))
	}
	require.Empty(t, e.fake.calls())
	require.Equal(t, 200, e.do("POST", "/v1/quote", sale, "Authorization", "bearer "+good).status, "the scheme has no case")
	require.Equal(t, 401, e.do("GET", "/metrics", "").status)
	require.Equal(t, 200, e.do("GET", "/healthz", "").status)
}

func TestAKeySeesItsMerchant(t *testing.T) {
	var secrets map[string]string
	e := start(t, func(o *Options, _ *Parts) { secrets = withKeys(o) })
	var caller protocol.Caller
	e.fake.decide = func(x *protocol.Exchange) { caller = x.Request.Caller }
	e.do("POST", "/v1/quote", sale, "Authorization", "Bearer "+secrets["checkout"])
	require.Equal(t, protocol.Caller{Key: "checkout", Merchant: "m", Role: protocol.RoleCheckout}, caller)
}

func TestAKeyMayBeBoundToPlaces(t *testing.T) {
	one, oneHash := NewKey()
	two, twoHash := NewKey()
	e := start(t, func(o *Options, _ *Parts) {
		o.Keys = []Key{
			{Name: "one", Hash: oneHash, Role: "till", Stores: []string{"S01"}, Terminals: []string{"T0001"}},
			{Name: "two", Hash: twoHash, Role: "till", Stores: []string{"S01", "S02"}},
		}
	})
	var store, terminal string
	e.fake.decide = func(x *protocol.Exchange) {
		store, terminal = strings.Clone(x.Request.Store), strings.Clone(x.Request.Terminal)
	}
	quote := func(secret, place string) answer {
		body := strings.Replace(sale, `"terminal":"T0001","store":"S01",`, place, 1)
		return e.do("POST", "/v1/quote", body, "Authorization", "Bearer "+secret)
	}
	require.Equal(t, 200, quote(one, `"terminal":"T0001","store":"S01",`).status)
	require.Equal(t, 200, quote(one, ``).status)
	require.Equal(t, "S01/T0001", store+"/"+terminal, "the only place there is")
	a := quote(one, `"store":"S02",`)
	require.Equal(t, 403, a.status)
	require.Equal(t, "store", a.field(t, "field"))
	require.Equal(t, "terminal", quote(one, `"terminal":"T0002",`).field(t, "field"))
	require.Equal(t, 200, quote(two, `"store":"S02",`).status)
	require.Equal(t, 403, quote(two, ``).status, "one of two must be named")
	a = e.do("POST", "/v1/authorizations/0A0000000001/void", "", "Authorization", "Bearer "+two, keyHeader, "k")
	require.Equal(t, 200, a.status, "whoever knows the hold may void it")
}

// Nothing that a caller would rather keep for himself reaches the log.
func TestNothingPersonalIsLogged(t *testing.T) {
	var secrets map[string]string
	e := start(t, func(o *Options, _ *Parts) {
		secrets = withKeys(o)
		o.Terminals = []Terminal{{ID: "T0001", MAC: []MACKey{{1, macHex}}}}
	})
	phone := "+77011234567"
	e.do("POST", "/v1/quote", sale, "Authorization", "Bearer "+secrets["till"])
	e.do("POST", "/v1/quote", strings.Replace(sale, "total", "totl", 1), "Authorization", "Bearer "+secrets["till"])
	e.do("POST", "/v1/members/"+phone, sale, "Authorization", "Bearer "+secrets["till"]+"x")
	for _, bytes := range []string{
		"POST /v1/quote HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + secrets["till"] + "\x01\r\n\r\n",
		"POST /v1/quote " + phone + " HTTP/1.1 x\r\n\r\n",
	} {
		c := e.raw(e.HTTPAddr(), bytes)
		resp, body := readResponse(t, c)
		require.Equal(t, http.StatusBadRequest, resp.StatusCode)
		require.NotContains(t, body, secrets["till"])
		require.NotContains(t, body, phone)
	}
	c := e.till()
	c.ask("0100", holdFields(1)...)
	c.conn.Write([]byte("\x00\x20" + phone + phone + phone))
	closed(t, c.conn)
	for _, secret := range []string{secrets["till"], phone[1:], macHex} {
		require.NotContains(t, e.log.String(), secret)
	}
}

func TestKeysAreDrawnAtRandomAndHashed(t *testing.T) {
	secret, hash := NewKey()
	again, _ := NewKey()
	require.NotEqual(t, secret, again)
	require.True(t, strings.HasPrefix(secret, "tg_"))
	require.NotContains(t, hash, secret)
	require.NotNil(t, newKeyring([]Key{{Name: "a", Hash: hash, Role: "till"}}).find([]byte(secret)))
	require.Nil(t, newKeyring([]Key{{Name: "a", Hash: hash, Role: "till"}}).find([]byte(again)))
}

// authority issues certificates for tests.
type authority struct {
	t    *testing.T
	dir  string
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, dir: t.TempDir()}
	a.cert, a.key = a.issue("authority", nil)
	return a
}

// issue makes a certificate; with no authority yet one that signs itself.
// Both parts are written to files called by the name.
func (a *authority) issue(name string, ips []net.IP) (*x509.Certificate, *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: ips,
		IsCA: a.cert == nil, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	require.NoError(a.t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(a.t, err)
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(a.t, err)
	a.write(name+".pem", "CERTIFICATE", der)
	a.write(name+".key", "PRIVATE KEY", raw)
	return cert, key
}

func (a *authority) write(file, kind string, der []byte) {
	require.NoError(a.t, os.WriteFile(a.path(file), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

func (a *authority) path(file string) string { return filepath.Join(a.dir, file) }

// server is the TLS configuration of a listener.
func (a *authority) server(clients bool) TLSOptions {
	o := TLSOptions{Certificate: a.path("server.pem"), Key: a.path("server.key")}
	if clients {
		o.ClientCA = a.path("authority.pem")
	}
	return o
}

func (a *authority) client(name string) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	conf := &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}
	if name != "" {
		pair, err := tls.LoadX509KeyPair(a.path(name+".pem"), a.path(name+".key"))
		require.NoError(a.t, err)
		conf.Certificates = []tls.Certificate{pair}
	}
	return conf
}

func TestTLS(t *testing.T) {
	a := newAuthority(t)
	a.issue("server", []net.IP{net.IPv4(127, 0, 0, 1)})
	a.issue("shop", nil)
	stranger := newAuthority(t)
	stranger.issue("shop", nil)
	e := start(t, func(o *Options, _ *Parts) {
		o.HTTP.TLS, o.ISO.TLS = a.server(true), a.server(true)
		o.ISO.FrameTimeout = 500 * time.Millisecond
	})
	get := func(conf *tls.Config) (int, error) {
		client := http.Client{Transport: &http.Transport{TLSClientConfig: conf}, Timeout: 5 * time.Second}
		defer client.CloseIdleConnections()
		resp, err := client.Get("https://" + e.HTTPAddr() + "/healthz")
		if err != nil {
			return 0, err
		}
		resp.Body.Close()
		return resp.StatusCode, nil
	}
	status, err := get(a.client("shop"))
	require.NoError(t, err)
	require.Equal(t, 200, status)
	_, err = get(a.client(""))
	require.Error(t, err, "no client certificate")
	foreign := a.client("")
	pair, err := tls.LoadX509KeyPair(stranger.path("shop.pem"), stranger.path("shop.key"))
	require.NoError(t, err)
	foreign.Certificates = []tls.Certificate{pair}
	_, err = get(foreign)
	require.Error(t, err, "a certificate of somebody else")

	conn, err := tls.Dial("tcp", e.ISOAddrs()[0], a.client("shop"))
	require.NoError(t, err)
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	require.Equal(t, "00", newTill(t, conn, iso8583.Profile{}).ask("0100", holdFields(1)...))
	old := a.client("shop")
	old.MaxVersion = tls.VersionTLS11
	_, err = tls.Dial("tcp", e.ISOAddrs()[0], old)
	require.Error(t, err, "TLS 1.1")
	silent := e.raw(e.ISOAddrs()[0], "")
	closed(t, silent)
	eventually(t, "counted", func() bool {
		return counted(t, e, "tillgate_connections_ended_total", "edge", "iso", "why", "tls") >= 2
	})
}

// What may be reached by others must know who they are.
func TestAddressesThatOthersReach(t *testing.T) {
	a := newAuthority(t)
	a.issue("server", nil)
	_, hash := NewKey()
	try := func(change func(*Options)) error {
		o := testOptions()
		change(&o)
		_, err := New(o, Parts{Switch: &fakeSwitch{}})
		return err
	}
	require.ErrorContains(t, try(func(o *Options) { o.HTTP.Listen = "0.0.0.0:0" }), "no keys are configured")
	require.NoError(t, try(func(o *Options) {
		o.HTTP.Listen = "0.0.0.0:0"
		o.Keys = []Key{{Name: "a", Hash: hash, Role: "till"}}
	}))
	require.ErrorContains(t, try(func(o *Options) { o.ISO.Listen = "0.0.0.0:0" }), "iso.require_mac")
	require.ErrorContains(t, try(func(o *Options) {
		o.ISO.Listen, o.ISO.TLS = "0.0.0.0:0", a.server(false)
	}), "iso.require_mac", "TLS alone doesn't say who asks")
	require.NoError(t, try(func(o *Options) { o.ISO.Listen, o.ISO.TLS = "0.0.0.0:0", a.server(true) }))
	require.NoError(t, try(func(o *Options) {
		o.ISO.Listen, o.ISO.RequireMAC = "0.0.0.0:0", true
		o.Terminals = []Terminal{{ID: "T0001", MAC: []MACKey{{1, macHex}}}}
	}))
	err := try(func(o *Options) {
		o.Terminals = []Terminal{{ID: "T0001", MAC: []MACKey{{1, macHex + "zz"}}}}
	})
	require.Error(t, err)
	require.NotContains(t, err.Error(), macHex)
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", MACKey{1, macHex}, MACKey{1, macHex}, MACKey{1, macHex}), macHex)
}
