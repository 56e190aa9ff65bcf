package processor

import (
	"sync"
	"time"
)

const (
	// codeAttempts wrong one-time codes from one terminal within codeWindow
	// block that terminal for codes: with a million codes and five tries a
	// quarter of an hour, guessing one live code of a minute's life is hopeless.
	codeAttempts = 5
	codeWindow   = 15 * time.Minute
	// maxAttemptTerminals bounds the table; when it is full, terminals whose
	// window has passed are dropped, and if there are none, codes are shed.
	maxAttemptTerminals = 1 << 16
)

// attempts counts wrong one-time codes per terminal. An attempt under way
// counts as a wrong one until it is known to be right, so that a burst of
// guesses cannot pass before the first of them is judged. The table lives in
// memory: a restart forgives what was counted.
type attempts struct {
	mu    sync.Mutex
	limit int
	by    map[string]*attempt
}

type attempt struct {
	wrong   []int64 // unix ns, oldest first, at most codeAttempts
	pending int
}

type attemptResult uint8

const (
	attemptAllowed attemptResult = iota
	attemptBlocked               // five wrong ones
	attemptBusy                  // the open attempts could become five wrong ones
)

func newAttempts(limit int) *attempts {
	return &attempts{limit: limit, by: make(map[string]*attempt)}
}

// begin opens an attempt; whoever was allowed calls end exactly once.
func (a *attempts) begin(terminal string, now int64) attemptResult {
	a.mu.Lock()
	defer a.mu.Unlock()
	e := a.by[terminal]
	if e == nil {
		if len(a.by) >= maxAttemptTerminals && !a.sweep(now) {
			return attemptBusy
		}
		e = &attempt{}
		a.by[string(append([]byte(nil), terminal...))] = e
	}
	e.forget(now)
	if len(e.wrong) >= a.limit {
		return attemptBlocked
	}
	if len(e.wrong)+e.pending >= a.limit {
		return attemptBusy
	}
	e.pending++
	return attemptAllowed
}

// end closes an attempt; wrong says that the code was.
func (a *attempts) end(terminal string, now int64, wrong bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	e := a.by[terminal]
	if e == nil {
		return
	}
	e.pending--
	if wrong {
		e.wrong = append(e.wrong, now)
	}
	e.forget(now)
	if len(e.wrong) == 0 && e.pending == 0 {
		delete(a.by, terminal)
	}
}

func (e *attempt) forget(now int64) {
	i := 0
	for i < len(e.wrong) && e.wrong[i] <= now-int64(codeWindow) {
		i++
	}
	e.wrong = append(e.wrong[:0], e.wrong[i:]...)
}

// sweep drops terminals with nothing to remember and reports whether there is
// room.
func (a *attempts) sweep(now int64) bool {
	for k, e := range a.by {
		e.forget(now)
		if len(e.wrong) == 0 && e.pending == 0 {
			delete(a.by, k)
		}
	}
	return len(a.by) < maxAttemptTerminals
}
