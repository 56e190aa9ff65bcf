package project

import (
	"encoding/json"
	"strings"

	"tillgate/ledger"
	"tillgate/protocol"
)

// kindNames are the kinds as reports show them.
var kindNames = [...]string{
	ledger.KindNone:      "none",
	ledger.KindAuthorize: "authorize",
	ledger.KindAmend:     "amend",
	ledger.KindConfirm:   "confirm",
	ledger.KindVoid:      "void",
	ledger.KindExpire:    "expire",
	ledger.KindAccrue:    "accrue",
	ledger.KindRedeem:    "redeem",
	ledger.KindReturn:    "return",
	ledger.KindReverse:   "reverse",
	ledger.KindEnrol:     "enrol",
	ledger.KindRegister:  "register",
	ledger.KindProfile:   "profile",
	ledger.KindErase:     "erase",
	ledger.KindActivate:  "activate",
	ledger.KindLapse:     "lapse",
	ledger.KindAdjust:    "adjust",
	ledger.KindCard:      "card",
	ledger.KindTier:      "tier",
	ledger.KindEvent:     "event",
	ledger.KindMerge:     "merge",
	ledger.KindPostOut:   "post_out",
	ledger.KindPostIn:    "post_in",
	ledger.KindProgram:   "program",
	ledger.KindPark:      "park",
	ledger.KindResolve:   "resolve",
	ledger.KindShift:     "shift",
	ledger.KindMark:      "mark",
	ledger.KindCode:      "code",
	ledger.KindWindow:    "window",
}

// KindName is an operation's kind as reports show it.
func KindName(k ledger.Kind) string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

var edgeNames = [...]string{protocol.EdgeHTTP: "http", protocol.EdgeISO: "iso"}

func edgeName(e uint8) string {
	if int(e) < len(edgeNames) {
		return edgeNames[e]
	}
	return "unknown"
}

// The columns stand in the order in which the functions below write them.
var (
	operationColumns = strings.Fields(`id partition sequence kind code booked_at at at_offset due_at late
		account prev parent target undoes figures source source_index referrer program
		merchant terminal store cashier channel receipt shift actor edge offline registered
		iso_mti iso_processing iso_stan iso_local_time iso_local_date iso_de7 currency
		total discount redeemed payable points earned max_redeem asked
		tier next_tier next_missing detail field status warnings flags
		hold hold_until dropped extended_to owed spent_day spent purchase tier_until into_account
		leg_available leg_pending leg_held leg_deficit leg_issued leg_redeemed leg_expired leg_adjusted leg_referral leg_transit
		after_available after_pending after_held after_deficit`)
	lineColumns = strings.Fields(`operation n line sku category quantity price amount discount redeemed points earned`)
	ruleColumns = strings.Fields(`operation n rule points discount`)
	lotColumns  = strings.Fields(`operation n effect active_at expires_at points own account`)
)

func (t *copyTable) opID(id ledger.OpID) {
	if id == 0 {
		t.null()
		return
	}
	t.length(12)
	t.buf = id.Append(t.buf)
}

func (t *copyTable) accountID(id ledger.AccountID) {
	if id == 0 {
		t.null()
		return
	}
	t.length(13)
	t.buf = id.Append(t.buf)
}

// operationRow writes one record into the operations table.
func operationRow(t *copyTable, op *ledger.Operation) {
	t.begin()
	t.opID(op.ID)
	t.integer(int32(op.ID.Partition()))
	t.bigint(int64(op.ID.Sequence()))
	t.text(KindName(op.Kind))
	t.text(protocol.Code(op.Code).String())
	t.timestamp(op.Time)
	t.timestamp(businessTime(op))
	t.integer(op.Offset)
	t.timestamp(op.Due)
	t.boolean(op.Late)
	t.accountID(op.Account)
	t.opID(op.Prev)
	t.opID(op.Parent)
	t.opID(op.Target)
	t.text(undoesName(op))
	t.opID(op.Figures)
	t.opID(op.Source)
	t.integer(int32(op.SourceIndex))
	t.accountID(op.Referrer())
	t.bigint(int64(op.Program))
	for _, s := range [...]string{op.Merchant, op.Terminal, op.Store, op.Cashier, op.Channel, op.Receipt, op.Shift, op.Actor, edgeName(op.Edge)} {
		t.text(s)
	}
	t.boolean(op.Offline)
	t.boolean(op.Registered)
	i := &op.ISO
	for _, s := range [...]string{i.MTI, i.Processing, i.STAN, i.LocalTime, i.LocalDate, i.DE7, i.Currency} {
		t.text(s)
	}
	for _, v := range [...]int64{op.Total, op.Discount, op.Redeemed, op.Payable, op.Points, op.Earned, op.MaxRedeem, op.Asked} {
		t.bigint(v)
	}
	t.text(op.Tier)
	t.text(op.NextTier)
	t.bigint(op.NextMissing)
	t.text(op.Detail)
	t.text(op.Field)
	t.text(op.Status)
	t.texts(op.Warnings)
	t.texts(op.Flags)
	operationEffects(t, op)
	t.end()
}

// operationEffects writes the second half of the row: what the record did.
func operationEffects(t *copyTable, op *ledger.Operation) {
	t.opID(op.Hold)
	t.timestamp(op.HoldUntil)
	t.opID(op.Drop)
	t.timestamp(op.Extend)
	t.bigint(op.Owed)
	t.date(op.Spent.Day)
	t.bigint(op.Spent.Spent)
	t.boolean(op.Purchase)
	t.timestamp(op.TierUntil)
	t.accountID(op.Into)
	for _, v := range op.Legs {
		t.bigint(v)
	}
	t.bigint(op.After.Available)
	t.bigint(op.After.Pending)
	t.bigint(op.After.Held)
	t.bigint(op.After.Deficit)
}

func undoesName(op *ledger.Operation) string {
	if op.Undoes == ledger.KindNone {
		return ""
	}
	return KindName(op.Undoes)
}

// businessTime is when it happened at the till; of what never was at a till,
// when it fell due or was booked.
func businessTime(op *ledger.Operation) int64 {
	switch {
	case op.At != 0:
		return op.At
	case op.Due != 0:
		return op.Due
	}
	return op.Time
}

func lineRows(t *copyTable, op *ledger.Operation) {
	for n := range op.Lines {
		l := &op.Lines[n]
		t.begin()
		t.opID(op.ID)
		t.integer(int32(n))
		t.text(l.ID)
		t.text(l.SKU)
		t.text(l.Category)
		for _, v := range [...]int64{l.Quantity, l.Price, l.Amount, l.Discount, l.Redeemed, l.Points, l.Earned} {
			t.bigint(v)
		}
		t.end()
	}
}

func ruleRows(t *copyTable, op *ledger.Operation) {
	for n, r := range op.Rules {
		t.begin()
		t.opID(op.ID)
		t.integer(int32(n))
		t.text(r.Name)
		t.bigint(r.Points)
		t.bigint(r.Discount)
		t.end()
	}
}

// lotRows writes what the record did to lots; n counts over all effects.
func lotRows(t *copyTable, op *ledger.Operation) {
	n := int32(0)
	row := func(effect string, p ledger.LotPart, to ledger.AccountID) {
		t.begin()
		t.opID(op.ID)
		t.integer(n)
		t.text(effect)
		t.timestamp(p.Active)
		t.timestamp(p.Expires)
		t.bigint(p.Points)
		t.boolean(p.Own)
		t.accountID(to)
		t.end()
		n++
	}
	for _, p := range op.Lots {
		row("lot", p, 0)
	}
	for _, p := range op.Pins {
		row("pin", p, 0)
	}
	if op.EarnedLot.Points != 0 {
		row("earned", op.EarnedLot, 0)
	}
	for _, tr := range op.Transfers {
		for _, p := range tr.Parts {
			row("sent", p, tr.To)
		}
	}
}

// shiftRow writes a shift's close. Nothing is written if its data can't be read.
func shiftRow(t *copyTable, op *ledger.Operation) error {
	var r protocol.ShiftResult
	if err := protocol.DecodeShiftResult(op.Data, &r); err != nil {
		return err
	}
	t.begin()
	t.opID(op.ID)
	for _, s := range [...]string{op.Merchant, op.Store, op.Terminal, op.Shift} {
		t.text(s)
	}
	t.timestamp(op.Time)
	t.boolean(r.Matched)
	for _, s := range [...]*protocol.ShiftTotals{&r.Till, &r.Host} {
		for _, v := range [...]int64{
			s.SalesCount, s.Sales, s.ReturnsCount, s.Returns, s.RedeemedCount, s.Redeemed, s.GivenBackCount, s.GivenBack, s.Net,
		} {
			t.bigint(v)
		}
	}
	t.end()
	return nil
}

// jsonObject reports whether b is one JSON object, so that a profile that is
// none is refused here and not by PostgreSQL in the middle of a batch.
func jsonObject(b []byte) bool {
	b = []byte(strings.TrimSpace(string(b)))
	return len(b) > 0 && b[0] == '{' && json.Valid(b)
}
