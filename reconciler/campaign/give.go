package campaign

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"
	"time"

	"tillgate/protocol"
	"tillgate/reconciler/stream"
)

// outcome is what came of a grant to one member.
type outcome struct {
	status    string // given, skipped or failed; "" while it is not known
	why       string
	operation string
}

// actor is the name under which grants stand in the journal, where adjustments
// by hand have that of the API key.
const actor = "grants"

const (
	// inFlight is how many grants wait for their sync at a time: they share a
	// drain with the tills' requests.
	inFlight = 16
	// patience is how long is waited where the switch is overloaded.
	patience = 500 * time.Millisecond
	// tries bounds how often a fault of the switch is tried again.
	tries = 3
)

// pace lets so many pass in a second.
type pace struct {
	every time.Duration
	next  time.Time
}

// wait returns when the next may pass; false if ctx has ended.
func (p *pace) wait(ctx context.Context) bool {
	now := time.Now()
	if p.next.Before(now) {
		p.next = now
	}
	wait := p.next.Sub(now)
	p.next = p.next.Add(p.every)
	if wait <= 0 {
		return ctx.Err() == nil
	}
	return stream.Sleep(ctx, wait)
}

// give asks the switch for each member's grant and waits for all answers. An
// error means that ctx has ended: what was given meanwhile is told by its key
// the next time.
func (w *worker) give(ctx context.Context, o *open, accounts []string) ([]outcome, error) {
	outcomes := make([]outcome, len(accounts))
	slots := make(chan struct{}, inFlight)
	release := func() { <-slots }
	for i := range accounts {
		if !w.pace.wait(ctx) {
			break
		}
		slots <- struct{}{}
		go func() {
			defer release()
			outcomes[i] = w.ask(ctx, o, accounts[i])
		}()
	}
	for range inFlight { // all slots are free again when all have answered
		slots <- struct{}{}
	}
	for i := range outcomes {
		if outcomes[i].status == "" {
			return nil, fmt.Errorf("a batch of grants was cut short: %w", context.Canceled)
		}
	}
	return outcomes, nil
}

// ask has one grant decided, and asks again where that may help.
func (w *worker) ask(ctx context.Context, o *open, account string) outcome {
	for faults := 0; ; {
		r := w.submit(o, account)
		switch {
		case r.code.OK():
			return outcome{status: "given", operation: r.operation}
		case !r.code.Retryable():
			return outcome{status: "skipped", why: r.detail}
		case r.code == protocol.Internal:
			if faults++; faults == tries {
				return outcome{status: "failed", why: r.detail}
			}
		}
		w.m.retries.Inc()
		if !stream.Sleep(ctx, patience) {
			return outcome{}
		}
	}
}

// reply is what is kept of an answer: its strings are the exchange's.
type reply struct {
	code              protocol.Code
	detail, operation string
}

// submit hands the switch the adjustment of one member.
func (w *worker) submit(o *open, account string) reply {
	answered := make(chan reply, 1)
	x := &protocol.Exchange{Done: func(x *protocol.Exchange) {
		r := &x.Response
		answered <- reply{r.Code, strings.Clone(r.Detail), strings.Clone(r.ID)}
	}}
	r := &x.Request
	r.Call, r.Edge = protocol.CallAdjust, protocol.EdgeHTTP
	r.Caller = protocol.Caller{Key: actor, Merchant: o.merchant, Role: protocol.RoleAdmin}
	r.Target, r.Points, r.Reason = account, o.points, o.reason
	r.Grant = &protocol.GrantOrder{Name: o.name, Occurrence: o.occurrence.UnixNano(), Version: uint32(o.version)}
	what := strings.Join([]string{o.name, o.occurrence.UTC().Format(time.RFC3339Nano), account}, "\n")
	r.Hash = [16]byte(hashed(what)[:16])
	r.Key = "grant-" + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(hashed(what))
	w.o.Submit(x)
	return <-answered
}

// hashed names a grant to a member: the same moment and member have the same
// key in every run. 20 bytes are 32 characters of a key that has 64 at most.
func hashed(what string) []byte {
	h := sha256.Sum256([]byte(what))
	return h[:20]
}
