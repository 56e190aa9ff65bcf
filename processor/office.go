package processor

import (
	"errors"
	"slices"

	"tillgate/ledger"
	"tillgate/protocol"
)

// What could not be booked by itself, and what the office decides about it.

var _ = serve(protocol.CallListParked, plan{direct: listParked})

var _ = serve(protocol.CallResolveParked, plan{
	kind: ledger.KindResolve, keyed: true, claim: claimParkedReceipt, route: routeParked, decide: decideResolve,
})

const (
	parkedPage = 100  // entries of a page when the caller asks for none
	parkedMost = 1000 // and at most
)

// listParked lists what waits, oldest id first: on the caller's goroutine,
// because all merchants' are looked through and tills must not wait for it.
func listParked(t *Task) error {
	r, out := t.request(), t.response()
	var from ledger.OpID
	if r.Cursor != "" {
		var err error
		if from, err = ledger.ParseOpID(r.Cursor); err != nil {
			t.refuse(protocol.InvalidRequest, "cursor", "is none that this call has given")
			return nil //nolint:nilerr // the refusal is the answer
		}
	}
	limit := r.Limit
	if limit == 0 {
		limit = parkedPage
	}
	limit = min(limit, parkedMost)
	return t.s.ledger.ParkedAll(func(p *ledger.Parked) bool {
		if p.ID < from || p.Merchant != r.Caller.Merchant {
			return true
		}
		if len(out.Parked) == limit {
			out.NextCursor = p.ID.String()
			return false
		}
		out.Parked = append(out.Parked, parkedView(p))
		return true
	})
}

func parkedView(p *ledger.Parked) protocol.Parked {
	v := protocol.Parked{
		ID: p.ID.String(), Kind: parkedKind(p), Because: p.Detail, Status: ledger.SaleParked.String(),
		Terminal: p.Terminal, Store: p.Store, Receipt: p.Receipt, Shift: p.Shift,
		Total: p.Total, Points: p.Points, Since: p.Time,
	}
	if v.Kind == "confirm" || v.Kind == "accrual" {
		v.Redeemed, v.RedeemedMoney = p.Points, p.Redeemed
	}
	if p.Account != 0 {
		v.Member = p.Account.String()
	}
	if p.Parent != 0 {
		v.Authorization = p.Parent.String()
	}
	return v
}

// parkedKind says in a word what waits.
func parkedKind(p *ledger.Parked) string {
	switch {
	case p.Parent != 0, p.Detail == becauseUnknownHold:
		return "confirm"
	case p.Total != 0:
		return "accrual"
	case p.Account != 0:
		return "adjustment"
	case p.Points != 0:
		return "transfer"
	}
	return "confirm"
}

// claimParkedReceipt owns the receipt that may be booked: its list of operations
// belongs to no account.
func claimParkedReceipt(t *Task) {
	id, err := ledger.ParseOpID(t.request().Target)
	if err != nil || id == 0 || id.Partition() >= t.s.partitions {
		return
	}
	var op ledger.Operation
	found, err := t.s.ledger.Operation(id, &op)
	if err != nil || !found || op.Merchant != t.request().Caller.Merchant || op.Receipt == "" || op.Terminal == "" {
		return // routeParked reads it again, and says what is wrong
	}
	t.claim.add(t.s.receiptKey(op.Merchant, op.Store, op.Terminal, op.Receipt))
}

// routeParked goes to the partition of the parked record.
func routeParked(t *Task) {
	t.fetch(t.request().Target)
	if t.refused() {
		return
	}
	if t.otherID == 0 || t.other.Kind != ledger.KindPark {
		t.otherID = 0
		t.refuse(protocol.NotFound, "", "nothing parked has this id")
		return
	}
	t.partition = t.otherID.Partition()
}

// decideResolve books what waits, or rejects it. Either way it no longer
// waits, and the record says who decided and why.
func decideResolve(t *Task, tx *ledger.Tx) error {
	if t.far.there {
		return t.bookFar(tx)
	}
	r := t.request()
	waiting, err := tx.Parked(t.otherID)
	if err != nil {
		return err
	}
	if waiting == nil {
		return t.decline(tx, protocol.AlreadyConfirmed, "", "it has been decided already")
	}
	found, err := tx.Operation(t.otherID, &t.other)
	if err != nil {
		return err
	}
	if !found {
		return errors.New("a parked record is not in the journal")
	}
	busy, booked, err := t.farOf(tx)
	switch {
	case err != nil:
		return err
	case busy:
		t.refuse(protocol.Unavailable, "", "somebody decides about it at this moment; try again")
		return nil
	case booked != 0 && r.Action != "book":
		return t.decline(tx, protocol.AlreadyConfirmed, "", "it is booked, but the server stopped before it was noted: book it again to note it")
	}
	t.when = t.moment(tx.Now())
	status := "rejected"
	if r.Action == "book" {
		status = "booked"
	}
	if r.Action == "book" && booked == 0 {
		var no errNotBookable
		var elsewhere errElsewhere
		err := t.bookWaiting(tx)
		switch {
		case errors.As(err, &no):
			return t.decline(tx, protocol.NotFound, "", no.Error())
		case errors.As(err, &elsewhere):
			t.goFar(ledger.AccountID(elsewhere))
			return nil
		case err != nil:
			return err
		case t.refused():
			return t.declineRefused(tx)
		}
	}
	t.stamp(&t.op, ledger.KindResolve)
	t.op.Account, t.op.Parent, t.op.Target = t.other.Account, t.other.Parent, t.otherID
	t.op.Terminal, t.op.Store = t.other.Terminal, t.other.Store
	t.op.Receipt, t.op.Shift = t.other.Receipt, t.other.Shift
	t.op.Status, t.op.Detail = status, r.Reason
	if t.other.Source != 0 {
		if err := t.giveUp(tx, waiting.Points); err != nil {
			return err
		}
	}
	return t.record(tx)
}

// giveUp takes a parked transfer's points out of transit. A reward goes back to
// where rewards come from; what belonged to a member is the office's, which may
// adjust it to whom it is due.
func (t *Task) giveUp(tx *ledger.Tx, points int64) error {
	leg := ledger.LegAdjusted
	found, err := t.s.ledger.Operation(t.other.Source, &t.side)
	if !found {
		return missing(t.other.Source, err)
	}
	if i := int(t.other.SourceIndex); i < len(t.side.Transfers) && t.side.Transfers[i].Rule != "" {
		leg = ledger.LegReferral
	}
	t.op.Legs[ledger.LegTransit], t.op.Legs[leg] = -points, points
	t.op.Points = points
	return nil
}

// bookWaiting books the parked record in t.other. An adjustment that waits for
// a second person is booked by another caller than the one who asked.
func (t *Task) bookWaiting(tx *ledger.Tx) error {
	if t.other.Source != 0 {
		return errNotBookable("points on their way from one member to another: adjust them by hand, and reject this")
	}
	if !slices.Contains(t.other.Flags, flagSecondPerson) {
		return t.bookParked(tx, &t.other, 0)
	}
	if t.request().Caller.Key == t.other.Actor {
		t.refuse(protocol.Forbidden, "", "another person than the one who asked must book it")
		return nil
	}
	t.who.account = t.other.Account
	a, err := t.member(tx)
	if err != nil || t.refused() {
		return err
	}
	if t.redirect != 0 {
		t.redirect = 0
		return errNotBookable("the member was merged into another: adjust the points there")
	}
	t.purse.load(a, tx.Now())
	t.stamp(&t.side, ledger.KindAdjust)
	t.side.Target, t.side.Status, t.side.Detail = t.otherID, "adjusted", t.other.Detail
	if !t.adjust(&t.side, t.other.Points, tx.Now()) {
		return errNotBookable("the member does not have as many points; an adjustment never overdraws")
	}
	_, err = tx.Append(&t.side)
	return err
}
