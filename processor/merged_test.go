package processor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/protocol"
)

// TestASaleOfAMergedMemberComesBack: what was bought before the merge comes
// back to where the member lives now.
func TestASaleOfAMergedMemberComesBack(t *testing.T) {
	s := openShop(t, small)
	s.enrol(7, "4000001", "", ledger.LotPart{Active: 1, Points: 10000})
	s.enrol(8, "4000002", "")
	sale := s.ask(s.sale(protocol.CallRedeem, byCard("4000001"), 20000, 10000))
	require.Equal(t, protocol.Approved, sale.Code, sale.Detail)

	merge := s.till(protocol.CallMerge)
	merge.Caller.Role = protocol.RoleAny
	merge.Target, merge.Into = ledger.AccountID(7).String(), ledger.AccountID(8).String()
	require.Equal(t, protocol.Approved, s.ask(merge).Code)
	s.reaches(8, ledger.Balance{Available: 1000}) // a tenth of what was paid in money

	back := s.till(protocol.CallReturn)
	back.Target, back.ReturnAmount = sale.ID, 10000
	half := s.ask(back)
	require.Equal(t, protocol.Approved, half.Code, half.Detail)
	require.EqualValues(t, 5000, half.Redeemed)
	s.reaches(8, ledger.Balance{Available: 5500})
	back = s.till(protocol.CallReturn)
	back.Target = sale.ID
	require.Equal(t, protocol.Approved, s.ask(back).Code)
	s.reaches(8, ledger.Balance{Available: 10000})
	require.Zero(t, s.account(8).Lifetime)

	// An id of before still names the member, and so does the old card.
	for _, who := range []protocol.Identifier{{Kind: protocol.ByID, Value: ledger.AccountID(7).String()}, byCard("4000001")} {
		ask := s.till(protocol.CallBalance)
		ask.Member = who
		require.EqualValues(t, 10000, s.ask(ask).Balance.Available)
	}
}

// reaches waits until an account has a balance: transfers between accounts
// are delivered behind the answers.
func (s *shop) reaches(id ledger.AccountID, want ledger.Balance) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		a := s.account(id)
		return a.Balance() == want
	}, 10*time.Second, 5*time.Millisecond, "account %s never has %+v", id, want)
}
