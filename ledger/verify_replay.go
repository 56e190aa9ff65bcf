package ledger

import (
	"fmt"
	"slices"
)

// replay is one partition's state, made anew from its journal, and what has
// come out of comparing it with what is stored. One goroutine works on it.
type replay struct {
	*verifier
	id    int
	say   func(Finding)
	proof Proof

	accounts map[AccountID]*Account
	sales    map[OpID][]byte
	parked   map[OpID][]byte
	arrivals map[int]watermark
	shared   map[sharedID]int64
	seal     seal
	seq      uint64
	time     int64

	// Transfers: those that lie at their source, and those of which the other
	// side is another partition's to tell.
	lying         map[letterID][]byte
	sent, arrived []passage

	base    *base                     // where the kept journal begins
	partial map[AccountID]*heldToSums // accounts whose history begins before it

	// What lies beside the journal for its operations, under hashes.
	shifts, dups, receipts *lookups

	// Room that is used again for each record.
	decoder           Decoder
	op, again, sender Operation
	before            Sale
	record            []byte // the record's bytes
	spare             *Account
	net               []sharedMove
	known             []DupEntry
	kbuf, buf         []byte
}

func newReplay(v *verifier, p int, say func(Finding)) *replay {
	b := &v.bases[p]
	r := &replay{
		verifier: v, id: p, say: say, base: b, seq: b.first - 1, partial: map[AccountID]*heldToSums{},
		accounts: map[AccountID]*Account{}, sales: map[OpID][]byte{}, parked: map[OpID][]byte{},
		arrivals: map[int]watermark{}, shared: map[sharedID]int64{}, lying: map[letterID][]byte{}, spare: &Account{},
	}
	r.proof.Dropped, r.proof.Legs = b.first-1, b.legs
	r.beside()
	return r
}

// prove replays the partition and compares what is stored of it.
func (r *replay) prove() error {
	for _, step := range []func() error{
		r.readTransit, r.journal, r.shifts.look, r.dups.look, r.receipts.look,
		r.compareAccounts, r.compareSales, r.compareDue, r.compareParked, r.compareTransit, r.compareWatermarks, r.compareShared,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// proven is what the rest of the proof wants to know of the partition, without
// all that it took.
func (r *replay) proven() *replay {
	return &replay{id: r.id, proof: r.proof, sent: r.sent, arrived: r.arrived}
}

// journal replays the partition's records. What cannot be applied is reported
// and skipped: the differences that follow from it are reported too.
func (r *replay) journal() error {
	return scan(r.db, appendPartition(nil, spaceJournal, r.id), func(key, rec []byte) (bool, error) {
		if err := r.decoder.Operation(rec, &r.op); err != nil {
			r.say(Finding{Partition: r.id, What: fmt.Sprintf("record %d: %v", trailing(key), err)})
			return true, nil
		}
		r.proof.Records++
		r.record = rec
		return true, r.next(trailing(key))
	})
}

func (r *replay) finding(format string, args ...any) {
	r.say(Finding{Partition: r.id, Op: r.op.ID, Account: r.op.Account, What: fmt.Sprintf(format, args...)})
}

// next takes the record at a sequence.
func (r *replay) next(seq uint64) error {
	op := &r.op
	if seq != r.seq+1 {
		r.finding("the journal has a gap: %d follows %d", seq, r.seq)
	}
	if op.ID != NewOpID(r.id, seq) {
		r.finding("it lies at sequence %d", seq)
	}
	if op.Time < r.time {
		r.finding("time goes back")
	}
	r.seq, r.time = seq, op.Time
	for i, leg := range op.Legs {
		r.proof.Legs[i] += leg
	}
	r.window()
	if err := checkOperation(op); err != nil {
		r.finding("%v", err)
	}
	if err := checkLegs(op); err != nil {
		r.finding("%v", err)
	}
	if err := r.transfer(); err != nil {
		return err
	}
	r.account()
	r.sale()
	return r.derived()
}

func (r *replay) window() {
	op := &r.op
	if r.trimmed() && op.ID.Sequence() == r.base.first {
		r.firstWindow()
	} else if op.Kind == KindWindow {
		r.proof.Windows++
		var w Window
		if err := DecodeWindow(op.Data, &w); err != nil {
			r.finding("%v", err)
		} else if r.seal.sum == nil || w != r.seal.window() {
			r.finding("the window is not what its records are")
		}
	}
	if err := r.seal.replay(op, r.record); err != nil {
		r.finding("%v", err)
	}
}

func (r *replay) account() {
	op := &r.op
	if op.Account == 0 {
		r.count(nil)
		return
	}
	a := r.accounts[op.Account]
	if a == nil && r.trimmed() && (op.Kind != KindEnrol || op.Prev != 0) {
		r.accountBySums()
		return
	}
	if a == nil {
		a = &Account{}
		r.accounts[op.Account] = a
	}
	if op.Prev != a.Last {
		r.finding("the account's last record was %s, it says %s", a.Last, op.Prev)
	}
	r.dueRecord(a)
	before := a.Balance()
	r.hold(a)
	r.count(a.Hold(op.Drop))
	next := r.spare
	copyAccount(next, a)
	if err := Apply(next, op); err != nil {
		r.finding("it cannot be applied: %v", err)
		return
	}
	r.accounts[op.Account], r.spare = next, a
	after := next.Balance()
	r.again.Legs = op.Legs
	r.again.setLegs(before, after)
	if r.again.Legs != op.Legs {
		r.finding("its legs are %v, the balance moves by %v", op.Legs[:LegIssued], r.again.Legs[:LegIssued])
	}
	if after != op.After {
		r.finding("it says the balance is %+v, it is %+v", op.After, after)
	}
}

// count adds to the shared counters what the record changes, which may end a
// hold.
func (r *replay) count(drop *Hold) {
	r.net = netShared(r.net[:0], &r.op, drop)
	for _, m := range r.net {
		r.shared[m.id] += m.n
	}
}

// dueRecord decides again what the account owed before this record.
func (r *replay) dueRecord(a *Account) {
	op := &r.op
	if a.ID == 0 {
		return
	}
	dated := op.Due != 0 && op.Kind == KindEvent
	owes := due(a, op.Time, &r.again, dated)
	switch {
	case op.Due == 0 && owes:
		r.finding("it was booked before what fell due at %d", r.again.Due)
	case op.Due != 0 && !owes:
		r.finding("nothing fell due")
	case op.Due != 0:
		again := &r.again
		// What a dated event gives is the programme's to say.
		same := dated || again.Drop == op.Drop && again.Owed == op.Owed && slices.Equal(again.Lots, op.Lots)
		if again.Kind != op.Kind || again.Due != op.Due || !same {
			r.finding("what fell due was booked otherwise")
		}
	}
}

// hold checks that captured + released = held.
func (r *replay) hold(a *Account) {
	op := &r.op
	if h := a.Hold(op.Drop); h != nil {
		if op.Figures != h.Op {
			r.finding("the hold's figures are in %s, it says %s", h.Op, op.Figures)
		}
		if err := checkCapture(op, h); err != nil {
			r.finding("%v", err)
		}
	}
}

func (r *replay) sale() {
	op, s := &r.op, &r.before
	id := saleOf(op)
	if id == 0 || id.Sequence() < r.base.first {
		return // none, or one whose beginning is older than the retention
	}
	*s = Sale{
		Lines: s.Lines[:0], Pins: s.Pins[:0], Restored: s.Restored[:0],
		Counts: s.Counts[:0], Gifts: s.Gifts[:0], Rewards: s.Rewards[:0],
	}
	rec, ok := r.sales[id]
	if ok {
		if err := decodeSale(rec, s); err != nil {
			r.finding("its sale: %v", err)
			return
		}
	}
	if err := applySale(s, op); err != nil {
		r.finding("%v", err)
		return
	}
	if s.ID != 0 {
		r.sales[id] = appendSale(rec[:0], s)
	}
}
