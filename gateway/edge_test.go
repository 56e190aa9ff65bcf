package gateway

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"tillgate/protocol"
	"tillgate/protocol/iso8583"
)

// fakeSwitch answers by a function, by default with an approval. With hold
// set it keeps exchanges until somebody lets them go.
type fakeSwitch struct {
	mu     sync.Mutex
	decide func(x *protocol.Exchange)
	hold   bool
	held   []*protocol.Exchange
	seen   []protocol.Call
	arrive chan struct{}
}

func (f *fakeSwitch) Submit(x *protocol.Exchange) {
	f.mu.Lock()
	f.seen = append(f.seen, x.Request.Call)
	if f.hold {
		f.held = append(f.held, x)
		f.mu.Unlock()
		f.arrive <- struct{}{}
		return
	}
	decide := f.decide
	f.mu.Unlock()
	x.Response.Reset()
	x.Response.Call = x.Request.Call
	code, field, detail := protocol.Validate(&x.Request) // as the switch does
	if x.Response.Code, x.Response.Field, x.Response.Detail = code, field, detail; code.OK() && decide != nil {
		decide(x)
	}
	go x.Done(x) // from another goroutine, as the ledger does
}

// letGo answers all that is held.
func (f *fakeSwitch) letGo() {
	f.mu.Lock()
	held := f.held
	f.held, f.hold = nil, false
	f.mu.Unlock()
	for _, x := range held {
		x.Response.Reset()
		x.Response.Call = x.Request.Call
		x.Done(x)
	}
}

func (f *fakeSwitch) holdAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hold = true
}

func (f *fakeSwitch) calls() []protocol.Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]protocol.Call(nil), f.seen...)
}

// fakeOffice exports what it is told to.
type fakeOffice struct {
	export func(ctx context.Context, w io.Writer) error
	done   chan struct{}
	mu     sync.Mutex // over what follows
	begin  func(ctx context.Context, r *protocol.Request, out *protocol.Response) error
	late   bool // begin waits, and tells of no progress before
}

func (o *fakeOffice) CloseShift(x *protocol.Exchange) {
	x.Response.Reset()
	x.Response.Call, x.Response.Matched = protocol.CallCloseShift, true
	x.Done(x)
}

func (o *fakeOffice) Export(ctx context.Context, w io.Writer, _ string, _, _ time.Time, _ string) error {
	defer close(o.done)
	return o.export(ctx, w)
}

func (o *fakeOffice) File(ctx context.Context, w io.Writer, r *protocol.Request) error {
	if r.Target == "unknown" {
		return &protocol.Refusal{Code: protocol.NotFound, Field: "segment", Detail: "there is none"}
	}
	_, err := io.WriteString(w, "member\n"+r.Target+"\n")
	return err
}

// answers sets how questions are answered; late: no progress is told before.
func (o *fakeOffice) answers(late bool, begin func(context.Context, *protocol.Request, *protocol.Response) error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.late, o.begin = late, begin
}

func (o *fakeOffice) Begin(r *protocol.Request, out *protocol.Response) func(context.Context, func(done, total int64)) error {
	return func(ctx context.Context, told func(int64, int64)) error {
		o.mu.Lock()
		late, begin := o.late, o.begin
		o.mu.Unlock()
		if !late {
			told(0, 0)
		}
		if begin != nil {
			return begin(ctx, r, out)
		}
		out.Campaign = &protocol.CampaignView{}
		return nil
	}
}

// edge is a running gateway over a fake switch.
type edge struct {
	*Gateway
	t        *testing.T
	fake     *fakeSwitch
	log      *bytes.Buffer
	registry *prometheus.Registry
	stop     context.CancelFunc
	stopped  chan error
}

// options are small: what a bound does is seen sooner.
func testOptions() Options {
	o := DefaultOptions()
	o.HTTP.Listen, o.ISO.Listen = "127.0.0.1:0", "127.0.0.1:0"
	o.HTTP.ReadTimeout, o.HTTP.IdleTimeout, o.HTTP.WriteTimeout = 2*time.Second, 2*time.Second, 2*time.Second
	o.ISO.FrameTimeout, o.ISO.IdleTimeout, o.ISO.WriteTimeout = 2*time.Second, 5*time.Second, 2*time.Second
	o.Limits.StopTimeout = 5 * time.Second
	return o
}

func start(t *testing.T, change ...func(*Options, *Parts)) *edge {
	t.Helper()
	e := &edge{t: t, fake: &fakeSwitch{arrive: make(chan struct{}, 1<<16)}, log: &bytes.Buffer{}, registry: prometheus.NewRegistry()}
	o := testOptions()
	p := Parts{Switch: e.fake, Registry: e.registry,
		Logger: slog.New(slog.NewTextHandler(&lockedWriter{w: e.log}, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	for _, f := range change {
		f(&o, &p)
	}
	g, err := New(o, p)
	require.NoError(t, err)
	require.NoError(t, g.Listen())
	e.Gateway = g
	ctx, cancel := context.WithCancel(context.Background())
	e.stop, e.stopped = cancel, make(chan error, 1)
	go func() { e.stopped <- g.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		e.fake.letGo()
		select {
		case <-e.stopped:
		case <-time.After(10 * time.Second):
			t.Error("the gateway did not stop")
		}
	})
	return e
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// answer is what came back over HTTP.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) field(t *testing.T, name string) any {
	t.Helper()
	var m map[string]any
	require.NoError(t, json.Unmarshal([]byte(a.body), &m), a.body)
	return m[name]
}

// do sends one request; headers come in pairs.
func (e *edge) do(method, path, body string, headers ...string) answer {
	e.t.Helper()
	r, err := http.NewRequest(method, "http://"+e.HTTPAddr()+path, strings.NewReader(body))
	require.NoError(e.t, err)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	client := http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	require.NoError(e.t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(e.t, err)
	return answer{resp.StatusCode, resp.Header, string(raw)}
}

// sale is the smallest authorization there is.
const sale = `{"terminal":"T0001","store":"S01","member":{"phone":"+77011234567"},"basket":{"total":130000}}`

func (e *edge) authorize(key string) answer {
	return e.do("POST", "/v1/authorizations", sale, "Idempotency-Key", key)
}

// raw opens a connection and sends bytes.
func (e *edge) raw(address, bytes string) net.Conn {
	e.t.Helper()
	c, err := net.Dial("tcp", address)
	require.NoError(e.t, err)
	e.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(15 * time.Second))
	_, err = io.WriteString(c, bytes)
	require.NoError(e.t, err)
	return c
}

// till is an ISO 8583 client for tests.
type till struct {
	t      *testing.T
	conn   net.Conn
	codec  *iso8583.Codec
	reader *iso8583.Reader
	key    *iso8583.Key
}

func (e *edge) till() *till {
	e.t.Helper()
	return newTill(e.t, e.raw(e.ISOAddrs()[0], ""), iso8583.Profile{})
}

func newTill(t *testing.T, c net.Conn, p iso8583.Profile) *till {
	return &till{t: t, conn: c, codec: iso8583.NewCodec(p), reader: iso8583.NewReader(c, p.Framing)}
}

// message makes a message from an MTI and fields in pairs of number and value.
func (c *till) message(mti string, fields ...any) *iso8583.Message {
	c.t.Helper()
	m := iso8583.NewMessage(c.codec)
	require.NoError(c.t, m.SetMTI(mti))
	for i := 0; i < len(fields); i += 2 {
		require.NoError(c.t, m.Set(fields[i].(int), fields[i+1].(string)))
	}
	return m
}

func (c *till) frame(m *iso8583.Message) []byte {
	c.t.Helper()
	framing := c.codec.Profile().Framing
	b, err := framing.AppendFrame(nil, iso8583.TPDU{}, c.codec.AppendSigned(nil, m, c.key))
	require.NoError(c.t, err)
	return b
}

func (c *till) send(mti string, fields ...any) {
	c.t.Helper()
	_, err := c.conn.Write(c.frame(c.message(mti, fields...)))
	require.NoError(c.t, err)
}

// receive waits for the next answer.
func (c *till) receive() *iso8583.Message {
	c.t.Helper()
	for {
		frame, ok, err := c.reader.Next()
		require.NoError(c.t, err)
		if ok {
			m := iso8583.NewMessage(c.codec)
			fault := c.codec.Decode(bytes.Clone(frame.Message), m)
			require.True(c.t, fault.OK(), fault.Error())
			return m
		}
		require.NoError(c.t, c.reader.Fill())
	}
}

// ask sends a message and returns the answer's DE39.
func (c *till) ask(mti string, fields ...any) string {
	c.t.Helper()
	c.send(mti, fields...)
	return c.receive().Text(39)
}

// hold is the smallest 0100 there is, with a STAN of its own.
func holdFields(stan int) []any {
	return []any{3, "000000", 4, "000000130000", 11, fmt.Sprintf("%06d", stan), 41, "T0001", 42, "S01",
		48, "01004PHON02012+77011234567"}
}

// closed waits until the server has ended a connection.
func closed(t *testing.T, c net.Conn) []byte {
	t.Helper()
	rest, err := io.ReadAll(c)
	if err != nil {
		var late net.Error
		require.False(t, asErr(err, &late) && late.Timeout(), "the connection is still open")
	}
	return rest
}

// eventually polls a condition for a while.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("in ten seconds: not %s", what)
}

// readResponse reads one HTTP response off a raw connection.
func readResponse(t *testing.T, c net.Conn) (*http.Response, string) {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, string(body)
}
