package protocol

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"
)

// Bounds of the JSON scanner. A body that breaks one is refused before
// anything of it is kept, so that no sender chooses how much memory or time a
// request costs.
const (
	// MaxBody is the largest body in bytes: 500 lines of about 500 bytes.
	MaxBody = 256 << 10
	// MaxDepth is how deep objects and arrays may nest. No shape of ours needs
	// more than five; the rest leaves room for shapes to come.
	MaxDepth = 16
	// MaxText is the longest text in bytes, whatever the field: the widest
	// field bound (a reason, an e-mail) with room for a helpful refusal.
	MaxText = 1024
	// maxFieldName bounds what of an unknown field's name is repeated in the
	// refusal, so that an answer can't be made to carry the sender's megabyte.
	maxFieldName = 64
)

// Refusal says why a body was refused. Field is the path of the field
// (`basket.lines[3].colour`), empty where the body as a whole is meant. It
// never repeats a value, which may be personal data.
type Refusal struct {
	Code   Code
	Field  string
	Detail string
}

// Error makes a Refusal usable where a Go error is wanted (command line,
// load generator).
func (r *Refusal) Error() string {
	if r.Field == "" {
		return r.Code.String() + ": " + r.Detail
	}
	return r.Code.String() + ": " + r.Field + ": " + r.Detail
}

// scanner reads one JSON document (RFC 8259) into typed values: the caller
// says what it expects, and anything else is refused. It exists because no
// library gives all of: unknown fields named by their path, duplicate keys
// refused, integers that never pass through a float, and no allocation.
//
// Invariants: the scanner owns buf and unescapes texts in place (an escape is
// never shorter than what it stands for), so the strings it returns point
// into buf. After the first refusal every method returns a zero value and
// every loop ends, so callers check bad once, at the end.
type scanner struct {
	buf   []byte
	pos   int
	depth int
	path  [MaxDepth]step
	bad   *Refusal
}

// step is one element of the path to the value being read: a field's name, or
// an index in an array.
type step struct {
	name  string
	index int
	array bool
}

// object is the state of one object being read: which of its known fields may
// stand here and which have been seen.
type object struct {
	names   []string
	allowed uint32
	seen    uint32
	guess   int
	begun   bool
}

// array is the state of one array being read.
type array struct {
	count, max int
	begun      bool
}

// refuse records the first complaint, about the value at the current path.
func (s *scanner) refuse(code Code, detail string) {
	if s.bad == nil {
		s.bad = &Refusal{Code: code, Field: s.where(), Detail: detail}
	}
}

// malformed is a complaint about the JSON itself, with its position.
func (s *scanner) malformed(detail string) {
	s.refuse(InvalidRequest, detail+" at byte "+strconv.Itoa(s.pos+1))
}

// where renders the current path.
func (s *scanner) where() string {
	var b strings.Builder
	for _, st := range s.path[:s.depth] {
		switch {
		case st.array:
			b.WriteByte('[')
			b.WriteString(strconv.Itoa(st.index))
			b.WriteByte(']')
		case st.name != "":
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(st.name)
		}
	}
	return b.String()
}

// peek skips white space and returns the next byte, zero at the end.
func (s *scanner) peek() byte {
	for s.pos < len(s.buf) {
		switch c := s.buf[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// enter goes one level deeper if open is next.
func (s *scanner) enter(open byte, what string) bool {
	if s.bad != nil {
		return false
	}
	if s.peek() != open {
		s.mismatch(what)
		return false
	}
	if s.depth == MaxDepth {
		s.malformed("more than 16 levels of nesting")
		return false
	}
	s.pos++
	s.path[s.depth] = step{}
	s.depth++
	return true
}

// mismatch refuses a value of the wrong kind, or the absence of any.
func (s *scanner) mismatch(want string) {
	switch c := s.peek(); {
	case s.pos >= len(s.buf):
		s.malformed("the body ends too early")
	case c == 'n':
		s.refuse(InvalidRequest, "null is no value here: leave the field out, or give "+want)
	case c == '"' || c == '{' || c == '[' || c == '-' || c == 't' || c == 'f' || digit(c):
		s.refuse(InvalidRequest, "must be "+want)
	default:
		s.malformed("this is not JSON")
	}
}

// object enters an object whose fields are names; allowed is the set of those
// (bit i for names[i]) that may stand here.
func (s *scanner) object(names []string, allowed uint32) object {
	s.enter('{', "an object")
	return object{names: names, allowed: allowed}
}

// all is the set of every field of an object.
const all = math.MaxUint32

// separator moves to the next member of an object or array. It reports false
// at the closing byte and on a refusal.
func (s *scanner) separator(begun *bool, closing byte) bool {
	if s.bad != nil {
		return false
	}
	c := s.peek()
	if c == closing {
		s.pos++
		s.depth--
		return false
	}
	if *begun {
		if c != ',' {
			s.expected(closing)
			return false
		}
		s.pos++
	}
	*begun = true
	return true
}

func (s *scanner) expected(closing byte) {
	if s.pos >= len(s.buf) {
		s.malformed("the body ends too early")
		return
	}
	s.malformed("a comma or " + string(rune(closing)) + " is missing")
}

// key reads a field's name and its colon, and puts it on the path.
func (s *scanner) key() (string, bool) {
	s.path[s.depth-1].name = ""
	if s.peek() != '"' {
		s.malformed("a field's name is missing")
		return "", false
	}
	name := s.text()
	if s.bad != nil {
		return "", false
	}
	if len(name) > maxFieldName {
		s.refuse(InvalidRequest, "a field's name is longer than 64 bytes")
		return "", false
	}
	s.path[s.depth-1].name = name
	return name, s.colon()
}

func (s *scanner) colon() bool {
	if s.peek() != ':' {
		s.malformed("a colon is missing")
		return false
	}
	s.pos++
	return true
}

// foreseen takes the next field's name without scanning it if it is the one
// that a sender who keeps our order writes next. None of our names has an
// escape, so equal bytes are the name. It returns -1 if something else stands
// there.
func (s *scanner) foreseen(o *object) int {
	if o.guess >= len(o.names) || s.peek() != '"' {
		return -1
	}
	name := o.names[o.guess]
	end := s.pos + 1 + len(name)
	if end >= len(s.buf) || s.buf[end] != '"' || string(s.buf[s.pos+1:end]) != name {
		return -1
	}
	s.path[s.depth-1].name = name
	s.pos = end + 1
	if !s.colon() {
		return -1
	}
	return o.guess
}

// field moves to the next field of o and returns its index in o.names, or -1
// at the object's end and on a refusal.
func (s *scanner) field(o *object) int {
	if !s.separator(&o.begun, '}') {
		return -1
	}
	i := s.foreseen(o)
	if i < 0 {
		name, ok := s.key()
		if !ok {
			return -1
		}
		i = slices.Index(o.names, name)
	}
	switch {
	case i < 0 || o.allowed&(1<<i) == 0:
		s.unknown(o)
		return -1
	case o.seen&(1<<i) != 0:
		s.refuse(InvalidRequest, "the field stands twice")
		return -1
	}
	o.seen |= 1 << i
	o.guess = i + 1
	return i
}

// unknown refuses a field and says which there are.
func (s *scanner) unknown(o *object) {
	var known []string
	for i, n := range o.names {
		if o.allowed&(1<<i) != 0 {
			known = append(known, n)
		}
	}
	s.refuse(InvalidRequest, "there is no such field here; known are "+strings.Join(known, ", "))
}

// freeField moves to the next field of an object whose names are the
// sender's. It does not refuse duplicates: the caller keeps the names.
func (s *scanner) freeField(o *object) (string, bool) {
	if !s.separator(&o.begun, '}') {
		return "", false
	}
	return s.key()
}

// require refuses the object just read unless every field of the set was
// there.
func (s *scanner) require(o *object, set uint32) {
	missing := set &^ o.seen
	if s.bad != nil || missing == 0 {
		return
	}
	for i, n := range o.names {
		if missing&(1<<i) != 0 {
			s.refuseField(n, InvalidRequest, "the field is missing")
			return
		}
	}
}

// refuseField refuses a field of the object that has just been left.
func (s *scanner) refuseField(name string, code Code, detail string) {
	if s.bad != nil {
		return
	}
	at := s.where()
	if at != "" && name != "" {
		at += "."
	}
	s.bad = &Refusal{Code: code, Field: at + name, Detail: detail}
}

// array enters an array of at most limit elements.
func (s *scanner) array(limit int) array {
	if s.enter('[', "a list") {
		s.path[s.depth-1] = step{array: true, index: -1}
	}
	return array{max: limit}
}

// element moves to the next element of a; false at its end and on a refusal.
func (s *scanner) element(a *array) bool {
	if !s.separator(&a.begun, ']') {
		return false
	}
	if a.count == a.max {
		s.depth-- // the complaint is about the list, not its last element
		s.refuse(InvalidRequest, "the list has more than "+strconv.Itoa(a.max)+" entries")
		return false
	}
	s.path[s.depth-1].index = a.count
	a.count++
	return true
}

// end refuses whatever follows the document.
func (s *scanner) end() {
	if s.bad != nil {
		return
	}
	s.peek()
	if s.pos < len(s.buf) {
		s.malformed("there is something after the end of the document")
	}
}

// boolean reads true or false.
func (s *scanner) boolean() bool {
	if s.bad != nil {
		return false
	}
	s.peek()
	switch {
	case s.word("true"):
		return true
	case s.word("false"):
		return false
	}
	s.mismatch("true or false")
	return false
}

// null reports whether null is next and takes it.
func (s *scanner) null() bool {
	if s.bad != nil {
		return false
	}
	s.peek()
	return s.word("null")
}

func (s *scanner) word(w string) bool {
	if len(s.buf)-s.pos < len(w) || string(s.buf[s.pos:s.pos+len(w)]) != w {
		return false
	}
	s.pos += len(w)
	return true
}

// integer reads a whole number that fits int64: no fraction and no exponent,
// because money and points are counted in minor units and never pass through
// a float.
func (s *scanner) integer() int64 {
	if s.bad != nil {
		return 0
	}
	c := s.peek()
	negative := c == '-'
	if !negative && !digit(c) {
		s.mismatch("a whole number")
		return 0
	}
	i := s.pos
	if negative {
		i++
	}
	first := i
	var n uint64
	for i < len(s.buf) && digit(s.buf[i]) {
		d := uint64(s.buf[i] - '0')
		if n > (math.MaxInt64-d)/10 {
			// The one number that only a negative sign saves, -2⁶³, is no
			// amount of ours either.
			s.refuse(InvalidRequest, "the number does not fit 64 bits")
			return 0
		}
		n = n*10 + d
		i++
	}
	switch {
	case i == first || (s.buf[first] == '0' && i-first > 1):
		s.malformed("this is not a number")
		return 0
	case i < len(s.buf) && (s.buf[i] == '.' || s.buf[i] == 'e' || s.buf[i] == 'E'):
		s.refuse(InvalidRequest, "must be a whole number, without fraction or exponent (amounts are in minor units)")
		return 0
	}
	s.pos = i
	if negative {
		return -int64(n)
	}
	return int64(n)
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// text reads a string. The result points into the scanner's buffer. It is
// valid UTF-8 of at most MaxText bytes without control characters.
func (s *scanner) text() string {
	if s.bad != nil {
		return ""
	}
	if s.peek() != '"' {
		s.mismatch("a text")
		return ""
	}
	start := s.pos + 1
	end, high := start, byte(0)
	for end < len(s.buf) {
		c := s.buf[end]
		if c == '"' {
			s.pos = end + 1
			return s.finish(start, end, high >= utf8.RuneSelf)
		}
		if c == '\\' {
			return s.escaped(start, end)
		}
		if c < ' ' || c == 0x7f {
			s.refuse(InvalidRequest, "control characters are refused in texts")
			return ""
		}
		high |= c
		end++
	}
	s.pos = end
	s.malformed("the body ends within a text")
	return ""
}

// finish checks buf[start:end], the bytes of a text, and returns them.
func (s *scanner) finish(start, end int, check bool) string {
	if end-start > MaxText {
		s.refuse(InvalidRequest, "the text is longer than 1024 bytes")
		return ""
	}
	if start == end {
		return ""
	}
	t := unsafe.String(&s.buf[start], end-start)
	if check && !utf8.ValidString(t) {
		s.refuse(InvalidRequest, "the text is not valid UTF-8")
		return ""
	}
	return t
}
