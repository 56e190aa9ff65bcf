package ledger

import (
	"time"
)

// What the trace's operations do beside their figures: counters, gifts, tiers
// and dates of events.

// beside counts something of the purchase and gives something with it. Of a
// confirm (booked 1) the hold's own counters are added by the caller.
func (x *action) beside(op *Operation, tx *Tx, booked int) {
	today := int32(tx.Now() / int64(24*time.Hour))
	line := CountChange{Count: Count{Key: 10, Bucket: today, Value: 2000, At: op.At, Until: today + 2}, Line: 1}
	code := CountChange{Count: Count{Key: 1 << 63, Value: 1, At: op.At}, Shared: true}
	till := CountChange{Count: Count{Key: uint64(20 + x.r.IntN(3)), Bucket: today, Value: 1, Until: today}, Shared: true}
	if booked == 0 {
		op.Counts = append(op.Counts, [][]CountChange{nil, {line}, {code, till}, {line, code, till}}[x.r.IntN(4)]...)
	}
	switch x.r.IntN(8) {
	case 0:
		op.Gifts = append(op.Gifts, Gift{Rule: "welcome", Part: x.lot(tx, 1+x.r.Int64N(50))})
	case 1:
		op.Grant, op.GrantUntil = "Gold", tx.Now()+int64(2*time.Hour)
	case 2:
		op.Wake = tx.Now() + int64(x.r.IntN(40)+1)*minute
	case 3:
		op.Wake = WakeNever
	case 4:
		if op.Hold == 0 {
			op.Counts = append(op.Counts, CountChange{Count: Count{Key: 5, Value: int64(x.n + 1), At: op.At}, Set: true})
		}
	}
}

// give books the gifts of a purchase.
func (op *Operation) give(a *Account, tx *Tx) {
	for _, g := range op.Gifts {
		lot := g.Part
		op.Legs[LegIssued] -= lot.Points
		if owed := -a.Deficit - op.Owed; lot.Active <= tx.Now() && owed > 0 {
			repaid := min(owed, lot.Points)
			op.Owed += repaid
			lot.Points -= repaid
		}
		op.Lots = append(op.Lots, lot)
	}
}

// takeCounts takes back what a sale has counted: of one line, or of all.
func (op *Operation) takeCounts(sale *Sale, line int) {
	for _, ch := range sale.Counts {
		if ch.Set || line != 0 && int(ch.Line) != line {
			continue
		}
		ch.Value, ch.Line = -ch.Value, 0
		op.Counts = append(op.Counts, ch)
	}
}

// comes is the trace's programme of tiers: in a merge the one that lasts longer
// stays, and what comes back of an old sale ends it.
func comes(_ *Tx, a *Account, t *Transfer, op *Operation) error {
	if st := &t.Standing; st.Back || st.Until > a.TierUntil {
		op.Grant, op.GrantUntil = st.Tier, st.Until
		op.Counts = append(op.Counts, CountChange{Count: Count{Key: 8, Value: 1, At: st.Until + 1}, Set: true})
	}
	return nil
}

// dated is the trace's programme of dated events: what is due gives points,
// and is due again as long as the member buys.
func dated(_ *Tx, a *Account, op *Operation) error {
	lot := LotPart{Active: op.Due, Expires: op.Due + int64(5*time.Hour), Points: 7, Own: true}
	op.Gifts = append(op.Gifts, Gift{Rule: "birthday", Part: lot})
	op.Legs[LegIssued] -= lot.Points
	repaid := min(-a.Deficit, lot.Points)
	op.Owed = repaid
	if lot.Points -= repaid; lot.Points > 0 {
		op.Lots = append(op.Lots, lot)
	}
	op.Counts = append(op.Counts, CountChange{Count: Count{Key: 6, Value: 1, At: op.Due}, Set: true})
	if a.Purchases%2 == 1 {
		op.Wake = op.Due + int64(3*time.Hour)
	}
	return nil
}
