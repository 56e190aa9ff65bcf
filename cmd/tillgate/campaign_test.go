package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// run runs a command against the office's server.
func (o *office) run(args ...string) string {
	o.Helper()
	var out, errs bytes.Buffer
	require.Equal(o, exitDone, Run(context.Background(), append(args, "--http", o.http), nil, &out, &errs), "%v: %s", args, &errs)
	return out.String()
}

// send makes a call and holds it to a status.
func (o *office) send(method, path, key, body string, want int) string {
	o.Helper()
	req, err := http.NewRequest(method, "http://"+o.http+path, strings.NewReader(body))
	require.NoError(o, err)
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(o, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(o, err)
	require.Equal(o, want, resp.StatusCode, "%s", raw)
	return string(raw)
}

// TestAGrantFromThePublicationToTheFile: marketing publishes a grant, sees who
// would get it, the moment comes, the outcome can be read; a reminder is in the
// outbox.
func TestAGrantFromThePublicationToTheFile(t *testing.T) {
	o := newOffice(t)
	moment := time.Now().Add(4 * time.Second).UTC()
	o.send("PUT", "/v1/program", "", fmt.Sprintf(`{"program":"p","currency":"KZT","timezone":"Asia/Almaty",
		"segments":[{"name":"our friends","color":"green","when":{"tag":["friend"]}},{"name":"all","when":{"first_purchase":true}}],
		"grants":[{"name":"8 march","segment":"our friends","at":%q,"give":{"points":300},"lot":{"expires_after":"3d"}}],
		"remind":[{"before_expiry":"7d"}]}`, moment.Format(time.RFC3339Nano)), 200)
	for i, tags := range []string{`["friend"]`, `[]`, `["friend","vip"]`} {
		o.send("POST", "/v1/members", fmt.Sprint("m", i), fmt.Sprintf(`{"phone":"+7701000000%d","tags":%s}`, i, tags), 201)
	}

	require.Eventually(t, func() bool {
		r, err := http.Get("http://" + o.http + "/v1/segments")
		if err != nil {
			return false
		}
		defer r.Body.Close()
		return r.StatusCode == 200
	}, 20*time.Second, 20*time.Millisecond, "until PostgreSQL has been reached")
	require.Regexp(t, `our friends +green +2\n`, o.run("campaign", "segments"))
	require.Regexp(t, `all +3\n`, o.run("campaign", "segments"))
	friends := o.run("campaign", "members", "our friends")
	require.Equal(t, 3, strings.Count(friends, "\n"), "a heading and two: %s", friends)
	require.Contains(t, o.run("campaign", "preview", "8 march"), "8 march would give 300.00 points to each of 2 members of our friends now: 600.00 in all")

	require.Eventually(t, func() bool {
		return strings.Contains(o.run("campaign", "runs"), "done")
	}, 30*time.Second, 50*time.Millisecond)
	require.Regexp(t, `1 +8 march +\S+ +done +2 +2 +0 +0 +600.00`, o.run("campaign", "runs"))
	require.Regexp(t, `8 march +our friends +300.00 +\S+: done, 2 given`, o.run("campaign", "grants"))
	rows, err := csv.NewReader(strings.NewReader(o.run("campaign", "run", "1"))).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 4, "a heading, two members, the total")
	require.Equal(t, "given", rows[1][10])
	require.Equal(t, "300.00", rows[1][13])
	require.Equal(t, "600.00", rows[3][13])
	balance := o.send("GET", "/v1/members/"+rows[1][9]+"/balance", "", "", 200)
	require.Contains(t, balance, `"available":30000`)
	history := o.send("GET", "/v1/members/"+rows[1][9]+"/operations", "", "", 200)
	require.Contains(t, history, `"id":"`+rows[1][12]+`"`, "the file names the adjustment")
	require.Contains(t, history, `"reason":"8 march"`)

	from, to := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	require.Contains(t, o.send("GET", "/v1/exports/grants?from="+from+"&to="+to, "", "", 200), ",8 march,")
	require.Contains(t, o.send("GET", "/v1/exports/reminders?from="+from+"&to="+to, "", "", 200), "id,member,before")
	require.Contains(t, o.run("campaign", "reminders"), "LAPSE AT")
	require.Equal(t, `{"reminders":[],"next":"0"}`, o.send("GET", "/v1/reminders", "", "", 200))

	require.Contains(t, o.send("GET", "/v1/grants/other/preview", "", "", 404), "no grant of this name")
	require.Contains(t, o.send("GET", "/v1/segments/other/members", "", "", 404), "no segment other")
	require.Contains(t, o.send("GET", "/v1/grants/runs/99/members", "", "", 404), "no such run")
	require.Contains(t, o.send("GET", "/v1/reminders?cursor=x", "", "", 400), "is none that this call has given")
}

// TestCampaignsWithoutPostgreSQL: a clear word, and tills are served.
func TestCampaignsWithoutPostgreSQL(t *testing.T) {
	s := ownTestServer(t)
	for _, path := range []string{"/v1/segments", "/v1/grants", "/v1/grants/x/preview", "/v1/grants/runs", "/v1/grants/runs/1/members", "/v1/segments/x/members", "/v1/reminders"} {
		status, answer := call(t, s, "GET", path, "")
		require.Equal(t, 503, status, path)
		require.Equal(t, "no reporting database is configured; tills are served all the same", answer["detail"], path)
	}
	status, _, body := post(t, s, "/v1/accruals", "k", purchase)
	require.Equal(t, 200, status, body)
	var out, errs bytes.Buffer
	require.Equal(t, exitFailed, Run(context.Background(), []string{"campaign", "segments", "--http", s.gateway.HTTPAddr()}, nil, &out, &errs))
	require.Contains(t, errs.String(), "no reporting database is configured")
	for _, args := range [][]string{{"campaign"}, {"campaign", "others"}, {"campaign", "members"}, {"campaign", "runs", "1"}, {"campaign", "run", "x"}} {
		require.Equal(t, exitUsage, Run(context.Background(), args, nil, &out, &errs), args)
	}
}
