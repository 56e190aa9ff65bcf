package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"text/tabwriter"
	"time"

	"tillgate/processor/program"
)

// printSchema prints the schema that the server serves too.
func printSchema(_ context.Context, p *programCall, _ []string) error {
	_, err := p.console.out.Write(program.Schema)
	return err
}

// listVersions prints the published versions, the oldest first; a star marks
// the one in force.
func listVersions(ctx context.Context, p *programCall, _ []string) error {
	_, body, err := p.office.ask(ctx, http.MethodGet, "/v1/program/versions", nil)
	if err != nil {
		return err
	}
	var answer struct {
		Versions []struct {
			Version       int
			Program, Hash string
			EffectiveFrom time.Time `json:"effective_from"`
			PublishedAt   time.Time `json:"published_at"`
			PublishedBy   string    `json:"published_by"`
			InForce       bool      `json:"in_force"`
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return fmt.Errorf("the server's answer: %w", err)
	}
	w := tabwriter.NewWriter(p.console.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "VERSION\t\tPROGRAMME\tFROM\tPUBLISHED\tBY\tHASH")
	for _, v := range answer.Versions {
		star := map[bool]string{true: "*"}[v.InForce]
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", v.Version, star, v.Program,
			v.EffectiveFrom.Format(time.RFC3339), v.PublishedAt.Format(time.RFC3339), v.PublishedBy, v.Hash)
	}
	return w.Flush()
}

// diffDocuments prints what two documents differ in, a line for each place.
func diffDocuments(ctx context.Context, p *programCall, args []string) error {
	var docs [2][]byte
	for i, name := range args {
		var err error
		if docs[i], err = p.documentOrVersion(ctx, name); err != nil {
			return err
		}
	}
	changes, err := program.Diff(docs[0], docs[1])
	if err != nil {
		return err
	}
	for i := range changes {
		c := &changes[i]
		switch {
		case c.Before == nil:
			fmt.Fprintf(p.console.out, "+ %s: %s\n", c.Path, c.After)
		case c.After == nil:
			fmt.Fprintf(p.console.out, "- %s: %s\n", c.Path, c.Before)
		default:
			fmt.Fprintf(p.console.out, "  %s: %s -> %s\n", c.Path, c.Before, c.After)
		}
	}
	if len(changes) == 0 {
		fmt.Fprintln(p.console.out, "they say the same")
	}
	return nil
}

// documentOrVersion reads a file, or asks the server for a version by its
// number. A file whose name is a number is named with its folder: ./3.
func (p *programCall) documentOrVersion(ctx context.Context, name string) ([]byte, error) {
	if _, err := strconv.ParseUint(name, 10, 32); err != nil {
		return readDocument(p.console, name)
	}
	_, doc, err := p.office.ask(ctx, http.MethodGet, "/v1/program?version="+url.QueryEscape(name), nil)
	return doc, err
}

// restoreVersion publishes an older document again.
func restoreVersion(ctx context.Context, p *programCall, args []string) error {
	if _, err := strconv.ParseUint(args[0], 10, 32); err != nil {
		return usagef("%q is no version; 'tillgate program versions' lists them", args[0])
	}
	header, _, err := p.office.ask(ctx, http.MethodPost, "/v1/program/versions/"+args[0]+"/restore", nil,
		"Idempotency-Key", rand.Text(), "If-Match", p.match)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.console.out, "in force as %s\n", header.Get("ETag"))
	return nil
}
