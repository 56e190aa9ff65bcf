package trial

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/stretchr/testify/require"

	"tillgate/bench/load"
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
}

func TestOtherISORequests(t *testing.T) {
	c := iso8583.NewCodec(iso8583.Profile{})
	m := iso8583.NewMessage(c)
	void, err := isoVoid(1, 0, func(dst []byte, _ uint64) { copy(dst, "0C0000000005") })
	require.NoError(t, err)
	require.True(t, c.Decode(void.Append(nil, 0), m).OK())
	require.Equal(t, "0C0000000005", m.Text(37))
}

// Members are drawn evenly, so that no account fills up with holds.
func TestMembersAreDrawnEvenly(t *testing.T) {
	x := &shop{members: 1000}
	draw := x.draw(3, 9)
	drawn := map[int]int{}
	for n := range uint64(10_000) {
		drawn[draw(n)]++
	}
	require.Len(t, drawn, 1000)
	for member, n := range drawn {
		require.GreaterOrEqual(t, member, 0)
		require.Less(t, member, 1000)
		require.Less(t, n, 40)
	}
}

func TestMachineIsTold(t *testing.T) {
	m := machine()
	require.Positive(t, m.Cores)
	require.NotEmpty(t, m.Kernel)
	require.Contains(t, m.Go, "go1")
	require.Zero(t, cpu(-1))
	all, stolen := readProcessorTime("cpu  100 1 200 1000 50 2 47 600 9 9\ncpu0 50 1 1 1 1 1 1 1 0 0\n")
	require.Equal(t, 20*time.Second, all)
	require.Equal(t, 6*time.Second, stolen)
	for _, unknown := range []string{"", "intr 5\n", "cpu 1 2 3\n", "cpu 1 2 3 4 5 6 7 many\n"} {
		all, stolen = readProcessorTime(unknown)
		require.Zero(t, all+stolen, unknown)
	}
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

// What a load had measured when it was cut short stands apart: no goal and no
// median has it.
func TestALoadThatIsCutShortStandsApart(t *testing.T) {
	x := &trial{rep: &report.Report{}, loads: map[string]*report.Load{}, all: map[string]*hdrhistogram.Histogram{}}
	r := &load.Result{Approved: 3, Unanswered: 2, Elapsed: time.Second, Latency: hdrhistogram.New(1, int64(time.Minute), 3)}
	x.enterCut(run{name: isoLoad, shop: &shop{}}, r, 0.5, 0.5)
	require.Empty(t, x.rep.Loads, "it was still warming up")
	require.NoError(t, r.Latency.RecordValue(int64(time.Millisecond)))
	x.enterCut(run{name: isoLoad, shop: &shop{}}, r, 0.5, 0.5)
	require.Empty(t, x.rates(isoLoad))
	require.Len(t, x.rep.Loads, 1)
	l := x.rep.Loads[0]
	require.Equal(t, isoLoad+", cut short", l.Name)
	require.True(t, l.Cut && l.Ours)
	require.Equal(t, report.Series{3}, l.Rate)
	x.rep.Check()
	require.Empty(t, x.rep.Failures)
}

// noStore makes no members: what is tested ends before any is asked for.
type noStore struct{ Store }

func (noStore) Fill(context.Context, string, int, int64, func(int) uint64, func(int)) error {
	return nil
}

func TestServerThatDoesNotStart(t *testing.T) {
	data := t.TempDir()
	_, err := Run(t.Context(), Options{Binary: "false", Data: data, ISO: true, Members: 1000, Length: time.Second, Repeats: 1, Peer: itself, Store: noStore{}})
	require.ErrorContains(t, err, "ended before it was ready")
	left, readErr := os.ReadDir(data)
	require.NoError(t, errors.Join(readErr))
	require.Empty(t, left)
}
