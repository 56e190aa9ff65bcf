package protocol

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestValidateNeedsNoDecoderBeforeIt: the ISO edge fills requests by itself,
// so every bound holds for a request that no JSON could have made.
func TestValidateNeedsNoDecoderBeforeIt(t *testing.T) {
	long := strings.Repeat("x", 2000)
	for _, c := range []struct {
		name  string
		spoil func(*Request)
		code  Code
		field string
	}{
		{"nothing", func(*Request) {}, Approved, ""},
		{"501 lines", func(r *Request) { r.Lines = make([]Line, 501) }, InvalidRequest, "basket.lines"},
		{"17 payments", func(r *Request) { r.Payments = make([]Payment, 17) }, InvalidRequest, "payments"},
		{"11 promo codes", func(r *Request) { r.PromoCodes = make([]string, 11) }, InvalidRequest, "promo_codes"},
		{"a long promo code", func(r *Request) { r.PromoCodes = []string{long} }, InvalidRequest, "promo_codes[0]"},
		{"a long tender", func(r *Request) { r.Payments = []Payment{{long, 1}} }, InvalidRequest, "payments[0].tender"},
		{"a payment beyond DE4", func(r *Request) { r.Payments = []Payment{{"card", MaxAmount + 1}} }, InvalidAmount, "payments[0].amount"},
		{"a long sku", func(r *Request) { r.Lines[0].SKU = long }, InvalidRequest, "basket.lines[0].sku"},
		{"a long name", func(r *Request) { r.Lines[0].Name = long }, InvalidRequest, "basket.lines[0].name"},
		{"a long category", func(r *Request) { r.Lines[0].Category = long }, InvalidRequest, "basket.lines[0].category"},
		{"a long brand", func(r *Request) { r.Lines[0].Brand = long }, InvalidRequest, "basket.lines[0].brand"},
		{"a long supplier", func(r *Request) { r.Lines[0].Supplier = long }, InvalidRequest, "basket.lines[0].supplier"},
		{"17 tags", func(r *Request) { r.Lines[0].Tags = make([]string, 17) }, InvalidRequest, "basket.lines[0].tags"},
		{"a long tag", func(r *Request) { r.Lines[0].Tags = []string{long} }, InvalidRequest, "basket.lines[0].tags"},
		{"an id that is not UTF-8", func(r *Request) { r.Lines[0].ID = "\xff" }, InvalidRequest, "basket.lines[0].id"},
		{"a line without an id", func(r *Request) { r.Lines[0].ID = "" }, InvalidRequest, "basket.lines[0].id"},
		{"a negative hold", func(r *Request) { r.HoldSeconds = -1 }, InvalidRequest, "hold_seconds"},
		{"an accrual that spends", func(r *Request) { r.Call, r.Redeem.Mode = CallAccrue, RedeemMax }, InvalidRequest, "redeem"},
		{"no basket", func(r *Request) { r.HasBasket = false }, InvalidRequest, "basket"},
		{"501 lines back", func(r *Request) { r.ReturnLines = make([]ReturnLine, 501) }, InvalidRequest, "lines"},
		{"less than nothing back", func(r *Request) { r.ReturnLines = []ReturnLine{{"1", -1}} }, InvalidAmount, "lines[0].quantity"},
		{"an unnamed line back", func(r *Request) { r.ReturnLines = []ReturnLine{{"", 1}} }, InvalidRequest, "lines[0].id"},
		{"a return beyond DE4", func(r *Request) { r.ReturnAmount = MaxAmount + 1 }, InvalidAmount, "amount"},
		{"a balance of nobody", func(r *Request) { *r = Request{Call: CallBalance} }, InvalidRequest, "member"},
		{"a balance by card", func(r *Request) { *r = Request{Call: CallBalance, Member: r.Member} }, Approved, ""},
		{"a confirm of nothing", func(r *Request) { *r = Request{Call: CallConfirm} }, InvalidRequest, "id"},
		{"an ISO reversal by DE90", func(r *Request) { *r = Request{Call: CallReverse, Edge: EdgeISO} }, Approved, ""},
		{"an ISO return by DE37 that also has a receipt", func(r *Request) {
			*r = Request{Call: CallReturn, Edge: EdgeISO, Target: aSale, Receipt: Receipt{Number: "1"}}
		}, Approved, ""},
		{"a shift's total of 17 digits", func(r *Request) {
			*r = Request{Call: CallCloseShift, Terminal: "T", Store: "S", Receipt: Receipt{Shift: "1"}, Totals: ShiftTotals{Sales: maxTotal + 1}}
		}, InvalidAmount, "totals.sales.total"},
		{"a shift's net of 17 digits", func(r *Request) {
			*r = Request{Call: CallCloseShift, Terminal: "T", Store: "S", Receipt: Receipt{Shift: "1"}, Totals: ShiftTotals{Net: -maxTotal - 1}}
		}, InvalidAmount, "totals.net"},
		{"17 consents", func(r *Request) {
			consent := map[string]bool{}
			for i := range 17 {
				consent[strings.Repeat("c", i+1)] = true
			}
			phone := "+77011234567"
			*r = Request{Call: CallCreateMember, Profile: &Profile{Phone: &phone, Consent: consent}}
		}, InvalidRequest, "consent"},
		{"a long store name in a directory", func(r *Request) {
			*r = Request{Call: CallPutStores, Stores: []StoreEntry{{ID: "S", Group: long}}}
		}, InvalidRequest, "stores[0].group"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := decoded(t, CallQuote, `{"member":{"card":"2200001"},"basket":{"lines":[{"id":"1","quantity":"1","price":5,"amount":5}]}}`)
			c.spoil(r)
			code, field, detail := Validate(r)
			require.Equal(t, c.code, code, detail)
			require.Equal(t, c.field, field, detail)
			require.NotContains(t, detail, long, "a refusal repeats no value")
		})
	}
}

// TestAnAnswerIsReset to nothing but the capacity of its slices.
func TestAnAnswerIsReset(t *testing.T) {
	r := authorized(t)
	r.Reset()
	require.Zero(t, len(r.Lines)+len(r.EarnedLots)+len(r.Rules)+len(r.Promo)+len(r.Hints)+len(r.Slip))
	require.Equal(t, 2, cap(r.Lines))
	require.Empty(t, r.ID)
	require.Zero(t, r.Balance)
}
