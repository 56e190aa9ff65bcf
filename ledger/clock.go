package ledger

import (
	"sync/atomic"
	"time"
)

// maxJump is by how much the clock may part from the time that has really
// passed before operators are told.
const maxJump = time.Minute

// clock watches that the wall clock goes on at the pace of the monotonic one.
type clock struct {
	l     *Ledger
	began time.Time // carries the monotonic clock
	skew  atomic.Int64
	told  atomic.Int64 // the latest time that Now has told
}

func (c *clock) start(l *Ledger) {
	c.l, c.began = l, time.Now()
	now := l.o.Clock()
	c.skew.Store(now)
	for _, p := range l.parts {
		c.told.Store(max(c.told.Load(), p.time))
	}
	for _, p := range l.parts {
		if p.time-now > int64(maxJump) {
			c.alert(time.Duration(now - p.time))
			return
		}
	}
}

// now reads the clock. A jump of more than a minute against the time that has
// passed raises the alert; ledger time then waits (back) or follows (forward).
func (c *clock) now() int64 {
	now := c.l.o.Clock()
	skew := now - int64(time.Since(c.began))
	last := c.skew.Load()
	jump := time.Duration(skew - last)
	if jump.Abs() < time.Second {
		return now
	}
	// A clock that is being slewed parts slowly: that is followed in silence.
	if c.skew.CompareAndSwap(last, skew) && jump.Abs() > maxJump {
		c.alert(jump)
	}
	return now
}

// Now is the ledger's time beside its tasks, unix ns: the clock's, never before
// what it has told, nor before what was recorded when the ledger was opened. It
// is for who follows the books and must not see a date twice when the clock
// goes back.
func (l *Ledger) Now() int64 {
	for {
		told := l.clock.told.Load()
		now := max(l.clock.now(), told)
		if l.clock.told.CompareAndSwap(told, now) {
			return now
		}
	}
}

func (c *clock) alert(jump time.Duration) {
	c.l.stats.clockJumps.Add(1)
	c.l.o.Logger.Error("the clock has jumped; holds, activations and expiries follow it", "by", jump)
}
