package ledger

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
)

// finds is a section that finds n things.
func finds(name string, n int) section {
	return func(say func(Finding)) error {
		for i := range n {
			say(Finding{What: fmt.Sprint(name, i)})
		}
		return nil
	}
}

// However many sections are worked on at a time, and however much each finds,
// they are told as if one had come after the other.
func TestFindingsAreToldInOrder(t *testing.T) {
	sections := []section{finds("a", 3), finds("b", 0), finds("c", 2*saidAhead+1), finds("d", saidAhead), finds("e", 3*saidAhead), finds("f", 1)}
	told := func(workers int) (all []string) {
		require.NoError(t, inOrder(workers, sections, func(f Finding) { all = append(all, f.What) }))
		return all
	}
	want := told(1)
	require.Len(t, want, 3+6*saidAhead+2)
	require.Equal(t, "a0", want[0])
	require.Equal(t, "f0", want[len(want)-1])
	for workers := 2; workers < 10; workers++ {
		require.Equal(t, want, told(workers))
	}
}

// Each of two sections waits for the other.
func TestSectionsAreWorkedOnBesideEachOther(t *testing.T) {
	one, two := make(chan struct{}), make(chan struct{})
	require.NoError(t, inOrder(2, []section{
		func(func(Finding)) error { close(one); <-two; return nil },
		func(func(Finding)) error { close(two); <-one; return nil },
	}, func(Finding) {}))
}

// The error that one would have met first is answered, and nothing behind it is
// told.
func TestTheFirstErrorEndsTheProof(t *testing.T) {
	first, second := errors.New("first"), errors.New("second")
	for workers := 1; workers < 5; workers++ {
		late := make(chan struct{})
		var all []string
		err := inOrder(workers, []section{
			finds("a", 1),
			func(say func(Finding)) error {
				if workers > 1 {
					<-late // the other error is there before
				}
				say(Finding{What: "b"})
				return first
			},
			func(func(Finding)) error { close(late); return second },
			finds("c", 2*saidAhead),
		}, func(f Finding) { all = append(all, f.What) })
		require.ErrorIs(t, err, first)
		require.Equal(t, []string{"a0", "b"}, all)
	}
}

// Nothing reads the store any more when somebody who was told has had enough.
func TestAPanicOfTheListenerEndsTheProof(t *testing.T) {
	var begun, ended atomic.Int64
	reads := func(say func(Finding)) error {
		begun.Add(1)
		defer ended.Add(1)
		return finds("a", 2*saidAhead)(say)
	}
	require.Panics(t, func() { _ = inOrder(2, []section{reads, reads, reads}, func(Finding) { panic("enough") }) })
	require.Positive(t, begun.Load())
	require.Equal(t, begun.Load(), ended.Load())
}

// alike proves the books by one goroutine and by several, and with room for one
// lookup at a time, and answers what all of them have found.
func alike(t *testing.T, l *Ledger) []string {
	t.Helper()
	snapshot := l.db.NewSnapshot()
	defer func() { require.NoError(t, snapshot.Close()) }()
	prove := func(workers, room int) (Proof, []string) {
		var found []string
		proof, err := l.verify(snapshot, workers, room, func(f Finding) { found = append(found, f.String()) })
		require.NoError(t, err)
		require.EqualValues(t, len(found), proof.Findings)
		return proof, found
	}
	want, found := prove(1, lookupRoom)
	for _, workers := range []int{2, 3, 16} {
		proof, same := prove(workers, lookupRoom)
		require.Equal(t, want, proof)
		require.Equal(t, found, same, "%d goroutines", workers)
	}
	proof, same := prove(2, 1)
	require.Equal(t, want, proof)
	require.ElementsMatch(t, found, same, "one lookup at a time")
	return found
}

func TestVerifyTellsTheSameByOneAndBySeveral(t *testing.T) {
	l, _ := planted(t)
	defer func() { require.NoError(t, l.Close()) }()
	require.Empty(t, alike(t, l))
	stray := NewOpID(1, 3)
	require.NoError(t, l.db.Set(transferKey(nil, stray, 0), appendTransfer(nil, &Transfer{To: 5}), nil))
	require.Equal(t, []string{"partition 1, operation " + stray.String() + ": a transfer lies at its source that its operation did not send"}, alike(t, l))
	// Everything that lies beside the journal is gone, and every account.
	for _, space := range []byte("abdqrsw") {
		require.NoError(t, l.db.DeleteRange([]byte{space}, []byte{space + 1}, nil))
	}
	require.Greater(t, len(alike(t, l)), 2*saidAhead)
	old, _, _ := aged(t, vfs.NewMem())
	defer func() { require.NoError(t, old.Close()) }()
	require.Empty(t, alike(t, old))
}

// A section that panics over contradictory books ends the proof with an error,
// after what the sections before it have found.
func TestAPanicEndsTheProofAlone(t *testing.T) {
	var told []string
	err := inOrder(2, []section{
		func(say func(Finding)) error { say(Finding{What: "first"}); return nil },
		func(say func(Finding)) error {
			say(Finding{What: "second"})
			var key []byte
			_ = key[len(key)] // contradictory
			return nil
		},
		func(say func(Finding)) error { say(Finding{What: "third"}); return nil },
	}, func(f Finding) { told = append(told, f.What) })
	require.ErrorContains(t, err, "the proof can't go on: runtime error: index out of range")
	require.Equal(t, []string{"first", "second"}, told)
}
