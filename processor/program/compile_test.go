package program

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/protocol"
)

func read(t testing.TB, file string) []byte {
	doc, err := os.ReadFile(file)
	require.NoError(t, err)
	return doc
}

// TestWholeDocument: the document that names every key is understood in whole.
func TestWholeDocument(t *testing.T) {
	_, problems := Compile(read(t, "testdata/whole.yaml"))
	require.Empty(t, problems)
}

// TestHead reads what a programme says about itself.
func TestHead(t *testing.T) {
	p := fullProgram(t)
	require.Equal(t, "coffee-house", p.Name())
	require.Equal(t, "KZT", p.Currency())
	require.Equal(t, "Asia/Almaty", p.Zone().String())
	from, ok := p.EffectiveFrom()
	require.True(t, ok)
	require.Equal(t, time.Date(2026, 11, 30, 19, 0, 0, 0, time.UTC).UnixNano(), from)
	usual, longest := p.Holds()
	require.Equal(t, []time.Duration{15 * time.Minute, 24 * time.Hour, 72 * time.Hour}, []time.Duration{usual, longest, p.Backdate()})
	require.Equal(t, LateDeficit, p.Late())
	require.Equal(t, Lots{ExpiresAfter: Term{3, Months}, ExtendOnPurchase: Term{3, Months}}, p.Lots())
	require.True(t, p.HasTier("VIP"))
	require.False(t, p.HasTier("Vip"))
}

// TestDefaults: an absent section is absent.
func TestDefaults(t *testing.T) {
	p, problems := Compile([]byte("program: bare\ncurrency: RUB\n"))
	require.Empty(t, problems)
	require.Equal(t, time.UTC, p.Zone())
	require.Equal(t, Lots{}, p.Lots())
	require.Equal(t, DeficitAllow, p.Deficit())
	_, dated := p.EffectiveFrom()
	require.False(t, dated)
	usual, longest := p.Holds()
	require.Equal(t, []time.Duration{15 * time.Minute, 24 * time.Hour, 72 * time.Hour}, []time.Duration{usual, longest, p.Backdate()})
	var d Decision
	r, f, at := basket()
	r.Redeem.Mode = protocol.RedeemMax
	r.HoldSeconds = 100_000
	Evaluate(p, f, r, at, &d)
	require.Equal(t, protocol.Approved, d.Code)
	require.Zero(t, d.Discount+d.Redeemed+d.Earned+d.MaxRedeem)
	require.EqualValues(t, 24*3600, d.HoldSeconds, "a hold lives at most as long as the programme says")
	require.Len(t, d.Warnings, 1)
	r.HoldSeconds = 0
	Evaluate(p, f, r, at, &d)
	require.EqualValues(t, 900, d.HoldSeconds)
	p, problems = Compile([]byte("program: p\ncurrency: RUB\nredeem: {}\nlots: {deficit: forgive}\nholds: {default: 2d, late_confirm: park}\nbackdate: 0h"))
	require.Empty(t, problems)
	require.Equal(t, redeemRules{present: true, card: true, code: true, cap: rateUnit, never: all, floor: 1}, p.redeem)
	usual, longest = p.Holds()
	require.Equal(t, usual, longest, "a default above the usual maximum raises it")
	require.Equal(t, []any{DeficitForgive, LatePark, time.Duration(0)}, []any{p.Deficit(), p.Late(), p.Backdate()})
}

// TestJSON: the same document in JSON says the same.
func TestJSON(t *testing.T) {
	doc := `{"program": "p", "currency": "KZT", "earn": {"rules": [
		{"name": "каждый", "when": {"channel": ["store"]}, "give": {"percent": 10.50}}]}}`
	require.True(t, json.Valid([]byte(doc)))
	p, problems := Compile([]byte(doc))
	require.Empty(t, problems)
	q, problems := Compile([]byte("program: p\ncurrency: KZT\nearn:\n  rules:\n  - name: каждый\n    when: {channel: store}\n    give: {percent: \"10.5\"}\n"))
	require.Empty(t, problems)
	require.Equal(t, p, q)
	_, problems = Compile([]byte(`{"program": "p", "program": "q", "currency": "KZT"}`))
	require.Len(t, problems, 1)
	require.Contains(t, problems[0].Message, "stands twice")
	_, problems = Compile([]byte(`{"program": "p", "currency": "KZT", "earn": {"false": []}}`))
	require.Len(t, problems, 1)
	require.Contains(t, problems[0].Message, "YAML 1.1")
}

// TestBounded: hostile documents cost little, and get a sentence.
func TestBounded(t *testing.T) {
	var bomb strings.Builder
	bomb.WriteString("a0: &a0 [x, x]\n")
	for i := range 30 {
		fmt.Fprintf(&bomb, "a%d: &a%d [*a%d, *a%d, *a%d]\n", i+1, i+1, i, i, i)
	}
	for name, doc := range map[string]string{
		"alias bomb":     bomb.String(),
		"brackets":       strings.Repeat("[", 100_000),
		"braces":         strings.Repeat("{a: ", 50_000),
		"json brackets":  `{"a":` + strings.Repeat("[", 100_000),
		"dashes":         strings.Repeat("- ", 100_000),
		"question marks": strings.Repeat("? ", 100_000),
		"tags":           strings.Repeat("!x ", 80_000),
		"anchors":        strings.Repeat("&a ", 80_000),
		"stairs":         stairs(300),
		"too large":      "program: x\n#" + strings.Repeat("x", maxDocument),
		"many rules":     "program: x\ncurrency: KZT\nearn:\n  rules:\n" + strings.Repeat("  - {name: a, give: {percent: 1}}\n", 7000),
		"not UTF-8":      "program: \xff",
		"empty":          " \n",
		"two documents":  "program: a\n---\nprogram: b\n",
		"no document":    "# nothing\n",
		"a word":         "program",
	} {
		start := time.Now()
		p, problems := Compile([]byte(doc))
		require.Nil(t, p, name)
		require.NotEmpty(t, problems, name)
		require.LessOrEqual(t, len(problems), maxProblems)
		require.NotEmpty(t, problems[0].Message, name)
		require.Less(t, len(problems[0].Message), 600, name)
		require.Less(t, time.Since(start), 20*time.Second, name)
	}
}

// stairs nests by indentation.
func stairs(n int) string {
	var s strings.Builder
	for i := range n {
		s.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return s.String()
}

// standing lets whatever the programme does beside receipts happen to a member:
// figures stay in range, and dates lie ahead.
func standing(t *testing.T, p *Program, f Facts, at int64, d *Decision) {
	f.FirstPurchase = true
	Happen(p, "registered", &f, &protocol.Request{}, at, d)
	for _, g := range d.Gifts {
		require.Positive(t, g.Lot.Points)
		require.True(t, g.Lot.Expires == 0 || g.Lot.Expires > g.Lot.Active)
	}
	if next := p.NextDate(&f, at); next != 0 {
		require.Greater(t, next, at)
		Fall(p, &f, &protocol.Request{}, at, next, d)
		require.True(t, d.GrantUntil == 0 || d.GrantUntil > next)
	}
	for _, ch := range p.Book(Sale{Paid: 100_000, Day: LocalDay(at, p.Zone())}, p.Month(&f, at, nil)) {
		require.Positive(t, ch.Value)
	}
	for k := range p.events.list {
		key := p.events.list[k].key
		a, _, _ := p.Bought(Assigned{}, nothingKept, key, 1000, at, at)
		require.True(t, a.Until == 0 || a.Until > at)
		a, _, _ = p.Bought(a, nothingKept, key, -1000, at, at)
		require.False(t, a.inForce(at))
	}
}

// FuzzCompile: no document makes Compile panic, and one that compiles judges
// any receipt without losing a coin.
func FuzzCompile(f *testing.F) {
	f.Add(read(f, "testdata/whole.yaml"))
	f.Add(read(f, "testdata/full.yaml"))
	f.Add(Sample)
	f.Add([]byte(`{"program": "p", "currency": "KZT", "redeem": {"caps": [{"goods": {"sku": ["1"]}, "cap": 5}]}}`))
	f.Add([]byte("program: p\ncurrency: KZT\nearn: {rules: [{name: a, give: {ladder: [{up_to: 5, percent: 5}, {percent: 1}]}}]}\n"))
	var d Decision
	f.Fuzz(func(t *testing.T, doc []byte) {
		p, problems := Compile(doc)
		require.Equal(t, p == nil, len(problems) > 0)
		if p == nil {
			return
		}
		r, facts, at := basket()
		standing(t, p, *facts, at, &d)
		Evaluate(p, facts, r, at, &d)
		if !d.Code.OK() {
			return
		}
		var sum int64
		for i := range d.Lines {
			l := &d.Lines[i]
			require.Equal(t, l.Amount, l.Discount+l.Redeemed+l.Payable)
			require.GreaterOrEqual(t, min(l.Discount, l.Redeemed, l.Payable, l.Earned), int64(0))
			sum += l.Payable
		}
		require.Equal(t, d.Payable, sum)
		require.LessOrEqual(t, d.Redeemed, d.MaxRedeem)
	})
}
