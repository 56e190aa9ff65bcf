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

// TestEveryCallFillsItsFields decodes a body of each call and compares the
// whole request, so that a field that lands elsewhere is seen.
func TestEveryCallFillsItsFields(t *testing.T) {
	text := func(s string) *string { return &s }
	at := Time{Unix: 1763623865_500000000, Offset: -9000, Set: true}
	const ctx = `"terminal":"T1","store":"S1","cashier":"C1"`
	for _, c := range []struct {
		call Call
		body string
		want Request
	}{
		{CallQuote, `{"member":{"id":"5Z3H8Q2M4K7XA"},"basket":{"total":1},"explain":true,"store_group":"north","redeem":{"max":true}}`,
			Request{Member: Identifier{ByID, aMember}, HasBasket: true, Total: 1, Explain: true, StoreGroup: "north", Redeem: Redeem{Mode: RedeemMax}}},
		{CallRedeem, `{` + ctx + `,"member":{"code":"012345"},"basket":{"total":1},"redeem":{"partial":true,"points":7}}`,
			Request{Terminal: "T1", Store: "S1", Cashier: "C1", Member: Identifier{ByCode, "012345"}, HasBasket: true, Total: 1,
				Redeem: Redeem{Mode: RedeemPoints, Points: 7, Partial: true}}},
		{CallAccrue, `{"member":{"email":"a@b.cd"},"basket":{"total":1},"offline":true,"at":"2025-11-20T05:01:05.5-02:30"}`,
			Request{Member: Identifier{ByEmail, "a@b.cd"}, HasBasket: true, Total: 1, Offline: true, At: at}},
		{CallAccrue, `{"redeem":{"points":7},"member":{"card":"2200001"},"basket":{"total":9},"at":"2025-11-20T05:01:05.5-02:30","offline":true}`,
			Request{Member: Identifier{ByCard, "2200001"}, HasBasket: true, Total: 9, Offline: true, At: at, Redeem: Redeem{Mode: RedeemPoints, Points: 7}}},
		{CallAmend, `{` + ctx + `,"basket":{"total":5},"redeem":{"points":1}}`,
			Request{Terminal: "T1", Store: "S1", Cashier: "C1", HasBasket: true, Total: 5, Redeem: Redeem{Mode: RedeemPoints, Points: 1}}},
		{CallConfirm, `{` + ctx + `,"receipt":{"number":"7","shift":"2"},"at":"2025-11-20T05:01:05.5-02:30","redeemed":0,"payable":5}`,
			Request{Terminal: "T1", Store: "S1", Cashier: "C1", Receipt: Receipt{"7", "2"}, At: at, Printed: Printed{0, 5, true, true}}},
		{CallVoid, `{` + ctx + `,"at":"2025-11-20T05:01:05.5-02:30","reason":"left"}`,
			Request{Terminal: "T1", Store: "S1", Cashier: "C1", At: at, Reason: "left"}},
		{CallReverse, `{` + ctx + `,"idempotency_key":"k"}`, Request{Terminal: "T1", Store: "S1", Cashier: "C1", TargetKey: "k"}},
		{CallReverse, `{` + ctx + `,"receipt":{"number":"7"}}`, Request{Terminal: "T1", Store: "S1", Cashier: "C1", Receipt: Receipt{Number: "7"}}},
		{CallReturn, `{` + ctx + `,"authorization":"0A00000000J7","lines":[{"id":"1"},{"id":"2","quantity":"0.5"}],"reason":"broken"}`,
			Request{Terminal: "T1", Store: "S1", Cashier: "C1", Target: aSale, ReturnLines: []ReturnLine{{"1", 0}, {"2", 500}}, Reason: "broken"}},
		{CallReturn, `{` + ctx + `,"receipt":{"number":"7","shift":"2"},"amount":5}`,
			Request{Terminal: "T1", Store: "S1", Cashier: "C1", Receipt: Receipt{"7", "2"}, ReturnAmount: 5}},
		{CallCreateMember, `{"phone":"+77011234567","email":"a@b.cd","name":"A","birthday":"1990-02-28","sex":"f","tags":["x"],"consent":{"sms":true,"ads":false},"promo_code":"P","referrer":{"code":"AB"},"external_id":"e"}`,
			Request{Profile: &Profile{Phone: text("+77011234567"), Email: text("a@b.cd"), Name: text("A"), Birthday: text("1990-02-28"), Sex: text("f"),
				Tags: []string{"x"}, HasTags: true, Consent: map[string]bool{"sms": true, "ads": false}, HasConsent: true, PromoCode: "P",
				Referrer: Identifier{ByCode, "AB"}, ExternalID: text("e")}}},
		{CallPatchMember, `{"phone":null,"name":"B","tags":[]}`, Request{Profile: &Profile{Phone: text(""), Name: text("B"), HasTags: true}}},
		{CallLookupMember, `{"card":"2200001","terminal":"T1"}`, Request{Terminal: "T1", Member: Identifier{ByCard, "2200001"}}},
		{CallIssueCode, `{` + ctx + `}`, Request{Terminal: "T1", Store: "S1", Cashier: "C1"}},
		{CallMemberEvent, `{"event":"app_installed","at":"2025-11-20T05:01:05.5-02:30"}`, Request{Event: "app_installed", At: at}},
		{CallPutBlock, `{"cashier":"C7","until":"2025-11-20T05:01:05.5-02:30","reason":"r"}`, Request{Cashier: "C7", Until: at, Reason: "r"}},
		{CallSetTier, `{"tier":"VIP","until":"2025-11-20T05:01:05.5-02:30","reason":"r"}`, Request{Tier: "VIP", Until: at, Reason: "r"}},
		{CallMerge, `{"into":"5Z3H8Q2M4K7XB"}`, Request{Into: "5Z3H8Q2M4K7XB"}},
		{CallAdjust, `{"points":-5,"reason":"r"}`, Request{Points: -5, Reason: "r"}},
		{CallAddCard, `{"number":"2200001","type":"gold","state":"active"}`, Request{Card: Card{Number: "2200001", Type: "gold", State: "active"}}},
		{CallAddCard, `{"template":"gold"}`, Request{Card: Card{Template: "gold"}}},
		{CallCoupons, `{"serial":"coupons-march","count":7}`, Request{Series: "coupons-march", Count: 7}},
		{CallCardBatch, `{"template":"gold","count":7}`, Request{Card: Card{Template: "gold"}, Count: 7}},
		{CallPatchCard, `{"state":"blocked"}`, Request{Card: Card{State: "blocked"}}},
		{CallReplaceCard, `{"number":"2200002"}`, Request{Card: Card{Number: "2200002"}}},
		{CallCloseShift, `{` + ctx + `,"shift":"2","totals":{"sales":{"count":1,"total":2},"returns":{"count":3,"total":4},"redeemed":{"count":5,"total":6},"given_back":{"count":7,"total":8},"net":-9}}`,
			Request{Terminal: "T1", Store: "S1", Cashier: "C1", Receipt: Receipt{Shift: "2"}, Totals: ShiftTotals{1, 2, 3, 4, 5, 6, 7, 8, -9}}},
		{CallResolveParked, `{"action":"reject","reason":"r"}`, Request{Action: "reject", Reason: "r"}},
		{CallPutStores, `{"stores":[{"id":"S1","timezone":"Asia/Almaty","group":"g","partner":"p"},{"id":"S2"}]}`,
			Request{Stores: []StoreEntry{{ID: "S1", Timezone: "Asia/Almaty", Group: "g", Partner: "p"}, {ID: "S2"}}}},
		{CallPutProducts, `{"products":[{"sku":"1","name":"n","category":"c","brand":"b","supplier":"s","tags":["t"]}]}`,
			Request{Products: []ProductEntry{{SKU: "1", Name: "n", Category: "c", Brand: "b", Supplier: "s", Tags: []string{"t"}}}}},
		{CallPutProducts, `{"products":[{"sku":"1","price":0,"tags":[]},{"sku":"2","name":null,"tags":null,"price":null},{"sku":"3","deleted":true}]}`,
			Request{Products: []ProductEntry{{SKU: "1", Tags: []string{}, HasPrice: true},
				{SKU: "2", RowChange: RowChange{Cleared: 1<<ProductName | 1<<ProductTags | 1<<ProductPrice}}, {SKU: "3", RowChange: RowChange{Deleted: true}}}}},
		{CallPutTemplates, `{"templates":[{"id":"gold","pattern":"2200 ####C","check":"gs1","type":"g","valid":"3y"},{"id":"x","valid":null}]}`,
			Request{Templates: []CardTemplate{{ID: "gold", Pattern: "2200 ####C", Check: "gs1", Type: "g", Valid: "3y"}, {ID: "x", RowChange: RowChange{Cleared: 1 << TemplateValid}}}}},
		{CallPutCashiers, `{"cashiers":[{"id":"C1","name":"n","store":"S1","card":"2200001"}]}`,
			Request{Cashiers: []CashierEntry{{ID: "C1", Name: "n", Store: "S1", Card: "2200001"}}}},
		{CallCheckProgram, "program: x\n", Request{Document: []byte("program: x\n")}},
	} {
		t.Run(c.call.String(), func(t *testing.T) {
			r := decoded(t, c.call, c.body)
			if p := r.Profile; p != nil && len(p.Tags) == 0 {
				p.Tags = nil
			}
			r.Buffer = nil
			c.want.Call = c.call
			require.Equal(t, &c.want, r)
		})
	}
}

// TestResetKeepsCapacityAndNothingElse: an exchange goes back into a pool
// between requests.
func TestResetKeepsCapacityAndNothingElse(t *testing.T) {
	r := decoded(t, CallAuthorize, string(read(t, "authorize.json")))
	r.Reset()
	require.Nil(t, DecodeJSON(CallQuote, []byte(`{"member":{"card":"2200001"},"basket":{"lines":[{"id":"9","quantity":"1","price":1,"amount":1}]}}`), r))
	require.Equal(t, Line{ID: "9", Quantity: 1000, Price: 1, Amount: 1}, r.Lines[0])
	require.Empty(t, r.Payments)
	require.Empty(t, r.PromoCodes)
	require.Zero(t, r.Redeem)
}
