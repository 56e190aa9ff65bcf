package gateway

import (
	"context"
	"io"
	"time"

	"tillgate/protocol"
)

// Switch decides what a request means and records it. Submit never blocks:
// the answer comes by the exchange's Done, once, from any goroutine, also when
// the switch is overloaded or closing.
type Switch interface {
	Submit(x *protocol.Exchange)
}

// Office answers what needs more than one account: matching a till's shift,
// exporting a merchant's operations, segments and what they are granted.
type Office interface {
	// CloseShift answers protocol.CallCloseShift by the exchange's Done, once,
	// from any goroutine. It doesn't block.
	CloseShift(x *protocol.Exchange)
	// Export writes the operations of a merchant that were booked in
	// [from, to) to w as it reads them. format is "csv" or "xlsx". An error
	// before the first byte becomes an answer, a later one cuts the answer off.
	// ctx ends when nobody reads any more.
	Export(ctx context.Context, w io.Writer, merchant string, from, to time.Time, format string) error
	// File writes another file to w, as Export does: a report, the members of a
	// segment, what a grant's run gave to whom, the exports of grants and reminders. The
	// request's call, target and query say which. A *protocol.Refusal before the
	// first byte is the answer.
	File(ctx context.Context, w io.Writer, r *protocol.Request) error
	// Begin answers what is asked about segments, grants and reminders, which may
	// take a while: run must be called once, and when it returns nil the answer is
	// in out; when ctx ends, it returns soon. Until it tells of progress the answer
	// may still become a problem, after long waiting too.
	Begin(r *protocol.Request, out *protocol.Response) (run func(ctx context.Context, progress func(done, total int64)) error)
}

// WhatIf replays drafts of a programme over the receipts that were booked.
type WhatIf interface {
	// Begin checks a request and takes the place for its replay: there is one
	// at a time. A nil run means that it is refused, by what is in out. Else
	// run must be called once: when it returns nil the answer is in out; when
	// ctx ends, it returns soon. progress may be called at any time within.
	Begin(r *protocol.Request, out *protocol.Response) (run func(ctx context.Context, progress func(done, total int64)) error)
}

// Check is one thing that /readyz reports.
type Check struct {
	Name string
	// Needed says that tills cannot be served without it. What isn't needed
	// (PostgreSQL, Kafka) is reported but keeps nobody waiting.
	Needed bool
	// Probe returns nil when all is well, else a short sentence without
	// anything internal in it: no address, no path, no name. It must be quick.
	Probe func() error
}
