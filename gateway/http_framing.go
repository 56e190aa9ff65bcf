package gateway

import "bytes"

// ambiguous finds what makes two readers of a request - a proxy in front and
// this server - disagree where it ends, so that the bytes of one could hide
// another (request smuggling): RFC 9112, sections 5.2, 6.1 and 11.2. It names the field
// and says what is wrong; both are empty for a request of one meaning.
//
// fasthttp refuses much of this by itself. It lets Transfer-Encoding win over
// Content-Length and forgets the latter, takes "identity", joins folded lines
// and is content with a bare line feed: hence the look at the raw header.
func ambiguous(raw []byte) (field, detail string) {
	var length, coding bool
	for len(raw) > 0 {
		line := raw
		if i := bytes.IndexByte(raw, '\n'); i >= 0 {
			line, raw = raw[:i], raw[i+1:]
		} else {
			raw = nil
		}
		if len(line) == 0 || line[len(line)-1] != '\r' {
			return "", "every line of a header ends with a carriage return and a line feed"
		}
		if line[0] == ' ' || line[0] == '\t' {
			return "", "a header's value may not go on in another line"
		}
		switch line[0] | 0x20 {
		case 'c':
			length = length || hasName(line, "content-length")
		case 't':
			if !hasName(line, "transfer-encoding") {
				continue
			}
			if coding || !codesChunked(line[len("transfer-encoding"):]) {
				return "Transfer-Encoding", "the only transfer coding is chunked, named once"
			}
			coding = true
		}
	}
	if length && coding {
		return "Transfer-Encoding", "a request has Content-Length or Transfer-Encoding, not both"
	}
	return "", ""
}

// codesChunked reports whether what follows Transfer-Encoding in its line is
// the coding "chunked" and nothing else.
func codesChunked(rest []byte) bool {
	value, ok := bytes.CutPrefix(rest, []byte(":"))
	return ok && bytes.EqualFold(bytes.Trim(value, " \t\r"), []byte("chunked"))
}

// hasName reports whether a header line has the name, which is in lower case.
func hasName(line []byte, name string) bool {
	if len(line) <= len(name) || line[len(name)] != ':' && line[len(name)] != ' ' && line[len(name)] != '\t' {
		return false
	}
	for i := range len(name) {
		if c := line[i]; c != name[i] && !(c >= 'A' && c <= 'Z' && c|0x20 == name[i]) {
			return false
		}
	}
	return true
}
