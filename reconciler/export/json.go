package export

import (
	"bufio"
	"encoding/json"
	"io"
	"strings"
)

// jsonWriter writes a sheet as one JSON object: its name and its rows, sums of
// money and points as integers in minor units, as everywhere in the JSON of the
// API. Totals are left out: they are for people.
type jsonWriter struct {
	b    *bufio.Writer
	rows int
	line []byte
}

func newJSON(w io.Writer) *jsonWriter { return &jsonWriter{b: bufio.NewWriterSize(w, 64<<10)} }

func (j *jsonWriter) begin(s *sheet) error {
	_, err := j.b.WriteString(`{"report":` + quoted(s.name) + `,"rows":[`)
	return err
}

func (j *jsonWriter) row(s *sheet, cells []string) error {
	j.line = j.line[:0]
	if j.rows++; j.rows > 1 {
		j.line = append(j.line, ',')
	}
	for i, v := range cells {
		c := &s.columns[i]
		before := byte(',')
		if i == 0 {
			before = '{'
		}
		j.line = append(append(append(j.line, before), quoted(c.name)...), ':')
		switch c.kind {
		case amount:
			v = minor(v)
		case number, truth:
			v = orNull(v)
		default:
			v = quoted(v)
		}
		j.line = append(j.line, v...)
	}
	_, err := j.b.Write(append(j.line, '}'))
	return err
}

func (j *jsonWriter) end() error {
	if _, err := j.b.WriteString("]}\n"); err != nil {
		return err
	}
	return j.b.Flush()
}

func quoted(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		return `""` // a string always has a form
	}
	return string(text)
}

// minor is a decimal number in major units as an integer in minor ones; null
// if there is none.
func minor(v string) string {
	if v == "" {
		return "null"
	}
	digits := strings.Replace(v, ".", "", 1)
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	if digits = strings.TrimLeft(digits, "0"); digits == "" {
		return "0"
	}
	return sign + digits
}

func orNull(v string) string {
	if v == "" {
		return "null"
	}
	return v
}
