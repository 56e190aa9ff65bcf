// Package export writes what is in the reporting database to files for people
// and their programs: CSV and XLSX, streamed row by row in booking order, with
// sums of money and points as exact decimal numbers in major units.
//
// Memory is bounded however long a file gets: rows are read as they are
// written (a spreadsheet's sheets lie in a temporary file meanwhile). All
// that one call writes comes from one snapshot of the database. See
// docs/reporting.md for the columns.
package export

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// cellKind says how a column is read and written.
type cellKind uint8

const (
	text     cellKind = iota // may begin with anything: escaped against formulas
	moment                   // timestamptz, in UTC
	local                    // timestamptz, in the offset that the till wrote
	amount                   // bigint in hundredths, written as 123.45
	quantity                 // bigint in thousandths, written as 0.345
	number                   // bigint as it is
	truth                    // boolean
)

// column is one column of a sheet. expr is its SQL, the name if empty.
type column struct {
	name string
	kind cellKind
	expr string
	// sum says that the last row has the column's total. Columns of figures
	// are multiplied with the row's sign first: see sheet.sign.
	sum bool
}

// sheet is one file, or one table of a spreadsheet.
type sheet struct {
	name    string
	columns []column
	from    string // FROM … WHERE … ORDER BY …
	// sign is the SQL of 1, -1 or 0: how a row counts in the totals of columns
	// of money, of which an operation tells more than it books. Empty: 1.
	sign string
	// plain are the columns whose total takes no sign: the legs, which are
	// booked as they stand.
	plain map[string]bool
	total bool // a last row with totals
}

func (s *sheet) query() string {
	var b strings.Builder
	b.WriteString("SELECT ")
	for i := range s.columns {
		if c := &s.columns[i]; c.expr == "" {
			b.WriteString(c.name)
		} else {
			fmt.Fprintf(&b, "%s AS %s", c.expr, c.name)
		}
		b.WriteString(", ")
	}
	sign := s.sign
	if sign == "" {
		sign = "1"
	}
	fmt.Fprintf(&b, "(%s)::bigint, %s %s", sign, s.offset(), s.from)
	return b.String()
}

// offset is the SQL of the seconds east of UTC for the columns of kind local.
func (s *sheet) offset() string {
	for i := range s.columns {
		if s.columns[i].kind == local {
			return "at_offset"
		}
	}
	return "0"
}

// writer takes sheets row by row. Cells are text; the column's kind says what
// they mean, and "" is null.
type writer interface {
	begin(s *sheet) error
	row(s *sheet, cells []string) error
	// end is called once, after the last sheet.
	end() error
}

// rowReader reads rows of a sheet without a new allocation for each.
type rowReader struct {
	s       *sheet
	dest    []any
	texts   []*string
	moments []*time.Time
	numbers []*int64
	truths  []*bool
	sign    int64
	offset  int32
	cells   []string
	sums    []int64
	rows    int64
}

func newRowReader(s *sheet) *rowReader {
	n := len(s.columns)
	r := &rowReader{
		s: s, dest: make([]any, n+2), texts: make([]*string, n), moments: make([]*time.Time, n),
		numbers: make([]*int64, n), truths: make([]*bool, n), cells: make([]string, n), sums: make([]int64, n),
	}
	for i := range s.columns {
		switch s.columns[i].kind {
		case text:
			r.dest[i] = &r.texts[i]
		case moment, local:
			r.dest[i] = &r.moments[i]
		case amount, quantity, number:
			r.dest[i] = &r.numbers[i]
		case truth:
			r.dest[i] = &r.truths[i]
		}
	}
	r.dest[n], r.dest[n+1] = &r.sign, &r.offset
	return r
}

// write brings a sheet from the database to w.
func write(ctx context.Context, tx pgx.Tx, s *sheet, w writer, args ...any) error {
	if err := w.begin(s); err != nil {
		return err
	}
	rows, err := tx.Query(ctx, s.query(), args...)
	if err != nil {
		return fmt.Errorf("reading %s: %w", s.name, err)
	}
	defer rows.Close()
	r := newRowReader(s)
	for rows.Next() {
		if err := rows.Scan(r.dest...); err != nil {
			return fmt.Errorf("reading %s: %w", s.name, err)
		}
		if err := w.row(s, r.format()); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("reading %s: %w", s.name, err)
	}
	if s.total {
		return w.row(s, r.totals())
	}
	return nil
}

// format turns the row that was scanned into cells and adds it to the totals.
func (r *rowReader) format() []string {
	r.rows++
	for i := range r.s.columns {
		c := &r.s.columns[i]
		out := ""
		switch c.kind {
		case text:
			if v := r.texts[i]; v != nil {
				out = *v
			}
		case moment:
			if v := r.moments[i]; v != nil {
				out = v.UTC().Format(stamp)
			}
		case local:
			if v := r.moments[i]; v != nil {
				out = v.In(time.FixedZone("", int(r.offset))).Format(stamp)
			}
		case amount, quantity, number:
			if v := r.numbers[i]; v != nil {
				out = figure(c.kind, *v)
				if c.sum {
					r.sums[i] += *v * r.factor(c)
				}
			}
		case truth:
			if v := r.truths[i]; v != nil {
				out = strconv.FormatBool(*v)
			}
		}
		r.cells[i] = out
	}
	return r.cells
}

func (r *rowReader) factor(c *column) int64 {
	if r.s.plain[c.name] {
		return 1
	}
	return r.sign
}

// totals is the last row: the word total, the number of rows, the sums.
func (r *rowReader) totals() []string {
	for i := range r.s.columns {
		c := &r.s.columns[i]
		switch {
		case i == 0:
			r.cells[i] = "total"
		case i == 1:
			r.cells[i] = strconv.FormatInt(r.rows, 10)
		case c.sum:
			r.cells[i] = figure(c.kind, r.sums[i])
		default:
			r.cells[i] = ""
		}
	}
	return r.cells
}

// stamp is RFC 3339 with all that PostgreSQL keeps.
const stamp = "2006-01-02T15:04:05.000000Z07:00"

func figure(kind cellKind, v int64) string {
	switch kind {
	case amount:
		return decimal(v, 2)
	case quantity:
		return decimal(v, 3)
	}
	return strconv.FormatInt(v, 10)
}

// decimal writes v with its last places behind a dot, exactly.
func decimal(v int64, places int) string {
	var b [24]byte
	digits := strconv.AppendUint(b[:0], magnitude(v), 10)
	for len(digits) <= places {
		digits = append(digits[:1], digits...)
		digits[0] = '0'
	}
	at := len(digits) - places
	out := make([]byte, 0, len(digits)+2)
	if v < 0 {
		out = append(out, '-')
	}
	out = append(out, digits[:at]...)
	out = append(out, '.')
	return string(append(out, digits[at:]...))
}

func magnitude(v int64) uint64 {
	if v < 0 {
		return -uint64(v)
	}
	return uint64(v)
}
