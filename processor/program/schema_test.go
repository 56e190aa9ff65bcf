package program

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
)

// validator compiles the schema by its own rules.
func validator(t testing.TB) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("urn:tillgate:programme", doc))
	s, err := c.Compile("urn:tillgate:programme")
	require.NoError(t, err)
	return s
}

// instance is a document as a validator sees it, through the same reader that
// Compile uses.
func instance(t testing.TB, doc []byte) any {
	t.Helper()
	n, err := parse(doc)
	require.NoError(t, err)
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(n.json(nil)))
	require.NoError(t, err)
	return v
}

// TestSchemaTakesWhatCompiles: every document of the tests and of the
// documentation that Compile takes is one that an editor leaves alone.
func TestSchemaTakesWhatCompiles(t *testing.T) {
	s := validator(t)
	docs := map[string][]byte{"sample.yaml": Sample}
	for _, pattern := range []string{"testdata/*.yaml", "../../docs/programmes/*.yaml"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, f := range files {
			docs[f] = read(t, f)
		}
	}
	for name, doc := range docs {
		require.NoError(t, s.Validate(instance(t, doc)), name)
	}
	compiled := 0
	for name, doc := range scenarioDocuments(t) {
		if p, _ := Compile(doc); p == nil {
			continue
		}
		compiled++
		require.NoError(t, s.Validate(instance(t, doc)), "%s:\n%s", name, doc)
	}
	require.Greater(t, compiled, 50)
}

// scenarioDocuments are the programmes of testdata/*.txt, completed as a
// teller completes them.
func scenarioDocuments(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	docs := map[string][]byte{}
	for _, f := range files {
		lines := strings.Split(string(read(t, f)), "\n")
		for i, line := range lines {
			if line != "programme:" {
				continue
			}
			end := i + 1
			for end < len(lines) && (strings.HasPrefix(lines[end], " ") || lines[end] == "") {
				end++
			}
			docs[fmt.Sprintf("%s:%d", f, i+1)] = []byte(complete(strings.Join(lines[i+1:end], "\n")))
		}
	}
	return docs
}

// schemaNode is a part of the schema.
type schemaNode map[string]any

// resolve follows references, and joins what alternatives say of the same
// place: a list or a single one of its entries.
func (root schemaNode) resolve(n any) schemaNode {
	m, _ := n.(map[string]any)
	if name, ok := m["$ref"].(string); ok {
		defs := root["$defs"].(map[string]any)
		return root.resolve(defs[strings.TrimPrefix(name, "#/$defs/")])
	}
	return m
}

// blocks visits every block of keys that the schema knows, with a way to
// build a document that has something there, and its path as Compile writes
// it. Lists get two entries, for some need as many.
func (root schemaNode) blocks(n schemaNode, path string, wrap func(any) any, visit func(path string, keys []string, wrap func(any) any)) {
	if items, ok := n["items"]; ok {
		root.blocks(root.resolve(items), path+"[0]", func(v any) any { return wrap([]any{v, v}) }, visit)
	}
	props, ok := n["properties"].(map[string]any)
	if !ok {
		return
	}
	var keys []string
	for k := range props {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	visit(path, keys, wrap)
	for _, k := range keys {
		root.blocks(root.resolve(props[k]), child(path, k), func(v any) any { return wrap(root.beside(props, k, v)) }, visit)
	}
}

// beside is a block with one key, and what the compiler wants to see before it
// looks at that.
func (root schemaNode) beside(props map[string]any, key string, v any) map[string]any {
	block := map[string]any{key: v}
	if give, ok := props["give"]; ok && key != "give" {
		block["give"] = map[string]any{"points": 1}
		if _, ok := root.resolve(give)["properties"].(map[string]any)["percent"]; ok {
			block["give"] = map[string]any{"percent": 1}
		}
	}
	return block
}

const stranger = "zzzzzzzzzz"

// TestSchemaAndCompilerKnowTheSameKeys, at every level. The compiler lists
// what it knows when it refuses a key that it doesn't.
func TestSchemaAndCompilerKnowTheSameKeys(t *testing.T) {
	s := validator(t)
	var root schemaNode
	require.NoError(t, json.Unmarshal(Schema, &root))
	levels := 0
	same := func(v any) any { return v }
	root.blocks(root, "", same, func(path string, keys []string, wrap func(any) any) {
		doc, err := json.Marshal(wrap(map[string]any{stranger: 1}))
		require.NoError(t, err)
		require.True(t, refusesStranger(s.Validate(instance(t, doc))), "the schema takes an unknown key at %q", path)
		_, problems := Compile(doc)
		at := child(path, stranger)
		for _, p := range problems {
			if list, ok := strings.CutPrefix(p.Message, "unknown key; known here are "); ok && p.Path == at {
				known := strings.Split(list, ", ")
				sort.Strings(known)
				require.Equal(t, known, keys, "keys at %q: the compiler's, the schema's", path)
				levels++
				return
			}
			if strings.HasPrefix(at, p.Path) && p.Path != "" && strings.Contains(p.Message, "not available in this version") {
				return // the compiler doesn't look into what it refuses
			}
		}
		require.Fail(t, "the compiler takes an unknown key", "at %q: %v", path, problems)
	})
	require.Greater(t, levels, 40)
}

// refusesStranger reports whether a validation complains of the unknown key.
func refusesStranger(err error) bool {
	return err != nil && strings.Contains(fmt.Sprintf("%#v", err), stranger)
}

// TestSchemaRefusesSlips: what an editor should mark, and Compile refuses.
func TestSchemaRefusesSlips(t *testing.T) {
	s := validator(t)
	for name, doc := range map[string]string{
		"no currency":         "program: p",
		"a currency in words": "program: p\ncurrency: tenge",
		"percent above 100":   "program: p\ncurrency: KZT\nredeem: {cap: 101}",
		"a float in a term":   "program: p\ncurrency: KZT\nlots: {expires_after: 1.5mo}",
		"a term in weeks":     "program: p\ncurrency: KZT\nlots: {expires_after: 2w}",
		"months in a hold":    "program: p\ncurrency: KZT\nholds: {max: 1mo}",
		"two kinds of give":   "program: p\ncurrency: KZT\nearn: {rules: [{name: a, give: {percent: 1, points: 5}}]}",
		"per without points":  "program: p\ncurrency: KZT\nearn: {rules: [{name: a, give: {percent: 1, per: line}}]}",
		"no give":             "program: p\ncurrency: KZT\nearn: {rules: [{name: a}]}",
		"every without share": "program: p\ncurrency: KZT\ndiscounts: {rules: [{name: a, give: {every: 6}}]}",
		"take without pay":    "program: p\ncurrency: KZT\ndiscounts: {rules: [{name: a, give: {take: 3}}]}",
		"a bundle of one":     "program: p\ncurrency: KZT\ndiscounts: {rules: [{name: a, give: {bundle: [{goods: {sku: [A]}, percent: 5}]}}]}",
		"a day of the week":   "program: p\ncurrency: KZT\nearn: {rules: [{name: a, when: {weekdays: [monday]}, give: {percent: 1}}]}",
		"hours in words":      "program: p\ncurrency: KZT\nearn: {rules: [{name: a, when: {hours: 9 to 12}, give: {percent: 1}}]}",
		"empty goods":         "program: p\ncurrency: KZT\nearn: {rules: [{name: a, goods: {}, give: {percent: 1}}]}",
		"from and above":      "program: p\ncurrency: KZT\ntiers: {levels: [{name: a, from: 1, above: 2}]}",
		"below and up_to":     "program: p\ncurrency: KZT\nearn: {rules: [{name: a, give: {ladder: [{below: 1, up_to: 1, percent: 1}]}}]}",
		"a cap of nothing":    "program: p\ncurrency: KZT\nredeem: {caps: [{cap: 5}]}",
		"a long name":         "program: " + strings.Repeat("p", 65) + "\ncurrency: KZT",
		"text for true":       "program: p\ncurrency: KZT\ndiscounts: {rules: [{name: a, give: {every: 6, percent: 1, across_receipts: yes please}}]}",
	} {
		require.Error(t, s.Validate(instance(t, []byte(doc))), name)
		_, problems := Compile([]byte(doc))
		require.NotEmpty(t, problems, name)
	}
}

// TestSchemaExplains: every key has a word for the hover of an editor.
func TestSchemaExplains(t *testing.T) {
	var root schemaNode
	require.NoError(t, json.Unmarshal(Schema, &root))
	var said func(n any) bool
	said = func(n any) bool {
		m := n.(map[string]any)
		if _, own := m["description"]; own {
			return true
		}
		name, ok := m["$ref"].(string)
		return ok && said(root["$defs"].(map[string]any)[strings.TrimPrefix(name, "#/$defs/")])
	}
	var mute []string
	same := func(v any) any { return v }
	root.blocks(root, "", same, func(path string, keys []string, _ func(any) any) {
		n := root.at(path)
		for _, k := range keys {
			if !said(n["properties"].(map[string]any)[k]) {
				mute = append(mute, child(path, k))
			}
		}
	})
	slices.Sort(mute)
	require.Empty(t, mute)
}

// at is the schema's part at a path as blocks writes it.
func (root schemaNode) at(path string) schemaNode {
	n := root
	for _, step := range strings.Split(path, ".") {
		if step == "" {
			continue
		}
		name, lists := strings.TrimRight(step, "[0]"), strings.Count(step, "[0]")
		n = root.resolve(n["properties"].(map[string]any)[name])
		for range lists {
			n = root.resolve(n["items"])
		}
	}
	return n
}
