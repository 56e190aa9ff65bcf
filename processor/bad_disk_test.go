package processor

import (
	"fmt"
	"path"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/protocol"
)

// failing is a disk that fails from its k-th write on, by a cause.
type failing struct {
	k     int64
	cause error
	n     atomic.Int64
	on    atomic.Bool
	hit   atomic.Bool
}

func (f *failing) String() string { return "failing disk" }

func (f *failing) MaybeError(op errorfs.Op) error {
	if !f.on.Load() || op.Kind.ReadOrWrite() != errorfs.OpIsWrite || path.Ext(op.Path) == "" {
		return nil
	}
	if f.n.Add(1) < f.k {
		return nil
	}
	f.hit.Store(true)
	return f.cause
}

// From whichever write on a disk fails or is full: what was approved is there
// after the repair, once, and comes again as the same bytes; what was not
// written is never approved; and whoever asks afterwards is told 91 at once.
func TestABadDiskIsNeverAcknowledged(t *testing.T) {
	for _, cause := range []syscall.Errno{syscall.EIO, syscall.ENOSPC} {
		t.Run(cause.Error(), func(t *testing.T) {
			refused := 0
			for k := int64(1); ; k++ {
				hit, ended := onBadDisk(t, k, cause)
				if ended {
					refused++
				}
				if !hit {
					require.Positive(t, refused)
					t.Logf("each of %d writes has failed", k-1)
					return
				}
			}
		})
	}
}

// onBadDisk sells to a member while the k-th write fails. hit says that there
// was such a write, ended that the ledger stopped for it.
func onBadDisk(t *testing.T, k int64, cause error) (hit, ended bool) {
	f := &failing{k: k, cause: cause}
	mem := vfs.NewCrashableMem()
	died := make(chan struct{})
	s := &shop{t: t, fs: errorfs.Wrap(mem, f), tune: func(o *ledger.Options) {
		o.SweepEvery = time.Hour
		o.Fatal = func(error) { close(died) }
	}}
	s.clock.Store(morning.UnixNano())
	s.open()
	require.Equal(t, protocol.Approved, s.put("", small).Code)
	s.enrol(7, "4000001", "", ledger.LotPart{Active: 1, Points: 100_000})
	f.on.Store(true)

	told := map[string]string{}
	var approved []protocol.Request
	var spent int64
	for i := range 8 {
		r := s.sale(protocol.CallRedeem, byCard("4000001"), 10_000, 1000+int64(i))
		x := &protocol.Exchange{Request: r}
		done := make(chan struct{})
		x.Done = func(*protocol.Exchange) { close(done) }
		s.s.Submit(x)
		select {
		case <-done:
		case <-died:
			ended = true
		}
		if ended {
			break
		}
		if x.Response.Code.OK() {
			told[r.Key], approved = wire(&x.Response), append(approved, r)
			spent += x.Response.Redeemed - x.Response.Earned
		} else {
			require.Equal(t, protocol.Unavailable, x.Response.Code)
		}
	}
	if ended {
		require.Equal(t, protocol.Unavailable, s.ask(s.sale(protocol.CallRedeem, byCard("4000001"), 10_000, 1)).Code)
		require.ErrorIs(t, s.ledger.Close(), ledger.ErrClosed)
		s.s.walks.stop()
	} else {
		f.on.Store(false)
		s.shut()
	}
	s.ended = ended

	again := &shop{t: t, fs: mem.CrashClone(vfs.CrashCloneCfg{}), keys: s.keys}
	again.clock.Store(s.clock.Load())
	again.open()
	for _, r := range approved {
		res := again.ask(r)
		require.True(t, res.Replayed, "write %d: %s was approved and is gone", k, r.Key)
		require.Equal(t, told[r.Key], wire(res))
	}
	a := again.account(7)
	b := a.Balance()
	if ended {
		require.LessOrEqual(t, b.Available, 100_000-spent, fmt.Sprint("write ", k)) // one was under way
	} else {
		require.Equal(t, 100_000-spent, b.Available)
	}
	again.prove(t)
	again.shut()
	return f.hit.Load(), ended
}
