package gateway

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"tillgate/protocol"
	"tillgate/protocol/iso8583"
)

// An API key changes its secret without a restart and without a moment in
// which neither works: both are good for a while, and both are the same
// caller, so that a repeat with the new secret of what the old one has asked is
// a repeat.
func TestKeysRotateWhileServing(t *testing.T) {
	old, oldHash := NewKey()
	fresh, freshHash := NewKey()
	admin, adminHash := NewKey()
	office := Key{Name: "office", Hash: adminHash, Role: "admin", Merchant: "m"}
	e := start(t, func(o *Options, _ *Parts) {
		o.Keys = []Key{{Name: "shop", Hash: oldHash, Role: "checkout", Merchant: "m"}, office}
	})
	var callers sync.Map
	e.fake.decide = func(x *protocol.Exchange) { callers.Store(x.Request.Caller, true) }
	quote := func(secret string) int {
		return e.do("POST", "/v1/quote", sale, "Authorization", "Bearer "+secret).status
	}
	reload := func(keys ...Key) {
		o := e.options
		o.Keys = append(keys, office)
		require.NoError(t, e.Reload(o))
	}
	require.Equal(t, []int{200, 401}, []int{quote(old), quote(fresh)})

	// Somebody asks without a pause meanwhile, and is always let in.
	var refused, asked atomic.Int64
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			default:
				if asked.Add(1); quote(admin) != 200 {
					refused.Add(1)
				}
			}
		}
	}()
	reload(Key{Name: "shop", Hash: oldHash, Also: freshHash, Role: "checkout", Merchant: "m"})
	require.Equal(t, []int{200, 200}, []int{quote(old), quote(fresh)})
	reload(Key{Name: "shop", Hash: freshHash, Role: "checkout", Merchant: "m"})
	require.Equal(t, []int{401, 200}, []int{quote(old), quote(fresh)})
	reload(Key{Name: "shop", Hash: freshHash, Role: "finance", Merchant: "m"})
	require.Equal(t, 403, quote(fresh), "the role is another")
	reload()
	require.Equal(t, 401, quote(fresh), "the key is gone")
	eventually(t, "asked", func() bool { return asked.Load() > 5 })
	close(stop)
	<-ended
	require.Zero(t, refused.Load(), "a key that stayed was always good")
	_, ok := callers.Load(protocol.Caller{Key: "shop", Merchant: "m", Role: protocol.RoleCheckout})
	require.True(t, ok)

	bad := e.options
	bad.Keys = []Key{{Name: "shop", Hash: "no hash", Role: "checkout"}}
	require.ErrorContains(t, e.Reload(bad), "keys[0].hash")
	bad.Keys = []Key{{Name: "shop", Hash: freshHash, Also: freshHash, Role: "checkout"}}
	require.ErrorContains(t, e.Reload(bad), "same name or hash")
	require.Equal(t, 200, quote(admin), "what is refused changes nothing")
	log := e.log.String()
	require.Contains(t, log, "changed=[shop]")
	require.Contains(t, log, "removed=[shop]")
	for _, secret := range []string{old, fresh, oldHash, freshHash} {
		require.NotContains(t, log, secret)
	}
}

// A terminal's MAC key is exchanged on a connection that stays open.
func TestMACKeysRotateWhileServing(t *testing.T) {
	other := strings.Repeat("11", 16)
	e := start(t, func(o *Options, _ *Parts) {
		o.Terminals = []Terminal{{ID: "T0001", MAC: []MACKey{{1, macHex}}}}
	})
	c := e.till()
	ask := func(number uint64, key string, stan int) string {
		c.key = macKey(t, number, key)
		return c.ask("0100", holdFields(stan)...)
	}
	reload := func(keys ...MACKey) {
		o := e.options
		o.Terminals = []Terminal{{ID: "T0001", MAC: keys}}
		require.NoError(t, e.Reload(o))
	}
	require.Equal(t, []string{"00", "63"}, []string{ask(1, macHex, 1), ask(2, other, 2)})
	reload(MACKey{1, macHex}, MACKey{2, Secret(other)})
	require.Equal(t, []string{"00", "00"}, []string{ask(1, macHex, 3), ask(2, other, 4)})
	reload(MACKey{2, Secret(other)})
	require.Equal(t, []string{"63", "00"}, []string{ask(1, macHex, 5), ask(2, other, 6)})
	o := e.options
	o.Terminals = []Terminal{{ID: "T0002"}}
	require.NoError(t, e.Reload(o))
	require.Equal(t, "58", ask(2, other, 7), "the terminal is not known any more")
	require.NotContains(t, e.log.String(), macHex)
}

// What an attacker on the line can do with a signed message: change any byte
// of it, or send it again. Changed, it is refused, whichever byte it is; again,
// it is a repeat and books nothing: the switch finds it by its number, which is
// under the MAC.
func TestSignedMessagesThatWereAlteredOrReplayed(t *testing.T) {
	e := start(t, func(o *Options, _ *Parts) {
		o.Terminals = []Terminal{{ID: "T0001", MAC: []MACKey{{1, macHex}}}}
	})
	c := e.till()
	c.key = macKey(t, 1, macHex)
	good := c.frame(c.message("0100", holdFields(1)...))[2:]
	var first []byte
	var keys []string
	e.fake.decide = func(x *protocol.Exchange) {
		keys = append(keys, string(x.Request.Hash[:]))
	}
	send := func(message []byte) (code string, ended bool) {
		line := newTill(t, e.raw(e.ISOAddrs()[0], string(binary.BigEndian.AppendUint16(nil, uint16(len(message))))+string(message)), iso8583.Profile{})
		defer func() { require.NoError(t, line.conn.Close()) }()
		for {
			frame, ok, err := line.reader.Next()
			require.NoError(t, err)
			if ok {
				m := iso8583.NewMessage(line.codec)
				fault := line.codec.Decode(bytes.Clone(frame.Message), m)
				require.True(t, fault.OK(), fault.Error())
				return m.Text(39), false
			}
			if line.reader.Fill() != nil {
				return "", true
			}
		}
	}
	first = good
	for range 2 {
		code, _ := send(first)
		require.Equal(t, "00", code)
	}
	require.Len(t, keys, 2)
	require.Equal(t, keys[0], keys[1], "sent again it is the same request")
	for i := range good {
		for _, bit := range []byte{1, 0x80} {
			altered := bytes.Clone(good)
			altered[i] ^= bit
			code, ended := send(altered)
			require.True(t, ended || code == "63" || code == "30" || code == "58", "byte %d ^ %#x is taken with %s", i, bit, code)
		}
	}
	require.Len(t, keys, 2, "nothing that was altered has reached the switch")
}

// New certificates are taken while the server runs; connections that are open
// go on.
func TestCertificatesAreReadAgain(t *testing.T) {
	a := newAuthority(t)
	a.issue("server", []net.IP{net.IPv4(127, 0, 0, 1)})
	e := start(t, func(o *Options, _ *Parts) { o.HTTP.TLS, o.ISO.TLS = a.server(false), a.server(false) })
	serial := func(address string) (string, *tls.Conn) {
		c, err := tls.Dial("tcp", address, a.client(""))
		require.NoError(t, err)
		t.Cleanup(func() { c.Close() })
		return c.ConnectionState().PeerCertificates[0].SerialNumber.String(), c
	}
	addresses := []string{e.HTTPAddr(), e.ISOAddrs()[0]}
	var before []string
	var open []*tls.Conn
	for _, address := range addresses {
		s, c := serial(address)
		before, open = append(before, s), append(open, c)
	}
	require.NoError(t, os.WriteFile(a.path("server.pem"), []byte("half a cert"), 0o600))
	require.ErrorContains(t, e.Reload(e.options), "nothing was changed")
	for i, address := range addresses {
		s, _ := serial(address)
		require.Equal(t, before[i], s, "a file that can't be read changes nothing")
	}
	a.issue("server", []net.IP{net.IPv4(127, 0, 0, 1)})
	require.NoError(t, e.Reload(e.options))
	for i, address := range addresses {
		s, _ := serial(address)
		require.NotEqual(t, before[i], s)
	}
	_, err := open[0].Write([]byte("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"))
	require.NoError(t, err)
	resp, _ := readResponse(t, open[0])
	require.Equal(t, 200, resp.StatusCode, "who was connected still is")
	till := newTill(t, open[1], iso8583.Profile{})
	require.Equal(t, "00", till.ask("0100", holdFields(1)...))
}

// tillCalls are the calls that an ISO message can be, each by a message of its
// own; a till may make no others.
var tillCalls = map[protocol.Call]struct {
	mti    string
	fields []any
}{
	protocol.CallBalance:    {"0100", []any{3, "300000"}},
	protocol.CallAuthorize:  {"0100", []any{3, "000000", 4, "000000130000"}},
	protocol.CallAccrue:     {"0200", []any{3, "000000", 4, "000000130000"}},
	protocol.CallRedeem:     {"0200", []any{3, "170000", 4, "000000130000"}},
	protocol.CallReturn:     {"0200", []any{3, "200000", 4, "000000130000", 37, "0A0000000001"}},
	protocol.CallConfirm:    {"0220", []any{3, "000000", 4, "000000130000", 37, "0A0000000001"}},
	protocol.CallReverse:    {"0400", []any{3, "000000", 90, "0100000001112210450000000000000000000000000"[:42]}},
	protocol.CallCloseShift: {"0500", []any{50, "398", 60, "45", 74, "0000000001", 86, "0000000000130000", 75, "0000000000", 87, "0000000000000000", 76, "0000000000", 88, "0000000000000000", 77, "0000000000", 89, "0000000000000000", 97, "C0000000000130000"}},
	protocol.CallEcho:       {"0800", []any{70, "301"}},
}

// The table who × call of the ISO edge, whole: a terminal that is known and
// signs may make every call there is, as a till of its merchant; a stranger,
// one at another store, one who does not sign and one whose key is wrong may
// make none.
func TestTheMatrixOfTerminalsAndCalls(t *testing.T) {
	e := start(t, func(o *Options, p *Parts) {
		p.Office = &fakeOffice{}
		o.Terminals = []Terminal{{ID: "T0001", Store: "S01", Merchant: "m", MAC: []MACKey{{1, macHex}}}}
	})
	var got protocol.Call
	var who protocol.Caller
	e.fake.decide = func(x *protocol.Exchange) { got, who = x.Request.Call, x.Request.Caller }
	stan := 100
	ask := func(call protocol.Call, terminal, store string, key *iso8583.Key) string {
		stan++
		message, identified := tillCalls[call], "01004PHON02012+77011234567"
		if call == protocol.CallRedeem {
			identified += "03003100" // points to redeem
		}
		fields := append([]any{7, "1122104500", 11, fmt.Sprintf("%06d", stan), 12, "104500", 13, "1122", 41, terminal, 42, store,
			48, identified}, message.fields...)
		c := e.till()
		c.key = key
		return c.ask(message.mti, fields...)
	}
	good, wrong := macKey(t, 1, macHex), macKey(t, 1, strings.Repeat("22", 16))
	for call := range tillCalls {
		t.Run(call.String(), func(t *testing.T) {
			got, who = protocol.CallNone, protocol.Caller{}
			code := ask(call, "T0001", "S01", good)
			require.Contains(t, []string{"00", "95"}, code)
			if call != protocol.CallEcho && call != protocol.CallCloseShift { // those the gateway and the office answer
				require.Equal(t, call, got)
				require.Equal(t, protocol.Caller{Merchant: "m", Role: protocol.RoleTill}, who)
			}
			for name, bad := range map[string][]string{
				"a stranger":    {ask(call, "T0009", "S01", good), "58"},
				"another store": {ask(call, "T0001", "S02", good), "58"},
				"no MAC":        {ask(call, "T0001", "S01", nil), "63"},
				"a wrong key":   {ask(call, "T0001", "S01", wrong), "63"},
			} {
				require.Equal(t, bad[1], bad[0], name)
			}
		})
	}
}

// Whoever adds a call says who may make it: every call of the protocol is in
// the matrix of HTTP, in that of ISO, or is none that can be asked.
func TestEveryCallHasItsRow(t *testing.T) {
	rows := map[protocol.Call]bool{protocol.CallNone: true, protocol.CallUnknown: true}
	for _, r := range protocol.Routes {
		rows[r.Call] = true
		require.NotZero(t, r.Roles, "%s %s may be called by nobody", r.Method, r.Path)
	}
	for call := range tillCalls {
		rows[call] = true
	}
	for call := protocol.Call(0); call < protocol.CallCount; call++ {
		require.True(t, rows[call], "call %s has no row in a matrix of who may make it", call)
	}
}

// Secrets are compared in constant time: no file of the gateway that handles
// them compares bytes by ==, bytes.Equal or the like.
func TestSecretsAreComparedInConstantTime(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "keys.go", nil, 0)
	require.NoError(t, err)
	constant := false
	ast.Inspect(file, func(n ast.Node) bool {
		f, ok := n.(*ast.FuncDecl)
		if !ok || f.Name.Name != "find" {
			return true
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := call.X.(*ast.Ident); ok {
				require.NotEqual(t, "bytes", x.Name, "a comparison that tells how far it got")
				constant = constant || x.Name == "subtle" && call.Sel.Name == "ConstantTimeCompare"
			}
			return true
		})
		return false
	})
	require.True(t, constant)
}
