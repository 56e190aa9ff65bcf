package main

import (
	"fmt"
	"strings"

	"tillgate/protocol"
	"tillgate/protocol/iso8583"
)

// sale finds the sale that an action is about: the one named, else the newest.
func (t *till) sale(id string) (string, tillSale, error) {
	if id == "" {
		id = t.state.Recent
	}
	if id == "" {
		return "", tillSale{}, usagef("which one? this till has sold nothing yet in this shift: name an id")
	}
	return id, t.state.Sales[id], nil
}

// confirm books a hold, with the figures as they are printed.
func (t *till) confirm(f *tillFlags, id string) (string, error) {
	id, sale, err := t.sale(id)
	if err != nil {
		return "", err
	}
	m, err := t.begin("0220")
	if err != nil {
		return "", err
	}
	sale.Receipt = t.nextReceipt(f)
	var data, printed iso8583.TLVs
	data.Add(iso8583.TagReceipt, sale.Receipt).Add(iso8583.TagKey, f.key).Add(iso8583.TagCashier, f.cashier)
	if sale.Total > 0 { // a hold of our own: we know what we print
		printed.Add(iso8583.TagRedeemed, fmt.Sprint(sale.Redeemed)).Add(iso8583.TagPayable, fmt.Sprint(sale.Payable))
	}
	err = firstErr(m.Set(3, "000000"), m.SetInt(4, sale.Total), m.Set(37, id), m.Set(49, t.currency),
		m.Set(60, fmt.Sprint(t.state.Shift)), data.Into(m, 48), printed.Into(m, 61))
	if err != nil {
		return "", err
	}
	r, err := t.send(m, id)
	if err != nil {
		return "", err
	}
	if r.HasResults {
		sale.Redeemed, sale.Payable = r.Results.Redeemed, r.Results.Payable
	}
	if !sale.Booked {
		t.state.booked(id, sale)
	}
	return fmt.Sprintf("receipt %s of %s is booked: %s paid, %s points spent, %s earned%s", sale.Receipt, id,
		money(sale.Payable), money(sale.Redeemed), money(r.Results.Earned), balanceOf(&r)), nil
}

// void releases a hold: a reversal that names it.
func (t *till) void(_ *tillFlags, id string) (string, error) {
	id, sale, err := t.sale(id)
	if err != nil {
		return "", err
	}
	if sale.Booked {
		return "", usagef("%s is booked: use return or reverse", id)
	}
	m, err := t.begin("0400")
	if err != nil {
		return "", err
	}
	if err := firstErr(m.Set(3, "000000"), m.Set(37, id), m.Set(60, fmt.Sprint(t.state.Shift))); err != nil {
		return "", err
	}
	last := t.state.Last
	r, err := t.send(m, id)
	t.state.Last = last
	if err != nil {
		return "", err
	}
	delete(t.state.Sales, id)
	if t.state.Recent == id {
		t.state.Recent = ""
	}
	return fmt.Sprintf("%s is released%s", id, balanceOf(&r)), nil
}

// oneStep earns or spends without a hold.
func oneStep(processing string) func(*till, *tillFlags, string) (string, error) {
	return func(t *till, f *tillFlags, _ string) (string, error) {
		m, err := t.begin("0200")
		if err != nil {
			return "", err
		}
		receipt := t.nextReceipt(f)
		total, err := t.purchase(m, f, processing, receipt)
		if err != nil {
			return "", err
		}
		r, err := t.send(m, "")
		if err != nil {
			return "", err
		}
		t.state.Last.Sale = r.RRN
		t.state.booked(r.RRN, tillSale{Total: total, Redeemed: r.Results.Redeemed, Payable: r.Results.Payable, Receipt: receipt})
		return fmt.Sprintf("receipt %s is booked as %s: %s paid, %s points spent, %s earned%s", receipt, r.RRN,
			money(r.Results.Payable), money(r.Results.Redeemed), money(r.Results.Earned), balanceOf(&r)), nil
	}
}

// giveBack returns a sale: lines, a sum, or all that is left.
func (t *till) giveBack(f *tillFlags, id string) (string, error) {
	id, _, err := t.sale(id)
	if err != nil {
		return "", err
	}
	m, err := t.begin("0200")
	if err != nil {
		return "", err
	}
	var data iso8583.TLVs
	data.Add(iso8583.TagKey, f.key).Add(iso8583.TagCashier, f.cashier)
	err = firstErr(m.Set(3, "200000"), m.Set(37, id), m.Set(49, t.currency), m.Set(60, fmt.Sprint(t.state.Shift)), data.Into(m, 48))
	if err != nil {
		return "", err
	}
	if err := f.whatReturns(m); err != nil {
		return "", err
	}
	r, err := t.send(m, id)
	if err != nil {
		return "", err
	}
	t.state.returned(id, r.Results.Payable, r.Results.Redeemed)
	return fmt.Sprintf("returned of %s: %s money and %s points back, %s points taken back%s", id, money(r.Results.Payable),
		money(r.Results.Redeemed), money(r.Results.Earned), balanceOf(&r)), nil
}

// whatReturns reads --amount or --back.
func (f *tillFlags) whatReturns(m *iso8583.Message) error {
	if f.amount != "" && len(f.back) > 0 {
		return usagef("--amount or --back, not both")
	}
	if f.amount != "" {
		n, err := parseMoney(f.amount)
		if err != nil {
			return usagef("--amount: %s", err)
		}
		return m.SetInt(4, n)
	}
	var lines []protocol.ReturnLine
	for _, text := range f.back {
		name, quantity, _ := strings.Cut(text, ",")
		l := protocol.ReturnLine{ID: name}
		if quantity != "" {
			q, ok := protocol.ParseQuantity(quantity)
			if !ok || q <= 0 {
				return usagef("--back: %q is no quantity; one looks like 2 or 0.345", quantity)
			}
			l.Quantity = q
		}
		lines = append(lines, l)
	}
	if len(lines) == 0 {
		return nil
	}
	return m.SetReturnLines(lines)
}

// reverse undoes a message that this till has sent, whether or not its answer
// ever came.
func (t *till) reverse(_ *tillFlags, stan string) (string, error) {
	original := t.state.Last
	switch {
	case original.STAN == "":
		return "", usagef("this till has sent nothing that could be reversed")
	case stan != "" && stan != original.STAN:
		return "", usagef("this till remembers message %s only; to undo a sale use return", original.STAN)
	}
	m, err := t.begin("0400")
	if err == nil {
		err = firstErr(m.Set(3, "000000"), m.SetOriginal(original.MTI, original.STAN, original.DE7), m.Set(60, fmt.Sprint(t.state.Shift)))
	}
	if err != nil {
		return "", err
	}
	r, err := t.send(m, original.Sale)
	t.state.Last = sentMessage{}
	if err != nil {
		t.state.Last = original
		return "", err
	}
	t.undone(original)
	return fmt.Sprintf("message %s is undone, or will be declined should it come late%s", original.STAN, balanceOf(&r)), nil
}

// undone takes a reversed message out of the till's own books.
func (t *till) undone(m sentMessage) {
	sale, ok := t.state.Sales[m.Sale]
	switch {
	case !ok:
	case !sale.Booked:
		delete(t.state.Sales, m.Sale)
	case m.MTI != "0100":
		t.state.returned(m.Sale, sale.Payable, sale.Redeemed)
	}
}

// closeShift compares the shift's totals with the host's; equal ones end it.
func (t *till) closeShift(_ *tillFlags, _ string) (string, error) {
	m, err := t.begin("0500")
	if err == nil {
		err = firstErr(m.SetTotals(&t.state.Totals), m.Set(50, t.currency), m.Set(60, fmt.Sprint(t.state.Shift)))
	}
	if err != nil {
		return "", err
	}
	last := t.state.Last
	r, err := t.send(m, "")
	t.state.Last = last
	if err != nil {
		return "", err
	}
	own := &t.state.Totals
	if r.Code == protocol.TotalsDiffer.ISO() {
		return "", fmt.Errorf("shift %d stays open, the totals differ\n%s", t.state.Shift, totalsTable(own, &r.Totals))
	}
	outcome := fmt.Sprintf("shift %d is closed, the totals match\n%s", t.state.Shift, totalsTable(own, own))
	t.state.newShift()
	return outcome, nil
}

// totalsTable sets the till's totals beside the host's.
func totalsTable(own, host *protocol.ShiftTotals) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  %-12s %6s %14s   %6s %14s\n", "", "till", "", "host", "")
	for _, row := range []struct {
		name                  string
		n, sum, hostN, hostTo int64
	}{
		{"sales", own.SalesCount, own.Sales, host.SalesCount, host.Sales},
		{"returns", own.ReturnsCount, own.Returns, host.ReturnsCount, host.Returns},
		{"redeemed", own.RedeemedCount, own.Redeemed, host.RedeemedCount, host.Redeemed},
		{"given back", own.GivenBackCount, own.GivenBack, host.GivenBackCount, host.GivenBack},
	} {
		fmt.Fprintf(&b, "  %-12s %6d %14s   %6d %14s\n", row.name, row.n, money(row.sum), row.hostN, money(row.hostTo))
	}
	fmt.Fprintf(&b, "  %-12s %6s %14s   %6s %14s", "net", "", money(own.Net), "", money(host.Net))
	return b.String()
}
