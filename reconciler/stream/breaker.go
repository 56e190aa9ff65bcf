package stream

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"
)

// Breaker stands before a service outside the process: after three failures
// within its interval it refuses at once for a pause, then lets one attempt
// through. The interval is given, because without one a failure of last month
// would still count; a call that we ended ourselves tells nothing about the
// service and is not counted, which gobreaker would do by default.
func Breaker(name string, pause time.Duration, log *slog.Logger, changed func(open bool)) *gobreaker.CircuitBreaker[struct{}] {
	return gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name:         name,
		MaxRequests:  1,
		Interval:     30 * time.Second,
		Timeout:      pause,
		ReadyToTrip:  func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= 3 },
		IsSuccessful: func(err error) bool { return err == nil },
		IsExcluded:   func(err error) bool { return errors.Is(err, context.Canceled) },
		OnStateChange: func(name string, from, to gobreaker.State) {
			log.Debug("circuit breaker", "service", name, "from", from.String(), "to", to.String())
			if changed != nil {
				changed(to == gobreaker.StateOpen)
			}
		},
	})
}

// Sleep waits for d or until ctx ends, and reports whether it waited.
func Sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// Grumble keeps a log readable while a service is away: a cause is told at
// once, and while it stays the same once a minute.
type Grumble struct {
	mu   sync.Mutex
	last string
	told time.Time
}

// Worth reports whether the cause is to be told now.
func (g *Grumble) Worth(cause error) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if text := cause.Error(); text != g.last || time.Since(g.told) >= time.Minute {
		g.last, g.told = text, time.Now()
		return true
	}
	return false
}
