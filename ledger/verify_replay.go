package ledger

import (
	"bytes"
	"fmt"
	"slices"
)

// replay is one partition's state, made anew from its journal.
type replay struct {
	id       int
	accounts map[AccountID]*Account
	sales    map[OpID][]byte
	parked   map[OpID][]byte
	letters  map[letterID][]byte
	arrivals map[int]watermark
	shared   map[sharedID]int64
	seal     seal
	seq      uint64
	time     int64

	base    *base                     // where the kept journal begins
	partial map[AccountID]*heldToSums // accounts whose history begins before it

	op, again Operation
	sale      Sale
	record    []byte // the record's bytes
	spare     *Account
}

func newReplay(p int, b *base) *replay {
	return &replay{
		base: b, seq: b.first - 1, partial: map[AccountID]*heldToSums{},
		id: p, accounts: map[AccountID]*Account{}, sales: map[OpID][]byte{}, parked: map[OpID][]byte{},
		letters: map[letterID][]byte{}, arrivals: map[int]watermark{}, shared: map[sharedID]int64{}, spare: &Account{},
	}
}

// journal replays a partition's records. What cannot be applied is reported
// and skipped: the differences that follow from it are reported too.
func (v *verifier) journal(p int) error {
	r := v.part
	return scan(v.db, appendPartition(nil, spaceJournal, p), func(key, rec []byte) (bool, error) {
		if err := DecodeOperation(rec, &r.op); err != nil {
			v.report(Finding{Partition: p, What: fmt.Sprintf("record %d: %v", trailing(key), err)})
			return true, nil
		}
		v.proof.Records++
		r.record = rec
		if err := v.record(trailing(key)); err != nil {
			return false, err
		}
		return true, nil
	})
}

func (v *verifier) finding(format string, args ...any) {
	op := &v.part.op
	v.report(Finding{Partition: v.part.id, Op: op.ID, Account: op.Account, What: fmt.Sprintf(format, args...)})
}

func (v *verifier) record(seq uint64) error {
	r, op := v.part, &v.part.op
	if seq != r.seq+1 {
		v.finding("the journal has a gap: %d follows %d", seq, r.seq)
	}
	if op.ID != NewOpID(r.id, seq) {
		v.finding("it lies at sequence %d", seq)
	}
	if op.Time < r.time {
		v.finding("time goes back")
	}
	r.seq, r.time = seq, op.Time
	for i, leg := range op.Legs {
		v.proof.Legs[i] += leg
	}
	v.window()
	if err := checkOperation(op); err != nil {
		v.finding("%v", err)
	}
	if err := checkLegs(op); err != nil {
		v.finding("%v", err)
	}
	if err := v.arrival(); err != nil {
		return err
	}
	v.account()
	v.saleRecord()
	return v.derived()
}

func (v *verifier) window() {
	r, op := v.part, &v.part.op
	if r.trimmed() && op.ID.Sequence() == r.base.first {
		v.firstWindow()
	} else if op.Kind == KindWindow {
		v.proof.Windows++
		var w Window
		if err := DecodeWindow(op.Data, &w); err != nil {
			v.finding("%v", err)
		} else if r.seal.sum == nil || w != r.seal.window() {
			v.finding("the window is not what its records are")
		}
	}
	if err := r.seal.replay(op, r.record); err != nil {
		v.finding("%v", err)
	}
}

// arrival checks an incoming transfer against the operation that sent it, and
// that it comes once and in order.
func (v *verifier) arrival() error {
	r, op := v.part, &v.part.op
	for i := range op.Transfers {
		id := letterID{op.ID, uint16(i)}
		r.letters[id] = appendTransfer(nil, &op.Transfers[i])
		if v.arrived[id] {
			delete(v.arrived, id)
		} else {
			v.sent[id] = op.Transfers[i].To.Partition(len(v.l.parts))
		}
	}
	if op.Source == 0 {
		return nil
	}
	id, source := letterID{op.Source, op.SourceIndex}, op.Source.Partition()
	w := r.arrivals[source]
	if id.op < w.op || id.op == w.op && id.index <= w.index {
		v.finding("a transfer is booked twice or out of order")
	}
	r.arrivals[source] = watermark(id)
	if source < len(v.bases) && id.op.Sequence() < v.bases[source].first {
		return nil // who sent it is older than the retention
	}
	if _, ok := v.sent[id]; ok {
		delete(v.sent, id)
	} else {
		v.arrived[id] = true
	}
	var sender Operation
	ok, err := load(v.db, journalKey(nil, op.Source), func(rec []byte) error { return DecodeOperation(rec, &sender) })
	if err != nil {
		return err
	}
	if !ok || int(op.SourceIndex) >= len(sender.Transfers) {
		v.finding("no such transfer was sent")
		return nil
	}
	v.sameArrival(&sender.Transfers[op.SourceIndex])
	return nil
}

// sameArrival decides the arrival again.
func (v *verifier) sameArrival(t *Transfer) {
	r, op := v.part, &v.part.op
	a := r.accounts[t.To]
	if a == nil && r.trimmed() {
		return // what it was is not known
	}
	if a == nil {
		if op.Kind != KindPark {
			v.finding("a transfer is booked to account %s, which does not exist", t.To)
		}
		return
	}
	again := &r.again
	resetOperation(again)
	again.Kind, again.Account, again.Time = KindPostIn, t.To, op.Time
	postIn(a, t, again)
	if op.Kind == KindPark {
		copyAccount(r.spare, a)
		if Apply(r.spare, again) == nil {
			v.finding("a transfer is parked that can be booked")
		}
		return
	}
	if op.Account != t.To {
		v.finding("a transfer to account %s is booked elsewhere", t.To)
		return
	}
	if settles(a, t) && len(op.Counts) > len(again.Counts) {
		again.Counts = append(again.Counts, op.Counts[len(again.Counts):]...) // what its tier has added is the programme's to say
	}
	if !settles(a, t) && op.Grant != "" {
		v.finding("a transfer without a tier brings one")
	}
	if again.Into != op.Into || again.Purchase != op.Purchase || !slices.Equal(again.Flags, op.Flags) ||
		again.Legs[LegIssued] != op.Legs[LegIssued] || again.Owed != op.Owed || again.Legs[LegTransit] != op.Legs[LegTransit] ||
		again.Legs[LegReferral] != op.Legs[LegReferral] || !slices.Equal(again.Rules, op.Rules) ||
		!slices.Equal(again.Lots, op.Lots) || !slices.Equal(again.Sums, op.Sums) ||
		!slices.Equal(again.Counts, op.Counts) || again.Bought != op.Bought || len(again.Transfers) != len(op.Transfers) {
		v.finding("a transfer is booked otherwise than it was sent")
	}
}

func (v *verifier) account() {
	r, op := v.part, &v.part.op
	if op.Account == 0 {
		for _, m := range netShared(nil, op, nil) {
			r.shared[m.id] += m.n
		}
		return
	}
	a := r.accounts[op.Account]
	if a == nil && r.trimmed() && (op.Kind != KindEnrol || op.Prev != 0) {
		v.accountBySums()
		return
	}
	if a == nil {
		a = &Account{}
		r.accounts[op.Account] = a
	}
	if op.Prev != a.Last {
		v.finding("the account's last record was %s, it says %s", a.Last, op.Prev)
	}
	v.dueRecord(a)
	before := a.Balance()
	v.hold(a)
	for _, m := range netShared(nil, op, a.Hold(op.Drop)) {
		r.shared[m.id] += m.n
	}
	next := r.spare
	copyAccount(next, a)
	if err := Apply(next, op); err != nil {
		v.finding("it cannot be applied: %v", err)
		return
	}
	r.accounts[op.Account], r.spare = next, a
	after := next.Balance()
	r.again.Legs = op.Legs
	r.again.setLegs(before, after)
	if r.again.Legs != op.Legs {
		v.finding("its legs are %v, the balance moves by %v", op.Legs[:LegIssued], r.again.Legs[:LegIssued])
	}
	if after != op.After {
		v.finding("it says the balance is %+v, it is %+v", op.After, after)
	}
}

// dueRecord decides again what the account owed before this record.
func (v *verifier) dueRecord(a *Account) {
	r, op := v.part, &v.part.op
	if a.ID == 0 {
		return
	}
	dated := op.Due != 0 && op.Kind == KindEvent
	owes := due(a, op.Time, &r.again, dated)
	switch {
	case op.Due == 0 && owes:
		v.finding("it was booked before what fell due at %d", r.again.Due)
	case op.Due != 0 && !owes:
		v.finding("nothing fell due")
	case op.Due != 0:
		again := &r.again
		// What a dated event gives is the programme's to say.
		same := dated || again.Drop == op.Drop && again.Owed == op.Owed && slices.Equal(again.Lots, op.Lots)
		if again.Kind != op.Kind || again.Due != op.Due || !same {
			v.finding("what fell due was booked otherwise")
		}
	}
}

// hold checks that captured + released = held.
func (v *verifier) hold(a *Account) {
	op := &v.part.op
	if h := a.Hold(op.Drop); h != nil {
		if op.Figures != h.Op {
			v.finding("the hold's figures are in %s, it says %s", h.Op, op.Figures)
		}
		if err := checkCapture(op, h); err != nil {
			v.finding("%v", err)
		}
	}
}

func (v *verifier) saleRecord() {
	r, op := v.part, &v.part.op
	id := saleOf(op)
	if id == 0 || id.Sequence() < r.base.first {
		return // none, or one whose beginning is older than the retention
	}
	r.sale = Sale{}
	if rec, ok := r.sales[id]; ok {
		if err := decodeSale(rec, &r.sale); err != nil {
			v.finding("its sale: %v", err)
			return
		}
	}
	if err := applySale(&r.sale, op); err != nil {
		v.finding("%v", err)
		return
	}
	if r.sale.ID != 0 {
		r.sales[id] = appendSale(nil, &r.sale)
	}
}

// derived checks the records that lie beside the journal for an operation.
func (v *verifier) derived() error {
	r, op := v.part, &v.part.op
	if !op.Declined() {
		switch op.Kind {
		case KindPark:
			p := parkedOf(op)
			r.parked[op.ID] = appendParked(nil, &p)
		case KindResolve:
			var p Parked
			if rec, ok := r.parked[op.Target]; !ok && op.Target.Sequence() >= r.base.first {
				v.finding("it resolves %s, which is not parked", op.Target)
			} else if !ok {
				break // it was parked before what is kept
			} else if err := decodeParked(rec, &p); err != nil {
				v.finding("it resolves a parked message that can't be read: %v", err)
			} else if err := checkUnpark(op, &p); err != nil {
				v.finding("%v", err)
			}
			delete(r.parked, op.Target)
		}
	}
	if key, entry, ok := shiftOf(v.l, op); ok {
		want := appendShift(nil, &entry)
		same := false
		if _, err := load(v.db, shiftEntryKey(nil, key, op.ID), func(rec []byte) error {
			same = bytes.Equal(rec, want)
			return nil
		}); err != nil {
			return err
		}
		if !same {
			v.finding("its entry in the shift is missing or another")
		}
	}
	if err := v.remembered(); err != nil {
		return err
	}
	return v.receipt()
}

// remembered checks that a repeat of the request would be known, unless it is
// older than the retention. Its entry lies in the bucket of its day; a later
// request may have taken it along to its own.
func (v *verifier) remembered() error {
	op := &v.part.op
	from, to := v.l.dupDays(v.l.o.Clock())
	day := dayOf(op.Time)
	if day < from {
		return nil
	}
	for i := range op.Dups {
		ref := &op.Dups[i]
		known := func(e DupEntry) bool {
			return e.Disc == ref.Entry.Disc && e.Mark == ref.Entry.Mark && (e.Op == ref.Entry.Op || e.Time > op.Time)
		}
		entries, err := dupsIn(v.db, ref.Key, day, day)
		if err == nil && !slices.ContainsFunc(entries, known) {
			entries, err = dupsIn(v.db, ref.Key, day+1, to)
		}
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(entries, known) {
			v.finding("a repeat of its request would not be known")
		}
	}
	return nil
}

func (v *verifier) receipt() error {
	op := &v.part.op
	id := receiptOf(op)
	if id == 0 {
		return nil
	}
	known := false
	_, err := load(v.db, hashKey(nil, spaceReceipts, v.l.ReceiptKey(op.Merchant, op.Store, op.Terminal, op.Receipt)), func(rec []byte) error {
		entries, err := decodeReceipts(rec, nil)
		known = len(entries) >= maxReceipts || slices.ContainsFunc(entries, func(e ReceiptEntry) bool { return e.Op == id })
		return err
	})
	if !known && err == nil {
		v.finding("it is not known under its receipt")
	}
	return err
}
