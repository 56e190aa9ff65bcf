package reconciler

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/csv"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"tillgate/ledger"
	"tillgate/reconciler/services/servicetest"
)

// exported is a file for finance, read back.
type exported struct {
	*testing.T
	head []string
	rows [][]string // without the totals
	last []string
}

func (e *exported) column(name string) int {
	e.Helper()
	i := slices.Index(e.head, name)
	require.GreaterOrEqual(e, i, 0, "no column %q", name)
	return i
}

// sum adds up a column by its printed figures.
func (e *exported) sum(name string, factor func(row []string) int64) (sum int64) {
	e.Helper()
	at := e.column(name)
	for _, r := range e.rows {
		sum += factor(r) * hundredths(e.T, r[at])
	}
	return sum
}

func hundredths(t *testing.T, s string) int64 {
	t.Helper()
	whole, part, ok := strings.Cut(s, ".")
	require.True(t, ok && len(part) == 2, "%q is no amount", s)
	negative := strings.HasPrefix(whole, "-")
	v := int64(0)
	for _, c := range strings.TrimPrefix(whole, "-") + part {
		require.True(t, c >= '0' && c <= '9', "%q is no amount", s)
		v = v*10 + int64(c-'0')
	}
	if negative {
		return -v
	}
	return v
}

func (w *world) exportCSV(from, to time.Time) *exported {
	w.Helper()
	var b bytes.Buffer
	require.NoError(w, w.r.Export(context.Background(), &b, "m", from, to, "csv"))
	all, err := csv.NewReader(&b).ReadAll()
	require.NoError(w, err)
	return &exported{T: w.T, head: all[0], rows: all[1 : len(all)-1], last: all[len(all)-1]}
}

// ledgerLegs adds up the legs of a merchant's records in the journal.
func (w *world) ledgerLegs(merchant string, from, to time.Time) (legs [ledger.LegCount]int64, records int) {
	w.Helper()
	var op ledger.Operation
	for p := range partitions {
		require.NoError(w, w.l.Journal(p, 1, func(_ ledger.OpID, record []byte) bool {
			require.NoError(w, ledger.DecodeOperation(record, &op))
			if op.Merchant != merchant || op.Kind == ledger.KindWindow || op.Time < from.UnixNano() || op.Time >= to.UnixNano() {
				return true
			}
			records++
			for i, v := range op.Legs {
				legs[i] += v
			}
			return true
		}))
	}
	return legs, records
}

var legColumns = []string{"available", "pending", "held", "deficit", "issued", "spent", "expired", "adjusted", "referral", "transit"}

func TestExportEqualsTheLedger(t *testing.T) {
	w := newWorld(t)
	w.o.Postgres = servicetest.Database(t)
	w.run()
	w.sell(150)
	middle := time.Now()
	w.sell(150)
	for name, period := range map[string][2]time.Time{
		"all":         {time.Unix(0, 0), time.Now().Add(time.Hour)},
		"first half":  {time.Unix(0, 0), middle},
		"second half": {middle, time.Now().Add(time.Hour)},
		"nothing":     {time.Unix(0, 0), time.Unix(1, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			e := w.exportCSV(period[0], period[1]) // waits for what is synced
			legs, records := w.ledgerLegs("m", period[0], period[1])
			require.Len(t, e.rows, records)
			require.Equal(t, "total", e.last[0])
			one := func([]string) int64 { return 1 }
			for leg, column := range legColumns {
				require.Equal(t, legs[leg], hundredths(t, e.last[e.column(column)]), column)
				require.Equal(t, legs[leg], e.sum(column, one), column)
			}
			counts := e.column("counts")
			sign := func(r []string) int64 { return map[string]int64{"1": 1, "-1": -1, "0": 0}[r[counts]] }
			for _, column := range []string{"total", "discount", "redeemed", "payable", "points_redeemed", "points_earned"} {
				require.Equal(t, e.sum(column, sign), hundredths(t, e.last[e.column(column)]), column)
			}
			booked := e.column("booked_at")
			require.True(t, slices.IsSortedFunc(e.rows, func(a, b []string) int {
				return strings.Compare(a[booked], b[booked])
			}), "rows come in booking order")
		})
	}
	t.Run("both dates", func(t *testing.T) {
		e := w.exportCSV(time.Unix(0, 0), time.Now().Add(time.Hour))
		i := slices.IndexFunc(e.rows, func(r []string) bool { return r[e.column("kind")] == "accrue" })
		booked, err := time.Parse(time.RFC3339Nano, e.rows[i][e.column("booked_at")])
		require.NoError(t, err)
		at, err := time.Parse(time.RFC3339Nano, e.rows[i][e.column("at")])
		require.NoError(t, err)
		require.InDelta(t, time.Hour, booked.Sub(at), float64(time.Millisecond))
		require.True(t, strings.HasSuffix(e.rows[i][e.column("at")], "+05:00"), "the till's own clock")
	})
	t.Run("another merchant sees nothing of it", func(t *testing.T) {
		var b bytes.Buffer
		require.NoError(t, w.r.Export(context.Background(), &b, "other", time.Unix(0, 0), time.Now(), "csv"))
		require.Equal(t, 2, strings.Count(b.String(), "\n"), "a heading and the totals")
	})
	t.Run("a spreadsheet has the same cells", func(t *testing.T) {
		e := w.exportCSV(time.Unix(0, 0), time.Now().Add(time.Hour))
		var b bytes.Buffer
		require.NoError(t, w.r.Export(context.Background(), &b, "m", time.Unix(0, 0), time.Now().Add(time.Hour), "xlsx"))
		f, err := excelize.OpenReader(&b)
		require.NoError(t, err)
		defer f.Close()
		rows, err := f.GetRows("operations", excelize.Options{RawCellValue: false})
		require.NoError(t, err)
		require.Len(t, rows, len(e.rows)+2)
		require.Equal(t, e.head, rows[0])
		for i, want := range append(e.rows, e.last) {
			for c, v := range rows[i+1] {
				if v == "TRUE" || v == "FALSE" {
					v = strings.ToLower(v)
				}
				require.Equal(t, want[c], v, "row %d, %s", i, e.head[c])
			}
		}
	})
}

func TestExportOfEverything(t *testing.T) {
	w := newWorld(t)
	w.o.Postgres = servicetest.Database(t)
	require.NoError(t, w.l.PutProgram(ledger.Program{Merchant: "m", Version: 1, Published: 1, Doc: []byte("program: x\n")}))
	w.shelf = shelf{"stores": `{"id":"S1"}`}
	w.run()
	w.sell(20)
	w.settled()
	w.profilesSettle()
	var b bytes.Buffer
	require.NoError(t, w.r.ExportAll(context.Background(), &b, "m"))
	z, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	require.NoError(t, err)
	files := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		require.NoError(t, err)
		content, err := io.ReadAll(r)
		require.NoError(t, err)
		files[f.Name] = string(content)
	}
	require.Equal(t, "program: x\n", files["programs/1.yaml"])
	require.Equal(t, `{"id":"S1"} of m`, files["stores.jsonl"])
	require.Equal(t, 1+8+20+1, strings.Count(files["operations.csv"], "\n"))
	require.Equal(t, 1+40, strings.Count(files["lines.csv"], "\n"))
	require.Equal(t, 1+20, strings.Count(files["rules.csv"], "\n"))
	require.Contains(t, files["lines.csv"], ",'=cmd,", "text is no formula")
	require.Contains(t, files["lines.csv"], ",0.345,")
	require.Equal(t, 1+8, strings.Count(files["members.csv"], "\n"))
	require.Contains(t, files["members.csv"], "Member 7")
	require.Contains(t, files, "shifts.csv")
	require.Contains(t, files["grants.csv"], "total,0,")
	require.Contains(t, files["reminders.csv"], "member,before")
	require.Contains(t, files, "lots.csv")
}

func TestWithoutPostgreSQLReportsSayWhy(t *testing.T) {
	w := newWorld(t)
	w.run()
	var b bytes.Buffer
	err := w.r.Export(context.Background(), &b, "m", time.Unix(0, 0), time.Now(), "csv")
	require.ErrorIs(t, err, errNoDatabase)
	require.ErrorIs(t, w.r.Postgres(), errNoDatabase)
	require.Zero(t, b.Len())
	w.r.Await(true)
	require.ErrorIs(t, w.r.Export(context.Background(), &b, "m", time.Unix(0, 0), time.Now(), "csv"), errStarting)
	require.ErrorIs(t, w.r.Postgres(), errStarting)
	w.r.Await(false) // it could not be started
	require.ErrorIs(t, w.r.Postgres(), errNoDatabase)

	// A server's own PostgreSQL is named later.
	w.o.Postgres = servicetest.Database(t)
	require.NoError(t, w.r.Connect(w.o.Postgres))
	w.sell(5)
	w.settled()
	require.NoError(t, w.r.Postgres())
	require.Len(t, w.exportCSV(time.Unix(0, 0), time.Now().Add(time.Hour)).rows, 8+5)
}

func TestAReportWaitsForTheProjectionAndNoLonger(t *testing.T) {
	w := newWorld(t)
	w.o.Postgres = servicetest.Database(t)
	w.o.CatchUp = 200 * time.Millisecond
	w.run()
	w.settled()
	w.stop()
	w.sell(3)
	err := w.r.Export(context.Background(), io.Discard, "m", time.Unix(0, 0), time.Now(), "csv")
	require.EqualError(t, err, "the reporting database is 3 records behind the ledger; try again later")
}
