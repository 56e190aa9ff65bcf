package iso8583

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const page = "../../docs/iso8583.md"

// TestPageMatchesTheCode: the tables and examples of docs/iso8583.md are made
// from the code, between markers; -update writes them.
func TestPageMatchesTheCode(t *testing.T) {
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	got := string(text)
	for name, content := range map[string]string{
		"fields": fieldsTable(), "reasons": reasonsTable(), "stricter": stricterTable(),
		"request": goldenExample(t, "0100_authorize.txt"), "answer": goldenExample(t, "0110_answer.txt"),
	} {
		got = between(t, got, name, content)
	}
	if *update {
		require.NoError(t, os.WriteFile(page, []byte(got), 0o644))
		return
	}
	require.True(t, string(text) == got, "docs/iso8583.md is behind the code: run go test ./protocol/iso8583 -update")
}

// between puts content between the page's markers of that name.
func between(t *testing.T, text, name, content string) string {
	open, end := "<!-- generated: "+name+" -->\n", "<!-- end: "+name+" -->"
	i, j := strings.Index(text, open), strings.Index(text, end)
	require.Positive(t, i, open)
	require.Greater(t, j, i, end)
	return text[:i+len(open)] + content + text[j:]
}

func fieldsTable() string {
	var out strings.Builder
	out.WriteString("| DE | name | format | notes |\n|---|---|---|---|\n")
	for _, f := range table {
		format := fmt.Sprintf("%s %d", f.Kind, f.Length)
		if f.Kind == SignedNo {
			format = fmt.Sprintf("x+n %d", f.Length-1)
		}
		if f.Form != Fixed {
			format = fmt.Sprintf("%s..%d %sVAR", f.Kind, f.Length, strings.Repeat("L", int(f.Form)))
		}
		var notes []string
		if f.Long > 0 {
			notes = append(notes, fmt.Sprintf("%s..%d LLLLVAR in a long-basket profile", f.Kind, f.Long))
		}
		if f.Secret {
			notes = append(notes, "masked in dumps")
		}
		if f.Unused {
			notes = append(notes, "accepted, not used")
		}
		fmt.Fprintf(&out, "| %d | %s | %s | %s |\n", f.Number, f.Name, format, strings.Join(notes, "; "))
	}
	return out.String()
}

func reasonsTable() string {
	var out strings.Builder
	out.WriteString("| refused because | DE44 | after the answer |\n|---|---|---|\n")
	for why := FrameTooLong; why < reasonCount; why++ {
		field, after := "the field", "the connection stays"
		switch why {
		case FrameTooLong:
			continue // the Reader ends the connection before
		case BadMTI, NotARequest:
			field = "0"
		case BadBitmap:
			field = "1"
		case Chained:
			field = "65"
		case Trailing:
			field = "the last field"
		case NotSupported:
			field = "0, 3 or 70"
		case TooMany:
			field = "62"
		}
		if (Fault{Reason: why}).Unreadable() {
			after = "it ends"
		}
		fmt.Fprintf(&out, "| %s | %s | %s |\n", why, field, after)
	}
	return out.String()
}

func stricterTable() string {
	var out strings.Builder
	out.WriteString("| we refuse | moov-io/iso8583 |\n|---|---|\n")
	for why := FrameTooLong; why < reasonCount; why++ {
		if theirs, ok := stricter[why]; ok {
			fmt.Fprintf(&out, "| %s | %s |\n", why, theirs)
		}
	}
	return out.String()
}

func goldenExample(t *testing.T, name string) string {
	text, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return "```\n" + string(text) + "```\n"
}
