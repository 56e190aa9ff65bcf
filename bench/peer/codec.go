package peer

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	moov "github.com/moov-io/iso8583"

	"tillgate/protocol/iso8583"
)

// Cost is what one call of a function costs.
type Cost struct {
	Time        time.Duration
	Allocations float64
}

// Codecs measures decoding and encoding of the same message, ours and that of
// moov-io/iso8583 by the same field table, for a time each.
func Codecs(frame []byte, lasting time.Duration) (ours, theirs Cost, err error) {
	c, spec := iso8583.NewCodec(iso8583.Profile{}), iso8583.Profile{}.MessageSpec()
	m, dst := iso8583.NewMessage(c), make([]byte, 0, iso8583.MaxFrame)
	ours, err = cost(lasting, func() error {
		if fault := c.Decode(frame, m); !fault.OK() {
			return fault
		}
		dst = c.AppendMessage(dst[:0], m)
		return nil
	})
	if err != nil {
		return ours, theirs, err
	}
	if string(dst) != string(frame) {
		return ours, theirs, errors.New("decoded and encoded, the message is another one")
	}
	theirs, err = cost(lasting, func() error {
		m := moov.NewMessage(spec)
		if err := m.Unpack(frame); err != nil {
			return err
		}
		packed, err := m.Pack()
		if err == nil && len(packed) != len(frame) {
			err = fmt.Errorf("moov packs %d bytes, not %d", len(packed), len(frame))
		}
		return err
	})
	return ours, theirs, err
}

// cost calls f for a time, in groups, so that reading the clock costs nothing.
func cost(lasting time.Duration, f func() error) (Cost, error) {
	const group = 64
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begun, n := time.Now(), 0
	for ; n == 0 || time.Since(begun) < lasting; n += group {
		for range group {
			if err := f(); err != nil {
				return Cost{}, err
			}
		}
	}
	took := time.Since(begun)
	runtime.ReadMemStats(&after)
	return Cost{
		Time:        took / time.Duration(n),
		Allocations: float64((after.Mallocs - before.Mallocs) / uint64(n)),
	}, nil
}
