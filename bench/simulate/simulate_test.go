package simulate

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	fewSeeds = 20  // of `make test`
	length   = 120 // steps of a seed
)

// number reads a number from the environment.
func number(t *testing.T, name string, otherwise uint64) uint64 {
	v := os.Getenv(name)
	if v == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(v, 10, 64)
	require.NoError(t, err, name)
	return n
}

// one processor runs the goroutines of a bubble, so that what happens at one
// moment of virtual time happens in the same order in every run.
func oneProcessor(t *testing.T) {
	was := runtime.GOMAXPROCS(1)
	t.Cleanup(func() { runtime.GOMAXPROCS(was) })
}

// TestSimulation plays TILLGATE_SEEDS seeds, 20 by default, from TILLGATE_SEED
// on, 1 by default. `make simulate SEEDS=1000`, `make simulate SEED=7`.
func TestSimulation(t *testing.T) {
	oneProcessor(t)
	seeds := number(t, "TILLGATE_SEEDS", fewSeeds)
	from := number(t, "TILLGATE_SEED", 1)
	began, calls := time.Now(), map[string]int{}
	for seed := from; seed < from+seeds; seed++ {
		if (seed-from)%10 == 0 && seeds > fewSeeds {
			t.Logf("from seed %d on", seed) // a panic ends the process and tells no seed
		}
		steps := plan(seed, length)
		out := play(t, seed, steps)
		if out.err != nil {
			failed(t, seed, steps, out)
		}
		for call, n := range out.counts {
			calls[call] += n
		}
		if seeds == 1 {
			t.Log(strings.Join(out.trace, "\n"))
		}
	}
	t.Logf("%d seeds from %d in %s; answered: %v", seeds, from, time.Since(began).Round(time.Millisecond), calls)
	if seeds >= fewSeeds {
		for _, call := range []string{"authorize", "confirm", "void", "return", "reverse", "accrue", "redeem"} {
			require.Positive(t, calls[call], "no %s was answered: the simulation proves little", call)
		}
	}
}

// failed shortens a seed's steps and tells how to play it again.
func failed(t *testing.T, seed uint64, steps []step, out outcome) {
	t.Helper()
	t.Logf("seed %d fails: %v", seed, out.err)
	few, last := shrink(t, seed, steps, out)
	var names []string
	for _, s := range few {
		names = append(names, strconv.Itoa(s.number)+" "+s.kind)
	}
	t.Logf("%d of %d steps are enough: %s", len(few), len(steps), strings.Join(names, ", "))
	t.Logf("what happens then:\n%s", strings.Join(last.trace, "\n"))
	t.Fatalf("seed %d: %v\nplay it again: make simulate SEED=%d", seed, last.err, seed)
}

// shrinkLimit bounds the search for a shorter failure.
const shrinkLimit = 20 * time.Second

// shrink leaves out steps, many at a time and then one, as long as what is left
// still fails.
func shrink(t *testing.T, seed uint64, steps []step, out outcome) ([]step, outcome) {
	end := time.Now().Add(shrinkLimit)
	for size := len(steps) / 2; size > 0; {
		shorter := false
		for at := 0; at+size <= len(steps); {
			if time.Now().After(end) {
				t.Log("a longer search would perhaps leave out more")
				return steps, out
			}
			rest := append(append([]step(nil), steps[:at]...), steps[at+size:]...)
			if again := play(t, seed, rest); again.err != nil {
				steps, out, shorter = rest, again, true
				continue
			}
			at += size
		}
		if !shorter || size > 1 {
			size /= 2
		}
	}
	return steps, out
}

// A seed plays the same every time, or printing it would help nobody.
func TestASeedPlaysTheSameAgain(t *testing.T) {
	if underRace {
		t.Skip("under the race detector the scheduler takes goroutines in an order of its own")
	}
	oneProcessor(t)
	for seed := uint64(1); seed <= 4; seed++ {
		first := play(t, seed, plan(seed, length))
		require.NoError(t, first.err)
		require.NotEmpty(t, first.trace)
		require.Equal(t, first.trace, play(t, seed, plan(seed, length)).trace, "seed %d", seed)
	}
}
