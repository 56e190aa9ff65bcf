package peer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"tillgate/bench/load"
)

// What the bare writer writes: batches of as many operations as the server
// puts into one at most, each of four keys of about a hundred bytes, which is
// what an authorization cannot do without: account, duplicate record, journal
// record, and the time when it falls due.
const (
	batch      = 512
	keys       = 4
	keyBytes   = 16
	valueBytes = 84
	memTable   = 64 << 20 // the server's default, too
)

// Record is how many bytes that is for each operation.
const Record = keys * (keyBytes + valueBytes)

// Pebble writes operations for a time as fast as one goroutine can, a sync
// after each batch, and returns how many there were a second.
func Pebble(dir string, lasting time.Duration) (rate float64, err error) {
	db, err := pebble.Open(dir, &pebble.Options{MemTableSize: memTable, Logger: silent{}, FormatMajorVersion: pebble.FormatNewest})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	rng := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	var key [keyBytes]byte
	value := make([]byte, valueBytes)
	begun, operations := time.Now(), 0
	for time.Since(begun) < lasting {
		b := db.NewBatch()
		for range batch * keys {
			binary.BigEndian.PutUint64(key[:], rng.Uint64())
			binary.BigEndian.PutUint64(key[8:], rng.Uint64())
			binary.BigEndian.PutUint64(value, rng.Uint64())
			if err := b.Set(key[:], value, nil); err != nil {
				return 0, err
			}
		}
		if err := b.Commit(pebble.Sync); err != nil {
			return 0, err
		}
		operations += batch
	}
	return float64(operations) / time.Since(begun).Seconds(), nil
}

// silent keeps Pebble from telling of its compactions.
type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf(format, args...))
}

// Sync is what one fdatasync takes.
type Sync struct{ Median, P99 time.Duration }

// syncWrite is how many bytes are written before each.
const syncWrite = 4 << 10

// MeasureSync writes 4 KiB and calls fdatasync, again and again for a time, on
// a file in dir.
func MeasureSync(dir string, lasting time.Duration) (s Sync, err error) {
	f, err := load.OpenLogFile(dir)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var took []time.Duration
	for begun := time.Now(); time.Since(begun) < lasting || len(took) < 10; {
		if err := f.Write(syncWrite); err != nil {
			return s, err
		}
		at := time.Now()
		if err := f.Sync(); err != nil {
			return s, err
		}
		took = append(took, time.Since(at))
	}
	slices.Sort(took)
	return Sync{Median: took[len(took)/2], P99: took[len(took)*99/100]}, nil
}
