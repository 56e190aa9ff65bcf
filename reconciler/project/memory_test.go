package project

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/reconciler/stream"
)

// The rule of the sequence, where no database is at hand: repeats are skipped,
// a gap stops its partition, and a commit whose answer was lost is not brought
// in twice.
func TestMemoryTakesEachRecordOnce(t *testing.T) {
	j := newJournal(2)
	for i := range 20 {
		j.add(i%2, accrual(ledger.AccountID(i+1), fmt.Sprint(i), 1000))
	}
	var zero []stream.Record
	j.Journal(0, 1, func(id ledger.OpID, b []byte) bool {
		zero = append(zero, stream.Record{ID: id, Data: b})
		return true
	})
	lost := 0
	m := NewMemory(2)
	m.Bring = func(bring func() error) error {
		if lost++; lost == 2 {
			return errors.Join(bring(), errors.New("the answer is lost"))
		}
		return bring()
	}
	script := &scripted{deliver: make(chan Delivery, 10)}
	p := New(Options{
		Memory: m, Store: "test", Partitions: 2, Source: script, Pause: 1, Linger: 1,
		Synced: func(int) uint64 { return 10 },
	})
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	run, end := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { defer close(ended); p.Run(run) }()
	defer func() { end(); <-ended; cancel() }()

	script.deliver <- Delivery{Records: zero[:4]}
	require.NoError(t, p.Wait(ctx, []uint64{4, 0}))
	script.deliver <- Delivery{Records: zero[2:6]} // its commit's answer is lost
	require.NoError(t, p.Wait(ctx, []uint64{6, 0}))
	script.deliver <- Delivery{Records: zero[:6]}
	script.deliver <- Delivery{Records: zero[7:]} // record 7 is missing
	require.Eventually(t, func() bool {
		var gap *GapError
		return errors.As(p.Trouble(), &gap) && *gap == GapError{Partition: 0, Want: 7, Got: 8}
	}, wait, 1, "the gap must be told")
	require.EqualValues(t, 6, m.Position(0))
	script.deliver <- Delivery{Records: zero[6:]}
	require.NoError(t, p.Wait(ctx, []uint64{10, 0}))

	rows := m.Rows()
	require.Len(t, rows["operations"], 10)
	require.Len(t, rows["operation_lines"], 10)
	once := map[string]bool{}
	for _, row := range rows["operations"] {
		require.False(t, once[string(row)])
		once[string(row)] = true
	}
}
