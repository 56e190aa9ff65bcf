package main

import (
	"fmt"
	"strings"

	"tillgate/protocol"
	"tillgate/protocol/iso8583"
)

// tillAction is one thing that a till does. run returns what to tell the
// cashier; a refusal is an error.
type tillAction struct {
	takesID bool
	run     func(t *till, f *tillFlags, id string) (outcome string, err error)
}

var tillActions map[string]tillAction

func init() {
	tillActions = map[string]tillAction{
		"sign-on":     {run: network("001", "signed on")},
		"sign-off":    {run: network("002", "signed off")},
		"echo":        {run: network("301", "the server is there")},
		"balance":     {run: (*till).balance},
		"authorize":   {run: (*till).authorize},
		"confirm":     {run: (*till).confirm, takesID: true},
		"void":        {run: (*till).void, takesID: true},
		"accrue":      {run: oneStep("000000")},
		"redeem":      {run: oneStep("170000")},
		"return":      {run: (*till).giveBack, takesID: true},
		"reverse":     {run: (*till).reverse, takesID: true},
		"shift-close": {run: (*till).closeShift},
	}
}

// begin makes a message with what every message has: the till, the time and
// the next STAN.
func (t *till) begin(mti string) (*iso8583.Message, error) {
	m := t.message()
	now := t.clock()
	return m, setAll(m, mti, map[int]string{
		7: now.UTC().Format("0102150405"), 11: t.state.nextSTAN(), 12: now.Format("150405"), 13: now.Format("0102"),
		41: t.terminal, 42: t.store,
	})
}

func setAll(m *iso8583.Message, mti string, fields map[int]string) error {
	if err := m.SetMTI(mti); err != nil {
		return err
	}
	for field, value := range fields {
		if value == "" {
			continue
		}
		if err := m.Set(field, value); err != nil {
			return usagef("%q does not fit: %s", value, err)
		}
	}
	return nil
}

// send exchanges the message and turns a refusal into an error with words.
func (t *till) send(m *iso8583.Message, sale string) (iso8583.Reply, error) {
	t.state.Last = sentMessage{MTI: m.MTI(), STAN: m.Text(11), DE7: m.Text(7), Sale: sale}
	r, err := t.exchange(m)
	if err != nil {
		return r, err
	}
	if r.Code != protocol.Approved.ISO() && r.Code != protocol.Partial.ISO() && r.Code != protocol.TotalsDiffer.ISO() {
		return r, refusal(&r)
	}
	return r, nil
}

// declined is a refusal by the server: an outcome, where other errors are
// failures.
type declined struct{ text string }

func (d *declined) Error() string { return d.text }

// refusal says what DE39 means and what the server adds to it.
func refusal(r *iso8583.Reply) error {
	text := fmt.Sprintf("declined %s", r.Code)
	if r.Help != "" {
		text += " (" + r.Help + ")"
	}
	if len(r.Slip) > 0 {
		text += ": " + strings.Join(r.Slip, " ")
	}
	if r.HasResults && r.Results.MaxPoints > 0 {
		text += fmt.Sprintf("; at most %s points", money(r.Results.MaxPoints))
	}
	return &declined{text}
}

func network(code, outcome string) func(*till, *tillFlags, string) (string, error) {
	return func(t *till, _ *tillFlags, _ string) (string, error) {
		m, err := t.begin("0800")
		if err == nil {
			err = m.Set(70, code)
		}
		if err != nil {
			return "", err
		}
		last := t.state.Last
		_, err = t.send(m, "")
		t.state.Last = last // nothing that could be reversed
		return outcome, err
	}
}

// loyalty is the DE48 that the flags ask for.
func (f *tillFlags) loyalty(t *till) (*iso8583.TLVs, error) {
	var data iso8583.TLVs
	named := 0
	for _, who := range []struct{ kind, value string }{
		{"PHON", f.phone}, {"CARD", f.card}, {"CODE", f.code}, {"MEMB", f.member}, {"MAIL", f.email},
	} {
		if who.value != "" {
			named++
			data.Add(iso8583.TagIdentifierKind, who.kind).Add(iso8583.TagIdentifier, who.value)
		}
	}
	if named > 1 {
		return nil, usagef("name the member in one way only: --phone, --card, --code, --member or --email")
	}
	if f.redeem != "" {
		points, err := f.points()
		if err != nil {
			return nil, err
		}
		data.Add(iso8583.TagRedeem, points)
	}
	if f.partial {
		data.Add(iso8583.TagPartial, "Y")
	}
	for _, code := range f.promo {
		data.Add(iso8583.TagPromo, code)
	}
	return data.Add(iso8583.TagKey, f.key).Add(iso8583.TagCashier, f.cashier).Add(iso8583.TagChannel, f.channel).
		Add(iso8583.TagTender, f.tender), nil
}

func (f *tillFlags) points() (string, error) {
	if strings.EqualFold(f.redeem, "max") {
		return "MAX", nil
	}
	n, err := parseMoney(f.redeem)
	if err != nil {
		return "", usagef("--redeem: %s", err)
	}
	return fmt.Sprint(n), nil
}

// needMember says how to name one.
func (f *tillFlags) needMember() error {
	if f.phone+f.card+f.code+f.member+f.email == "" {
		return usagef("who? name the member with --phone, --card, --code, --member or --email")
	}
	return nil
}

func (t *till) balance(f *tillFlags, _ string) (string, error) {
	m, err := t.begin("0100")
	if err == nil {
		err = f.needMember()
	}
	if err != nil {
		return "", err
	}
	data, err := f.loyalty(t)
	if err != nil {
		return "", err
	}
	if err := firstErr(m.Set(3, "300000"), m.Set(49, t.currency), data.Into(m, 48)); err != nil {
		return "", err
	}
	r, err := t.send(m, "")
	return "approved" + balanceOf(&r), err
}

func balanceOf(r *iso8583.Reply) string {
	if !r.HasBalance {
		return ""
	}
	return fmt.Sprintf("; balance: %s available, %s held, %s pending", money(r.Balance.Available), money(r.Balance.Held), money(r.Balance.Pending))
}

func firstErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// purchase puts basket, total, member and receipt of a purchase into a message.
func (t *till) purchase(m *iso8583.Message, f *tillFlags, processing, receipt string) (total int64, err error) {
	if err := f.needMember(); err != nil {
		return 0, err
	}
	lines, err := f.basket()
	if err != nil {
		return 0, err
	}
	for _, l := range lines {
		total += l.Amount
	}
	if f.total != "" {
		if total, err = parseMoney(f.total); err != nil {
			return 0, usagef("--total: %s", err)
		}
	} else if len(lines) == 0 {
		return 0, usagef("how much? --total 1300.00, or lines with --line")
	}
	if len(lines) > 0 {
		if err := m.SetBasket(lines); err != nil {
			return 0, usagef("--line: %s", err)
		}
	}
	data, err := f.loyalty(t)
	if err != nil {
		return 0, err
	}
	data.Add(iso8583.TagReceipt, receipt)
	return total, firstErr(m.Set(3, processing), m.SetInt(4, total), m.Set(49, t.currency),
		m.Set(60, fmt.Sprint(t.state.Shift)), data.Into(m, 48))
}

// basket reads the --line flags: sku,category,quantity,price.
func (f *tillFlags) basket() ([]protocol.Line, error) {
	var lines []protocol.Line
	for i, text := range f.lines {
		parts := strings.Split(text, ",")
		if len(parts) != 4 {
			return nil, usagef("--line: %q is not sku,category,quantity,price", text)
		}
		quantity, ok := protocol.ParseQuantity(parts[2])
		if !ok || quantity <= 0 {
			return nil, usagef("--line: %q is no quantity; one looks like 2 or 0.345", parts[2])
		}
		price, err := parseMoney(parts[3])
		if err != nil {
			return nil, usagef("--line: %s", err)
		}
		lines = append(lines, protocol.Line{
			ID: fmt.Sprint(i + 1), SKU: parts[0], Category: parts[1], Quantity: quantity, Price: price, Amount: price * quantity / 1000,
		})
	}
	return lines, nil
}

// nextReceipt is the receipt's number: what was asked for, or the next.
func (t *till) nextReceipt(f *tillFlags) string {
	if f.receipt != "" {
		return f.receipt
	}
	t.state.Receipt++
	return fmt.Sprintf("%06d", t.state.Receipt)
}

func (t *till) authorize(f *tillFlags, _ string) (string, error) {
	m, err := t.begin("0100")
	if err != nil {
		return "", err
	}
	total, err := t.purchase(m, f, "000000", "")
	if err != nil {
		return "", err
	}
	r, err := t.send(m, "")
	if err != nil {
		return "", err
	}
	t.state.Last.Sale = r.Hold
	t.state.Sales[r.Hold] = tillSale{Total: total, Redeemed: r.Results.Redeemed, Payable: r.Results.Payable}
	t.state.Recent = r.Hold
	return fmt.Sprintf("held as %s: pay %s and %s points; will earn %s%s", r.Hold, money(r.Results.Payable),
		money(r.Results.Redeemed), money(r.Results.Earned), balanceOf(&r)), nil
}
