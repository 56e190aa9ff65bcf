package protocol

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// whatIfAnswers are the golden answers of a replay.
func whatIfAnswers(t testing.TB) map[string]golden {
	return map[string]golden{
		"replayed": {
			&Response{Call: CallWhatIf, WhatIf: &WhatIf{
				Program: "draft", To: moment(t, "2026-11-20T12:31:05Z").Unix,
				Receipts: WhatIfShares{8, 1, 2}, Members: WhatIfShares{3, 2, 1},
				Real: WhatIfFigures{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, Draft: WhatIfFigures{11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 0},
				Rules:   []WhatIfRule{{"base", WhatIfRuleFigures{1, 2, 0}, WhatIfRuleFigures{2, 5, 1}}, {"new", WhatIfRuleFigures{}, WhatIfRuleFigures{1, 1, 1}}},
				Guessed: WhatIfGuessed{1, 2, 3, 4}, Unknown: []Problem{{"a.b", "not known"}, {"c", "nor this"}},
			}},
			`{"program":"draft","from":null,"to":"2026-11-20T12:31:05Z",` +
				`"receipts":{"total":8,"better":1,"worse":2,"better_percent":"12.50","worse_percent":"25.00"},` +
				`"members":{"total":3,"better":2,"worse":1,"better_percent":"66.67","worse_percent":"33.33"},` +
				`"real":{"payable":1,"discount":2,"earned":3,"gifts":4,"rewards":5,"redeemed":6,"redeemed_money":7,"expired":8,"liability":9,"worth":10,"owed":11},` +
				`"draft":{"payable":11,"discount":11,"earned":11,"gifts":11,"rewards":11,"redeemed":11,"redeemed_money":11,"expired":11,"liability":11,"worth":11,"owed":0},` +
				`"difference":{"payable":10,"discount":9,"earned":8,"gifts":7,"rewards":6,"redeemed":5,"redeemed_money":4,"expired":3,"liability":2,"worth":1,"owed":-11},` +
				`"rules":[{"rule":"base","real":{"receipts":1,"points":2,"discount":0},"draft":{"receipts":2,"points":5,"discount":1},"difference":{"receipts":1,"points":3,"discount":1}},` +
				`{"rule":"new","real":{"receipts":0,"points":0,"discount":0},"draft":{"receipts":1,"points":1,"discount":1},"difference":{"receipts":1,"points":1,"discount":1}}],` +
				`"guessed":{"forgotten":1,"declined":2,"moved":3,"older":4},"unknown":[{"path":"a.b","message":"not known"},{"path":"c","message":"nor this"}]}`},
		"nothing to replay": {
			&Response{Call: CallWhatIf, WhatIf: &WhatIf{}},
			`{"program":null,"from":null,"to":null,` +
				`"receipts":{"total":0,"better":0,"worse":0,"better_percent":"0.00","worse_percent":"0.00"},` +
				`"members":{"total":0,"better":0,"worse":0,"better_percent":"0.00","worse_percent":"0.00"},` +
				`"real":` + noFigures + `,"draft":` + noFigures + `,"difference":` + noFigures +
				`,"rules":[],"guessed":{"forgotten":0,"declined":0,"moved":0,"older":0},"unknown":[]}`},
		"another replay is under way": {
			&Response{Call: CallWhatIf, Code: Overloaded, Detail: "one at a time"},
			`{"type":"/problems/overloaded","title":"` + Overloaded.Title() + `","status":503,"code":"overloaded","detail":"one at a time","iso":"91","retryable":true}`},
	}
}

const noFigures = `{"payable":0,"discount":0,"earned":0,"gifts":0,"rewards":0,"redeemed":0,"redeemed_money":0,"expired":0,"liability":0,"worth":0,"owed":0}`

func TestPercent(t *testing.T) {
	for _, c := range []struct {
		part, whole int64
		want        string
	}{{0, 0, "0.00"}, {1, 3, "33.33"}, {2, 3, "66.67"}, {1, 20_000, "0.01"}, {1, 20_001, "0.00"}, {1, 8, "12.50"}, {5, 5, "100.00"}} {
		require.Equal(t, c.want, Percent(c.part, c.whole))
	}
}
