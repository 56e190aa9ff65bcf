package processor

import (
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
)

func claimant(keys ...byte) *Task {
	t := &Task{}
	for _, k := range keys {
		t.claim.add(ledger.Key{0: k, 15: k % 3})
	}
	return t
}

func TestKeysAreKeptInOrderAndOnce(t *testing.T) {
	c := claimant(5, 1, 3, 1, 5).claim
	require.Equal(t, 3, c.n)
	for i, k := range []byte{1, 3, 5} {
		require.Equal(t, k, c.keys[i][0])
	}
	full := claimant(1, 2, 3, 4, 5, 6)
	require.False(t, full.claim.add(ledger.Key{9}))
	require.True(t, full.claim.add(ledger.Key{0: 6, 15: 0}))
}

// TestAKeyPassesToItsOldestWaiter: nobody else gets it in between.
func TestAKeyPassesToItsOldestWaiter(t *testing.T) {
	c := newClaims(10)
	first, second, third := claimant(1), claimant(1, 2), claimant(1)
	require.Equal(t, claimOwned, c.acquire(first))
	require.Equal(t, claimParked, c.acquire(second))
	require.Equal(t, claimParked, c.acquire(third))

	var ran []*Task
	run := func(w *Task, r claimResult) {
		require.Equal(t, claimOwned, r)
		ran = append(ran, w)
	}
	c.release(first, run)
	require.Equal(t, []*Task{second}, ran)
	fourth := claimant(2)
	require.Equal(t, claimParked, c.acquire(fourth))
	c.release(second, run)
	require.ElementsMatch(t, []*Task{second, third, fourth}, ran)
	c.release(third, run)
	c.release(fourth, run)
	require.Len(t, ran, 3)
	for i := range c.stripes {
		require.Empty(t, c.stripes[i].held)
	}
	require.Zero(t, c.waiting.Load())
}

// TestTooManyWaitersAreShed: the table holds a bounded number of parked
// exchanges, and one that is shed gives back what it owned.
func TestTooManyWaitersAreShed(t *testing.T) {
	c := newClaims(1)
	owner, other := claimant(2), claimant(9)
	require.Equal(t, claimOwned, c.acquire(owner))
	require.Equal(t, claimOwned, c.acquire(other))
	require.Equal(t, claimParked, c.acquire(claimant(2)))
	shed := claimant(1, 9)
	require.Equal(t, claimFull, c.acquire(shed))
	require.Equal(t, 1, shed.claim.owned)
	c.release(shed, func(*Task, claimResult) { require.Fail(t, "nobody waits for it") })
	require.Equal(t, claimOwned, c.acquire(claimant(1)))
}

// TestNobodyWaitsForEver: tasks with overlapping keys in any order all get
// them, and never two at once the same.
func TestNobodyWaitsForEver(t *testing.T) {
	const tasks, keys = 2000, 8
	c := newClaims(tasks)
	var owners [keys]int
	var mu sync.Mutex
	var done sync.WaitGroup
	done.Add(tasks)
	var run func(*Task, claimResult)
	run = func(w *Task, r claimResult) {
		if r == claimParked {
			return
		}
		mine := w.claim
		mu.Lock()
		for i := range mine.n {
			owners[mine.keys[i][0]]++
			if owners[mine.keys[i][0]] != 1 {
				t.Error("two own a key")
			}
		}
		for i := range mine.n {
			owners[mine.keys[i][0]]--
		}
		mu.Unlock()
		c.release(w, func(next *Task, r claimResult) { go run(next, r) })
		done.Done()
	}
	for range tasks {
		n := 1 + rand.IntN(4)
		list := make([]byte, n)
		for i := range list {
			list[i] = byte(rand.IntN(keys))
		}
		go func() {
			w := claimant(list...)
			run(w, c.acquire(w))
		}()
	}
	done.Wait()
	require.Zero(t, c.waiting.Load())
}

func TestWrongCodesBlockATerminal(t *testing.T) {
	a := newAttempts(3, 1000)
	begin, end := scoped(a)
	const minute = int64(60e9)
	for i := range 3 {
		require.Equal(t, attemptAllowed, begin("T1", int64(i)*minute))
		end("T1", int64(i)*minute, true)
	}
	require.Equal(t, attemptBlocked, begin("T1", 3*minute))
	require.Equal(t, attemptAllowed, begin("T2", 3*minute))
	require.Equal(t, attemptBlocked, begin("T1", 14*minute))
	require.Equal(t, attemptAllowed, begin("T1", 15*minute), "the first is forgotten")
	end("T1", 15*minute, false)
}

// TestABurstOfGuessesIsNoWayRound: attempts under way count as wrong ones
// until they are known to be right.
func TestABurstOfGuessesIsNoWayRound(t *testing.T) {
	a := newAttempts(3, 1000)
	begin, end := scoped(a)
	for range 3 {
		require.Equal(t, attemptAllowed, begin("T1", 0))
	}
	require.Equal(t, attemptBusy, begin("T1", 0))
	end("T1", 0, false)
	require.Equal(t, attemptAllowed, begin("T1", 0))
	for range 3 {
		end("T1", 0, false)
	}
	require.Empty(t, a.by, "nothing to remember")
}

// scoped are the ends of an attempt of a terminal at no address.
func scoped(a *attempts) (begin func(terminal string, now int64) attemptResult, end func(terminal string, now int64, wrong bool)) {
	from := func(terminal string) *guess {
		var k ledger.Key
		copy(k[:], terminal)
		return &guess{byTerminal: k}
	}
	begin = func(terminal string, now int64) attemptResult {
		r, _ := a.begin(from(terminal), now)
		return r
	}
	return begin, func(terminal string, now int64, wrong bool) { a.end(from(terminal), now, wrong) }
}
