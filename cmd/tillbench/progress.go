package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress is a bar where the output is a terminal, in a file or pipe a line for
// each step and every minute of it, and nothing where nobody looks.
// The steps are told with their expected length; the bar moves by time within
// a step and never past its end, so that it shows what is left honestly.
type progress struct {
	bar *progressbar.ProgressBar

	lines io.Writer // where there is no terminal

	mu    sync.Mutex
	name  string        // the step
	told  time.Time     // the newest line
	begun time.Time     // the step
	long  time.Duration // the step
	done  time.Duration // all steps before it
	stop  chan struct{}
	ended sync.WaitGroup
}

// showProgress begins to show how much of the expected time is over.
func showProgress(w io.Writer, expected time.Duration) *progress {
	p := &progress{stop: make(chan struct{})}
	f, ok := w.(*os.File)
	switch {
	case !ok:
		return p
	case !term.IsTerminal(int(f.Fd())):
		p.lines = w
		return p
	}
	p.bar = progressbar.NewOptions64(int64(expected/time.Millisecond), progressbar.OptionSetWriter(w),
		progressbar.OptionSetElapsedTime(true), progressbar.OptionSetPredictTime(true),
		progressbar.OptionFullWidth(), progressbar.OptionClearOnFinish())
	p.ended.Go(func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-p.stop:
				return
			case <-tick.C:
				p.draw()
			}
		}
	})
	return p
}

func (p *progress) step(name string, expected time.Duration) {
	p.mu.Lock()
	p.done += p.long
	p.begun, p.long, p.name, p.told = time.Now(), expected, name, time.Now()
	p.mu.Unlock()
	if p.lines != nil {
		fmt.Fprintf(p.lines, "%s\n", name)
	}
	if p.bar != nil {
		p.bar.Describe(name)
		p.draw()
	}
}

// live tells how the step comes on.
func (p *progress) live(what string) {
	p.mu.Lock()
	name, due := p.name, time.Since(p.told) > time.Minute
	if due {
		p.told = time.Now()
	}
	p.mu.Unlock()
	switch {
	case p.bar != nil:
		p.bar.Describe(name + ": " + what)
	case p.lines != nil && due:
		fmt.Fprintf(p.lines, "%s: %s\n", name, what)
	}
}

// draw moves the bar. It can't do anything about a bar that can't be drawn.
func (p *progress) draw() {
	p.mu.Lock()
	at := p.done + min(p.long, time.Since(p.begun))
	p.mu.Unlock()
	_ = p.bar.Set64(min(int64(at/time.Millisecond), p.bar.GetMax64()-1))
}

// end clears the bar.
func (p *progress) end() {
	close(p.stop)
	p.ended.Wait()
	if p.bar != nil {
		_ = p.bar.Finish() // see draw
	}
}
