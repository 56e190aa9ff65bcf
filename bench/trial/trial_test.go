package trial

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/bench/load"
	"tillgate/bench/peer"
	"tillgate/bench/report"
	"tillgate/protocol"
	"tillgate/protocol/iso8583"
)

func TestOptionsAreBounded(t *testing.T) {
	good := Options{Binary: "x", ISO: true, Members: 1000, Length: time.Second, Repeats: 1}
	require.NoError(t, good.Validate())
	for says, change := range map[string]func(o *Options){
		"binary":      func(o *Options) { o.Binary = "" },
		"edge":        func(o *Options) { o.ISO = false },
		"members":     func(o *Options) { o.Members = MaxMembers + 1 },
		"seconds":     func(o *Options) { o.Length = 0 },
		"repeats":     func(o *Options) { o.Repeats = 0 },
		"connections": func(o *Options) { o.Connections = 2000 },
		"in flight":   func(o *Options) { o.InFlight = -1 },
		"rate":        func(o *Options) { o.Rate = -1 },
	} {
		o := good
		change(&o)
		require.ErrorContains(t, o.Validate(), says)
	}
	require.Greater(t, good.Expected(), 5*time.Second)
}

// Every request of the load is one that the server's own reader takes.
func TestISORequestsSayWhatIsMeant(t *testing.T) {
	tmpl, err := isoAuthorize(1, 63, func(n uint64) uint64 { return firstCard + n })
	require.NoError(t, err)
	c := iso8583.NewCodec(iso8583.Profile{})
	var keys []string
	for _, n := range []uint64{0, 7, load.STANs + 7} {
		var x protocol.Exchange
		m := iso8583.NewMessage(c)
		fault := c.Read(tmpl.Append(nil, n), m, iso8583.Inbound{Now: time.Now(), Zone: func(string, string) *time.Location { return time.UTC }}, &x)
		require.True(t, fault.OK(), "%v", fault)
		r := x.Request
		require.Equal(t, protocol.CallAuthorize, r.Call)
		require.Equal(t, strconv.FormatUint(firstCard+n, 10), r.Member.Value)
		require.Equal(t, int64(redeemed), r.Redeem.Points)
		require.Equal(t, int64(total), r.Total)
		require.Len(t, r.Lines, 2)
		require.Equal(t, "B0010063"[1:], r.Terminal[1:])
		require.Equal(t, m.Text(7)[4:], m.Text(12))
		require.Equal(t, m.Text(7)[:4], m.Text(13))
		require.Equal(t, int64(n%load.STANs), mustInt(t, m.Text(11)))
		keys = append(keys, m.Text(41)+m.Text(13)+m.Text(12)+m.Text(11))
	}
	require.Len(t, unique(keys), 3, "no two requests have the same duplicate key")
}

func mustInt(t *testing.T, s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	require.NoError(t, err)
	return n
}

func unique(s []string) map[string]bool {
	set := map[string]bool{}
	for _, v := range s {
		set[v] = true
	}
	return set
}

func TestHTTPRequestsSayWhatIsMeant(t *testing.T) {
	tmpl, err := httpAuthorize(2, 5, func(n uint64) uint64 { return firstCard + n })
	require.NoError(t, err)
	text := string(tmpl.Append(nil, 42))
	head, body, ok := strings.Cut(text, "\r\n\r\n")
	require.True(t, ok)
	require.Contains(t, head, "POST /v1/authorizations HTTP/1.1\r\n")
	require.Contains(t, head, "Idempotency-Key: 2-5-000000000042")
	require.Contains(t, head, "Content-Length: "+strconv.Itoa(len(body)))
	var r protocol.Request
	require.Nil(t, protocol.DecodeJSON(protocol.CallAuthorize, []byte(body), &r))
	code, field, _ := protocol.Validate(&r)
	require.Equal(t, protocol.Approved, code, field)
	require.Equal(t, "7701000000000042", r.Member.Value)

	tmpl, err = httpCard(3, 0, func(dst []byte, _ uint64) { copy(dst, "ABCDEFGHJKMNP") }, func(uint64) uint64 { return firstCard })
	require.NoError(t, err)
	require.Contains(t, string(tmpl.Append(nil, 0)), "/v1/members/ABCDEFGHJKMNP/cards ")
	tmpl, err = httpEnrol(4, 0, func(n uint64) uint64 { return firstPhone + n })
	require.NoError(t, err)
	require.Contains(t, string(tmpl.Append(nil, 12)), `{"phone":"+77010000012"}`)
}

func TestOtherISORequests(t *testing.T) {
	c := iso8583.NewCodec(iso8583.Profile{})
	m := iso8583.NewMessage(c)
	fund, err := isoFund(1, 0, func(uint64) uint64 { return firstCard })
	require.NoError(t, err)
	require.True(t, c.Decode(fund.Append(nil, 0), m).OK())
	require.Equal(t, "0200", m.MTI())
	void, err := isoVoid(1, 0, func(dst []byte, _ uint64) { copy(dst, "0C0000000005") })
	require.NoError(t, err)
	require.True(t, c.Decode(void.Append(nil, 0), m).OK())
	require.Equal(t, "0C0000000005", m.Text(37))
}

// Members are drawn evenly, so that no account fills up with holds.
func TestMembersAreDrawnEvenly(t *testing.T) {
	x := &trial{members: 1000}
	draw := x.card(3, 9)
	drawn := map[uint64]int{}
	for n := range uint64(10_000) {
		drawn[draw(n)]++
	}
	require.Len(t, drawn, 1000)
	for card, n := range drawn {
		require.GreaterOrEqual(t, card, uint64(firstCard))
		require.Less(t, card, uint64(firstCard+1000))
		require.Less(t, n, 40)
	}
}

func TestMachineIsTold(t *testing.T) {
	m := machine()
	require.Positive(t, m.Cores)
	require.NotEmpty(t, m.Kernel)
	require.Contains(t, m.Go, "go1")
	require.Zero(t, cpu(-1))
	require.Zero(t, peakMemory(-1))
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a"), make([]byte, 1234), 0o600))
	size, err := diskUse(dir)
	require.NoError(t, err)
	require.Equal(t, int64(1234), size)
}

func TestBenchmarkOutputIsRead(t *testing.T) {
	x := &trial{rep: &report.Report{}, figures: map[string]*report.Figure{}}
	require.NoError(t, x.evaluated("goos: linux\nBenchmarkEvaluate/full-2  \t  102188\t      4253 ns/op\t       0 B/op\t       3 allocs/op\n"+
		"BenchmarkEvaluate/full-2  \t  102188\t      1999.5 ns/op\t       0 B/op\t       0 allocs/op\nPASS\n"))
	require.InDeltaSlice(t, []float64{4.253, 1.9995}, []float64(x.values(evaluateFigure)), 1e-9)
	require.Equal(t, report.Series{3, 0}, x.values(evaluateAllocs))
	require.Error(t, x.evaluated("PASS\n"))
}

// A trial as short as can be against the real server: everything is measured,
// nothing is declined, and the books add up.
func TestTrial(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds and runs the server; leave out -short")
	}
	dir := t.TempDir()
	binary := build(t, dir)
	var steps []string
	rep, err := Run(t.Context(), Options{
		Binary: binary, Data: filepath.Join(dir, "data"), HTTP: true, ISO: true, Members: 1000,
		Length: 500 * time.Millisecond, Repeats: 2, Connections: 8, InFlight: 4, Rate: 400,
		Peer: peer.Command(itself), Log: os.Stderr, Step: func(name string, _ time.Duration) { steps = append(steps, name) },
	})
	require.NoError(t, err)
	require.Empty(t, rep.Failures)
	require.Len(t, rep.Loads, 7)
	for _, l := range rep.Loads {
		require.Len(t, l.Rate, 2, l.Name)
		require.Positive(t, l.Rate.Least(), l.Name)
		require.Zero(t, l.Declined+l.Shed+l.Unanswered, l.Name)
	}
	for _, g := range rep.Goals {
		if g.Note != "by go test" {
			require.NotEqual(t, report.NotMeasured, g.Verdict(), g.What)
		}
	}
	require.Contains(t, strings.Join(rep.Notes, "\n"), "verify")
	require.NotEmpty(t, steps)
	left, err := os.ReadDir(filepath.Join(dir, "data"))
	require.NoError(t, err)
	require.Empty(t, left, "nothing stays behind")
	text, err := json.Marshal(rep)
	require.NoError(t, err)
	require.Contains(t, string(text), `"latency_ms"`)
}

// A server that declines what it is asked fails the trial before anything is
// measured.
func TestDeclinesAreNotHidden(t *testing.T) {
	addr := serveHTTP(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusConflict) })
	x := &trial{}
	err := x.serve(t.Context(), "register", addr, 1, func(run, c int) (load.Wire, error) {
		tmpl, err := httpEnrol(run, c, func(uint64) uint64 { return firstPhone })
		return &load.HTTP{Request: tmpl.Append}, err
	})
	require.ErrorContains(t, err, "64 declined")
}

func TestServerThatDoesNotStart(t *testing.T) {
	data := t.TempDir()
	_, err := Run(t.Context(), Options{Binary: "false", Data: data, ISO: true, Members: 1000, Length: time.Second, Repeats: 1, Peer: itself})
	require.ErrorContains(t, err, "ended before it was ready")
	left, readErr := os.ReadDir(data)
	require.NoError(t, errors.Join(readErr))
	require.Empty(t, left)
}
