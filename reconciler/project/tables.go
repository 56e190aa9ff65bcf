package project

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

var (
	windowColumns = strings.Fields(`operation partition first last count sums hash verdict sealed_at`)
	shiftColumns  = strings.Fields(`operation merchant store terminal shift booked_at matched
		till_sales_count till_sales till_returns_count till_returns till_redeemed_count till_redeemed till_given_back_count till_given_back till_net
		host_sales_count host_sales host_returns_count host_returns host_redeemed_count host_redeemed host_given_back_count host_given_back host_net`)
	memberColumns = strings.Fields(`account merchant registered erased into_account created_at joined_at profile_wanted profile profile_as_of`)
)

// What is known of a member comes in pieces and in any order of profile and
// record, so that either begins the row if need be. profile_as_of is zero in a
// row that knows no profile; the newest profile stays.
const memberConflict = `ON CONFLICT (account) DO UPDATE SET
	merchant = CASE WHEN excluded.merchant <> '' THEN excluded.merchant ELSE members.merchant END,
	registered = members.registered OR excluded.registered,
	erased = members.erased OR excluded.erased,
	into_account = coalesce(excluded.into_account, members.into_account),
	created_at = coalesce(members.created_at, excluded.created_at),
	joined_at = coalesce(members.joined_at, excluded.joined_at),
	profile_wanted = greatest(members.profile_wanted, excluded.profile_wanted),
	profile = CASE WHEN excluded.profile_as_of > 0 AND excluded.profile_as_of >= members.profile_as_of THEN excluded.profile ELSE members.profile END,
	profile_as_of = greatest(members.profile_as_of, excluded.profile_as_of)`

// tables are the rows of a batch in the order in which they are flushed.
type tables struct {
	operations, lines, rules, lots, windows, shifts, members *copyTable
}

func newTables() tables {
	return tables{
		operations: newCopyTable("operations", operationColumns, ""),
		lines:      newCopyTable("operation_lines", lineColumns, ""),
		rules:      newCopyTable("operation_rules", ruleColumns, ""),
		lots:       newCopyTable("operation_lots", lotColumns, ""),
		windows:    newCopyTable("windows", windowColumns, ""),
		shifts:     newCopyTable("shifts", shiftColumns, ""),
		members:    newCopyTable("members", memberColumns, memberConflict),
	}
}

func (t *tables) all() [7]*copyTable {
	return [...]*copyTable{t.operations, t.lines, t.rules, t.lots, t.windows, t.shifts, t.members}
}

// sessionSettings are the projector's own. A commit need not wait for
// PostgreSQL's disk: rows and position are one transaction, so that what a crash
// there takes back is projected again from where the position then stands.
const sessionSettings = "SET synchronous_commit = off;\n"

// prepare sets a connection up and makes its staging tables, in one exchange.
func (t *tables) prepare(ctx context.Context, c *pgx.Conn) error {
	var sql strings.Builder
	sql.WriteString(sessionSettings)
	for _, one := range t.all() {
		sql.WriteString(one.createStage())
	}
	_, err := c.PgConn().Exec(ctx, sql.String()).ReadAll()
	if err != nil {
		return fmt.Errorf("making the staging tables: %w", err)
	}
	return nil
}

func (t *tables) reset() {
	for _, one := range t.all() {
		one.reset()
	}
}

func (t *tables) flush(ctx context.Context, tx pgx.Tx) error {
	for _, one := range t.all() {
		if err := one.flush(ctx, tx); err != nil {
			return err
		}
	}
	return nil
}
