package processor

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/protocol"
)

// The journal goes to Kafka. Nothing in it is an identifier, or a hash that
// somebody without the store's key could make of a guess.
func TestTheJournalHoldsNothingThatNamesAPerson(t *testing.T) {
	s := openShop(t, small)
	const phone, email, card, name = "+77010000001", "anna@example.org", "7000000000001234", "Anna Karenina"
	var secrets [][]byte
	hashed := func(r protocol.Request) protocol.Request {
		sum := sha256.Sum256([]byte(phone + r.Key))
		r.Hash = [16]byte(sum[:16])
		secrets = append(secrets, bytes.Clone(r.Hash[:]))
		return r
	}
	s.approved(hashed(s.sale(protocol.CallAccrue, byPhone(phone), 50000, 0)))
	register := s.member(phone, email)
	who := name
	register.Profile.Name = &who
	member := s.approved(hashed(register))
	add := s.office(protocol.CallAddCard, member.Member.ID)
	add.Card.Number = card
	s.approved(hashed(add))
	issue := s.app(protocol.CallIssueCode, member.Member.ID)
	issue.Caller.Role = protocol.RoleCheckout
	code := s.approved(hashed(issue)).OneTimeCode
	s.approved(hashed(s.sale(protocol.CallRedeem, protocol.Identifier{Kind: protocol.ByCode, Value: code}, 1000, 100)))
	gone := s.sale(protocol.CallAccrue, byCard("7000000000009999"), 1000, 0)
	gone.ISO.Advice = true
	require.Equal(t, "parked", s.ask(hashed(gone)).Status)

	for _, text := range []string{phone, phone[1:], email, card, "1234", name, "9999", code, member.Member.ReferralCode} {
		secrets = append(secrets, []byte(text))
	}
	records := 0
	for p := range s.ledger.Partitions() {
		require.NoError(t, s.ledger.Journal(p, 1, func(id ledger.OpID, rec []byte) bool {
			records++
			for _, secret := range secrets {
				require.NotContains(t, string(rec), string(secret), "record %s", id)
			}
			return true
		}))
	}
	require.Greater(t, records, 6)
}
