package protocol

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// compact is JSON without its white space; the order of fields stays.
func compact(t testing.TB, doc []byte) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, json.Compact(&b, doc))
	return b.String()
}

// moment is a time as a till writes it.
func moment(t testing.TB, text string) Time {
	t.Helper()
	at, ok := ParseTime(text)
	require.True(t, ok, text)
	return at
}

// authorized is the answer that the contract shows to integrators.
func authorized(t testing.TB) *Response {
	return &Response{
		Call: CallAuthorize, Created: true, ID: "0A00000000J7", Status: "pending", ProgramVersion: 3,
		HasMember: true, Member: MemberView{ID: "5Z3H8Q2M4K7XA", Tier: "Base", Name: "never in a booked answer"},
		Total: 130000, Redeemed: 65000, RedeemedMoney: 65000, Payable: 65000,
		Lines: []LineResult{
			{ID: "1", Amount: 70000, Redeemed: 35000, Points: 35000, Payable: 35000, Earned: 3500, Quantity: 1000},
			{ID: "2", Amount: 60000, Redeemed: 30000, Points: 30000, Payable: 30000, Earned: 3000, Quantity: 2000, Pieces: []Piece{{Quantity: 2000, Price: 15000}}},
		},
		Earned: 6500,
		EarnedLots: []LotView{{
			Points: 6500, Active: moment(t, "2026-12-05T00:00:00+05:00").Unix, Expires: moment(t, "2027-03-05T00:00:00+05:00").Unix,
		}},
		Rules: []RuleResult{{Rule: "base", Points: 6500}}, Promo: []PromoResult{{Code: "SUMMER", Points: 10000}},
		Balance: Balance{Available: 35000, Held: 65000}, HasBalance: true, MaxRedeem: 65000,
		Hints:     []Hint{{Rule: "ladder", Missing: 170000, Gives: "15 %"}},
		ExpiresAt: moment(t, "2026-11-20T12:46:05+05:00"), Slip: []string{"Points spent: 650.00"},
		At: moment(t, "2026-11-20T12:31:05+05:00"),
	}
}

// TestTheAnswerOfTheContract renders the contract's example byte for byte.
func TestTheAnswerOfTheContract(t *testing.T) {
	r := authorized(t)
	require.Equal(t, compact(t, read(t, "authorized.json")), string(AppendJSON(nil, r)))
	require.Equal(t, 201, r.HTTPStatus())
	require.Equal(t, "application/json", r.ContentType())
}
