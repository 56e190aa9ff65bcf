package protocol

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// read returns a file of testdata.
func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	return b
}

// decoded is a body that must be good, as a request.
func decoded(t testing.TB, call Call, body string) *Request {
	t.Helper()
	r := &Request{}
	if refusal := DecodeJSON(call, []byte(body), r); refusal != nil {
		t.Fatalf("%s: %v", body, refusal)
	}
	return r
}

// TestTheExampleOfTheContract decodes the authorization that the contract
// shows to integrators, field by field.
func TestTheExampleOfTheContract(t *testing.T) {
	r := decoded(t, CallAuthorize, string(read(t, "authorize.json")))
	at, _ := ParseTime("2026-11-20T12:31:05+05:00")
	r.Buffer = nil
	require.Equal(t, &Request{
		Call: CallAuthorize, Terminal: "T0001", Store: "S01", Cashier: "C7", Channel: "store",
		Receipt:   Receipt{Number: "000123", Shift: "45"},
		At:        at,
		Member:    Identifier{Kind: ByPhone, Value: "+77011234567"},
		HasBasket: true, Total: 130000,
		Lines: []Line{
			{ID: "1", SKU: "4601", Name: "Latte", Category: "coffee", Tags: r.Lines[0].Tags, Quantity: 1000, Price: 70000, Amount: 70000},
			{ID: "2", SKU: "4602", Category: "pastry", Quantity: 2000, Price: 30000, Amount: 60000},
		},
		Payments: []Payment{{Tender: "card", Amount: 65000}}, Redeem: Redeem{Mode: RedeemPoints, Points: 65000},
		PromoCodes: []string{"SUMMER"}, HoldSeconds: 900,
	}, r)
	require.Empty(t, r.Lines[0].Tags)
	code, field, detail := Validate(r)
	require.Equal(t, Approved, code, "%s: %s", field, detail)
}
