package gateway

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/protocol"
	"tillgate/protocol/iso8583"
)

func TestATillsMessageReachesTheSwitchWhole(t *testing.T) {
	e := start(t)
	var got protocol.Request
	e.fake.decide = func(x *protocol.Exchange) {
		got = x.Request
		got.Terminal = strings.Clone(got.Terminal)
		x.Response.ID, x.Response.RRN = "0A0000000001", "0A0000000001"
	}
	c := e.till()
	c.send("0100", holdFields(1)...)
	m := c.receive()
	require.Equal(t, "0110", m.MTI())
	require.Equal(t, "00", m.Text(39))
	require.Equal(t, "0A0000000001", m.Text(37))
	require.Equal(t, "000001", m.Text(11))
	require.Equal(t, protocol.CallAuthorize, got.Call)
	require.Equal(t, protocol.EdgeISO, got.Edge)
	require.Equal(t, protocol.RoleTill, got.Caller.Role)
	require.Equal(t, "T0001", got.Terminal)
}

// Many requests of one connection are in flight and are answered in any order.
func TestAnswersComeInTheOrderTheyAreReady(t *testing.T) {
	e := start(t)
	e.fake.holdAll()
	c := e.till()
	var burst []byte
	const n = 20
	for i := range n {
		burst = append(burst, c.frame(c.message("0100", holdFields(i+1)...))...)
	}
	_, err := c.conn.Write(burst)
	require.NoError(t, err)
	for range n {
		<-e.fake.arrive
	}
	e.fake.mu.Lock()
	held := e.fake.held
	e.fake.held, e.fake.hold = nil, false
	e.fake.mu.Unlock()
	for i := len(held) - 1; i >= 0; i-- {
		held[i].Response.Reset()
		held[i].Done(held[i])
	}
	for i := n; i > 0; i-- {
		require.Equal(t, fmt.Sprintf("%06d", i), c.receive().Text(11))
	}
}

// Over the bound of a connection nothing is lost and nothing refused: reading
// pauses until answers have gone out.
func TestRequestsOfAConnectionAreBounded(t *testing.T) {
	e := start(t, func(o *Options, _ *Parts) { o.ISO.PerConn = 4 })
	e.fake.holdAll()
	c := e.till()
	var burst []byte
	for i := range 12 {
		burst = append(burst, c.frame(c.message("0100", holdFields(i+1)...))...)
	}
	_, err := c.conn.Write(burst)
	require.NoError(t, err)
	for range 4 {
		<-e.fake.arrive
	}
	time.Sleep(50 * time.Millisecond)
	require.Len(t, e.fake.calls(), 4)
	e.fake.letGo()
	for range 12 {
		require.Equal(t, "00", c.receive().Text(39))
	}
}

func TestLoadIsShedWith91(t *testing.T) {
	e := start(t, func(o *Options, _ *Parts) { o.Limits.InFlight = 1 })
	e.fake.holdAll()
	c := e.till()
	c.send("0100", holdFields(1)...)
	<-e.fake.arrive
	require.Equal(t, "91", c.ask("0100", holdFields(2)...))
	require.Equal(t, 503, e.authorize("k").status, "both edges share the bound")
	e.fake.letGo()
	require.Equal(t, "00", c.receive().Text(39))
	require.Equal(t, "00", c.ask("0100", holdFields(3)...))
}

func TestEchoAndKeepAlive(t *testing.T) {
	e := start(t)
	c := e.till()
	_, err := c.conn.Write([]byte{0, 0, 0, 0})
	require.NoError(t, err)
	c.send("0800", 11, "000009", 41, "T0001", 70, "301")
	m := c.receive()
	require.Equal(t, "0810", m.MTI())
	require.Equal(t, "00", m.Text(39))
	require.Equal(t, "301", m.Text(70))
	require.Empty(t, e.fake.calls(), "the gateway answers it")
}

func TestSignOn(t *testing.T) {
	e := start(t, func(o *Options, _ *Parts) { o.ISO.SignOn = true })
	c := e.till()
	require.Equal(t, "58", c.ask("0100", holdFields(1)...))
	require.Equal(t, "00", c.ask("0800", 11, "000002", 41, "T0001", 70, "001"))
	require.Equal(t, "00", c.ask("0100", holdFields(3)...))
	require.Equal(t, "58", e.till().ask("0100", holdFields(4)...), "it counts for its connection only")
	require.Equal(t, "00", c.ask("0800", 11, "000005", 41, "T0001", 70, "002"))
	require.Equal(t, "58", c.ask("0100", holdFields(6)...))
}

func TestOnlyKnownTerminals(t *testing.T) {
	e := start(t, func(o *Options, _ *Parts) {
		o.Terminals = []Terminal{{ID: "T0001", Store: "S01", Merchant: "m1"}}
	})
	var caller protocol.Caller
	var store string
	e.fake.decide = func(x *protocol.Exchange) { caller, store = x.Request.Caller, strings.Clone(x.Request.Store) }
	c := e.till()
	require.Equal(t, "00", c.ask("0100", holdFields(1)...))
	require.Equal(t, "m1", caller.Merchant)
	fields := holdFields(2)
	require.Equal(t, "58", c.ask("0100", append(fields[:6:6], append([]any{41, "T0002"}, fields[8:]...)...)...))
	require.Equal(t, "58", c.ask("0100", append(fields[:8:8], append([]any{42, "S02"}, fields[10:]...)...)...))
	require.Equal(t, "00", c.ask("0100", append(fields[:8:8], fields[10:]...)...))
	require.Equal(t, "S01", store, "the store is known from the terminal")
	require.Equal(t, "58", c.ask("0800", 11, "000009", 41, "T0009", 70, "301"), "not even an echo")
}

const macHex = "2b7e151628aed2a6abf7158809cf4f3c"

func macKey(t *testing.T, number uint64, material string) *iso8583.Key {
	raw, err := hex.DecodeString(material)
	require.NoError(t, err)
	k, err := iso8583.NewKey(number, raw)
	require.NoError(t, err)
	return k
}

func TestMessageAuthentication(t *testing.T) {
	other := strings.Repeat("11", 16)
	e := start(t, func(o *Options, _ *Parts) {
		o.ISO.RequireMAC = true
		o.Terminals = []Terminal{
			{ID: "T0001", MAC: []MACKey{{1, macHex}, {2, Secret(other)}}},
			{ID: "T0002"},
		}
	})
	c := e.till()
	require.Equal(t, "63", c.ask("0100", holdFields(1)...), "no MAC")
	for _, number := range []uint64{1, 2} {
		c.key = macKey(t, number, map[uint64]string{1: macHex, 2: other}[number])
		c.send("0100", holdFields(2)...)
		m := c.receive()
		require.Equal(t, "00", m.Text(39))
		require.Equal(t, fmt.Sprintf("%016d", number), m.Text(53), "the answer is signed with the same key")
		require.Len(t, m.Get(64), 8)
	}
	c.key = macKey(t, 1, other)
	require.Equal(t, "63", c.ask("0100", holdFields(3)...), "wrong key")
	c.key = macKey(t, 3, macHex)
	require.Equal(t, "63", c.ask("0100", holdFields(4)...), "unknown number")

	c.key = macKey(t, 1, macHex)
	forged := c.frame(c.message("0100", holdFields(5)...))
	forged[bytes.Index(forged, []byte("000000130000"))+11] ^= 1
	_, err := c.conn.Write(forged)
	require.NoError(t, err)
	require.Equal(t, "63", c.receive().Text(39), "a changed amount")
	require.Len(t, e.fake.calls(), 2)
}

// A terminal with keys can't be impersonated by leaving the MAC out.
func TestATerminalWithKeysSignsAlways(t *testing.T) {
	e := start(t, func(o *Options, _ *Parts) {
		o.Terminals = []Terminal{{ID: "T0001", MAC: []MACKey{{1, macHex}}}, {ID: "T0002"}}
	})
	c := e.till()
	require.Equal(t, "63", c.ask("0100", holdFields(1)...))
	fields := holdFields(2)
	fields[7] = "T0002"
	require.Equal(t, "00", c.ask("0100", fields...))
}

// Malformed messages get 30 with the field's number; only what can't be
// understood at all ends the connection.
func TestBadMessages(t *testing.T) {
	e := start(t)
	frame := func(m string) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(len(m))), m...) }
	c := e.till()
	good := string(c.frame(c.message("0100", holdFields(1)...))[2:])
	for name, test := range map[string]struct {
		message string
		field   string
		ends    bool
	}{
		"letters in an amount": {strings.Replace(good, "000000130000", "0000001300x0", 1), "4", false},
		"trailing bytes":       {good + "x", "48", false},
		"cut off":              {good[:len(good)-3], "48", false},
		"an answer":            {strings.Replace(good, "0100", "0110", 1), "0", true},
		"unknown type":         {strings.Replace(good, "0100", "0600", 1), "0", false},
		"unknown processing":   {strings.Replace(good, "000000000000130000", "990000000000130000", 1), "3", false},
		"no MTI":               {"hello world, is this a till?", "0", true},
		"MTI alone":            {"0100", "1", true},
		"chained bitmaps":      {"0100" + strings.Repeat("\xff", 24), "65", true},
	} {
		t.Run(name, func(t *testing.T) {
			c := newTill(t, (&edge{t: t}).raw(e.ISOAddrs()[0], string(frame(test.message))), iso8583.Profile{})
			m := c.receive()
			require.Equal(t, "30", m.Text(39))
			require.Equal(t, test.field, m.Text(44))
			if test.ends {
				require.Empty(t, closed(t, c.conn))
				return
			}
			require.Equal(t, "00", c.ask("0800", 11, "000001", 41, "T0001", 70, "301"), "the connection lives")
		})
	}
	require.Empty(t, e.fake.calls())
}

func TestMessagesWithoutSenderOrNumber(t *testing.T) {
	e := start(t)
	c := e.till()
	fields := holdFields(7)
	require.Equal(t, "30", c.ask("0100", append(fields[:4:4], fields[6:]...)...), "no DE11")
	require.Equal(t, "30", c.ask("0100", append(fields[:6:6], fields[8:]...)...), "no DE41")
	require.Empty(t, e.fake.calls())
}

func TestAFrameOverTheLimitClosesAtOnce(t *testing.T) {
	e := start(t)
	// 60 KB of bitmaps are announced; nothing of them is waited for.
	c := e.raw(e.ISOAddrs()[0], "\xea\x60")
	require.Empty(t, closed(t, c))
	c = e.raw(e.ISOAddrs()[0], "\xea\x600800"+strings.Repeat("\xff", 2000))
	require.Empty(t, closed(t, c))
	require.NotZero(t, counted(t, e, "tillgate_connections_ended_total", "edge", "iso", "why", "malformed"))
}

func TestHalfAFrameIsCutOff(t *testing.T) {
	e := start(t, func(o *Options, _ *Parts) { o.ISO.FrameTimeout = 200 * time.Millisecond })
	c := e.till()
	frame := c.frame(c.message("0100", holdFields(1)...))
	_, err := c.conn.Write(frame[:len(frame)/2])
	require.NoError(t, err)
	require.Empty(t, closed(t, c.conn))
	require.Empty(t, e.fake.calls())
	eventually(t, "counted", func() bool {
		return counted(t, e, "tillgate_connections_ended_total", "edge", "iso", "why", "timeout") == 1
	})
}

// A byte now and then does not buy more time.
func TestASlowFrameIsCutOff(t *testing.T) {
	e := start(t, func(o *Options, _ *Parts) { o.ISO.FrameTimeout = 300 * time.Millisecond })
	c := e.till()
	frame := c.frame(c.message("0100", holdFields(1)...))
	begun := time.Now()
	go func() {
		for _, b := range frame {
			if _, err := c.conn.Write([]byte{b}); err != nil {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
	}()
	closed(t, c.conn)
	require.Less(t, time.Since(begun), 3*time.Second)
}

func TestASilentTillIsKeptAndAnIdleOneClosed(t *testing.T) {
	e := start(t, func(o *Options, _ *Parts) {
		o.ISO.FrameTimeout, o.ISO.IdleTimeout = 50*time.Millisecond, 600*time.Millisecond
	})
	c := e.till()
	time.Sleep(200 * time.Millisecond) // longer than a frame may take, not than a pause
	require.Equal(t, "00", c.ask("0100", holdFields(1)...))
	require.Empty(t, closed(t, c.conn))
}

// A till that sends and never reads is cut off, and costs nobody else.
func TestATillThatDoesNotRead(t *testing.T) {
	e := start(t, func(o *Options, _ *Parts) { o.ISO.WriteTimeout = 200 * time.Millisecond })
	e.fake.decide = func(x *protocol.Exchange) {
		x.Response.Slip = []string{strings.Repeat("x", 900)}
	}
	c := e.till()
	require.NoError(t, c.conn.(*net.TCPConn).SetReadBuffer(1024))
	frame := c.frame(c.message("0100", holdFields(1)...))
	c.conn.SetDeadline(time.Now().Add(time.Second))
	for {
		if _, err := c.conn.Write(frame); err != nil {
			break // both ways are full, or the server has closed
		}
	}
	eventually(t, "all exchanges given back", func() bool { return e.gate.flying.Load() == 0 && e.isoAdmission.count() == 0 })
}

func TestISOConnectionsAreBounded(t *testing.T) {
	e := start(t, func(o *Options, _ *Parts) { o.ISO.PerAddress = 2 })
	for range 2 {
		require.Equal(t, "00", e.till().ask("0800", 11, "000001", 41, "T0001", 70, "301"))
	}
	require.Empty(t, closed(t, e.raw(e.ISOAddrs()[0], "")))
	require.Equal(t, 1, counted(t, e, "tillgate_connections_refused_total", "edge", "iso", "bound", "address"))
}

func TestISOAnswersInFlightGoOutWhenStopping(t *testing.T) {
	e := start(t)
	e.fake.holdAll()
	c := e.till()
	c.send("0100", holdFields(1)...)
	<-e.fake.arrive
	e.stop()
	eventually(t, "deaf to new connections", func() bool {
		conn, err := net.Dial("tcp", e.ISOAddrs()[0])
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	e.fake.letGo()
	require.Equal(t, "00", c.receive().Text(39))
	require.Empty(t, closed(t, c.conn))
	err := <-e.stopped
	e.stopped <- err
	require.NoError(t, err)
}

// A switch that never answers doesn't hold the stop for ever.
func TestTheStopHasALimit(t *testing.T) {
	e := start(t, func(o *Options, _ *Parts) { o.Limits.StopTimeout = 200 * time.Millisecond })
	e.fake.holdAll()
	c := e.till()
	c.send("0100", holdFields(1)...)
	<-e.fake.arrive
	e.stop()
	err := <-e.stopped
	e.stopped <- err
	require.ErrorContains(t, err, "still had answers in flight")
}

// Every framing and dialect serves.
func TestProfiles(t *testing.T) {
	for name, p := range map[string]Profile{
		"ascii":        {Length: "ascii"},
		"bcd length":   {Length: "bcd", TPDU: true},
		"packed":       {Length: "binary", TPDU: true, BCD: true},
		"hex bitmap":   {HexBitmap: true, LongBasket: true},
		"key by DE7":   {KeyByDE7: true},
		"all together": {Length: "ascii", TPDU: true, BCD: true, HexBitmap: true, LongBasket: true, KeyByDE7: true},
	} {
		t.Run(name, func(t *testing.T) {
			e := start(t, func(o *Options, _ *Parts) { o.ISO.Profile = p })
			compiled, err := p.Compile()
			require.NoError(t, err)
			c := newTill(t, e.raw(e.ISOAddrs()[0], ""), compiled)
			fields := append([]any{7, time.Now().UTC().Format("0102150405")}, holdFields(1)...)
			require.Equal(t, "00", c.ask("0100", fields...))
		})
	}
}

func TestSeveralListeners(t *testing.T) {
	e := start(t, func(o *Options, _ *Parts) {
		o.ISO.Listeners = []Listener{{Listen: "127.0.0.1:0", Merchant: "other", Key: "pos", Profile: Profile{Length: "ascii"}}}
	})
	var caller protocol.Caller
	e.fake.decide = func(x *protocol.Exchange) { caller = x.Request.Caller }
	require.Equal(t, "00", e.till().ask("0100", holdFields(1)...))
	require.Equal(t, protocol.Caller{Role: protocol.RoleTill}, caller)
	c := newTill(t, e.raw(e.ISOAddrs()[1], ""), iso8583.Profile{Framing: iso8583.Framing{Length: iso8583.LengthASCII}})
	require.Equal(t, "00", c.ask("0100", holdFields(1)...))
	require.Equal(t, protocol.Caller{Key: "pos", Merchant: "other", Role: protocol.RoleTill}, caller)
}
