package program

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds of a document. They keep the cost of reading one small whoever has
// written it: aliases, which could multiply it, are refused altogether.
const (
	maxDocument = 256 << 10 // as a request's body
	maxDepth    = 16        // the deepest key of the schema lies at nine
	maxNesting  = 64        // of brackets, before the parser sees them
)

type nodeKind uint8

const (
	nodeNull nodeKind = iota
	nodeMap
	nodeList
	nodeText   // plain or quoted
	nodeNumber // as written
	nodeBool
)

var kindNames = [...]string{"nothing", "a block of keys", "a list", "text", "a number", "true or false"}

// node is a part of a document, whichever syntax it was written in.
type node struct {
	kind nodeKind
	text string // of text, number, bool: as written, quotes resolved
	line int    // in the document; 0 if not known
	keys []key
	list []*node
}

type key struct {
	name  string
	boole bool // the name is a bare true or false
	value *node
}

// parse reads a document into nodes; the error is a sentence for its writer.
func parse(doc []byte) (*node, error) {
	switch {
	case len(doc) > maxDocument:
		return nil, fmt.Errorf("the document is larger than %d KiB; split long lists of goods into categories or tags", maxDocument>>10)
	case !utf8.Valid(doc):
		return nil, errors.New("the document is not UTF-8; save it as UTF-8")
	case len(bytes.TrimSpace(doc)) == 0:
		return nil, errors.New("the document is empty; begin with `program: NAME`")
	}
	doc = bytes.TrimPrefix(doc, []byte("\ufeff"))
	if err := checkNesting(doc); err != nil {
		return nil, err
	}
	if bytes.TrimLeft(doc, " \t\r\n")[0] == '{' {
		if n, err := parseJSON(doc); err == nil {
			return n, nil
		} else if json.Valid(doc) {
			return nil, err
		}
	}
	return parseYAML(doc)
}

var errDeep = errors.New("the document is nested too deeply")

// checkNesting refuses what would make the parser recurse without bound. It
// counts brackets wherever they stand, also inside text, which no honest
// programme has many of that are not closed.
func checkNesting(doc []byte) error {
	depth := 0
	for line := range bytes.Lines(doc) {
		marks := bytes.TrimLeft(line, " \t")
		for n := 0; len(marks) > 1 && strings.IndexByte("-?!&*:", marks[0]) >= 0; n++ {
			if n > maxDepth {
				return errDeep
			}
			_, marks, _ = bytes.Cut(marks, []byte{' '})
			marks = bytes.TrimLeft(marks, " \t")
		}
		for _, c := range line {
			switch c {
			case '[', '{':
				depth++
			case ']', '}':
				depth = max(depth-1, 0)
			}
			if depth > maxNesting {
				return errDeep
			}
		}
	}
	return nil
}

func parseYAML(doc []byte) (*node, error) {
	file, err := parser.ParseBytes(doc, 0)
	if err != nil {
		return nil, fmt.Errorf("the document is not YAML 1.2 or JSON: %s", firstLine(err.Error()))
	}
	var body ast.Node
	for _, d := range file.Docs {
		if d.Body == nil {
			continue
		}
		if body != nil {
			return nil, errors.New("the file holds more than one document; publish them one by one")
		}
		body = d.Body
	}
	if body == nil {
		return nil, errors.New("the document is empty; begin with `program: NAME`")
	}
	return fromYAML(body, 0)
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

func fromYAML(n ast.Node, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, errDeep
	}
	out := &node{}
	if n == nil {
		return out, nil
	}
	tok := n.GetToken()
	if tok != nil && tok.Position != nil {
		out.line = tok.Position.Line
	}
	switch x := n.(type) {
	case *ast.NullNode:
	case *ast.StringNode:
		out.kind, out.text = nodeText, x.Value
	case *ast.LiteralNode:
		out.kind, out.text = nodeText, x.Value.Value
	case *ast.BoolNode:
		out.kind, out.text = nodeBool, tok.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		out.kind, out.text = nodeNumber, tok.Value
	case *ast.MappingNode:
		out.kind = nodeMap
		for _, v := range x.Values {
			if err := out.addYAML(v, depth); err != nil {
				return nil, err
			}
		}
	case *ast.MappingValueNode:
		out.kind = nodeMap
		if err := out.addYAML(x, depth); err != nil {
			return nil, err
		}
	case *ast.SequenceNode:
		out.kind = nodeList
		for _, v := range x.Values {
			item, err := fromYAML(v, depth+1)
			if err != nil {
				return nil, err
			}
			out.list = append(out.list, item)
		}
	default:
		return nil, fmt.Errorf("line %d: anchors, aliases, tags, merge keys and complex keys are not used here; write the value out", out.line)
	}
	return out, nil
}

func (n *node) addYAML(v *ast.MappingValueNode, depth int) error {
	tok := v.Key.GetToken()
	k := key{name: tok.Value}
	switch v.Key.(type) {
	case *ast.StringNode:
	case *ast.BoolNode:
		k.boole = tok.Type == token.BoolType
	case *ast.IntegerNode, *ast.FloatNode, *ast.NullNode:
	default:
		return fmt.Errorf("line %d: write a plain key", tok.Position.Line)
	}
	value, err := fromYAML(v.Value, depth+1)
	if err != nil {
		return err
	}
	k.value = value
	return n.add(k)
}

// add appends a key; one that is there already is refused.
func (n *node) add(k key) error {
	for i := range n.keys {
		if n.keys[i].name == k.name {
			return fmt.Errorf("the key %q stands twice in one block; keep one", k.name)
		}
	}
	n.keys = append(n.keys, k)
	return nil
}

func parseJSON(doc []byte) (*node, error) {
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	n, err := fromJSON(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("something follows the document")
	}
	return n, nil
}

func fromJSON(d *json.Decoder, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, errDeep
	}
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	n := &node{}
	switch x := t.(type) {
	case json.Delim:
		n.kind = nodeMap
		if x == '[' {
			n.kind = nodeList
		}
		if err := n.fillJSON(d, depth); err != nil {
			return nil, err
		}
	case string:
		n.kind, n.text = nodeText, x
	case json.Number:
		n.kind, n.text = nodeNumber, x.String()
	case bool:
		n.kind, n.text = nodeBool, fmt.Sprint(x)
	}
	return n, nil
}

func (n *node) fillJSON(d *json.Decoder, depth int) error {
	for d.More() {
		var k key
		if n.kind == nodeMap {
			t, err := d.Token()
			if err != nil {
				return err
			}
			k.name, _ = t.(string)
			k.boole = k.name == "true" || k.name == "false"
		}
		value, err := fromJSON(d, depth+1)
		if err != nil {
			return err
		}
		if n.kind == nodeList {
			n.list = append(n.list, value)
			continue
		}
		k.value = value
		if err := n.add(k); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}
