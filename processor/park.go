package processor

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"tillgate/ledger"
	"tillgate/processor/program"
	"tillgate/protocol"
)

// Why a message waits for the office: fixed sentences, so that reports can
// count them.
const (
	becauseUnknownHold = "the hold is not known here"
	becauseAboveHold   = "more was printed than was held"
	becauseLate        = "it came after the hold had expired, and the points are not there any more"
	becauseMoney       = "it counts in another currency than the programme"
)

// parkedData is what a parked message said (Operation.Data of KindPark): JSON,
// read by people and rarely by machines. It holds no identifier: Member is the
// key of the identifier's link, in hexadecimal, where no account is known.
type parkedData struct {
	Version    int             `json:"v"`
	Call       protocol.Call   `json:"call"`
	Member     string          `json:"member,omitempty"`
	Kind       int             `json:"kind,omitempty"`
	Named      string          `json:"named,omitempty"` // what it called the hold
	Total      int64           `json:"total,omitempty"`
	HasBasket  bool            `json:"has_basket,omitempty"`
	Lines      []protocol.Line `json:"lines,omitempty"`
	Tenders    []string        `json:"tenders,omitempty"`
	Redeemed   *int64          `json:"redeemed,omitempty"`
	Payable    *int64          `json:"payable,omitempty"`
	StoreGroup string          `json:"store_group,omitempty"`
	Promos     []parkedPromo   `json:"promo_codes,omitempty"`

	// Took is how many points a till has taken while it was cut off; TookMax:
	// it doesn't say how many, only "as many as are allowed".
	Took    int64 `json:"took,omitempty"`
	TookMax bool  `json:"took_max,omitempty"`
}

// parkedPromo is a promo code that the programme knows, by its entry: a coupon's
// code is made again from its number.
type parkedPromo struct {
	Name   string `json:"name"`
	Series bool   `json:"series,omitempty"`
	Coupon int64  `json:"coupon,omitempty"`
}

const parkedVersion = 1

var errParkedData = errors.New("a parked record has data that can't be read")

// park records a message that can't be booked, for the office to decide.
func (t *Task) park(tx *ledger.Tx, because string) error {
	r, op := t.request(), &t.op
	t.stamp(op, ledger.KindPark)
	op.Parent = t.otherID
	op.Total = r.Total
	if t.otherID != 0 {
		t.inherit(op, &t.other)
		op.Total, op.Discount, op.Redeemed, op.Payable = t.other.Total, t.other.Discount, t.other.Redeemed, t.other.Payable
		op.Points, op.Earned = t.other.Points, t.other.Earned
		op.Lines = append(op.Lines, t.other.Lines...)
	}
	if r.Printed.HasRedeemed {
		t.tookPoints(op, r.Printed.Redeemed)
	}
	if t.tookOffline() {
		t.tookPoints(op, r.Redeem.Points)
	}
	if r.Printed.HasPayable {
		op.Payable = r.Printed.Payable
	}
	if op.Account != 0 && op.Account.Partition(t.s.partitions) != tx.Partition() {
		op.Account = 0
	}
	op.Detail, op.Status = because, ledger.SaleParked.String()
	op.Late = otherMonth(t.when.at, tx.Now(), t.zone())
	data, err := json.Marshal(t.parkedData())
	if err != nil {
		return err
	}
	op.Data = append(op.Data, data...)
	return t.record(tx)
}

// tookPoints puts into a parked record how many points its message says that
// the buyer has paid with, and what they are worth.
func (t *Task) tookPoints(op *ledger.Operation, points int64) {
	op.Points, op.Redeemed = points, points
	if t.version.Program != nil {
		op.Redeemed = t.version.Program.Money(points)
	}
}

// parks reports whether a decline is parked instead: an advice tells of a
// sale that has happened, so it is accepted once it parses and its key is
// free. One that was reversed before it came did not happen.
func (t *Task) parks(code protocol.Code, field string) bool {
	k := t.plan.kind
	return t.request().ISO.Advice && (k == ledger.KindAccrue || k == ledger.KindConfirm) &&
		(code.Remembered() && code != protocol.ReversedBefore || code == protocol.InvalidRequest && readable(field))
}

// readable reports whether a message whose field is out of order has been read
// all the same: a line or the name of a member can't be used, the rest can.
func readable(field string) bool {
	return strings.HasPrefix(field, "basket.lines[") || namesMember(field)
}

// namesMember reports whether a field is the way in which a request names its member.
func namesMember(field string) bool { return strings.HasPrefix(field, "member.") }

// parkDeclined parks an advice that can't be booked. A member who is not known
// is made if need be, because the record can't hold the phone number.
func (t *Task) parkDeclined(tx *ledger.Tx, because string) error {
	if t.when.now == 0 {
		t.when = t.moment(tx.Now())
	}
	if t.who.fresh {
		if err := t.enrol(tx); err != nil {
			return err
		}
	}
	return t.park(tx, because)
}

func (t *Task) parkedData() *parkedData {
	r := t.request()
	d := &parkedData{
		Version: parkedVersion, Call: r.Call, Total: r.Total, HasBasket: r.HasBasket, StoreGroup: r.StoreGroup,
	}
	if t.otherID == 0 {
		d.Named = r.Target
	}
	if t.who.account == 0 {
		if key, ok := t.s.identifierKey(r.Caller.Merchant, r.Member.Kind, r.Member.Value); ok {
			d.Member = hex.EncodeToString(key[:])
		}
	}
	d.Kind = int(r.Member.Kind)
	d.Lines = append(d.Lines, r.Lines...)
	for i := range d.Lines {
		d.Lines[i].Name = ""
	}
	d.Promos = t.parkedPromos()
	for _, p := range r.Payments {
		d.Tenders = append(d.Tenders, p.Tender)
	}
	if t.tookOffline() {
		d.Took, d.TookMax = r.Redeem.Points, r.Redeem.Mode == protocol.RedeemMax
	}
	if r.Printed.HasRedeemed {
		d.Redeemed = &r.Printed.Redeemed
	}
	if r.Printed.HasPayable {
		d.Payable = &r.Printed.Payable
	}
	return d
}

// errNotBookable is why the office's decision to book can't be carried out:
// a sentence for the office.
type errNotBookable string

func (e errNotBookable) Error() string { return string(e) }

// bookParked books what a parked record says, by the office's decision: its
// time window and the lateness of a confirm no longer count, and what is
// missing is owed. account is the member's if it has been found to be of this
// partition, 0 on the shard of the parked record. The record it appends is
// t.side, with Target the parked one; the resolution follows it. An
// errNotBookable is for the office, an errElsewhere for the caller; any other
// error is our fault.
func (t *Task) bookParked(tx *ledger.Tx, parked *ledger.Operation, account ledger.AccountID) error {
	var d parkedData
	if err := json.Unmarshal(parked.Data, &d); err != nil || d.Version != parkedVersion {
		return errParkedData
	}
	if reversed, err := t.reversedSince(tx, parked); err != nil {
		return err
	} else if reversed {
		return errNotBookable("the till has reversed this receipt: reject it")
	}
	u := t.s.tasks.Get().(*Task)
	defer func() {
		u.reset()
		u.s.tasks.Put(u)
	}()
	x := &protocol.Exchange{Request: d.request(t.request(), parked, t.parkedCodes(&d))}
	u.begin(x, t.came)
	if len(d.Lines) > 0 && !protocol.ValidBasket(&x.Request) {
		x.Request.Lines = nil // they contradict each other: what was paid is the total
		u.flags = append(u.flags, flagTotalDiffers)
	}
	u.plan = plans[d.Call]
	u.parked = parked.ID
	u.partition = tx.Partition()
	u.who.account = account
	var err error
	if d.Call == protocol.CallConfirm {
		err = u.bookHold(tx, parked)
	} else {
		err = u.bookAccrual(tx, parked, &d)
	}
	switch {
	case err != nil:
		return err
	case u.redirect != 0:
		return errElsewhere(u.redirect)
	case !u.recorded:
		return errNotBookable(u.refusal.detail)
	}
	t.side, u.op = u.op, t.side
	if t.side.Account != parked.Account {
		return tx.PutLink(t.s.farKey(parked.ID), ledger.Link{Account: t.side.Account})
	}
	return nil
}

// clocksApart is more than the times of two partitions' records, one of which was
// made after the other, can be the wrong way round; ns.
const clocksApart = int64(time.Second)

// reversedSince reports whether a till has reversed the receipt of a parked record
// by its number. Nothing was found by that number then, so that a mark was left.
func (t *Task) reversedSince(tx *ledger.Tx, parked *ledger.Operation) (bool, error) {
	if parked.Receipt == "" || parked.Terminal == "" {
		return false, nil
	}
	known, err := tx.Receipts(t.s.receiptKey(parked.Merchant, parked.Store, parked.Terminal, parked.Receipt))
	for i := range known {
		e := &known[i]
		if e.Mark && (e.Shift == parked.Shift || e.Shift == "" || parked.Shift == "") && e.Time > parked.Time-clocksApart {
			return true, nil
		}
	}
	return false, err
}

// request is the message as it was, made by the caller who resolves it.
func (d *parkedData) request(by *protocol.Request, op *ledger.Operation, codes []string) protocol.Request {
	r := protocol.Request{
		Call: d.Call, Edge: protocol.Edge(op.Edge), Caller: by.Caller,
		Terminal: op.Terminal, Store: op.Store, Cashier: op.Cashier, Channel: op.Channel, StoreGroup: d.StoreGroup,
		Receipt: protocol.Receipt{Number: op.Receipt, Shift: op.Shift},
		At:      protocol.Time{Unix: op.At, Offset: op.Offset, Set: true},
		Member:  protocol.Identifier{Kind: protocol.IdentifierKind(d.Kind)},
		Total:   d.Total, HasBasket: d.HasBasket, Lines: d.Lines, Offline: true,
	}
	r.PromoCodes = codes
	for _, name := range d.Tenders {
		r.Payments = append(r.Payments, protocol.Payment{Tender: name})
	}
	switch {
	case d.TookMax:
		r.Redeem.Mode = protocol.RedeemMax
	case d.Took > 0:
		r.Redeem = protocol.Redeem{Mode: protocol.RedeemPoints, Points: d.Took}
	}
	if d.Redeemed != nil {
		r.Printed.Redeemed, r.Printed.HasRedeemed = *d.Redeemed, true
	}
	if d.Payable != nil {
		r.Printed.Payable, r.Printed.HasPayable = *d.Payable, true
	}
	return r
}

// bookHold books a parked confirm.
func (t *Task) bookHold(tx *ledger.Tx, parked *ledger.Operation) error {
	if parked.Parent == 0 {
		return errNotBookable("the message names no hold that is known here")
	}
	t.otherID, t.who.account = parked.Parent, parked.Account
	if err := read(tx, t.otherID, &t.other); err != nil {
		return err
	}
	a, h, err := t.pending(tx)
	if err != nil {
		return err
	}
	switch {
	case a == nil || a.Into != 0:
		return errNotBookable("the member was merged into another: adjust the points by hand")
	case h != nil && h.Op != t.otherID:
		if err := read(tx, h.Op, &t.other); err != nil {
			return err
		}
	case h == nil:
		sale, err := tx.Sale(t.otherID)
		if err != nil {
			return err
		}
		if sale == nil || sale.Status == ledger.SaleConfirmed || sale.Status == ledger.SaleReversed {
			return errNotBookable(fmt.Sprintf("the sale is %s already", saleState(sale)))
		}
		if err := t.lastFigures(tx); err != nil {
			return err
		}
	}
	t.accept()
	if err := t.bookedAt(tx.Now()); err != nil {
		return err
	}
	if p := &t.request().Printed; p.HasRedeemed && p.Redeemed > t.other.Points {
		p.HasRedeemed = false // no more than was held can be booked
	}
	return t.book(tx, a, h)
}

func saleState(s *ledger.Sale) string {
	if s == nil {
		return "unknown"
	}
	return s.Status.String()
}

// bookAccrual books a parked offline receipt. A member who was unknown then is
// looked for again under the key of the identifier.
func (t *Task) bookAccrual(tx *ledger.Tx, parked *ledger.Operation, d *parkedData) error {
	if t.who.account == 0 {
		t.who.account = parked.Account
	}
	if parked.Account == 0 {
		key, err := hex.DecodeString(d.Member)
		if err != nil || len(key) != len(ledger.Key{}) {
			return errNotBookable("the message names no member that is known here")
		}
		link, err := tx.Link(ledger.Key(key))
		if err != nil {
			return err
		}
		if link == nil || link.Account == 0 {
			return errNotBookable("the member or card is still not known")
		}
		t.who.link = *link
		if t.who.account == 0 {
			t.who.account = link.Account
		}
	}
	if t.who.account.Partition(t.s.partitions) != tx.Partition() {
		t.redirect = t.who.account
		return nil
	}
	return t.sellNow(tx, ledger.KindAccrue, func(f *program.Facts) { f.NoRedeem, f.Agreed = !t.tookOffline(), true })
}
