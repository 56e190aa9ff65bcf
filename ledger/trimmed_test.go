package ledger

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
)

func TestACheckpointOfATrimmedStoreIsWhole(t *testing.T) {
	fs := vfs.NewMem()
	l, s, clock := aged(t, fs)
	want := requireSound(t, l)
	require.Positive(t, want.BySums)
	require.Positive(t, want.Dropped)
	require.NoError(t, l.Checkpoint("backup/monday"))
	require.NoError(t, l.Close())
	require.NoError(t, Restore("backup/monday", "restored", fs))
	got, err := Verify("restored", brief(fs, clock), func(f Finding) { t.Error(f) })
	require.NoError(t, err)
	require.Equal(t, want, got)
	restored, err := Open("restored", brief(fs, clock))
	require.NoError(t, err)
	restored.OnArrival(comes)
	restored.OnWake(dated)
	for p := range restored.parts {
		require.Equal(t, l.First(p), restored.First(p))
	}
	s.play(t, restored, s.traceOf(77, 200, leaving())) // it goes on
	clock.move(2 * day)
	settle(t, restored)
	_, err = restored.DropOld()
	require.NoError(t, err)
	requireSound(t, restored)
	require.NoError(t, restored.Close())
}

func TestVerifyFindsWhatWasTamperedWithInATrimmedStore(t *testing.T) {
	rewrite := func(l *Ledger, p int, change func(*base)) {
		b, err := readBase(l.db, p)
		require.NoError(t, err)
		change(&b)
		require.NoError(t, l.db.Set(baseKey(nil, p), appendBase(nil, &b), pebble.Sync))
	}
	// old finds an account that is older than what is kept.
	old := func(t *testing.T, l *Ledger) (*Account, []byte) {
		a := new(Account)
		key, rec := first(t, l, spaceAccount, func(_, rec []byte) bool {
			ok := decodeAccount(append([]byte(nil), rec...), a) == nil && a.Created < a.Through-int64(100*time.Hour) && len(a.Lots) > 0
			return ok && !l.Dropped(a.Last)
		})
		require.NoError(t, decodeAccount(rec, a))
		return a, key
	}
	for name, c := range map[string]struct {
		harm func(t *testing.T, l *Ledger)
		says string
	}{
		"a sum of what was dropped": {func(_ *testing.T, l *Ledger) {
			rewrite(l, 1, func(b *base) { b.legs[LegAvailable]++ })
		}, "the accounts hold"},
		"the hash of what was dropped": {func(_ *testing.T, l *Ledger) {
			rewrite(l, 1, func(b *base) { b.hash[3] ^= 1 })
		}, "does not begin with the window that its base names"},
		"a base is gone": {func(t *testing.T, l *Ledger) {
			require.NoError(t, l.db.Delete(baseKey(nil, 2), pebble.Sync))
		}, "the journal has a gap"},
		"one window more is gone": {func(t *testing.T, l *Ledger) {
			require.NoError(t, l.db.Delete(journalKey(nil, NewOpID(0, l.First(0))), pebble.Sync))
		}, "the journal has a gap"},
		"an old account has a point more": {func(t *testing.T, l *Ledger) {
			a, key := old(t, l)
			a.Lots[0].Points++
			require.NoError(t, l.db.Set(key, appendAccount(nil, a), pebble.Sync))
		}, "its lots and holds are not the balance of its last record"},
		"an old account forgets its last record": {func(t *testing.T, l *Ledger) {
			a, key := old(t, l)
			a.Last--
			require.NoError(t, l.db.Set(key, appendAccount(nil, a), pebble.Sync))
		}, "its last record is"},
		"an old account is gone": {func(t *testing.T, l *Ledger) {
			_, key := old(t, l)
			require.NoError(t, l.db.Delete(key, pebble.Sync))
		}, "it has records and is missing"},
		"a dropped sale is back": {func(t *testing.T, l *Ledger) {
			require.NoError(t, l.db.Set(saleKey(nil, NewOpID(1, 2)), appendSale(nil, fullSale()), pebble.Sync))
		}, "is stored and follows from no record"},
		"a kept sale is gone": {func(t *testing.T, l *Ledger) {
			key, _ := first(t, l, spaceSale, anyRecord)
			require.NoError(t, l.db.Delete(key, pebble.Sync))
		}, "is missing"},
		"a record of an old account is rewritten": {func(t *testing.T, l *Ledger) {
			a, _ := old(t, l)
			var op Operation
			found, err := l.Operation(a.Last, &op)
			require.NoError(t, err)
			require.True(t, found)
			op.After.Available += 5
			require.NoError(t, l.db.Set(journalKey(nil, op.ID), AppendOperation(nil, &op), pebble.Sync))
		}, "it says that the balance was"},
	} {
		t.Run(name, func(t *testing.T) {
			l, _, _ := aged(t, vfs.NewMem())
			defer func() { require.NoError(t, l.Close()) }()
			requireSound(t, l)
			c.harm(t, l)
			require.Contains(t, strings.Join(alike(t, l), "\n"), c.says)
		})
	}
}

// Drops run while requests are decided, the journal is read and the books are
// proved; nothing that is kept is missed by anybody.
func TestDroppingDisturbsNobody(t *testing.T) {
	l, s, clock := aged(t, vfs.NewMem())
	defer func() { require.NoError(t, l.Close()) }()
	clock.move(3 * day)
	l.keeping.step = 20
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				stopped <- nil
				return
			default:
			}
			for p := range l.parts {
				next := l.First(p)
				err := l.Journal(p, 0, func(id OpID, _ []byte) bool {
					if id.Sequence() < next {
						t.Errorf("%s comes after %d", id, next-1)
					}
					next = id.Sequence() + 1
					return true
				})
				var gone *DroppedError
				if err != nil && !errors.As(err, &gone) {
					stopped <- err
					return
				}
			}
		}
	}()
	dropped := make(chan error, 1)
	go func() {
		_, err := l.DropOld()
		dropped <- err
	}()
	for round := range 5 {
		s.play(t, l, s.traceOf(uint64(200+round), 60, append(leaving(), between...)))
		_, err := l.Verify(func(f Finding) { t.Error(f) })
		require.NoError(t, err)
	}
	require.NoError(t, <-dropped)
	close(stop)
	require.NoError(t, <-stopped)
	settle(t, l)
	require.Positive(t, requireSound(t, l).BySums)
}
