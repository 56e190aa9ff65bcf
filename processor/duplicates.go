package processor

import (
	"slices"

	"tillgate/ledger"
	"tillgate/protocol"
)

// dupSet is what a request is remembered by: its idempotency key, its STAN
// (ISO), or both.
type dupSet struct {
	n    int
	refs [2]ledger.DupRef
	// receipt is the key of the receipt that the request books, if any.
	receipt    ledger.Key
	hasReceipt bool
	// seen says that the receipt was booked before, by another request.
	seen bool
}

// keyHash is the duplicate key of an idempotency key. Its scope is the caller
// and the terminal; an ISO message's DE48 06 lives in the same space.
func (s *Switch) keyHash(c *protocol.Caller, terminal, key string) ledger.Key {
	return s.ledger.Hash("dup", c.Merchant, c.Key, terminal, key)
}

// stanHash is the duplicate key of an ISO message without its time: the
// messages that share it are told apart by their entries, so that DE90, which
// knows only DE7, finds them too.
func (s *Switch) stanHash(merchant, terminal, class, stan string) ledger.Key {
	return s.ledger.Hash("stan", merchant, terminal, class, stan)
}

// requestHash is what is kept of a request to know it again: the edge's hash
// under the store's key. The journal leaves the house, and all but a phone
// number, a card's or a one-time code of a request can be known: a hash without
// a key would let them be guessed one after the other.
func (s *Switch) requestHash(r *protocol.Request) [16]byte {
	return s.ledger.Hash("request", string(r.Hash[:]))
}

// messageClass is the class of an MTI: its first three digits. Requests and
// their repeats differ in the fourth.
func messageClass(mti string) string {
	if len(mti) < 3 {
		return mti
	}
	return mti[:3]
}

// claimKeys collects what the request must own: its duplicate keys and what
// its call adds.
func (t *Task) claimKeys() {
	if t.plan.claim != nil {
		t.plan.claim(t)
	}
	if t.plan.keyed {
		t.ownKeys()
	}
	for i := range t.dups.refs[:t.dups.n] {
		if t.target.has && t.dups.refs[i].Key == t.target.key {
			t.refuse(protocol.InvalidRequest, "idempotency_key", "a reversal has a key of its own, not that of the request it reverses")
		}
	}
}

func (t *Task) ownKeys() {
	r := t.request()
	hash := t.s.requestHash(r)
	if r.Key != "" {
		scope := r.Terminal
		if scope == "" {
			scope = t.other.Terminal
		}
		t.remembered(t.s.keyHash(&r.Caller, scope, r.Key), ledger.DupEntry{Hash: hash})
	}
	if r.Edge == protocol.EdgeISO && r.ISO.STAN != "" {
		class := messageClass(r.ISO.MTI)
		e := ledger.DupEntry{
			Disc:  discriminator(r),
			Hash:  hash,
			Class: class,
		}
		t.remembered(t.s.stanHash(r.Caller.Merchant, r.Terminal, class, r.ISO.STAN), e)
	}
}

// discriminator tells messages of one terminal with the same STAN apart: store
// and local time, or DE7 where the listener's profile says so.
func discriminator(r *protocol.Request) string {
	if r.ISO.ByDE7 {
		return r.Store + "|" + r.ISO.DE7
	}
	return r.Store + "|" + r.ISO.LocalDate + "|" + r.ISO.LocalTime
}

func (t *Task) remembered(k ledger.Key, e ledger.DupEntry) {
	t.dups.refs[t.dups.n] = ledger.DupRef{Key: k, Entry: e}
	t.dups.n++
	t.claim.add(k)
}

// remember puts the request's duplicate keys into the record that answers it.
func (t *Task) remember(op *ledger.Operation) {
	for i := range t.dups.refs[:t.dups.n] {
		ref := t.dups.refs[i]
		if de7 := t.request().ISO.DE7; de7 != "" && ref.Entry.Disc != "" {
			ref.Entry.Sent = []string{de7}
		}
		op.Dups = append(op.Dups, ref)
	}
}

// homeless is the partition of records that are about no account.
func (t *Task) homeless() int {
	if t.dups.n == 0 {
		return 0
	}
	return t.dups.refs[0].Key.Partition(t.s.partitions)
}

// repeated answers a request that was answered before, and refuses one whose
// key belongs to another or that was reversed before it came. It reports
// whether the response is complete. The keys are owned, so what the ledger
// says about them is on disk.
func (t *Task) repeated() (bool, error) {
	for i := range t.dups.refs[:t.dups.n] {
		ref := &t.dups.refs[i]
		// There is one original at most: once it is found, older days tell
		// nothing more.
		entries, err := t.s.ledger.DupsUntil(ref.Key, func(e *ledger.DupEntry) bool {
			return !e.Mark && e.Disc == ref.Entry.Disc
		})
		if err != nil {
			return false, err
		}
		if len(entries) == 0 {
			ref.New = true // and stays so while the key is owned
			continue
		}
		if e := original(entries, ref.Entry.Disc); e != nil {
			return t.repeat(ref, e)
		}
		for k := range entries {
			if t.marked(&entries[k]) {
				t.refuse(protocol.ReversedBefore, "", "the request came after its own reversal and is declined for good")
			}
		}
	}
	if t.dups.hasReceipt {
		return false, t.receiptSeen()
	}
	return false, nil
}

// original finds the entry of a request that has been answered.
func original(entries []ledger.DupEntry, disc string) *ledger.DupEntry {
	for i := range entries {
		if !entries[i].Mark && entries[i].Disc == disc {
			return &entries[i]
		}
	}
	return nil
}

// repeat answers from the record of the first time.
func (t *Task) repeat(ref *ledger.DupRef, e *ledger.DupEntry) (bool, error) {
	if e.Hash != ref.Entry.Hash {
		t.refuse(protocol.IdempotencyConflict, "", "the key was used for another request")
		return true, nil
	}
	if found, err := t.s.ledger.Operation(e.Op, &t.op); !found || err != nil {
		return false, missing(e.Op, err)
	}
	t.response().Reset()
	t.response().Call = t.request().Call
	t.answer()
	t.response().Replayed = true
	de7 := t.request().ISO.DE7
	t.again = e.Disc != "" && de7 != "" && !slices.Contains(e.Sent, de7) && len(e.Sent) < maxSent
	return true, nil
}

// maxSent bounds the DE7 that are kept of one message's repeats.
const maxSent = 16

// noteRepeat adds the DE7 of a repeat to what the message is known by: a
// reversal may name it by any of them. The answer is made already.
func (t *Task) noteRepeat(tx *ledger.Tx) error {
	for i := range t.dups.refs[:t.dups.n] {
		ref := &t.dups.refs[i]
		if ref.Entry.Disc == "" {
			continue
		}
		entries, err := tx.Dups(ref.Key)
		if err != nil {
			return err
		}
		if e := original(entries, ref.Entry.Disc); e != nil {
			e.Sent = append(e.Sent, t.request().ISO.DE7)
			return tx.PutDups(ref.Key, entries)
		}
	}
	return nil
}

// marked reports whether a mark left by an early reversal means this request.
// A mark by idempotency key always does. A mark by STAN names the DE7 of the
// original; one without a DE7, and one that a repeat with a new DE7 meets,
// mean what happened before the reversal, because a till uses its STANs again.
func (t *Task) marked(e *ledger.DupEntry) bool {
	if !e.Mark {
		return false
	}
	if len(e.Sent) == 0 && e.Class == "" {
		return true
	}
	r := t.request()
	if slices.Contains(e.Sent, r.ISO.DE7) {
		return true
	}
	anyTime := len(e.Sent) == 0
	repeat := len(r.ISO.MTI) == 4 && r.ISO.MTI[3] == '1'
	return (anyTime || repeat) && t.before(e.Time)
}

// before reports whether the request says of itself that it happened before a
// moment, with the clocks' allowance.
func (t *Task) before(moment int64) bool {
	at, _, set := t.asked(moment, t.zone())
	return !set || at <= moment+int64(t.s.o.ClockSkew)
}

// claimReceipt owns the receipt that the request books: a reversal may name
// the request by it.
func (t *Task) claimReceipt() {
	r := t.request()
	terminal, store := orElse(r.Terminal, t.other.Terminal), orElse(r.Store, t.other.Store)
	if r.Receipt.Number == "" || terminal == "" {
		return
	}
	t.dups.receipt = t.s.receiptKey(r.Caller.Merchant, store, terminal, r.Receipt.Number)
	t.dups.hasReceipt = true
	t.claim.add(t.dups.receipt)
}

// receiptKey is the key under which a terminal's receipt number is found.
func (s *Switch) receiptKey(merchant, store, terminal, number string) ledger.Key {
	return s.ledger.ReceiptKey(merchant, store, terminal, number)
}

// receiptSeen looks for marks and earlier bookings of the request's receipt.
func (t *Task) receiptSeen() error {
	entries, err := t.s.ledger.Receipts(t.dups.receipt)
	if err != nil {
		return err
	}
	shift := t.request().Receipt.Shift
	for i := range entries {
		e := &entries[i]
		if e.Shift != shift && e.Shift != "" && shift != "" {
			continue
		}
		switch {
		case e.Mark && t.before(e.Time):
			t.refuse(protocol.ReversedBefore, "", "the receipt was reversed before it came and is declined for good")
		case !e.Mark && e.Op != t.otherID:
			t.dups.seen = true
		}
	}
	return nil
}
