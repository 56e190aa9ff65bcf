package main

import (
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress is a bar where the output is a terminal, and nothing elsewhere.
// The steps are told with their expected length; the bar moves by time within
// a step and never past its end, so that it shows what is left honestly.
type progress struct {
	bar *progressbar.ProgressBar

	mu    sync.Mutex
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
	if !ok || !term.IsTerminal(int(f.Fd())) {
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
	p.begun, p.long = time.Now(), expected
	p.mu.Unlock()
	if p.bar != nil {
		p.bar.Describe(name)
		p.draw()
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
