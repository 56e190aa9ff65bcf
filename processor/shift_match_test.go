package processor

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tillgate/ledger"
	"tillgate/protocol"
)

func TestShiftTotals(t *testing.T) {
	sale := func(op ledger.OpID, kind ledger.Kind, payable, redeemed int64) ledger.ShiftEntry {
		return ledger.ShiftEntry{Op: op, Sale: op, Kind: kind, Payable: payable, Redeemed: redeemed, Total: payable + redeemed + 100, Discount: 100}
	}
	back := func(op, of ledger.OpID, payable, redeemed int64) ledger.ShiftEntry {
		return ledger.ShiftEntry{Op: op, Sale: of, Kind: ledger.KindReturn, Payable: payable, Redeemed: redeemed}
	}
	undo := func(op, of ledger.OpID, kind ledger.Kind, payable, redeemed int64) ledger.ShiftEntry {
		return ledger.ShiftEntry{Op: op, Sale: of, Kind: ledger.KindReverse, Undoes: kind, Payable: payable, Redeemed: redeemed, Total: payable + redeemed}
	}
	for name, c := range map[string]struct {
		entries []ledger.ShiftEntry
		want    protocol.ShiftTotals
	}{
		"an empty shift": {nil, protocol.ShiftTotals{}},
		"sales count what was paid in money and points, after discounts": {
			[]ledger.ShiftEntry{sale(1, ledger.KindConfirm, 65000, 65000), sale(2, ledger.KindAccrue, 1000, 0), sale(3, ledger.KindRedeem, 0, 500)},
			protocol.ShiftTotals{SalesCount: 3, Sales: 131500, RedeemedCount: 2, Redeemed: 65500, Net: 66000},
		},
		"what was only held, voided, expired or parked counts nothing": {
			[]ledger.ShiftEntry{
				sale(1, ledger.KindAuthorize, 10, 10), sale(2, ledger.KindAmend, 10, 10), sale(3, ledger.KindVoid, 10, 10),
				sale(4, ledger.KindExpire, 10, 10), sale(5, ledger.KindPark, 10, 10), undo(6, 1, ledger.KindAuthorize, 10, 10),
			},
			protocol.ShiftTotals{},
		},
		"a return and a reversal give back": {
			[]ledger.ShiftEntry{sale(1, ledger.KindConfirm, 500, 500), back(2, 1, 250, 250), undo(3, 1, ledger.KindConfirm, 250, 250)},
			protocol.ShiftTotals{SalesCount: 1, Sales: 1000, ReturnsCount: 2, Returns: 1000, RedeemedCount: 1, Redeemed: 500, GivenBackCount: 2, GivenBack: 500, Net: 0},
		},
		"reversing what was returned whole gives nothing back": {
			[]ledger.ShiftEntry{sale(1, ledger.KindConfirm, 500, 500), back(2, 1, 500, 500), undo(3, 1, ledger.KindConfirm, 0, 0)},
			protocol.ShiftTotals{SalesCount: 1, Sales: 1000, ReturnsCount: 1, Returns: 1000, RedeemedCount: 1, Redeemed: 500, GivenBackCount: 1, GivenBack: 500, Net: 0},
		},
		"a reversed return never was": {
			[]ledger.ShiftEntry{sale(1, ledger.KindConfirm, 500, 500), back(2, 1, 250, 250), undo(3, 1, ledger.KindReturn, 250, 250)},
			protocol.ShiftTotals{SalesCount: 1, Sales: 1000, RedeemedCount: 1, Redeemed: 500, Net: 500},
		},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, shiftTotals(c.entries)) })
	}
}

func TestShiftDifferences(t *testing.T) {
	entries := []ledger.ShiftEntry{
		{Op: 1, Sale: 1, Kind: ledger.KindAccrue, Receipt: "1", Payable: 111},
		{Op: 2, Sale: 2, Kind: ledger.KindAuthorize, Receipt: "2", Payable: 200, Redeemed: 22},
		{Op: 3, Sale: 3, Kind: ledger.KindAuthorize, Receipt: "3", Payable: 300},
		{Op: 4, Sale: 4, Kind: ledger.KindAuthorize, Receipt: "4", Payable: 400},
		{Op: 5, Sale: 4, Kind: ledger.KindConfirm, Receipt: "4", Payable: 444, Flags: []string{"the printed payable differs"}},
		{Op: 6, Kind: ledger.KindPark, Receipt: "6", Payable: 600},
		{Op: 7, Kind: ledger.KindPark, Receipt: "7", Payable: 700},
		{Op: 8, Sale: 8, Kind: ledger.KindAuthorize, Payable: 800},
		{Op: 9, Sale: 8, Kind: ledger.KindVoid, Receipt: "8"},
		{Op: 10, Sale: 10, Kind: ledger.KindAccrue, Receipt: "10", Payable: 1000},
		{Op: 11, Sale: 10, Kind: ledger.KindReverse, Undoes: ledger.KindAccrue, Payable: 1000},
	}
	open := func(id ledger.OpID) bool { return id == 6 }
	status := func(id ledger.OpID) ledger.SaleStatus {
		return map[ledger.OpID]ledger.SaleStatus{3: ledger.SaleExpired, 4: ledger.SaleConfirmed, 8: ledger.SaleVoided}[id]
	}
	host := shiftTotals(entries)
	diff := func(id ledger.OpID, receipt, status, because string, total, redeemed int64) protocol.Difference {
		return protocol.Difference{Operation: id.String(), Receipt: receipt, Status: status, Because: because, Total: total, Redeemed: redeemed}
	}
	parked := diff(6, "6", "parked", differsBecause[differsParked], 600, 0)
	printed := diff(4, "4", "confirmed", "the printed payable differs", 444, 0)
	pending := diff(2, "2", "pending", differsBecause[differsPending], 222, 22)
	expired := diff(3, "3", "expired", differsBecause[differsExpired], 300, 0)
	reversed := diff(10, "10", "reversed", differsBecause[differsReversed], 1000, 0)
	voided := diff(8, "8", "voided", differsBecause[differsVoided], 800, 0)
	because := func(d protocol.Difference) protocol.Difference {
		d.Because = differsBecause[differsByAmount]
		return d
	}
	for name, c := range map[string]struct {
		till int64 // what the till's sales are more than the host's
		want []protocol.Difference
	}{
		"all that stands out, the likeliest first": {7, []protocol.Difference{parked, printed, pending, expired, reversed, voided}},
		"the till counted a held receipt":          {222, []protocol.Difference{because(pending), parked, printed, expired, reversed, voided}},
		"the till did not count a booked receipt": {-111, []protocol.Difference{
			diff(1, "1", "confirmed", differsBecause[differsByAmount], 111, 0), parked, printed, pending, expired, reversed, voided,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			till := host
			till.Sales += c.till
			list, more := shiftDifferences(entries, &till, &host, open, status)
			require.Equal(t, c.want, list)
			require.Zero(t, more)
		})
	}
}

func TestShiftDifferencesAreBounded(t *testing.T) {
	var entries []ledger.ShiftEntry
	for i := range ledger.OpID(protocol.MaxDifferences + 7) {
		entries = append(entries, ledger.ShiftEntry{Op: i + 1, Sale: i + 1, Kind: ledger.KindAuthorize, Payable: 5})
	}
	list, more := shiftDifferences(entries, &protocol.ShiftTotals{}, &protocol.ShiftTotals{},
		func(ledger.OpID) bool { return false }, func(ledger.OpID) ledger.SaleStatus { return ledger.SalePending })
	require.Len(t, list, protocol.MaxDifferences)
	require.Equal(t, 7, more)
}
