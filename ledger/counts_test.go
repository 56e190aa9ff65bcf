package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// An account with as many counters as one may have takes more: the oldest days
// of what rules look back on are forgotten, and then what began longest ago of
// what counts for ever. Limits of the day stay. A merge that brings as many
// again is booked, and the proof agrees.
func TestTooManyCountersMakeRoom(t *testing.T) {
	l, clock := posting(t)
	from, to := member(0), member(1)
	enrol(t, l, from)
	enrol(t, l, to)
	clock.move(1000 * 24 * time.Hour)
	today := dayOf(clock.read())
	fill := func(id AccountID, key uint64) {
		must(t, l, id.Partition(len(l.parts)), func(tx *Tx) error {
			op := &Operation{Kind: KindEvent, Account: id, At: tx.Now()}
			for day := range int32(390) { // ten rules that look back
				for rule := range uint64(10) {
					op.Counts = append(op.Counts, CountChange{Count: Count{Key: key + rule, Bucket: today - day, Value: 1, Until: today - day + 400}})
				}
			}
			for code := range uint64(195) {
				op.Counts = append(op.Counts, CountChange{Count: Count{Key: key + 100 + code, Value: 1, At: int64(1 + code)}})
			}
			op.Counts = append(op.Counts, CountChange{Count: Count{Key: key + 99, Bucket: today, Value: 2, Until: today}})
			_, err := tx.Append(op)
			return err
		})
	}
	counts := func(id AccountID) (list []Count) {
		a, err := l.Account(id)
		require.NoError(t, err)
		return a.Counts
	}
	has := func(list []Count, key uint64, bucket int32) bool {
		for _, c := range list {
			if c.Key == key && c.Bucket == bucket {
				return true
			}
		}
		return false
	}
	fill(to, 1000)
	require.Len(t, counts(to), MaxCounts)
	must(t, l, to.Partition(len(l.parts)), func(tx *Tx) error {
		_, err := tx.Append(&Operation{Kind: KindEvent, Account: to, At: tx.Now(), Counts: []CountChange{{Count: Count{Key: 5, Value: 1}}}})
		return err
	})
	list := counts(to)
	require.Len(t, list, MaxCounts-roomCounts)
	require.True(t, has(list, 5, 0))
	require.True(t, has(list, 1000, today-360))
	require.False(t, has(list, 1000, today-389))
	require.True(t, has(list, 1100, 0), "what counts for ever goes last")

	fill(from, 5000)
	must(t, l, from.Partition(len(l.parts)), func(tx *Tx) error {
		a, err := tx.Account(from)
		if err != nil {
			return err
		}
		op := &Operation{Kind: KindMerge, Account: from, Into: to, At: tx.Now(), Transfers: []Transfer{{To: to}}}
		for _, c := range a.Counts {
			op.Transfers[0].Counts = append(op.Transfers[0].Counts, CountChange{Count: c})
		}
		_, err = tx.Append(op)
		return err
	})
	settle(t, l)
	list = counts(to)
	require.Len(t, list, MaxCounts-roomCounts)
	for _, key := range []uint64{1099, 5099} {
		require.True(t, has(list, key, today), "what limits the day stays")
	}
	require.True(t, has(list, 5000, today))
	require.NoError(t, l.ParkedAll(func(*Parked) bool { require.Fail(t, "nothing is parked"); return false }))
	requireSound(t, l)
}
