package program

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

const older = `
program: cafe
currency: KZT
earn:
  rules:
    - {name: base, give: {percent: 10}}
    - {name: ladder, give: {ladder: [{below: 1000, percent: 5}, {percent: 10}]}}
    - {name: drinks, goods: {category: [tea]}, give: {percent: 5}}
redeem: {cap: 50, with: [card]}
`

// TestDiff: what a marketer changes shows at its place and nowhere else.
func TestDiff(t *testing.T) {
	for name, c := range map[string]struct {
		after string
		want  []string
	}{
		"nothing": {older, nil},
		"the same in other words": {`{"redeem": {"with": "card", "cap": 50.0}, "currency": "KZT", "program": "cafe", "referral": null, "earn": {"rules": [
			{"give": {"percent": 10}, "name": "base"},
			{"name": "ladder", "give": {"ladder": [{"below": 1000, "percent": 5.00}, {"percent": 10}]}},
			{"name": "drinks", "goods": {"category": "tea"}, "give": {"percent": 5}}]}}`, nil},
		"figures, a section, a step": {`
program: cafe
currency: KZT
timezone: Asia/Almaty
earn:
  rules:
    - {name: base, give: {percent: 12}}
    - {name: ladder, give: {ladder: [{below: 1500, percent: 5}, {below: 3000, percent: 7}, {percent: 10}]}}
    - {name: drinks, goods: {category: [tea, coffee]}, give: {percent: 5}}
`, []string{
			`earn.rules[base].give.percent: 10 -> 12`,
			`earn.rules[ladder].give.ladder[0].below: 1000 -> 1500`,
			`earn.rules[ladder].give.ladder[1].percent: 10 -> 7`,
			`earn.rules[ladder].give.ladder[1].below:  -> 3000`,
			`earn.rules[ladder].give.ladder[2]:  -> {"percent":10}`,
			`earn.rules[drinks].goods.category: ["tea"] -> ["tea","coffee"]`,
			`redeem: {"cap":50,"with":["card"]} -> `,
			`timezone:  -> "Asia/Almaty"`,
		}},
		"one rule for another at the end": {`
program: cafe
currency: KZT
earn:
  rules:
    - {name: base, give: {percent: 10}}
    - {name: ladder, give: {ladder: [{below: 1000, percent: 5}, {percent: 10}]}}
    - {name: snacks, give: {percent: 3}}
redeem: {cap: 50, with: [card]}
`, []string{
			`earn.rules[drinks]: {"name":"drinks","goods":{"category":["tea"]},"give":{"percent":5}} -> `,
			`earn.rules[snacks]:  -> {"name":"snacks","give":{"percent":3}}`,
		}},
		"another order": {`
program: cafe
currency: KZT
earn:
  rules:
    - {name: ladder, give: {ladder: [{below: 1000, percent: 5}, {percent: 10}]}}
    - {name: base, give: {percent: 10}}
    - {name: drinks, goods: {category: [tea]}, give: {percent: 5}}
redeem: {cap: 50, with: [card]}
`, []string{`earn.rules: ["base","ladder","drinks"] -> ["ladder","base","drinks"]`}},
		"a rule put in above": {`
program: cafe
currency: KZT
earn:
  rules:
    - {name: <b>, give: {percent: 1}}
    - {name: base, give: {percent: 10}}
    - {name: ladder, give: {ladder: [{below: 1000, percent: 5}, {percent: 10}]}}
    - {name: drinks, goods: {category: [tea]}, give: {percent: 5}}
redeem: {cap: 50, with: [card]}
`, []string{
			`earn.rules[<b>]:  -> {"name":"<b>","give":{"percent":1}}`,
			`earn.rules: ["base","ladder","drinks"] -> ["<b>","base","ladder","drinks"]`,
		}},
		"another kind of thing": {`
program: cafe
currency: KZT
earn: no
redeem: {cap: 50, with: [card, code]}
`, []string{
			`earn: {"rules":[{"name":"base","give":{"percent":10}},{"name":"ladder","give":{"ladder":[{"below":1000,"percent":5},{"percent":10}]}},{"name":"drinks","goods":{"category":["tea"]},"give":{"percent":5}}]} -> "no"`,
			`redeem.with: ["card"] -> ["card","code"]`,
		}},
	} {
		changes, err := Diff([]byte(older), []byte(c.after))
		require.NoError(t, err, name)
		var got []string
		for _, one := range changes {
			require.NotEqual(t, string(one.Before), string(one.After), name)
			for _, side := range [][]byte{one.Before, one.After} {
				require.True(t, side == nil || json.Valid(side), "%s: %s", name, side)
			}
			got = append(got, fmt.Sprintf("%s: %s -> %s", one.Path, one.Before, one.After))
		}
		require.Equal(t, c.want, got, name)
	}
	_, err := Diff([]byte(older), []byte("a: [\n"))
	require.Error(t, err)
	_, err = Diff([]byte{0xff}, []byte(older))
	require.ErrorContains(t, err, "UTF-8")
}

// FuzzDiff: a document differs from itself in nothing, and what it differs in
// from another is JSON.
func FuzzDiff(f *testing.F) {
	f.Add([]byte(older), Sample)
	f.Add(read(f, "testdata/whole.yaml"), read(f, "testdata/full.yaml"))
	f.Add([]byte(`{"a": [{"name": "x"}, {"name": "x"}], "b": 007}`), []byte(`{"a": [{"name": "x"}, 5], "b": "007"}`))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		changes, err := Diff(a, a)
		require.Empty(t, changes)
		if err != nil {
			return
		}
		changes, err = Diff(a, b)
		if err != nil {
			return
		}
		for _, c := range changes {
			require.True(t, c.Before == nil || json.Valid(c.Before), "%s", c.Before)
			require.True(t, c.After == nil || json.Valid(c.After), "%s", c.After)
		}
	})
}
