package export

// operations are the records of a merchant, in booking order: $1 merchant,
// $2 first moment, $3 moment after the last.
//
// The last row has the totals. Legs are summed as they stand: they are what
// the ledger has booked. Figures of a receipt count once, when they are
// booked, and with a minus when they are given back; that factor is the column
// `counts`, so that anybody can add up the rows again.
var operations = sheet{
	name: "operations",
	columns: []column{
		{name: "id"},
		{name: "kind"},
		{name: "outcome", expr: "code"},
		{name: "booked_at", kind: moment},
		{name: "at", kind: local},
		{name: "late", kind: truth},
		{name: "counts", kind: number, expr: counts},
		{name: "store"}, {name: "terminal"}, {name: "cashier"}, {name: "channel"},
		{name: "receipt"}, {name: "shift"},
		{name: "member", expr: "account"},
		{name: "about", expr: "parent"},
		{name: "target"},
		{name: "program", kind: number},
		{name: "currency"},
		{name: "total", kind: amount, sum: true},
		{name: "discount", kind: amount, sum: true},
		{name: "redeemed", kind: amount, sum: true},
		{name: "payable", kind: amount, sum: true},
		{name: "points_redeemed", kind: amount, expr: "points", sum: true},
		{name: "points_earned", kind: amount, expr: "earned", sum: true},
		{name: "available", kind: amount, expr: "leg_available", sum: true},
		{name: "pending", kind: amount, expr: "leg_pending", sum: true},
		{name: "held", kind: amount, expr: "leg_held", sum: true},
		{name: "deficit", kind: amount, expr: "leg_deficit", sum: true},
		{name: "issued", kind: amount, expr: "leg_issued", sum: true},
		{name: "spent", kind: amount, expr: "leg_redeemed", sum: true},
		{name: "expired", kind: amount, expr: "leg_expired", sum: true},
		{name: "adjusted", kind: amount, expr: "leg_adjusted", sum: true},
		{name: "referral", kind: amount, expr: "leg_referral", sum: true},
		{name: "transit", kind: amount, expr: "leg_transit", sum: true},
		{name: "after_available", kind: amount},
		{name: "after_pending", kind: amount},
		{name: "after_held", kind: amount},
		{name: "after_deficit", kind: amount},
		{name: "tier"},
		{name: "offline", kind: truth},
		{name: "flags", expr: "array_to_string(flags, '; ')"},
		{name: "detail"},
		{name: "actor"},
		{name: "edge"},
	},
	from: `FROM operations WHERE merchant = $1 AND booked_at >= $2 AND booked_at < $3 AND kind <> 'window'
		ORDER BY booked_at, id`,
	sign: counts,
	plain: map[string]bool{
		"available": true, "pending": true, "held": true, "deficit": true, "issued": true, "spent": true,
		"expired": true, "adjusted": true, "referral": true, "transit": true,
	},
	total: true,
}

const counts = `CASE
	WHEN code NOT IN ('approved', 'partial') THEN 0
	WHEN kind IN ('confirm', 'accrue', 'redeem') THEN 1
	WHEN kind = 'return' OR kind = 'reverse' AND undoes IN ('confirm', 'accrue', 'redeem') THEN -1
	WHEN kind = 'reverse' AND undoes = 'return' THEN 1
	ELSE 0 END::bigint`

// The sheets below belong to [All]; $1 is the merchant.
var (
	lines = sheet{
		name: "lines",
		columns: []column{
			{name: "operation"}, {name: "line"}, {name: "sku"}, {name: "category"},
			{name: "quantity", kind: quantity}, {name: "price", kind: amount}, {name: "amount", kind: amount},
			{name: "discount", kind: amount}, {name: "redeemed", kind: amount}, {name: "points", kind: amount}, {name: "earned", kind: amount},
		},
		from: of("operation_lines"),
	}
	rules = sheet{
		name:    "rules",
		columns: []column{{name: "operation"}, {name: "rule"}, {name: "points", kind: amount}, {name: "discount", kind: amount}},
		from:    of("operation_rules"),
	}
	lots = sheet{
		name: "lots",
		columns: []column{
			{name: "operation"}, {name: "effect"}, {name: "active_at", kind: moment}, {name: "expires_at", kind: moment},
			{name: "points", kind: amount}, {name: "own", kind: truth}, {name: "account"},
		},
		from: of("operation_lots"),
	}
	members = sheet{
		name: "members",
		columns: []column{
			{name: "member", expr: "account"},
			{name: "registered", kind: truth}, {name: "erased", kind: truth}, {name: "merged_into", expr: "into_account"},
			{name: "created_at", kind: moment}, {name: "joined_at", kind: moment},
			profileField("phone"), profileField("email"), profileField("name"), profileField("birthday"), profileField("sex"), profileField("external_id"),
			{name: "profile", expr: "profile::text"},
			balanceOf("available"), balanceOf("pending"), balanceOf("held"), balanceOf("deficit"),
		},
		from: `FROM members m LEFT JOIN LATERAL (
			SELECT after_available AS available, after_pending AS pending, after_held AS held, after_deficit AS deficit
			FROM operations o WHERE o.account = m.account ORDER BY o.id DESC LIMIT 1) b ON true
			WHERE m.merchant = $1 ORDER BY m.account`,
	}
	// grants are what the members of segments got: $1 merchant, $2 and $3 the
	// moments between which the runs began, or $4 the only run.
	grants = sheet{
		name: "grants",
		columns: []column{
			{name: "run", kind: number, expr: "r.id"}, {name: "grant", expr: "r.name"}, {name: "at", kind: moment, expr: "r.occurrence"},
			{name: "segment", expr: "r.segment"}, {name: "reason", expr: "r.reason"},
			{name: "program", kind: number, expr: "r.program"}, {name: "published_by", expr: "r.publisher"},
			{name: "run_status", expr: "r.status"}, {name: "run_why", expr: "r.why"},
			{name: "member", expr: "m.account"}, {name: "status", expr: "m.status"}, {name: "why", expr: "m.why"},
			{name: "operation", expr: "m.operation"},
			{name: "points", kind: amount, expr: "CASE WHEN m.status = 'given' THEN r.points ELSE 0 END", sum: true},
		},
		from: `FROM grant_runs r LEFT JOIN grant_members m ON m.run = r.id
			WHERE r.merchant = $1 AND r.began_at >= $2 AND r.began_at < $3 AND ($4::bigint = 0 OR r.id = $4) ORDER BY r.id, m.account`,
		total: true,
	}
	reminders = sheet{
		name: "reminders",
		columns: []column{
			{name: "id", kind: number}, {name: "member", expr: "account"}, {name: "before"},
			{name: "expires_at", kind: moment}, {name: "points", kind: amount}, {name: "made_at", kind: moment},
		},
		from: "FROM reminders WHERE merchant = $1 AND made_at >= $2 AND made_at < $3 ORDER BY id",
	}
	shifts = sheet{
		name: "shifts",
		columns: []column{
			{name: "operation"}, {name: "store"}, {name: "terminal"}, {name: "shift"}, {name: "booked_at", kind: moment}, {name: "matched", kind: truth},
			{name: "till_sales_count", kind: number}, {name: "till_sales", kind: amount}, {name: "till_returns_count", kind: number}, {name: "till_returns", kind: amount},
			{name: "till_redeemed_count", kind: number}, {name: "till_redeemed", kind: amount}, {name: "till_given_back_count", kind: number}, {name: "till_given_back", kind: amount},
			{name: "till_net", kind: amount},
			{name: "host_sales_count", kind: number}, {name: "host_sales", kind: amount}, {name: "host_returns_count", kind: number}, {name: "host_returns", kind: amount},
			{name: "host_redeemed_count", kind: number}, {name: "host_redeemed", kind: amount}, {name: "host_given_back_count", kind: number}, {name: "host_given_back", kind: amount},
			{name: "host_net", kind: amount},
		},
		from: "FROM shifts WHERE merchant = $1 ORDER BY booked_at, operation",
	}
)

// of joins a table of an operation's parts with the merchant's operations.
func of(table string) string {
	return "FROM " + table + " p WHERE EXISTS (SELECT FROM operations o WHERE o.id = p.operation AND o.merchant = $1) ORDER BY operation, n"
}

func profileField(name string) column { return column{name: name, expr: "profile->>'" + name + "'"} }

func balanceOf(name string) column { return column{name: name, kind: amount, expr: "b." + name} }
