package export

import (
	"archive/zip"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/xuri/excelize/v2"
)

// maxSheetRows is what a worksheet holds (Excel's limit); a longer table goes
// on in the next one.
const maxSheetRows = 1_048_576

// xlsxWriter writes sheets into one workbook.
//
// excelize puts the archive together in memory before it lets it go; given a
// zip writer of ours it streams the sheets, which lie in temporary files from
// 16 MiB on.
type xlsxWriter struct {
	f      *excelize.File
	w      io.Writer
	stream *excelize.StreamWriter
	styles [3]int
	names  int // worksheets so far
	line   int
	part   int
	limit  int // rows of a worksheet
	values []any
}

func newXLSX(w io.Writer) (*xlsxWriter, error) {
	x := &xlsxWriter{f: excelize.NewFile(), w: w, limit: maxSheetRows}
	for i, format := range []string{"0", "0.00", "0.000"} {
		var err error
		if x.styles[i], err = x.f.NewStyle(&excelize.Style{CustomNumFmt: &format}); err != nil {
			return nil, err
		}
	}
	return x, nil
}

// close removes the temporary files.
func (x *xlsxWriter) close() error { return x.f.Close() }

func (x *xlsxWriter) begin(s *sheet) error {
	x.part = 0
	return x.worksheet(s)
}

// worksheet ends the open worksheet and opens the next one with a heading.
func (x *xlsxWriter) worksheet(s *sheet) error {
	if x.stream != nil {
		if err := x.stream.Flush(); err != nil {
			return err
		}
	}
	x.part++
	name := s.name
	if x.part > 1 {
		name = fmt.Sprintf("%s %d", s.name, x.part)
	}
	if err := x.name(name); err != nil {
		return err
	}
	var err error
	if x.stream, err = x.f.NewStreamWriter(name); err != nil {
		return err
	}
	x.line = 0
	x.values = x.values[:0]
	for i := range s.columns {
		x.values = append(x.values, s.columns[i].name)
	}
	return x.set()
}

// name makes a worksheet; the workbook comes with one.
func (x *xlsxWriter) name(name string) error {
	x.names++
	if x.names == 1 {
		return x.f.SetSheetName("Sheet1", name)
	}
	_, err := x.f.NewSheet(name)
	return err
}

func (x *xlsxWriter) set() error {
	x.line++
	return x.stream.SetRow("A"+strconv.Itoa(x.line), x.values)
}

func (x *xlsxWriter) row(s *sheet, cells []string) error {
	if x.line == x.limit {
		if err := x.worksheet(s); err != nil {
			return err
		}
	}
	x.values = x.values[:0]
	for i, v := range cells {
		x.values = append(x.values, x.value(s.columns[i].kind, v))
	}
	return x.set()
}

// value is a cell as a spreadsheet knows it. Text stays text, whatever it
// begins with.
func (x *xlsxWriter) value(kind cellKind, v string) any {
	switch {
	case v == "":
		return nil
	case kind == truth:
		return v == "true"
	case kind == amount:
		return excelize.Cell{StyleID: x.styles[1], Value: spreadsheetNumber(v)}
	case kind == quantity:
		return excelize.Cell{StyleID: x.styles[2], Value: spreadsheetNumber(v)}
	case kind == number:
		return excelize.Cell{StyleID: x.styles[0], Value: spreadsheetNumber(v)}
	}
	return v
}

// spreadsheetNumber is a decimal as a worksheet's own number, which is a
// double (ECMA-376 knows no other). Up to fifteen digits it is exact to the
// last one; beyond, the cell is text rather than wrong.
func spreadsheetNumber(v string) any {
	if len(v) > 16 { // fifteen digits and the dot
		return v
	}
	f, err := strconv.ParseFloat(v, 64)
	if err != nil || math.IsInf(f, 0) {
		return v
	}
	return f
}

func (x *xlsxWriter) end() error {
	if err := x.stream.Flush(); err != nil {
		return err
	}
	x.f.SetZipWriter(func(io.Writer) excelize.ZipWriter { return zip.NewWriter(x.w) })
	_, err := x.f.WriteTo(io.Discard)
	return err
}
