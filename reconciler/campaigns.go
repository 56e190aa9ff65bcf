package reconciler

import (
	"context"
	"errors"
	"io"
	"strconv"
	"time"

	"tillgate/protocol"
	"tillgate/reconciler/campaign"
	"tillgate/reconciler/export"
)

// Begin answers a call about segments, grants or reminders: run fills out, with
// a problem where the request can't be served. It tells of progress as soon as the
// projection has caught up: what lasts longer then is reading.
func (r *Reconciler) Begin(request *protocol.Request, out *protocol.Response) (run func(context.Context, func(done, total int64)) error) {
	return func(ctx context.Context, progress func(done, total int64)) error {
		s, err := r.service()
		if err == nil {
			var done func()
			ctx, done = r.question(ctx)
			defer done()
			err = s.Answer(ctx, request, out, func() { progress(0, 0) })
		}
		var refused *protocol.Refusal
		var away *Unavailable
		switch {
		case err == nil, ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &refused):
			out.Code, out.Field, out.Detail = refused.Code, refused.Field, refused.Detail
		case errors.Is(err, campaign.ErrBusy):
			out.Code, out.Detail = protocol.Overloaded, campaign.ErrBusy.Error()
		case errors.As(err, &away):
			out.Code, out.Detail = protocol.Unavailable, away.Reason()
		default:
			r.parts.Logger.Error("a question about segments, grants or reminders failed", "cause", err.Error())
			out.Code, out.Detail = protocol.Unavailable, errUnreachable.Reason()
		}
		return nil
	}
}

// service is what carries out the campaigns, once PostgreSQL is configured. Who
// gets it has a question under way: [Reconciler.question] must follow.
func (r *Reconciler) service() (*campaign.Service, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.campaigns == nil:
		return nil, r.without()
	case r.ended:
		return nil, errUnreachable
	}
	r.questions.Add(1)
	return r.campaigns, nil
}

// question is the context of a question under way, which ends with the
// reconciler too. done must be called.
func (r *Reconciler) question(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(r.ending, cancel)
	return ctx, func() {
		stop()
		cancel()
		r.questions.Done()
	}
}

// File writes a report, the members of a segment, what a run of a grant gave to
// whom, or what was granted or reminded of in some time. What it names and
// isn't there is a *protocol.Refusal.
func (r *Reconciler) File(ctx context.Context, w io.Writer, request *protocol.Request) error {
	if request.Call == protocol.CallReport {
		from, to := time.Unix(0, request.From.Unix), time.Unix(0, request.To.Unix)
		return r.Report(ctx, w, request.Caller.Merchant, request.Target, from, to, request.Format)
	}
	s, err := r.service()
	if err != nil {
		return err
	}
	ctx, done := r.question(ctx)
	defer done()
	merchant := request.Caller.Merchant
	if request.Call == protocol.CallSegmentMembers {
		err := s.Members(ctx, w, merchant, request.Target)
		var refused *protocol.Refusal
		var away *Unavailable
		switch {
		case errors.As(err, &refused), errors.As(err, &away):
			return err
		case errors.Is(err, campaign.ErrBusy):
			return &protocol.Refusal{Code: protocol.Overloaded, Detail: err.Error()}
		}
		return r.told(err)
	}
	config, err := r.current(ctx)
	if err != nil {
		return err
	}
	from, to := time.Unix(0, request.From.Unix), time.Unix(0, request.To.Unix)
	if request.Call == protocol.CallExport {
		if request.Target == "reminders" {
			return r.told(export.Reminders(ctx, config, w, merchant, from, to, request.Format))
		}
		return r.told(export.Grants(ctx, config, w, merchant, from, to, 0, request.Format))
	}
	run, err := strconv.ParseInt(request.Target, 10, 64)
	known := err == nil && run > 0
	if known {
		known, err = s.HasRun(ctx, merchant, run)
		if errors.Is(err, campaign.ErrBusy) {
			return &protocol.Refusal{Code: protocol.Overloaded, Detail: err.Error()}
		}
		if err != nil {
			return r.told(err)
		}
	}
	if !known {
		return &protocol.Refusal{Code: protocol.NotFound, Field: "id", Detail: "there is no such run of a grant; GET /v1/grants/runs lists them"}
	}
	return r.told(export.Grants(ctx, config, w, merchant, time.Unix(0, 0), time.Unix(1<<33, 0), run, request.Format))
}
