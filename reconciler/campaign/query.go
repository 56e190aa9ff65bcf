package campaign

import (
	"fmt"
	"strings"

	"tillgate/protocol"
)

// query is the SQL that asks for those who may belong to a segment, each with
// the figures that its conditions want: the account, then one bigint for each
// look, in the accounts' order.
type query struct {
	merchant string
	sql      strings.Builder
	args     []any
}

// arg adds an argument and returns its place.
func (q *query) arg(v any) string {
	q.args = append(q.args, v)
	return fmt.Sprintf("$%d", len(q.args))
}

// heads are the tables that all questions share. An account that was merged
// lives on in another: what it did counts there.
const heads = `WITH RECURSIVE merged(account, root) AS (
	SELECT account, into_account FROM members WHERE merchant = $1 AND into_account IS NOT NULL
	UNION
	SELECT m.account, r.into_account FROM merged m JOIN members r ON r.account = m.root WHERE r.into_account IS NOT NULL
), kin AS (
	SELECT m.account, m.root FROM merged m JOIN members r ON r.account = m.root WHERE r.into_account IS NULL
), buyers AS (
	SELECT coalesce(k.root, o.account) AS account,
		max(o.at) FILTER (WHERE o.kind NOT IN ('return', 'reverse')) AS last,
		bool_or(o.kind IN ('return', 'reverse')) AS back
	FROM operations o LEFT JOIN kin k ON k.account = o.account
	WHERE o.merchant = $1 AND o.purchase
	GROUP BY 1
)`

// booked are sales and what was taken back of them, each with the sale's own
// store and day: sums fall in the day of the sale.
const booked = `, booked AS (
	SELECT coalesce(k.root, o.account) AS account, o.id, o.kind, o.at, o.booked_at, o.spent,
		CASE WHEN o.kind = 'confirm' THEN coalesce(o.parent, o.id) ELSE o.id END AS sale,
		CASE WHEN o.kind IN ('confirm', 'accrue', 'redeem') THEN 1
			WHEN o.kind = 'return' OR o.undoes IN ('confirm', 'accrue', 'redeem') THEN -1
			WHEN o.undoes = 'return' THEN 1 ELSE 0 END AS sign,
		CASE WHEN p.id IS NOT NULL AND p.store <> '' THEN p.store ELSE o.store END AS store,
		coalesce(o.spent_day, (coalesce(p.at, o.at) + coalesce(p.at_offset, o.at_offset) * interval '1 second')::date) AS day
	FROM operations o
	LEFT JOIN operations p ON p.id = o.parent AND o.kind IN ('return', 'reverse')
	LEFT JOIN kin k ON k.account = o.account
	WHERE o.merchant = $1 AND o.account IS NOT NULL AND o.code IN ('approved', 'partial')
		AND o.kind IN ('confirm', 'accrue', 'redeem', 'return', 'reverse')
)`

// newQuery writes the question for a segment of a merchant.
func newQuery(merchant string, s *protocol.SegmentQuery) *query {
	q := &query{merchant: merchant, args: []any{merchant}}
	q.sql.WriteString(heads)
	if len(s.Looks) > 0 {
		q.sql.WriteString(booked)
	}
	q.sql.WriteString("\nSELECT m.account")
	for i := range s.Looks {
		fmt.Fprintf(&q.sql, ", coalesce(l%d.v, 0)", i)
	}
	q.sql.WriteString("\nFROM members m LEFT JOIN buyers b ON b.account = m.account")
	for i := range s.Looks {
		fmt.Fprintf(&q.sql, "\nLEFT JOIN (%s) l%d ON l%d.account = m.account", q.look(&s.Looks[i]), i, i)
	}
	q.sql.WriteString("\nWHERE m.merchant = $1 AND NOT m.erased AND m.into_account IS NULL")
	q.narrow(s)
	q.sql.WriteString("\nORDER BY m.account")
	return q
}

// narrow leaves out who can't belong, whatever the account says.
func (q *query) narrow(s *protocol.SegmentQuery) {
	if s.Bought {
		q.sql.WriteString("\n\tAND b.last IS NOT NULL")
	}
	if s.Never {
		q.sql.WriteString("\n\tAND (b.last IS NULL OR b.back)")
	}
	if s.BoughtSince != 0 {
		q.sql.WriteString("\n\tAND b.last >= " + q.moment(s.BoughtSince))
	}
	if s.BoughtBefore != 0 {
		q.sql.WriteString("\n\tAND (b.last < " + q.moment(s.BoughtBefore) + " OR b.back)")
	}
}

// moment is a moment, unix ns, as a timestamp; PostgreSQL keeps microseconds.
func (q *query) moment(ns int64) string {
	return "to_timestamp(" + q.arg(ns/1000) + "::bigint / 1000000.0)"
}

func (q *query) day(n int32) string { return "DATE '1970-01-01' + " + q.arg(n) + "::integer" }

// look is the question for one figure: rows of account and v.
func (q *query) look(l *protocol.Look) string {
	switch l.Kind {
	case protocol.LookSpent:
		return "SELECT account, sum(spent)::bigint AS v FROM booked WHERE store = ANY(" + q.arg(texts(l.Stores)) + "::text[]) AND day >= " +
			q.day(l.From) + " GROUP BY account"
	case protocol.LookBought:
		return "SELECT b.account, sum(b.sign * CASE WHEN i.quantity = 0 THEN 1000 ELSE i.quantity END)::bigint AS v" +
			" FROM booked b JOIN operation_lines i ON i.operation = b.id WHERE b.day >= " + q.day(l.From) + q.goods(&l.Goods) + " GROUP BY b.account"
	case protocol.LookFirst:
		return `SELECT b.account, (extract(epoch FROM min(b.at)) * 1000000)::bigint * 1000 AS v
			FROM booked b JOIN operation_rules r ON r.operation = b.id
			WHERE b.kind IN ('confirm', 'accrue', 'redeem') AND r.rule = ` + q.arg(l.Rule) + `
				AND NOT EXISTS (SELECT FROM operations w WHERE w.parent = b.sale AND w.purchase AND w.kind IN ('return', 'reverse') AND w.undoes <> 'return'
					AND NOT EXISTS (SELECT FROM operations u WHERE u.parent = b.sale AND u.kind = 'reverse' AND u.undoes = 'return' AND u.target = w.id))
			GROUP BY b.account`
	}
	sum := q.arg(l.Sum)
	return `SELECT account, (extract(epoch FROM max(at)) * 1000000)::bigint * 1000 AS v
		FROM (SELECT account, at, spent, sum(spent) OVER (PARTITION BY account ORDER BY booked_at, id) AS after FROM booked) s
		WHERE after >= ` + sum + `::bigint AND after - spent < ` + sum + `::bigint GROUP BY account`
}

// goods narrows lines down to those that a selector picks.
func (q *query) goods(g *protocol.Goods) string {
	var b strings.Builder
	any := func(column string, names []string) {
		b.WriteString(" AND " + column + " = ANY(" + q.arg(texts(names)) + "::text[])")
	}
	if len(g.SKU) > 0 {
		any("i.sku", g.SKU)
	}
	if len(g.Category) > 0 {
		any("i.category", g.Category)
	}
	for _, list := range g.Among {
		any("i.sku", list)
	}
	if g.Priced {
		b.WriteString(" AND (CASE WHEN i.price > 0 THEN i.price ELSE i.amount * 1000 / greatest(i.quantity, 1000) END) >= " + q.arg(g.PriceFrom) +
			"::bigint AND (CASE WHEN i.price > 0 THEN i.price ELSE i.amount * 1000 / greatest(i.quantity, 1000) END) < " + q.arg(g.PriceBelow) + "::bigint")
	}
	return b.String()
}

// texts is a list that PostgreSQL gets as an empty one where there is none.
func texts(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
