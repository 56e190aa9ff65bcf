package processor

import (
	"errors"

	"tillgate/ledger"
	"tillgate/processor/program"
	"tillgate/protocol"
)

// maxHops bounds how often a request follows a merged account to the next. An
// alias leads on for ever and merges make no circle: nobody is merged as often.
const maxHops = 1000

// Task is one exchange on its way through the switch. It implements
// [ledger.Task]. Tasks are pooled: an errand is forgotten with its exchange,
// everything else is scratch space that keeps its memory.
type Task struct {
	s *Switch
	errand

	// other is the record that the request refers to, as of before the shard:
	// a hold's authorization, the operation to reverse.
	other ledger.Operation

	ahead ledger.Ahead // the record of the account that will be asked for

	// What is decided on the shard.
	facts    program.Facts
	decision program.Decision
	days     program.Almanac // of the store
	purse    purse
	op       ledger.Operation      // the record that answers
	side     ledger.Operation      // a record beside it
	more     []ledger.LotPart      // earned lots with a term of their own
	upline   []ledger.AccountID    // who is above the member
	said     remarks               // what the decision says beside its figures
	flags    []string              // of the request itself, for its record
	bans     []ban                 // what the guard blocks because of it
	done     []ledger.LotPart      // scratch: what returns gave back before
	took     []ledger.LotPart      // scratch: what the return that is undone took of each lot
	changes  []program.CountChange // scratch
	nobody   ledger.Account        // a member who is made with the sale; it stays empty
	lent     []lentTags            // tags of products in the request's lines
}

// errand is what a task knows of its exchange alone.
type errand struct {
	x    *protocol.Exchange
	plan *plan
	came int64 // wall clock, unix ns

	claim claimSet
	dups  dupSet

	// refusal is a decline that was certain before the shard was asked.
	refusal struct {
		code          protocol.Code
		field, detail string
	}

	who       identity
	partition int
	hops      int
	redirect  ledger.AccountID // the account has moved: ask again there
	otherID   ledger.OpID      // of the record that the request refers to

	when     moment
	version  program.Version
	heir     heir        // of a merged account
	target   target      // of a reversal
	parked   ledger.OpID // the parked message that the office books
	far      far         // of one that is booked in another partition
	again    bool        // a repeat whose DE7 is to be noted
	recorded bool
	attempt  bool     // a one-time code was tried and must be counted
	wrong    bool     // and it was wrong
	guess    guess    // what it is counted by
	drawn    *drawing // card numbers that the request draws
}

func (t *Task) begin(x *protocol.Exchange, now int64) {
	t.x, t.came = x, now
	x.Response.Reset()
	x.Response.Call = x.Request.Call
}

// request is the request being served.
func (t *Task) request() *protocol.Request { return &t.x.Request }

// response is the answer being made.
func (t *Task) response() *protocol.Response { return &t.x.Response }

// refuse notes a decline. Before the shard it is recorded there if the code
// is one that is remembered; after it, it is the answer.
func (t *Task) refuse(code protocol.Code, field, detail string) {
	t.refusal.code, t.refusal.field, t.refusal.detail = code, field, detail
	r := &t.x.Response
	r.Code, r.Field, r.Detail = code, field, detail
}

// refused reports whether the request is declined already.
func (t *Task) refused() bool { return t.refusal.code != protocol.Approved }

// shed answers at once, without a record.
func (t *Task) shed(code protocol.Code, detail string) {
	t.refuse(code, "", detail)
	t.finish()
}

// run goes on once the keys are owned: duplicates, routing, the shard.
func (t *Task) run() {
	if t.plan.keyed {
		done, err := t.repeated()
		if err != nil {
			t.fault(err)
			return
		}
		if t.again {
			t.partition = t.homeless()
			t.enter()
			return
		}
		if done {
			t.finish()
			return
		}
	}
	t.partition = t.homeless()
	if t.plan.direct != nil {
		t.runDirect()
		return
	}
	if t.plan.route != nil {
		t.find()
	}
	if t.refused() && !t.lasting() {
		t.finish()
		return
	}
	// A refusal goes the same way, also one that is not recorded: what it was
	// concluded from may not be on disk yet.
	t.enter()
}

// find routes the task to whom it is about. An advice that is wrong, and waits for
// the office, is told with its member or hold all the same.
func (t *Task) find() {
	was := t.refusal
	if t.refused() && !t.parks(was.code, was.field) {
		return
	}
	if namesMember(was.field) {
		t.request().Member = protocol.Identifier{} // it is nobody's name
	}
	t.plan.route(t)
	if was.code != protocol.Approved && !t.refusal.code.Retryable() {
		t.refuse(was.code, was.field, was.detail)
	}
}

// lasting reports whether a refusal is recorded: as the decline that it is, or
// as a message that waits for the office.
func (t *Task) lasting() bool {
	return t.refusal.code.Remembered() || t.parks(t.refusal.code, t.refusal.field)
}

// runDirect serves a call without a shard, and waits until what it has read is
// on disk.
func (t *Task) runDirect() {
	if t.refused() {
		t.finish()
		return
	}
	err := t.plan.direct(t)
	if err == nil && t.plan.keyed && t.refused() && t.refusal.code.Remembered() {
		t.enter() // the decline is recorded, for a repeat to get it again
		return
	}
	if err == nil {
		err = t.s.ledger.WaitSynced()
	}
	switch {
	case err == nil:
		t.finish()
	case errors.Is(err, ledger.ErrOverloaded):
		t.shed(protocol.Overloaded, "the server is overloaded; try again")
	case errors.Is(err, ledger.ErrClosed):
		t.shed(protocol.Unavailable, "the server is stopping")
	default:
		t.fault(err)
	}
}

// enter reads the account that the task will ask for, beside the others'
// reading, and hands the task to its shard.
func (t *Task) enter() {
	id := t.who.account
	if id == 0 && t.otherID != 0 {
		id = t.other.Account
	}
	t.s.ledger.ReadAhead(id, &t.ahead)
	t.submit()
}

// submit hands the task to its shard. It never waits.
func (t *Task) submit() {
	err := t.s.ledger.Submit(t.partition, t)
	switch {
	case err == nil:
	case errors.Is(err, ledger.ErrOverloaded):
		t.shed(protocol.Overloaded, "the server is overloaded; try again")
	case errors.Is(err, ledger.ErrClosed):
		t.shed(protocol.Unavailable, "the server is stopping")
	default:
		t.fault(err)
	}
}

// Decide is the ledger's call on the shard's event loop.
func (t *Task) Decide(tx *ledger.Tx) error {
	tx.Use(&t.ahead)
	switch {
	case t.again:
		return t.noteRepeat(tx)
	case t.heir.looks:
		return t.look(tx)
	case t.refused():
		return t.declineRefused(tx)
	}
	return t.plan.decide(t, tx)
}

// Done is the ledger's call when everything the task has read and written is
// on disk.
func (t *Task) Done(err error) {
	switch {
	case errors.Is(err, ledger.ErrClosed):
		t.shed(protocol.Unavailable, "the server is stopping")
		return
	case err != nil:
		t.fault(err)
		return
	case t.redirect != 0:
		t.follow()
		return
	case t.recorded:
		t.ban()
		t.answer()
	}
	t.finish()
}

// answer renders the record that answers the request.
func (t *Task) answer() {
	render(&t.op, &t.x.Response)
	if t.plan.complete != nil && t.x.Response.Code.OK() {
		t.plan.complete(t)
	}
}

// follow asks again in the partition of the account that this one was merged
// into.
func (t *Task) follow() {
	if t.hops++; t.hops > maxHops {
		t.fault(errors.New("a chain of merged accounts has no end"))
		return
	}
	t.who.account, t.redirect = t.redirect, 0
	t.partition = t.who.account.Partition(t.s.partitions)
	if t.far.done {
		t.partition = t.otherID.Partition()
	}
	t.submit() // answers go out here: the shard reads what it needs itself
}

// fault answers 96. The cause is only in the log.
func (t *Task) fault(err error) {
	t.s.o.Logger.Error("a request failed", "call", t.x.Request.Call, "edge", t.x.Request.Edge, "cause", err)
	t.recorded = false
	t.x.Response.Reset()
	t.x.Response.Call = t.x.Request.Call
	t.refuse(protocol.Internal, "", "the server failed; nothing was booked")
	if t.far.done {
		t.refuse(protocol.Internal, "", "the server failed; it is booked, but not noted: book it again to note it")
	}
	t.finish()
}

// finish gives the keys and the exchange back. The task is free afterwards.
func (t *Task) finish() {
	s, x := t.s, t.x
	if t.attempt {
		s.attempts.end(&t.guess, s.o.Clock(), t.wrong)
	}
	t.leaveFar()
	s.claims.release(t, s.resumeLater)
	t.takeTagsBack()
	t.reset()
	s.tasks.Put(t)
	x.Done(x)
	s.leave()
}

// reset forgets the exchange and keeps the memory. The other record is
// emptied at once: its terminal is the scope of a key (duplicates.go), and one
// left over from the exchange before would put this one's key elsewhere.
func (t *Task) reset() {
	t.errand = errand{}
	clearOperation(&t.other)
	t.facts = program.Facts{Days: t.facts.Days[:0], Counts: t.facts.Counts[:0], Promos: t.facts.Promos[:0]}
	t.more, t.upline, t.flags, t.bans = t.more[:0], t.upline[:0], t.flags[:0], t.bans[:0]
	t.done, t.changes = t.done[:0], t.changes[:0]
	t.said.reset()
	t.decision.Reset()
}

// stamp begins a record about this request: who asked, when and where.
func (t *Task) stamp(op *ledger.Operation, kind ledger.Kind) {
	r := &t.x.Request
	clearOperation(op)
	op.Kind, op.Render = kind, renderVersion
	op.At, op.Offset = t.when.at, t.when.offset
	op.Account = t.who.account
	op.Program = t.version.Number
	op.Merchant, op.Actor, op.Edge = r.Caller.Merchant, r.Caller.Key, uint8(r.Edge)
	op.Terminal, op.Store, op.Cashier, op.Channel = r.Terminal, r.Store, r.Cashier, r.Channel
	op.Receipt, op.Shift = r.Receipt.Number, r.Receipt.Shift
	op.Offline = r.Offline
	if r.Edge == protocol.EdgeISO {
		op.ISO = ledger.ISORef{
			MTI: r.ISO.MTI, Processing: r.ISO.Processing, STAN: r.ISO.STAN,
			LocalTime: r.ISO.LocalTime, LocalDate: r.ISO.LocalDate, DE7: r.ISO.DE7, Currency: r.ISO.Currency,
		}
	}
}

// clearOperation empties a record and keeps the memory of its slices.
func clearOperation(op *ledger.Operation) {
	*op = ledger.Operation{
		Dups: op.Dups[:0], Lines: op.Lines[:0], Rules: op.Rules[:0], Hints: op.Hints[:0],
		Warnings: op.Warnings[:0], Flags: op.Flags[:0], Lots: op.Lots[:0], Pins: op.Pins[:0],
		Transfers: op.Transfers[:0], Data: op.Data[:0], Sums: op.Sums[:0], Upline: op.Upline[:0],
		Counts: op.Counts[:0], Gifts: op.Gifts[:0], Rewards: op.Rewards[:0],
	}
}

// record appends the record that answers the request, remembered under the
// request's duplicate keys.
func (t *Task) record(tx *ledger.Tx) error {
	t.remember(&t.op)
	if _, err := tx.Append(&t.op); err != nil {
		return err
	}
	t.recorded = true
	return nil
}

// decline answers with a decline, and records it if the call has a duplicate
// key and the code is one that is remembered.
func (t *Task) decline(tx *ledger.Tx, code protocol.Code, field, detail string) error {
	if t.parks(code, field) {
		return t.parkDeclined(tx, detail)
	}
	if !t.plan.keyed || t.dups.n == 0 || !code.Remembered() {
		t.refuse(code, field, detail)
		t.maxPoints(code, field)
		return nil
	}
	if t.when.now == 0 {
		t.when = t.moment(tx.Now())
	}
	t.stamp(&t.op, t.plan.kind)
	if t.who.fresh || t.plan.kind == ledger.KindEnrol || t.who.account.Partition(t.s.partitions) != tx.Partition() {
		t.op.Account = 0
	}
	t.op.Parent = t.otherID
	t.op.Code, t.op.Field, t.op.Detail = uint8(code), field, detail
	t.op.Flags = append(append(t.op.Flags, t.flags...), t.decision.Flags...)
	if t.plan.kind == ledger.KindReturn && t.otherID == 0 && code == protocol.NotFound {
		if err := t.unknownReturn(tx, &t.op); err != nil {
			return err
		}
	}
	t.op.Total, t.op.Discount = t.decision.Total, t.decision.Discount
	t.op.MaxRedeem = t.decision.MaxRedeem
	// What was asked may be what is out of range: the books take amounts only.
	t.op.Asked = min(max(t.x.Request.Redeem.Points, 0), protocol.MaxAmount)
	return t.record(tx)
}

// maxPoints puts the permitted maximum beside a decline of a redemption.
func (t *Task) maxPoints(code protocol.Code, field string) {
	if tellsMaximum(code, field) {
		t.x.Response.MaxPoints, t.x.Response.HasMaxPoints = t.decision.MaxRedeem, true
	}
}

// tellsMaximum reports whether a decline carries max_points.
func tellsMaximum(code protocol.Code, field string) bool {
	return code == protocol.InsufficientPoints || code == protocol.RedeemNotAllowed ||
		code == protocol.LimitExceededAmount && field == fieldPoints
}

// fieldPoints is the request's field that says how many points to redeem.
const fieldPoints = "redeem.points"
