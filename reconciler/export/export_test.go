package export

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"tillgate/protocol"
)

// TestEveryReportIsMade: what callers are told of, and nothing else.
func TestEveryReportIsMade(t *testing.T) {
	var made []string
	for _, r := range reports {
		made = append(made, r.sheet.name)
	}
	require.Equal(t, protocol.Reports, made)
}

func TestDecimal(t *testing.T) {
	for _, c := range []struct {
		v      int64
		places int
		want   string
	}{
		{0, 2, "0.00"}, {1, 2, "0.01"}, {-1, 2, "-0.01"}, {99, 2, "0.99"}, {100, 2, "1.00"}, {-12345, 2, "-123.45"}, {345, 3, "0.345"}, {1000, 3, "1.000"},
		{math.MaxInt64, 2, "92233720368547758.07"}, {math.MinInt64, 2, "-92233720368547758.08"},
	} {
		require.Equal(t, c.want, decimal(c.v, c.places))
	}
}

func TestMinorUnits(t *testing.T) {
	for _, v := range []int64{0, 1, -1, 5, 99, 100, -100, 12345, 1<<63 - 1, -1 << 63} {
		require.Equal(t, strconv.FormatInt(v, 10), minor(decimal(v, 2)))
	}
	require.Equal(t, "null", minor(""))
}

// TestJSONIsWhole: text of any kind stays text, no row leaves the list empty.
func TestJSONIsWhole(t *testing.T) {
	s := &sheet{name: "r", columns: []column{{name: "a"}, {name: "b", kind: amount}, {name: "c", kind: number}}}
	for _, rows := range [][][]string{nil, {{"x\"y\n", "-0.05", "3"}, {"=1", "", ""}}} {
		var b strings.Builder
		j := newJSON(&b)
		require.NoError(t, j.begin(s))
		for _, r := range rows {
			require.NoError(t, j.row(s, r))
		}
		require.NoError(t, j.end())
		want := `{"report":"r","rows":[]}`
		if rows != nil {
			want = `{"report":"r","rows":[{"a":"x\"y\n","b":-5,"c":3},{"a":"=1","b":null,"c":null}]}`
		}
		require.JSONEq(t, want, b.String())
	}
}

func TestTextIsNoFormula(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "4601": "4601", "=1+1": "'=1+1", "+7701": "'+7701", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", "\t=1": "'\t=1", "\r=1": "'\r=1", "\n=1": "'\n=1",
	} {
		require.Equal(t, want, harmless(in))
	}
}

func TestSpreadsheetNumbersAreExactOrText(t *testing.T) {
	//nolint:testifylint // the nearest number there is, not one beside it
	require.Equal(t, 123.45, spreadsheetNumber("123.45"))
	//nolint:testifylint // likewise
	require.Equal(t, 9999999999999.99, spreadsheetNumber("9999999999999.99"))
	require.Equal(t, "92233720368547758.07", spreadsheetNumber("92233720368547758.07"))
}

func TestALongTableGoesOnInTheNextWorksheet(t *testing.T) {
	s := &sheet{name: "t", columns: []column{{name: "a"}, {name: "b", kind: amount}}}
	var b bytes.Buffer
	x, err := newXLSX(&b)
	require.NoError(t, err)
	defer x.close()
	x.limit = 10
	require.NoError(t, x.begin(s))
	for i := range 20 {
		require.NoError(t, x.row(s, []string{fmt.Sprint("=", i), decimal(int64(i), 2)}))
	}
	require.NoError(t, x.end())
	f, err := excelize.OpenReader(&b)
	require.NoError(t, err)
	defer f.Close()
	require.Equal(t, []string{"t", "t 2", "t 3"}, f.GetSheetList())
	n := 0
	for _, name := range f.GetSheetList() {
		rows, err := f.GetRows(name)
		require.NoError(t, err)
		require.Equal(t, []string{"a", "b"}, rows[0])
		for _, r := range rows[1:] {
			require.Equal(t, []string{fmt.Sprint("=", n), decimal(int64(n), 2)}, r)
			n++
		}
		formula, err := f.GetCellFormula(name, "A2")
		require.NoError(t, err)
		require.Empty(t, formula)
	}
	require.Equal(t, 20, n)
}
