package gateway

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/protocol"
)

// fakeWhatIf replays nothing: run says what happens.
type fakeWhatIf struct {
	asked *protocol.Request
	run   func(ctx context.Context) error
	ended chan struct{}
}

func (f *fakeWhatIf) Begin(r *protocol.Request, out *protocol.Response) func(context.Context, func(done, total int64)) error {
	f.asked, out.Call = r, protocol.CallWhatIf
	if f.run == nil {
		out.Code, out.Detail = protocol.Overloaded, "another replay is under way"
		return nil
	}
	return func(ctx context.Context, progress func(done, total int64)) error {
		defer close(f.ended)
		progress(1, 2)
		err := f.run(ctx)
		if err == nil {
			out.WhatIf = &protocol.WhatIf{Program: "draft"}
		}
		return err
	}
}

func TestWhatIf(t *testing.T) {
	f := &fakeWhatIf{}
	e := start(t, func(_ *Options, p *Parts) { p.WhatIf = f })
	const path = "/v1/program/whatif"
	ask := func(path string) answer {
		f.ended = make(chan struct{})
		return e.do("POST", path, "program: draft", "Content-Type", "application/yaml")
	}
	a := ask(path)
	require.Equal(t, 503, a.status)
	require.Equal(t, "1", a.header.Get("Retry-After"))
	require.Contains(t, a.body, "another replay is under way")

	f.run = func(context.Context) error { return nil }
	a = ask(path + "?from=2026-11-01T00:00:00%2B05:00&to=2026-12-01T00:00:00Z")
	require.Equal(t, 200, a.status, a.body)
	require.True(t, strings.HasPrefix(a.body, `{"program":"draft"`), a.body)
	require.Equal(t, "program: draft", string(f.asked.Document))
	require.True(t, f.asked.From.Set && f.asked.To.Set)

	f.run = func(context.Context) error { return errors.New("record 17 at /data is broken") }
	a = ask(path)
	require.Equal(t, 503, a.status)
	require.NotContains(t, a.body, "/data")

	require.Equal(t, 400, ask(path+"?since=1").status)
	require.Equal(t, 400, ask(path+"?from=yesterday").status)
	require.Equal(t, 415, e.do("POST", path, "x", "Content-Type", "text/plain").status)
	require.Equal(t, 503, start(t).do("POST", path, "program: x", "Content-Type", "application/yaml").status)
}

// TestALongReplayShowsThatItLives: spaces come before the document, which is
// JSON all the same.
func TestALongReplayShowsThatItLives(t *testing.T) {
	f := &fakeWhatIf{ended: make(chan struct{}), run: func(context.Context) error {
		time.Sleep(2500 * time.Millisecond) // the waiting is what is tested
		return nil
	}}
	e := start(t, func(o *Options, p *Parts) { p.WhatIf, o.HTTP.WriteTimeout = f, 1500*time.Millisecond })
	a := e.do("POST", "/v1/program/whatif", "program: draft", "Content-Type", "application/yaml")
	require.Equal(t, 200, a.status)
	require.Equal(t, "application/json", a.header.Get("Content-Type"))
	require.Regexp(t, `^ +\{"program":"draft".*\}$`, a.body)
}

func TestAReplayEndsWhenItsCallerGoes(t *testing.T) {
	f := &fakeWhatIf{ended: make(chan struct{}), run: func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}}
	e := start(t, func(_ *Options, p *Parts) { p.WhatIf = f })
	c := e.raw(e.HTTPAddr(), "POST /v1/program/whatif HTTP/1.1\r\nHost: x\r\nContent-Type: application/yaml\r\nContent-Length: 14\r\n\r\nprogram: draft")
	require.NoError(t, c.Close())
	select {
	case <-f.ended:
	case <-time.After(20 * time.Second):
		t.Fatal("the replay goes on for nobody")
	}
}
