// Package docs holds no program: it is the documentation, and the tests that
// hold the sources to the house rules of docs/development.md.
package docs

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// module is the import path of everything of ours.
const module = "tillgate"

// mayImport is the import direction: who may know whom. A folder without a row
// belongs to the row of the nearest folder above it; folders of one row know
// each other. Tests may import what they need, services included.
var mayImport = map[string][]string{
	"protocol":            {},
	"protocol/iso8583":    {"protocol"},
	"ledger":              {},
	"processor/program":   {"protocol"},
	"processor":           {"ledger", "protocol", "processor/program"},
	"processor/whatif":    {"ledger", "protocol", "processor/program"}, // beside the switch, which it doesn't know
	"gateway":             {"processor", "protocol", "protocol/iso8583"},
	"reconciler/stream":   {"ledger", "protocol"},
	"reconciler/publish":  {"ledger", "protocol", "reconciler/stream"},
	"reconciler/project":  {"ledger", "protocol", "reconciler/stream"},
	"reconciler/export":   {"ledger", "protocol", "reconciler/stream"},
	"reconciler/campaign": {"ledger", "protocol", "reconciler/stream"},
	"reconciler":          {"ledger", "protocol", "reconciler/stream", "reconciler/publish", "reconciler/project", "reconciler/export", "reconciler/campaign"},
	"reconciler/services": {},
	"bench":               {"protocol", "protocol/iso8583"}, // the rest as a black box
	"config":              {"protocol", "protocol/iso8583", "ledger", "processor", "processor/program", "gateway", "reconciler", "reconciler/publish", "reconciler/project", "reconciler/services"},
	"cmd":                 {"*"},
	"docs":                {},
}

// topLevel is all that stands at the top, beside files that begin with a dot.
var topLevel = []string{
	"gateway", "processor", "protocol", "ledger", "reconciler", "bench", "config", "cmd",
	"go.mod", "go.sum", "Makefile", "README.md", "docs", "LICENSE", "CHANGELOG.md", "compose.yaml",
}

// untracked is what programs make at the top and .gitignore keeps out.
var untracked = []string{"data", "bin"}

// source is one Go file of ours.
type source struct {
	path   string // from the top, with slashes
	folder string
	test   bool
	lines  int
	fset   *token.FileSet
	file   *ast.File
}

func (s source) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", s.path, s.fset.Position(n.Pos()).Line)
}

// sources parses every Go file of the repository.
func sources(t *testing.T) (all []source) {
	t.Helper()
	walk(t, func(path string, text []byte) {
		if !strings.HasSuffix(path, ".go") {
			return
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, text, parser.ParseComments)
		require.NoError(t, err)
		all = append(all, source{
			path: path, folder: filepath.ToSlash(filepath.Dir(path)),
			test:  strings.HasSuffix(path, "_test.go"),
			lines: strings.Count(string(text), "\n"), fset: fset, file: file,
		})
	})
	require.NotEmpty(t, all)
	return all
}

// walk visits the repository's files, those of dot-folders and test data left out.
func walk(t *testing.T, visit func(path string, text []byte)) {
	t.Helper()
	root := os.DirFS("..")
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		hidden := name != "." && strings.HasPrefix(name, ".")
		if d.IsDir() && (hidden || name == "testdata" || slices.Contains(untracked, path)) {
			return fs.SkipDir
		}
		if d.IsDir() || hidden || !d.Type().IsRegular() {
			return nil
		}
		text, err := fs.ReadFile(root, path)
		if err != nil {
			return err
		}
		visit(path, text)
		return nil
	})
	require.NoError(t, err)
}

// row is the folder's row in mayImport.
func row(folder string) string {
	for ; folder != "."; folder = filepath.ToSlash(filepath.Dir(folder)) {
		if _, ok := mayImport[folder]; ok {
			return folder
		}
	}
	return ""
}

func TestTopLevelIsClosed(t *testing.T) {
	entries, err := os.ReadDir("..")
	require.NoError(t, err)
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") || slices.Contains(untracked, name) {
			continue
		}
		require.Contains(t, topLevel, name, "the top level is closed; where does it belong?")
	}
}

func TestImportDirection(t *testing.T) {
	for _, s := range sources(t) {
		from := row(s.folder)
		require.NotEmpty(t, from, "%s: its folder has no row in mayImport", s.path)
		if s.test {
			continue
		}
		for _, spec := range s.file.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			require.NoError(t, err)
			folder, ours := strings.CutPrefix(path, module+"/")
			if !ours {
				continue
			}
			to := row(folder)
			allowed := mayImport[from]
			if to != from && !slices.Contains(allowed, to) && !slices.Contains(allowed, "*") {
				t.Errorf("%s: %s may not import %s", s.at(spec), from, to)
			}
		}
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	said := map[string]bool{}
	for _, s := range sources(t) {
		if s.test && s.folder != "docs" {
			continue
		}
		said[s.folder] = said[s.folder] || s.file.Doc != nil
	}
	for folder, ok := range said {
		if !ok {
			t.Errorf("%s: no file has a package comment", folder)
		}
	}
}

func TestPackagesAreNamedForWhatTheyDo(t *testing.T) {
	for _, s := range sources(t) {
		switch name := s.file.Name.Name; strings.TrimSuffix(name, "_test") {
		case "util", "utils", "common", "helper", "helpers", "types", "misc", "base":
			t.Errorf("%s: package %s says nothing", s.path, name)
		}
	}
}

func TestFilesAreReadInOneSitting(t *testing.T) {
	const most = 500
	for _, s := range sources(t) {
		if !s.test && s.lines > most && !ast.IsGenerated(s.file) {
			t.Errorf("%s: %d lines, at most %d", s.path, s.lines, most)
		}
	}
}

func TestExportedNamesAreDocumented(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || s.file.Name.Name == "main" || ast.IsGenerated(s.file) {
			continue
		}
		for _, decl := range s.file.Decls {
			for _, name := range undocumented(decl) {
				t.Errorf("%s: %s is exported and has no comment", s.at(decl), name)
			}
		}
	}
}

// undocumented lists the exported names of a declaration that nothing is said
// of. A group's comment speaks for its members. Methods that everybody knows
// need none.
func undocumented(decl ast.Decl) (names []string) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		known := []string{"String", "Error", "Unwrap", "Is", "Len", "Less", "Swap", "MarshalJSON", "UnmarshalJSON"}
		if d.Doc != nil || !d.Name.IsExported() || d.Recv != nil && (!exportedReceiver(d) || slices.Contains(known, d.Name.Name)) {
			return nil
		}
		return []string{d.Name.Name}
	case *ast.GenDecl:
		if d.Doc != nil {
			return nil
		}
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Doc == nil && s.Comment == nil && s.Name.IsExported() {
					names = append(names, s.Name.Name)
				}
			case *ast.ValueSpec:
				// Members of a list of constants share the type's comment.
				if s.Doc == nil && s.Comment == nil && s.Names[0].IsExported() && !d.Lparen.IsValid() {
					names = append(names, s.Names[0].Name)
				}
			}
		}
	}
	return names
}

// exportedReceiver reports whether a method belongs to an exported type.
func exportedReceiver(d *ast.FuncDecl) bool {
	exported := false
	ast.Inspect(d.Recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			exported = id.IsExported()
			return false
		}
		return true
	})
	return exported
}

// TestMoneyIsWhole: a float has no place where amounts are read, judged or kept.
func TestMoneyIsWhole(t *testing.T) {
	for _, s := range sources(t) {
		top, _, _ := strings.Cut(s.folder, "/")
		if s.test || !slices.Contains([]string{"protocol", "ledger", "processor"}, top) {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && (id.Name == "float64" || id.Name == "float32") {
				t.Errorf("%s: %s", s.at(id), id.Name)
			}
			return true
		})
	}
}

func TestSkippedTestsSayWhy(t *testing.T) {
	for _, s := range sources(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if ok && (sel.Sel.Name == "SkipNow" || sel.Sel.Name == "Skip" && len(call.Args) == 0 && s.test) {
				t.Errorf("%s: a test that is skipped says why", s.at(call))
			}
			return true
		})
	}
}

// TestNothingIsLeftForLater: what is not done is not there.
func TestNothingIsLeftForLater(t *testing.T) {
	// In two pieces, or this file would find itself.
	later := regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b`)
	walk(t, func(path string, text []byte) {
		for i, line := range strings.Split(string(text), "\n") {
			if later.MatchString(line) {
				t.Errorf("%s:%d: %s", path, i+1, strings.TrimSpace(line))
			}
		}
	})
}

// TestLinksLead: a page that is linked from another is there.
func TestLinksLead(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#\s]+)(#[^)]*)?\)`)
	walk(t, func(path string, text []byte) {
		if !strings.HasSuffix(path, ".md") {
			return
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], ":") {
				continue
			}
			target := filepath.Join("..", filepath.Dir(path), m[1])
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: the link %s leads nowhere", path, m[1])
			}
		}
	})
}

// TestEveryPageIsInTheIndex: a page that nobody links is a page that nobody finds.
func TestEveryPageIsInTheIndex(t *testing.T) {
	index, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for _, pattern := range []string{"*.md", "decisions/*.md"} {
		pages, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, page := range pages {
			if page != "README.md" && !strings.Contains(string(index), "]("+filepath.ToSlash(page)+")") {
				t.Errorf("docs/%s is not in docs/README.md", page)
			}
		}
	}
}
