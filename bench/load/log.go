package load

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// logFile is the size of the file that [Log] writes round and round: its
// length never changes, as that of Pebble's recycled logs doesn't.
const logFile = 16 << 20

// Log is an open load on nothing but the disk: records of so many bytes fall
// due as requests do; all that are due are written to a file in dir and synced
// together, and then the next. No service that promises durability answers
// sooner on this disk. Of the options it takes Rate, Duration, Warmup and Seed.
func Log(ctx context.Context, dir string, record int, o Options) (r *Result, err error) {
	if o.Rate <= 0 || o.Duration <= 0 || record < 8 || record > logFile {
		return nil, fmt.Errorf("load: a log needs a rate, a duration, and records of 8 to %d bytes", logFile)
	}
	path := filepath.Join(dir, "log")
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(path)) }()
	if _, err := f.Write(make([]byte, logFile)); err != nil {
		return nil, err
	}
	if err := f.Sync(); err != nil {
		return nil, err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	begin := time.Now()
	l := &line{begin: begin, from: begin.Add(o.Warmup), latency: newHistogram(), timeline: newTimeline(begin.Add(o.Warmup), o.Duration)}
	p := &pace{line: l, rng: rand.New(rand.NewPCG(o.Seed, 0)), mean: float64(time.Second) / o.Rate}
	w := &ringFile{file: f}
	var due []time.Duration
	for end := o.Warmup + o.Duration; p.next < end && ctx.Err() == nil; {
		now := time.Since(begin)
		for due = due[:0]; p.next <= now && p.next < end && len(due)*record < logFile; p.step() {
			due = append(due, p.next)
		}
		if len(due) == 0 {
			nanosleep(min(p.next-now, longRest))
			continue
		}
		if err := w.keep(len(due) * record); err != nil {
			return nil, err
		}
		synced := time.Now()
		for _, at := range due {
			l.count(Approved, begin.Add(at), synced)
		}
	}
	r, err = collect([]*line{l})
	r.Timeline = l.timeline
	return r, errors.Join(err, ctx.Err())
}

// ringFile is a file of [logFile] bytes that is written round and round.
type ringFile struct {
	file *os.File
	at   int64
	n    uint64
	buf  []byte
}

// keep writes so many bytes, unlike those before, and syncs them.
func (w *ringFile) keep(size int) error {
	if w.at+int64(size) > logFile {
		w.at = 0
	}
	if size > len(w.buf) {
		w.buf = make([]byte, size)
	}
	w.n++
	binary.BigEndian.PutUint64(w.buf, w.n)
	if _, err := w.file.WriteAt(w.buf[:size], w.at); err != nil {
		return err
	}
	w.at += int64(size)
	if err := syscall.Fdatasync(int(w.file.Fd())); err != nil {
		return fmt.Errorf("fdatasync: %w", err)
	}
	return nil
}
