package program

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tillgate/protocol"
)

// assortments are goods that the rules of docs/programmes ask for, for ten
// lines each: category, sku, brand and tag, apart by slashes.
var assortments = map[string]string{
	"bakery":           "pastry coffee drinks confectionery pastry///sale coffee bags pastry confectionery drinks",
	"cafe":             "coffee cake tea sale coffee sandwich juice coffee cake tea",
	"car-wash":         "wash/WASH wash/WASH wax foam wash/WASH vacuum wash/WASH tyres polish wash/WASH",
	"car-wash-club":    "wash accessories wash///sale wash wax accessories foam wash tyres polish",
	"card-scheme":      "socks socks shoes shoes cake tea care/SHAMPOO care/BRUSH food/4601/Nord food/77//thin",
	"sports-nutrition": "protein bars///mid-margin bars///low-margin shakers///consumables protein///sale status/VIP90//status protein bars protein protein",
}

// programmes are the documents of docs/programmes, with a basket of ten lines
// for each.
func programmes(t testing.TB) map[string]*Program {
	t.Helper()
	files, err := filepath.Glob("../../docs/programmes/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	all := map[string]*Program{}
	for _, f := range files {
		p, problems := Compile(read(t, f))
		require.Empty(t, problems, f)
		all[strings.TrimSuffix(filepath.Base(f), ".yaml")] = p
	}
	return all
}

// basketOf is basket with a programme's own goods, and a card that its rules
// know.
func basketOf(t testing.TB, name string) (*protocol.Request, *Facts, int64) {
	t.Helper()
	r, f, at := basket()
	goods := strings.Fields(assortments[name])
	require.Len(t, goods, len(r.Lines), name)
	for i, said := range goods {
		l, parts := &r.Lines[i], append(strings.Split(said, "/"), "", "", "")
		l.Category, l.SKU, l.Brand = parts[0], parts[1], parts[2]
		if parts[3] != "" {
			l.Tags = []string{parts[3]}
		}
	}
	f.Identified, f.CardType, r.Redeem.Points, f.Partner = protocol.ByCard, "gold", 1000, "fuel"
	if name == "bakery" {
		r.Redeem = protocol.Redeem{} // it earns or spends
	}
	return r, f, at
}

// TestProgrammesAllocateNothing: the documentation's own programmes are judged
// without garbage.
func TestProgrammesAllocateNothing(t *testing.T) {
	for name, p := range programmes(t) {
		r, f, at := basketOf(t, name)
		var d Decision
		Evaluate(p, f, r, at, &d)
		require.Equal(t, protocol.Approved, d.Code, "%s: %s", name, d.Detail)
		require.NotZero(t, d.Earned, name)
		require.Zero(t, testing.AllocsPerRun(100, func() { Evaluate(p, f, r, at, &d) }), name)
	}
}

func BenchmarkProgrammes(b *testing.B) {
	for name, p := range programmes(b) {
		b.Run(name, func(b *testing.B) {
			r, f, at := basketOf(b, name)
			var d Decision
			b.ReportAllocs()
			for b.Loop() {
				Evaluate(p, f, r, at, &d)
			}
			require.Equal(b, protocol.Approved, d.Code, d.Detail)
		})
	}
}
