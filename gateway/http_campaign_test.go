package gateway

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/protocol"
)

// What is asked about segments, grants and reminders: answers, problems with
// their status within a second, and an end cut off behind it.
func TestQuestionsAboutCampaigns(t *testing.T) {
	office := &fakeOffice{done: make(chan struct{})}
	e := start(t, func(_ *Options, p *Parts) { p.Office = office })
	require.Equal(t, `{"segments":[]}`, e.do("GET", "/v1/segments", "").body)

	office.answers(false, func(_ context.Context, r *protocol.Request, out *protocol.Response) error {
		require.Equal(t, "come back", r.Target, "the path comes decoded")
		out.Campaign = &protocol.CampaignView{Grants: []protocol.GrantView{{Name: r.Target, Members: 2, Points: 100, Total: 200}}}
		return nil
	})
	a := e.do("GET", "/v1/grants/come%20back/preview", "")
	require.Equal(t, 200, a.status)
	require.Contains(t, a.body, `"members":2,"total":200`)

	office.answers(false, func(_ context.Context, r *protocol.Request, out *protocol.Response) error {
		require.Equal(t, "17", r.Cursor)
		require.Equal(t, 5, r.Limit)
		out.Code, out.Detail = protocol.Unavailable, "not now"
		return nil
	})
	a = e.do("GET", "/v1/reminders?cursor=17&limit=5", "")
	require.Equal(t, 503, a.status)
	require.Contains(t, a.body, "not now")
	require.Equal(t, 1, counted(t, e, "tillgate_requests_total", "edge", "http", "call", protocol.CallListReminders.String(), "code", "unavailable"))
	require.Equal(t, 400, e.do("GET", "/v1/reminders?after=17", "").status, "a parameter that the call doesn't take")
	require.Equal(t, 400, e.do("GET", "/v1/segments?limit=1", "").status)

	office.answers(false, func(ctx context.Context, _ *protocol.Request, out *protocol.Response) error {
		select {
		case <-ctx.Done():
		case <-time.After(sign + sign/2):
		}
		out.Code = protocol.Unavailable
		return nil
	})
	resp, err := http.Get("http://" + e.HTTPAddr() + "/v1/segments")
	if err == nil {
		defer resp.Body.Close()
		_, err = io.ReadAll(resp.Body)
	}
	require.Error(t, err, "the connection is cut off: its status may have been sent when it turned out to be a problem")

	office.answers(true, func(ctx context.Context, _ *protocol.Request, out *protocol.Response) error {
		select {
		case <-ctx.Done():
		case <-time.After(sign + sign/2):
		}
		out.Code, out.Detail = protocol.Unavailable, "the reporting database is 7 records behind the ledger; try again later"
		return nil
	})
	a = e.do("GET", "/v1/segments", "")
	require.Equal(t, 503, a.status, "whoever waits for the projection is told what came of it")
	require.Equal(t, "application/problem+json", a.header.Get("Content-Type"))
	require.Contains(t, a.body, "7 records behind")
	require.NotEmpty(t, a.header.Get("Retry-After"))
	office.answers(false, nil)

	a = e.do("GET", "/v1/segments/risk/members", "")
	require.Equal(t, 200, a.status)
	require.Equal(t, "member\nrisk\n", a.body)
	require.Equal(t, `attachment; filename="members.csv"`, a.header.Get("Content-Disposition"))
	a = e.do("GET", "/v1/segments/unknown/members", "")
	require.Equal(t, 404, a.status)
	require.Contains(t, a.body, `"field":"segment"`)
	const period = "?from=2026-11-01T00:00:00Z&to=2026-12-01T00:00:00Z"
	require.Equal(t, "member\ngrants\n", e.do("GET", "/v1/exports/grants"+period, "").body)
	require.Equal(t, 404, e.do("GET", "/v1/exports/others"+period, "").status)
}
