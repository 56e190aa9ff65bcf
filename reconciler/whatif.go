package reconciler

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"

	"tillgate/protocol"
	"tillgate/reconciler/desk"
)

// WhatIf replays drafts of a programme over the receipts that were booked.
type WhatIf interface {
	// Begin checks a request and takes the place for its replay: there is one
	// at a time. A nil run means that it is refused, by what is in out. Else
	// run must be called once: when it returns nil the report is in out.
	Begin(r *protocol.Request, out *protocol.Response) (run func(ctx context.Context, progress func(done, total int64)) error)
}

// tellEvery is how often a replay tells how far it is.
const tellEvery = 100 * time.Millisecond

// WhatIf replays a draft and writes how far it is, and at last the report, as
// lines of JSON (desk.Replay).
func (r *Reconciler) WhatIf(ctx context.Context, w io.Writer, merchant string, draft []byte, from, to int64) error {
	if r.parts.WhatIf == nil {
		return errors.New("drafts can't be replayed here")
	}
	request := &protocol.Request{Call: protocol.CallWhatIf, Document: draft}
	request.Caller.Merchant = merchant
	request.From = protocol.Time{Unix: from, Set: from != 0}
	request.To = protocol.Time{Unix: to, Set: to != 0}
	var out protocol.Response
	run := r.parts.WhatIf.Begin(request, &out)
	if run == nil {
		return refusal(&out)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lines := json.NewEncoder(w)
	tell := func(line desk.Replay) error {
		if err := lines.Encode(line); err != nil {
			return err
		}
		if f, ok := w.(interface{ Flush() error }); ok {
			return f.Flush()
		}
		return nil
	}
	var last time.Time
	err := run(ctx, func(done, total int64) {
		if time.Since(last) < tellEvery {
			return
		}
		last = time.Now()
		if tell(desk.Replay{Done: done, Total: total}) != nil {
			cancel() // nobody reads any more
		}
	})
	if err != nil {
		return err
	}
	return tell(desk.Replay{Report: out.WhatIf})
}

// refusal is what a refused request is told, as one error.
func refusal(out *protocol.Response) error {
	var b strings.Builder
	b.WriteString(out.Detail)
	for _, p := range out.Problems {
		b.WriteString("\n  " + p.Path + ": " + p.Message)
	}
	return errors.New(b.String())
}
