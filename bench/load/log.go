package load

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"syscall"
	"time"
)

// logFile is the size of a [LogFile].
const logFile = 16 << 20

// Log is an open load on nothing but the disk: records of so many bytes fall
// due as requests do; all that are due are written to a file in dir and synced
// together, and then the next. No service that promises durability answers
// sooner on this disk. Of the options it takes Rate, Duration, Warmup and Seed.
func Log(ctx context.Context, dir string, record int, o Options) (r *Result, err error) {
	if o.Rate <= 0 || o.Duration <= 0 || record < 8 || record > logFile {
		return nil, fmt.Errorf("load: a log needs a rate, a duration, and records of 8 to %d bytes", logFile)
	}
	f, err := OpenLogFile(dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	begin := time.Now()
	l := &line{begin: begin, from: begin.Add(o.Warmup), latency: newHistogram(), timeline: newTimeline(begin.Add(o.Warmup), o.Duration)}
	p := &pace{line: l, rng: rand.New(rand.NewPCG(o.Seed, 0)), mean: float64(time.Second) / o.Rate}
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
		if err := errors.Join(f.Write(len(due)*record), f.Sync()); err != nil {
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

// LogFile is a file of 16 MiB that is written round and round, as Pebble's
// recycled logs are: its length never changes.
type LogFile struct {
	file *os.File
	at   int64
	n    uint64
	buf  []byte
}

// OpenLogFile makes a log in a directory and syncs it.
func OpenLogFile(dir string) (*LogFile, error) {
	f, err := os.CreateTemp(dir, "log-")
	if err != nil {
		return nil, err
	}
	l := &LogFile{file: f}
	if _, err = f.Write(make([]byte, logFile)); err == nil {
		err = f.Sync()
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Write writes so many bytes, 8 to 16 MiB, unlike those before.
func (l *LogFile) Write(size int) error {
	if l.at+int64(size) > logFile {
		l.at = 0
	}
	if size > len(l.buf) {
		l.buf = make([]byte, size)
	}
	l.n++
	binary.BigEndian.PutUint64(l.buf, l.n)
	if _, err := l.file.WriteAt(l.buf[:size], l.at); err != nil {
		return err
	}
	l.at += int64(size)
	return nil
}

// Sync has what was written on the disk.
func (l *LogFile) Sync() error {
	if err := syscall.Fdatasync(int(l.file.Fd())); err != nil {
		return fmt.Errorf("fdatasync: %w", err)
	}
	return nil
}

// Close closes the file and removes it.
func (l *LogFile) Close() error { return errors.Join(l.file.Close(), os.Remove(l.file.Name())) }
