// Package simulate plays the whole server in one process, on a disk, a stream
// and a clock that are made of memory: tills, the switch, the ledger, the
// publisher, the projector. A seed decides what happens: what the tills ask,
// when the process is killed and with how much of what it had not synced, when
// the disk fails, the stream is away, an answer is lost, the clock is set. Time
// is virtual (testing/synctest), so that hours of it take milliseconds and
// nothing depends on the machine.
//
// What one seed brings is always the same: a seed that fails is printed, plays
// again, and is shortened to the fewest steps that still fail. Afterwards the
// books must be sound, every answer of a till must come again as the same
// bytes, the members must own what the answers said, and stream and projection
// must be what the journal is.
//
// The program is in the tests; `make simulate SEEDS=1000` runs it. See
// docs/reliability.md.
package simulate
