package program

import (
	"encoding/json"
	"slices"
	"strings"

	"tillgate/protocol"
)

// Diff is what two documents differ in, in the order of the first: for each
// place its path and what stands there before and after, as JSON (nil where
// nothing does). Comments, layout, the order of keys, and whether a document
// is YAML or JSON don't count. Entries of a list that have names are compared
// by them, so that a rule put in above another changes nothing but its own
// entry; where the remaining order differs, the list's own path tells the
// names in both orders, because priority goes by it. The error is a sentence
// for the writer of a document that can't be read.
func Diff(before, after []byte) ([]protocol.Change, error) {
	a, err := parse(before)
	if err != nil {
		return nil, err
	}
	b, err := parse(after)
	if err != nil {
		return nil, err
	}
	var d differ
	d.compare("", a, b)
	return d.changes, nil
}

type differ struct {
	changes []protocol.Change
}

func (d *differ) add(path string, a, b *node) {
	c := protocol.Change{Path: path}
	if !absent(a) {
		c.Before = a.json(nil)
	}
	if !absent(b) {
		c.After = b.json(nil)
	}
	d.changes = append(d.changes, c)
}

// absent reports a node that isn't there, or is an empty key, which says as
// much.
func absent(n *node) bool { return n == nil || n.kind == nodeNull }

func (d *differ) compare(path string, a, b *node) {
	switch {
	case absent(a) && absent(b):
	case absent(a) || absent(b):
		d.add(path, a, b)
	case a.kind == nodeMap && b.kind == nodeMap:
		d.blocks(path, a, b)
	case a.kind == nodeList && b.kind == nodeList:
		d.lists(path, a, b)
	case !same(a, b):
		d.add(path, a, b)
	}
}

func (d *differ) blocks(path string, a, b *node) {
	find := func(n *node, name string) *node { return object{n: n}.get(name) }
	for _, k := range a.keys {
		d.compare(child(path, k.name), k.value, find(b, k.name))
	}
	for _, k := range b.keys {
		if find(a, k.name) == nil {
			d.compare(child(path, k.name), nil, k.value)
		}
	}
}

func (d *differ) lists(path string, a, b *node) {
	was, is := labels(a), labels(b)
	if was != nil && is != nil {
		d.named(path, a, b, was, is)
		return
	}
	if !blocksOnly(a) || !blocksOnly(b) {
		if !same(a, b) {
			d.add(path, a, b)
		}
		return
	}
	at := func(n *node, i int) *node {
		if i < len(n.list) {
			return n.list[i]
		}
		return nil
	}
	for i := range max(len(a.list), len(b.list)) {
		d.compare(item(path, i), at(a, i), at(b, i))
	}
}

// named compares lists whose entries have names.
func (d *differ) named(path string, a, b *node, was, is map[string]int) {
	var before, expected, after []string
	for i := range a.list {
		name := label(a.list[i])
		before = append(before, name)
		var other *node
		if j, stays := is[name]; stays {
			other = b.list[j]
			expected = append(expected, name)
		}
		d.compare(path+"["+name+"]", a.list[i], other)
	}
	for _, e := range b.list {
		name := label(e)
		after = append(after, name)
		if _, there := was[name]; !there {
			d.compare(path+"["+name+"]", nil, e)
			expected = append(expected, name)
		}
	}
	if !slices.Equal(expected, after) {
		d.add(path, names(before), names(after))
	}
}

func names(list []string) *node {
	n := &node{kind: nodeList}
	for _, s := range list {
		n.list = append(n.list, &node{kind: nodeText, text: s})
	}
	return n
}

func blocksOnly(n *node) bool {
	return !slices.ContainsFunc(n.list, func(e *node) bool { return e.kind != nodeMap })
}

// labels are where the entries of a list stand by their names; nil if some
// have no name or share one.
func labels(n *node) map[string]int {
	at := make(map[string]int, len(n.list))
	for i, e := range n.list {
		name := label(e)
		if _, twice := at[name]; twice || name == "" {
			return nil
		}
		at[name] = i
	}
	return at
}

// label is what an entry is called; "" if it has no name.
func label(e *node) string {
	if e.kind != nodeMap {
		return ""
	}
	for _, k := range []string{"name", "code", "serial", "event", "segment"} {
		if v := (object{n: e}).get(k); v != nil {
			return v.text
		}
	}
	return ""
}

// same reports whether two nodes say the same: 10 and 10.0 do, and so do a
// name and a list of that one name.
func same(a, b *node) bool {
	if a.kind == nodeList && len(a.list) == 1 && b.kind != nodeList {
		return same(a.list[0], b)
	}
	if b.kind == nodeList && len(b.list) == 1 && a.kind != nodeList {
		return same(a, b.list[0])
	}
	switch {
	case a.kind == nodeNumber && b.kind == nodeNumber:
		return plain(a.text) == plain(b.text)
	case a.kind == nodeList && b.kind == nodeList:
		return slices.EqualFunc(a.list, b.list, same)
	case a.kind == nodeMap && b.kind == nodeMap:
		var d differ
		d.blocks("", a, b)
		return len(d.changes) == 0
	case a.kind == nodeMap || b.kind == nodeMap || a.kind == nodeList || b.kind == nodeList:
		return false
	}
	return a.text == b.text
}

// plain is a decimal number without needless zeros.
func plain(s string) string {
	if !plainDecimal.MatchString(s) || !strings.Contains(s, ".") {
		return s
	}
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// json appends the node as JSON.
func (n *node) json(dst []byte) []byte {
	switch n.kind {
	case nodeMap:
		dst = append(dst, '{')
		for i := range n.keys {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendQuoted(dst, n.keys[i].name), ':')
			dst = n.keys[i].value.json(dst)
		}
		return append(dst, '}')
	case nodeList:
		dst = append(dst, '[')
		for i, e := range n.list {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = e.json(dst)
		}
		return append(dst, ']')
	case nodeBool:
		return append(dst, strings.ToLower(n.text)...)
	case nodeNumber:
		if json.Valid([]byte(n.text)) {
			return append(dst, n.text...)
		}
	case nodeNull:
		return append(dst, "null"...)
	}
	return appendQuoted(dst, n.text)
}

// appendQuoted appends a text as JSON, < and > as they are: people read it.
func appendQuoted(dst []byte, s string) []byte {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil { // a text is always JSON
		return append(dst, `""`...)
	}
	return append(dst, strings.TrimSuffix(b.String(), "\n")...)
}
