package gateway

import (
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"tillgate/protocol"
)

// maxPage is the longest page of a history: what one answer may cost.
const maxPage = 500

// param is one query parameter that a call takes.
type param struct {
	name string
	read func(r *protocol.Request, value string) (complaint string)
}

// queries are the parameters of the calls that take any. All others take
// none, and say so: a misspelt parameter must not be ignored.
var queries = map[protocol.Call][]param{
	protocol.CallOperations: {
		{"cursor", readCursor},
		{"limit", readLimit},
	},
	protocol.CallListProducts:  directoryPage,
	protocol.CallListStores:    directoryPage,
	protocol.CallListCashiers:  directoryPage,
	protocol.CallListTemplates: directoryPage,
	protocol.CallListParked: {
		{"cursor", readCursor},
		{"limit", readLimit},
	},
	protocol.CallGetProgram: {
		{"version", func(r *protocol.Request, v string) string { return readVersion(&r.Version, v) }},
	},
	protocol.CallProgramDiff: {
		{"from", func(r *protocol.Request, v string) string { return readVersion(&r.Version, v) }},
		{"to", func(r *protocol.Request, v string) string { return readVersion(&r.Against, v) }},
	},
	protocol.CallWhatIf: {
		{"from", func(r *protocol.Request, v string) string { return readTime(&r.From, v) }},
		{"to", func(r *protocol.Request, v string) string { return readTime(&r.To, v) }},
	},
	protocol.CallListRuns: {
		{"cursor", readCursor},
		{"limit", readLimit},
	},
	protocol.CallListReminders: {
		{"cursor", readCursor},
		{"limit", readLimit},
	},
	protocol.CallRunMembers: {
		{"format", readFormat},
	},
	protocol.CallDeleteBlock: {
		{"terminal", func(r *protocol.Request, v string) string { r.Terminal = v; return "" }},
		{"cashier", func(r *protocol.Request, v string) string { r.Cashier = v; return "" }},
	},
	protocol.CallReferral: {
		{"cursor", readCursor},
		{"limit", readLimit},
	},
	protocol.CallReport: {
		{"from", func(r *protocol.Request, v string) string { return readTime(&r.From, v) }},
		{"to", func(r *protocol.Request, v string) string { return readTime(&r.To, v) }},
		{"format", readReportFormat},
	},
	protocol.CallExport: {
		{"from", func(r *protocol.Request, v string) string { return readTime(&r.From, v) }},
		{"to", func(r *protocol.Request, v string) string { return readTime(&r.To, v) }},
		{"format", readFormat},
	},
}

// directoryPage names a page of a directory: by the id before it, which may be
// any text.
var directoryPage = []param{{"after", readAfter}, {"limit", readLimit}}

func readAfter(r *protocol.Request, v string) string {
	if v == "" || len(v) > 64 {
		return "is no id: use next of the page before"
	}
	r.Cursor = v
	return ""
}

// readQuery reads the query of a request strictly: known parameters, each
// once. The values are copied into the request.
func readQuery(args *fasthttp.Args, r *protocol.Request) *protocol.Refusal {
	if args.Len() == 0 {
		return nil
	}
	known := queries[r.Call]
	var bad *protocol.Refusal
	seen := 0
	for key, value := range args.All() {
		complaint := "is not a parameter of this call"
		for i, p := range known {
			if string(key) != p.name {
				continue
			}
			if complaint = "stands twice"; seen&(1<<i) == 0 {
				complaint = p.read(r, keep(r, text(value)))
			}
			seen |= 1 << i
		}
		if complaint != "" && bad == nil {
			bad = &protocol.Refusal{Code: protocol.InvalidRequest, Field: shown(key), Detail: complaint}
		}
	}
	return bad
}

// shown is a parameter's name as a problem may repeat it: what a client sends
// is shortened and made printable.
func shown(name []byte) string {
	const longest = 32
	if len(name) > longest {
		name = name[:longest]
	}
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, string(name))
}

func readCursor(r *protocol.Request, v string) string {
	if v == "" || len(v) > 64 || !visible(v) {
		return "is no cursor: use the one of the answer before"
	}
	r.Cursor = v
	return ""
}

func readLimit(r *protocol.Request, v string) string {
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > maxPage {
		return "is a number from 1 to " + strconv.Itoa(maxPage)
	}
	r.Limit = n
	return ""
}

// readVersion reads the number of a published version.
func readVersion(to *uint32, v string) string {
	n, err := strconv.ParseUint(v, 10, 32)
	if err != nil || n == 0 {
		return "is the number of a version, from 1"
	}
	*to = uint32(n)
	return ""
}

// readTime reads an RFC 3339 time. Many clients forget that '+' in a query
// means a space: no RFC 3339 time has one at the offset's place, so both are
// understood.
func readTime(t *protocol.Time, v string) string {
	parsed, ok := protocol.ParseTime(strings.Replace(v, " ", "+", 1))
	if !ok {
		return "must be an RFC 3339 time with offset, like 2026-11-01T00:00:00+05:00"
	}
	*t = parsed
	return ""
}

func readFormat(r *protocol.Request, v string) string {
	if v != "csv" && v != "xlsx" {
		return "is csv or xlsx"
	}
	r.Format = v
	return ""
}

func readReportFormat(r *protocol.Request, v string) string {
	if v == "json" {
		r.Format = v
		return ""
	}
	if readFormat(r, v) != "" {
		return "is json, csv or xlsx"
	}
	return ""
}

func visible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
