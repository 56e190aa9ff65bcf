package protocol

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// golden is an answer and the bytes that it must give.
type golden struct {
	answer *Response
	want   string
}

const (
	aSale   = "0A00000000J7"
	aMember = "5Z3H8Q2M4K7XA"
)

// emptySale is what a sale's answer shows of nothing.
const emptySale = `"total":0,"discount":0,"redeemed":0,"payable":0,"lines":[],"earned":{"points":0,"lots":[]},"rules":[],"promo":[],`

// answers is one answer of every shape, and the special cases of each.
func answers(t testing.TB) map[string]golden {
	all := map[string]golden{}
	for _, part := range []map[string]golden{saleAnswers(t), memberAnswers(t), officeAnswers(t), whatIfAnswers(t), campaignAnswers(), problemAnswers()} {
		for name, g := range part {
			all[name] = g
		}
	}
	return all
}

func saleAnswers(t testing.TB) map[string]golden {
	afterwards := Balance{Available: 100, Held: 20, Pending: 3, Deficit: 4}
	return map[string]golden{
		"authorize": {authorized(t), compact(t, read(t, "authorized.json"))},
		"quote for a provisional member, explained": {
			&Response{Call: CallQuote, HasMember: true, Member: MemberView{ID: aMember, Name: "Aigul"}, ProgramVersion: 1,
				Rules: []RuleResult{{Rule: "flat", Discount: 500, Lines: []RuleLine{{ID: "1", Line: 1, Discount: 300}, {ID: "2", Line: 2, Discount: 200}}},
					{Rule: "base", Points: 7, Lines: []RuleLine{{ID: "1", Line: 1, Points: 7}}}},
				Promo:   []PromoResult{{Code: "TEN", Discount: 200}, {Code: "GOLD", Tier: "Gold"}, {Code: "LATE", Refused: "expired"}},
				Hints:   []Hint{{Rule: "sixth coffee", Quantity: 2000, Gives: "one is free"}},
				Skipped: []Skipped{{Rule: "morning", Because: "not between 09:00 and 12:00"}}, HasBalance: true},
			`{"id":null,"status":null,"program_version":1,"member":{"id":"` + aMember + `","tier":null,"card":null,"name":"Aigul"},` +
				strings.Replace(emptySale, `"rules":[],"promo":[]`, `"rules":[{"rule":"flat","points":0,"discount":500,"lines":[{"id":"1","discount":300},{"id":"2","discount":200}]},`+
					`{"rule":"base","points":7,"lines":[{"id":"1","points":7}]}],`+
					`"promo":[{"code":"TEN","points":0,"discount":200},{"code":"GOLD","points":0,"tier":"Gold"},{"code":"LATE","points":0,"refused":"expired"}]`, 1) +
				`"skipped":[{"rule":"morning","because":"not between 09:00 and 12:00"}],"balance":{"available":0,"held":0,"pending":0,"deficit":0},` +
				`"max_redeem":0,"hints":[{"rule":"sixth coffee","missing":0,"quantity":"2","gives":"one is free"}],"warnings":[],"expires_at":null,"slip":[]}`},
		"amend, a card was presented": {
			&Response{Call: CallAmend, ID: aSale, Status: "pending", HasMember: true,
				Member: MemberView{ID: aMember, Tier: "VIP", Card: "4000-0000-0001"}, ProgramVersion: 2},
			`{"id":"` + aSale + `","status":"pending","program_version":2,"member":{"id":"` + aMember + `","tier":"VIP","card":"****0001"},` + emptySale +
				`"balance":null,"max_redeem":0,"hints":[],"warnings":[],"expires_at":null,"slip":[]}`},
		"get, with what was returned": {
			&Response{Call: CallGetAuthorization, ID: aSale, Status: "confirmed", Returned: Returned{Payable: 1, Redeemed: 2, Earned: 3}},
			`{"id":"` + aSale + `","status":"confirmed","program_version":0,"member":null,` + emptySale +
				`"returned":{"payable":1,"redeemed":2,"earned":3},"balance":null,"max_redeem":0,"hints":[],"warnings":[],"expires_at":null,"slip":[]}`},
		"confirm, a point is worth ten": {
			&Response{Call: CallConfirm, ID: aSale, Status: "confirmed", Redeemed: 650, RedeemedMoney: 6500, Warnings: []string{"printed_differs"}},
			`{"id":"` + aSale + `","status":"confirmed","program_version":0,"member":null,"total":0,"discount":0,"redeemed":650,"redeemed_money":6500,` +
				`"payable":0,"lines":[],"earned":{"points":0,"lots":[]},"rules":[],"promo":[],"balance":null,"max_redeem":0,"hints":[],` +
				`"warnings":["printed_differs"],"expires_at":null,"slip":[]}`},
		"confirm, parked": {
			&Response{Call: CallConfirm, Accepted: true, ID: aSale, Status: "parked"},
			`{"id":"` + aSale + `","status":"parked"}`},
		"accrue, at once and for ever": {
			&Response{Call: CallAccrue, ID: aSale, Status: "confirmed", Earned: 5, EarnedLots: []LotView{{Points: 5}}},
			`{"id":"` + aSale + `","status":"confirmed","program_version":0,"member":null,"total":0,"discount":0,"redeemed":0,"payable":0,"lines":[],` +
				`"earned":{"points":5,"lots":[{"points":5,"active_at":null,"expires_at":null}]},"rules":[],"promo":[],"balance":null,` +
				`"max_redeem":0,"hints":[],"warnings":[],"expires_at":null,"slip":[]}`},
		"redeem, in part": {
			&Response{Call: CallRedeem, Code: Partial, Created: true, ID: aSale, Status: "confirmed"},
			`{"id":"` + aSale + `","status":"confirmed","program_version":0,"member":null,` + emptySale +
				`"balance":null,"max_redeem":0,"hints":[],"warnings":[],"expires_at":null,"slip":[]}`},
		"void":                    {&Response{Call: CallVoid, ID: aSale, Status: "voided"}, `{"id":"` + aSale + `","status":"voided"}`},
		"reversal of the unknown": {&Response{Call: CallReverse, Status: "marked"}, `{"id":null,"status":"marked"}`},
		"reversal": {
			&Response{Call: CallReverse, ID: "0A00000000J9", Status: "reversed", Parent: aSale, HasBalance: true, Balance: afterwards},
			`{"id":"0A00000000J9","status":"reversed","authorization":"` + aSale + `","balance":{"available":100,"held":20,"pending":3,"deficit":4}}`},
		"return": {
			&Response{Call: CallReturn, Created: true, ID: "0A00000000J8", Status: "returned", Parent: aSale, Total: 70000, Payable: 35000,
				Redeemed: 35000, RedeemedMoney: 35000, Earned: 3500, HasBalance: true, Balance: afterwards,
				Lines: []LineResult{{ID: "1", Quantity: 345, Amount: 70000, Payable: 35000, Redeemed: 35000, Points: 35000, Earned: 3500}}},
			`{"id":"0A00000000J8","status":"returned","authorization":"` + aSale + `","total":70000,"payable":35000,"redeemed":35000,"earned":3500,` +
				`"lines":[{"id":"1","quantity":"0.345","amount":70000,"payable":35000,"redeemed":35000,"earned":3500}],` +
				`"balance":{"available":100,"held":20,"pending":3,"deficit":4},"warnings":[],"slip":[]}`},
	}
}

func memberAnswers(t testing.TB) map[string]golden {
	phone, name, none := "+77011234567", `Aigul "B"`, ""
	profile := &Profile{Phone: &phone, Name: &name, Email: &none, Tags: []string{"staff", "vip"}, Consent: map[string]bool{"sms": true, "email": false}, PromoCode: "HELLO", Source: "radio"}
	until := moment(t, "2027-01-01T00:00:00+05:00")
	return map[string]golden{
		"registration": {
			&Response{Call: CallCreateMember, Created: true, Member: MemberView{ID: aMember, Tier: "Base", ReferralCode: "AB12CD", Registered: true}},
			`{"id":"` + aMember + `","tier":"Base","referral_code":"AB12CD","registered":true}`},
		"registration with a code that nobody knows": {
			&Response{Call: CallCreateMember, Created: true, Member: MemberView{ID: aMember, Registered: true}, Promo: []PromoResult{{Code: "NOPE", Refused: "unknown"}}},
			`{"id":"` + aMember + `","tier":null,"referral_code":null,"registered":true,"promo":[{"code":"NOPE","points":0,"refused":"unknown"}]}`},
		"member": {
			&Response{Call: CallGetMember, Member: MemberView{ID: aMember, Registered: true, Profile: profile, Cards: []CardView{{Number: "****0001", Type: "gold", State: "active", Expires: until.Unix}}}},
			`{"id":"` + aMember + `","tier":null,"referral_code":null,"registered":true,"phone":"+77011234567","email":null,"name":"Aigul \"B\"",` +
				`"birthday":null,"sex":null,"tags":["staff","vip"],"consent":{"email":false,"sms":true},"external_id":null,"promo_code":"HELLO","source":"radio",` +
				`"cards":[{"number":"****0001","type":"gold","state":"active","expires_at":"2026-12-31T19:00:00Z"}]}`},
		"member, changed": {
			&Response{Call: CallPatchMember, Member: MemberView{ID: aMember}},
			`{"id":"` + aMember + `","tier":null,"referral_code":null,"registered":false,"cards":[]}`},
		"look-up": {
			&Response{Call: CallLookupMember, Member: MemberView{ID: aMember, Tier: "Base"}, HasBalance: true},
			`{"id":"` + aMember + `","tier":"Base","referral_code":null,"registered":false,"cards":[],"balance":{"available":0,"held":0,"pending":0,"deficit":0}}`},
		"erasure": {&Response{Call: CallDeleteMember, ID: aMember, Status: "erased"}, `{"id":"` + aMember + `","status":"erased"}`},
		"balance": {
			&Response{Call: CallBalance, Balance: Balance{1, 2, 3, 4}, Member: MemberView{Tier: "Base"}, NextTier: "Gold", NextMissing: 99,
				Lots: []LotView{{Points: 1, Active: 0, Expires: until.Unix}}, At: Time{Offset: -5 * 3600}},
			`{"available":1,"held":2,"pending":3,"deficit":4,"tier":"Base","next_tier":{"name":"Gold","missing":99},` +
				`"lots":[{"points":1,"active_at":null,"expires_at":"2026-12-31T14:00:00-05:00"}],"money":null}`},
		"balance in the highest tier": {
			&Response{Call: CallBalance},
			`{"available":0,"held":0,"pending":0,"deficit":0,"tier":null,"next_tier":null,"lots":[],"money":null}`},
		"operations": {
			&Response{Call: CallOperations, NextCursor: "c2", Operations: []OperationView{{ID: aSale, Kind: "sale", Status: "confirmed", Time: until.Unix, At: until.Unix,
				Total: 130000, Redeemed: 500, RedeemedMoney: 1000, Payable: 129000, Earned: 12900, Points: 12400, Balance: Balance{Available: 13000}}}},
			`{"operations":[{"id":"` + aSale + `","kind":"sale","status":"confirmed","authorization":null,"terminal":null,"store":null,"receipt":null,` +
				`"at":"2026-12-31T19:00:00Z","booked_at":"2026-12-31T19:00:00Z","total":130000,"discount":0,"redeemed":500,"redeemed_money":1000,"payable":129000,` +
				`"earned":12900,"points":12400,"balance":{"available":13000,"held":0,"pending":0,"deficit":0},"reason":null}],"next":"c2"}`},
		"no operations": {&Response{Call: CallOperations}, `{"operations":[],"next":null}`},
		"referral": {
			&Response{Call: CallReferral, Member: MemberView{ReferralCode: "AB12CD"}, Points: 1000, Friends: []Friend{{ID: "5Z3H8Q2M4K7XB", Level: 1, Since: until.Unix, Points: 1000}}},
			`{"referral_code":"AB12CD","referrer":null,"points":1000,"friends":[{"id":"5Z3H8Q2M4K7XB","level":1,"registered_at":"2026-12-31T19:00:00Z","points":1000}],"next":null}`},
		"code for the app":  {&Response{Call: CallIssueCode, Created: true, OneTimeCode: "012345", ExpiresAt: until}, `{"code":"012345","expires_at":"2027-01-01T00:00:00+05:00"}`},
		"code for the till": {&Response{Call: CallIssueCode, Created: true, ExpiresAt: until}, `{"expires_at":"2027-01-01T00:00:00+05:00"}`},
		"event": {
			&Response{Call: CallMemberEvent, ID: aSale, Status: "booked", Points: 10000, Rules: []RuleResult{{Rule: "app_installed", Points: 10000}},
				EarnedLots: []LotView{{Points: 10000}}, HasBalance: true, Balance: Balance{Available: 10000}},
			`{"id":"` + aSale + `","status":"booked","points":10000,"rules":[{"rule":"app_installed","points":10000}],` +
				`"lots":[{"points":10000,"active_at":null,"expires_at":null}],"balance":{"available":10000,"held":0,"pending":0,"deficit":0}}`},
		"adjustment": {
			&Response{Call: CallAdjust, Created: true, ID: aSale, Status: "booked", Points: -5000, HasBalance: true},
			`{"id":"` + aSale + `","status":"booked","points":-5000,"lots":[],"balance":{"available":0,"held":0,"pending":0,"deficit":0}}`},
		"tier":    {&Response{Call: CallSetTier, Member: MemberView{ID: aMember, Tier: "VIP"}, ExpiresAt: until}, `{"id":"` + aMember + `","tier":"VIP","until":"2027-01-01T00:00:00+05:00"}`},
		"merge":   {&Response{Call: CallMerge, ID: aSale, Status: "merged"}, `{"id":"` + aSale + `","status":"merged"}`},
		"card":    {&Response{Call: CallAddCard, Created: true, Card: CardView{Number: "****0001", Type: "gold", State: "new"}, Member: MemberView{ID: aMember}}, `{"number":"****0001","type":"gold","state":"new","expires_at":null,"member":"` + aMember + `"}`},
		"blocked": {&Response{Call: CallPatchCard, Card: CardView{Number: "****0001", State: "blocked"}}, `{"number":"****0001","type":null,"state":"blocked","expires_at":null,"member":null}`},
		"replace": {&Response{Call: CallReplaceCard, Card: CardView{Number: "****0002", Type: "gold", State: "active"}}, `{"number":"****0002","type":"gold","state":"active","expires_at":null,"member":null}`},
	}
}

func officeAnswers(t testing.TB) map[string]golden {
	since := moment(t, "2026-11-20T12:31:05.999Z").Unix
	version := ProgramVersion{Version: 2, EffectiveFrom: since, Published: since, Hash: "ab12", Name: "coffee-house", Actor: "office", InForce: true}
	const versionJSON = `"version":2,"program":"coffee-house","effective_from":"2026-11-20T12:31:05Z","published_at":"2026-11-20T12:31:05Z","hash":"ab12","published_by":"office","in_force":true`
	return map[string]golden{
		"shift, matched": {&Response{Call: CallCloseShift, Matched: true}, `{"matched":true}`},
		"shift, differs": {
			&Response{Call: CallCloseShift, Code: TotalsDiffer, Totals: ShiftTotals{1, 2, 3, 4, 5, 6, 7, 8, -9},
				Differences: []Difference{{Receipt: "17", Operation: aSale, Status: "pending", Because: "not confirmed", Total: 100, Redeemed: 50}}},
			`{"matched":false,"code":"totals_differ","iso":"95","totals":{"sales":{"count":1,"total":2},"returns":{"count":3,"total":4},` +
				`"redeemed":{"count":5,"total":6},"given_back":{"count":7,"total":8},"net":-9},` +
				`"differences":[{"receipt":"17","id":"` + aSale + `","status":"pending","because":"not confirmed","total":100,"redeemed":50}]}`},
		"parked": {
			&Response{Call: CallListParked, Parked: []Parked{{ID: aSale, Kind: "confirm", Because: "already_voided", Terminal: "T1", Total: 100, Since: since}}},
			`{"parked":[{"id":"` + aSale + `","kind":"confirm","because":"already_voided","status":null,"authorization":null,"terminal":"T1","store":null,` +
				`"receipt":null,"shift":null,"member":null,"total":100,"redeemed":0,"points":0,"since":"2026-11-20T12:31:05Z"}],"next":null}`},
		"block list": {
			&Response{Call: CallPutBlock, Blocks: []BlockView{{Terminal: "T1", Reason: "norm", Since: since}, {Cashier: "C7", Reason: "r", By: "key", Since: since, Until: since + 60e9}}},
			`{"blocks":[{"terminal":"T1","cashier":null,"reason":"norm","by":null,"since":"2026-11-20T12:31:05Z","until":null},` +
				`{"terminal":null,"cashier":"C7","reason":"r","by":"key","since":"2026-11-20T12:31:05Z","until":"2026-11-20T12:32:05Z"}]}`},
		"no blocks":         {&Response{Call: CallListBlocks}, `{"blocks":[]}`},
		"block lifted":      {&Response{Call: CallDeleteBlock}, `{"blocks":[]}`},
		"resolved":          {&Response{Call: CallResolveParked, ID: aSale, Status: "booked"}, `{"id":"` + aSale + `","status":"booked"}`},
		"programme in YAML": {&Response{Call: CallGetProgram, Document: []byte("program: x\n")}, "program: x\n"},
		"programme in JSON": {&Response{Call: CallGetProgram, Document: []byte(" {\"program\":\"x\"}")}, ` {"program":"x"}`},
		"published": {
			&Response{Call: CallPutProgram, Versions: []ProgramVersion{version}, Warnings: []string{"keys are kept for 10 days"}},
			`{` + versionJSON + `,"warnings":["keys are kept for 10 days"]}`},
		"checked, good": {&Response{Call: CallCheckProgram}, `{"errors":[]}`},
		"checked, not":  {&Response{Call: CallCheckProgram, Problems: []Problem{{"earn.rules[0]", "can never match"}, {"x", "y"}}}, `{"errors":[{"path":"earn.rules[0]","message":"can never match"},{"path":"x","message":"y"}]}`},
		"versions":      {&Response{Call: CallProgramVersions, Versions: []ProgramVersion{version}}, `{"versions":[{` + versionJSON + `}]}`},
		"no versions": {&Response{Call: CallProgramVersions, Versions: []ProgramVersion{{Version: 1}}},
			`{"versions":[{"version":1,"program":null,"effective_from":null,"published_at":null,"hash":null,"published_by":null,"in_force":false}]}`},
		"restored": {&Response{Call: CallRestoreProgram, Versions: []ProgramVersion{version}}, `{` + versionJSON + `,"warnings":[]}`},
		"difference": {
			&Response{Call: CallProgramDiff, Versions: []ProgramVersion{{Version: 1}, version}, Changes: []Change{
				{Path: "earn.rules[base].give.percent", Before: []byte("10"), After: []byte("12")},
				{Path: "redeem", Before: []byte(`{"cap":50}`)}}},
			`{"from":1,"to":2,"differences":[{"path":"earn.rules[base].give.percent","before":10,"after":12},{"path":"redeem","before":{"cap":50},"after":null}]}`},
		"no difference":    {&Response{Call: CallProgramDiff, Versions: []ProgramVersion{{Version: 1}, {Version: 2}}}, `{"from":1,"to":2,"differences":[]}`},
		"products merged":  {&Response{Call: CallPutProducts, Count: 3}, `{"merged":3}`},
		"stores merged":    {&Response{Call: CallPutStores}, `{"merged":0}`},
		"cashiers merged":  {&Response{Call: CallPutCashiers, Count: 1}, `{"merged":1}`},
		"templates merged": {&Response{Call: CallPutTemplates, Count: 1}, `{"merged":1}`},
		"products": {
			&Response{Call: CallListProducts, Products: []ProductEntry{{SKU: "1"}, {SKU: "2", Name: "Latte", Category: "coffee", Brand: "b", Supplier: "s", Tags: []string{"hot"}, Price: 70000, HasPrice: true}}, NextCursor: "2"},
			`{"products":[{"sku":"1"},{"sku":"2","name":"Latte","category":"coffee","brand":"b","supplier":"s","tags":["hot"],"price":70000}],"next":"2"}`},
		"no products": {&Response{Call: CallListProducts}, `{"products":[],"next":null}`},
		"stores": {
			&Response{Call: CallListStores, Stores: []StoreEntry{{ID: "S01", Timezone: "Asia/Almaty", Group: "north", Partner: "p"}, {ID: "S02"}}},
			`{"stores":[{"id":"S01","timezone":"Asia/Almaty","group":"north","partner":"p"},{"id":"S02"}],"next":null}`},
		"cashiers": {
			&Response{Call: CallListCashiers, Cashiers: []CashierEntry{{ID: "C7", Name: "Dana", Store: "S01", Card: "****0001"}}},
			`{"cashiers":[{"id":"C7","name":"Dana","store":"S01","card":"****0001"}],"next":null}`},
		"templates": {
			&Response{Call: CallListTemplates, Templates: []CardTemplate{{ID: "gold", Pattern: "2200 37## #### ##C", Check: "luhn", Type: "gold", Valid: "3y"}, {ID: "plain", Pattern: "29########C", Check: "gs1"}}},
			`{"templates":[{"id":"gold","pattern":"2200 37## #### ##C","check":"luhn","type":"gold","valid":"3y"},{"id":"plain","pattern":"29########C","check":"gs1"}],"next":null}`},
		"coupons": {
			&Response{Call: CallCoupons, Created: true, ID: aSale, Series: "march", Count: 2, Numbers: []string{"K7QM-0001-3F2X-9B4T", "K7QM-0002-8D1Z-0V5C"}},
			`{"id":"` + aSale + `","serial":"march","count":2,"codes":["K7QM-0001-3F2X-9B4T","K7QM-0002-8D1Z-0V5C"]}`},
		"batch": {
			&Response{Call: CallCardBatch, Created: true, ID: aSale, Template: "gold", Card: CardView{Type: "gold", State: "new"}, Count: 2, Numbers: []string{"22003712345678", "22003700000009"}},
			`{"id":"` + aSale + `","template":"gold","type":"gold","state":"new","count":2,"numbers":["22003712345678","22003700000009"]}`},
	}
}

func problemAnswers() map[string]golden {
	return map[string]golden{
		"not enough points": {
			&Response{Call: CallAuthorize, Code: InsufficientPoints, Detail: "350.00 may be spent", Field: "redeem.points", MaxPoints: 35000, HasMaxPoints: true},
			`{"type":"/problems/insufficient_points","title":"Not enough points","status":402,"code":"insufficient_points","detail":"350.00 may be spent",` +
				`"iso":"51","retryable":false,"field":"redeem.points","max_points":35000}`},
		"nothing may be spent": {
			&Response{Call: CallQuote, Code: RedeemNotAllowed, HasMaxPoints: true},
			`{"type":"/problems/redeem_not_allowed","title":"The programme does not allow these points here","status":422,"code":"redeem_not_allowed",` +
				`"detail":"The programme does not allow these points here","iso":"57","retryable":false,"max_points":0}`},
		"overloaded": {
			&Response{Call: CallAuthorize, Code: Overloaded, Created: true},
			`{"type":"/problems/overloaded","title":"The server sheds load","status":503,"code":"overloaded","detail":"The server sheds load","iso":"91","retryable":true}`},
		"a programme refused": {
			&Response{Call: CallPutProgram, Code: InvalidRequest, Detail: "the programme has 1 error", Problems: []Problem{{"holds.max", "is no term"}}},
			`{"type":"/problems/invalid_request","title":"The request is malformed","status":400,"code":"invalid_request","detail":"the programme has 1 error",` +
				`"iso":"30","retryable":false,"errors":[{"path":"holds.max","message":"is no term"}]}`},
	}
}

// TestEveryShapeGivesItsBytes renders each answer twice, the second time
// behind other bytes, and compares every byte.
func TestEveryShapeGivesItsBytes(t *testing.T) {
	for name, g := range answers(t) {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, g.want, string(AppendJSON(nil, g.answer)))
			require.Equal(t, "}"+g.want, string(AppendJSON([]byte("}"), g.answer)))
		})
	}
}
