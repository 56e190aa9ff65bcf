package program

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"tillgate/protocol"
)

// maxProblems bounds the list that a hopeless document gets.
const maxProblems = 50

// maxName bounds names that people give, in characters; they stand on slips
// and in every answer.
const maxName = 64

// reader collects the problems of a document. Reading goes on after one, so
// that its writer sees all of them at once.
type reader struct {
	problems []protocol.Problem
}

func (r *reader) fail(path, format string, args ...any) {
	if len(r.problems) < maxProblems {
		r.problems = append(r.problems, protocol.Problem{Path: path, Message: fmt.Sprintf(format, args...)})
	}
}

// object is a block of keys at a path.
type object struct {
	r    *reader
	path string
	n    *node
}

func child(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func item(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// object takes a node as a block of the given keys; others are refused.
func (r *reader) object(path string, n *node, known ...string) (object, bool) {
	if n == nil || n.kind != nodeMap {
		kind := nodeNull
		if n != nil {
			kind = n.kind
		}
		r.fail(path, "a block of keys is expected here (%s), and this is %s", strings.Join(known, ", "), kindNames[kind])
		return object{}, false
	}
	o := object{r, path, n}
	for i := range n.keys {
		o.checkKey(&n.keys[i], known)
	}
	return o, true
}

func (o object) checkKey(k *key, known []string) {
	for _, name := range known {
		if name == k.name {
			return
		}
	}
	at := child(o.path, k.name)
	switch near := nearest(k.name, known); {
	case k.boole || isBool11(k.name):
		o.r.fail(at, "a YAML 1.1 tool reads on, off, yes, no, y and n as true and false, and seems to have written this key; quote the key it was, or write the document with a YAML 1.2 tool")
	case near != "":
		o.r.fail(at, "unknown key; did you mean `%s`?", near)
	default:
		o.r.fail(at, "unknown key; known here are %s", strings.Join(known, ", "))
	}
}

func isBool11(s string) bool {
	switch strings.ToLower(s) {
	case "true", "false":
		return true
	}
	return false
}

// nearest is the known name that a slip of the finger may have meant.
func nearest(name string, known []string) string {
	best, at := "", 3
	for _, k := range known {
		if d := distance(name, k); d < at && d < len(k) {
			best, at = k, d
		}
	}
	return best
}

// distance is the number of single-letter edits between two short names.
func distance(a, b string) int {
	if len(a) > maxName || len(b) > maxName {
		return maxName
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}

func (o object) at(name string) string { return child(o.path, name) }

// get is the value of a key; nil if it is absent.
func (o object) get(name string) *node {
	if o.n == nil {
		return nil
	}
	for i := range o.n.keys {
		if o.n.keys[i].name == name {
			return o.n.keys[i].value
		}
	}
	return nil
}

func (o object) has(name string) bool { return o.get(name) != nil }

// one is the only one of some keys that is there; "" after a complaint.
func (o object) one(names ...string) string {
	found := ""
	for _, n := range names {
		if !o.has(n) {
			continue
		}
		if found != "" {
			o.r.fail(o.path, "`%s` and `%s` exclude each other; keep one", found, n)
			return ""
		}
		found = n
	}
	if found == "" {
		o.r.fail(o.path, "one of these is missing: %s", strings.Join(names, ", "))
	}
	return found
}

// text is the value of a key as text.
func (o object) text(name string) string {
	n := o.get(name)
	if n == nil {
		return ""
	}
	s, _ := o.r.name(o.at(name), n)
	return s
}

var plainWhole = regexp.MustCompile(`^(0|[1-9][0-9]*)$`)

// name takes a node as a name: text, or a whole number that every tool reads
// alike.
func (r *reader) name(path string, n *node) (string, bool) {
	switch {
	case n.kind == nodeText && n.text != "" && utf8.RuneCountInString(n.text) <= maxName && !strings.ContainsFunc(n.text, isControl):
		return n.text, true
	case n.kind == nodeText:
		r.fail(path, "a name has 1 to %d characters and no line breaks", maxName)
	case n.kind == nodeNumber && plainWhole.MatchString(n.text):
		return n.text, true
	case n.kind == nodeNumber:
		r.fail(path, "tools read the number %s in different ways; quote it", n.text)
	case n.kind == nodeBool:
		r.fail(path, "a name is expected, and this is %s; a YAML 1.1 tool writes that for on, off, yes, no, y and n: quote the word", n.text)
	default:
		r.fail(path, "a name is expected, and this is %s", kindNames[n.kind])
	}
	return "", false
}

func isControl(c rune) bool { return c < ' ' || c == 0x7f }

// choice is the place of a key's word among the allowed ones; 0 if absent.
func (o object) choice(name string, words ...string) int {
	n := o.get(name)
	if n == nil {
		return 0
	}
	for i, w := range words {
		if n.kind == nodeText && n.text == w {
			return i
		}
	}
	o.r.fail(o.at(name), "choose one of: %s", strings.Join(words, ", "))
	return 0
}

// flag is a key's true or false.
func (o object) flag(name string) bool {
	n := o.get(name)
	if n == nil {
		return false
	}
	if n.kind != nodeBool {
		o.r.fail(o.at(name), "write true or false")
		return false
	}
	return strings.EqualFold(n.text, "true")
}

// list is the items of a key's list.
func (o object) list(name string) []*node {
	n := o.get(name)
	if n == nil {
		return nil
	}
	if n.kind != nodeList {
		o.r.fail(o.at(name), "a list is expected, and this is %s; write [ … ], or one `- ` per item", kindNames[n.kind])
		return nil
	}
	return n.list
}

// names is a key's list of names, at least one; a single name will do.
func (o object) names(name string) set {
	n := o.get(name)
	if n == nil {
		return set{}
	}
	if n.kind == nodeText || n.kind == nodeNumber {
		n = &node{kind: nodeList, list: []*node{n}}
	}
	if n.kind != nodeList || len(n.list) == 0 {
		o.r.fail(o.at(name), "a list of names is expected; an empty one could never match, so leave the key out instead")
		return set{}
	}
	var list []string
	for i, it := range n.list {
		if s, ok := o.r.name(item(o.at(name), i), it); ok {
			list = append(list, s)
		}
	}
	return newSet(list)
}

// decimal is a key's number with a fixed number of digits after the point,
// scaled to a whole one, within [low, high] (scaled too).
func (o object) decimal(name string, digits int, low, high int64) (int64, bool) {
	n := o.get(name)
	if n == nil {
		return 0, false
	}
	path := o.at(name)
	v, err := scaled(n, digits)
	if err != "" {
		o.r.fail(path, "%s", err)
		return 0, false
	}
	if v < low || v > high {
		o.r.fail(path, "%s is out of range: write %s to %s", n.text, unscaled(low, digits), unscaled(high, digits))
		return 0, false
	}
	return v, true
}

var plainDecimal = regexp.MustCompile(`^(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?$`)

// scaled reads a plain decimal number exactly.
func scaled(n *node, digits int) (int64, string) {
	m := plainDecimal.FindStringSubmatch(n.text)
	if n.kind != nodeNumber && n.kind != nodeText || m == nil {
		return 0, "write a plain decimal number, as 10 or 99.90"
	}
	fraction := strings.TrimRight(m[3], "0")
	if len(fraction) > digits {
		return 0, fmt.Sprintf("%s has too many digits after the point; %d are counted", n.text, digits)
	}
	v, err := strconv.ParseInt(m[2]+fraction+strings.Repeat("0", digits-len(fraction)), 10, 64)
	if err != nil {
		return 0, n.text + " is out of range"
	}
	if m[1] != "" {
		v = -v
	}
	return v, ""
}

// unscaled writes a scaled number as people do.
func unscaled(v int64, digits int) string {
	unit := int64(math.Pow10(digits))
	s := strconv.FormatInt(v/unit, 10)
	if rest := v % unit; rest != 0 {
		s += "." + strings.TrimRight(fmt.Sprintf("%0*d", digits, rest), "0")
	}
	return s
}

// Bounds of amounts in a document: what a receipt can reach, and a million
// points for a rule.
const (
	maxPoints = 100_000_000
	maxCount  = 1000
)

func (o object) money(name string, low int64) (int64, bool) {
	return o.decimal(name, 2, low, MaxAmount)
}

// percent is a rate in parts of rateUnit: percent with four digits after the
// point, 0 to 100.
func (o object) percent(name string) uint64 {
	v, _ := o.decimal(name, 4, 0, rateUnit)
	return uint64(v)
}

func (o object) count(name string, low int64) int64 {
	v, _ := o.decimal(name, 0, low, maxCount)
	return v
}

var termForm = regexp.MustCompile(`^([0-9]{1,9})(s|mo|m|h|d|y)$`)

// Bounds of terms, in days: the longest life of a lot, and the longest window,
// for accounts keep their sums per day for 400 days.
const (
	maxLife   = 36_525
	maxWindow = 400
)

// term is a key's term, at most maxDays long. only are the units that make
// sense there.
func (o object) term(name string, maxDays int64, only ...Unit) Term {
	n := o.get(name)
	if n == nil {
		return Term{}
	}
	path := o.at(name)
	m := termForm.FindStringSubmatch(n.text)
	if n.kind != nodeText || m == nil {
		o.r.fail(path, "write a term as 30s, 15m, 24h, 14d, 3mo or 1y")
		return Term{}
	}
	v, _ := strconv.Atoi(m[1])
	t := Term{N: int32(v)}
	for i, u := range unitNames {
		if u == m[2] {
			t.Unit = Unit(i)
		}
	}
	if len(only) > 0 && !unitIn(t.Unit, only) {
		o.r.fail(path, "%s doesn't work here; write the term in %s", n.text, unitList(only))
		return Term{}
	}
	if t.longest() > maxDays*daySeconds {
		o.r.fail(path, "%s is out of range: at most %dd", n.text, maxDays)
		return Term{}
	}
	return t
}

// longest is how long the term may be, in seconds: months count 31 days.
func (t Term) longest() int64 {
	length := [...]int64{1, 60, 3600, daySeconds, 31 * daySeconds, 366 * daySeconds}
	return int64(t.N) * length[t.Unit]
}

func unitIn(u Unit, list []Unit) bool {
	for _, o := range list {
		if o == u {
			return true
		}
	}
	return false
}

func unitList(list []Unit) string {
	var s []string
	for _, u := range list {
		s = append(s, unitNames[u])
	}
	return strings.Join(s, ", ")
}
