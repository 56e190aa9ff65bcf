package reconciler

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/reconciler/export"
	"tillgate/reconciler/services/servicetest"
)

type reportRow = map[string]any

// report asks for a report as JSON; numbers stay as they are written.
func (w *world) report(name string, from, to time.Time) []reportRow {
	w.Helper()
	var answer struct {
		Report string
		Rows   []reportRow
	}
	d := json.NewDecoder(bytes.NewReader(w.reportAs(name, "json", from, to)))
	d.UseNumber()
	require.NoError(w, d.Decode(&answer))
	require.Equal(w, name, answer.Report)
	return answer.Rows
}

func (w *world) reportAs(name, format string, from, to time.Time) []byte {
	w.Helper()
	var b bytes.Buffer
	require.NoError(w, w.r.Report(context.Background(), &b, "m", name, from, to, format))
	return b.Bytes()
}

func (w *world) book(op ledger.Operation) {
	w.Helper()
	op.Merchant = "m"
	w.decide(op.Account, func(tx *ledger.Tx) error {
		op.At = tx.Now()
		_, err := tx.Append(&op)
		return err
	})
}

func figuresOf(r reportRow, names ...string) (all []string) {
	for _, n := range names {
		if v, ok := r[n].(json.Number); ok {
			all = append(all, v.String())
		} else {
			all = append(all, r[n].(string))
		}
	}
	return all
}

// TestLiability books some months by hand. Months are those of the merchant's
// zone: what is booked at 18:59:59 UTC on 31 January is January's in Almaty, a
// second later it is February's.
func TestLiability(t *testing.T) {
	almaty, err := time.LoadLocation("Asia/Almaty")
	require.NoError(t, err)
	var now atomic.Int64
	at := func(month time.Month, day, hour, minute, second int) time.Time {
		return time.Date(2026, month, day, hour, minute, second, 0, almaty)
	}
	now.Store(at(time.January, 31, 23, 59, 58).UnixNano())
	w := newWorldAt(t, now.Load)
	w.o.Postgres = servicetest.Database(t)
	w.run()
	w.r.parts.Terms = func(string) export.Terms { return export.Terms{Zone: almaty, Value: 5_000} }
	anna, boris := w.members[0], w.members[1]

	now.Store(at(time.January, 31, 23, 59, 59).UnixNano())
	w.book(points(ledger.KindAccrue, anna, ledger.LegIssued, ledger.LotPart{Points: 100_00}))
	w.book(points(ledger.KindAccrue, boris, ledger.LegIssued, ledger.LotPart{Points: 50_00, Expires: at(time.March, 11, 0, 0, 0).UnixNano()}))
	now.Store(at(time.February, 1, 0, 0, 0).UnixNano())
	spent := points(ledger.KindRedeem, anna, ledger.LegRedeemed, ledger.LotPart{Points: -40_00})
	spent.Points, spent.Redeemed, spent.Total, spent.Status = 40_00, 20_00, 20_00, "confirmed"
	w.book(spent)
	w.book(points(ledger.KindAdjust, boris, ledger.LegAdjusted, ledger.LotPart{Points: 3_00}))
	now.Store(at(time.March, 31, 12, 0, 0).UnixNano())
	w.decide(boris, func(tx *ledger.Tx) error { _, err := tx.Account(boris); return err }) // what has lapsed is booked

	columns := []string{"month", "opening", "issued", "referral", "adjusted", "redeemed", "expired", "closing", "available", "deficit", "worth"}
	want := [][]string{
		{"2026-01", "0", "15000", "0", "0", "0", "0", "15000", "15000", "0", "7500"},
		{"2026-02", "15000", "0", "0", "300", "4000", "0", "11300", "11300", "0", "5650"},
		{"2026-03", "11300", "0", "0", "0", "0", "5000", "6300", "6300", "0", "3150"},
		{"2026-04", "6300", "0", "0", "0", "0", "0", "6300", "6300", "0", "3150"},
	}
	told := func(from, to time.Time) (got [][]string) {
		for _, r := range w.report("liability", from, to) {
			got = append(got, figuresOf(r, columns...))
		}
		return got
	}
	require.Equal(t, want, told(at(time.January, 1, 0, 0, 0), at(time.May, 1, 0, 0, 0)), "a month without bookings has its row")
	require.Equal(t, want[1:3], told(at(time.February, 28, 0, 0, 0), at(time.March, 31, 23, 59, 59)), "opening sums are those of all that was before")
	require.Empty(t, told(at(time.May, 1, 0, 0, 0), at(time.May, 1, 0, 0, 0)))

	rows, err := csv.NewReader(bytes.NewReader(w.reportAs("liability", "csv", at(time.January, 1, 0, 0, 0), at(time.April, 1, 0, 0, 0)))).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 5, "a heading, three months and the totals")
	require.Equal(t, []string{"total", "3", "150.00", "0.00", "3.00", "40.00", "50.00", "", "", "", "", "", "", ""}, rows[4])

	// What the report owes is what the accounts hold.
	legs, _ := w.ledgerLegs("m", time.Unix(0, 0), at(time.May, 1, 0, 0, 0))
	require.EqualValues(t, 63_00, legs[ledger.LegAvailable]+legs[ledger.LegPending]+legs[ledger.LegHeld]+legs[ledger.LegDeficit])
}

// points is an operation that moves points between an account and a leg.
func points(kind ledger.Kind, account ledger.AccountID, leg ledger.Leg, part ledger.LotPart) ledger.Operation {
	op := ledger.Operation{Kind: kind, Account: account, Lots: []ledger.LotPart{part}}
	op.Legs[leg] = -part.Points
	return op
}

// TestSalesAddUpToTheExport: the report's figures are those of the export of
// the same time, day by day and store by store.
func TestSalesAddUpToTheExport(t *testing.T) {
	w := newWorld(t)
	w.o.Postgres = servicetest.Database(t)
	w.run()
	w.sell(40)
	from, to := time.Unix(0, 0), time.Now().Add(time.Hour)
	e := w.exportCSV(from, to)
	rows := w.report("sales", from, to)
	require.NotEmpty(t, rows)
	sums := map[string]int64{}
	for _, r := range rows {
		require.Equal(t, "S1", r["store"])
		for name, v := range r {
			if n, ok := v.(json.Number); ok {
				one, err := n.Int64()
				require.NoError(t, err)
				sums[name] += one
			}
		}
	}
	require.EqualValues(t, 40, sums["receipts"])
	require.Zero(t, sums["returns"])
	for _, column := range []string{"total", "discount", "redeemed", "payable", "points_redeemed", "points_earned"} {
		require.Equal(t, hundredths(t, e.last[e.column(column)]), sums[column], column)
	}
	require.Empty(t, w.report("sales", from, time.Unix(1, 0)))
}
