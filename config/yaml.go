package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// readYAML reads a document into v. It walks the document's tree itself, so
// that every complaint has a path and a line, and so that there is one way to
// name a key whether a component knows of documents or not.
func readYAML(doc []byte, v reflect.Value, path string) error {
	file, err := parser.ParseBytes(doc, 0)
	if err != nil {
		return fmt.Errorf("not well-formed YAML: %s", firstLine(err.Error()))
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return nil // an empty document sets nothing
	}
	if len(file.Docs) > 1 {
		return errors.New("one document is wanted, there are several")
	}
	return set(file.Docs[0].Body, v, path)
}

// firstLine leaves out the excerpt of the document that the parser adds: it
// may show a secret.
func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// fault is a complaint about a place in the document.
func fault(at ast.Node, path, format string, args ...any) error {
	message := fmt.Sprintf(format, args...)
	if path != "" {
		message = path + ": " + message
	}
	if t := at.GetToken(); t != nil && t.Position != nil {
		return fmt.Errorf("line %d: %s", t.Position.Line, message)
	}
	return errors.New(message)
}

// set reads a node into a value of any kind. Null keeps what is there.
func set(n ast.Node, v reflect.Value, path string) error {
	switch n.(type) {
	case *ast.NullNode:
		return nil
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
		return fault(n, path, "anchors, aliases and tags are not read here: write the value out")
	}
	switch v.Kind() {
	case reflect.Struct:
		return setStruct(n, v, path)
	case reflect.Slice:
		return setSlice(n, v, path)
	}
	return setLeaf(n, v, path)
}

func setStruct(n ast.Node, v reflect.Value, path string) error {
	m, ok := n.(ast.MapNode)
	if !ok {
		return fault(n, path, "keys with values are wanted")
	}
	var faults []error
	seen := map[string]bool{}
	for pairs := m.MapRange(); pairs.Next(); {
		key := pairs.Key().String()
		below := join(path, key)
		field, ok := fieldOf(v, key, prefixOf(path))
		switch {
		case !ok:
			faults = append(faults, fault(pairs.Key(), below, "is not a key here; there are %s", strings.Join(keysOf(v, prefixOf(path)), ", ")))
		case seen[key]:
			faults = append(faults, fault(pairs.Key(), below, "stands twice"))
		default:
			faults = append(faults, set(pairs.Value(), field, below))
		}
		seen[key] = true
	}
	return errors.Join(faults...)
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func prefixOf(path string) string {
	if path == "" {
		return ""
	}
	return path + "."
}

// fieldOf finds the field of a key, also behind inlined structs.
func fieldOf(v reflect.Value, key, prefix string) (reflect.Value, bool) {
	for i := range v.NumField() {
		name, inline, ok := keyOf(v.Type().Field(i), prefix)
		if !ok {
			continue
		}
		if inline {
			if f, found := fieldOf(v.Field(i), key, prefix); found {
				return f, true
			}
			continue
		}
		if name == key {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

// keysOf lists the keys that a struct takes.
func keysOf(v reflect.Value, prefix string) []string {
	var all []string
	for i := range v.NumField() {
		switch name, inline, ok := keyOf(v.Type().Field(i), prefix); {
		case !ok:
		case inline:
			all = append(all, keysOf(v.Field(i), prefix)...)
		default:
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

func setSlice(n ast.Node, v reflect.Value, path string) error {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		return fault(n, path, "a list is wanted")
	}
	fresh := reflect.MakeSlice(v.Type(), len(list.Values), len(list.Values))
	var faults []error
	for i, one := range list.Values {
		faults = append(faults, set(one, fresh.Index(i), fmt.Sprintf("%s[%d]", path, i)))
	}
	v.Set(fresh)
	return errors.Join(faults...)
}

// setLeaf reads a scalar. A text may be written like a number (a merchant
// called 007), a number must not be written like a text.
func setLeaf(n ast.Node, v reflect.Value, path string) error {
	text, quoted := "", false
	switch n := n.(type) {
	case *ast.StringNode:
		text = n.Value
		quoted = n.Token.Type == token.SingleQuoteType || n.Token.Type == token.DoubleQuoteType
	case *ast.LiteralNode:
		text, quoted = n.Value.Value, true
	case ast.ScalarNode:
		text = n.GetToken().Value
	default:
		return fault(n, path, "one value is wanted")
	}
	if quoted && v.Kind() != reflect.String && v.Type() != durationType {
		return fault(n, path, "a %s is wanted, not a text", kindOf(v.Type()))
	}
	if err := setScalar(v, text); err != nil {
		return fault(n, path, "%s", err)
	}
	return nil
}
