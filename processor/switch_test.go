package processor

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/protocol"
)

func TestAuthorizeConfirmVoidReturnBalance(t *testing.T) {
	s := openShop(t, small)
	s.enrol(7, "4000001", "+77011234567", ledger.LotPart{Active: 1, Points: 100000})

	held := s.ask(s.sale(protocol.CallAuthorize, byCard("4000001"), 130000, 65000))
	require.Equal(t, protocol.Approved, held.Code, held.Detail)
	require.True(t, held.Created)
	require.Equal(t, "pending", held.Status)
	require.EqualValues(t, 65000, held.Redeemed)
	require.EqualValues(t, 65000, held.Payable)
	require.EqualValues(t, 6500, held.Earned)
	require.Equal(t, protocol.Balance{Available: 35000, Held: 65000}, held.Balance)

	confirm := s.till(protocol.CallConfirm)
	confirm.Target = held.ID
	booked := s.ask(confirm)
	require.Equal(t, protocol.Approved, booked.Code, booked.Detail)
	require.Equal(t, held.ID, booked.ID)
	require.Equal(t, protocol.Balance{Available: 41500}, booked.Balance)
	require.Equal(t, wire(booked), wire(s.ask(confirm)))

	back := s.till(protocol.CallReturn)
	back.Target = held.ID
	returned := s.ask(back)
	require.Equal(t, protocol.Approved, returned.Code, returned.Detail)
	require.EqualValues(t, 65000, returned.Redeemed)
	require.Equal(t, protocol.Balance{Available: 100000}, returned.Balance)

	void := s.till(protocol.CallVoid)
	void.Target = s.ask(s.sale(protocol.CallAuthorize, byCard("4000001"), 130000, 65000)).ID
	released := s.ask(void)
	require.Equal(t, "voided", released.Status)
	require.Equal(t, protocol.Balance{Available: 100000}, released.Balance)

	ask := s.till(protocol.CallBalance)
	ask.Member = byPhone("+77011234567")
	require.Equal(t, protocol.Balance{Available: 100000}, s.ask(ask).Balance)
}
