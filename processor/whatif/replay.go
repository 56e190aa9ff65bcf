package whatif

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"tillgate/ledger"
	"tillgate/processor/program"
	"tillgate/protocol"
)

// Journal is where the receipts are: a [ledger.Ledger].
type Journal interface {
	Partitions() int
	// First and Synced are the first and the last record that is there; Begins
	// is the time from which all partitions have theirs, 0 for always.
	First(partition int) uint64
	Synced(partition int) uint64
	Begins() (int64, error)
	Journal(partition int, from uint64, fn func(id ledger.OpID, record []byte) bool) error
	Accounts(partition int, fn func(ledger.AccountID) bool) error
}

// Shop knows what the switch knows beside the books: the processor's Switch.
type Shop interface {
	// Store is the store's row in the directory: zone is nil where it names
	// none.
	Store(merchant, store string) (zone *time.Location, group, partner string)
	// Describe fills what a line leaves out from the product directory.
	Describe(merchant string, line *protocol.Line)
	// Codes appends the promo codes of a record that a programme knows too.
	Codes(op *ledger.Operation, p *program.Program, uses []program.PromoUse) []program.PromoUse
	// Tiers appends the tiers that the promo codes of a record have given.
	Tiers(op *ledger.Operation, tiers []program.CodeTier) []program.CodeTier
	// Person is what rules may ask of a member's profile as it is now: the day
	// of the birthday, 0 where it isn't known, and tags.
	Person(id ledger.AccountID) (month, day uint8, tags []string)
	// Merged are the members who are one with another since a record brought
	// there what they had; nobody, if it is no such record.
	Merged(op *ledger.Operation) []ledger.AccountID
	// Versions are the merchant's published programmes.
	Versions(merchant string) program.Versions
	// Promised tells what a hold's or a sale's record keeps beside its figures:
	// how the member was named, where that is known, and the lots with a term
	// of their own.
	Promised(op *ledger.Operation) (kind protocol.IdentifierKind, spendByID bool, more []ledger.LotPart)
}

// Query says what is replayed: the draft over the merchant's receipts that
// were booked in [From, To), unix ns. From 0 is the beginning.
type Query struct {
	Merchant string
	Draft    *program.Program
	Document []byte // of the draft
	From, To int64
}

// replay is one run. It reads one partition after the other, because members
// live wholly in one, and of a large partition one slice of the members after
// the other, so that it never holds more than most of them or so.
type replay struct {
	q        Query
	most     int // members that are held at a time
	journal  Journal
	shop     Shop
	versions program.Versions
	values   map[uint32]*program.Program // by version
	extends  bool                        // some programme extends lots

	members map[ledger.AccountID]*member
	slices  uint64 // into how many the members of the partition are cut
	slice   uint64 // the one that is replayed

	op       ledger.Operation // the record; its strings are there until the next one
	mine     ledger.Operation // what the draft books instead
	request  protocol.Request
	facts    program.Facts
	decision program.Decision
	days     program.Almanac
	named    []ledger.Rule // of the decision
	sums     program.Facts
	changes  []program.CountChange
	moved    []ledger.LotPart // by a record that the draft has no say in
	had      []ledger.LotPart // before a return

	tally tally
}

func newReplay(j Journal, shop Shop, q Query, most int) *replay {
	r := &replay{
		q: q, most: most, journal: j, shop: shop, versions: shop.Versions(q.Merchant),
		values: map[uint32]*program.Program{}, tally: newTally(),
	}
	r.extends = !q.Draft.Lots().ExtendOnPurchase.Zero()
	for _, v := range r.versions.All() {
		r.values[v.Number] = v.Program
		r.extends = r.extends || !v.Program.Lots().ExtendOnPurchase.Zero()
	}
	return r
}

// burst is how many records are replayed before the pace is asked for: about a
// millisecond's work.
const burst = 512

// run replays everything. pace is called between bursts with the records done
// so far, and ends the run with its error.
func (r *replay) run(ctx context.Context, pace func(ctx context.Context, done, total int64) error) (*protocol.WhatIf, error) {
	cuts := make([]uint64, r.journal.Partitions())
	var done, total int64
	for p := range cuts {
		n := 0
		if err := r.journal.Accounts(p, func(ledger.AccountID) bool { n++; return true }); err != nil {
			return nil, err
		}
		cuts[p] = uint64((n + r.most - 1) / r.most)
		total += int64(cuts[p] * (r.journal.Synced(p) + 1 - r.journal.First(p)))
	}
	step := func(n int) error {
		done += int64(n)
		return pace(ctx, min(done, total), total)
	}
	for p := range cuts {
		for slice := range cuts[p] {
			r.slices, r.slice = cuts[p], slice
			if err := r.partition(p, step); err != nil {
				return nil, err
			}
		}
	}
	return r.report(), nil
}

// partition replays one slice of one partition's members.
func (r *replay) partition(p int, step func(int) error) error {
	r.members = map[ledger.AccountID]*member{}
	last := r.journal.Synced(p)
	for next, over := r.journal.First(p), false; next <= last && !over; {
		n := 0
		var bad error
		err := r.journal.Journal(p, next, func(id ledger.OpID, record []byte) bool {
			n++
			if over, bad = r.record(record); bad != nil {
				bad = fmt.Errorf("the record %s can't be replayed: %w", id, bad)
			}
			return !over && bad == nil && n < burst && next+uint64(n) <= last
		})
		if err := errors.Join(err, bad); err != nil {
			return err
		}
		next += uint64(n)
		if over {
			n += int(last + 1 - next)
		}
		if err := step(n); err != nil {
			return err
		}
	}
	return r.settle()
}

// record replays one record. over says that the rest of the partition lies
// behind the period.
func (r *replay) record(record []byte) (over bool, err error) {
	op := &r.op
	if err := ledger.BorrowOperation(record, op); err != nil {
		return false, err
	}
	if op.Due == 0 && op.Time >= r.q.To {
		return true, nil
	}
	if op.Account == 0 || op.Declined() || op.Merchant != r.q.Merchant || uint64(op.Account)%r.slices != r.slice {
		return false, nil
	}
	m := r.members[op.Account]
	if m == nil {
		m = &member{older: op.Prev != 0}
		r.members[op.Account] = m
		if m.older {
			r.tally.guessed.Older++
		}
	}
	if m.older {
		return false, nil
	}
	when := op.Time
	if op.Due != 0 {
		when = op.Due
	}
	switch {
	case when >= r.q.To:
		return false, nil // the partition's end does it
	case when < r.q.From:
		r.recall(m)
	case m.draft == nil && plainDue(op) && !r.q.Draft.Dated():
		r.lapsed(&r.tally.real)
		r.lapsed(&r.tally.draft)
	default:
		r.fork(m)
		if err := r.both(m, when); err != nil {
			return false, r.refused(m, err)
		}
		if dates, early := dates(op); dates {
			r.schedule(m, when, early)
		}
	}
	r.unite(m)
	return false, ledger.Apply(&m.real, op)
}

// unite takes those who are now one with the member from above it, as the
// switch does: nobody is rewarded for one's own purchases.
func (r *replay) unite(m *member) {
	if r.op.Kind != ledger.KindPostIn || len(r.op.Rules) > 0 || len(m.real.Upline) == 0 {
		return
	}
	if one := r.shop.Merged(&r.op); len(one) > 0 {
		m.real.Upline = m.real.Above(one)
		if m.draft != nil {
			m.draft.Upline = append(m.draft.Upline[:0], m.real.Upline...)
		}
	}
}

// refused goes on after the draft's account has taken no more (it would have
// too many counters, for one): from here on it is the real one again.
func (r *replay) refused(m *member, err error) error {
	var bound *ledger.RefusedError
	if !errors.As(err, &bound) {
		return err
	}
	r.tally.guessed.Declined++
	m.draft = nil
	return ledger.Apply(&m.real, &r.op)
}

// dates reports whether a record changes when the next dated event is, as it
// does in the switch, and whether an earlier date stays all the same.
func dates(op *ledger.Operation) (changes, early bool) {
	switch op.Kind {
	case ledger.KindReturn, ledger.KindReverse:
		return op.Purchase, true
	case ledger.KindConfirm, ledger.KindAccrue, ledger.KindRedeem, ledger.KindEvent:
		return true, true
	case ledger.KindEnrol, ledger.KindRegister, ledger.KindProfile:
		return true, false
	}
	return false, false
}

// plainDue reports whether a record only says that time has passed.
func plainDue(op *ledger.Operation) bool {
	switch op.Kind {
	case ledger.KindExpire, ledger.KindActivate, ledger.KindLapse:
		return true
	case ledger.KindTier:
		return op.Due != 0
	}
	return false
}

// lapsed counts the points that a real record lets lapse.
func (r *replay) lapsed(f *protocol.WhatIfFigures) {
	if r.op.Kind == ledger.KindLapse {
		f.Expired += r.op.Points
	}
}

// given counts the points that a real record gives beside a purchase: gifts,
// rewards, and what is given and charged by hand.
func (r *replay) given(f *protocol.WhatIfFigures) {
	op, sign := &r.op, int64(1)
	switch {
	case op.Kind == ledger.KindAuthorize || op.Kind == ledger.KindAmend:
		return // promised, not given
	case op.Kind == ledger.KindReturn || op.Kind == ledger.KindReverse && op.Undoes != ledger.KindReturn:
		sign = -1
	}
	f.Gifts += sign*giftSum(op.Gifts) - op.Legs[ledger.LegAdjusted]
	f.Rewards -= op.Legs[ledger.LegReferral]
	switch op.Kind {
	case ledger.KindEnrol, ledger.KindRegister, ledger.KindEvent:
		for _, x := range op.Rules {
			apply(&r.tally.rule(x.Name).Real, x)
		}
	}
}

// both books a record of the period on both sides: the real figures as they
// are, the draft's as they would have been.
func (r *replay) both(m *member, when int64) error {
	if err := advance(m.draft, when, r.falls(m)); err != nil {
		return err
	}
	r.lapsed(&r.tally.real)
	r.given(&r.tally.real)
	switch op := &r.op; op.Kind {
	case ledger.KindAuthorize, ledger.KindAmend:
		return r.hold(m)
	case ledger.KindConfirm:
		return r.confirm(m)
	case ledger.KindAccrue, ledger.KindRedeem:
		return r.sell(m)
	case ledger.KindVoid:
		return r.release(m)
	case ledger.KindReturn:
		return r.giveBack(m)
	case ledger.KindReverse:
		switch op.Undoes {
		case ledger.KindAuthorize, ledger.KindAmend:
			return r.release(m)
		case ledger.KindConfirm, ledger.KindAccrue, ledger.KindRedeem:
			return r.giveBack(m)
		case ledger.KindReturn:
			return r.takeAgain(m)
		}
		return nil
	case ledger.KindEnrol, ledger.KindRegister:
		if op.Registered && !m.draft.Registered {
			return r.happen(m, "registered")
		}
		return r.asItWas(m)
	case ledger.KindEvent:
		if op.Due != 0 {
			return nil // the draft has dates of its own
		}
		return r.happen(m, op.Detail)
	case ledger.KindTier:
		if op.Due != 0 {
			return nil // the draft's tier has an end of its own
		}
		return r.byHand(m)
	default:
		if plainDue(op) {
			return nil
		}
		return r.asItWas(m)
	}
}

// fork begins the draft's account, if there is none yet. What the draft has a
// date for counts from the beginning of the period.
func (r *replay) fork(m *member) {
	if m.draft == nil {
		m.fork()
		r.schedule(m, max(m.draft.Through, r.q.From-1), true)
	}
}

// settle ends a slice: both sides reach the end of the period, and what
// members own then is counted.
func (r *replay) settle() error {
	for _, m := range r.members {
		if m.older {
			continue
		}
		if r.q.Draft.Dated() && m.real.ID != 0 {
			r.fork(m) // an event may fall due for those who never came
		}
		fork := m.draft != nil
		err := advance(&m.real, r.q.To-1, falling{lapsed: func(at, n int64) {
			if at >= r.q.From {
				r.tally.real.Expired += n
				if !fork {
					r.tally.draft.Expired += n
				}
			}
		}})
		if err != nil {
			return err
		}
		draft := &m.real
		if fork {
			draft = m.draft
			if err := advance(draft, r.q.To-1, r.falls(m)); err != nil {
				return err
			}
		}
		r.tally.member(m, draft, r.worth)
	}
	r.members = nil
	return nil
}

// worth is the money that points are worth: really, and under the draft.
func (r *replay) worth(real, draft int64) (int64, int64) {
	p := r.q.Draft
	if v, ok := r.versions.At(r.q.To - 1); ok {
		p = v.Program
	}
	return money(p, real), money(r.q.Draft, draft)
}

// money is what a number of points is worth; points that are owed are worth
// less than nothing.
func money(p *program.Program, points int64) int64 {
	if points < 0 {
		return -p.Money(-points)
	}
	return p.Money(points)
}

// version is the programme under which a record was decided.
func (r *replay) version(op *ledger.Operation) *program.Program {
	if p := r.values[op.Program]; p != nil {
		return p
	}
	return r.q.Draft
}

// report is what the run has found.
func (r *replay) report() *protocol.WhatIf {
	w := r.tally.report()
	w.Program = strings.Clone(r.q.Draft.Name())
	w.From, w.To = r.q.From, r.q.To
	// What the draft would have given those who invited, beyond what they got,
	// is nobody's in the replay; it is owed to them all the same.
	w.Draft.Liability += w.Draft.Rewards - w.Real.Rewards
	w.Real.Worth, w.Draft.Worth = r.worth(w.Real.Liability, w.Draft.Liability)
	w.Unknown = unknown(r.q.Document)
	return w
}
