package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/pflag"
)

func init() {
	register(command{"campaign", "ask about segments, grants to them and reminders", campaignCommand})
}

const aboutCampaign = `
segments       lists the segments of the programme in force, with how many
               members each has now
members NAME   writes who belongs to a segment: account ids, CSV
grants         lists the grants, when each comes next and its newest run
preview NAME   tells who would get a grant now and how much; nothing is given
runs           lists the moments of grants that have come, the newest first
run ID         writes who got a run's points, and who not and why: CSV
reminders      lists the reminders of points that are about to lapse; --after
               goes on behind one that is known

With keys configured, TILLGATE_API_KEY holds the secret of a marketing or admin
key.
`

// campaignCall is what a campaign command works with.
type campaignCall struct {
	console *console
	office  adminCalls
	output  string
	after   string
}

// campaignActions are the actions and how many arguments each takes.
var campaignActions = map[string]struct {
	args int
	run  func(context.Context, *campaignCall, string) error
}{
	"segments":  {0, listSegments},
	"members":   {1, segmentMembers},
	"grants":    {0, listGrants},
	"preview":   {1, previewGrant},
	"runs":      {0, listRuns},
	"run":       {1, runMembers},
	"reminders": {0, listReminders},
}

func campaignCommand(ctx context.Context, c *console, args []string) error {
	fs := newFlags(c, "campaign", "segments|members NAME|grants|preview NAME|runs|run ID|reminders [flags]", aboutCampaign)
	p := campaignFlags(c, fs)
	server := fs.String("http", envOr("TILLGATE_HTTP", "127.0.0.1:8080"), "address of the server's HTTP listener")
	if err := parse(fs, args, 1, 2); err != nil {
		return err
	}
	p.office = adminCalls{*server}
	action, ok := campaignActions[fs.Arg(0)]
	switch {
	case !ok:
		return usagef("there is no %q; there are segments, members, grants, preview, runs, run and reminders", fs.Arg(0))
	case fs.NArg()-1 < action.args:
		return usagef("an argument is missing")
	case fs.NArg()-1 > action.args:
		return usagef("%q is one argument too many", fs.Arg(fs.NArg()-1))
	}
	return action.run(ctx, p, fs.Arg(1))
}

func campaignFlags(c *console, fs *pflag.FlagSet) *campaignCall {
	p := &campaignCall{console: c}
	fs.StringVarP(&p.output, "output", "o", "-", "the file that members and run write; - is the standard output")
	fs.StringVar(&p.after, "after", "", "of reminders: the id behind which they begin")
	return p
}

// fetch copies what a path answers, however long that takes.
func (o adminCalls) fetch(ctx context.Context, path string, w io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+o.server+path, nil)
	if err != nil {
		return usagef("--http: %q is no address; one looks like 127.0.0.1:8080", o.server)
	}
	if key := os.Getenv("TILLGATE_API_KEY"); key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	resp, err := http.DefaultClient.Do(req)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("nobody listens on %s; start a server with 'tillgate serve', or name the right address with --http", o.server)
	case err != nil:
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		var p problem
		if json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&p) == nil && p.Code != "" {
			return &p
		}
		return fmt.Errorf("the server answered %s", resp.Status)
	}
	if _, err := io.Copy(w, resp.Body); err != nil {
		return fmt.Errorf("the server broke off: %w", err)
	}
	return nil
}

// read asks for a document.
func (p *campaignCall) read(ctx context.Context, path string, into any) error {
	var b bytes.Buffer
	if err := p.office.fetch(ctx, path, &b); err != nil {
		return err
	}
	if err := json.Unmarshal(b.Bytes(), into); err != nil {
		return fmt.Errorf("the server's answer: %w", err)
	}
	return nil
}

func (p *campaignCall) table() *tabwriter.Writer {
	return tabwriter.NewWriter(p.console.out, 0, 0, 2, ' ', 0)
}

func listSegments(ctx context.Context, p *campaignCall, _ string) error {
	var answer struct {
		Segments []struct {
			Name, Color string
			Members     int64
		}
	}
	if err := p.read(ctx, "/v1/segments", &answer); err != nil {
		return err
	}
	w := p.table()
	fmt.Fprintln(w, "SEGMENT\tCOLOUR\tMEMBERS")
	for _, s := range answer.Segments {
		fmt.Fprintf(w, "%s\t%s\t%d\n", s.Name, s.Color, s.Members)
	}
	return w.Flush()
}

func segmentMembers(ctx context.Context, p *campaignCall, name string) error {
	return writeFile(p.console, p.output, func(w io.Writer) error {
		return p.office.fetch(ctx, "/v1/segments/"+url.PathEscape(name)+"/members", w)
	})
}

// grantLine is a grant as the server tells it.
type grantLine struct {
	Name, Segment, Every, Refused string
	Points, Members, Total        int64
	Next                          *time.Time
	Last                          *runLine
}

// runLine is a run as the server tells it.
type runLine struct {
	ID, Grant, Status, Why                 string
	At                                     time.Time
	Members, Given, Skipped, Failed, Total int64
}

func listGrants(ctx context.Context, p *campaignCall, _ string) error {
	var answer struct{ Grants []grantLine }
	if err := p.read(ctx, "/v1/grants", &answer); err != nil {
		return err
	}
	w := p.table()
	fmt.Fprintln(w, "GRANT\tSEGMENT\tPOINTS\tEVERY\tNEXT\tNEWEST RUN")
	for _, g := range answer.Grants {
		next, last := "", ""
		if g.Next != nil {
			next = g.Next.Format(time.RFC3339)
		}
		if g.Refused != "" {
			next = g.Refused
		}
		if g.Last != nil {
			last = fmt.Sprintf("%s: %s, %d given", g.Last.At.Format(time.RFC3339), g.Last.Status, g.Last.Given)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", g.Name, g.Segment, money(g.Points), g.Every, next, last)
	}
	return w.Flush()
}

func previewGrant(ctx context.Context, p *campaignCall, name string) error {
	var g grantLine
	if err := p.read(ctx, "/v1/grants/"+url.PathEscape(name)+"/preview", &g); err != nil {
		return err
	}
	fmt.Fprintf(p.console.out, "%s would give %s points to each of %d members of %s now: %s in all\n",
		g.Name, money(g.Points), g.Members, g.Segment, money(g.Total))
	if g.Refused != "" {
		fmt.Fprintf(p.console.out, "it will not be given: %s\n", g.Refused)
	}
	return nil
}

func listRuns(ctx context.Context, p *campaignCall, _ string) error {
	w := p.table()
	fmt.Fprintln(w, "RUN\tGRANT\tMOMENT\tSTATUS\tMEMBERS\tGIVEN\tSKIPPED\tFAILED\tTOTAL\tWHY")
	for cursor := ""; ; {
		var answer struct {
			Runs []runLine
			Next string
		}
		if err := p.read(ctx, "/v1/grants/runs"+behind(cursor), &answer); err != nil {
			return err
		}
		for _, r := range answer.Runs {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%s\t%s\n", r.ID, r.Grant, r.At.Format(time.RFC3339), r.Status,
				r.Members, r.Given, r.Skipped, r.Failed, money(r.Total), r.Why)
		}
		if cursor = answer.Next; cursor == "" {
			return w.Flush()
		}
	}
}

func behind(cursor string) string {
	if cursor == "" {
		return ""
	}
	return "?cursor=" + url.QueryEscape(cursor)
}

func runMembers(ctx context.Context, p *campaignCall, id string) error {
	if _, err := strconv.ParseUint(id, 10, 63); err != nil {
		return usagef("%q is no run; 'tillgate campaign runs' lists them", id)
	}
	return writeFile(p.console, p.output, func(w io.Writer) error {
		return p.office.fetch(ctx, "/v1/grants/runs/"+id+"/members", w)
	})
}

func listReminders(ctx context.Context, p *campaignCall, _ string) error {
	w := p.table()
	fmt.Fprintln(w, "ID\tMEMBER\tPOINTS\tLAPSE AT\tBEFORE")
	for cursor := p.after; ; {
		var answer struct {
			Reminders []struct {
				ID, Member, Before string
				Points             int64
				ExpiresAt          time.Time `json:"expires_at"`
			}
			Next string
		}
		if err := p.read(ctx, "/v1/reminders"+behind(cursor), &answer); err != nil {
			return err
		}
		for _, r := range answer.Reminders {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.ID, r.Member, money(r.Points), r.ExpiresAt.Format(time.RFC3339), r.Before)
		}
		if len(answer.Reminders) == 0 {
			return w.Flush()
		}
		cursor = answer.Next
	}
}
