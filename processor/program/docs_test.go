package program

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var idRow = regexp.MustCompile(`(?m)^\| ([A-Z][0-9]+) \| .* \| (works|not yet[^|]*) \|$`)

// everyID is what the list of requirements numbers, and how many of each.
var everyID = []struct {
	letter string
	n      int
}{{"E", 18}, {"R", 7}, {"T", 6}, {"F", 6}, {"L", 6}, {"D", 10}}

// TestEveryRuleHasItsScenario: the documentation lists every id; what it says
// works has a scenario under it, here or, where accounts are needed, at the
// switch; and what has a scenario here is said to work, or at least to be
// judged.
func TestEveryRuleHasItsScenario(t *testing.T) {
	var listed, want []string
	rows := idRow.FindAllStringSubmatch(string(read(t, "../../docs/programme.md")), -1)
	ids, told := scenarioIDs(t), toldIDs(t)
	works, judged := map[string]bool{}, map[string]bool{}
	for _, r := range rows {
		listed = append(listed, r[1])
		judged[r[1]] = strings.Contains(r[2], "judged")
		if r[2] == "works" {
			works[r[1]] = true
			require.True(t, ids[r[1]] > 0 || told[r[1]], "%s is said to work and has no scenario", r[1])
		}
	}
	for _, e := range everyID {
		for i := range e.n {
			want = append(want, fmt.Sprint(e.letter, i+1))
		}
	}
	require.Equal(t, want, listed)
	for id := range ids {
		if judged[id] {
			continue
		}
		require.True(t, works[id], "%s has a scenario; the table of docs/programme.md should say so", id)
	}
}

var toldForm = regexp.MustCompile(`\b([A-Z])(\d{1,2})(?:-[A-Z]?(\d{1,2}))?\b`)

// toldIDs are the ids that remarks in the scenarios of the switch and of the
// campaigns name: L1-L4 names four.
func toldIDs(t *testing.T) map[string]bool {
	files, err := filepath.Glob("../testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	// What is carried out beside the switch has its scenarios there.
	beside, err := filepath.Glob("../../reconciler/campaign/testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, beside)
	files = append(files, beside...)
	told := map[string]bool{}
	for _, f := range files {
		for _, line := range strings.Split(string(read(t, f)), "\n") {
			if !strings.HasPrefix(line, "#") {
				continue
			}
			for _, m := range toldForm.FindAllStringSubmatch(line, -1) {
				from, err := strconv.Atoi(m[2])
				require.NoError(t, err)
				to := from
				if m[3] != "" {
					to, err = strconv.Atoi(m[3])
					require.NoError(t, err)
				}
				for n := from; n <= to; n++ {
					told[fmt.Sprint(m[1], n)] = true
				}
			}
		}
	}
	return told
}

var defaultRow = regexp.MustCompile("(?m)^\\| `([a-z_.\\[\\]]+)` \\| (.*) \\|$")

// TestTheTableOfDefaults: the page's table of defaults is the schema's, both ways. What
// stands there in words (never, the publication) has none in the schema.
func TestTheTableOfDefaults(t *testing.T) {
	var root schemaNode
	require.NoError(t, json.Unmarshal(Schema, &root))
	want := map[string]string{}
	same := func(v any) any { return v }
	root.blocks(root, "", same, func(path string, keys []string, _ func(any) any) {
		for _, k := range keys {
			if d, ok := root.at(path)["properties"].(map[string]any)[k].(map[string]any)["default"]; ok {
				at := strings.ReplaceAll(child(path, k), "[0]", "[]")
				if list, ok := d.([]any); ok {
					d = strings.Trim(strings.ReplaceAll(fmt.Sprint(list), " ", "`, `"), "[]")
				}
				want[at] = fmt.Sprintf("`%v`", d)
			}
		}
	})
	page := string(read(t, "../../docs/programme.md"))
	_, page, _ = strings.Cut(page, "\n## Defaults\n")
	page, _, _ = strings.Cut(page, "\n## ")
	got := map[string]string{}
	for _, m := range defaultRow.FindAllStringSubmatch(page, -1) {
		if said, _, _ := strings.Cut(m[2], ", or "); strings.HasPrefix(said, "`") {
			got[m[1]] = said
		}
	}
	require.Equal(t, want, got)
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
