package ledger

import (
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// A section is a part of the proof that needs nothing of the others. It calls
// say for whatever it finds, on a goroutine of its own. The error is about
// reading, not about the books.
type section func(say func(Finding)) error

// work proves the section. What the proof can't get over, in books that are
// not in order, ends the proof and not the server that serves meanwhile.
func (s section) work(say func(Finding)) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("ledger: the proof can't go on: %v\n%s", r, debug.Stack())
		}
	}()
	return s(say)
}

// saidAhead bounds the findings of a section that wait until it is its turn to
// be heard: who has more waits as well.
const saidAhead = 256

// inOrder works on some sections at a time, by as many goroutines as there are
// workers, and tells found what they find as if one had come after the other:
// the same in the same order, whatever the number of workers. It calls found on
// the caller's goroutine. Of errors it answers that of the first section that
// has one; nothing behind it is told.
//
// Sections are begun in their order. So the one that is heard is always at work,
// and who waits to be heard holds up none before it.
func inOrder(workers int, sections []section, found func(Finding)) error {
	said := make([]chan Finding, len(sections))
	for i := range said {
		said[i] = make(chan Finding, saidAhead)
	}
	errs := make([]error, len(sections))
	var begun atomic.Int64
	var over atomic.Bool
	var working sync.WaitGroup
	for range min(workers, len(sections)) {
		working.Go(func() {
			for i := int(begun.Add(1)) - 1; i < len(sections); i = int(begun.Add(1)) - 1 {
				if !over.Load() {
					errs[i] = sections[i].work(func(f Finding) { said[i] <- f })
				}
				close(said[i])
			}
		})
	}
	// Who stops listening, also by a panic, lets the others come to their end:
	// they read a store that is closed after this.
	defer func() {
		over.Store(true)
		for _, rest := range said {
			for range rest {
			}
		}
		working.Wait()
	}()
	for i := range sections {
		for f := range said[i] {
			found(f)
		}
		if errs[i] != nil {
			return errs[i]
		}
	}
	return nil
}
