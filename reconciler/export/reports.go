package export

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"
)

// Terms are what a report needs of a merchant's programme.
type Terms struct {
	Zone  *time.Location // in which days and months are told
	Value int64          // of one point: money units × 10,000
}

// reports are how each of [protocol.Reports] is made; valued ones ask for the
// value of a point.
var reports = []struct {
	sheet  *sheet
	valued bool
}{{&liability, true}, {&sales, false}}

// Report writes a report about what a merchant has booked in [from, to). The
// name is one of [protocol.Reports].
func Report(ctx context.Context, config *pgx.ConnConfig, w io.Writer, merchant, name string, from, to time.Time, t Terms, format string) error {
	for _, r := range reports {
		if r.sheet.name != name {
			continue
		}
		args := []any{merchant, from, to, t.Zone.String()}
		if r.valued {
			args = append(args, t.Value)
		}
		return one(ctx, config, w, format, r.sheet, args...)
	}
	return fmt.Errorf("there is no report %q", name)
}

// liability is what the merchant owes its members in points, month by month,
// as an accountant books it: $1 merchant, $2 and $3 the time, $4 the zone of
// the months, $5 the value of a point.
//
// closing = opening + issued + referral + adjusted − redeemed − expired, and
// closing = available + pending + held + deficit + transit, to the hundredth:
// both follow from each record's legs, which add up to 0. Months in which
// nothing was booked have their row, up to the current one.
var liability = sheet{
	name: "liability",
	columns: []column{
		{name: "month"},
		{name: "opening", kind: amount},
		{name: "issued", kind: amount, sum: true},
		{name: "referral", kind: amount, sum: true},
		{name: "adjusted", kind: amount, sum: true},
		{name: "redeemed", kind: amount, sum: true},
		{name: "expired", kind: amount, sum: true},
		{name: "closing", kind: amount},
		{name: "available", kind: amount},
		{name: "pending", kind: amount},
		{name: "held", kind: amount},
		{name: "deficit", kind: amount},
		{name: "transit", kind: amount},
		{name: "worth", kind: amount, expr: "div(closing::numeric * $5::bigint, 10000)::bigint"},
	},
	from: `FROM (
		WITH flow AS (
			SELECT date_trunc('month', booked_at AT TIME ZONE $4::text) AS month,
				sum(leg_available) AS available, sum(leg_pending) AS pending, sum(leg_held) AS held,
				sum(leg_deficit) AS deficit, sum(leg_transit) AS transit, sum(leg_issued) AS issued,
				sum(leg_redeemed) AS redeemed, sum(leg_expired) AS expired, sum(leg_adjusted) AS adjusted,
				sum(leg_referral) AS referral
			FROM operations WHERE merchant = $1 AND booked_at < $3 AND kind <> 'window' GROUP BY 1
		), months AS (
			SELECT generate_series((SELECT min(month) FROM flow),
				date_trunc('month', least($3 - interval '1 microsecond', now()) AT TIME ZONE $4::text), interval '1 month') AS month
		), booked AS (
			SELECT month, coalesce(available, 0) AS available, coalesce(pending, 0) AS pending, coalesce(held, 0) AS held,
				coalesce(deficit, 0) AS deficit, coalesce(transit, 0) AS transit, -coalesce(issued, 0) AS issued,
				coalesce(redeemed, 0) AS redeemed, coalesce(expired, 0) AS expired, -coalesce(adjusted, 0) AS adjusted,
				-coalesce(referral, 0) AS referral
			FROM months LEFT JOIN flow USING (month)
		), standing AS (
			SELECT month, issued, referral, adjusted, redeemed, expired,
				sum(available) OVER w AS available, sum(pending) OVER w AS pending, sum(held) OVER w AS held,
				sum(deficit) OVER w AS deficit, sum(transit) OVER w AS transit
			FROM booked WINDOW w AS (ORDER BY month)
		)
		SELECT to_char(month, 'YYYY-MM') AS month, month AS first, issued::bigint, referral::bigint, adjusted::bigint,
			redeemed::bigint, expired::bigint, available::bigint, pending::bigint, held::bigint, deficit::bigint, transit::bigint,
			(available + pending + held + deficit + transit)::bigint AS closing,
			(available + pending + held + deficit + transit - issued - referral - adjusted + redeemed + expired)::bigint AS opening
		FROM standing
	) m WHERE first >= date_trunc('month', $2::timestamptz AT TIME ZONE $4::text) ORDER BY first`,
	total: true,
}

// sales are what was sold, by day of booking and store: $1 merchant, $2 and $3
// the time, $4 the zone of the days. Figures are those of receipts less what
// was returned or reversed of them, as in the totals of [Operations].
var sales = sheet{
	name: "sales",
	columns: []column{
		{name: "day"},
		{name: "store"},
		{name: "receipts", kind: number, sum: true},
		{name: "returns", kind: number, sum: true},
		{name: "members", kind: number},
		{name: "total", kind: amount, sum: true},
		{name: "discount", kind: amount, sum: true},
		{name: "redeemed", kind: amount, sum: true},
		{name: "payable", kind: amount, sum: true},
		{name: "points_redeemed", kind: amount, sum: true},
		{name: "points_earned", kind: amount, sum: true},
	},
	from: `FROM (
		SELECT to_char(booked_at AT TIME ZONE $4::text, 'YYYY-MM-DD') AS day, store,
			count(*) FILTER (WHERE kind IN ('confirm', 'accrue', 'redeem')) AS receipts,
			count(*) FILTER (WHERE counts < 0) AS returns,
			count(DISTINCT account) AS members,
			sum(total * counts)::bigint AS total, sum(discount * counts)::bigint AS discount,
			sum(redeemed * counts)::bigint AS redeemed, sum(payable * counts)::bigint AS payable,
			sum(points * counts)::bigint AS points_redeemed, sum(earned * counts)::bigint AS points_earned
		FROM (SELECT *, ` + counts + ` AS counts FROM operations
			WHERE merchant = $1 AND booked_at >= $2 AND booked_at < $3) o
		WHERE counts <> 0 GROUP BY 1, 2
	) d ORDER BY day, store`,
	total: true,
}
