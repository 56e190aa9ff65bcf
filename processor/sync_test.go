package processor

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"tillgate/protocol"
)

// gate is a disk whose syncs of the log wait while it is closed.
type gate struct {
	mu sync.RWMutex
}

func (g *gate) MaybeError(op errorfs.Op) error {
	if strings.HasSuffix(op.Path, ".log") && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSyncTo) {
		g.mu.RLock()
		defer g.mu.RUnlock()
	}
	return nil
}

func (g *gate) String() string { return "gate" }

// Nobody is told what is not on disk yet, not even that something is not
// there: after a crash it might be.
func TestNothingIsToldBeforeWhatItReadIsSynced(t *testing.T) {
	g := &gate{}
	s := &shop{t: t, fs: errorfs.Wrap(vfs.NewMem(), g)}
	s.clock.Store(morning.UnixNano())
	s.open()
	s.publish(1, small)
	member := s.approved(s.member("+77010000001", ""))

	for _, c := range []struct {
		name    string
		change  protocol.Request
		applied func() bool
		ask     protocol.Request
	}{
		{
			name: "a phone number that leads nowhere any more", change: s.office(protocol.CallDeleteMember, member.Member.ID),
			applied: func() bool {
				key, _ := s.s.identifierKey("", protocol.ByPhone, "+77010000001")
				link, err := s.ledger.Link(key)
				return err == nil && link == nil
			},
			ask: func() protocol.Request {
				r := s.office(protocol.CallLookupMember, "")
				r.Member = byPhone("+77010000001")
				return r
			}(),
		},
		{
			name: "a programme that was published just now", change: func() protocol.Request {
				r := s.office(protocol.CallPutProgram, "")
				r.Document = []byte(small + "# another\n")
				return r
			}(),
			applied: func() bool { list, err := s.ledger.Programs(""); return err == nil && len(list) == 1 },
			ask:     s.office(protocol.CallGetProgram, ""),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			submit := func(r protocol.Request) chan struct{} {
				done := make(chan struct{})
				go s.s.Submit(&protocol.Exchange{Request: r, Done: func(*protocol.Exchange) { close(done) }})
				return done
			}
			g.mu.Lock()
			changed := submit(c.change)
			require.Eventually(t, c.applied, 10*time.Second, time.Millisecond)
			told := submit(c.ask)
			select {
			case <-told:
				g.mu.Unlock()
				require.Fail(t, "it was told before the sync")
			case <-time.After(100 * time.Millisecond):
				g.mu.Unlock()
			}
			for _, done := range []chan struct{}{changed, told} {
				select {
				case <-done:
				case <-time.After(20 * time.Second):
					require.Fail(t, "no answer")
				}
			}
		})
	}
}
