package mutants

import (
	"context"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// root is the top of the module from here.
const root = "../.."

// Every planted fault has its place in the sources as they are, and leaves
// them Go: `make mutants` tries each, which takes minutes.
func TestEveryMutantHasItsPlace(t *testing.T) {
	all, err := All()
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(all), 20)
	for _, m := range all {
		t.Run(m.Name, func(t *testing.T) {
			sources, err := m.Sources(root)
			require.NoError(t, err)
			require.NotEmpty(t, sources)
			for file, text := range sources {
				was, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file)))
				require.NoError(t, err)
				require.NotEqual(t, string(was), text, "%s changes nothing", file)
				_, err = parser.ParseFile(token.NewFileSet(), file, text, parser.SkipObjectResolution)
				require.NoError(t, err)
			}
		})
	}
}

func TestAMutantThatIsGoneIsAnError(t *testing.T) {
	m, err := Parse("gone", "why: w\ntests: ./ledger -run X\nfile: ledger/ledger.go\n--- was\nnobody wrote this\n--- is\n")
	require.NoError(t, err)
	_, err = m.Sources(root)
	require.ErrorIs(t, err, ErrGone)
	m.Edits[0].Was = "\n" // more than once
	_, err = m.Sources(root)
	require.ErrorIs(t, err, ErrGone)
	for _, bad := range []string{"", "why: w\n", "why: w\ntests: t\nfile: f\n", "how: w\n", "why: w\ntests: t\n--- was\na\n--- is\n"} {
		_, err := Parse("bad", bad)
		require.Error(t, err, bad)
	}
}

// The trial itself: a fault that a test sees is killed, one that none sees
// survives, and one that does not compile proves nothing.
func TestATrialTellsKilledFromSurvived(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":    "module sum\n\ngo 1.26\n",
		"a.go":      "package sum\n\nfunc add(a, b int) int {\n\treturn a + b\n}\n\nfunc name() string {\n\treturn \"sum\"\n}\n",
		"a_test.go": "package sum\n\nimport \"testing\"\n\nfunc TestAdd(t *testing.T) {\n\tif add(1, 2) != 3 {\n\t\tt.Fatal()\n\t}\n\t_ = name()\n}\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	trial := &Trial{Root: dir}
	try := func(was, is string, tests ...string) (Verdict, error) {
		m := Mutant{Name: "m", Why: "w", Tests: tests, Edits: []Edit{{"a.go", was, is}}}
		return trial.Try(context.Background(), m)
	}
	v, err := try("a + b", "a - b", ".", "-run", "Add")
	require.NoError(t, err)
	require.True(t, v.Killed)
	require.Equal(t, "TestAdd", v.By)
	v, err = try(`"sum"`, `"product"`, ".", "-run", "Add")
	require.NoError(t, err)
	require.False(t, v.Killed)
	_, err = try("a + b", "c", ".", "-run", "Add")
	require.ErrorContains(t, err, "does not compile")
	_, err = try("a + b", "a - b", ".", "-run", "Subtract")
	require.ErrorContains(t, err, "finds no test")
	raw, err := os.ReadFile(filepath.Join(dir, "a.go"))
	require.NoError(t, err)
	require.Contains(t, string(raw), "a + b", "the sources are untouched")
}
