package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
)

// planted is a store with a little of everything.
func planted(t *testing.T) (*Ledger, *handClock) {
	clock := newHandClock()
	o := quiet(vfs.NewMem(), clock)
	o.SweepEvery = time.Millisecond
	l := open(t, o)
	s := newShop(8, 4)
	for phase := range 3 {
		s.play(t, l, s.trace(uint64(phase), 200, between...))
		clock.move(time.Hour)
	}
	settle(t, l)
	require.NoError(t, l.Sweep()) // what has arrived may be due already
	return l, clock
}

// settle waits until no transfer is on its way and nothing is due any more.
func settle(t testing.TB, l *Ledger) {
	t.Helper()
	eventually(t, "transfers arrive", func() bool { return len(dump(t, l, "o")) == 0 })
	require.NoError(t, l.Sweep())
	require.NoError(t, l.WaitSynced())
}

// first finds the first record of a keyspace that fits.
func first(t *testing.T, l *Ledger, space byte, fits func(key, rec []byte) bool) (key, rec []byte) {
	t.Helper()
	require.NoError(t, scan(l.db, []byte{space}, func(k, v []byte) (bool, error) {
		if key == nil && fits(k, v) {
			key, rec = append([]byte(nil), k...), append([]byte(nil), v...)
		}
		return key == nil, nil
	}))
	require.NotNil(t, key, "there is no such record")
	return key, rec
}

func anyRecord([]byte, []byte) bool { return true }

func TestVerifyFindsWhatWasTamperedWith(t *testing.T) {
	rewriteOp := func(l *Ledger, rec []byte, change func(*Operation)) []byte {
		var op Operation
		require.NoError(t, DecodeOperation(rec, &op))
		change(&op)
		return AppendOperation(nil, &op)
	}
	ofKind := func(kinds ...Kind) func(_, rec []byte) bool {
		return func(_, rec []byte) bool { return strings.ContainsRune(string(runes(kinds)), rune(rec[2])) }
	}
	for _, c := range []struct {
		name  string
		space byte
		fits  func(key, rec []byte) bool
		harm  func(l *Ledger, key, rec []byte) []byte // nil: deleted
		says  string
	}{
		{"a lot has a point more", 'a', func(_, rec []byte) bool {
			var a Account
			return decodeAccount(rec, &a) == nil && len(a.Lots) > 0
		}, func(_ *Ledger, _, rec []byte) []byte {
			var a Account
			require.NoError(t, decodeAccount(rec, &a))
			a.Lots[0].Points++
			return appendAccount(nil, &a)
		}, "differs from what the journal says"},
		{"an account is gone", 'a', anyRecord, func(*Ledger, []byte, []byte) []byte { return nil }, "is missing"},
		{"a record is dropped from the journal", 'j', ofKind(KindAccrue), func(*Ledger, []byte, []byte) []byte { return nil }, "the journal has a gap"},
		{"a sale is altered", 's', anyRecord, func(_ *Ledger, _, rec []byte) []byte {
			var s Sale
			require.NoError(t, decodeSale(rec, &s))
			s.Payable++
			return appendSale(nil, &s)
		}, "differs from what the journal says"},
		{"a sale is gone", 's', anyRecord, func(*Ledger, []byte, []byte) []byte { return nil }, "is missing"},
		{"a window's hash is broken", 'j', ofKind(KindWindow), func(l *Ledger, _, rec []byte) []byte {
			return rewriteOp(l, rec, func(op *Operation) {
				var w Window
				require.NoError(t, DecodeWindow(op.Data, &w))
				w.Hash[7] ^= 1
				op.Data = AppendWindow(nil, &w)
			})
		}, "the window is not what its records are"},
		{"a detail is rewritten, books and all as before", 'j', ofKind(KindAdjust), func(l *Ledger, _, rec []byte) []byte {
			return rewriteOp(l, rec, func(op *Operation) { op.Detail = "birthday" })
		}, "the window is not what its records are"},
		{"a leg is rewritten", 'j', ofKind(KindAdjust), func(l *Ledger, _, rec []byte) []byte {
			return rewriteOp(l, rec, func(op *Operation) { op.Legs[LegAdjusted]-- })
		}, "its legs add up to -1"},
		{"a balance is rewritten", 'j', ofKind(KindAdjust), func(l *Ledger, _, rec []byte) []byte {
			return rewriteOp(l, rec, func(op *Operation) { op.After.Held++ })
		}, "it says the balance is"},
		{"a due date is moved", 'j', ofKind(KindLapse, KindExpire, KindActivate), func(l *Ledger, _, rec []byte) []byte {
			return rewriteOp(l, rec, func(op *Operation) { op.Due-- })
		}, "fell due"},
		{"a confirm captures more than was held", 'j', func(_, rec []byte) bool {
			var op Operation
			return DecodeOperation(rec, &op) == nil && op.Kind == KindConfirm && len(op.Pins) > 0
		}, func(l *Ledger, _, rec []byte) []byte {
			return rewriteOp(l, rec, func(op *Operation) { op.Pins[0].Points += MaxPoints / 2 })
		}, "has not pinned"},
		{"a return takes more than was sold", 'j', ofKind(KindReturn), func(l *Ledger, _, rec []byte) []byte {
			return rewriteOp(l, rec, func(op *Operation) { op.Payable += 1e9 })
		}, "more would be returned than was sold"},
		{"a transfer is booked with another sum", 'j', func(_, rec []byte) bool {
			var op Operation
			return DecodeOperation(rec, &op) == nil && op.Kind == KindPostIn && len(op.Lots) > 0
		}, func(l *Ledger, _, rec []byte) []byte {
			return rewriteOp(l, rec, func(op *Operation) {
				op.Lots[0].Points++
				op.Legs[LegAvailable]++
				op.Legs[LegTransit]--
			})
		}, "a transfer is booked otherwise than it was sent"},
		{"an arrival names another transfer", 'j', ofKind(KindPostIn), func(l *Ledger, _, rec []byte) []byte {
			return rewriteOp(l, rec, func(op *Operation) { op.SourceIndex += 7 })
		}, "a transfer is neither on its way nor booked"},
		{"a transfer comes from nowhere", 'j', ofKind(KindPostIn), func(l *Ledger, _, rec []byte) []byte {
			return rewriteOp(l, rec, func(op *Operation) { op.SourceIndex += 7 })
		}, "a transfer was booked that was never sent"},
		{"a transfer comes back", 'w', anyRecord, func(*Ledger, []byte, []byte) []byte { return nil }, "watermark"},
		{"a repeat would book again", 'd', anyRecord, func(*Ledger, []byte, []byte) []byte { return nil }, "a repeat of its request would not be known"},
		{"a receipt is not found", 'r', func(_, rec []byte) bool {
			list, err := decodeReceipts(rec, nil)
			return err == nil && !list[0].Mark
		}, func(*Ledger, []byte, []byte) []byte { return nil }, "it is not known under its receipt"},
		{"an entry of a shift is gone", 'b', anyRecord, func(*Ledger, []byte, []byte) []byte { return nil }, "its entry in the shift is missing"},
		{"a parked message is gone", 'z', anyRecord, func(*Ledger, []byte, []byte) []byte { return nil }, "parked message"},
		{"nobody would look when points lapse", 'q', anyRecord, func(*Ledger, []byte, []byte) []byte { return nil }, "due entry"},
		{"an identifier leads nowhere", 'i', anyRecord, func(_ *Ledger, _, rec []byte) []byte {
			return appendLink(nil, &Link{Account: 1})
		}, "it does not exist"},
		{"a profile is altered", 'p', anyRecord, func(_ *Ledger, _, rec []byte) []byte {
			rec[len(rec)-1] ^= 1
			return rec
		}, "does not decrypt"},
		{"a record of the future", 'j', ofKind(KindCard), func(_ *Ledger, _, rec []byte) []byte {
			rec[1] = 2
			return rec
		}, "version 2, which this program does not know"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, _ := planted(t)
			defer func() { require.NoError(t, l.Close()) }()
			requireSound(t, l)
			key, rec := first(t, l, c.space, c.fits)
			if bad := c.harm(l, key, rec); bad != nil {
				require.NoError(t, l.db.Set(key, bad, pebble.Sync))
			} else {
				require.NoError(t, l.db.Delete(key, pebble.Sync))
			}
			require.Contains(t, strings.Join(alike(t, l), "\n"), c.says)
		})
	}
}

func runes(kinds []Kind) (r []rune) {
	for _, k := range kinds {
		r = append(r, rune(k))
	}
	return r
}

func TestVerifyProvesAStoreThatNobodyHasOpen(t *testing.T) {
	fs := vfs.NewMem()
	o := quiet(fs, newHandClock())
	_, err := Verify("data", o, func(Finding) {})
	require.ErrorContains(t, err, "there is no store in data")
	l := open(t, o)
	s := newShop(8, 4)
	s.play(t, l, s.trace(1, 300, between...))
	settle(t, l)
	want := requireSound(t, l)
	require.NoError(t, l.Close())
	got, err := Verify("data", o, func(f Finding) { t.Error(f) })
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Equal(t, want.Balances.Available, want.Legs[LegAvailable])
	require.Zero(t, want.Legs[LegTransit]+int64(want.Transit))
}

func TestWindowsChainFromTheFirstRecordOn(t *testing.T) {
	l, _ := planted(t)
	defer func() { require.NoError(t, l.Close()) }()
	for p := range 4 {
		next, windows := uint64(1), 0
		var legs, sums [LegCount]int64
		// By the page: SHA-256 over the hash of the window before, nought for the
		// first, and each record from that window's own on, with its length.
		var chained bytes.Buffer
		chained.Write(make([]byte, sha256.Size))
		require.NoError(t, l.Journal(p, 1, func(id OpID, rec []byte) bool {
			var op Operation
			require.NoError(t, DecodeOperation(rec, &op))
			if op.Kind == KindWindow {
				var w Window
				require.NoError(t, DecodeWindow(op.Data, &w))
				require.Equal(t, next, w.First, "no record lies between two windows")
				require.Equal(t, id.Sequence()-1, w.Last)
				require.LessOrEqual(t, w.Count(), uint64(60), "25 and what one task adds")
				require.Equal(t, sha256.Sum256(chained.Bytes()), w.Hash, "the chain")
				chained.Reset()
				chained.Write(w.Hash[:])
				next, windows = id.Sequence(), windows+1
				for i := range w.Legs {
					sums[i] += w.Legs[i]
				}
				require.Equal(t, legs, sums)
			}
			for i := range op.Legs {
				legs[i] += op.Legs[i]
			}
			chained.Write(binary.BigEndian.AppendUint32(nil, uint32(len(rec))))
			chained.Write(rec)
			return true
		}))
		require.Positive(t, windows)
	}
}
