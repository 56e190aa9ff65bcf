package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestExport(t *testing.T) {
	const path = "/v1/exports/operations?from=2026-11-01T00:00:00%2B05:00&to=2026-12-01T00:00:00+05:00"
	office := &fakeOffice{}
	e := start(t, func(_ *Options, p *Parts) { p.Office = office })
	office.export, office.done = func(_ context.Context, w io.Writer) error {
		for range 100_000 {
			if _, err := io.WriteString(w, "a,line,of,an,export\n"); err != nil {
				return err
			}
		}
		return nil
	}, make(chan struct{})
	a := e.do("GET", path, "")
	require.Equal(t, 200, a.status)
	require.Equal(t, "text/csv; charset=utf-8", a.header.Get("Content-Type"))
	require.Len(t, a.body, 100_000*len("a,line,of,an,export\n"))

	office.export, office.done = func(context.Context, io.Writer) error { return errors.New("no database at 10.0.0.9") }, make(chan struct{})
	a = e.do("GET", path, "")
	require.Equal(t, 503, a.status, "a fault before the first byte is an answer")
	require.NotContains(t, a.body, "10.0.0.9")

	office.export, office.done = func(_ context.Context, w io.Writer) error {
		io.WriteString(w, strings.Repeat("x", 200<<10))
		return errors.New("the database went away")
	}, make(chan struct{})
	resp, err := http.Get("http://" + e.HTTPAddr() + path)
	require.NoError(t, err)
	_, err = io.ReadAll(resp.Body)
	resp.Body.Close()
	require.Error(t, err, "a fault in the middle cuts the answer off")

	for _, bad := range []string{
		"/v1/exports/operations", "/v1/exports/operations?from=2026-11-01T00:00:00Z", path + "&format=pdf",
		"/v1/exports/operations?to=2026-11-01T00:00:00Z&from=2026-12-01T00:00:00Z",
	} {
		require.Equal(t, 400, e.do("GET", bad, "").status, bad)
	}
	require.Equal(t, 404, e.do("GET", "/v1/exports/everything", "").status)
}

// TestReport: JSON if nothing else is asked for, and a clear word for what is
// no report.
func TestReport(t *testing.T) {
	e := start(t, func(_ *Options, p *Parts) { p.Office = &fakeOffice{} })
	const period = "?from=2026-11-01T00:00:00%2B05:00&to=2026-12-01T00:00:00%2B05:00"
	a := e.do("GET", "/v1/reports/liability"+period, "")
	require.Equal(t, 200, a.status)
	require.Equal(t, "application/json", a.header.Get("Content-Type"))
	require.Empty(t, a.header.Get("Content-Disposition"))
	require.Contains(t, a.body, "liability", "the office is asked for it")
	a = e.do("GET", "/v1/reports/sales"+period+"&format=xlsx", "")
	require.Equal(t, 200, a.status)
	require.Equal(t, `attachment; filename="sales.xlsx"`, a.header.Get("Content-Disposition"))
	a = e.do("GET", "/v1/reports/wishes"+period, "")
	require.Equal(t, 404, a.status)
	require.Contains(t, a.body, "there are liability and sales")
	for query, field := range map[string]string{
		"": "from", "?from=2026-11-01T00:00:00Z": "to", period + "&format=pdf": "format",
		"?to=2026-11-01T00:00:00Z&from=2026-12-01T00:00:00Z": "to", period + "&store=S1": "store",
	} {
		a = e.do("GET", "/v1/reports/sales"+query, "")
		require.Equal(t, 400, a.status, query)
		require.Equal(t, field, a.field(t, "field"), query)
	}
	require.Equal(t, 503, start(t, func(*Options, *Parts) {}).do("GET", "/v1/reports/sales"+period, "").status, "without a database")
}

func TestAnExportEndsWhenNobodyReadsIt(t *testing.T) {
	office := &fakeOffice{done: make(chan struct{}), export: func(ctx context.Context, w io.Writer) error {
		for {
			if _, err := io.WriteString(w, strings.Repeat("x", 64<<10)); err != nil {
				return err
			}
		}
	}}
	e := start(t, func(o *Options, p *Parts) { p.Office, o.HTTP.WriteTimeout = office, 300*time.Millisecond })
	c := e.raw(e.HTTPAddr(), "GET /v1/exports/operations?from=2026-11-01T00:00:00Z&to=2026-12-01T00:00:00Z HTTP/1.1\r\nHost: x\r\n\r\n")
	defer c.Close()
	select {
	case <-office.done:
	case <-time.After(10 * time.Second):
		t.Fatal("the export goes on for nobody")
	}
	eventually(t, "free for the next", func() bool { return len(e.http.exports) == 0 })
}

func TestExportsAtOnceAreBounded(t *testing.T) {
	gate := make(chan struct{})
	office := &fakeOffice{done: make(chan struct{}), export: func(_ context.Context, w io.Writer) error {
		io.WriteString(w, "heading\n")
		<-gate
		return nil
	}}
	e := start(t, func(o *Options, p *Parts) { p.Office, o.HTTP.Exports = office, 1 })
	const path = "/v1/exports/operations?from=2026-11-01T00:00:00Z&to=2026-12-01T00:00:00Z"
	first := e.raw(e.HTTPAddr(), "GET "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	eventually(t, "under way", func() bool { return len(e.http.exports) == 1 })
	require.Equal(t, 503, e.do("GET", path, "").status)
	close(gate)
	require.Contains(t, string(closed(t, first)), "heading")
}
