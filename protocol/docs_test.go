package protocol

import (
	"os"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// table is the rows of the table on a documentation page that begins with the
// given header cells.
func table(t *testing.T, page string, header ...string) [][]string {
	t.Helper()
	text, err := os.ReadFile("../docs/" + page)
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(text), "| "+strings.Join(header, " | "))
	require.True(t, found, "%s has no table %v", page, header)
	var rows [][]string
	for _, line := range strings.Split(rest, "\n")[2:] {
		if !strings.HasPrefix(line, "|") {
			break
		}
		line = strings.ReplaceAll(line, `\|`, "pipe")
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.Trim(strings.TrimSpace(cells[i]), "`")
		}
		rows = append(rows, cells)
	}
	return rows
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

// TestTheDeclineTableIsDocumented row by row, in order.
func TestTheDeclineTableIsDocumented(t *testing.T) {
	var want [][]string
	for c := Approved; c < codeCount; c++ {
		want = append(want, []string{c.String(), c.ISO(), strconv.Itoa(c.HTTPStatus()), yes(c.Retryable()), yes(c.Remembered()), c.Title()})
	}
	require.Equal(t, want, table(t, "protocol.md", "code", "DE39", "HTTP", "retry may help"))
}

// TestTheDeclineTableIsConsistent: what a retry may cure is not remembered,
// and every code past the end is an internal error.
func TestTheDeclineTableIsConsistent(t *testing.T) {
	for c := Approved; c < codeCount; c++ {
		require.NotEmpty(t, c.Title(), "code %d", c)
		require.Len(t, c.ISO(), 2)
		require.False(t, c.Retryable() && c.Remembered(), c.String())
		require.Equal(t, c.OK(), c == Approved || c == Partial)
	}
	require.Equal(t, Internal.HTTPStatus(), Code(255).HTTPStatus())
	require.Equal(t, "internal", Code(255).String())
}

// TestTheDescriptionListsEveryCode that a problem may carry.
func TestTheDescriptionListsEveryCode(t *testing.T) {
	set := map[string]bool{}
	for c := InvalidRequest; c < codeCount; c++ {
		if c != TotalsDiffer {
			set[c.String()] = true
		}
	}
	var want, got []string
	for name := range set {
		want = append(want, name)
	}
	for _, name := range described(t).Components.Schemas["Problem"].Value.Properties["code"].Value.Enum {
		got = append(got, name.(string))
	}
	sort.Strings(want)
	sort.Strings(got)
	require.Equal(t, want, got)
}

// TestTheRoleMatrixIsDocumented call by call, in order.
func TestTheRoleMatrixIsDocumented(t *testing.T) {
	var want [][]string
	for _, r := range Routes {
		row := []string{r.Method + " " + r.Path, yes(r.NeedsKey)}
		for role := RoleTill; role <= RoleAdmin; role++ {
			row = append(row, yes(r.Roles.Has(role)))
		}
		if r.Roles.Has(RoleNone) {
			row = append(row[:2], "no key needed", "", "", "", "", "")
		}
		want = append(want, row)
	}
	require.Equal(t, want, table(t, "http.md", "call", "Idempotency-Key", "till"))
}

// TestTheBoundsAreDocumented: the numbers of the page are the code's.
func TestTheBoundsAreDocumented(t *testing.T) {
	want := map[string]int64{
		"body": MaxBody, "nesting": MaxDepth, "any text": MaxText, "amount": MaxAmount, "quantity": MaxQuantity,
		"lines": MaxLines, "payments": MaxPayments, "promo codes": MaxPromoCodes, "tags of a line": MaxLineTags,
		"tags of a member": MaxMemberTags, "kinds of consent": MaxConsents, "rows of a directory": MaxDirectory,
		"body of a directory": MaxDirectoryBody, "cards of a batch": MaxCardBatch, "coupons of a batch": MaxCoupons, "name of a series": maxSeries, "pattern of a card template": maxPattern,
		"terminal": maxTerminal, "store": maxStore, "cashier": maxCashier, "channel, store group, tender, type": maxWord,
		"receipt": maxReceipt, "shift": maxShift, "line id": maxLineID, "sku": maxSKU, "category, brand, supplier, partner": maxCategory,
		"name": maxName, "tag": maxTag, "promo code": maxPromoCode, "reason": maxReason, "event": maxEvent, "tier": maxTier,
		"external id": maxExternalID, "time zone": maxTimezone, "hold, in seconds": maxHoldSeconds,
		"count of a shift": maxCount, "total of a shift": maxTotal,
	}
	got := map[string]int64{}
	for _, row := range table(t, "protocol.md", "what", "bound") {
		n, err := strconv.ParseInt(row[1], 10, 64)
		require.NoError(t, err, row[0])
		got[row[0]] = n
	}
	require.Equal(t, want, got)
}
