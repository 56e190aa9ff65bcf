package processor

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"tillgate/ledger"
	"tillgate/protocol"
)

const (
	// codeAttempts wrong one-time codes from one terminal within codeWindow
	// block that terminal for codes: with a million codes and five tries a
	// quarter of an hour, guessing one live code of a minute's life is hopeless.
	codeAttempts = 5
	codeWindow   = 15 * time.Minute
	// codeAddress wrong codes from one network address block the address: who
	// may name any terminal gains nothing by naming many. A chain of a thousand
	// tills may share an address, and its cashiers mistype now and then.
	codeAddress = 100
	// codesPerHour bounds the codes that are issued for one member within an
	// hour of the clock: each is a new target, and a message to a person.
	codesPerHour = 20
	// maxAttemptScopes bounds the table; when it is full, what has passed its
	// window is dropped, and if there is nothing, codes are shed.
	maxAttemptScopes = 1 << 16
)

// A lockScope is what wrong codes are counted by.
type lockScope uint8

const (
	byTerminal lockScope = iota
	byAddress
	lockScopes
)

func (s lockScope) String() string { return [...]string{"terminal", "address"}[s] }

// attempts counts wrong one-time codes by terminal and by address. An attempt
// under way counts as a wrong one until it is known to be right, so that a
// burst of guesses cannot pass before the first of them is judged.
//
// The table is in memory. What was wrong is noted in the store beside it, by
// keyed hashes, without waiting for a sync: a restart begins with what was
// counted, and after a crash only what the disk did not get yet is missing.
type attempts struct {
	mu     sync.Mutex
	limits [lockScopes]int
	by     map[ledger.Key]*attempt
	note   func(k ledger.Key, wrong []int64) // nil in tests: nothing is noted
	locked func(s lockScope)                 // nil in tests
	locks  [lockScopes]atomic.Uint64
}

type attempt struct {
	wrong   []int64 // unix ns, oldest first, at most as many as the limit
	pending int
}

type attemptResult uint8

const (
	attemptAllowed attemptResult = iota
	attemptBlocked               // as many wrong ones as there may be
	attemptBusy                  // the open attempts could become that many
)

// guess is where an attempt comes from: its key in each scope, zero for none.
type guess [lockScopes]ledger.Key

func newAttempts(terminal, address int) *attempts {
	return &attempts{limits: [lockScopes]int{terminal, address}, by: make(map[ledger.Key]*attempt)}
}

// begin opens an attempt; whoever was allowed calls end exactly once. What is
// not allowed is so by the scope.
func (a *attempts) begin(g *guess, now int64) (attemptResult, lockScope) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for s, k := range g {
		if r := a.may(k, a.limits[s], now); r != attemptAllowed {
			return r, lockScope(s)
		}
	}
	for _, k := range g {
		if k != (ledger.Key{}) {
			a.by[k].pending++
		}
	}
	return attemptAllowed, 0
}

func (a *attempts) may(k ledger.Key, limit int, now int64) attemptResult {
	if k == (ledger.Key{}) {
		return attemptAllowed
	}
	e := a.by[k]
	if e == nil {
		if len(a.by) >= maxAttemptScopes && !a.sweep(now) {
			return attemptBusy
		}
		e = &attempt{}
		a.by[k] = e
	}
	e.forget(now)
	switch {
	case len(e.wrong) >= limit:
		return attemptBlocked
	case len(e.wrong)+e.pending >= limit:
		return attemptBusy
	}
	return attemptAllowed
}

// end closes an attempt; wrong says that the code was.
func (a *attempts) end(g *guess, now int64, wrong bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for s, k := range g {
		e := a.by[k]
		if e == nil {
			continue
		}
		e.pending--
		had := len(e.wrong)
		e.forget(now)
		if wrong {
			e.wrong = append(e.wrong, now)
		}
		if had > 0 || wrong {
			a.keep(k, e)
		}
		if wrong && len(e.wrong) == a.limits[s] {
			a.locks[s].Add(1)
			if a.locked != nil {
				a.locked(lockScope(s))
			}
		}
		if len(e.wrong) == 0 && e.pending == 0 {
			delete(a.by, k)
		}
	}
}

func (a *attempts) keep(k ledger.Key, e *attempt) {
	if a.note != nil {
		a.note(k, e.wrong)
	}
}

func (e *attempt) forget(now int64) {
	i := 0
	for i < len(e.wrong) && e.wrong[i] <= now-int64(codeWindow) {
		i++
	}
	e.wrong = append(e.wrong[:0], e.wrong[i:]...)
}

// sweep drops what there is nothing to remember of and reports whether there
// is room.
func (a *attempts) sweep(now int64) bool {
	for k, e := range a.by {
		had := len(e.wrong)
		if e.forget(now); had > 0 && len(e.wrong) == 0 {
			a.keep(k, e)
		}
		if len(e.wrong) == 0 && e.pending == 0 {
			delete(a.by, k)
		}
	}
	return len(a.by) < maxAttemptScopes
}

// wrongCodes is the name under which the wrong codes of a scope are noted, with
// the scope's hash behind it; the value is their times, 8 bytes each.
const wrongCodes = "wrong codes/"

// openAttempts makes the table, as it was before a restart.
func openAttempts(l *ledger.Ledger, o *Options) (*attempts, error) {
	a := newAttempts(o.CodeAttempts, codeAddress)
	err := l.MetaAll(wrongCodes, func(name string, value []byte) error {
		raw, err := hex.DecodeString(name[len(wrongCodes):])
		if err != nil || len(raw) != len(ledger.Key{}) || len(value)%8 != 0 {
			return fmt.Errorf("what is noted of wrong one-time codes can't be read: %q", name)
		}
		e := &attempt{}
		for ; len(value) > 0; value = value[8:] {
			e.wrong = append(e.wrong, int64(binary.BigEndian.Uint64(value)))
		}
		a.by[ledger.Key(raw)] = e
		return nil
	})
	if err != nil {
		return nil, err
	}
	a.note = func(k ledger.Key, wrong []int64) {
		var value []byte
		for _, at := range wrong {
			value = binary.BigEndian.AppendUint64(value, uint64(at))
		}
		if err := l.NoteMeta(wrongCodes+hex.EncodeToString(k[:]), value); err != nil {
			o.Logger.Error("a wrong one-time code is counted in memory only", "cause", err)
		}
	}
	a.locked = func(s lockScope) {
		o.Logger.Warn("one-time codes are locked: too many wrong ones", "by", s.String(), "for", codeWindow.String())
	}
	a.sweep(o.Clock())
	return a, nil
}

// Locks tells how often one-time codes were locked since the start, by terminal
// and by address: each is worth a look.
func (s *Switch) Locks() (terminal, address uint64) {
	return s.attempts.locks[byTerminal].Load(), s.attempts.locks[byAddress].Load()
}

// tryCode opens an attempt with a one-time code for the request's terminal and
// for the address that it comes from.
func (t *Task) tryCode() {
	r := t.request()
	t.guess = guess{byTerminal: t.s.ledger.Hash("wrong codes by terminal", r.Caller.Merchant, r.Terminal)}
	if r.Terminal == "" {
		t.guess[byTerminal] = t.s.ledger.Hash("wrong codes by key", r.Caller.Merchant, r.Caller.Key)
	}
	if r.Origin.IsValid() {
		t.guess[byAddress] = t.s.ledger.Hash("wrong codes by address", r.Origin.String())
	}
	switch result, by := t.s.attempts.begin(&t.guess, t.came); result {
	case attemptBlocked:
		t.refuse(protocol.CodeAttemptsExceeded, "", "too many wrong codes from this "+by.String()+"; other ways to name the member still work")
	case attemptBusy:
		t.refuse(protocol.Overloaded, "", "several one-time codes of this "+by.String()+" are being tried; try again")
	default:
		t.attempt = true
	}
}
