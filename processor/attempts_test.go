package processor

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/processor/program"
	"tillgate/protocol"
)

// Wrong one-time codes lock the terminal, a restart does not unlock it, and
// time does. Nothing of it keeps another terminal from a right code.
func TestALockSurvivesARestart(t *testing.T) {
	s := openShop(t, string(program.Sample))
	m := s.approved(s.member("+77010000001", ""))
	grant := s.office(protocol.CallAdjust, m.Member.ID)
	grant.Points, grant.Reason = 10000, "welcome back"
	s.approved(grant)
	guess := func(terminal, code string) protocol.Code {
		r := s.sale(protocol.CallQuote, protocol.Identifier{Kind: protocol.ByCode, Value: code}, 20000, 100)
		r.Terminal = terminal
		return s.ask(r).Code
	}
	for range codeAttempts - 1 {
		require.Equal(t, protocol.CodeInvalid, guess("T0001", "000000"))
	}
	s.restart()
	require.Equal(t, protocol.CodeInvalid, guess("T0001", "000000"), "the fifth")
	locked, _ := s.s.Locks()
	require.EqualValues(t, 1, locked)
	code := s.approved(s.app(protocol.CallIssueCode, m.Member.ID)).OneTimeCode
	require.Equal(t, protocol.CodeAttemptsExceeded, guess("T0001", code), "even the right one")
	s.restart()
	require.Equal(t, protocol.CodeAttemptsExceeded, guess("T0001", code), "a restart is no way round")
	require.Equal(t, protocol.Approved, guess("T0002", code))
	s.clock.Add(int64(codeWindow))
	code = s.approved(s.app(protocol.CallIssueCode, m.Member.ID)).OneTimeCode
	require.Equal(t, protocol.Approved, guess("T0001", code), "the lock has ended")
	s.restart()
	kept := 0
	require.NoError(t, s.ledger.MetaAll(wrongCodes, func(string, []byte) error { kept++; return nil }))
	require.Zero(t, kept, "nothing is left of it")
}

// Whoever may name any terminal is counted by his address.
func TestManyTerminalsAtOneAddress(t *testing.T) {
	s := openShop(t, string(program.Sample))
	s.approved(s.member("+77010000001", ""))
	here, there := netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("192.0.2.2/32")
	guess := func(terminal string, from netip.Prefix) protocol.Code {
		r := s.sale(protocol.CallQuote, protocol.Identifier{Kind: protocol.ByCode, Value: "000000"}, 20000, 100)
		r.Terminal, r.Origin = terminal, from
		return s.ask(r).Code
	}
	for i := range codeAddress {
		require.Equal(t, protocol.CodeInvalid, guess(fmt.Sprintf("T%04d", i), here))
	}
	require.Equal(t, protocol.CodeAttemptsExceeded, guess("T9000", here))
	require.Equal(t, protocol.CodeInvalid, guess("T9000", there))
	_, addresses := s.s.Locks()
	require.EqualValues(t, 1, addresses)
}

// A member gets so many codes an hour and no more: each is a message to a
// person and a target for guesses. The count is the ledger's, so a restart
// keeps it.
func TestCodesOfAMemberAreBounded(t *testing.T) {
	s := openShop(t, string(program.Sample))
	s.clock.Store(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC).UnixNano())
	m := s.approved(s.member("+77010000001", ""))
	other := s.approved(s.member("+77010000002", ""))
	issue := func(id string) protocol.Code { return s.ask(s.app(protocol.CallIssueCode, id)).Code }
	for i := range codesPerHour {
		if i == codesPerHour/2 {
			s.restart()
		}
		require.Equal(t, protocol.Approved, issue(m.Member.ID))
	}
	require.Equal(t, protocol.LimitExceededCount, issue(m.Member.ID))
	require.Equal(t, protocol.Approved, issue(other.Member.ID))
	s.clock.Add(int64(time.Hour))
	require.Equal(t, protocol.Approved, issue(m.Member.ID), "another hour")
}

// restart closes switch and ledger and opens them again on the same disk, with
// the sample programme.
func (s *shop) restart() {
	s.shut()
	s.open()
	s.publish(1, string(program.Sample))
}
