package processor

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"tillgate/processor/program"
	"tillgate/protocol"
)

// invited is a registration with a referrer.
func (s *shop) invited(n int, by *protocol.Response) protocol.Request {
	r := s.member(fmt.Sprintf("+7701%07d", n), "")
	r.Profile.Referrer = protocol.Identifier{Kind: protocol.ByCode, Value: by.Member.ReferralCode}
	return r
}

func TestWhoInvitedWhom(t *testing.T) {
	s := openShop(t, string(program.Sample))
	root := s.approved(s.member("+77010000001", ""))
	tree := s.approved(s.office(protocol.CallReferral, root.Member.ID))
	require.Empty(t, tree.Friends)
	require.Empty(t, tree.Referrer)

	a := s.approved(s.invited(2, root))
	b := s.approved(s.invited(3, root))
	below := s.approved(s.invited(4, a))
	deep := s.approved(s.invited(5, below))
	s.approved(s.invited(6, deep)) // the fourth level

	tree = s.approved(s.office(protocol.CallReferral, root.Member.ID))
	since := s.clock.Load()
	require.Len(t, tree.Friends, 4)
	for i, want := range []struct {
		id    string
		level int
	}{{b.Member.ID, 1}, {a.Member.ID, 1}, {below.Member.ID, 2}, {deep.Member.ID, 3}} {
		f := tree.Friends[i]
		require.Equal(t, want.id, f.ID, i)
		require.Equal(t, want.level, f.Level, i)
		require.InDelta(t, since, f.Since, 1e6, i)
	}

	s.approved(s.office(protocol.CallDeleteMember, a.Member.ID))
	tree = s.approved(s.office(protocol.CallReferral, root.Member.ID))
	require.Len(t, tree.Friends, 1, "an erased member is shown no more, nor who came by it")
	require.Equal(t, b.Member.ID, tree.Friends[0].ID)
}

// Friends who register at the same moment, in many partitions, are all in the
// list, each once.
func TestFriendsAtTheSameMoment(t *testing.T) {
	s := openShop(t, string(program.Sample))
	root := s.approved(s.member("+77010000001", ""))
	const friends = 60
	var wg sync.WaitGroup
	for i := range friends {
		r := s.invited(100+i, root)
		wg.Go(func() { require.True(t, s.ask(r).Code.OK()) })
	}
	wg.Wait()
	tree := s.approved(s.office(protocol.CallReferral, root.Member.ID))
	require.Len(t, tree.Friends, friends)
	seen := map[string]bool{}
	for _, f := range tree.Friends {
		require.False(t, seen[f.ID])
		seen[f.ID] = true
	}
}
