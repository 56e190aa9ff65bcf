package load

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
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
	require.GreaterOrEqual(t, r.Approved, int64(500), "nothing is left out because the server was slow")
	// A third of the requests fell into the stall, so the median of what is
	// above it lies far above what the server takes by itself.
	require.Greater(t, r.Quantile(75), stall/10)
	require.Less(t, r.Quantile(10), stall)
}

func TestClosedLoopEndsAfterItsRequests(t *testing.T) {
	r, err := Run(t.Context(), Options{
		Address: server(t, 0), Connections: 3, InFlight: 8, Requests: 100,
		Wire: func(int) Wire { return &oneByte{} },
	})
	require.NoError(t, err)
	require.Equal(t, int64(300), r.Approved)
	require.Zero(t, r.Unanswered)
}

func TestBrokenConnectionIsAnError(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() {
		if conn, err := l.Accept(); err == nil {
			_ = conn.Close()
		}
		_ = l.Close()
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err = Run(ctx, Options{
		Address: l.Addr().String(), Connections: 1, InFlight: 2, Duration: 500 * time.Millisecond,
		Wire: func(int) Wire { return &oneByte{} },
	})
	require.Error(t, err)
}

func TestHTTPAnswers(t *testing.T) {
	h := &HTTP{}
	r := bufio.NewReader(bytes.NewReader([]byte(
		"HTTP/1.1 201 Created\r\nServer: x\r\nContent-Length: 2\r\n\r\n{}" +
			"HTTP/1.1 409 Conflict\r\ncontent-length: 3\r\n\r\nabc" +
			"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")))
	for i, want := range []Outcome{Approved, Declined, Shed} {
		n, got, err := h.Read(r)
		require.NoError(t, err)
		require.Equal(t, uint64(i), n)
		require.Equal(t, want, got)
	}
	_, _, err := h.Read(bufio.NewReader(bytes.NewReader([]byte("HTTP/1.1 200 OK\r\n\r\n"))))
	require.ErrorContains(t, err, "without a length")
}

func TestStansWrapAround(t *testing.T) {
	i := &ISO{}
	require.Equal(t, uint64(5), i.number(5))
	i.last = 999_990
	require.Equal(t, uint64(1_000_003), i.number(3))
	require.Equal(t, uint64(999_995), i.number(999_995), "a late one of the turn before")
	require.Equal(t, uint64(1_000_004), i.number(4))
}
