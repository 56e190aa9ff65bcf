package program

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var idRow = regexp.MustCompile(`(?m)^\| ([A-Z][0-9]+) \| .* \| (works|not yet[^|]*) \|$`)

// TestEveryRuleHasItsScenario: what the documentation says works has a
// scenario under its id, and what has a scenario is said to work, or at least
// to be judged.
func TestEveryRuleHasItsScenario(t *testing.T) {
	rows := idRow.FindAllStringSubmatch(string(read(t, "../../docs/programme.md")), -1)
	require.Greater(t, len(rows), 40)
	ids := scenarioIDs(t)
	works, judged := map[string]bool{}, map[string]bool{}
	for _, r := range rows {
		judged[r[1]] = strings.Contains(r[2], "judged")
		if r[2] == "works" {
			works[r[1]] = true
			require.NotZero(t, ids[r[1]], "%s is said to work and has no scenario", r[1])
		}
	}
	for id := range ids {
		if judged[id] {
			continue
		}
		require.True(t, works[id], "%s has a scenario; the table of docs/programme.md should say so", id)
	}
}

// TestDocumentation: the first document of the page is one that compiles.
func TestDocumentation(t *testing.T) {
	page := string(read(t, "../../docs/programme.md"))
	_, doc, _ := strings.Cut(page, "```yaml\n")
	doc, _, _ = strings.Cut(doc, "```")
	p, problems := Compile([]byte(doc))
	require.Empty(t, problems)
	q := sampleProgram(t)
	p.index, q.index = index{}, index{}
	require.Equal(t, q, p, "the page and sample.yaml say the same")
}
