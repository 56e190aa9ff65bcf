package peer

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"tillgate/protocol/iso8583"
	"tillgate/reconciler/services/servicetest"
)

// asPeer is set in the environment of a test binary that is to be a peer.
const asPeer = "TILLBENCH_TEST_PEER"

func TestMain(m *testing.M) {
	if os.Getenv(asPeer) != "" {
		if err := Main(os.Args[1:], os.Stdin, os.Stdout); err != nil {
			panic(err)
		}
		return
	}
	servicetest.Main(m)
}

func itself(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), asPeer+"=1")
	return cmd
}

func TestHTTPAnswersWithNothing(t *testing.T) {
	p, err := Start(t.Context(), itself, "http")
	require.NoError(t, err)
	res, err := http.Post("http://"+p.Address+"/v1/authorizations", "application/json", strings.NewReader("{}"))
	require.NoError(t, err)
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, 200, res.StatusCode)
	require.Empty(t, body)
	res.Body.Close()
	require.Positive(t, p.Pid())
	require.NoError(t, p.Stop())
}

func TestEchoSendsBack(t *testing.T) {
	p, err := Start(t.Context(), itself, "echo")
	require.NoError(t, err)
	conn, err := net.Dial("tcp", p.Address)
	require.NoError(t, err)
	defer conn.Close()
	sent := bytes.Repeat([]byte("frame"), 1000)
	_, err = conn.Write(sent)
	require.NoError(t, err)
	got := make([]byte, len(sent))
	_, err = io.ReadFull(conn, got)
	require.NoError(t, err)
	require.Equal(t, sent, got)
	require.NoError(t, p.Stop())
}

func TestWriterTellsItsRate(t *testing.T) {
	rate, err := Writer(t.Context(), itself, t.TempDir(), 20*time.Millisecond)
	require.NoError(t, err)
	require.Positive(t, rate)
}

func TestPeersThatAreNot(t *testing.T) {
	_, err := Start(t.Context(), func(ctx context.Context, _ ...string) *exec.Cmd {
		return exec.CommandContext(ctx, "true")
	}, "http")
	require.ErrorContains(t, err, "did not tell its address")
	for _, args := range [][]string{nil, {"nothing"}, {"pebble"}, {"pebble", t.TempDir(), "soon"},
		{"bank"}, {"bank", "x", "1", "1s"}, {"bank", "1", "x", "1s"}, {"bank", "1", "1", "soon"}} {
		require.Error(t, Main(args, strings.NewReader(""), io.Discard))
	}
}

// Every hold that the bank counts is in its tables.
func TestBankHoldsPoints(t *testing.T) {
	dsn := servicetest.Database(t)
	require.NoError(t, FillBank(t.Context(), dsn, 100))
	b, err := Bank(t.Context(), itself, dsn, 3, 100, 200*time.Millisecond)
	require.NoError(t, err)
	require.Positive(t, b.Rate)
	require.GreaterOrEqual(t, b.P99, b.P50)
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	var holds, held int64
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT (SELECT count(*) FROM bank_holds), (SELECT sum(held) FROM bank_members)").Scan(&holds, &held))
	require.Equal(t, b.Holds, holds)
	require.Equal(t, b.Holds*bankPoints, held)
	_, err = Bank(t.Context(), itself, "postgres://127.0.0.1:1/none", 1, 1, time.Millisecond)
	require.Error(t, err)
}

func TestSyncIsMeasured(t *testing.T) {
	dir := t.TempDir()
	s, err := MeasureSync(dir, 5*time.Millisecond)
	require.NoError(t, err)
	require.Positive(t, s.Median)
	require.GreaterOrEqual(t, s.P99, s.Median)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestCodecsAreCompared(t *testing.T) {
	c := iso8583.NewCodec(iso8583.Profile{})
	m := iso8583.NewMessage(c)
	require.NoError(t, m.SetMTI("0800"))
	require.NoError(t, m.Set(11, "000001"))
	require.NoError(t, m.Set(70, "301"))
	ours, theirs, err := Codecs(c.AppendMessage(nil, m), time.Millisecond)
	require.NoError(t, err)
	require.Positive(t, ours.Time)
	require.Zero(t, ours.Allocations)
	require.Greater(t, theirs.Allocations, 1.0)
	_, _, err = Codecs([]byte("0800"), time.Millisecond)
	require.Error(t, err)
}
