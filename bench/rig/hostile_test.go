package rig_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/bench/rig"
	"tillgate/protocol/iso8583"
	"tillgate/reconciler/services/servicetest"
)

// What the server may take while strangers do what they can, stated and
// asserted. Resident memory has the caches and the garbage of the load in it,
// so it is a bound for the whole process and not a sum.
const (
	mostMemory     = 768 << 20 // bytes
	goroutinesBase = 400       // of the server itself, idle
)

// counted is an edge that counts what was answered.
type counted struct {
	rig.Edge
	answered atomic.Int64
}

func (c *counted) Send(a rig.Ask) (rig.Figures, []byte, error) {
	f, raw, err := c.Edge.Send(a)
	if err == nil {
		c.answered.Add(1)
	}
	return f, raw, err
}

// siege is a server with a crew at work, of whom it is known how much they do.
type siege struct {
	t      *testing.T
	server *rig.Server
	dsn    string
	crew   []*rig.Worker
	edges  []*counted
	stop   chan struct{}
	failed <-chan error
}

func besiege(ctx context.Context, t *testing.T, env ...string) *siege {
	s := &siege{t: t, dsn: servicetest.Database(t), stop: make(chan struct{})}
	s.server = start(ctx, t, servicetest.Dir(t), append(env, "TILLGATE_POSTGRES="+s.dsn)...)
	s.crew = hire(t, s.server, 4, uint64(time.Now().UnixNano()), s.stop)
	for _, w := range s.crew {
		c := &counted{Edge: w.Edge}
		w.Edge, s.edges = c, append(s.edges, c)
	}
	s.failed = run(s.crew)
	return s
}

// served waits until every worker has had another 25 answers: tills and shops
// are served, whatever else goes on.
func (s *siege) served(ctx context.Context, while string) {
	s.t.Helper()
	for i, e := range s.edges {
		for goal := e.answered.Load() + 25; e.answered.Load() < goal; {
			select {
			case err := <-s.failed:
				require.NoError(s.t, err, while)
				s.t.Fatal("a worker stopped early: " + while)
			case <-ctx.Done():
				s.t.Fatalf("worker %d isn't served while %s", i, while)
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
}

// end proves the books of the crew.
func (s *siege) end(ctx context.Context) {
	close(s.stop)
	for range s.crew {
		require.NoError(s.t, <-s.failed)
	}
	prove(ctx, s.t, s.server, s.crew, s.dsn)
}

// metric is the sum of a metric's samples whose labels contain a text.
func (s *siege) metric(name, label string) (sum int64) {
	s.t.Helper()
	res, err := http.Get("http://" + s.server.HTTP + "/metrics")
	require.NoError(s.t, err)
	defer func() { require.NoError(s.t, res.Body.Close()) }()
	found := false
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		sample, value, _ := strings.Cut(lines.Text(), " ")
		if series, labels, _ := strings.Cut(sample, "{"); series != name || !strings.Contains(labels, label) {
			continue
		}
		f, err := strconv.ParseFloat(value, 64)
		require.NoError(s.t, err)
		sum += int64(f)
		found = true
	}
	require.True(s.t, found || label != "", "no metric %s", name)
	return sum
}

// within asserts the stated bounds for a number of open connections: HTTP ones
// have a goroutine each, those of tills two.
func (s *siege) within(web, tills int64, when string) {
	s.t.Helper()
	goroutines, memory := s.metric("go_goroutines", ""), s.metric("process_resident_memory_bytes", "")
	s.t.Logf("%s: %d goroutines, %d MiB resident", when, goroutines, memory>>20)
	require.LessOrEqual(s.t, goroutines, goroutinesBase+web+2*tills, when)
	require.LessOrEqual(s.t, memory, int64(mostMemory), when)
}

// falls waits until a metric has come down to a number.
func (s *siege) falls(ctx context.Context, name, label string, to int64) {
	s.t.Helper()
	for s.metric(name, label) > to {
		select {
		case <-ctx.Done():
			s.t.Fatalf("%s{%s} stays over %d", name, label, to)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// dial opens n connections from a loopback address of its own; those that are
// refused count too.
func dial(t *testing.T, from, to string, n int) []net.Conn {
	t.Helper()
	d := net.Dialer{Timeout: 30 * time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	var conns []net.Conn
	for range n {
		c, err := d.Dial("tcp", to)
		require.NoError(t, err)
		conns = append(conns, c)
	}
	t.Cleanup(func() { hangUp(conns) })
	return conns
}

func hangUp(conns []net.Conn) {
	for _, c := range conns {
		_ = c.Close() // the server may have done it already
	}
}

// Ten thousand connections that say nothing cost what is stated for each, and
// keep no till waiting. When they go, all that they took is given back.
func TestTenThousandIdleConnections(t *testing.T) {
	const each = 5000
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	if limit.Max < 2*each+1000 {
		t.Skipf("SKIPPED, NOT TESTED: a process may have %d open files here, %d are wanted", limit.Max, 2*each+1000)
	}
	limit.Cur = limit.Max
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	s := besiege(ctx, t, "TILLGATE_HTTP_CONNECTIONS=6000", "TILLGATE_HTTP_CONNECTIONS_PER_ADDRESS=6000", "TILLGATE_HTTP_IDLE_TIMEOUT=10m",
		"TILLGATE_ISO_CONNECTIONS=6000", "TILLGATE_ISO_CONNECTIONS_PER_ADDRESS=6000")
	s.served(ctx, "nobody else is there")
	s.within(20, 20, "before")
	web := dial(t, "127.0.0.2", s.server.HTTP, each)
	tills := dial(t, "127.0.0.3", s.server.ISO, each)
	s.served(ctx, "ten thousand connections are open")
	require.GreaterOrEqual(t, s.metric("tillgate_connections", "http"), int64(each))
	require.GreaterOrEqual(t, s.metric("tillgate_connections", "iso"), int64(each))
	s.within(each+20, each+20, "with ten thousand idle connections")
	hangUp(web)
	hangUp(tills)
	s.falls(ctx, "tillgate_connections", "http", 20)
	s.falls(ctx, "tillgate_connections", "iso", 20)
	s.falls(ctx, "go_goroutines", "", goroutinesBase+40)
	s.end(ctx)
}

// One address that opens connections as fast as it can gets its share and no
// more; who drips a request, or never reads its answers, is cut off; what is
// too large is refused at its own edge. Tills at other addresses are served
// all the while, and memory and goroutines stay within what is stated.
func TestFloodsAndGiants(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	const share = 300
	s := besiege(ctx, t, "TILLGATE_HTTP_CONNECTIONS_PER_ADDRESS="+strconv.Itoa(share), "TILLGATE_ISO_CONNECTIONS_PER_ADDRESS="+strconv.Itoa(share),
		"TILLGATE_HTTP_READ_TIMEOUT=2s", "TILLGATE_HTTP_WRITE_TIMEOUT=2s", "TILLGATE_ISO_FRAME_TIMEOUT=2s", "TILLGATE_ISO_WRITE_TIMEOUT=2s")

	flood := append(dial(t, "127.0.0.2", s.server.HTTP, 1500), dial(t, "127.0.0.2", s.server.ISO, 1500)...)
	s.served(ctx, "one address opens thousands of connections")
	require.GreaterOrEqual(t, s.metric("tillgate_connections_refused_total", "address"), int64(2*(1500-share)))
	require.LessOrEqual(t, s.metric("tillgate_connections", "http"), int64(share+20))
	require.LessOrEqual(t, s.metric("tillgate_connections", "iso"), int64(share+20))
	s.within(share+20, share+20, "under a flood")
	hangUp(flood)

	cut := s.drip(ctx)
	s.served(ctx, "hundreds of connections drip")
	s.within(2*share+20, 2*share+20, "while others drip and do not read")
	select {
	case <-cut:
	case <-time.After(time.Minute):
		t.Fatal("who drips, or does not read, is not cut off")
	}

	for name, giant := range giants() {
		t.Run(name, func(t *testing.T) {
			for range 10 {
				require.Equal(t, giant.want, s.answer(t, giant.iso, giant.raw), "the answer to it")
			}
		})
	}
	s.served(ctx, "giants come")
	s.falls(ctx, "tillgate_connections", "http", 20)
	s.falls(ctx, "tillgate_connections", "iso", 20)
	s.within(20, 20, "after the giants")
	s.end(ctx)
}

// drip opens connections that send a byte now and then, and others that ask
// without end and never read. The channel is closed when the server has cut
// off each of them.
func (s *siege) drip(ctx context.Context) <-chan struct{} {
	slow := append(dial(s.t, "127.0.0.4", s.server.HTTP, 100), dial(s.t, "127.0.0.4", s.server.ISO, 100)...)
	deaf := append(dial(s.t, "127.0.0.5", s.server.HTTP, 30), dial(s.t, "127.0.0.5", s.server.ISO, 30)...)
	asks := []byte(strings.Repeat("GET /openapi.yaml HTTP/1.1\r\nHost: x\r\n\r\n", 50))
	echo := bytes.Repeat(frame("0800", map[int]string{7: "1122104500", 11: "000001", 41: "T7777", 70: "301"}), 100)
	var all sync.WaitGroup
	send := func(c net.Conn, piece []byte, pause time.Duration) {
		defer all.Done()
		for ctx.Err() == nil {
			if err := c.SetWriteDeadline(time.Now().Add(500 * time.Millisecond)); err != nil {
				return
			}
			_, err := c.Write(piece)
			var late net.Error
			if err != nil && !(errors.As(err, &late) && late.Timeout()) {
				return // cut off
			}
			time.Sleep(pause) // that is what makes it slow
		}
	}
	all.Add(len(slow) + len(deaf))
	for i, c := range slow {
		head := []byte("P") // of a request line that never ends
		if i >= len(slow)/2 {
			head = []byte{1} // of a frame's length, 257, and then of its message
		}
		go send(c, head, 300*time.Millisecond)
	}
	for i, c := range deaf {
		piece := asks
		if i >= len(deaf)/2 {
			piece = echo
		}
		go send(c, piece, 0)
	}
	cut := make(chan struct{})
	go func() {
		all.Wait()
		close(cut)
	}()
	return cut
}

// giant is something too large and what it gets: a status, a DE39, or "" for a
// connection that ends without a word.
type giant struct {
	iso  bool
	raw  []byte
	want string
}

// giants are one of everything that has a bound.
func giants() map[string]giant {
	post := func(headers, body string) []byte {
		return fmt.Appendf(nil, "POST /v1/quote HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n%s", len(body), headers, body)
	}
	sale := func(basket string) string {
		return `{"terminal":"T7777","store":"S01","member":{"phone":"+77011234567"},"basket":` + basket + `}`
	}
	lines := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,{"id":"%d","sku":"1","quantity":"1","price":100,"amount":100}`, i)
		}
		return sale(`{"lines":[` + b.String()[1:] + `]}`)
	}
	hold := map[int]string{3: "000000", 4: "000000130000", 7: "1122104500", 11: "000001", 41: "T7777", 42: "S01"}
	with := func(field int, value string) []byte {
		fields := map[int]string{field: value}
		for n, v := range hold {
			if n != field {
				fields[n] = v
			}
		}
		return frame("0100", fields)
	}
	over := binary.BigEndian.AppendUint16(nil, 8<<10+1)
	return map[string]giant{
		"headers":                     {raw: post("X: "+strings.Repeat("y", 9<<10)+"\r\n", sale(`{"total":1}`)), want: "413"},
		"many headers":                {raw: post(strings.Repeat("X: y\r\n", 2000), sale(`{"total":1}`)), want: "413"},
		"a path":                      {raw: []byte("GET /" + strings.Repeat("x", 9<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n"), want: "413"},
		"a body":                      {raw: post("", sale(`{"total":1}`)+strings.Repeat(" ", 256<<10)), want: "413"},
		"a basket of 501 lines":       {raw: post("", lines(501)), want: "400"},
		"a name":                      {raw: post("", strings.Replace(sale(`{"total":1}`), "S01", strings.Repeat("S", 10_000), 1)), want: "400"},
		"a number":                    {raw: post("", sale(`{"total":`+strings.Repeat("9", 10_000)+`}`)), want: "400"},
		"depth":                       {raw: post("", strings.Repeat("[", 10_000)), want: "400"},
		"a frame":                     {iso: true, raw: append(over, "0100"...), want: ""},
		"a TLV longer than its field": {iso: true, raw: with(48, "01004PHON02999+77011234567"), want: "30"},
		"a TLV of 990 characters":     {iso: true, raw: with(48, "01004PHON02990"+strings.Repeat("7", 985)), want: "30"},
		"a basket of a whole DE62":    {iso: true, raw: with(62, strings.Repeat("1|1||| 1|1|1;", 76)), want: "30"},
	}
}

// frame is one message of a till with its length before it.
func frame(mti string, fields map[int]string) []byte {
	codec := iso8583.NewCodec(iso8583.Profile{})
	m := iso8583.NewMessage(codec)
	if err := m.SetMTI(mti); err != nil {
		panic(err)
	}
	for n, v := range fields {
		if err := m.Set(n, v); err != nil {
			panic(fmt.Sprintf("DE%d: %v", n, err))
		}
	}
	out, err := iso8583.Framing{}.AppendFrame(nil, iso8583.TPDU{}, codec.AppendMessage(nil, m))
	if err != nil {
		panic(err)
	}
	return out
}

// answer sends bytes on a connection of their own and tells what comes back:
// a status, a DE39, or "" where the connection is ended.
func (s *siege) answer(t *testing.T, iso bool, raw []byte) string {
	t.Helper()
	address := s.server.HTTP
	if iso {
		address = s.server.ISO
	}
	c := dial(t, "127.0.0.6", address, 1)[0]
	defer func() { _ = c.Close() }() // it was read
	require.NoError(t, c.SetDeadline(time.Now().Add(30*time.Second)))
	_, _ = c.Write(raw) // the server may have refused before all of it was sent
	if !iso {
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		require.NoError(t, err)
		_, _ = io.Copy(io.Discard, res.Body) // only the status counts
		return strconv.Itoa(res.StatusCode)
	}
	in := iso8583.NewReader(c, iso8583.Framing{})
	for {
		f, ok, err := in.Next()
		require.NoError(t, err)
		if ok {
			codec := iso8583.NewCodec(iso8583.Profile{})
			m := iso8583.NewMessage(codec)
			require.True(t, codec.Decode(f.Message, m).OK())
			return m.Text(39)
		}
		if err := in.Fill(); err != nil {
			return ""
		}
	}
}
