package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"tillgate/protocol/iso8583"
)

// till plays one till's morning and closes its shift.
func (m *morning) till(ctx context.Context, number int) (end shiftEnd) {
	end.terminal = fmt.Sprintf("T%04d", number+1)
	random := rand.New(rand.NewPCG(m.flags.seed, uint64(number)+1))
	t := &till{
		tillLine: &tillLine{address: m.flags.iso, timeout: 15 * time.Second},
		terminal: end.terminal, store: "S01", currency: "398", clock: time.Now,
		state: &tillState{Shift: m.shift, STAN: random.IntN(900_000), Sales: map[string]tillSale{}},
	}
	defer t.close()
	player := tillPlayer{morning: m, till: t, random: random}
	if _, end.err = tillActions["sign-on"].run(t, &tillFlags{}, ""); end.err != nil {
		return end
	}
	for range m.flags.perTill {
		if end.err = ctx.Err(); end.err != nil {
			return end
		}
		if end.err = player.purchase(); end.err != nil {
			return end
		}
		m.step(1)
	}
	end.totals = t.state.Totals
	_, end.err = t.closeShift(nil, "")
	return end
}

// tillPlayer is a cashier at work.
type tillPlayer struct {
	*morning
	till   *till
	random *rand.Rand
}

// purchase is one customer at the till.
func (p *tillPlayer) purchase() error {
	who := p.customers[p.random.IntN(len(p.customers))]
	f := &tillFlags{total: money(int64(50+p.random.IntN(9950)) * 50), cashier: "C" + p.till.terminal[1:]}
	var err error
	switch p.random.IntN(10) {
	case 0, 1, 2:
		f.phone = who.phone
		err = p.did("receipts earned on", "accrue", f, "")
	case 3:
		f.card = who.card
		err = p.held(f, "void")
	case 4:
		err = p.lost(f, who)
	default:
		f.card, f.redeem, f.partial = who.card, "max", true
		err = p.held(f, "confirm")
	}
	if err == nil && p.random.IntN(12) == 0 {
		err = p.giveBack()
	}
	return err
}

// did runs an action and counts it. A decline is part of a morning.
func (p *tillPlayer) did(what, action string, f *tillFlags, id string) error {
	_, err := tillActions[action].run(p.till, f, id)
	var no *declined
	if errors.As(err, &no) {
		p.count("declined")
		return nil
	}
	if err == nil {
		p.count(what)
	}
	return err
}

// held makes a hold and ends it one way or the other.
func (p *tillPlayer) held(f *tillFlags, end string) error {
	_, err := p.till.authorize(f, "")
	var no *declined
	if errors.As(err, &no) {
		p.count("declined")
		return nil
	}
	if err != nil {
		return err
	}
	if end == "void" {
		return p.did("holds voided", end, &tillFlags{}, "")
	}
	return p.did("holds confirmed", end, &tillFlags{cashier: f.cashier}, "")
}

// giveBack returns a part of the newest sale, if there is one.
func (p *tillPlayer) giveBack() error {
	id := p.till.state.Recent
	sale := p.till.state.Sales[id]
	left := sale.Payable + sale.Redeemed - sale.Returned
	if !sale.Booked || left < 100 {
		return nil
	}
	return p.did("returns", "return", &tillFlags{amount: money(left / 2)}, id)
}

// lost sends an accrual, loses the line before the answer, and does what a
// till must do then: it reverses by what it knows of its own message. Whether
// the accrual was booked or not, nothing is left of it.
func (p *tillPlayer) lost(f *tillFlags, who customer) error {
	t := p.till
	f.phone = who.phone
	m, err := t.begin("0200")
	if err != nil {
		return err
	}
	if _, err := t.purchase(m, f, "000000", t.nextReceipt(f)); err != nil {
		return err
	}
	if err := t.sendBlind(m); err != nil {
		return err
	}
	p.count("lines lost in the middle of a message")
	t.state.Last = sentMessage{MTI: "0200", STAN: m.Text(11), DE7: m.Text(7)}
	var r iso8583.Reply
	reversal, err := t.begin("0400")
	if err == nil {
		err = firstErr(reversal.Set(3, "000000"), reversal.SetOriginal("0200", m.Text(11), m.Text(7)), reversal.Set(60, fmt.Sprint(t.state.Shift)))
	}
	if err != nil {
		return err
	}
	if r, err = t.send(reversal, ""); err != nil {
		return fmt.Errorf("reverse %s: %w", m.Text(11), err)
	}
	p.count("reversals")
	p.lostBooks(m, &r)
	return nil
}

// lostBooks keeps the till's books of a message that was lost and reversed:
// nobody knows whether the sale had been booked, so the host is asked by its
// answer: a reversal that undid something carries the balance it left.
func (p *tillPlayer) lostBooks(m *iso8583.Message, r *iso8583.Reply) {
	if !r.HasBalance {
		return // the mark was there first: nothing was ever booked
	}
	total, err := strconv.ParseInt(m.Text(4), 10, 64)
	if err != nil {
		return // it is our own message: it has an amount
	}
	sale := tillSale{Total: total, Payable: total, Booked: true}
	id := "lost-" + m.Text(11)
	p.till.state.booked(id, sale)
	p.till.state.returned(id, total, 0)
	delete(p.till.state.Sales, id)
	p.till.state.Recent = ""
}

// sendBlind sends a message and hangs up without waiting for the answer.
func (l *tillLine) sendBlind(m *iso8583.Message) error {
	if err := l.dial(); err != nil {
		return err
	}
	frame, err := l.profile.Framing.AppendFrame(nil, iso8583.TPDU{}, l.codec.AppendSigned(nil, m, l.key))
	if err != nil {
		return err
	}
	_, err = l.conn.Write(frame)
	l.close()
	return err
}
