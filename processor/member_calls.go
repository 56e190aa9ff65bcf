package processor

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tillgate/ledger"
	"tillgate/processor/program"
	"tillgate/protocol"
)

// The small calls about one member: one-time codes, tiers by hand,
// history.

var _ = serve(protocol.CallIssueCode, plan{
	kind: ledger.KindCode, keyed: true, route: routeTarget, decide: decideCode, complete: tellCode,
})

var _ = serve(protocol.CallSetTier, plan{
	kind: ledger.KindTier, keyed: true, route: routeTarget, decide: decideTier,
})

var _ = serve(protocol.CallOperations, plan{route: routeTarget, decide: decideOperations})

// codeLife is how long a one-time code lives at most.
const codeLife = 5 * time.Minute

// codeTries bounds the search for a code that nobody has at the moment. With
// 15,625 codes a partition and a life of five minutes a few are enough.
const codeTries = 16

// drawCode makes the six-digit code of an issue: by a keyed hash of what its
// record holds, so that nobody can guess it, nothing has to store it, and a
// repeat of the call tells it again. It names the account's partition.
func (s *Switch) drawCode(op *ledger.Operation) string {
	partition := op.Account.Partition(s.partitions)
	key := s.ledger.Hash("draw code", op.Merchant, op.Account.String(),
		strconv.FormatInt(op.HoldUntil, 10), string(op.Data))
	n := uint64((1_000_000-1-partition)/s.partitions + 1)
	// The modulo's bias is below n/2⁶⁴.
	return fmt.Sprintf("%06d", int(binary.BigEndian.Uint64(key[:])%n)*s.partitions+partition)
}

// decideCode gives the member a new one-time code, which ends the old one. In
// the record Data is the number of the draw.
func decideCode(t *Task, tx *ledger.Tx) error {
	a, err := t.member(tx)
	if err != nil || t.redirect != 0 {
		return err
	}
	switch {
	case t.refused():
		return t.decline(tx, t.refusal.code, "", t.refusal.detail)
	case !a.Registered:
		return t.decline(tx, protocol.IdentificationTooWeak, "", "only a registered member can have codes")
	}
	t.when = t.moment(tx.Now())
	t.stamp(&t.op, ledger.KindCode)
	issued := ledger.CountChange{Count: hourly(program.CountKey("one-time codes"), tx.Now())}
	if countedHour(a, &issued.Count) >= codesPerHour {
		return t.decline(tx, protocol.LimitExceededCount, "", "too many one-time codes were asked for this member within the hour")
	}
	t.op.Counts = append(t.op.Counts, issued)
	t.op.Status, t.op.HoldUntil = "issued", tx.Now()+int64(codeLife)
	for try := range codeTries {
		t.op.Data = append(t.op.Data[:0], byte(try))
		key := t.s.codeKey(t.op.Merchant, t.s.drawCode(&t.op))
		_, live, ok, err := tx.Code(key)
		if err != nil {
			return err
		}
		if ok && live > tx.Now() {
			continue
		}
		until := t.op.HoldUntil
		if err := t.record(tx); err != nil {
			return err
		}
		return tx.PutCode(key, t.who.account, until)
	}
	t.refuse(protocol.Unavailable, "", "no free code was found; try again")
	return nil
}

// hourly is one more of what is counted by the hour of the clock, on an account.
func hourly(key uint64, now int64) ledger.Count {
	return ledger.Count{
		Key: key, Bucket: int32(now / int64(time.Hour)), Value: 1, Until: int32(now/int64(24*time.Hour)) + 1,
	}
}

// countedHour is what an account has counted under the key and bucket of c.
func countedHour(a *ledger.Account, c *ledger.Count) int64 {
	for i := range a.Counts {
		if a.Counts[i].Key == c.Key && a.Counts[i].Bucket == c.Bucket {
			return a.Counts[i].Value
		}
	}
	return 0
}

// tellCode puts the code into the answer of the member's own app. A till or a
// support desk could spend with it: for them the code goes to the member.
func tellCode(t *Task) {
	switch t.request().Caller.Role {
	case protocol.RoleCheckout, protocol.RoleAdmin, protocol.RoleAny:
		t.response().OneTimeCode = t.s.drawCode(&t.op)
	}
}

// decideTier assigns a tier by hand: a floor until it ends.
func decideTier(t *Task, tx *ledger.Tx) error {
	a, err := t.member(tx)
	if err != nil || t.redirect != 0 {
		return err
	}
	if t.refused() {
		return t.decline(tx, t.refusal.code, "", t.refusal.detail)
	}
	r := t.request()
	v, ok := t.s.programs.at(r.Caller.Merchant, tx.Now())
	switch {
	case !ok || !v.Program.HasTier(r.Tier):
		return t.decline(tx, protocol.NotFound, "tier", "the programme in force has no such tier")
	case r.Until.Unix <= tx.Now():
		return t.decline(tx, protocol.OutsideTimeWindow, "until", "lies in the past")
	}
	t.when = t.moment(tx.Now())
	t.stamp(&t.op, ledger.KindTier)
	t.op.Program = v.Number
	t.op.Status, t.op.Tier, t.op.TierUntil, t.op.Detail = "assigned", r.Tier, r.Until.Unix, r.Reason
	t.op.Offset = r.Until.Offset
	was, is := program.Assigned{Tier: a.Tier, Until: a.TierUntil}, program.Assigned{Tier: r.Tier, Until: r.Until.Unix}
	for _, c := range v.Program.ByHand(was, is, keptBy(&t.op, a.Counts), tx.Now(), nil) {
		t.op.Counts = append(t.op.Counts, countOf(c))
	}
	return t.record(tx)
}

const (
	historyPage = 50  // operations of a page when the caller asks for none
	historyMost = 200 // and at most
)

// decideOperations tells the member's history, newest first, as far as the
// journal is kept: every operation names the one before it. The cursor is the id of the next one to tell.
func decideOperations(t *Task, tx *ledger.Tx) error {
	a, err := tx.Account(t.who.account)
	if err != nil || t.refused() {
		return err
	}
	r := t.request()
	if a == nil || a.Erased || a.Merchant != r.Caller.Merchant {
		t.refuse(protocol.MemberNotFound, "", "no such member")
		return nil
	}
	next := a.Last
	if r.Cursor != "" {
		if next, err = ledger.ParseOpID(r.Cursor); err != nil || next.Partition() != tx.Partition() {
			t.refuse(protocol.InvalidRequest, "cursor", "is none that this call has given")
			return nil //nolint:nilerr // the refusal is the answer
		}
	}
	limit := r.Limit
	if limit == 0 {
		limit = historyPage
	}
	limit = min(limit, historyMost)
	out := t.response()
	for next != 0 && len(out.Operations) < limit {
		found, err := tx.Operation(next, &t.op)
		if err != nil {
			return err
		}
		if !found && t.s.ledger.Dropped(next) {
			next = 0 // what lies before is older than the retention
			break
		}
		if !found || t.op.Account != a.ID {
			t.refuse(protocol.InvalidRequest, "cursor", "is none that this call has given for this member")
			return nil
		}
		if !inward(&t.op) {
			out.Operations = append(out.Operations, t.s.operationView(&t.op))
		}
		next = t.op.Prev
	}
	if next != 0 {
		out.NextCursor = next.String()
	}
	return nil
}

// inward reports whether a record is none of the member's history: that a code
// was issued, that somebody has looked for dated events and found none.
func inward(op *ledger.Operation) bool {
	return op.Kind == ledger.KindCode ||
		op.Kind == ledger.KindEvent && (op.Status == statusLooked || op.Status == statusScheduled)
}

// kindNames are the kinds of operation as people and exports read them.
var kindNames = map[ledger.Kind]string{
	ledger.KindAuthorize: "authorize", ledger.KindAmend: "amend", ledger.KindConfirm: "confirm",
	ledger.KindVoid: "void", ledger.KindExpire: "hold_expired", ledger.KindAccrue: "accrue",
	ledger.KindRedeem: "redeem", ledger.KindReturn: "return", ledger.KindReverse: "reverse",
	ledger.KindEnrol: "enrol", ledger.KindRegister: "register", ledger.KindProfile: "profile",
	ledger.KindErase: "erase", ledger.KindActivate: "activate", ledger.KindLapse: "lapse",
	ledger.KindAdjust: "adjust", ledger.KindCard: "card", ledger.KindTier: "tier",
	ledger.KindEvent: "event", ledger.KindMerge: "merge", ledger.KindPostOut: "post_out",
	ledger.KindPostIn: "post_in", ledger.KindPark: "park", ledger.KindResolve: "resolve",
	ledger.KindShift: "shift", ledger.KindMark: "mark", ledger.KindCode: "code",
}

// giftNames are the names under which a record has given points.
func giftNames(op *ledger.Operation) string {
	var names []string
	for i := range op.Gifts {
		names = append(names, strings.Clone(op.Gifts[i].Rule))
	}
	return strings.Join(names, ", ")
}

// arrivedOf is why points have come from another account: the reward's rule, or
// the member who was merged into this one.
func (s *Switch) arrivedOf(op *ledger.Operation) string {
	if len(op.Rules) > 0 {
		return strings.Clone(op.Rules[0].Name)
	}
	var from ledger.Operation
	if found, err := s.ledger.Operation(op.Source, &from); err != nil {
		s.o.Logger.Error("where points came from can't be read", "operation", op.Source, "cause", err)
	} else if found && from.Kind == ledger.KindMerge {
		return "merged: " + from.Account.String()
	}
	return ""
}

// operationView is a record as the member's history shows it.
func (s *Switch) operationView(op *ledger.Operation) protocol.OperationView {
	v := protocol.OperationView{
		ID: op.ID.String(), Kind: kindNames[op.Kind], Status: strings.Clone(op.Status),
		Terminal: strings.Clone(op.Terminal), Store: strings.Clone(op.Store), Receipt: strings.Clone(op.Receipt),
		Time: op.Time, At: op.At,
		Total: op.Total, Discount: op.Discount, Payable: op.Payable, Earned: op.Earned,
		Balance: balanceView(op.After), Reason: strings.Clone(op.Detail),
	}
	if c := protocol.Code(op.Code); !c.OK() {
		v.Status = c.String()
	}
	if op.Parent != 0 {
		v.Parent = op.Parent.String()
	}
	if ofSale(op.Kind) && (op.Kind != ledger.KindPark || op.Redeemed != 0) { // not a parked adjustment's
		v.Redeemed, v.RedeemedMoney = op.Points, op.Redeemed
	}
	if v.Reason == "" && (op.Kind == ledger.KindEnrol || op.Kind == ledger.KindRegister) {
		v.Reason = giftNames(op)
	}
	if op.Kind == ledger.KindPostIn {
		v.Reason = s.arrivedOf(op)
	}
	for _, leg := range op.Legs[:ledger.LegDeficit+1] {
		v.Points += leg
	}
	return v
}
