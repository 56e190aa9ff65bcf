package export

import (
	"bufio"
	"encoding/csv"
	"io"
)

// csvWriter writes a sheet as CSV (RFC 4180, UTF-8): a heading, then rows.
type csvWriter struct {
	w *csv.Writer
	b *bufio.Writer
	r []string
}

func newCSV(w io.Writer) *csvWriter {
	b := bufio.NewWriterSize(w, 64<<10)
	return &csvWriter{w: csv.NewWriter(b), b: b}
}

func (c *csvWriter) begin(s *sheet) error {
	c.r = c.r[:0]
	for i := range s.columns {
		c.r = append(c.r, s.columns[i].name)
	}
	return c.w.Write(c.r)
}

func (c *csvWriter) row(s *sheet, cells []string) error {
	c.r = c.r[:0]
	for i, v := range cells {
		if s.columns[i].kind == text {
			v = harmless(v)
		}
		c.r = append(c.r, v)
	}
	return c.w.Write(c.r)
}

func (c *csvWriter) end() error {
	c.w.Flush()
	if err := c.w.Error(); err != nil {
		return err
	}
	return c.b.Flush()
}

// harmless keeps a spreadsheet from taking text for a formula (CSV injection,
// as OWASP describes it): a receipt number or a name comes from outside, and
// what begins with one of these would be computed when the file is opened. An
// apostrophe in front makes it text again.
func harmless(s string) string {
	if s == "" {
		return s
	}
	switch s[0] {
	case '=', '+', '-', '@', '\t', '\r', '\n':
		return "'" + s
	}
	return s
}
