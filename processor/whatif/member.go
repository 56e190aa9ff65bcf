package whatif

import (
	"slices"

	"tillgate/ledger"
)

// maxSales is how many sales of a member are remembered, for returns and
// confirms. A return of an older one is booked under the draft as it really
// was, a confirm is decided anew; the report says how many there were.
const maxSales = 16

// maxUndo is how many returns of one sale are remembered, for their reversal.
const maxUndo = 8

// member is one account, as it is and as it would be.
//
// It is bounded: two accounts, each bounded by the ledger (500 lots of 40
// bytes, 256 holds, 400 sums by day of 16 bytes and the counters of its
// programme, which ends are theirs), and maxSales sales of some 450 bytes. A
// weekly shopper takes 3 KiB or so.
type member struct {
	older bool // its history begins before what is kept of the journal: it is left out
	real  ledger.Account
	draft *ledger.Account // nil as long as it is the real one
	sales []*sale         // at most maxSales, in no order
	turn  int             // which of them is the next to be forgotten
	gain  int64           // money: what the draft has let off and taken in points beyond what was
	count int64           // receipts in the period
	who   *person         // nil: not asked for yet
}

// person is what rules may ask of the member's profile.
type person struct {
	month, day uint8 // of the birthday; 0 if it is not known
	tags       []string
}

// figures are a receipt's, minor units: money but for points and earned.
type figures struct {
	total, discount, redeemed, payable, points, earned int64
}

// figuresOf are the figures of a record.
func figuresOf(op *ledger.Operation) figures {
	return figures{
		total: op.Total, discount: op.Discount, redeemed: op.Redeemed,
		payable: op.Payable, points: op.Points, earned: op.Earned,
	}
}

// plus adds sign times the figures of another.
func (f *figures) plus(g figures, sign int64) {
	f.total += sign * g.total
	f.discount += sign * g.discount
	f.redeemed += sign * g.redeemed
	f.payable += sign * g.payable
	f.points += sign * g.points
	f.earned += sign * g.earned
}

// sale is an authorization or a sale, as it was and as it would have been.
type sale struct {
	id     ledger.OpID
	booked bool
	open   bool // a hold whose figures wait for their confirm
	real   figures
	draft  figures
	at     int64            // business date, unix ns
	own    ledger.LotPart   // under the draft: its own lot
	pins   []ledger.LotPart // under the draft: what it has consumed, in order
	more   []ledger.LotPart // under the draft: its further lots, with terms of their own
	rules  []ledger.Rule    // of a hold, under the draft
	beside beside           // under the draft: what it does beside its figures
	back   *back            // what has come back; nil for nothing
}

// back is what has come back of a sale.
type back struct {
	real, draft figures
	restored    []ledger.LotPart // of the sale's pins, under the draft
	undo        []undo           // the newest last
}

// undo is what one return has done under the draft, for its reversal.
type undo struct {
	id     ledger.OpID
	f      figures
	pins   []ledger.LotPart
	took   []ledger.LotPart // of each lot
	counts []ledger.CountChange
	gifts  []ledger.Gift
	reward int64 // points of rewards taken back
	lapsed int64 // points that had expired and did not come back
	taken  int64 // points taken back, less those forgiven
}

// sale finds a sale that is remembered; nil if it is not.
func (m *member) sale(id ledger.OpID) *sale {
	for i := len(m.sales) - 1; i >= 0; i-- {
		if m.sales[i].id == id {
			return m.sales[i]
		}
	}
	return nil
}

// remember is the sale of an authorization, emptied, or a new one.
func (m *member) remember(id ledger.OpID) *sale {
	if s := m.sale(id); s != nil {
		s.reset(id)
		return s
	}
	return m.begin(id)
}

// begin is a new sale. It may take the place of an old one.
func (m *member) begin(id ledger.OpID) *sale {
	if len(m.sales) < maxSales {
		s := &sale{id: id}
		m.sales = append(m.sales, s)
		return s
	}
	s := m.eldest()
	s.reset(id)
	return s
}

// eldest is the oldest sale that may be forgotten: not a hold that is open, if
// there is another.
func (m *member) eldest() *sale {
	a := &m.real
	if m.draft != nil {
		a = m.draft
	}
	for range maxSales {
		s := m.sales[m.turn]
		m.turn = (m.turn + 1) % maxSales
		if s.booked || a.Hold(s.id) == nil {
			return s
		}
	}
	return m.sales[m.turn]
}

// reset empties a sale and keeps the room of its lists.
func (s *sale) reset(id ledger.OpID) {
	*s = sale{id: id, pins: s.pins[:0], more: s.more[:0], rules: s.rules[:0], beside: s.beside.empty()}
}

// forget forgets a sale.
func (m *member) forget(id ledger.OpID) {
	if s := m.sale(id); s != nil {
		s.reset(0)
	}
}

// fork begins the draft's account: until then both were one.
func (m *member) fork() {
	if m.draft != nil {
		return
	}
	d := m.real
	d.Lots = slices.Clone(m.real.Lots)
	d.Days = slices.Clone(m.real.Days)
	d.Counts = slices.Clone(m.real.Counts)
	d.Upline = slices.Clone(m.real.Upline)
	d.Holds = slices.Clone(m.real.Holds)
	for i := range d.Holds {
		d.Holds[i].Pins = slices.Clone(d.Holds[i].Pins)
		d.Holds[i].Counts = slices.Clone(d.Holds[i].Counts)
	}
	m.draft = &d
}

// owned is what an account owns: spendable, pending and held points, less what
// it owes.
func owned(a *ledger.Account) (has, owes int64) {
	has = sum(a.Lots)
	for i := range a.Holds {
		has += a.Holds[i].Held()
	}
	return has, -a.Deficit
}
