package load

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/protocol/iso8583"
)

// oneByte is a wire whose requests and answers are a byte.
type oneByte struct{ read uint64 }

func (w *oneByte) Append(dst []byte, n uint64) []byte { return append(dst, byte(n)) }

func (w *oneByte) Read(r *bufio.Reader) (uint64, Outcome, error) {
	_, err := r.ReadByte()
	w.read++
	return w.read - 1, Approved, err
}

// server answers every byte after a pause; the first answers stall.
func server(t *testing.T, stall time.Duration) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				time.Sleep(stall) // the stall is what is measured
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	return l.Addr().String()
}

// A server that stalls for a while is charged for every request that should
// have been sent meanwhile, from the moment it was meant to be sent.
func TestLatencyCountsFromTheIntendedMoment(t *testing.T) {
	const stall = 300 * time.Millisecond
	r, err := Run(t.Context(), Options{
		Address: server(t, stall), Connections: 1, InFlight: 4, Rate: 1000, Duration: 600 * time.Millisecond,
		Wire: func(int) Wire { return &oneByte{} },
	})
	require.NoError(t, err)
	require.Zero(t, r.Unanswered)
	require.Greater(t, r.Approved, int64(450), "nothing is left out because the server was slow")
	// Half of the requests fell into the stall, so the third quarter lies far
	// above what the server takes by itself.
	require.Greater(t, r.Quantile(75), stall/10)
	require.Less(t, r.Quantile(10), stall)
}

// The rate is the schedule's, whatever the number of connections.
func TestOpenLoadKeepsItsRate(t *testing.T) {
	r, err := Run(t.Context(), Options{
		Address: server(t, 0), Connections: 7, InFlight: 16, Rate: 5000, Duration: time.Second, Warmup: 100 * time.Millisecond,
		Seed: 3, Wire: func(int) Wire { return &oneByte{} },
	})
	require.NoError(t, err)
	require.Zero(t, r.Unanswered)
	require.InDelta(t, 5000, r.Approved, 400, "five deviations of a Poisson process, and more")
	require.Equal(t, r.Approved, r.Latency.TotalCount())
}

func TestLoadEndsAfterItsRequests(t *testing.T) {
	for _, rate := range []float64{0, 20_000} {
		r, err := Run(t.Context(), Options{
			Address: server(t, 0), Connections: 3, InFlight: 8, Requests: 100, Rate: rate,
			Wire: func(int) Wire { return &oneByte{} },
		})
		require.NoError(t, err)
		require.Equal(t, int64(300), r.Approved)
		require.Zero(t, r.Unanswered)
	}
}

func TestInterruptEndsTheLoad(t *testing.T) {
	for _, rate := range []float64{0, 100} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		begun := time.Now()
		_, err := Run(ctx, Options{
			Address: server(t, 0), Connections: 2, InFlight: 2, Rate: rate, Duration: time.Hour,
			Wire: func(int) Wire { return &oneByte{} },
		})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Less(t, time.Since(begun), time.Minute)
	}
}

func TestBrokenConnectionIsAnError(t *testing.T) {
	for _, rate := range []float64{0, 100} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		go func() {
			if conn, err := l.Accept(); err == nil {
				_ = conn.Close()
			}
			_ = l.Close()
		}()
		_, err = Run(t.Context(), Options{
			Address: l.Addr().String(), Connections: 1, InFlight: 2, Rate: rate, Duration: 500 * time.Millisecond,
			Wire: func(int) Wire { return &oneByte{} },
		})
		require.Error(t, err)
	}
}

// reversed answers in pairs, the second of each first.
type reversed struct{ oneByte }

func (w *reversed) Read(r *bufio.Reader) (uint64, Outcome, error) {
	n, o, err := w.oneByte.Read(r)
	return n ^ 1, o, err
}

// doubled answers the first request for ever.
type doubled struct{ oneByte }

func (w *doubled) Read(r *bufio.Reader) (uint64, Outcome, error) {
	_, o, err := w.oneByte.Read(r)
	return 0, o, err
}

func TestAnswersMayOvertakeButNotRepeat(t *testing.T) {
	o := Options{Address: server(t, 0), Connections: 1, InFlight: 2, Requests: 1000, Wire: func(int) Wire { return &reversed{} }}
	r, err := Run(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, int64(1000), r.Approved)

	o.Wire = func(int) Wire { return &doubled{} }
	_, err = Run(t.Context(), o)
	require.ErrorContains(t, err, "not in flight")
}

func TestOptionsAreChecked(t *testing.T) {
	for _, o := range []Options{
		{InFlight: 1, Requests: 1}, {Connections: 1, Requests: 1}, {Connections: 1, InFlight: 1},
		{Connections: 1, InFlight: MaxInFlight + 1, Requests: 1},
	} {
		_, err := Run(t.Context(), o)
		require.ErrorContains(t, err, "needed")
	}
}

func TestHTTPAnswers(t *testing.T) {
	var got []string
	h := &HTTP{}
	stream := "HTTP/1.1 201 Created\r\nServer: x\r\nContent-Length: 2\r\n\r\n{}" +
		"HTTP/1.1 409 Conflict\r\ncontent-length: 3\r\n\r\nabc" +
		"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
	r := bufio.NewReader(strings.NewReader(stream + stream))
	for i, want := range []Outcome{Approved, Declined, Shed, Approved, Declined, Shed} {
		if i == 3 {
			h.Answered = func(n uint64, status int, body []byte) { got = append(got, fmt.Sprintf("%d %d %s", n, status, body)) }
		}
		n, o, err := h.Read(r)
		require.NoError(t, err)
		require.Equal(t, uint64(i), n)
		require.Equal(t, want, o)
	}
	require.Equal(t, []string{"3 201 {}", "4 409 abc", "5 503 "}, got)
	for stream, says := range map[string]string{
		"HTTP/1.1 200 OK\r\n\r\n":                      "without a length",
		"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n": "invalid syntax",
		"SSH-2.0\r\n":          "no status",
		"HTTP/1.1 abc OK\r\n":  "no status",
		"HTTP/1.1 200 OK\r\nA": "EOF",
	} {
		_, _, err := h.Read(bufio.NewReader(strings.NewReader(stream)))
		require.ErrorContains(t, err, says)
	}
}

func TestISOAnswers(t *testing.T) {
	c := iso8583.NewCodec(iso8583.Profile{})
	var rrn string
	w := &ISO{
		Request: func(dst []byte, n uint64) []byte {
			m := iso8583.NewMessage(c)
			require.NoError(t, m.SetMTI("0100"))
			require.NoError(t, m.SetInt(11, int64(n)))
			return c.AppendMessage(dst, m)
		},
		Answered: func(_ uint64, m *iso8583.Message) { rrn = m.Text(37) },
	}
	echo := bufio.NewReader(bytes.NewReader(w.Append(nil, 7)))
	n, o, err := w.Read(echo)
	require.NoError(t, err)
	require.Equal(t, uint64(7), n)
	require.Equal(t, Approved, o)
	for code, want := range map[string]Outcome{"00": Approved, "10": Approved, "51": Declined, "91": Shed} {
		m := iso8583.NewMessage(c)
		require.NoError(t, m.SetMTI("0110"))
		for field, value := range map[int]string{11: "000012", 37: "ABCDEFGH0012", 39: code} {
			require.NoError(t, m.Set(field, value))
		}
		frame, err := iso8583.Framing{}.AppendFrame(nil, iso8583.TPDU{}, c.AppendMessage(nil, m))
		require.NoError(t, err)
		n, o, err := w.Read(bufio.NewReader(bytes.NewReader(frame)))
		require.NoError(t, err)
		require.Equal(t, uint64(12), n)
		require.Equal(t, want, o, code)
		require.Equal(t, "ABCDEFGH0012", rrn)
	}
	_, _, err = w.Read(bufio.NewReader(bytes.NewReader([]byte{0, 3, 'x', 'y', 'z'})))
	require.Error(t, err)
}

func TestTemplate(t *testing.T) {
	tmpl := NewTemplate([]byte("key 9999 of AAAA"))
	require.NoError(t, tmpl.Number("9999", func(n uint64) uint64 { return n * 3 }))
	require.NoError(t, tmpl.Text("AAAA", func(dst []byte, n uint64) { copy(dst, "abcd"[n:]) }))
	require.Equal(t, "> key 0003 of bcdA", string(tmpl.Append([]byte("> "), 1)))
	require.Equal(t, "key 0000 of abcd", string(tmpl.Append(nil, 0)))
	out := make([]byte, 0, 64)
	require.Zero(t, testing.AllocsPerRun(10, func() { out = tmpl.Append(out[:0], 2) }))
	none := func(uint64) uint64 { return 0 }
	for _, mark := range []string{"9", "nowhere", ""} {
		require.ErrorContains(t, tmpl.Number(mark, none), "exactly once")
	}
}

func TestStansWrapAround(t *testing.T) {
	i := &ISO{}
	require.Equal(t, uint64(5), i.number(5))
	i.last = 999_990
	require.Equal(t, uint64(1_000_003), i.number(3))
	require.Equal(t, uint64(999_995), i.number(999_995), "a late one of the turn before")
	require.Equal(t, uint64(1_000_004), i.number(4))
}

func FuzzHTTPAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 201 Created\r\nServer: tillgate\r\nContent-Length: 2\r\n\r\n{}"))
	f.Add([]byte("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\ncontent-length: 0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		h := &HTTP{Answered: func(_ uint64, _ int, body []byte) {
			if len(body) > len(stream) {
				t.Fatal("a body that did not come")
			}
		}}
		for r := bufio.NewReader(bytes.NewReader(stream)); ; {
			if _, _, err := h.Read(r); err != nil {
				return
			}
		}
	})
}

func FuzzISOAnswer(f *testing.F) {
	f.Add([]byte("\x00\x22" + "0110" + "\x00\x20\x00\x00\x0a\x00\x00\x00" + "000012" + "ABCDEFGH0012" + "00"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		i := &ISO{}
		for r := bufio.NewReader(bytes.NewReader(stream)); ; {
			if _, o, err := i.Read(r); err != nil {
				return
			} else if o >= outcomes {
				t.Fatal("no such outcome")
			}
		}
	})
}

func TestLogKeepsAllThatIsDue(t *testing.T) {
	dir := t.TempDir()
	r, err := Log(t.Context(), dir, 400, Options{Rate: 5000, Duration: 500 * time.Millisecond, Warmup: 100 * time.Millisecond, Seed: 5})
	require.NoError(t, err)
	require.InDelta(t, 2500, r.Approved, 300, "five deviations of a Poisson process, and more")
	require.Equal(t, r.Approved, r.Latency.TotalCount())
	require.NotEmpty(t, r.Timeline.Points(time.Minute))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left, "its file is removed")

	for _, o := range []Options{{Duration: time.Second}, {Rate: 1}} {
		_, err = Log(t.Context(), dir, 400, o)
		require.ErrorContains(t, err, "needs")
	}
	_, err = Log(t.Context(), dir, logFile+1, Options{Rate: 1, Duration: time.Second})
	require.ErrorContains(t, err, "records of 8")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Log(ctx, dir, 400, Options{Rate: 1, Duration: time.Hour})
	require.ErrorIs(t, err, context.Canceled)
}
