package program

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestSchemaTakesRandomProgrammes: those of the evaluator's twin.
func TestSchemaTakesRandomProgrammes(t *testing.T) {
	s := validator(t)
	rapid.Check(t, func(t *rapid.T) {
		doc := drawProgram(t).document()
		n, err := parse([]byte(doc))
		require.NoError(t, err)
		require.NoError(t, s.Validate(asJSON(t, n)), doc)
	})
}

func asJSON(t require.TestingT, n *node) any {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(n.json(nil)))
	require.NoError(t, err)
	return v
}

// strangers are values that a slip may put anywhere, among them many that are
// right somewhere else.
var strangers = []node{
	{kind: nodeNull}, {kind: nodeBool, text: "true"}, {kind: nodeBool, text: "false"},
	{kind: nodeNumber, text: "0"}, {kind: nodeNumber, text: "1"}, {kind: nodeNumber, text: "-1"}, {kind: nodeNumber, text: "2.5"},
	{kind: nodeNumber, text: "0.01"}, {kind: nodeNumber, text: "0.00001"}, {kind: nodeNumber, text: "100"}, {kind: nodeNumber, text: "1000000"},
	{kind: nodeNumber, text: "99999999999"}, {kind: nodeNumber, text: "1e3"},
	{kind: nodeText, text: ""}, {kind: nodeText, text: "a"}, {kind: nodeText, text: "10"}, {kind: nodeText, text: "10.50"}, {kind: nodeText, text: "0d"},
	{kind: nodeText, text: "30s"}, {kind: nodeText, text: "14d"}, {kind: nodeText, text: "3mo"}, {kind: nodeText, text: "400d"}, {kind: nodeText, text: "mon"},
	{kind: nodeText, text: "2026-12-31"}, {kind: nodeText, text: "2026-12-01T00:00:00+05:00"}, {kind: nodeText, text: "22:00-02:00"},
	{kind: nodeText, text: "receipt"}, {kind: nodeText, text: "member"}, {kind: nodeText, text: "day"}, {kind: nodeText, text: "flag"},
	{kind: nodeList}, {kind: nodeMap},
}

// TestSchemaIsNeverTheStricter: whatever Compile takes, the schema takes. One
// value of a good document is exchanged, its key left out, or another block's
// key put in.
func TestSchemaIsNeverTheStricter(t *testing.T) {
	s := validator(t)
	var docs [][]byte
	for _, pattern := range []string{"testdata/*.yaml", "../../docs/programmes/*.yaml"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, f := range files {
			docs = append(docs, read(t, f))
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n, err := parse(rapid.SampledFrom(docs).Draw(t, "document"))
		require.NoError(t, err)
		places := n.places(nil)
		for range rapid.IntRange(1, 2).Draw(t, "slips") {
			at := rapid.SampledFrom(places).Draw(t, "place")
			switch rapid.IntRange(0, 4).Draw(t, "slip") {
			case 0:
				if len(at.keys) > 0 {
					k := rapid.IntRange(0, len(at.keys)-1).Draw(t, "key")
					at.keys = append(at.keys[:k:k], at.keys[k+1:]...)
				}
			case 1:
				if other := rapid.SampledFrom(places).Draw(t, "other"); at.kind == nodeMap && other.kind == nodeMap && len(other.keys) > 0 {
					k := other.keys[rapid.IntRange(0, len(other.keys)-1).Draw(t, "key")]
					k.value = k.value.clone()
					_ = at.add(k) // a key that is there already stays
				}
			case 2:
				if at.kind == nodeList && len(at.list) > 0 {
					at.list = at.list[1:]
				}
			default:
				*at = rapid.SampledFrom(strangers).Draw(t, "value")
			}
		}
		doc := n.json(nil)
		if p, _ := Compile(doc); p != nil {
			require.NoError(t, s.Validate(asJSON(t, n)), "%s", doc)
		}
	})
}

func (n *node) clone() *node {
	out := *n
	out.keys, out.list = nil, nil
	for _, k := range n.keys {
		k.value = k.value.clone()
		out.keys = append(out.keys, k)
	}
	for _, e := range n.list {
		out.list = append(out.list, e.clone())
	}
	return &out
}

// places are a node and all below it.
func (n *node) places(list []*node) []*node {
	list = append(list, n)
	for _, k := range n.keys {
		list = k.value.places(list)
	}
	for _, e := range n.list {
		list = e.places(list)
	}
	return list
}
